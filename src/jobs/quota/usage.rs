//! The usage of a project as a whole and of its people: `quotaUsage`, as a query.

use async_graphql::{Context, Object};

use super::ProjectQuota;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::error::ApiError;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{ProjectId, ProjectKind};
use crate::jobs::loader::{PeopleOfProject, QuotaOfProject};
use crate::jobs::model::quota::{OfPerson, Usage};
use crate::projects::loader::{GroupOfProject, ProjectsById};
use crate::projects::types::Project;
use crate::users::types::User;

/// What a project uses of its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaUsage(pub ProjectId);

/// What a project uses of its limits.
#[Object]
impl QuotaUsage {
    /// The project.
    async fn project(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Project>> {
        Project::load(ctx, self.0).await.map(AtOnce).graphql(ctx)
    }

    /// For each resource the limit, and what the project's unfinished jobs request. The same as `Project.quota`.
    #[graphql(directive = assumed_list::apply(5))]
    async fn resources(&self, ctx: &Context<'_>) -> ApiResult<Vec<ProjectQuota>> {
        let usage: Result<Option<Usage>, ApiError> = ctx.read::<QuotaOfProject>(self.0).await;
        Ok(usage.graphql(ctx)?.unwrap_or_default().lines())
    }

    /// The users with unfinished jobs in the project, those with the most jobs first: at most 100.
    #[graphql(directive = assumed_list::apply(10))]
    async fn people(&self, ctx: &Context<'_>) -> ApiResult<Vec<PersonQuota>> {
        let people = ctx.read::<PeopleOfProject>(self.0).await.graphql(ctx)?.unwrap_or_default();
        Ok(people.into_iter().map(PersonQuota).collect())
    }
}

/// What one user uses in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonQuota(OfPerson);

/// What one user uses in a project.
#[Object]
impl PersonQuota {
    /// The user.
    async fn user(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        User::load(ctx, self.0.user).await.map(AtOnce).graphql(ctx)
    }

    /// For each resource what the user's unfinished jobs in the project request, and the limit for each user, if there
    /// is one. GPUs, CPUs and memory have no limits for each user.
    #[graphql(directive = assumed_list::apply(5))]
    async fn resources(&self) -> Vec<ProjectQuota> {
        self.0.usage.lines_of_user()
    }
}

/// The quota part of the query root.
#[derive(Debug, Default)]
pub struct QuotaQuery;

#[Object]
impl QuotaQuery {
    /// What a project uses of its limits, and the share of each user. You must be a member of its group. The subscription
    /// `quotaUsage` returns it again whenever it has changed.
    async fn quota_usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID of the project.")] project_id: GivenId<ProjectKind>,
    ) -> ApiResult<Option<QuotaUsage>> {
        async { find(ctx, project_id.at("projectId")?).await.map(|(usage, _)| Some(usage)) }.await.graphql(ctx)
    }
}

/// The usage of a project that the caller can see, and what the policy is asked about.
///
/// # Errors
/// `NOT_FOUND` if the project does not exist or the caller cannot see it.
pub(super) async fn find(ctx: &Context<'_>, id: ProjectId) -> Result<(QuotaUsage, Scope), ApiError> {
    ctx.caller().principal()?;
    let not_found = || ApiError::not_found("project", id).at("projectId");
    let group = ctx.read::<ProjectsById>(id).await?.ok_or_else(not_found)?.group_id;
    let scope = Scope::within(group, id);
    policy::check(&ctx.caller(), Action::ViewProject, scope).map_err(|error| error.at("projectId"))?;
    ctx.know::<GroupOfProject>(id, group)?;
    Ok((QuotaUsage(id), scope))
}
