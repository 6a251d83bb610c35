//! Loaders for the edges to and from jobs: one statement for all that a level of a query requests.

use std::sync::Arc;

use futures::FutureExt;

use crate::auth::policy::Visible;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::error::ApiError;
use crate::events::Logged;
use crate::events::model::{self as log, Part};
use crate::graphql::connection::Page;
use crate::graphql::cursor::{Position, SortValue};
use crate::ids::{JobId, ProjectId};
use crate::jobs::event::JobEvent;
use crate::jobs::model::found::{self, Found};
use crate::jobs::model::list::{self, Selection};
use crate::jobs::model::observed::Tasks;
use crate::jobs::model::task::Task;
use crate::jobs::model::{self, Brief, Columns, Job, Row};

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

/// The size of a job's object in bytes, read before the object itself.
pub enum JobObjectBytes {}

impl Read for JobObjectBytes {
    type Key = JobId;
    type Value = usize;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, usize>, ApiError> {
        let sizes = model::object_bytes(&mut *lane.lookup().await?, &keys).await?;
        Ok(sizes.into_iter().map(|(job, bytes)| (job, usize::try_from(bytes).unwrap_or(usize::MAX))).collect())
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

/// How many waiting jobs in the same queue, of any project, were submitted before a job.
pub enum JobsAhead {}

impl Read for JobsAhead {
    type Key = JobId;
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, i64>, ApiError> {
        Ok(list::jobs_ahead(&mut *lane.connection().await?, &keys).await?.into_iter().collect())
    }
}

/// A page of a project's jobs.
pub enum JobsByProject {}

impl Read for JobsByProject {
    type Key = (ProjectId, Selection, Page, Columns);
    type Value = Arc<Vec<Row>>;
    const CONNECTIONS: usize = 2;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let mut connection = lane.lookup().await?;
        let mut found = ByKey::default();
        // Keys differ in more than the project only where a query lists jobs twice under different arguments.
        for ((selection, page, columns), projects) in grouped(keys.iter().map(|(id, s, p, c)| ((s, p, *c), *id))) {
            let mut pages = list::pages_of_projects(&mut connection, &projects, selection, page, columns).await?;
            for project in projects {
                let jobs = pages.remove(&project).unwrap_or_default();
                found.insert((project, selection.clone(), page.clone(), columns), Arc::new(jobs));
            }
        }
        Ok(found)
    }
}

/// How many jobs a project has.
pub enum JobCountByProject {}

impl Read for JobCountByProject {
    type Key = (ProjectId, Selection);
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, i64>, ApiError> {
        let mut connection = lane.lookup().await?;
        let mut found = ByKey::default();
        for (selection, projects) in grouped(keys.iter().map(|(id, selection)| (selection, *id))) {
            let counts = list::counts_of_projects(&mut connection, &projects, selection).await?;
            for project in projects {
                found.insert((project, selection.clone()), counts.get(&project).copied().unwrap_or(0));
            }
        }
        Ok(found)
    }
}

/// A page of a job's events.
pub enum EventsByJob {}

impl Read for EventsByJob {
    type Key = (JobId, Page);
    type Value = Arc<Vec<Logged<JobEvent>>>;
    const CONNECTIONS: usize = 2;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let mut connection = lane.lookup().await?;
        let mut found = ByKey::default();
        for (page, jobs) in grouped(keys.iter().map(|(id, page)| (page, *id))) {
            let mut pages = log::of_subjects(&mut connection, &jobs, part(page)).await?;
            for job in jobs {
                found.insert((job, page.clone()), Arc::new(pages.remove(&job).unwrap_or_default()));
            }
        }
        Ok(found)
    }
}

fn part(page: &Page) -> Part {
    let number = |position: &Option<Position>| match position.as_ref()?.value {
        SortValue::Number(number) => Some(number),
        SortValue::Time(_) | SortValue::Text(_) => None,
    };
    Part { after: number(&page.after), before: number(&page.before), newest_first: page.backward, limit: page.limit }
}

/// How many events a job has.
pub enum EventCountByJob {}

impl Read for EventCountByJob {
    type Key = JobId;
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<JobId>) -> Result<ByKey<JobId, i64>, ApiError> {
        let mut counts = log::counts_of_subjects::<JobEvent>(&mut *lane.lookup().await?, &keys).await?;
        Ok(keys.into_iter().map(|job| (job, counts.remove(&job).unwrap_or(0))).collect())
    }
}

/// Parents by the arguments their lists are asked for with.
fn grouped<A: Eq + std::hash::Hash, K>(keys: impl Iterator<Item = (A, K)>) -> ByKey<A, Vec<K>> {
    let mut groups: ByKey<A, Vec<K>> = ByKey::default();
    for (arguments, key) in keys {
        groups.entry(arguments).or_default().push(key);
    }
    groups
}

/// A page of the jobs that a viewer sees. Whoever sees and asks the same shares the statement.
pub enum JobPages {}

impl Read for JobPages {
    type Key = (Visible, Selection, Page, Columns);
    type Value = Arc<Vec<Row>>;
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
