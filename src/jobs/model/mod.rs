//! The rows of `jobs` and the SQL about them.

pub mod due;
pub mod found;
pub mod list;
pub mod log;
pub mod manifest;
pub mod observed;
pub mod submit;
pub mod task;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::tables::{jobs, projects};
use crate::ids::{CommitId, GroupId, JobId, ProjectId, UserId};
use crate::jobs::phase::JobPhase;
use crate::text_enum;

/// How jobs reach the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum ExecutorMode {
    /// As FlashJobs that the cluster's Flash scheduler queues and places as a gang.
    Scheduler,
    /// As ordinary Kubernetes Jobs.
    Local,
}

text_enum!(ExecutorMode { Scheduler => "SCHEDULER", Local => "LOCAL" });

/// A job as the API shows it, without its object in the cluster, which is seldom wanted: every column is paid for with
/// each of many rows.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
pub struct Job {
    /// The id.
    pub id: JobId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// Who submitted it.
    pub submitted_by: UserId,
    /// The config commit it was made from.
    pub config_commit_id: Option<CommitId>,
    /// The name for people.
    pub name: String,
    /// The queue it waits in.
    pub queue: String,
    /// Higher goes to the cluster first.
    pub priority: i32,
    /// Who places its pods.
    pub executor: ExecutorMode,
    /// Where it stands.
    pub phase: JobPhase,
    /// When somebody asked to cancel it.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// The machine-readable why of the phase.
    pub reason: Option<String>,
    /// The sentence to the reason.
    pub message: Option<String>,
    /// Why it waits, in one sentence.
    pub pending_reason: Option<String>,
    /// How often it was preempted.
    pub preemptions: i32,
    /// Which attempt it is at, from 1.
    pub attempt: i32,
    /// How often it may be started anew after a failure.
    pub retry_limit: i32,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// When its first task started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Job {
    /// How often it is still started anew if it fails.
    pub fn retries_left(&self) -> i32 {
        self.retry_limit.saturating_add(1).saturating_sub(self.attempt).max(0)
    }
}

/// What most lists of jobs show. Of many rows, the columns that nobody asked for are half of the cost.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
pub struct Brief {
    /// The id.
    pub id: JobId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// Who submitted it.
    pub submitted_by: UserId,
    /// The name for people.
    pub name: String,
    /// Where it stands.
    pub phase: JobPhase,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
}

/// How much of a job is read: part of a loader's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Columns {
    /// Those of a [`Brief`].
    Brief,
    /// Those of a [`Job`].
    Whole,
}

/// A job with as much of it as was read.
#[derive(Debug, Clone)]
pub enum Row {
    /// What most lists show.
    Brief(Arc<Brief>),
    /// All of it.
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
    /// The id.
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

    /// Who submitted it.
    pub fn submitted_by(&self) -> UserId {
        match self {
            Self::Brief(job) => job.submitted_by,
            Self::Whole(job) => job.submitted_by,
        }
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Brief(job) => &job.name,
            Self::Whole(job) => &job.name,
        }
    }

    /// Where it stands.
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

/// The job with this id, and the group its project belongs to.
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

/// As [`find`], keeping others from changing the job until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut AsyncPgConnection, id: JobId) -> QueryResult<Option<Job>> {
    jobs::table.filter(jobs::id.eq(id)).select(Job::as_select()).for_update().first(conn).await.optional()
}

/// What goes to the cluster for a job, and where.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
pub struct Object {
    /// The job.
    pub id: JobId,
    /// The object.
    #[diesel(embed)]
    pub kept: manifest::Kept,
    /// The namespace it goes to.
    pub namespace: String,
}

/// The objects of these jobs.
///
/// # Errors
/// The database's.
pub async fn objects(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<Object>> {
    jobs::table.filter(jobs::id.eq_any(ids)).select(Object::as_select()).load(conn).await
}

/// What the cluster has reported of the tasks of these jobs.
///
/// # Errors
/// The database's.
pub async fn tasks(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<(JobId, observed::Tasks)>> {
    jobs::table.filter(jobs::id.eq_any(ids)).select((jobs::id, jobs::tasks)).load(conn).await
}

/// How many tasks each of these jobs has.
///
/// # Errors
/// The database's.
pub async fn task_counts(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<(JobId, i64)>> {
    // A row that keeps no counts has every task in its object.
    let tasks = diesel::dsl::sql::<diesel::sql_types::BigInt>(
        "coalesce((SELECT sum(count) FROM unnest(jobs.task_counts) AS count),
                  jsonb_array_length(jobs.manifest #> '{spec,tasks}'), 0)::bigint",
    );
    jobs::table.filter(jobs::id.eq_any(ids)).select((jobs::id, tasks)).load(conn).await
}

/// How many bytes the object of each of these jobs has with every task in its place, as JSON. Those of a job whose row
/// does not say are those of the row's object.
///
/// # Errors
/// The database's.
pub async fn object_bytes(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<(JobId, i64)>> {
    let bytes = diesel::dsl::sql::<diesel::sql_types::BigInt>(
        "coalesce(jobs.manifest_bytes, octet_length(jobs.manifest::text))",
    );
    jobs::table.filter(jobs::id.eq_any(ids)).select((jobs::id, bytes)).load(conn).await
}
