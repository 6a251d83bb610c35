//! Pausing and resuming queues.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use serde_json::json;

use super::model;
use super::query::{find, not_found};
use super::types::Queue;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, Scope};
use crate::change::{ChangeExt, Changed, Done};
use crate::error::{ApiError, ApiErrors, both};
use crate::executor::Wake;
use crate::graphql::limits::directives::cost;
use crate::graphql::names;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::jobs::model::submit;

/// The maximum length of a note in characters.
const MAX_NOTE: usize = 500;

/// Input for `pauseQueue`.
#[derive(Debug, InputObject)]
pub struct PauseQueueInput {
    /// The name of the queue.
    pub name: String,
    /// Why the queue is paused and for how long, for everybody whose jobs wait in it: 1 to 500 characters.
    pub note: String,
}

/// Input for `resumeQueue`.
#[derive(Debug, InputObject)]
pub struct ResumeQueueInput {
    /// The name of the queue.
    pub name: String,
}

/// Result of `pauseQueue`.
#[derive(Debug, SimpleObject)]
pub struct PauseQueuePayload {
    /// The queue.
    pub queue: Queue,
}

/// Result of `resumeQueue`.
#[derive(Debug, SimpleObject)]
pub struct ResumeQueuePayload {
    /// The queue; null if the cluster no longer has it.
    pub queue: Option<Queue>,
}

/// The mutations of queues.
#[derive(Debug, Default)]
pub struct QueueMutation;

#[Object]
impl QueueMutation {
    /// Pauses a queue: its jobs are no longer sent to the cluster. Jobs that are submitted to it, and those that have not
    /// been sent yet, stay SUBMITTED with the reason `QueuePaused` until `resumeQueue`. Jobs that are already in the
    /// cluster continue, including their retries.
    ///
    /// If the queue is already paused, only the note changes. With the same note, nothing changes.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, NOT_FOUND if the cluster has no such queue, and
    /// BAD_USER_INPUT if the note is empty or too long.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn pause_queue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The queue to pause, and why.")] input: PauseQueueInput,
    ) -> ApiResult<Option<PauseQueuePayload>> {
        pause(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Resumes a queue that is paused: the jobs that wait for it are sent to the cluster at once. Resuming a queue that is
    /// not paused has no effect and is not an error.
    ///
    /// Fails with FORBIDDEN if you are not a platform admin, and with NOT_FOUND if the cluster has no such queue and none
    /// of this name is paused.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn resume_queue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The queue to resume.")] input: ResumeQueueInput,
    ) -> ApiResult<Option<ResumeQueuePayload>> {
        resume(ctx, input).await.map(Some).graphql(ctx)
    }
}

fn note(text: String) -> Result<String, ApiError> {
    let note = names::prose(text.trim().to_owned(), MAX_NOTE, "input.note")?;
    if note.is_empty() {
        let message = format!("the note is empty; it must have 1 to {MAX_NOTE} characters");
        return Err(ApiError::bad_input("input.note", message));
    }
    Ok(note)
}

async fn pause(ctx: &Context<'_>, input: PauseQueueInput) -> Result<PauseQueuePayload, ApiErrors> {
    let by = ctx.caller().principal()?.user;
    let change = ctx.change(Action::PauseQueue, Scope::PLATFORM)?;
    let queue = find(ctx, &input.name)?.ok_or_else(|| not_found(&input.name).at("input.name"));
    let (queue, note) = both(queue, note(input.note))?;
    change
        .commit(async |writes| {
            let before = model::set_pause(writes, &queue.name, &note, by).await?;
            if before.as_ref() == Some(&note) {
                return Ok(Done::nothing());
            }
            // Those that wait already say why in the new words.
            submit::release_queue(writes, &queue.name).await?;
            let changed = Changed::default().field("pauseNote", &before.as_ref(), &Some(&note));
            Ok(Done::to_platform(json!({ "queue": queue.name, "note": note })).changed(changed))
        })
        .await?;
    wake(ctx);
    Ok(PauseQueuePayload { queue })
}

async fn resume(ctx: &Context<'_>, input: ResumeQueueInput) -> Result<ResumeQueuePayload, ApiErrors> {
    ctx.caller().principal()?;
    let change = ctx.change(Action::ResumeQueue, Scope::PLATFORM)?;
    let queue = find(ctx, &input.name)?;
    let is_known = queue.is_some();
    // No queue has such a name, and the database no such text.
    if input.name.contains('\0') {
        return Err(not_found(&input.name).at("input.name").into());
    }
    change
        .commit(async |writes| {
            let Some(ended) = model::end_pause(writes, &input.name).await? else {
                return match is_known {
                    true => Ok(Done::nothing()),
                    false => Err(not_found(&input.name).at("input.name").into()),
                };
            };
            submit::release_queue(writes, &input.name).await?;
            let changed = Changed::default().field("pauseNote", &Some(ended.note), &None::<String>);
            Ok(Done::to_platform(json!({ "queue": input.name })).changed(changed))
        })
        .await?;
    wake(ctx);
    Ok(ResumeQueuePayload { queue })
}

/// The jobs that were made due are looked at now.
fn wake(ctx: &Context<'_>) {
    if let Some(wake) = ctx.data_opt::<Wake>() {
        wake.now();
    }
}
