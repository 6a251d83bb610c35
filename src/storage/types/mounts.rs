//! The pods that mount a storage claim, as GraphQL types.

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use futures::try_join;

use crate::access::loader::RolesOfUser;
use crate::auth::acting::PolicyExt;
use crate::auth::policy::{self, Action, Scope, StorageAccess};
use crate::error::ApiError;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::JobId;
use crate::jobs::types::Job;
use crate::storage::loader::{ClaimsById, scope_for};
use crate::storage::model::mounts::Mount;

/// A pod that mounts a storage claim.
#[derive(Debug, Clone)]
pub struct PvcMount(Mount);

impl From<Mount> for PvcMount {
    fn from(mount: Mount) -> Self {
        Self(mount)
    }
}

impl PvcMount {
    /// The job of the pod, if it exists and the viewer can see it: pods can have any labels.
    async fn find_job(&self, ctx: &Context<'_>, id: JobId) -> Result<Option<Job>, ApiError> {
        let Some(brief) = ctx.read::<crate::jobs::loader::BriefById>(id).await? else { return Ok(None) };
        let group = brief.group();
        let scope = Scope::within(group, id).in_project(brief.job.project_id).by(brief.job.submitted_by);
        if ctx.check(Action::ViewJob, scope).is_err() {
            return Ok(None);
        }
        Job::load(ctx, id).await.map(Some)
    }

    /// Asks the policy with the roles that the submitter has now: a permission, the default of the claim, a role, the membership
    /// or the account can have changed since.
    async fn find_access_lost(&self, ctx: &Context<'_>) -> Result<Option<bool>, ApiError> {
        let Some(id) = self.0.job_id else { return Ok(None) };
        let (brief, claim) =
            try_join!(ctx.read::<crate::jobs::loader::BriefById>(id), ctx.read::<ClaimsById>(self.0.claim_id))?;
        let Some((brief, claim)) = brief.zip(claim) else { return Ok(None) };
        let user = brief.job.submitted_by;
        let (roles, scope) = try_join!(ctx.read::<RolesOfUser>(user), scope_for(ctx, &claim, user))?;
        // Without roles, the account is disabled or deleted.
        let Some(roles) = roles else { return Ok(Some(true)) };
        let access = claim.access(|action| policy::explain(None, roles.person(), action, &scope).ground.is_some());
        let does = if self.0.read_only { StorageAccess::Read } else { StorageAccess::Write };
        Ok(Some(access < does))
    }
}

/// A pod that mounts a storage claim.
#[Object]
impl PvcMount {
    /// The name of the pod.
    async fn pod(&self) -> &str {
        &self.0.pod
    }

    /// The job that the pod is a task of; null if it is not a task of a job that you can see.
    async fn job(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Job>>> {
        let Some(id) = self.0.job_id else { return Ok(None) };
        self.find_job(ctx, id).await.map(|job| job.map(AtOnce)).graphql(ctx)
    }

    /// Whether it is the pod that shows the files of the claim, because somebody has opened them with `openFiles`. It does not
    /// keep the claim from being deleted.
    async fn shows_files(&self) -> bool {
        self.0.shows_files()
    }

    /// Whether it mounts the claim read-only.
    async fn read_only(&self) -> bool {
        self.0.read_only
    }

    /// Whether the user who submitted the job may no longer do what the pod does: they may not read the claim, or the pod can
    /// write and they may not. The pod goes on until it ends or its job is canceled. It is null for other pods.
    async fn access_lost(&self, ctx: &Context<'_>) -> ApiResult<Option<bool>> {
        self.find_access_lost(ctx).await.graphql(ctx)
    }

    /// Since when the platform knows of it.
    async fn since(&self) -> DateTime<Utc> {
        self.0.since
    }
}
