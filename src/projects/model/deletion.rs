//! What goes with a project when it is deleted, and the SQL that removes it.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::change::Writes;
use crate::db::tables::{jobs, projects};
use crate::ids::ProjectId;
use crate::jobs::types::JobPhase;

/// The phases of jobs that have not finished.
const UNFINISHED: [JobPhase; 3] = [JobPhase::Submitted, JobPhase::Queued, JobPhase::Running];

/// The number of a project's jobs that have not finished.
///
/// # Errors
/// The database's.
pub async fn unfinished_jobs(writes: &mut Writes<'_>, project: ProjectId) -> QueryResult<i64> {
    jobs::table
        .filter(jobs::project_id.eq(project).and(jobs::phase.eq_any(UNFINISHED)))
        .count()
        .get_result(writes.conn())
        .await
}

/// Deletes a project with its jobs and config files. A trigger notes that its namespace has to go. Returns the number of
/// its jobs.
///
/// # Errors
/// The database's.
pub async fn delete(writes: &mut Writes<'_>, project: ProjectId) -> QueryResult<usize> {
    let count = diesel::delete(jobs::table.filter(jobs::project_id.eq(project))).execute(writes.conn()).await?;
    diesel::delete(projects::table.find(project)).execute(writes.conn()).await?;
    Ok(count)
}
