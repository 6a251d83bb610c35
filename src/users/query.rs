//! Asking about people.

use async_graphql::{Context, Enum, InputObject, Object};

use super::loader::{UserPages, UsersById};
use super::model::{self, Selection, SortBy};
use super::service;
use super::types::User;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::connection::{Connection, Page, PageArgs, TotalCount, connection};
use crate::graphql::context::RequestExt;
use crate::graphql::cursor::Position;
use crate::graphql::keyset::{OrderDirection, SortType};
use crate::graphql::limits::InTime;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{GroupId, UserId};

/// Which people to list; conditions that are left out do not count, several are joined by "and":
/// `{groupId: "group_01h455vb4pex5vsknk084sn02q", usernames: ["maya"]}`.
#[derive(Debug, Default, InputObject)]
pub struct UserFilter {
    /// Only people with one of these log-in names.
    pub usernames: Option<Vec<String>>,
    /// Only members of this group.
    pub group_id: Option<GroupId>,
}

/// What people can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum UserOrderField {
    /// The name they log in with.
    Username,
    /// When the account was made.
    CreatedAt,
}

/// The order of a list of people.
#[derive(Debug, InputObject)]
pub struct UserOrder {
    /// What to sort by.
    pub field: UserOrderField,
    /// Which end comes first.
    #[graphql(default)]
    pub direction: OrderDirection,
}

/// The people part of the query root.
#[derive(Debug, Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// Your own account.
    async fn viewer(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        viewer(ctx).await.map(AtOnce).graphql(ctx)
    }

    /// The person with this id, if it is you or you share a group.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The person's id: `user_` and 26 characters.")] id: UserId,
    ) -> ApiResult<AtOnce<User>> {
        find(ctx, id).await.map(AtOnce).graphql(ctx)
    }

    /// The people you share a group with, and yourself; everybody for platform admins.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 0 to 100, 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Begin after the person with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before the person with this cursor.")] before: Option<String>,
        #[graphql(desc = "Which people; all that you can see when left out.")] filter: Option<UserFilter>,
        #[graphql(desc = "The order; by log-in name when left out.")] order_by: Option<UserOrder>,
    ) -> ApiResult<Connection<User>> {
        list(ctx, PageArgs { first, after, last, before }, filter, order_by).await.graphql(ctx)
    }
}

async fn viewer(ctx: &Context<'_>) -> Result<User, ApiError> {
    policy::check(&ctx.caller(), Action::ViewSelf, Scope::PLATFORM)?;
    User::load(ctx, ctx.caller().principal()?.user).await
}

/// The person with this id, if the caller may see them.
///
/// # Errors
/// `NOT_FOUND` if there is none that the caller may know of.
pub async fn find(ctx: &Context<'_>, id: UserId) -> Result<User, ApiError> {
    let shares_group = service::shares_group(ctx.db()?, &ctx.caller(), id).in_time(ctx).await?;
    policy::check(&ctx.caller(), Action::ViewUser, Scope::person(id).among(shares_group))?;
    let user = ctx.read::<UsersById>(id).await?.ok_or_else(|| ApiError::not_found("user", id))?;
    Ok(User(user))
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
    let sort = match order.as_ref().map(|order| order.field) {
        Some(UserOrderField::CreatedAt) => SortBy::CreatedAt,
        Some(UserOrderField::Username) | None => SortBy::Username,
    };
    let selection = Selection {
        usernames: filter.usernames,
        group: filter.group_id,
        sort,
        direction: order.map(|order| order.direction).unwrap_or_default(),
    };
    let page = Page::parse(args)?.sorted_by(match sort {
        SortBy::Username => SortType::Text,
        SortBy::CreatedAt => SortType::Time,
    })?;
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
