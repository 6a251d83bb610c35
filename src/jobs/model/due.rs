//! Jobs that the submit worker has something to do for.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::cluster::names;
use crate::db::tables::jobs;
use crate::ids::{JobId, ProjectId};
use crate::jobs::model::manifest::Kept;
use crate::jobs::phase::JobPhase;

/// A job that is due, with all that the cluster needs to know of it.
#[derive(Debug, Clone, QueryableByName)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
#[allow(missing_docs, reason = "the columns are described in the migration")]
pub struct Due {
    pub id: JobId,
    pub project_id: ProjectId,
    pub phase: JobPhase,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    #[diesel(embed)]
    pub kept: Kept,
    pub namespace: String,
    pub object_name: String,
    pub object_uid: Option<String>,
    pub attempt: i32,
    /// Attempts so far, this one included.
    pub submit_attempts: i32,
}

impl Due {
    /// Whether its object is a failed attempt's, which goes before the next one is created.
    pub fn is_restarting(&self) -> bool {
        names::is_of_earlier_attempt(&self.object_name, self.id, self.attempt)
    }
}

/// Claims at most `limit` due jobs for `lease_seconds`: others see them again after that, if the claimer has died. No
/// transaction stays open while the cluster is asked.
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
