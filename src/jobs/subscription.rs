//! Watching jobs live, and reading what they write.

use std::sync::Arc;

use async_graphql::{Context, Subscription};
use async_stream::stream;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::feed::{JobEventFilter, View};
use super::loader::{BriefById, JobObject};
use super::logs::types::LogChunk;
use super::logs::{self, Place, Stages, Tails};
use super::model::log::stages;
use super::model::manifest::Manifest;
use super::query;
use super::types::JobEvent;
use crate::auth::Authenticator;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::Caller;
use crate::auth::rights::Rights;
use crate::cluster::Cluster;
use crate::error::{ApiError, ApiErrors, Problems};
use crate::events::model::JobEvent as Row;
use crate::events::{Bus, Seq, resume};
use crate::graphql::context::{LastCursor, RequestExt, ResumeAfter};
use crate::graphql::feed::{Item, Part};
use crate::graphql::limits::AnswerBytes;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::Cursor;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::JobId;
use crate::projects::loader::ProjectsById;

/// The last lines of a log that can be asked for.
const MAX_TAIL: i32 = 10_000;

/// The jobs part of the subscription root.
#[derive(Debug, Default)]
pub struct JobSubscription;

#[Subscription]
impl JobSubscription {
    /// What happens to the jobs you can see, as it happens, each event once and in order.
    ///
    /// Without `after` it begins now. With the cursor of the last event you got it first tells everything since, so a
    /// dropped connection loses nothing. With that of `eventCursor` it tells everything since that query. RESUME_EXPIRED:
    /// the log no longer reaches back to the cursor, or was restored to a state before it: query anew. SLOW_CONSUMER: you
    /// fell behind; resume after the cursor in the error.
    ///
    /// Your rights are looked at again whenever they change: you are told no more of a group that you have left, and the
    /// subscription ends with NOT_FOUND when you may no longer see a project, group or job that the filter names.
    async fn job_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events; all that you can see when left out.")] filter: Option<JobEventFilter>,
        #[graphql(desc = "The cursor of the last event you got.")] after: Option<Cursor>,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<JobEvent>> + use<>> {
        job_events(ctx, filter.unwrap_or_default(), after).await.graphql(ctx)
    }

    /// What a task of a job writes, as it writes it, each line once and in order.
    ///
    /// Of a task with several containers all are read: init containers one after the other, then the others together, each
    /// line as it comes; `container` reads one alone. Of a container that was started again the run before is told first, as
    /// far as the cluster keeps it; the end INCOMPLETE says that lines are missing.
    /// A container that is not in the job's manifest, as a webhook of the cluster may add one, is not read.
    ///
    /// It waits for a task that has not begun, goes on with the next pod when the task is stopped and started anew, and
    /// completes after a last chunk that says how the log ended. With the cursor of the last chunk you got it goes on
    /// behind that chunk. If you read slowly, the log waits for you; no other subscription does.
    ///
    /// Lines are told in the order in which they were written, whatever their times. In a log of more than 5000 lines a
    /// cursor reaches back one minute before the newest time, less where very much is written: a line that comes after the
    /// cursor with a time further back, as when the clock of a node is set back, is told to who follows and not to who resumes.
    ///
    /// CLUSTER_UNAVAILABLE: the cluster does not answer; resume after the cursor in the error. NOT_FOUND ends it when
    /// you may no longer see the job.
    async fn job_logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] job_id: JobId,
        #[graphql(desc = "Which of its tasks, by its place among them: the first (0) when left out.")] task: Option<
            i32,
        >,
        #[graphql(desc = "Which of the task's containers, by its name: all when left out.")] container: Option<String>,
        #[graphql(
            desc = "With how many of the lines that are there, of each container, to begin: 0 to 10000, all when left out. Of no \
                    effect beside `after`."
        )]
        tail_lines: Option<i32>,
        #[graphql(desc = "The cursor of the last chunk you got.")] after: Option<Cursor>,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<LogChunk>> + use<>> {
        let what = Which { job: job_id, task: task.unwrap_or(0), container };
        job_logs(ctx, what, tail_lines, after).await.graphql(ctx)
    }
}

