//! Queries for users.

use async_graphql::{Context, Enum, InputObject, Object};

use super::loader::{ApiTokensById, SessionsById, UserPages, UsersById};
use super::model::{self, Selection, SortBy};
use super::service;
use super::types::User;
use super::types::api_tokens::ApiToken;
use super::types::sessions::Session;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope, Visible};
use crate::auth::principal::UserState;
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::ids::{self, GivenId};
use crate::graphql::keyset::{OrderDirection, SortType};
use crate::graphql::limits::InTime;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::search::Search;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{ApiTokenId, GroupKind, SessionId, UserId, UserKind};

/// Filters for a list of users. Omitted fields do not filter; a user must match all fields that are given:
/// `{groupId: "group_01h455vb4pex5vsknk084sn02q", usernames: ["maya"]}`.
#[derive(Debug, Default, InputObject)]
pub struct UserFilter {
    /// Only return users with one of these usernames.
    pub usernames: Option<Vec<String>>,
    /// Only return users whose username and display name match: each word of this text must be the beginning of a word
    /// of them, so "ada lo" matches Ada Lovelace. A blank text does not filter.
    pub search: Option<String>,
    /// Only return members of this group.
    pub group_id: Option<GivenId<GroupKind>>,
    /// Only return users in one of these states; by default, all that are not deleted. Only platform admins can filter by
    /// state.
    pub states: Option<Vec<UserState>>,
}

/// The fields that a list of users can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum UserOrderField {
    /// Sort by username.
    Username,
    /// Sort by creation time.
    CreatedAt,
}

/// Ordering options for a list of users.
#[derive(Debug, InputObject)]
pub struct UserOrder {
    /// The field to sort by.
    pub field: UserOrderField,
    /// The direction to sort in.
    #[graphql(default_with = "Some(OrderDirection::Asc)")]
    pub direction: Option<OrderDirection>,
}

/// The queries for users.
#[derive(Debug, Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// The currently authenticated user.
    async fn viewer(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        viewer(ctx).await.map(AtOnce).graphql(ctx)
    }

    /// Finds a user by ID. You can see yourself and the users you share a group with.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the user: `user_` followed by 26 characters.")] id: GivenId<UserKind>,
    ) -> ApiResult<Option<AtOnce<User>>> {
        async { find(ctx, id.at("id")?).await.map(AtOnce).map(Some) }.await.graphql(ctx)
    }

    /// The users you share a group with, and yourself. Platform admins see all users.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the users that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the users that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which users to return; all that you can see by default.")] filter: Option<UserFilter>,
        #[graphql(desc = "The order of the list; by username by default.")] order_by: Option<UserOrder>,
    ) -> ApiResult<Connection<User>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

async fn viewer(ctx: &Context<'_>) -> Result<User, ApiError> {
    policy::check(&ctx.caller(), Action::ViewSelf, Scope::PLATFORM)?;
    User::load(ctx, ctx.caller().principal()?.user).await
}

/// The user with this ID, if the caller can see them.
///
/// # Errors
/// `NOT_FOUND` if it does not exist or the caller cannot see it.
pub async fn find(ctx: &Context<'_>, id: UserId) -> Result<User, ApiError> {
    let shares_group = service::shares_group(ctx.db()?, &ctx.caller(), id).in_time(ctx).await?;
    policy::check(&ctx.caller(), Action::ViewUser, Scope::person(id).among(shares_group))?;
    let user = ctx.read::<UsersById>(id).await?.ok_or_else(|| ApiError::not_found("user", id))?;
    Ok(User(user))
}

/// The active session with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist, has ended, or the caller cannot see it.
pub async fn find_session(ctx: &Context<'_>, id: SessionId) -> Result<Session, ApiError> {
    ctx.caller().principal()?;
    let session = ctx.read::<SessionsById>(id).await?.ok_or_else(|| ApiError::not_found("session", id))?;
    policy::check(&ctx.caller(), Action::ViewSession, Scope::owned(session.user_id, id))?;
    Ok(Session::from(session))
}

/// The valid API token with this ID, if the caller can see it.
///
/// # Errors
/// `NOT_FOUND` if it does not exist, is no longer valid, or the caller cannot see it.
pub async fn find_api_token(ctx: &Context<'_>, id: ApiTokenId) -> Result<ApiToken, ApiError> {
    ctx.caller().principal()?;
    let token = ctx.read::<ApiTokensById>(id).await?.ok_or_else(|| ApiError::not_found("API token", id))?;
    policy::check(&ctx.caller(), Action::ViewApiToken, Scope::owned(token.user_id, id))?;
    Ok(ApiToken::from(token))
}

async fn list(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: Option<UserFilter>,
    order: Option<UserOrder>,
) -> Result<Connection<User>, ApiErrors> {
    let visible = policy::visible(&ctx.caller())?;
    let viewer = ctx.caller().principal()?.user;
    let filter = filter.unwrap_or_default();
    if filter.states.is_some() && visible != Visible::Everything {
        let error = ApiError::forbidden("only platform admins can filter users by state");
        return Err(error.at("filter.states").into());
    }
    let sort = match order.as_ref().map(|order| order.field) {
        Some(UserOrderField::CreatedAt) => SortBy::CreatedAt,
        Some(UserOrderField::Username) | None => SortBy::Username,
    };
    let page = Page::parse(args).and_then(|page| {
        page.sorted_by(match sort {
            SortBy::Username => SortType::Text,
            SortBy::CreatedAt => SortType::Time,
        })
    });
    let (group, page) = both(ids::maybe(filter.group_id.as_ref(), "filter.groupId"), page)?;
    let selection = Selection {
        usernames: filter.usernames,
        search: Search::parse(filter.search.as_deref(), "filter.search")?,
        group,
        states: filter.states,
        sort,
        direction: order.and_then(|order| order.direction).unwrap_or_default(),
    };
    let db = ctx.db()?.clone();
    let key = (visible.clone(), viewer, selection.clone(), page.clone());
    let rows = ctx.read::<UserPages>(key).await?.unwrap_or_default();
    let total = TotalCount::by(move |_| {
        let (db, visible, selection) = (db.clone(), visible.clone(), selection.clone());
        async move { Ok(model::count(&mut *db.connection().await?, &visible, viewer, &selection).await?) }
    });
    let position = |user: &model::User| match sort {
        SortBy::Username => Position::of(user.username.clone(), user.id.uuid()),
        SortBy::CreatedAt => Position::at(user.created_at, user.id.uuid()),
    };
    Ok(connection(&page, rows.to_vec(), position, User::from, total))
}
