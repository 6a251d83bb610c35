//! Jobs as shown by the API.

mod event;
pub mod filter;
mod of_project;
mod spec;
mod viewer;
mod waits;
mod written;

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SelectionField, SimpleObject};
use chrono::{DateTime, Utc};

use self::filter::{JobHistoryFilter, JobHistoryOrder, span};
use super::event::JobEvent as Happened;
use super::loader::{
    BriefById, JobById, JobObject, JobObjectBytes, JobParameters, JobTaskCount, JobTasks, RetriesOfJob,
};
use super::model::found::Found;
use super::model::manifest::Manifest;
use super::model::task::Task;
use super::model::{Columns, Job as JobRow, Row};
pub use super::phase::JobPhase;
pub use super::quota::QuotaUnderProject;
use super::templates::loader::TemplatesById;
use super::templates::types::JobTemplate;
use crate::configs::types::ConfigCommit;
use crate::error::ApiError;
use crate::executor::ExecutorMode;
use crate::feeds::loader::EventsOf;
use crate::graphql::connection::{Connection, Edge, PageArgs, edge_selects_only, nodes_select_only, selects_only};
use crate::graphql::cursor::Position;
use crate::graphql::edges;
use crate::graphql::limits::AnswerExt;
use crate::graphql::limits::directives::{assumed_list, connection_size, cost};
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::Json;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::{GroupId, Id, JobId, ProjectId};
use crate::projects::model::Project as ProjectRow;
use crate::projects::types::Project;
use crate::users::model::User as UserRow;
use crate::users::types::User;
pub use event::JobEvent;
pub use of_project::{JobsAsked, foresee_jobs_of_project, jobs_of_project};
pub use spec::JobSpec;
pub use waits::JobQueuePosition;

/// A job: one or more tasks, each running in a pod, that are queued, started and finished together.
#[derive(Debug, Clone)]
pub struct Job {
    row: Row,
    /// The group of its project, if it was read with it.
    group: Option<GroupId>,
    /// Its project and submitter, if they were read with it.
    belongs: Option<(Arc<ProjectRow>, Arc<UserRow>)>,
}

impl From<Row> for Job {
    fn from(row: Row) -> Self {
        Self { row, group: None, belongs: None }
    }
}

impl From<(Row, GroupId)> for Job {
    fn from((row, group): (Row, GroupId)) -> Self {
        Self { row, group: Some(group), belongs: None }
    }
}

impl<T> From<Arc<T>> for Job
where
    Row: From<Arc<T>>,
{
    fn from(job: Arc<T>) -> Self {
        Row::from(job).into()
    }
}

impl<T> From<Found<T>> for Job
where
    Row: From<Arc<T>>,
{
    fn from(found: Found<T>) -> Self {
        let group = Some(found.group());
        Self { row: found.job.into(), group, belongs: Some((found.project, found.submitter)) }
    }
}

fn placed<T>(found: Found<T>) -> (Job, GroupId)
where
    Row: From<Arc<T>>,
{
    let group = found.group();
    (found.into(), group)
}

/// The fields of a job that a [`Brief`](super::model::Brief) is enough for.
const BRIEF_FIELDS: &[&str] = &[
    "__typename",
    "id",
    "name",
    "phase",
    "submittedAt",
    "submittedBy",
    "project",
    "events",
    "tasks",
    "manifest",
    "spec",
    "parameters",
    "taskCount",
    "viewerCanCancel",
    "viewerCanRetry",
    "queuePosition",
    "retries",
];

/// The columns that a list of jobs needs.
pub fn columns(list: &SelectionField<'_>) -> Columns {
    match nodes_select_only(list, BRIEF_FIELDS) {
        true => Columns::Brief,
        false => Columns::Whole,
    }
}

impl Job {
    /// The project of the job.
    pub fn project_id(&self) -> ProjectId {
        self.row.project_id()
    }

    /// The job with this id, for an edge from something that the viewer may see.
    ///
    /// # Errors
    /// The read failed, or the job no longer exists.
    pub async fn load(ctx: &Context<'_>, id: JobId) -> Result<Self, ApiError> {
        Ok(Self::with_group(ctx, id).await?.0)
    }

    /// Like [`Job::load`], with the group that decides who may see the job.
    ///
    /// # Errors
    /// The read failed, or the job no longer exists.
    pub async fn with_group(ctx: &Context<'_>, id: JobId) -> Result<(Self, GroupId), ApiError> {
        Self::read(ctx, id, selects_only(&ctx.field(), BRIEF_FIELDS)).await
    }

