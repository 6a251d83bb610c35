//! The rows of `jobs` and the SQL about them.

pub(crate) mod criteria;
pub(crate) mod due;
pub(crate) mod earlier;
pub(crate) mod found;
pub(crate) mod list;
pub(crate) mod log;
pub mod manifest;
pub(crate) mod observed;
pub(crate) mod part;
pub(crate) mod quota;
pub(crate) mod spec;
pub(crate) mod submit;
pub(crate) mod task;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::tables::{config_commits, jobs, projects};
use crate::executor::ExecutorMode;
use crate::ids::{CommitId, ConfigId, GroupId, JobId, ProjectId, UserId};
use crate::jobs::phase::JobPhase;

/// A job as the API shows it, without its object in the cluster, which is seldom wanted: every column is paid for with
/// each of many rows.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
pub struct Job {
    /// The ID.
    pub id: JobId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The user who submitted it.
    pub submitted_by: UserId,
    /// The config commit it was made from.
    pub config_commit_id: Option<CommitId>,
    /// The display name.
    pub name: String,
    /// The queue.
    pub queue: String,
    /// Higher values are sent to the cluster first.
    pub priority: i32,
    /// How it reaches the cluster.
    pub executor: ExecutorMode,
    /// Its phase.
    pub phase: JobPhase,
    /// When its cancellation was requested.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// Why, in the words of the user who requested it.
    pub cancel_reason: Option<String>,
    /// Machine-readable reason of the phase.
    pub reason: Option<String>,
    /// Human-readable explanation of the reason.
    pub message: Option<String>,
    /// Human-readable explanation of why it is waiting.
    pub pending_reason: Option<String>,
    /// How often it was preempted.
    pub preemptions: i32,
    /// The current attempt, from 1.
    pub attempt: i32,
    /// Maximum number of retries after a failure.
    pub retry_limit: i32,
    /// The job that it is a retry of.
    pub retried_from: Option<JobId>,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// When its first task started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Job {
    /// The number of retries left.
    pub fn retries_left(&self) -> i32 {
        self.retry_limit.saturating_add(1).saturating_sub(self.attempt).max(0)
    }
}

/// The columns that most lists of jobs show. With many rows, columns that were not requested are half of the cost.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
pub struct Brief {
    /// The ID.
    pub id: JobId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The user who submitted it.
    pub submitted_by: UserId,
    /// The display name.
    pub name: String,
    /// Its phase.
    pub phase: JobPhase,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
}

/// Which columns of a job are read: part of a loader's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Columns {
    /// Those of a [`Brief`].
    Brief,
    /// Those of a [`Job`].
    Whole,
}

/// A job with the columns that were read.
#[derive(Debug, Clone)]
pub enum Row {
    /// The columns that most lists show.
    Brief(Arc<Brief>),
    /// All columns.
    Whole(Arc<Job>),
}

impl From<Arc<Brief>> for Row {
    fn from(job: Arc<Brief>) -> Self {
        Self::Brief(job)
    }
}

impl From<Arc<Job>> for Row {
    fn from(job: Arc<Job>) -> Self {
        Self::Whole(job)
    }
}

impl Row {
    /// The ID.
    pub fn id(&self) -> JobId {
        match self {
            Self::Brief(job) => job.id,
            Self::Whole(job) => job.id,
        }
    }

    /// The project it belongs to.
    pub fn project_id(&self) -> ProjectId {
        match self {
            Self::Brief(job) => job.project_id,
            Self::Whole(job) => job.project_id,
        }
    }

    /// The user who submitted it.
    pub fn submitted_by(&self) -> UserId {
        match self {
            Self::Brief(job) => job.submitted_by,
            Self::Whole(job) => job.submitted_by,
        }
    }

    /// The display name.
    pub fn name(&self) -> &str {
        match self {
            Self::Brief(job) => &job.name,
            Self::Whole(job) => &job.name,
        }
    }

