//! Jobs on which the submit worker has to act.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::cluster::names;
use crate::db::tables::jobs;
use crate::executor::ExecutorMode;
use crate::ids::{JobId, ProjectId};
use crate::jobs::event::JobEvent;
use crate::jobs::model::manifest::Kept;
use crate::jobs::model::observed::{self, Life};
use crate::jobs::model::part::Parts;
use crate::jobs::phase::JobPhase;
use crate::queues::model::{Pause, keep_pause};

/// A due job, with everything that the cluster needs to know about it.
#[derive(Debug, Clone, QueryableByName)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the columns are described in the migration")]
pub struct Due {
    pub id: JobId,
    pub project_id: ProjectId,
    pub executor: ExecutorMode,
    pub phase: JobPhase,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    #[diesel(embed)]
    pub kept: Kept,
    pub namespace: String,
    pub object_name: String,
    pub object_uid: Option<String>,
    pub attempt: i32,
    pub parts: Parts,
    /// Attempts so far, including this one.
    pub submit_attempts: i32,
    pub queue: String,
    /// Whether its queue is paused.
    #[diesel(sql_type = Bool)]
    pub is_paused: bool,
}

impl Due {
    /// Whether its object belongs to a failed attempt and is deleted before the next one is created.
    pub fn is_restarting(&self) -> bool {
        names::is_of_earlier_attempt(&self.object_name, self.id, self.attempt)
    }
}

/// Claims at most `limit` due jobs for `lease_seconds`; after that others see them again, in case the claimer has died.
/// No transaction is open while the cluster is called.
///
/// # Errors
/// The database's.
pub async fn claim(conn: &mut AsyncPgConnection, limit: i64, lease_seconds: i64) -> QueryResult<Vec<Due>> {
    diesel::sql_query(
        "WITH due AS (
             SELECT id FROM jobs WHERE next_attempt_at <= now()
             ORDER BY priority DESC, next_attempt_at, id LIMIT $1
             FOR UPDATE SKIP LOCKED
         )
         UPDATE jobs SET next_attempt_at = now() + make_interval(secs => $2), submit_attempts = submit_attempts + 1
         FROM due WHERE jobs.id = due.id
         RETURNING jobs.*, EXISTS (SELECT FROM queue_pauses WHERE queue = jobs.queue) AS is_paused",
    )
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(lease_seconds)
    .load(conn)
    .await
}

/// Holds a job back if its queue is still paused, and returns whether it is. The pause is locked, so whoever ends it finds
/// a job that says that it waits for it.
///
/// # Errors
/// The database's.
pub async fn hold_back(
    conn: &mut AsyncPgConnection,
    due: &Due,
    hold: impl FnOnce(&mut Life, &Pause) -> Vec<JobEvent> + Send,
) -> QueryResult<bool> {
    conn.transaction(async |conn| {
        let Some(pause) = keep_pause(conn, &due.queue).await? else { return Ok(false) };
        observed::change(conn, due.id, |life| hold(life, &pause)).await?;
        Ok(true)
    })
    .await
}
