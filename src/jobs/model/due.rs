//! Jobs on which the submit worker has to act.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::cluster::names;
use crate::db::tables::jobs;
use crate::executor::ExecutorMode;
use crate::ids::{JobId, ProjectId};
use crate::jobs::model::manifest::Kept;
use crate::jobs::model::part::Parts;
use crate::jobs::phase::JobPhase;

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
         RETURNING jobs.*",
    )
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(lease_seconds)
    .load(conn)
    .await
}
