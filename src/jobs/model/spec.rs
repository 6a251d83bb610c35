//! What the spec of a job is read back from.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::manifest;
use crate::db::tables::jobs;
use crate::ids::JobId;

/// The object of a job, and the rules that the platform keeps itself.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
pub struct Kept {
    /// The job.
    pub id: JobId,
    /// The object.
    #[diesel(embed)]
    pub object: manifest::Kept,
    /// Maximum run time, in seconds.
    pub deadline_seconds: Option<i64>,
    /// Seconds that its objects are kept after it ends.
    pub ttl_seconds: Option<i64>,
    /// Maximum number of retries after a failure.
    pub retry_limit: i32,
}

/// What the specs of these jobs are read back from.
///
/// # Errors
/// The database's.
pub async fn kept(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<Kept>> {
    jobs::table.filter(jobs::id.eq_any(ids)).select(Kept::as_select()).load(conn).await
}

/// The values of the parameters that these jobs were made with.
///
/// # Errors
/// The database's.
pub async fn parameters(conn: &mut AsyncPgConnection, ids: &[JobId]) -> QueryResult<Vec<(JobId, Option<Value>)>> {
    jobs::table.filter(jobs::id.eq_any(ids)).select((jobs::id, jobs::parameters)).load(conn).await
}
