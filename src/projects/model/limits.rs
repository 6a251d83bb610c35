//! The limits of a project and the SQL for them.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::change::{Changed, Writes};
use crate::db::tables::project_quotas;
use crate::ids::{GroupId, ProjectId};
use crate::projects::event::{ProjectEvent, ProjectEventKind, about};

/// The limits of a project; `None` means unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = project_quotas, check_for_backend(Pg), treat_none_as_null = true)]
pub struct Limits {
    /// GPUs.
    pub gpu: Option<i32>,
    /// Thousandths of a CPU.
    pub cpu_millis: Option<i64>,
    /// Bytes of memory.
    pub memory_bytes: Option<i64>,
    /// Bytes of storage claims.
    pub storage_bytes: Option<i64>,
    /// Unfinished jobs.
    pub concurrent_jobs: Option<i32>,
    /// Unfinished jobs that have not started.
    pub queued_jobs: Option<i32>,
    /// Unfinished jobs of each user.
    pub concurrent_jobs_per_user: Option<i32>,
    /// Unfinished jobs of each user that have not started.
    pub queued_jobs_per_user: Option<i32>,
    /// The longest time in seconds that a job may run.
    pub max_run_seconds: Option<i64>,
}

impl Limits {
    /// Adds the limits that become others to what the audit log says.
    pub fn changed_to(&self, after: &Self, changed: Changed) -> Changed {
        changed
            .field("gpu", &self.gpu, &after.gpu)
            .field("cpuMillis", &self.cpu_millis, &after.cpu_millis)
            .field("memoryBytes", &self.memory_bytes, &after.memory_bytes)
            .field("storageBytes", &self.storage_bytes, &after.storage_bytes)
            .field("concurrentJobs", &self.concurrent_jobs, &after.concurrent_jobs)
            .field("queuedJobs", &self.queued_jobs, &after.queued_jobs)
            .field("concurrentJobsPerUser", &self.concurrent_jobs_per_user, &after.concurrent_jobs_per_user)
            .field("queuedJobsPerUser", &self.queued_jobs_per_user, &after.queued_jobs_per_user)
            .field("maxRunSeconds", &self.max_run_seconds, &after.max_run_seconds)
    }
}

/// The limits of a project, if it has any.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<Option<Limits>> {
    project_quotas::table.find(project).select(Limits::as_select()).first(conn).await.optional()
}

/// The limits of a project, if it has any, locked: other submits to the project wait until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut AsyncPgConnection, project: ProjectId) -> QueryResult<Option<Limits>> {
    project_quotas::table.find(project).select(Limits::as_select()).for_update().first(conn).await.optional()
}

/// Writes the limits of a project in a group, and tells those who follow what it uses.
///
/// # Errors
/// The database's.
pub async fn set(writes: &mut Writes<'_>, (project, group): (ProjectId, GroupId), limits: &Limits) -> QueryResult<()> {
    let row = project_quotas::project_id.eq(project);
    diesel::insert_into(project_quotas::table).values(row).on_conflict_do_nothing().execute(writes.conn()).await?;
    diesel::update(project_quotas::table.find(project))
        .set((limits, project_quotas::updated_at.eq(diesel::dsl::now)))
        .execute(writes.conn())
        .await?;
    writes.tell(about(project, group), &ProjectEvent { kind: ProjectEventKind::LimitsChanged })
}
