//! The quotas of several projects with what their jobs request, in one statement.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::submit::Quota;
use crate::db::prepared;
use crate::ids::ProjectId;
use crate::jobs::draft::Demand;

/// What the unfinished jobs of a project request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The limits.
    pub quota: Quota,
    /// The requests of the running jobs.
    pub running: Demand,
    /// The number of running jobs.
    pub running_jobs: i64,
    /// The requests of the jobs that have not started yet.
    pub waiting: Demand,
    /// The number of jobs that have not started yet.
    pub waiting_jobs: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    project: ProjectId,
    #[diesel(sql_type = Nullable<Integer>)]
    gpu: Option<i32>,
    #[diesel(sql_type = Nullable<BigInt>)]
    cpu_millis: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    memory_bytes: Option<i64>,
    #[diesel(sql_type = Nullable<Integer>)]
    concurrent_jobs: Option<i32>,
    #[diesel(sql_type = Array<BigInt>)]
    running: Vec<i64>,
    #[diesel(sql_type = Array<BigInt>)]
    waiting: Vec<i64>,
}

/// The usage of each of these projects.
///
/// # Errors
/// The database's.
pub async fn usages(conn: &mut AsyncPgConnection, projects: &[ProjectId]) -> QueryResult<Vec<(ProjectId, Usage)>> {
    // Sums of bigint are numeric; beyond what a bigint holds they are cut off.
    let rows: Vec<Row> = prepared(
        "SELECT asked.id AS project, quota.gpu, quota.cpu_millis, quota.memory_bytes, quota.concurrent_jobs,
                used.running, used.waiting
           FROM unnest($1) AS asked (id)
           LEFT JOIN project_quotas quota ON quota.project_id = asked.id
          CROSS JOIN LATERAL (
            SELECT ARRAY[least(coalesce(sum(gpu) FILTER (WHERE phase = 'RUNNING'), 0), 9223372036854775807)::bigint,
                         least(coalesce(sum(cpu_millis) FILTER (WHERE phase = 'RUNNING'), 0), 9223372036854775807)::bigint,
                         least(coalesce(sum(memory_bytes) FILTER (WHERE phase = 'RUNNING'), 0), 9223372036854775807)::bigint,
                         count(*) FILTER (WHERE phase = 'RUNNING')] AS running,
                   ARRAY[least(coalesce(sum(gpu) FILTER (WHERE phase <> 'RUNNING'), 0), 9223372036854775807)::bigint,
                         least(coalesce(sum(cpu_millis) FILTER (WHERE phase <> 'RUNNING'), 0), 9223372036854775807)::bigint,
                         least(coalesce(sum(memory_bytes) FILTER (WHERE phase <> 'RUNNING'), 0), 9223372036854775807)::bigint,
                         count(*) FILTER (WHERE phase <> 'RUNNING')] AS waiting
              FROM jobs WHERE project_id = asked.id AND phase IN ('SUBMITTED', 'QUEUED', 'RUNNING')
          ) AS used",
    )
    .bind::<Array<SqlUuid>, _>(projects)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project, row.usage())).collect())
}

impl Row {
    fn usage(&self) -> Usage {
        let Self { gpu, cpu_millis, memory_bytes, concurrent_jobs, .. } = *self;
        let amount = |of: &[i64], index: usize| of.get(index).copied().unwrap_or(0);
        let demand = |of: &[i64]| Demand { gpu: amount(of, 0), cpu_millis: amount(of, 1), memory_bytes: amount(of, 2) };
        Usage {
            quota: Quota { gpu, cpu_millis, memory_bytes, concurrent_jobs },
            running: demand(&self.running),
            running_jobs: amount(&self.running, 3),
            waiting: demand(&self.waiting),
            waiting_jobs: amount(&self.waiting, 3),
        }
    }
}
