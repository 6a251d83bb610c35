//! Submitting and cancelling jobs.

use async_graphql::{Context, Object, SimpleObject};

use super::admission::AdmissionRule;
use super::input::{CancelJobInput, SubmitJobInput};
use super::preview::{JobPreview, preview, submitter};
use super::types::Job;
use crate::auth::acting::CallerExt;
use crate::error::{ApiError, ApiErrors};
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::trail::OriginExt;

/// Result of `submitJob`.
#[derive(Debug, SimpleObject)]
pub struct SubmitJobPayload {
    /// The submitted job.
    pub job: Job,
    /// The verdicts of the server and the quota of the project, as `previewJob` returns them. The cluster is not asked.
    pub preview: JobPreview,
}

/// Result of `previewJob`.
#[derive(Debug, SimpleObject)]
pub struct PreviewJobPayload {
    /// The preview of the submission.
    pub preview: JobPreview,
}

/// Result of `cancelJob`.
#[derive(Debug, SimpleObject)]
pub struct CancelJobPayload {
    /// The job. Its phase becomes CANCELLED when all its tasks have stopped.
    pub job: Job,
}

/// The jobs part of the mutation root.
#[derive(Debug, Default)]
pub struct JobMutation;

#[Object]
impl JobMutation {
    /// Returns what `submitJob` would do with the same input, without changing anything.
    ///
    /// Fails with NOT_FOUND if the project, the template or the commit does not exist or you cannot see it, and with
    /// BAD_USER_INPUT if the ID of the project is malformed.
    #[graphql(
        directive = cost::apply("10".to_owned()),
        deprecation = "Use the query `previewJob`, which returns the preview itself and does not require POST."
    )]
    async fn preview_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job to submit.")] input: SubmitJobInput,
    ) -> ApiResult<Option<PreviewJobPayload>> {
        preview(ctx, input).await.map(|preview| PreviewJobPayload { preview }).map(Some).graphql(ctx)
    }

    /// Submits a job. The job is stored before the response is sent, and it is run exactly once, even if the server or
    /// the cluster fails in the meantime.
    ///
    /// The response does not wait for the cluster. If the cluster rejects the job, the job becomes FAILED with the
    /// reason `Invalid` or `Rejected` and the error of the cluster as its message; use `previewJob` to find out
    /// beforehand.
    ///
    /// Two tasks with one GPU each, from an image:
    ///
    /// ```json
    /// {"projectId": "project_01h455vb4pex5vsknk084sn02q", "name": "train",
    /// "source": {"spec": {"image": "python:3.12", "command": ["python", "train.py"], "replicas": 2,
    /// "resources": {"cpu": "500m", "memory": "1Gi", "gpu": 1}}}}
    /// ```
    ///
    /// A version of a config file, with a different number of tasks:
    ///
    /// ```json
    /// {"projectId": "project_01h455vb4pex5vsknk084sn02q",
    /// "source": {"commitId": "commit_01h455vb4pex5vsknk084sn02q"}, "overrides": {"replicas": 4}}
    /// ```
    ///
    /// A template with values for two of its parameters, which `JobTemplate.parameters` lists:
    ///
    /// ```json
    /// {"projectId": "project_01h455vb4pex5vsknk084sn02q",
    /// "source": {"templateId": "template_01h455vb4pex5vsknk084sn02q"},
    /// "parameters": [{"name": "epochs", "value": "10"}, {"name": "image", "value": "python:3.12"}]}
    /// ```
    ///
    /// Fails with BAD_USER_INPUT for each invalid field, NOT_FOUND if the project, the template or the commit does not
    /// exist or you cannot see it, FORBIDDEN if your role does not let you use the queue, QUOTA_EXCEEDED if the job does
    /// not fit into the project's quota, and CONFLICT if `idempotencyKey` was already used with a different input.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn submit_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job to submit.")] input: SubmitJobInput,
    ) -> ApiResult<Option<SubmitJobPayload>> {
        submit(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Cancels a job. Its tasks are stopped, and its phase becomes CANCELLED once they have. A job that has not been
    /// sent to the cluster yet becomes CANCELLED immediately.
    ///
    /// Cancelling a job that is already cancelled, or being cancelled, has no effect and is not an error.
    ///
    /// Fails with NOT_FOUND if the job does not exist or you cannot see it, FORBIDDEN if another user submitted it and
    /// you are not a manager or an admin of its group, CONFLICT if it has already SUCCEEDED or FAILED, and
    /// BAD_USER_INPUT if the reason is too long.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn cancel_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job to cancel.")] input: CancelJobInput,
    ) -> ApiResult<Option<CancelJobPayload>> {
        cancel(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn submit(ctx: &Context<'_>, input: SubmitJobInput) -> Result<SubmitJobPayload, ApiErrors> {
    let submitter = submitter(ctx)?;
    let mut review = submitter.review(&ctx.caller(), input).await?;
    std::mem::take(&mut review.findings).before_quota()?;
    review.findings.skip(&[AdmissionRule::Cluster]);
    let planned = review.planned.as_ref().ok_or_else(|| ApiError::internal("a submit without problems has no plan"))?;
    let id = submitter.submit(planned, ctx.origin()).await?;
    let job = Job::load(ctx, id).await?;
    Ok(SubmitJobPayload { job, preview: review.into() })
}

async fn cancel(ctx: &Context<'_>, input: CancelJobInput) -> Result<CancelJobPayload, ApiErrors> {
    let id = submitter(ctx)?.cancel(&ctx.caller(), input, ctx.origin()).await?;
    Ok(CancelJobPayload { job: Job::load(ctx, id).await? })
}