    /// The edge of the job in a list of jobs in the default order, for an edge from something that the viewer may see.
    ///
    /// # Errors
    /// Those of [`Job::load`].
    async fn edge(ctx: &Context<'_>, id: JobId) -> Result<Edge<Self>, ApiError> {
        let (job, _) = Self::read(ctx, id, edge_selects_only(&ctx.field(), BRIEF_FIELDS)).await?;
        Ok(Edge::of(position(&job.row), job))
    }

    async fn read(ctx: &Context<'_>, id: JobId, brief: bool) -> Result<(Self, GroupId), ApiError> {
        let found = match brief {
            true => ctx.read::<BriefById>(id).await?.map(placed),
            false => ctx.read::<JobById>(id).await?.map(placed),
        };
        found.ok_or_else(|| ApiError::not_found("job", id))
    }

    /// The full job. It was read with the list if the list requested all of it.
    async fn whole(&self, ctx: &Context<'_>) -> Result<Arc<JobRow>, ApiError> {
        match &self.row {
            Row::Whole(job) => Ok(Arc::clone(job)),
            Row::Brief(job) => {
                let found = ctx.read::<JobById>(job.id).await?;
                found.map(|found| found.job).ok_or_else(|| ApiError::not_found("job", job.id))
            }
        }
    }

