//! Loaders for the edges to and from jobs: one statement for all that a level of a query requests.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt;

use crate::auth::policy::Visible;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::jobs;
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::loader::ListedRow;
use crate::graphql::edges::{ListEdge, Order};
use crate::graphql::keyset::{Condition, OrderDirection};
use crate::ids::{GroupId, JobId, JobKind, ProjectId, ProjectKind};
use crate::jobs::model::found::{self, Found};
use crate::jobs::model::list::{self, Ahead, Selection};
use crate::jobs::model::observed::Tasks;
use crate::jobs::model::quota::{self, OfPerson, Usage};
use crate::jobs::model::spec;
use crate::jobs::model::task::Task;
use crate::jobs::model::{self, Brief, Columns, Job, ObjectBytes, Row};

/// The full job with an id, with its project and its submitter.
pub enum JobById {}

impl Read for JobById {
    type Key = JobId;
    type Value = Found<Job>;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, Found<Job>>, ApiError> {
        let jobs = found::whole(&mut *lane.lookup().await?, &keys).await?;
        Ok(jobs.into_iter().map(|found| (found.job.id, found)).collect())
    }
}

/// Like [`JobById`], with only the most requested columns.
pub enum BriefById {}

impl Read for BriefById {
    type Key = JobId;
    type Value = Found<Brief>;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, Found<Brief>>, ApiError> {
        let jobs = found::brief(&mut *lane.lookup().await?, &keys).await?;
        Ok(jobs.into_iter().map(|found| (found.job.id, found)).collect())
    }
}

/// The objects of jobs, which are large and rarely requested.
pub enum JobObject {}

impl Read for JobObject {
    type Key = JobId;
    type Value = Arc<model::Object>;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, Arc<model::Object>>, ApiError> {
        let objects = model::objects(&mut *lane.lookup().await?, &keys).await?;
        Ok(objects.into_iter().map(|object| (object.id, Arc::new(object))).collect())
    }
}

/// The sizes of a job's object, read before the object itself.
pub enum JobObjectBytes {}

impl Read for JobObjectBytes {
    type Key = JobId;
    type Value = ObjectBytes;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, ObjectBytes>, ApiError> {
        Ok(model::object_bytes(&mut *lane.lookup().await?, &keys).await?.into_iter().collect())
    }
}

/// What the spec of a job is read back from.
pub enum JobSpecs {}

impl Read for JobSpecs {
    type Key = JobId;
    type Value = Arc<spec::Kept>;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, Arc<spec::Kept>>, ApiError> {
        let kept = spec::kept(&mut *lane.lookup().await?, &keys).await?;
        Ok(kept.into_iter().map(|kept| (kept.id, Arc::new(kept))).collect())
    }
}

/// The values of the parameters that a job was made with, ordered by name.
pub enum JobParameters {}

impl Read for JobParameters {
    type Key = JobId;
    type Value = Arc<BTreeMap<String, String>>;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, Self::Value>, ApiError> {
        let found = spec::parameters(&mut *lane.lookup().await?, &keys).await?;
        let found = found.into_iter().filter_map(|(job, values)| Some((job, serde_json::from_value(values?))));
        found.map(|(job, values)| Ok((job, Arc::new(values.map_err(ApiError::internal)?)))).collect()
    }
}

/// The number of a job's tasks.
pub enum JobTaskCount {}

impl Read for JobTaskCount {
    type Key = JobId;
    type Value = i32;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, i32>, ApiError> {
        let counts = model::task_counts(&mut *lane.lookup().await?, &keys).await?;
        Ok(counts.into_iter().map(|(job, count)| (job, i32::try_from(count).unwrap_or(i32::MAX))).collect())
    }
}

/// The states of a job's tasks, as reported by the cluster.
pub enum JobTasks {}

impl Read for JobTasks {
    type Key = JobId;
    type Value = Arc<Vec<Task>>;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, Arc<Vec<Task>>>, ApiError> {
        let tasks = model::tasks(&mut *lane.lookup().await?, &keys).await?;
        Ok(tasks.into_iter().map(|(job, Tasks(tasks))| (job, Arc::new(tasks))).collect())
    }
}

/// What waits before a job in its queue, in all projects.
pub enum JobsAhead {}

