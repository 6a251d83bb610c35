//! What mounts a claim now, and which jobs will.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::cluster::names::file_pod;
use crate::db::tables::{job_claims, jobs, storage_mounts};
use crate::ids::{JobId, PvcId};
use crate::jobs::types::JobPhase;

/// A pod that mounts a claim.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = storage_mounts, check_for_backend(Pg))]
pub struct Mount {
    /// The claim.
    pub claim_id: PvcId,
    /// The uid of the pod.
    pub pod_uid: String,
    /// Its name.
    pub pod: String,
    /// The job that it is a task of, if it is one.
    pub job_id: Option<JobId>,
    /// Whether it mounts the claim read-only.
    pub read_only: bool,
    /// Since when it is known.
    pub since: DateTime<Utc>,
}

impl Mount {
    /// Whether it is the pod that shows the files of the claim.
    pub fn shows_files(&self) -> bool {
        self.pod == file_pod(self.claim_id)
    }
}

/// What mounts each of these claims.
///
/// # Errors
/// The database's.
pub async fn of_claims(conn: &mut AsyncPgConnection, claims: &[PvcId]) -> QueryResult<Vec<Mount>> {
    storage_mounts::table
        .filter(storage_mounts::claim_id.eq_any(claims))
        .order((storage_mounts::claim_id, storage_mounts::since, storage_mounts::pod))
        .select(Mount::as_select())
        .load(conn)
        .await
}

/// The uids of the pods that mount claims: a list of the cluster is compared with them.
///
/// # Errors
/// The database's.
pub async fn pods(conn: &mut AsyncPgConnection) -> QueryResult<Vec<String>> {
    storage_mounts::table.select(storage_mounts::pod_uid).distinct().load(conn).await
}

/// Jobs that have not ended and mount a claim, at most `limit` of them, by name.
///
/// # Errors
/// The database's.
pub async fn unfinished_jobs(
    conn: &mut AsyncPgConnection,
    claim: PvcId,
    limit: i64,
) -> QueryResult<Vec<(JobId, String)>> {
    job_claims::table
        .inner_join(jobs::table)
        .filter(job_claims::claim_id.eq(claim))
        .filter(jobs::phase.eq_any([JobPhase::Submitted, JobPhase::Queued, JobPhase::Running]))
        .order((jobs::submitted_at, jobs::id))
        .limit(limit)
        .select((jobs::id, jobs::name))
        .load(conn)
        .await
}
