//! What the viewer can do with a job.

use async_graphql::Context;

use super::Job;
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{Action, Scope};
use crate::error::ApiError;
use crate::graphql::loaders::ReadExt;
use crate::projects::loader::GroupOfProject;

impl Job {
    /// Whether the viewer can cancel the job in its current phase.
    pub(super) async fn can_be_cancelled(&self, ctx: &Context<'_>) -> Result<bool, ApiError> {
        Ok(!self.row.phase().is_terminal() && self.is_allowed(ctx, Action::CancelJob).await?)
    }

    /// Whether the viewer can run the job again.
    pub(super) async fn can_be_retried(&self, ctx: &Context<'_>) -> Result<bool, ApiError> {
        Ok(self.row.phase().is_terminal() && self.is_allowed(ctx, Action::RetryJob).await?)
    }

    /// Whether the viewer may do this to the job.
    pub(super) async fn is_allowed(&self, ctx: &Context<'_>, action: Action) -> Result<bool, ApiError> {
        let group = match self.group {
            Some(group) => Some(group),
            None => ctx.read::<GroupOfProject>(self.row.project_id()).await?,
        };
        let id = self.row.id();
        let group = group.ok_or_else(|| ApiError::not_found("job", id))?;
        Ok(ctx
            .check(action, Scope::within(group, id).in_project(self.row.project_id()).by(self.row.submitted_by()))
            .is_ok())
    }
}
