//! The priority of a job among those that have not been sent to the cluster.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use serde_json::json;

use super::event::{JobEvent, Particulars, about};
use super::model::{self, submit};
use super::phase::{JobEventKind, JobPhase};
use super::types::Job;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::JobKind;

const MAX_PRIORITY: i32 = 1000;

/// Input for `setJobPriority`.
#[derive(Debug, InputObject)]
pub struct SetJobPriorityInput {
    /// The ID of the job. It must still be SUBMITTED.
    pub id: GivenId<JobKind>,
    /// The new priority: 0 to 1000, as in `submitJob`. Jobs with a higher value are sent to the cluster first.
    pub priority: i32,
}

/// Result of `setJobPriority`.
#[derive(Debug, SimpleObject)]
pub struct SetJobPriorityPayload {
    /// The job.
    pub job: Job,
}

/// The mutation that sets the priority of jobs.
#[derive(Debug, Default)]
pub struct PriorityMutation;

#[Object]
impl PriorityMutation {
    /// Sets the priority of a job that has not been sent to the cluster yet, for example because its queue is paused or the
    /// schedule of its project is closed. Setting the priority that the job already has is not an error.
    ///
    /// Fails with NOT_FOUND if the job does not exist or you cannot see it, FORBIDDEN if another user submitted it and
    /// you are not a manager or an admin of its group, CONFLICT if it has been sent to the cluster or is being cancelled, and
    /// BAD_USER_INPUT if the priority is not between 0 and 1000.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn set_job_priority(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job and its new priority.")] input: SetJobPriorityInput,
    ) -> ApiResult<Option<SetJobPriorityPayload>> {
        set(ctx, input).await.map(Some).graphql(ctx)
    }
}

/// A priority that a job can have.
///
/// # Errors
/// `BAD_USER_INPUT` with the bounds.
pub(super) fn check(priority: i32) -> Result<i32, ApiError> {
    if (0..=MAX_PRIORITY).contains(&priority) {
        return Ok(priority);
    }
    let message = format!("priority was {priority}; it must be between 0 and {MAX_PRIORITY}");
    Err(ApiError::bad_input("input.priority", message))
}

async fn set(ctx: &Context<'_>, input: SetJobPriorityInput) -> Result<SetJobPriorityPayload, ApiErrors> {
    // An unauthenticated caller is not told whether the job exists.
    ctx.caller().principal()?;
    let (id, priority) = both(input.id.at("input.id"), check(input.priority))?;
    let found = model::find(&mut *ctx.db()?.connection().await?, id).await?;
    let (job, group) = found.ok_or_else(|| ApiError::not_found("job", id).at("input.id"))?;
    let scope = Scope::within(group, id).in_project(job.project_id).by(job.submitted_by);
    let change = ctx.change(Action::SetJobPriority, scope).map_err(|error| error.at("input.id"))?;
    change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("job", id).at("input.id");
            let job = model::lock(writes.conn(), id).await?.ok_or_else(not_found)?;
            if job.priority == priority {
                return Ok(Done::nothing());
            }
            if job.phase != JobPhase::Submitted || job.cancel_requested_at.is_some() {
                let state = match job.cancel_requested_at {
                    Some(_) if !job.phase.is_terminal() => "being cancelled",
                    _ => job.phase.as_str(),
                };
                let message = format!("the job is {state}; only the priority of a SUBMITTED job can be set");
                return Err(ApiError::conflict(message).at("input.id").into());
            }
            submit::set_priority(writes, id, priority).await?;
            let event = JobEvent {
                kind: JobEventKind::PriorityChanged,
                phase: job.phase,
                previous_phase: None,
                reason: None,
                message: None,
                job: None,
            };
            let file = model::config_file(writes.conn(), job.config_commit_id).await?;
            let event = event.about(&Particulars::of(&job.name, &job.queue, file, job.submitted_at), None);
            writes.tell(about(id, job.project_id, group, job.submitted_by), &event)?;
            let changed = Changed::default().field("priority", &job.priority, &priority);
            Ok(Done::to(id, json!({ "priority": priority })).changed(changed).in_project(job.project_id))
        })
        .await?;
    Ok(SetJobPriorityPayload { job: Job::load(ctx, id).await? })
}
