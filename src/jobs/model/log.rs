//! What a reader of a task's log has to know of the task.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::observed::Tasks;
use crate::db::tables::jobs;
use crate::ids::JobId;
use crate::jobs::logs::Sight;

/// Where the job stands and what its task's newest pod is.
///
/// # Errors
/// The database's.
pub async fn sight(conn: &mut AsyncPgConnection, job: JobId, task: i32) -> QueryResult<Option<Sight>> {
    let columns = (jobs::phase, jobs::tasks, jobs::attempt, jobs::retry_limit);
    let found = jobs::table.find(job).select(columns).first(conn).await.optional()?;
    Ok(found.map(|(phase, Tasks(tasks), attempt, retry_limit)| Sight {
        phase,
        task: tasks.into_iter().find(|known| known.index == task),
        attempt,
        retry_limit,
    }))
}
