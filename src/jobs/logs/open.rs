//! Opens a log: checks the client's arguments against the job and the client's rights.

use std::sync::Arc;

use async_graphql::Context;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::types::LogChunk;
use super::{Chunk, Place, Request, Stages, Tails, follow};
use crate::auth::policy::{self, Action};
use crate::cluster::Cluster;
use crate::error::{ApiError, ApiErrors, Problems};
use crate::feeds::parts::{self, part};
use crate::feeds::{Audience, Channel};
use crate::graphql::ApiResult;
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::FeedCursor;
use crate::ids::JobKind;
use crate::jobs::event::JobEvent;
use crate::jobs::loader::JobObject;
use crate::jobs::model::log::stages;
use crate::jobs::model::manifest::Manifest;
use crate::jobs::query;

/// Maximum for `tailLines`.
const MAX_TAIL: i32 = 10_000;

/// The arguments of a client.
pub struct Asked<'a> {
    /// The job.
    pub job: &'a GivenId<JobKind>,
    /// The index of its task.
    pub task: i32,
    /// The container; all if `None`.
    pub container: Option<String>,
    /// The number of existing lines to start with.
    pub tail_lines: Option<i32>,
    /// The cursor of the last chunk it received.
    pub after: Option<FeedCursor>,
}

/// The resolver of a log. Like that of a feed it runs for each subscriber, and for the executions that they share.
///
/// # Errors
/// `NOT_FOUND` for a job that the client may not see, or `BAD_USER_INPUT` for each invalid argument.
pub async fn open(ctx: &Context<'_>, asked: Asked<'_>) -> Result<BoxStream<'static, ApiResult<LogChunk>>, ApiErrors> {
    let Asked { job, task, container, tail_lines, after } = asked;
    if let Some(told) = parts::executed(ctx, |chunk: Arc<Chunk>| (chunk.place.cursor(), LogChunk::from(&*chunk)))? {
        return Ok(told);
    }
    let rights = parts::rights(ctx).await?;
    let id = job.at("jobId")?;
    let scope = query::scope_of(ctx, id).await.map_err(|error| error.at("jobId"))?;
    policy::check(rights.caller(), Action::ViewJob, scope).map_err(|error| error.at("jobId"))?;
    let object = ctx.read::<JobObject>(id).await?.ok_or_else(|| ApiError::not_found("job", id).at("jobId"))?;

    let mut problems = Problems::default();
    let manifest = Manifest::from(object.kept.clone());
    let last = manifest.task_count().saturating_sub(1);
    let all = stages(&manifest, task);
    if all.is_none() {
        let message = format!("task was {task}; it must be between 0 and {last}");
        problems.push(ApiError::bad_input("task", message));
    }
    let wanted = all.as_ref().and_then(|all| container.as_deref().map_or_else(|| Some(all.clone()), |it| all.only(it)));
    if let (Some(all), None) = (&all, &wanted) {
        let names = all.names().collect::<Vec<_>>().join(", ");
        let message = format!("task {task} has no container {:?}; it has: {names}", container.unwrap_or_default());
        problems.push(ApiError::bad_input("container", message));
    }
    if let Some(lines) = tail_lines.filter(|lines| !(0..=MAX_TAIL).contains(lines)) {
        let message = format!("tailLines was {lines}; it must be between 0 and {MAX_TAIL}");
        problems.push(ApiError::bad_input("tailLines", message));
    }
    let after = parts::resumed(ctx, after).map(|cursor| Place::from_cursor(&cursor, id, task)).transpose();
    let after = problems.take(after).flatten();
    problems.finish()?;

    // A client that requests only the last lines would otherwise get all of them after the beginning of the log.
    if after.is_some() || tail_lines.is_none() {
        parts::begins_after(ctx, after.clone().unwrap_or_else(|| Place::start(id, task)).cursor());
    }
    let request = Request {
        db: ctx.db()?.clone(),
        line: part::<Channel<JobEvent>>(ctx)?.line().clone(),
        cluster: part::<Cluster>(ctx)?.clone(),
        tails: part::<Tails>(ctx)?.clone(),
        rights,
        scope,
        namespace: object.namespace.clone(),
        stages: wanted.unwrap_or_else(|| Stages::of_one("")),
        tail: tail_lines.filter(|_| after.is_none()).and_then(|lines| usize::try_from(lines).ok()),
        place: after.unwrap_or_else(|| Place::start(id, task)),
    };
    parts::leave(ctx, follow(request).boxed(), part::<Audience<Chunk>>(ctx)?.clone())?;
    Ok(stream::empty().boxed())
}