fn part<'c, T: Send + Sync + 'static>(ctx: &Context<'c>) -> Result<&'c T, ApiError> {
    let missing = || ApiError::internal(format!("the request carries no {}", std::any::type_name::<T>()));
    ctx.data_opt::<T>().ok_or_else(missing)
}

/// The cursor to resume after: the argument, or what the transport says.
fn resumed(ctx: &Context<'_>, after: Option<Cursor>) -> Option<String> {
    after.map(|Cursor(text)| text).or_else(|| ctx.data_opt::<ResumeAfter>().map(|after| after.0.to_string()))
}

/// Tells the transport where the feed begins, so that a client that is cut off before its first event can resume there.
fn begins_after(ctx: &Context<'_>, cursor: Option<String>) {
    if let (Some(cursor), Some(last)) = (cursor, ctx.data_opt::<Arc<LastCursor>>()) {
        last.set(cursor);
    }
}

async fn rights(ctx: &Context<'_>) -> Result<Rights, ApiError> {
    let caller = ctx.caller();
    caller.principal()?;
    Rights::of(part::<Authenticator>(ctx)?, caller).await
}

/// Both feeds are told by executions that their subscribers share: here one is announced, or its events are executed.
async fn job_events(
    ctx: &Context<'_>,
    filter: JobEventFilter,
    after: Option<Cursor>,
) -> Result<BoxStream<'static, ApiResult<JobEvent>>, ApiError> {
    let asked = part::<Arc<Part<Caller>>>(ctx)?;
    match asked.items() {
        Some(items) => {
            let tell = |event: Arc<Row>| (Seq(event.seq).cursor(), JobEvent(event));
            executed(ctx, items, tell)
        }
        None => {
            asked.leave(announced(ctx, filter, after).await?.boxed());
            Ok(stream::empty().boxed())
        }
    }
}

/// Events as the execution that they are given to yields them, each for its reader. `tell` gives an event's cursor, and
/// what the client is told.
fn executed<E: Send + Sync + 'static, T: Send + 'static>(
    ctx: &Context<'_>,
    mut items: mpsc::Receiver<Item<Caller>>,
    tell: impl Fn(Arc<E>) -> (String, T) + Send + 'static,
) -> Result<BoxStream<'static, ApiResult<T>>, ApiError> {
    let (acting, loaders, last) = (ctx.acting(), ctx.loaders()?, ctx.data_opt::<Arc<LastCursor>>().cloned());
    let answer = ctx.data_opt::<AnswerBytes>().cloned().unwrap_or_default();
    let events = stream! {
        while let Some(Item { event, reader, .. }) = items.recv().await {
            let Ok(event) = event.downcast::<E>() else { continue };
            acting.switch(reader);
            // What was loaded for the event before may be older than this one.
            loaders.forget();
            answer.begin();
            let (cursor, told) = tell(event);
            if let Some(last) = &last {
                last.set(cursor);
            }
            yield Ok(told);
        }
    };
    Ok(events.boxed())
}

/// The events that the subscriber is told.
async fn announced(
    ctx: &Context<'_>,
    mut filter: JobEventFilter,
    after: Option<Cursor>,
) -> Result<impl Stream<Item = Result<Item<Caller>, ApiError>> + use<>, ApiError> {
    let mut rights = rights(ctx).await?;
    let viewer = rights.caller().principal()?.user;
    let named = named(ctx, &mut filter).await?;
    let visible = admitted(rights.caller(), &named)?;
    let mut view = View { viewer, visible, filter };
    let after = resumed(ctx, after).as_deref().map(Seq::from_cursor).transpose()?;
    let (db, bus) = (ctx.db()?.clone(), part::<Bus>(ctx)?.clone());
    let mut topics = view.topics();
    let live = bus.join(&topics);
    let mut last = after.or(live.since());
    begins_after(ctx, last.map(Seq::cursor));
    Ok(stream! {
        let mut events = Box::pin(resume::follow_from(db.clone(), bus.clone(), topics.clone(), live, after));
        loop {
            let event = tokio::select! {
                biased;
                () = rights.may_have_changed() => None,
                event = events.next() => Some(event),
            };
            match event {
                None => match Box::pin(rights.look()).await.and_then(|()| admitted(rights.caller(), &named)) {
                    Ok(visible) => {
                        view.visible = visible;
                        if topics != view.topics() {
                            // Other groups' events are wanted now. What was on its way is read from the log.
                            topics = view.topics();
                            let live = bus.join(&topics);
                            events = Box::pin(resume::follow_from(db.clone(), bus.clone(), topics.clone(), live, last));
                        }
                    }
                    Err(error) => {
                        yield Err(error);
                        return;
                    }
                },
                Some(None) => return,
                Some(Some(Err(error))) => yield Err(error),
                Some(Some(Ok(event))) if view.shows(&event) => {
                    last = Some(Seq(event.seq));
                    yield Ok(Item { number: event.seq, event, reader: rights.caller().clone() });
                }
                Some(Some(Ok(_))) => {}
            }
        }
    })
}

