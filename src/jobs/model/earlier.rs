//! A job that is to be run again.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::Job;
use super::manifest::Kept;
use crate::db::tables::{jobs, projects};
use crate::ids::{GroupId, JobId};

/// A job with everything that another job like it needs.
#[derive(Debug, Clone, Queryable)]
pub struct Earlier {
    /// The job.
    pub job: Job,
    /// Its object.
    pub kept: Kept,
    /// The longest time in seconds that it may run.
    pub deadline_seconds: Option<i64>,
    /// The seconds that its object is kept after it has ended.
    pub ttl_seconds: Option<i64>,
    /// The group of its project.
    pub group: GroupId,
    /// The values of the parameters of its template.
    parameters: Option<Value>,
}

impl Earlier {
    /// The values of the parameters of its template.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        self.parameters.clone().and_then(|values| serde_json::from_value(values).ok()).unwrap_or_default()
    }
}

/// The job with this id.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, id: JobId) -> QueryResult<Option<Earlier>> {
    jobs::table
        .inner_join(projects::table)
        .filter(jobs::id.eq(id))
        .select((
            Job::as_select(),
            Kept::as_select(),
            jobs::deadline_seconds,
            jobs::ttl_seconds,
            projects::group_id,
            jobs::parameters,
        ))
        .first(conn)
        .await
        .optional()
}