impl Read for JobsAhead {
    type Key = JobId;
    type Value = Ahead;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, Ahead>, ApiError> {
        Ok(list::jobs_ahead(&mut *lane.connection().await?, &keys).await?.into_iter().collect())
    }
}

/// A project's quota, with what its unfinished jobs request.
pub enum QuotaOfProject {}

impl Read for QuotaOfProject {
    type Key = ProjectId;
    type Value = Usage;

    async fn read(lane: &Lane, keys: Vec<ProjectId>) -> Result<ByKey<ProjectId, Usage>, ApiError> {
        Ok(quota::usages(&mut *lane.lookup().await?, &keys).await?.into_iter().collect())
    }
}

/// The users with the most unfinished jobs in a project, each with what these request.
pub enum PeopleOfProject {}

/// Maximum number of users of a project whose usage is listed.
const MOST_PEOPLE: i64 = 100;

impl Read for PeopleOfProject {
    type Key = ProjectId;
    type Value = Vec<OfPerson>;

    async fn read(lane: &Lane, keys: Vec<ProjectId>) -> Result<ByKey<ProjectId, Vec<OfPerson>>, ApiError> {
        let mut people: ByKey<ProjectId, Vec<OfPerson>> = keys.iter().map(|key| (*key, Vec::new())).collect();
        for (project, person) in quota::people(&mut *lane.lookup().await?, &keys, MOST_PEOPLE).await? {
            people.entry(project).or_default().push(person);
        }
        Ok(people)
    }
}

/// A project's jobs, newest first by default; as much of each as `R` has.
pub struct JobsOfProject<R>(PhantomData<R>);

impl<R: Placed> ListEdge for JobsOfProject<R> {
    type Parent = ProjectKind;
    type Under = jobs::project_id;
    type SortedBy = (jobs::submitted_at, jobs::id);
    type Row = R;
    type Item = R;
    type Filter = Selection;
    const DIRECTION: OrderDirection = OrderDirection::Desc;
    const CONNECTIONS: usize = 2;

    fn parent(job: &R) -> ProjectId {
        job.place().0
    }

    fn order(selection: &Selection) -> Order<jobs::table> {
        Order::by::<Self::SortedBy>(selection.direction())
    }

    fn position(job: &R, _: &Selection) -> Position {
        let (_, submitted_at, id) = job.place();
        Position::at(submitted_at, id.uuid())
    }

    fn conditions(selection: &Selection) -> Vec<Condition<jobs::table>> {
        selection.conditions()
    }
}

/// The jobs that were made from a job with `retryJob`, oldest first.
pub enum RetriesOfJob {}

impl ListEdge for RetriesOfJob {
    type Parent = JobKind;
    type Under = jobs::retried_from;
    type SortedBy = (jobs::submitted_at, jobs::id);
    type Row = Job;
    type Item = Job;
    type Filter = ();

    fn parent(job: &Job) -> JobId {
        // The list only has jobs that were made from another.
        job.retried_from.unwrap_or(job.id)
    }

    fn position(job: &Job, (): &()) -> Position {
        Position::at(job.submitted_at, job.id.uuid())
    }
}

/// A job with what a list of a project's jobs goes by.
pub trait Placed: ListedRow + Sync {
    /// The project, when the job was submitted, and its id.
    fn place(&self) -> (ProjectId, DateTime<Utc>, JobId);
}

impl Placed for Brief {
    fn place(&self) -> (ProjectId, DateTime<Utc>, JobId) {
        (self.project_id, self.submitted_at, self.id)
    }
}

impl Placed for Job {
    fn place(&self) -> (ProjectId, DateTime<Utc>, JobId) {
        (self.project_id, self.submitted_at, self.id)
    }
}

/// A page of the jobs that a viewer sees, each with the group of its project. Whoever sees and asks the same shares the statement.
pub enum JobPages {}

impl Read for JobPages {
    type Key = (Visible, Selection, Page, Columns);
    type Value = Arc<Vec<(Row, GroupId)>>;
    const CONNECTIONS: usize = 4;
    /// Each key is a statement of its own; more than this many use further connections.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, (visible, selection, page, columns)| {
            async move { Ok(Arc::new(list::page(conn, visible, selection, page, *columns).await?)) }.boxed()
        })
        .await
    }
}