/// What a subscriber must be allowed to see of what the filter names, and where in it that stands. Asking for what one
/// cannot see is an error, not an eternal silence.
async fn named(
    ctx: &Context<'_>,
    filter: &mut JobEventFilter,
) -> Result<Box<[(Action, Scope, &'static str)]>, ApiError> {
    let mut named = Vec::new();
    if let Some(project) = filter.project_id {
        let not_found = || ApiError::not_found("project", project).at("filter.projectId");
        let found = ctx.read::<ProjectsById>(project).await?.ok_or_else(not_found)?;
        named.push((Action::ViewProject, Scope::within(found.group_id, project), "filter.projectId"));
    }
    if let Some(group) = filter.group_id {
        named.push((Action::ViewGroup, Scope::group(group), "filter.groupId"));
    }
    let jobs = filter.distinct_job_ids()?;
    // All are read with the first.
    for job in jobs {
        ctx.foresee::<BriefById>(*job)?;
    }
    for job in jobs {
        let group = query::group_of(ctx, *job).await.map_err(|error| error.at("filter.jobIds"))?;
        named.push((Action::ViewJob, Scope::within(group, *job), "filter.jobIds"));
    }
    Ok(named.into())
}

/// What the subscriber sees, if that is all that the filter names.
fn admitted(caller: &Caller, named: &[(Action, Scope, &'static str)]) -> Result<policy::Visible, ApiError> {
    for (action, scope, field) in named {
        policy::check(caller, *action, *scope).map_err(|error| error.at(*field))?;
    }
    policy::visible(caller)
}

/// Whose log.
struct Which {
    job: JobId,
    task: i32,
    container: Option<String>,
}

async fn job_logs(
    ctx: &Context<'_>,
    Which { job: id, task, container }: Which,
    tail_lines: Option<i32>,
    after: Option<Cursor>,
) -> Result<BoxStream<'static, ApiResult<LogChunk>>, ApiErrors> {
    let asked = part::<Arc<Part<Caller>>>(ctx)?;
    if let Some(items) = asked.items() {
        return Ok(executed(ctx, items, |chunk: Arc<logs::Chunk>| (chunk.place.cursor(), LogChunk::from(&*chunk)))?);
    }
    let rights = rights(ctx).await?;
    let group = query::group_of(ctx, id).await.map_err(|error| error.at("jobId"))?;
    let scope = Scope::within(group, id);
    policy::check(rights.caller(), Action::ViewJob, scope).map_err(|error| error.at("jobId"))?;
    let object = ctx.read::<JobObject>(id).await?.ok_or_else(|| ApiError::not_found("job", id).at("jobId"))?;

    let mut problems = Problems::default();
    let manifest = Manifest::from(object.kept.clone());
    let last = manifest.task_count().saturating_sub(1);
    let all = stages(&manifest, task);
    if all.is_none() {
        let message = format!("task was {task}; it may be 0 to {last}");
        problems.push(ApiError::bad_input("task", message));
    }
    let wanted = all.as_ref().and_then(|all| container.as_deref().map_or_else(|| Some(all.clone()), |it| all.only(it)));
    if let (Some(all), None) = (&all, &wanted) {
        let names = all.names().collect::<Vec<_>>().join(", ");
        let message = format!("task {task} has no container {:?}; it has: {names}", container.unwrap_or_default());
        problems.push(ApiError::bad_input("container", message));
    }
    if let Some(lines) = tail_lines.filter(|lines| !(0..=MAX_TAIL).contains(lines)) {
        let message = format!("tailLines was {lines}; it may be 0 to {MAX_TAIL}");
        problems.push(ApiError::bad_input("tailLines", message));
    }
    let after = resumed(ctx, after).map(|cursor| Place::from_cursor(&cursor, id, task)).transpose();
    let after = problems.take(after).flatten();
    problems.finish()?;

    // Who asks for the last lines only would get all of them after the log's beginning.
    if after.is_some() || tail_lines.is_none() {
        begins_after(ctx, Some(after.clone().unwrap_or_else(|| Place::start(id, task)).cursor()));
    }
    let request = logs::Request {
        db: ctx.db()?.clone(),
        bus: part::<Bus>(ctx)?.clone(),
        cluster: part::<Cluster>(ctx)?.clone(),
        tails: part::<Tails>(ctx)?.clone(),
        rights,
        scope,
        namespace: object.namespace.clone(),
        stages: wanted.unwrap_or_else(|| Stages::of_one("")),
        tail: tail_lines.filter(|_| after.is_none()).and_then(|lines| usize::try_from(lines).ok()),
        place: after.unwrap_or_else(|| Place::start(id, task)),
    };
    asked.leave(logs::follow(request).boxed());
    Ok(stream::empty().boxed())
}
