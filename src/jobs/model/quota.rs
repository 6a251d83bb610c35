//! The quotas of several projects with what their jobs request, of the projects and of their people, in one statement each.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::prepared;
use crate::ids::{ProjectId, UserId};
use crate::jobs::draft::Demand;
use crate::projects::model::limits::Limits;

/// What the unfinished jobs of a project request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The limits.
    pub limits: Limits,
    /// The requests of the running jobs.
    pub running: Demand,
    /// The number of running jobs.
    pub running_jobs: i64,
    /// The requests of the jobs that have not started yet.
    pub waiting: Demand,
    /// The number of jobs that have not started yet.
    pub waiting_jobs: i64,
    /// The sizes of the storage claims.
    pub storage: Storage,
}

/// The sizes of the storage claims of a project together, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Storage {
    /// Those that have a volume.
    pub bound: i64,
    /// Those that wait for one.
    pub waiting: i64,
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
    #[diesel(sql_type = Nullable<Integer>)]
    queued_jobs: Option<i32>,
    #[diesel(sql_type = Nullable<BigInt>)]
    storage_bytes: Option<i64>,
    #[diesel(sql_type = Array<BigInt>)]
    running: Vec<i64>,
    #[diesel(sql_type = Array<BigInt>)]
    waiting: Vec<i64>,
    #[diesel(sql_type = Array<BigInt>)]
    storage: Vec<i64>,
}

/// The usage of each of these projects.
///
/// # Errors
/// The database's.
pub async fn usages(conn: &mut AsyncPgConnection, projects: &[ProjectId]) -> QueryResult<Vec<(ProjectId, Usage)>> {
    // Sums of bigint are numeric; beyond what a bigint holds they are cut off.
    let rows: Vec<Row> = prepared(
        "SELECT asked.id AS project, quota.gpu, quota.cpu_millis, quota.memory_bytes, quota.concurrent_jobs, quota.queued_jobs,
                quota.storage_bytes, used.running, used.waiting, claimed.storage
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
          ) AS used
          CROSS JOIN LATERAL (
            SELECT ARRAY[least(coalesce(sum(size_bytes) FILTER (WHERE capacity_bytes IS NOT NULL), 0), 9223372036854775807)::bigint,
                         least(coalesce(sum(size_bytes) FILTER (WHERE capacity_bytes IS NULL), 0), 9223372036854775807)::bigint] AS storage
              FROM storage_claims WHERE project_id = asked.id
          ) AS claimed",
    )
    .bind::<Array<SqlUuid>, _>(projects)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project, row.usage())).collect())
}

/// The demand and the number of jobs in what a statement adds up.
fn amounts(of: &[i64]) -> (Demand, i64) {
    let amount = |index: usize| of.get(index).copied().unwrap_or(0);
    (Demand { gpu: amount(0), cpu_millis: amount(1), memory_bytes: amount(2) }, amount(3))
}

impl Row {
    fn usage(&self) -> Usage {
        let Self { gpu, cpu_millis, memory_bytes, storage_bytes, concurrent_jobs, queued_jobs, .. } = *self;
        let (running, running_jobs) = amounts(&self.running);
        let (waiting, waiting_jobs) = amounts(&self.waiting);
        let limits =
            Limits { gpu, cpu_millis, memory_bytes, storage_bytes, concurrent_jobs, queued_jobs, ..Limits::default() };
        let claimed = |index: usize| self.storage.get(index).copied().unwrap_or(0);
        let storage = Storage { bound: claimed(0), waiting: claimed(1) };
        Usage { limits, running, running_jobs, waiting, waiting_jobs, storage }
    }
}

/// What the unfinished jobs of one user in a project request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfPerson {
    /// The user.
    pub user: UserId,
    /// Their usage. Its limits are those for each user.
    pub usage: Usage,
}

#[derive(QueryableByName)]
struct PersonRow {
    #[diesel(sql_type = SqlUuid)]
    project: ProjectId,
    #[diesel(sql_type = SqlUuid)]
    person: UserId,
    #[diesel(sql_type = Nullable<Integer>)]
    jobs: Option<i32>,
    #[diesel(sql_type = Nullable<Integer>)]
    queued: Option<i32>,
    #[diesel(sql_type = Array<BigInt>)]
    running: Vec<i64>,
    #[diesel(sql_type = Array<BigInt>)]
    waiting: Vec<i64>,
}

/// The users with the most unfinished jobs in each of these projects, at most `most` of each project.
///
/// # Errors
/// The database's.
pub async fn people(
    conn: &mut AsyncPgConnection,
    projects: &[ProjectId],
    most: i64,
) -> QueryResult<Vec<(ProjectId, OfPerson)>> {
    let rows: Vec<PersonRow> = prepared(
        "SELECT asked.id AS project, used.person, quota.concurrent_jobs_per_user AS jobs,
                quota.queued_jobs_per_user AS queued, used.running, used.waiting
           FROM unnest($1) AS asked (id)
           LEFT JOIN project_quotas quota ON quota.project_id = asked.id
          CROSS JOIN LATERAL (
            SELECT submitted_by AS person,
                   ARRAY[least(coalesce(sum(gpu) FILTER (WHERE phase = 'RUNNING'), 0), 9223372036854775807)::bigint,
                         least(coalesce(sum(cpu_millis) FILTER (WHERE phase = 'RUNNING'), 0), 9223372036854775807)::bigint,
                         least(coalesce(sum(memory_bytes) FILTER (WHERE phase = 'RUNNING'), 0), 9223372036854775807)::bigint,
                         count(*) FILTER (WHERE phase = 'RUNNING')] AS running,
                   ARRAY[least(coalesce(sum(gpu) FILTER (WHERE phase <> 'RUNNING'), 0), 9223372036854775807)::bigint,
                         least(coalesce(sum(cpu_millis) FILTER (WHERE phase <> 'RUNNING'), 0), 9223372036854775807)::bigint,
                         least(coalesce(sum(memory_bytes) FILTER (WHERE phase <> 'RUNNING'), 0), 9223372036854775807)::bigint,
                         count(*) FILTER (WHERE phase <> 'RUNNING')] AS waiting
              FROM jobs WHERE project_id = asked.id AND phase IN ('SUBMITTED', 'QUEUED', 'RUNNING')
             GROUP BY submitted_by ORDER BY count(*) DESC, submitted_by LIMIT $2
          ) AS used",
    )
    .bind::<Array<SqlUuid>, _>(projects)
    .bind::<BigInt, _>(most)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project, row.person())).collect())
}

impl PersonRow {
    fn person(self) -> OfPerson {
        let (running, running_jobs) = amounts(&self.running);
        let (waiting, waiting_jobs) = amounts(&self.waiting);
        let limits = Limits { concurrent_jobs: self.jobs, queued_jobs: self.queued, ..Limits::default() };
        let usage = Usage { limits, running, running_jobs, waiting, waiting_jobs, storage: Storage::default() };
        OfPerson { user: self.person, usage }
    }
}
