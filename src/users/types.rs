//! People as the API shows them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::loader::UsersById;
use super::model;
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::auth::principal::PlatformRole;
use crate::error::ApiError;
use crate::graphql::connection::{Connection, PageArgs};
use crate::graphql::edges;
use crate::graphql::limits::directives::connection_size;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::groups::loader::MembershipsOfUser;
use crate::groups::types::Membership;
use crate::ids::UserId;

/// A person with an account on the platform.
#[derive(Debug, Clone)]
pub struct User(pub Arc<model::User>);

impl From<model::User> for User {
    fn from(user: model::User) -> Self {
        Self(Arc::new(user))
    }
}

impl User {
    /// The person with this id, for an edge whose start the viewer sees.
    ///
    /// # Errors
    /// The read failed, or a foreign key does not hold.
    pub async fn load(ctx: &Context<'_>, id: UserId) -> Result<Self, ApiError> {
        let user = ctx.read::<UsersById>(id).await?;
        user.map(Self).ok_or_else(|| ApiError::internal(format!("{id} is referred to and not there")))
    }

    fn is_private_to(&self, ctx: &Context<'_>) -> bool {
        ctx.check(Action::ViewUserPrivate, Scope::person(self.0.id)).is_err()
    }
}

/// A person with an account on the platform.
#[Object]
impl User {
    /// The id: `user_` and 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The name the person logs in with.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// The name the person is shown by.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// The e-mail address; null if there is none, and for everybody but the person and platform admins.
    async fn email(&self, ctx: &Context<'_>) -> Option<&str> {
        if self.is_private_to(ctx) { None } else { self.0.email.as_deref() }
    }

    /// What the person may do on the whole platform.
    async fn platform_role(&self) -> PlatformRole {
        self.0.platform_role
    }

    /// Since when the person cannot log in; null for everybody but the person and platform admins.
    async fn disabled_at(&self, ctx: &Context<'_>) -> Option<DateTime<Utc>> {
        if self.is_private_to(ctx) { None } else { self.0.disabled_at }
    }

    /// When the account was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The groups the person is in that you can see, longest membership first.
    #[graphql(directive = connection_size::apply())]
    async fn memberships(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start: 0 to 100, 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Begin after the membership with this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "End before the membership with this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<Membership>> {
        let (args, visible) = (PageArgs { first, after, last, before }, ctx.visible().graphql(ctx)?);
        edges::list::<MembershipsOfUser, _>(ctx, self.0.id, visible, args).await.graphql(ctx)
    }
}

/// What somebody who has logged in is given.
#[derive(Debug, SimpleObject)]
pub struct SessionPayload {
    /// The token for requests: send it as `Authorization: Bearer <token>`, or in the payload of a socket's
    /// `connection_init` as `{"authorization": "Bearer <token>"}`.
    pub access_token: String,
    /// The token for `refreshSession`, good for one use. Keep it secret.
    pub refresh_token: String,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
    /// Who has logged in.
    pub user: User,
}
