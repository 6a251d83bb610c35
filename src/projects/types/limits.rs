//! The limits of a project, and what its deletion would remove, as GraphQL types.

use async_graphql::{Context, Object, SimpleObject};

use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::Quantity;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::ProjectId;
use crate::jobs::types::JobPhase;
use crate::projects::loader::{Deletion, DeletionOfProject, LimitsOfProject};
use crate::projects::model::limits::Limits;
use crate::quantity;

/// The limits of a project. A limit that is null does not exist.
#[derive(Debug, PartialEq, Eq, SimpleObject)]
pub struct ProjectLimits {
    /// The number of GPUs that the unfinished jobs of the project can request together.
    pub gpu: Option<i32>,
    /// The CPUs that the unfinished jobs of the project can request together.
    pub cpu: Option<Quantity>,
    /// The memory that the unfinished jobs of the project can request together.
    pub memory: Option<Quantity>,
    /// The storage that the claims in the project's namespace can request together. The cluster enforces it.
    pub storage: Option<Quantity>,
    /// The number of unfinished jobs, whether they are running or not.
    pub concurrent_jobs: Option<i32>,
    /// The number of unfinished jobs that have not started yet.
    pub queued_jobs: Option<i32>,
    /// The number of unfinished jobs of each user, whether they are running or not.
    pub concurrent_jobs_per_user: Option<i32>,
    /// The number of unfinished jobs of each user that have not started yet.
    pub queued_jobs_per_user: Option<i32>,
    /// The longest time that a job can run, in seconds. A job without `activeDeadlineSeconds` is stopped after this time.
    pub max_run_seconds: Option<i32>,
}

impl From<Limits> for ProjectLimits {
    fn from(limits: Limits) -> Self {
        let written = |quantity: quantity::Quantity| Quantity(quantity.as_str().to_owned());
        Self {
            gpu: limits.gpu,
            cpu: limits.cpu_millis.map(quantity::Quantity::of_millis).map(written),
            memory: limits.memory_bytes.map(quantity::Quantity::of_bytes).map(written),
            storage: limits.storage_bytes.map(quantity::Quantity::of_bytes).map(written),
            concurrent_jobs: limits.concurrent_jobs,
            queued_jobs: limits.queued_jobs,
            concurrent_jobs_per_user: limits.concurrent_jobs_per_user,
            queued_jobs_per_user: limits.queued_jobs_per_user,
            max_run_seconds: limits.max_run_seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX)),
        }
    }
}

/// The number of a project's jobs in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct JobPhaseCount {
    /// The phase.
    pub phase: JobPhase,
    /// The number of jobs in this phase.
    pub count: i32,
}

/// What `deleteProject` removes.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct ProjectDeletion {
    /// The number of jobs in each phase; phases without jobs are omitted.
    #[graphql(directive = assumed_list::apply(6))]
    pub jobs: Vec<JobPhaseCount>,
    /// The number of jobs that have not finished. The project can only be deleted when there are none.
    pub unfinished_jobs: i32,
    /// The number of config files, which are deleted with all their versions.
    pub config_files: i32,
    /// The number of storage claims, which are deleted with everything in them if their storage classes delete volumes.
    pub claims: i32,
    /// The Kubernetes namespace, which is deleted with everything in it.
    pub namespace: String,
}

/// The limits and the deletion preview under a project.
#[derive(Debug)]
pub struct LimitsUnderProject(ProjectId);

impl From<ProjectId> for LimitsUnderProject {
    fn from(project: ProjectId) -> Self {
        Self(project)
    }
}

/// The limits that a project has.
#[Object]
impl LimitsUnderProject {
    /// The limits of the project. See `quota` for what is in use.
    async fn limits(&self, ctx: &Context<'_>) -> ApiResult<ProjectLimits> {
        let limits = ctx.read::<LimitsOfProject>(self.0).await.graphql(ctx)?;
        Ok(limits.unwrap_or_default().into())
    }

    /// What would be deleted together with the project.
    async fn deletion_preview(&self, ctx: &Context<'_>) -> ApiResult<ProjectDeletion> {
        let Deletion { jobs, config_files, claims, namespace } =
            ctx.read::<DeletionOfProject>(self.0).await.graphql(ctx)?.unwrap_or_default();
        let number = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        let unfinished: i64 = jobs.iter().filter(|(phase, _)| !phase.is_terminal()).map(|(_, count)| count).sum();
        Ok(ProjectDeletion {
            jobs: jobs.into_iter().map(|(phase, count)| JobPhaseCount { phase, count: number(count) }).collect(),
            unfinished_jobs: number(unfinished),
            config_files: number(config_files),
            claims: number(claims),
            namespace,
        })
    }
}