    /// Its phase.
    pub fn phase(&self) -> JobPhase {
        match self {
            Self::Brief(job) => job.phase,
            Self::Whole(job) => job.phase,
        }
    }

    /// When it was submitted.
    pub fn submitted_at(&self) -> DateTime<Utc> {
        match self {
            Self::Brief(job) => job.submitted_at,
            Self::Whole(job) => job.submitted_at,
        }
    }
}

/// The job with this id, and the group of its project.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, id: JobId) -> QueryResult<Option<(Job, GroupId)>> {
    jobs::table
        .inner_join(projects::table)
        .filter(jobs::id.eq(id))
        .select((Job::as_select(), projects::group_id))
        .first(conn)
        .await
        .optional()
}

/// Like [`find`], locking the job until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut AsyncPgConnection, id: JobId) -> QueryResult<Option<Job>> {
    jobs::table.filter(jobs::id.eq(id)).select(Job::as_select()).for_update().first(conn).await.optional()
}

/// The config file of a commit that a job was made from.
///
/// # Errors
/// The database's.
pub async fn config_file(conn: &mut AsyncPgConnection, commit: Option<CommitId>) -> QueryResult<Option<ConfigId>> {
    let Some(commit) = commit else { return Ok(None) };
    config_commits::table.find(commit).select(config_commits::config_file_id).first(conn).await.optional()
}

/// The object of a job for the cluster, and its namespace.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
pub struct Object {
    /// The job.
    pub id: JobId,
    /// The object.
    #[diesel(embed)]
    pub kept: manifest::Kept,
    /// The namespace.
    pub namespace: String,
    /// How it is run.
    pub executor: ExecutorMode,
}

/// The objects of these jobs.
///
/// # Errors
/// The database's.
pub async fn objects(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<Object>> {
    jobs::table.filter(jobs::id.eq_any(ids)).select(Object::as_select()).load(conn).await
}

/// The states of these jobs' tasks, as reported by the cluster.
///
/// # Errors
/// The database's.
pub async fn tasks(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<(JobId, observed::Tasks)>> {
    jobs::table.filter(jobs::id.eq_any(ids)).select((jobs::id, jobs::tasks)).load(conn).await
}

/// The number of tasks of each of these jobs.
///
/// # Errors
/// The database's.
pub async fn task_counts(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<(JobId, i64)>> {
    // A row without counts has every task in its object.
    let tasks = diesel::dsl::sql::<diesel::sql_types::BigInt>(
        "coalesce((SELECT sum(count) FROM unnest(jobs.task_counts) AS count),
                  jsonb_array_length(jobs.manifest #> '{spec,tasks}'), 0)::bigint",
    );
    jobs::table.filter(jobs::id.eq_any(ids)).select((jobs::id, tasks)).load(conn).await
}

/// The sizes of an object as JSON, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectBytes {
    /// As it is stored, equal tasks once.
    pub stored: usize,
    /// With all its tasks.
    pub expanded: usize,
}

/// The sizes of the objects of these jobs, which say how much reading them takes.
///
/// # Errors
/// The database's.
pub async fn object_bytes(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<(JobId, ObjectBytes)>> {
    let stored = diesel::dsl::sql::<diesel::sql_types::Integer>("octet_length(jobs.manifest::text)");
    let found: Vec<(JobId, i32, Option<i64>)> =
        jobs::table.filter(jobs::id.eq_any(ids)).select((jobs::id, stored, jobs::manifest_bytes)).load(conn).await?;
    let sizes = found.into_iter().map(|(job, stored, expanded)| {
        let expanded = expanded.unwrap_or_else(|| i64::from(stored));
        let size = |bytes: i64| usize::try_from(bytes).unwrap_or(usize::MAX);
        (job, ObjectBytes { stored: size(i64::from(stored)), expanded: size(expanded) })
    });
    Ok(sizes.collect())
}
