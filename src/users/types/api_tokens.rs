//! API tokens as GraphQL objects.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::User;
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope, TokenScope};
use crate::graphql::loaders::ReadExt;
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::projects::loader::ProjectsById;
use crate::projects::types::Project;
use crate::users::model::api_tokens as model;

/// An API token, with which scripts call the API as a user. Only visible to the user and to platform admins; its secret is
/// only visible when it is created.
#[derive(Debug, Clone)]
pub struct ApiToken(Arc<model::ApiToken>);

impl From<Arc<model::ApiToken>> for ApiToken {
    fn from(token: Arc<model::ApiToken>) -> Self {
        Self(token)
    }
}

impl Written for ApiToken {}

/// An API token, with which scripts call the API as a user. Only visible to the user and to platform admins; its secret is
/// only visible when it is created.
#[Object]
impl ApiToken {
    /// The ID of the token: `token_` followed by 26 characters. It is not the secret.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// The user whom it authenticates.
    async fn user(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.user_id).await.map(AtOnce).graphql(ctx)
    }

    /// The name, unique among the valid tokens of the user.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it can be used for.
    async fn scope(&self) -> TokenScope {
        self.0.scope
    }

    /// The ID of the only project that it can be used for; null if it is not restricted to a project.
    async fn project_id(&self) -> Option<ID> {
        self.0.project_id.map(|id| ID(id.to_text()))
    }

    /// The only project that it can be used for; null if it is not restricted to a project, or if you cannot see the project.
    async fn project(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Project>>> {
        let Some(id) = self.0.project_id else { return Ok(None) };
        let Some(project) = ctx.read::<ProjectsById>(id).await.graphql(ctx)? else { return Ok(None) };
        let is_visible = ctx.check(Action::ViewProject, Scope::within(project.group_id, id)).is_ok();
        Ok(is_visible.then_some(AtOnce(Project(project))))
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last used; null if it was not. A use is recorded after a minute or two.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_used_at
    }

    /// When it expires.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }
}
