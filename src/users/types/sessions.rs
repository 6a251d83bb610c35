//! Sessions as GraphQL objects.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::User;
use crate::auth::acting::CallerExt;
use crate::auth::device;
use crate::auth::principal::CredentialId;
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::users::model::sessions as model;

/// A session of a user: a login on one device. Only visible to the user and to platform admins.
#[derive(Debug, Clone)]
pub struct Session(Arc<model::Session>);

impl From<Arc<model::Session>> for Session {
    fn from(session: Arc<model::Session>) -> Self {
        Self(session)
    }
}

impl Written for Session {}

/// A session of a user: a login on one device. Only visible to the user and to platform admins.
#[Object]
impl Session {
    /// The ID of the session: `session_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The user who logged in.
    async fn user(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.user_id).await.map(AtOnce).graphql(ctx)
    }

    /// The device or program that logged in, as far as it has said what it is, such as `Firefox on Linux` or `curl`; null
    /// if it has not.
    async fn device(&self) -> Option<String> {
        self.0.user_agent.as_deref().and_then(device::in_words)
    }

    /// The IP address that the login came from; null if it is not known.
    async fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// When the user logged in.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When the session was last used. A use is recorded after a minute or two.
    async fn last_used_at(&self) -> DateTime<Utc> {
        self.0.last_used_at
    }

    /// When the session ends, unless it is refreshed before.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }

    /// Whether this is the session of the request.
    async fn is_current(&self, ctx: &Context<'_>) -> bool {
        ctx.caller().principal().is_ok_and(|principal| principal.credential.id() == CredentialId::Session(self.0.id))
    }
}
