//! Users as GraphQL types.

pub mod api_tokens;
pub mod sessions;
pub mod settings;

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;

use self::api_tokens::ApiToken;
use self::sessions::Session;
use self::settings::UserSettings;
use super::loader::{ApiTokensOfUser, SessionsOfUser, SettingsOfUser, UsersById};
use super::model;
use crate::auth::SessionTokens;
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::auth::principal::{PlatformRole, UserState};
use crate::error::ApiError;
use crate::graphql::connection::{Connection, PageArgs, argument};
use crate::graphql::edges;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::written::{Part, Written, each};
use crate::graphql::{ApiResult, IntoGraphql};
use crate::groups::loader::MembershipsOfUser;
use crate::groups::types::Membership;
use crate::groups::types::filter::{MembershipOrder, UserMembershipFilter, memberships_of_user};
use crate::ids::UserId;
use crate::lists_under;
use crate::notifications::types::unread;

/// A user account on the platform.
#[derive(Debug, Clone)]
pub struct User(pub Arc<model::User>);

impl From<model::User> for User {
    fn from(user: model::User) -> Self {
        Self(Arc::new(user))
    }
}

impl User {
    /// The user with this ID, for an edge whose parent the viewer can see.
    ///
    /// # Errors
    /// The read failed, or a foreign key is violated.
    pub async fn load(ctx: &Context<'_>, id: UserId) -> Result<Self, ApiError> {
        ctx.read_known::<UsersById>(id).await.map(Self)
    }

    /// As [`User::load`], for each of these ids.
    ///
    /// # Errors
    /// As [`User::load`].
    pub async fn load_all(ctx: &Context<'_>, ids: &[UserId]) -> Result<Vec<Self>, ApiError> {
        Ok(ctx.read_all_known::<UsersById>(ids).await?.into_iter().map(Self).collect())
    }

    fn viewer_can(&self, ctx: &Context<'_>, action: Action) -> bool {
        ctx.check(action, Scope::person(self.0.id)).is_ok()
    }

    fn is_private_to(&self, ctx: &Context<'_>) -> bool {
        !self.viewer_can(ctx, Action::ViewUserPrivate)
    }
}

/// A user account on the platform.
#[Object]
impl User {
    /// The ID of the user: `user_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The name that the user logs in with.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// The user's display name.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// The user's email address; null if there is none. Only visible to the user and to platform admins, null for
    /// others.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        if self.is_private_to(ctx) { None } else { self.0.email.as_deref() }
    }

    /// The user's role on the platform.
    async fn platform_role(&self) -> PlatformRole {
        self.0.platform_role
    }

    /// When the account was disabled; null if it can log in. Only visible to the user and to platform admins, null for
    /// others.
    async fn disabled_at(&self, ctx: &Context<'_>) -> Option<DateTime<Utc>> {
        if self.is_private_to(ctx) { None } else { self.0.disabled_at }
    }

    /// The state of the account. Only visible to the user and to platform admins, null for others.
    async fn state(&self, ctx: &Context<'_>) -> Option<UserState> {
        if self.is_private_to(ctx) { None } else { Some(self.0.state) }
    }

    /// Whether you can change the account with `updateUser`: it is your own, or you are a platform admin.
    async fn viewer_can_update(&self, ctx: &Context<'_>) -> bool {
        self.0.state != UserState::Deleted && self.viewer_can(ctx, Action::UpdateUser)
    }

    /// Whether you can disable the account: you are a platform admin, and it is not disabled yet.
    async fn viewer_can_disable(&self, ctx: &Context<'_>) -> bool {
        matches!(self.0.state, UserState::Active | UserState::Waiting) && self.viewer_can(ctx, Action::DisableUser)
    }

    /// Whether you can enable the account: you are a platform admin, and it is disabled or waits for approval.
    async fn viewer_can_enable(&self, ctx: &Context<'_>) -> bool {
        matches!(self.0.state, UserState::Disabled | UserState::Waiting) && self.viewer_can(ctx, Action::EnableUser)
    }

    /// Whether you can delete the account: you are a platform admin, and it is not deleted yet.
    async fn viewer_can_delete(&self, ctx: &Context<'_>) -> bool {
        self.0.state != UserState::Deleted && self.viewer_can(ctx, Action::DeleteUser)
    }

    /// What other rooms have under it.
    #[graphql(flatten)]
    async fn lists(&self) -> UserLists {
        self.0.id.into()
    }

    /// The user's active sessions, the newest login first. Only visible to the user and to platform admins, null for
    /// others and for requests with an API token.
    #[graphql(directive = connection_size::apply())]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the sessions that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the sessions that come before this cursor.")] before: Option<String>,
    ) -> ApiResult<Option<Connection<Session>>> {
        if !self.viewer_can(ctx, Action::ViewSession) {
            return Ok(None);
        }
        let args = PageArgs { first, after, last, before };
        edges::list::<SessionsOfUser, _>(ctx, self.0.id, (), args).await.map(Some).graphql(ctx)
    }

    /// The user's valid API tokens, the newest first. Only visible to the user and to platform admins, null for others and for
    /// requests with an API token.
    #[graphql(directive = connection_size::apply())]
    async fn api_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the tokens that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the tokens that come before this cursor.")] before: Option<String>,
    ) -> ApiResult<Option<Connection<ApiToken>>> {
        if !self.viewer_can(ctx, Action::ViewApiToken) {
            return Ok(None);
        }
        let args = PageArgs { first, after, last, before };
        edges::list::<ApiTokensOfUser, _>(ctx, self.0.id, (), args).await.map(Some).graphql(ctx)
    }

    /// The user's settings. Only visible to the user and to platform admins, null for others.
    async fn settings(&self, ctx: &Context<'_>) -> ApiResult<Option<UserSettings>> {
        if self.is_private_to(ctx) {
            return Ok(None);
        }
        let settings = ctx.read::<SettingsOfUser>(self.0.id).await.graphql(ctx)?;
        Ok(Some(UserSettings::new(self.0.id, settings.unwrap_or_default())))
    }

    /// The number of notifications that the user has not marked as read. Only visible to the user and to platform admins, null
    /// for others. `notificationEvents` keeps it up to date.
    async fn unread_notifications(&self, ctx: &Context<'_>) -> ApiResult<Option<i32>> {
        if self.is_private_to(ctx) {
            return Ok(None);
        }
        unread(ctx, self.0.id).await.map(Some).graphql(ctx)
    }

    /// When the account was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The user's memberships in groups that you can see, oldest first by default.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn memberships(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the memberships that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the memberships that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which memberships to return; all that you can see by default.")] filter: Option<
            UserMembershipFilter,
        >,
        #[graphql(desc = "The order of the list; oldest first by default.")] order_by: Option<MembershipOrder>,
    ) -> ApiResult<Connection<Membership>> {
        let args = PageArgs { first, after, last, before };
        let selected = memberships_of_user(ctx.visible().graphql(ctx)?, filter, order_by).graphql(ctx)?;
        edges::list::<MembershipsOfUser, _>(ctx, self.0.id, selected, args).await.graphql(ctx)
    }
}

