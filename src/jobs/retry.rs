//! Runs a job that has ended again, as a new job.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::model::earlier;
use super::preview::submitter;
use super::types::Job;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::change::Key;
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::JobKind;
use crate::trail::OriginExt;

/// Input for `retryJob`.
#[derive(Debug, InputObject)]
pub struct RetryJobInput {
    /// The ID of the job to run again. It must have finished.
    pub id: GivenId<JobKind>,
    /// Any text of 1 to 200 characters. If you repeat a request with the same key, the response of the first request is
    /// returned, so it is safe to repeat a request that got no response.
    pub idempotency_key: Option<String>,
}

/// Result of `retryJob`.
#[derive(Debug, SimpleObject)]
pub struct RetryJobPayload {
    /// The new job.
    pub job: Job,
}

/// The mutation that runs jobs again.
#[derive(Debug, Default)]
pub struct RetryMutation;

#[Object]
impl RetryMutation {
    /// Runs a job that has finished again, as a new job with the same name, tasks, queue, priority and limits. The new job
    /// is yours, whoever submitted the first one, and is checked like any other that you submit: against the quota and the
    /// schedule of the project, your access to the storage claims, and the rules as they are now.
    ///
    /// Fails with BAD_USER_INPUT if the job would no longer be accepted, for example because you have no access to one of its
    /// storage claims, NOT_FOUND if the job does not exist or you cannot see it, FORBIDDEN if you may not use its queue,
    /// CONFLICT if the job has not finished, if its project is archived or rejects jobs outside its schedule, or if
    /// `idempotencyKey` was already used with a different input, and QUOTA_EXCEEDED if the job does not fit into the project's
    /// quota.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn retry_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job to run again.")] input: RetryJobInput,
    ) -> ApiResult<Option<RetryJobPayload>> {
        retry(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn retry(ctx: &Context<'_>, input: RetryJobInput) -> Result<RetryJobPayload, ApiErrors> {
    let (caller, submitter) = (ctx.caller(), submitter(ctx)?);
    // An unauthenticated caller is not told whether the job exists.
    caller.principal()?;
    let key = input.idempotency_key.as_deref().map(|key| Key::of(key, &input)).transpose();
    let (id, key) = both(input.id.at("input.id"), key)?;
    let found = earlier::find(&mut *ctx.db()?.connection().await?, id).await?;
    let earlier = found.ok_or_else(|| ApiError::not_found("job", id).at("input.id"))?;
    let scope = Scope::within(earlier.group, id).in_project(earlier.job.project_id);
    let permit = policy::check(&caller, Action::RetryJob, scope).map_err(|error| error.at("input.id"))?;
    if !earlier.job.phase.is_terminal() {
        let phase = earlier.job.phase.as_str();
        let message = format!("the job is {phase}; only a job that has finished can be retried");
        return Err(ApiError::conflict(message).at("input.id").into());
    }
    let mut review = submitter.review_again(&caller, earlier, permit, key).await.map_err(of_job)?;
    std::mem::take(&mut review.findings).before_quota().map_err(of_job)?;
    let planned = review.planned.as_ref().ok_or_else(|| ApiError::internal("a retry without problems has no plan"))?;
    let id = submitter.submit(planned, ctx.origin()).await.map_err(of_job)?;
    Ok(RetryJobPayload { job: Job::load(ctx, id).await? })
}

/// The problems of a submit, whose fields the input of a retry does not have: they are about the job.
fn of_job(ApiErrors(problems): ApiErrors) -> ApiErrors {
    let key = "input.idempotencyKey";
    let placed = problems.into_iter().map(|problem| match problem.field.as_deref() {
        Some(field) if field != key => problem.at("input.id"),
        _ => problem,
    });
    ApiErrors(placed.collect())
}
