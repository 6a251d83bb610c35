//! Submitting and cancelling jobs.

use async_graphql::{Context, Object, SimpleObject};

use super::admission::AdmissionRule;
use super::input::{CancelJobInput, SubmitJobInput};
use super::preview::JobPreview;
use super::service::Submitter;
use super::types::Job;
use crate::auth::acting::CallerExt;
use crate::error::{ApiError, ApiErrors};
use crate::graphql::context::RequestExt;
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};

/// What a submit did, or would do.
#[derive(Debug, SimpleObject)]
pub struct SubmitJobPayload {
    /// The job; null for a dry run.
    pub job: Option<Job>,
    /// What the submit comes to: for a dry run exactly what `previewJob` answers.
    pub preview: JobPreview,
}

/// What a submit would do.
#[derive(Debug, SimpleObject)]
pub struct PreviewJobPayload {
    /// What the submit would come to.
    pub preview: JobPreview,
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
    /// Says what `submitJob` would do with the same input, and changes nothing: the verdict on every rule, the objects for
    /// the cluster, and what is left of the project's quota. `dryRun` is of no effect here.
    ///
    /// When every other rule holds, the cluster is asked as well, with a dry run of the job and its pods (rule CLUSTER). That takes
    /// at most a few seconds; a cluster that does not answer refuses nothing.
    ///
    /// What is wrong with the input is no error but a rule that has FAILED.
    ///
    /// Fails with NOT_FOUND for a project or commit that you cannot see.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn preview_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] input: SubmitJobInput,
    ) -> ApiResult<PreviewJobPayload> {
        preview(ctx, input).await.map(|preview| PreviewJobPayload { preview }).graphql(ctx)
    }

    /// Submits a job. It is kept before this answers: whatever happens to the server or the cluster, it runs once.
    ///
    /// This does not wait for the cluster. A job that the cluster does not take becomes FAILED with the cluster's words as its
    /// message and the reason `Invalid` or `Rejected`; `previewJob` tells beforehand.
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

async fn preview(ctx: &Context<'_>, input: SubmitJobInput) -> Result<JobPreview, ApiErrors> {
    let submitter = submitter(ctx)?;
    let mut review = submitter.review(&ctx.caller(), input).await?;
    submitter.ask_cluster(&mut review).await?;
    Ok(review.into())
}

async fn submit(ctx: &Context<'_>, input: SubmitJobInput) -> Result<SubmitJobPayload, ApiErrors> {
    if input.dry_run.unwrap_or(false) {
        return Ok(SubmitJobPayload { job: None, preview: preview(ctx, input).await? });
    }
    let submitter = submitter(ctx)?;
    let mut review = submitter.review(&ctx.caller(), input).await?;
    std::mem::take(&mut review.findings).before_quota()?;
    review.findings.skip(&[AdmissionRule::Cluster]);
    let planned = review.planned.as_ref().ok_or_else(|| ApiError::internal("a submit without problems has no plan"))?;
    let id = submitter.submit(planned, ctx.request_id()).await?;
    let job = Job::load(ctx, id).await?;
    Ok(SubmitJobPayload { job: Some(job), preview: review.into() })
}

async fn cancel(ctx: &Context<'_>, input: CancelJobInput) -> Result<CancelJobPayload, ApiErrors> {
    let id = submitter(ctx)?.cancel(&ctx.caller(), input, ctx.request_id()).await?;
    Ok(CancelJobPayload { job: Job::load(ctx, id).await? })
}
