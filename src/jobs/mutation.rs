//! Submitting and cancelling jobs.

use async_graphql::{Context, Object, SimpleObject};

use super::input::{CancelJobInput, SubmitJobInput};
use super::service::{Planned, Submitter};
use super::types::Job;
use crate::auth::principal::CallerExt;
use crate::error::{ApiError, ApiErrors};
use crate::graphql::context::RequestExt;
use crate::graphql::limits::directives::{assumed_list, cost};
use crate::graphql::scalars::Json;
use crate::graphql::{ApiResult, IntoGraphql};

/// What a submit did, or would do.
#[derive(Debug, SimpleObject)]
pub struct SubmitJobPayload {
    /// The job; null for a dry run.
    pub job: Option<Job>,
    /// What the submit comes to.
    pub preview: JobPreview,
}

/// What a submit comes to: the objects for the cluster and the room left in the project.
#[derive(Debug, SimpleObject)]
pub struct JobPreview {
    /// The Kubernetes objects exactly as they go to the cluster.
    pub manifests: Vec<Json>,
    /// What the project may have, what its unfinished jobs use and what this job asks for.
    #[graphql(directive = assumed_list::apply(4))]
    pub quota: Vec<QuotaLine>,
}

/// One limit of a project.
#[derive(Debug, SimpleObject)]
pub struct QuotaLine {
    /// What is limited: `gpu`, `cpuMillis` (thousandths of a CPU), `memoryBytes` or `jobs`.
    pub resource: String,
    /// The limit; null for none.
    pub limit: Option<String>,
    /// What the project's unfinished jobs ask for.
    pub used: String,
    /// What this job asks for.
    pub requested: String,
}

/// The job that is being cancelled.
#[derive(Debug, SimpleObject)]
pub struct CancelJobPayload {
    /// The job. It becomes CANCELLED when its tasks have stopped.
    pub job: Job,
}

/// The jobs part of the mutation root.
#[derive(Debug, Default)]
pub struct JobMutation;

#[Object]
impl JobMutation {
    /// Submits a job. It is kept before this answers: whatever happens to the server or the cluster, it runs once.
    ///
    /// Two tasks with a GPU each, from an image:
    ///
    /// ```json
    /// {"projectId": "project_01h455vb4pex5vsknk084sn02q", "name": "train",
    /// "spec": {"image": "python:3.12", "command": ["python", "train.py"], "replicas": 2,
    /// "resources": {"cpu": "500m", "memory": "1Gi", "gpu": 1}}}
    /// ```
    ///
    /// A version of a config file, with another number of tasks:
    ///
    /// ```json
    /// {"projectId": "project_01h455vb4pex5vsknk084sn02q", "commitId": "commit_01h455vb4pex5vsknk084sn02q",
    /// "overrides": {"replicas": 4}}
    /// ```
    ///
    /// Fails with BAD_USER_INPUT for each field that is not acceptable, NOT_FOUND for a project or commit that you
    /// cannot see, QUOTA_EXCEEDED when the project has no room, CONFLICT for an idempotencyKey that was used for another
    /// input.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn submit_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] input: SubmitJobInput,
    ) -> ApiResult<SubmitJobPayload> {
        submit(ctx, input).await.graphql(ctx)
    }

    /// Cancels a job: its tasks are stopped, then it is CANCELLED. A job that was not sent yet is CANCELLED at once.
    ///
    /// Cancelling a job again changes nothing and is no error.
    ///
    /// Fails with BAD_USER_INPUT for a reason that is too long, NOT_FOUND for a job that you cannot see, FORBIDDEN for
    /// another person's unless you are a manager or an admin of its group, CONFLICT for one that has SUCCEEDED or FAILED.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn cancel_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job and why.")] input: CancelJobInput,
    ) -> ApiResult<CancelJobPayload> {
        cancel(ctx, input).await.graphql(ctx)
    }
}

fn submitter<'c>(ctx: &Context<'c>) -> Result<&'c Submitter, ApiError> {
    ctx.data_opt::<Submitter>().ok_or_else(|| ApiError::internal("the request carries no submitter"))
}

async fn submit(ctx: &Context<'_>, input: SubmitJobInput) -> Result<SubmitJobPayload, ApiErrors> {
    let submitter = submitter(ctx)?;
    let dry_run = input.dry_run.unwrap_or(false);
    let planned = submitter.plan(&ctx.caller(), input).await?;
    let job = if dry_run {
        None
    } else {
        let id = submitter.submit(&planned, ctx.request_id()).await?;
        Some(Job::load(ctx, id).await?)
    };
    Ok(SubmitJobPayload { job, preview: preview(planned) })
}

async fn cancel(ctx: &Context<'_>, input: CancelJobInput) -> Result<CancelJobPayload, ApiErrors> {
    let id = submitter(ctx)?.cancel(&ctx.caller(), input, ctx.request_id()).await?;
    Ok(CancelJobPayload { job: Job::load(ctx, id).await? })
}

fn preview(planned: Planned) -> JobPreview {
    let quota = planned.quota;
    let (used, jobs) = planned.used;
    let wanted = planned.demand;
    let line = |resource: &str, limit: Option<i64>, used: i64, requested: i64| QuotaLine {
        resource: resource.to_owned(),
        limit: limit.map(|limit| limit.to_string()),
        used: used.to_string(),
        requested: requested.to_string(),
    };
    JobPreview {
        manifests: vec![Json(planned.manifest)],
        quota: vec![
            line("gpu", quota.and_then(|quota| quota.gpu).map(i64::from), used.gpu, wanted.gpu),
            line("cpuMillis", quota.and_then(|quota| quota.cpu_millis), used.cpu_millis, wanted.cpu_millis),
            line("memoryBytes", quota.and_then(|quota| quota.memory_bytes), used.memory_bytes, wanted.memory_bytes),
            line("jobs", quota.and_then(|quota| quota.concurrent_jobs).map(i64::from), jobs, 1),
        ],
    }
}
