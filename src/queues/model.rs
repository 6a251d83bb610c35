//! The pauses of queues, and what waits and runs in each queue.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, sum};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::change::Writes;
use crate::db::tables::{jobs, queue_pauses};
use crate::ids::UserId;
use crate::jobs::types::JobPhase;

/// The pause of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = queue_pauses, check_for_backend(Pg))]
pub struct Pause {
    /// The name of the queue.
    pub queue: String,
    /// Why it is paused, in the words of who paused it.
    pub note: String,
    /// Who paused it.
    pub paused_by: UserId,
    /// Since when it is paused.
    pub paused_at: DateTime<Utc>,
}

impl Pause {
    /// Why a job in the queue waits.
    pub fn why(&self) -> String {
        format!("the queue {} is paused: {}", self.queue, self.note)
    }
}

/// The pauses of these queues.
///
/// # Errors
/// The database's.
pub async fn pauses(conn: &mut AsyncPgConnection, queues: &[String]) -> QueryResult<Vec<Pause>> {
    queue_pauses::table.filter(queue_pauses::queue.eq_any(queues)).select(Pause::as_select()).load(conn).await
}

/// The pause of a queue, if it is paused.
///
/// # Errors
/// The database's.
pub async fn pause(conn: &mut AsyncPgConnection, queue: &str) -> QueryResult<Option<Pause>> {
    queue_pauses::table.find(queue).select(Pause::as_select()).first(conn).await.optional()
}

/// Like [`pause`]; the pause neither ends nor changes before the transaction does.
///
/// # Errors
/// The database's.
pub async fn keep_pause(conn: &mut AsyncPgConnection, queue: &str) -> QueryResult<Option<Pause>> {
    queue_pauses::table.find(queue).select(Pause::as_select()).for_share().first(conn).await.optional()
}

/// Pauses a queue and returns the note of the pause that it had before, if any. A pause that goes on keeps its beginning.
///
/// # Errors
/// The database's.
pub async fn set_pause(writes: &mut Writes<'_>, queue: &str, note: &str, by: UserId) -> QueryResult<Option<String>> {
    let row = (queue_pauses::queue.eq(queue), queue_pauses::note.eq(note), queue_pauses::paused_by.eq(by));
    let inserted =
        diesel::insert_into(queue_pauses::table).values(row).on_conflict_do_nothing().execute(writes.conn()).await?;
    if inserted == 1 {
        return Ok(None);
    }
    let paused = queue_pauses::table.find(queue);
    let before: Option<String> =
        paused.select(queue_pauses::note).for_update().first(writes.conn()).await.optional()?;
    diesel::insert_into(queue_pauses::table)
        .values(row)
        .on_conflict(queue_pauses::queue)
        .do_update()
        .set(queue_pauses::note.eq(note))
        .execute(writes.conn())
        .await?;
    Ok(before)
}

/// Ends the pause of a queue and returns it.
///
/// # Errors
/// The database's.
pub async fn end_pause(writes: &mut Writes<'_>, queue: &str) -> QueryResult<Option<Pause>> {
    diesel::delete(queue_pauses::table.find(queue))
        .returning(Pause::as_returning())
        .get_result(writes.conn())
        .await
        .optional()
}

/// What waits and runs in a queue, whatever project it is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// The number of jobs that wait.
    pub waiting: i64,
    /// The GPUs that they request.
    pub gpus_requested: i64,
    /// The number of jobs that run.
    pub running: i64,
    /// The GPUs that they use.
    pub gpus_in_use: i64,
}

/// What waits and runs in each of these queues that has any, in one statement.
///
/// # Errors
/// The database's.
pub async fn loads(conn: &mut AsyncPgConnection, queues: &[String]) -> QueryResult<HashMap<String, Load>> {
    let rows: Vec<(String, JobPhase, i64, Option<i64>)> = jobs::table
        .filter(jobs::queue.eq_any(queues))
        .filter(jobs::phase.eq_any([JobPhase::Submitted, JobPhase::Queued, JobPhase::Running]))
        .group_by((jobs::queue, jobs::phase))
        .select((jobs::queue, jobs::phase, count_star(), sum(jobs::gpu)))
        .load(conn)
        .await?;
    let mut loads: HashMap<String, Load> = HashMap::new();
    for (queue, phase, count, gpus) in rows {
        let load = loads.entry(queue).or_default();
        let gpus = gpus.unwrap_or_default();
        if phase == JobPhase::Running {
            load.running += count;
            load.gpus_in_use += gpus;
        } else {
            load.waiting += count;
            load.gpus_requested += gpus;
        }
    }
    Ok(loads)
}