    /// The object with all its tasks. Its size is known before it is read.
    async fn object(&self, ctx: &Context<'_>) -> Result<Json, ApiError> {
        let id = self.row.id();
        let missing = || ApiError::not_found("job", id);
        let bytes = ctx.read::<JobObjectBytes>(id).await?.ok_or_else(missing)?;
        let room = ctx.take_answer_bytes(bytes.expanded)?;
        let object = ctx.read::<JobObject>(id).await?.ok_or_else(missing)?;
        room.keep();
        let manifest = Manifest::from(object.kept.clone());
        let mut objects = manifest.objects(object.executor).map_err(ApiError::internal)?;
        match objects.pop() {
            Some(only) if objects.is_empty() => Ok(Json::of_text(only)),
            last => {
                objects.extend(last);
                let items = objects.join(",");
                Ok(Json::of_text(format!(r#"{{"apiVersion":"v1","kind":"List","items":[{items}]}}"#)))
            }
        }
    }
}

/// A job: one or more tasks, each running in a pod, that are queued, started and finished together.
#[Object]
impl Job {
    /// The ID of the job: `job_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.row.id().to_text())
    }

    /// The display name of the job. It does not have to be unique.
    async fn name(&self) -> &str {
        self.row.name()
    }

    /// The current phase of the job. SUCCEEDED, FAILED and CANCELLED are final.
    async fn phase(&self) -> JobPhase {
        self.row.phase()
    }

    /// Machine-readable reason for the current phase, such as `Preempted`, `Retrying`, `DeadlineExceeded` or `Deleted`. Null
    /// if there is nothing to explain, as for most running jobs.
    async fn reason(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        self.whole(ctx).await.map(|job| job.reason.clone()).graphql(ctx)
    }

    /// Explanation of `reason`, for logs and details: why the job is in its phase, often in the words of the cluster. Null if
    /// `reason` is null. For a cancelled job, it is the reason that was given to `cancelJob`.
    async fn message(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        self.whole(ctx).await.map(|job| job.message.clone()).graphql(ctx)
    }

    /// What the job is waiting for at the moment, as a sentence for users: missing resources, the jobs ahead of it in the
    /// queue, or what one of its tasks needs. Always given while the job is SUBMITTED or QUEUED. While it is RUNNING, it is
    /// what one of its tasks is still waiting for, or null. Null when the job has finished.
    async fn pending_reason(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        self.waits_for(ctx).await.graphql(ctx)
    }

    /// Where the job stands in its queue while it is SUBMITTED or QUEUED; null as soon as it runs or has finished. Jobs in
    /// queues with a higher priority, which start first, are not counted.
    async fn queue_position(&self, ctx: &Context<'_>) -> ApiResult<Option<JobQueuePosition>> {
        self.position_in_queue(ctx).await.graphql(ctx)
    }

    /// The number of times that the job was preempted, that is, stopped to make room for a job with a higher priority.
    async fn preemptions(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        self.whole(ctx).await.map(|job| job.preemptions).graphql(ctx)
    }

    /// The number of attempts: 1, plus one for each retry after a failure. While a failed job is being restarted, the
    /// new attempt is already counted.
    async fn attempts(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        self.whole(ctx).await.map(|job| job.attempt).graphql(ctx)
    }

    /// The number of remaining retries: `retries` of the spec minus the retries so far. A job that was cancelled,
    /// deleted from the cluster, rejected by the cluster or stopped by its deadline is not retried.
    async fn retries_left(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        self.whole(ctx).await.map(|job| job.retries_left()).graphql(ctx)
    }

    /// The project that the job belongs to.
    async fn project(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Project>> {
        match &self.belongs {
            Some((project, _)) => Ok(AtOnce(Project(Arc::clone(project)))),
            None => Project::load(ctx, self.row.project_id()).await.map(AtOnce).graphql(ctx),
        }
    }

    /// The user who submitted the job.
    async fn submitted_by(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<User>> {
        match &self.belongs {
            Some((_, submitter)) => Ok(AtOnce(User(Arc::clone(submitter)))),
            None => User::load(ctx, self.row.submitted_by()).await.map(AtOnce).graphql(ctx),
        }
    }

    /// The version of the config file that the job was created from; null if it was created from a spec.
    /// It is still returned after the config file was deleted.
    async fn commit(&self, ctx: &Context<'_>) -> ApiResult<Option<ConfigCommit>> {
        match self.whole(ctx).await.graphql(ctx)?.config_commit_id {
            Some(id) => ConfigCommit::load(ctx, id).await.map(Some).graphql(ctx),
            None => Ok(None),
        }
    }

    /// The template that the job was created from; null if it was created from a spec, or if the config file was
    /// deleted.
    async fn template(&self, ctx: &Context<'_>) -> ApiResult<Option<JobTemplate>> {
        match self.whole(ctx).await.graphql(ctx)?.config_commit_id {
            Some(id) => {
                let found = ctx.read::<TemplatesById>(Id::from_uuid(id.uuid())).await.graphql(ctx)?;
                Ok(found.map(JobTemplate::from))
            }
            None => Ok(None),
        }
    }

    /// The queue that the job is submitted to: the name of a ClusterResourceQueue in the cluster.
    async fn queue(&self, ctx: &Context<'_>) -> ApiResult<String> {
        self.whole(ctx).await.map(|job| job.queue.clone()).graphql(ctx)
    }

    /// The priority of the job among the jobs of its project: a higher value is sent to the cluster first.
    async fn priority(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        self.whole(ctx).await.map(|job| job.priority).graphql(ctx)
    }

    /// How the job is run in the cluster.
    async fn executor(&self, ctx: &Context<'_>) -> ApiResult<ExecutorMode> {
        self.whole(ctx).await.map(|job| job.executor).graphql(ctx)
    }

    /// When the job was submitted.
    async fn submitted_at(&self) -> DateTime<Utc> {
        self.row.submitted_at()
    }

    /// When the first task of the job started; null until then.
    async fn started_at(&self, ctx: &Context<'_>) -> ApiResult<Option<DateTime<Utc>>> {
        self.whole(ctx).await.map(|job| job.started_at).graphql(ctx)
    }

    /// When the job reached SUCCEEDED, FAILED or CANCELLED; null until then.
    async fn finished_at(&self, ctx: &Context<'_>) -> ApiResult<Option<DateTime<Utc>>> {
        self.whole(ctx).await.map(|job| job.finished_at).graphql(ctx)
    }

    /// When cancellation was requested; null if it was not requested.
    async fn cancel_requested_at(&self, ctx: &Context<'_>) -> ApiResult<Option<DateTime<Utc>>> {
        self.whole(ctx).await.map(|job| job.cancel_requested_at).graphql(ctx)
    }

    /// The reason that was given to `cancelJob`, if any.
    async fn cancel_reason(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        self.whole(ctx).await.map(|job| job.cancel_reason.clone()).graphql(ctx)
    }

    /// Whether you can cancel the job: it has not finished, and you submitted it or are a manager or an admin of its
    /// group.
    async fn viewer_can_cancel(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        self.can_be_cancelled(ctx).await.graphql(ctx)
    }

    /// Whether you can run the job again with `retryJob`: it has finished, and you are a member of its project's group.
    async fn viewer_can_retry(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        self.can_be_retried(ctx).await.graphql(ctx)
    }

    /// The job that this job was made from with `retryJob`; null if it was submitted otherwise.
    async fn retried_from(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Self>>> {
        match self.whole(ctx).await.graphql(ctx)?.retried_from {
            Some(id) => Self::load(ctx, id).await.map(AtOnce).map(Some).graphql(ctx),
            None => Ok(None),
        }
    }

    /// The jobs that were made from this job with `retryJob`, oldest first. Each of them has its own retries.
    #[graphql(directive = connection_size::apply())]
    async fn retries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the jobs that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the jobs that come before this cursor.")] before: Option<String>,
    ) -> ApiResult<Connection<Self>> {
        let args = PageArgs { first, after, last, before };
        edges::list::<RetriesOfJob, _>(ctx, self.row.id(), (), args).await.graphql(ctx)
    }

    /// What the job runs: image, command, environment, resources, and how many tasks. Submit a job with it as
    /// `source.spec` to run it again, if `isComplete` is true.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn spec(&self, ctx: &Context<'_>) -> ApiResult<JobSpec> {
        self.read_spec(ctx).await.graphql(ctx)
    }

    /// The values of the parameters that the template of the job declares, ordered by name, including defaults. Empty if
    /// the job was created from a spec, or if the template has no parameters.
    #[graphql(directive = assumed_list::apply(5))]
    async fn parameters(&self, ctx: &Context<'_>) -> ApiResult<Vec<JobParameter>> {
        let values = ctx.read::<JobParameters>(self.row.id()).await.graphql(ctx)?;
        let values = values.iter().flat_map(|values| values.iter());
        Ok(values.map(|(name, value)| JobParameter { name: name.clone(), value: value.clone() }).collect())
    }

    /// The number of tasks of the job, including those that the cluster has not reported yet.
    async fn task_count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        let count = ctx.read::<JobTaskCount>(self.row.id()).await.graphql(ctx)?;
        Ok(count.unwrap_or(0))
    }

    /// The tasks that the cluster has reported so far, each running in its own pod.
    #[graphql(directive = assumed_list::apply(10))]
    async fn tasks(&self, ctx: &Context<'_>) -> ApiResult<Vec<Task>> {
        let tasks = ctx.read::<JobTasks>(self.row.id()).await.graphql(ctx)?;
        Ok(tasks.map(|tasks| tasks.to_vec()).unwrap_or_default())
    }

    /// The history of the job, oldest event first by default. It is kept as long as the job; once the events are so old that
    /// subscriptions can no longer resume from them, only the latest 1000.
    ///
    /// The cursors of the edges are for this list only. To follow what happens next, subscribe to `jobEvents` after the
    /// `cursor` of an event, or after `eventCursor`.
    #[allow(clippy::too_many_arguments, reason = "a connection has four arguments before its own")]
    #[graphql(directive = connection_size::apply())]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns the first _n_ items of the list: 0 to 100, 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the events that come after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last _n_ items of the list: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Returns the events that come before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which events to return; all of the job by default.")] filter: Option<JobHistoryFilter>,
        #[graphql(desc = "The order of the list; oldest first by default.")] order_by: Option<JobHistoryOrder>,
    ) -> ApiResult<Connection<JobEvent>> {
        let (args, span) = (PageArgs { first, after, last, before }, span(filter, order_by).graphql(ctx)?);
        edges::list::<EventsOf<Happened>, _>(ctx, self.row.id(), span, args).await.graphql(ctx)
    }

    /// The Kubernetes object exactly as it is sent to the cluster, including all tasks: up to 1.5 MB. For a LOCAL job
    /// whose tasks differ, a List of the Jobs that it is sent as, one for each group of equal tasks. A response is
    /// limited to 8 MiB by default; an operation that would exceed the limit fails with QUERY_TOO_COMPLEX before the
    /// object is read.
    #[graphql(directive = cost::apply("100".to_owned()))]
    async fn manifest(&self, ctx: &Context<'_>) -> ApiResult<Json> {
        self.object(ctx).await.graphql(ctx)
    }
}

/// A parameter of a template, with the value that a job was created with.
#[derive(Debug, SimpleObject)]
pub struct JobParameter {
    /// The name of the parameter.
    name: String,
    /// The value as text.
    value: String,
}

/// The position of a job in a list.
pub fn position(job: &Row) -> Position {
    Position::at(job.submitted_at(), job.id().uuid())
}
