//! The rows written by a submit and a cancel.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::manifest::JsonText;
use crate::change::Writes;
use crate::db::tables::jobs;
use crate::executor::ExecutorMode;
use crate::ids::{CommitId, JobId, ProjectId, UserId};
use crate::jobs::draft::Demand;
use crate::jobs::life::reason;
use crate::jobs::phase::JobPhase;

/// A job as it is submitted.
#[derive(Debug, Insertable)]
#[diesel(table_name = jobs)]
#[allow(missing_docs, reason = "the columns are described in the migration")]
pub struct NewJob<'a> {
    pub id: JobId,
    pub project_id: ProjectId,
    pub submitted_by: UserId,
    pub config_commit_id: Option<CommitId>,
    pub name: &'a str,
    pub queue: &'a str,
    pub priority: i32,
    pub executor: ExecutorMode,
    pub phase: JobPhase,
    pub manifest: &'a JsonText,
    pub task_counts: Vec<i32>,
    pub manifest_bytes: i64,
    pub namespace: &'a str,
    pub object_name: &'a str,
    pub gpu: i32,
    pub cpu_millis: i64,
    pub memory_bytes: i64,
    pub deadline_seconds: Option<i64>,
    pub ttl_seconds: Option<i64>,
    pub retry_limit: i32,
    pub parameters: Option<Value>,
    pub retried_from: Option<JobId>,
    pub submitted_at: DateTime<Utc>,
}

/// Writes the job, due for the submit worker at once.
///
/// # Errors
/// The database's.
pub async fn insert(writes: &mut Writes<'_>, job: &NewJob<'_>) -> QueryResult<()> {
    diesel::insert_into(jobs::table).values(job).execute(writes.conn()).await.map(drop)
}

/// What the unfinished jobs of a project use, and of them those of one user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// What they request together.
    pub demand: Demand,
    /// Their number.
    pub jobs: i64,
    /// The number of those that have not started.
    pub queued: i64,
    /// The number of the user's.
    pub of_user: i64,
    /// The number of the user's that have not started.
    pub of_user_queued: i64,
}

/// What the project's unfinished jobs use, and of them those of `user`.
///
/// # Errors
/// The database's.
pub async fn usage(conn: &mut AsyncPgConnection, project: ProjectId, user: UserId) -> QueryResult<Used> {
    // sum(bigint) is numeric in PostgreSQL; the columns are small enough to be added up here.
    let rows: Vec<(i32, i64, i64, JobPhase, UserId)> = jobs::table
        .filter(jobs::project_id.eq(project))
        .filter(jobs::phase.eq_any([JobPhase::Submitted, JobPhase::Queued, JobPhase::Running]))
        .select((jobs::gpu, jobs::cpu_millis, jobs::memory_bytes, jobs::phase, jobs::submitted_by))
        .load(conn)
        .await?;
    let mut used = Used::default();
    for (gpu, cpu, memory, phase, submitter) in rows {
        used.demand.gpu = used.demand.gpu.saturating_add(i64::from(gpu));
        used.demand.cpu_millis = used.demand.cpu_millis.saturating_add(cpu);
        used.demand.memory_bytes = used.demand.memory_bytes.saturating_add(memory);
        let (waits, mine) = (i64::from(phase != JobPhase::Running), i64::from(submitter == user));
        used.jobs += 1;
        used.queued += waits;
        used.of_user += mine;
        used.of_user_queued += waits * mine;
    }
    Ok(used)
}

/// Marks the job as cancelled and due for the submit worker at once. The reason is shown when it has ended.
///
/// # Errors
/// The database's.
pub async fn request_cancel(writes: &mut Writes<'_>, job: JobId, reason: Option<&str>) -> QueryResult<()> {
    let now = diesel::dsl::now;
    diesel::update(jobs::table.find(job))
        .set((jobs::cancel_requested_at.eq(now), jobs::next_attempt_at.eq(now), jobs::cancel_reason.eq(reason)))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Makes the jobs of a project that wait for a window of its schedule due for the submit worker at once.
///
/// # Errors
/// The database's.
pub async fn release(writes: &mut Writes<'_>, project: ProjectId) -> QueryResult<()> {
    let waits = jobs::phase.eq(JobPhase::Submitted).and(jobs::reason.eq(reason::OUTSIDE_SCHEDULE));
    diesel::update(jobs::table.filter(jobs::project_id.eq(project)).filter(waits))
        .set(jobs::next_attempt_at.eq(diesel::dsl::now))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Makes the jobs of a queue that wait because it is paused due for the submit worker at once.
///
/// # Errors
/// The database's.
pub async fn release_queue(writes: &mut Writes<'_>, queue: &str) -> QueryResult<()> {
    let waits = jobs::phase.eq(JobPhase::Submitted).and(jobs::reason.eq(reason::QUEUE_PAUSED));
    diesel::update(jobs::table.filter(jobs::queue.eq(queue)).filter(waits))
        .set(jobs::next_attempt_at.eq(diesel::dsl::now))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Sets the priority of a job.
///
/// # Errors
/// The database's.
pub async fn set_priority(writes: &mut Writes<'_>, job: JobId, priority: i32) -> QueryResult<()> {
    diesel::update(jobs::table.find(job)).set(jobs::priority.eq(priority)).execute(writes.conn()).await.map(drop)
}