lists_under! {
    /// What other rooms contribute to a user.
    UserLists(UserId):
        crate::storage::types::lists::DriveUnderUser,
        crate::files::types::FileSessionsUnderUser,
}

/// Columns that are hidden from some viewers have no part.
impl Written for User {
    fn part(field: &str) -> Option<Part<Self>> {
        Some(match field {
            "id" => Part::column(|user, json| json.put(&user.0.id)),
            "username" => Part::column(|user, json| json.put(&user.0.username)),
            "displayName" => Part::column(|user, json| json.put(&user.0.display_name)),
            "platformRole" => Part::column(|user, json| json.put_enum(user.0.platform_role)),
            "createdAt" => Part::column(|user, json| json.put(&user.0.created_at)),
            "memberships" => Part::one(|ctx, users| memberships(ctx, users).boxed()),
            _ => return None,
        })
    }
}

async fn memberships(ctx: &Context<'_>, users: &[&User]) -> Option<Vec<Connection<Membership>>> {
    let given = ctx.field().arguments().ok()?;
    let (filter, order) = (argument(&given, "filter")?, argument(&given, "orderBy")?);
    let selected = memberships_of_user(ctx.visible().ok()?, filter, order).ok()?;
    let args = PageArgs::among(&given)?;
    each(users, |user| edges::list::<MembershipsOfUser, _>(ctx, user.0.id, selected.clone(), args.clone())).await
}

/// A session, and its tokens.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct SessionPayload {
    /// The tokens; none if the session was extended with its cookie.
    #[graphql(skip)]
    pub tokens: Option<SessionTokens>,
    /// When the access token expires; or the cookie, if the session was extended with it.
    pub expires_at: DateTime<Utc>,
    /// When the refresh token expires. The session ends then unless it is refreshed.
    pub refresh_expires_at: DateTime<Utc>,
    /// The user who logged in.
    pub user: User,
}

#[ComplexObject]
impl SessionPayload {
    /// The token that authenticates requests. Send it as `Authorization: Bearer <token>`, or in the `connection_init`
    /// payload of a WebSocket as `{"authorization": "Bearer <token>"}`.
    ///
    /// Fails with FORBIDDEN if the session was extended with its cookie.
    async fn access_token(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        self.tokens().map(|tokens| tokens.access.as_str()).graphql(ctx)
    }

    /// The token for `refreshSession`, which can be used once. Keep it secret.
    ///
    /// Fails with FORBIDDEN if the session was extended with its cookie.
    async fn refresh_token(&self, ctx: &Context<'_>) -> ApiResult<String> {
        self.tokens().map(|tokens| tokens.refresh.encode()).graphql(ctx)
    }
}

impl SessionPayload {
    fn tokens(&self) -> Result<&SessionTokens, ApiError> {
        let message =
            "the session was extended with its cookie, so its tokens are not shown; select only the other fields";
        self.tokens.as_ref().ok_or_else(|| ApiError::forbidden(message))
    }
}
