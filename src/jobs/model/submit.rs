//! The rows written by a submit and a cancel.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::ExecutorMode;
use super::manifest::JsonText;
use crate::change::Writes;
use crate::db::tables::{jobs, project_quotas};
use crate::ids::{CommitId, JobId, ProjectId, UserId};
use crate::jobs::draft::Demand;
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
    pub submitted_at: DateTime<Utc>,
}

/// Writes the job, due for the submit worker at once.
///
/// # Errors
/// The database's.
pub async fn insert(writes: &mut Writes<'_>, job: &NewJob<'_>) -> QueryResult<()> {
    diesel::insert_into(jobs::table).values(job).execute(writes.conn()).await.map(drop)
}

/// The quota of a project; `None` means unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = project_quotas, check_for_backend(diesel::pg::Pg))]
pub struct Quota {
    /// GPUs.
    pub gpu: Option<i32>,
    /// Thousandths of a CPU.
    pub cpu_millis: Option<i64>,
    /// Bytes of memory.
    pub memory_bytes: Option<i64>,
    /// Unfinished jobs.
    pub concurrent_jobs: Option<i32>,
}

/// The project's quota, if it has one, locked: other submits to the project wait until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock_quota(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<Option<Quota>> {
    project_quotas::table.find(project).select(Quota::as_select()).for_update().first(conn).await.optional()
}

/// The project's quota, if it has one.
///
/// # Errors
/// The database's.
pub async fn quota(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<Option<Quota>> {
    project_quotas::table.find(project).select(Quota::as_select()).first(conn).await.optional()
}

/// The requests of the project's unfinished jobs together, and their number.
///
/// # Errors
/// The database's.
pub async fn usage(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<(Demand, i64)> {
    // sum(bigint) is numeric in PostgreSQL; the columns are small enough to be added up here.
    let rows: Vec<(i32, i64, i64)> = jobs::table
        .filter(jobs::project_id.eq(project))
        .filter(jobs::phase.eq_any([JobPhase::Submitted, JobPhase::Queued, JobPhase::Running]))
        .select((jobs::gpu, jobs::cpu_millis, jobs::memory_bytes))
        .load(conn)
        .await?;
    let mut used = Demand::default();
    for (gpu, cpu, memory) in &rows {
        used.gpu = used.gpu.saturating_add(i64::from(*gpu));
        used.cpu_millis = used.cpu_millis.saturating_add(*cpu);
        used.memory_bytes = used.memory_bytes.saturating_add(*memory);
    }
    Ok((used, i64::try_from(rows.len()).unwrap_or(i64::MAX)))
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
