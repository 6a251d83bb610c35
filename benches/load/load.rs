//! Queries over HTTP, as many as 32 connections can carry.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::try_join_all;
use platform::ids::{JobId, ProjectId};
use rand::RngExt;
use uuid::Uuid;

use crate::CONNECTIONS;
use crate::server::Target;
use crate::wire::Connection;

/// Jobs, projects and groups of the `bench` seed.
pub const JOBS: u32 = 100_000;
pub const PROJECTS: u32 = 250;

/// One kind of operation, for the server and for pgbench.
pub struct Workload {
    pub name: &'static str,
    query: &'static str,
    variables: fn() -> String,
    /// The same by hand, one statement a level.
    pub sql: &'static str,
    /// One row of keys that its statements know beforehand: what one gives cannot be handed on to the next.
    pub keys: Option<&'static str>,
}

pub fn workloads() -> [Workload; 3] {
    [
        Workload {
            name: "a random job, its user and project",
            query: "query($id: ID!) { job(id: $id) { id name phase submittedAt submittedBy { username displayName } project { id name } } }",
            keys: None,
            variables: || format!(r#"{{"id":"{}"}}"#, JobId::from_uuid(seeded(0x9006, 1..=JOBS))),
            sql: "\\set n random(1, 100000)
SELECT id, name, phase, submitted_at, submitted_by AS who, project_id AS what FROM jobs
 WHERE id = ('019b75e1-b800-7000-9006-' || lpad(to_hex(:n::int), 12, '0'))::uuid \\gset
SELECT u.username, u.display_name, p.id, p.name FROM users u, projects p WHERE u.id = :who::uuid AND p.id = :what::uuid;",
        },
        Workload {
            name: "the 20 newest jobs of a random project",
            query: "query($id: ID!) { project(id: $id) { id name jobs(first: 20) { nodes { id name phase submittedAt } } } }",
            keys: None,
            variables: || format!(r#"{{"id":"{}"}}"#, ProjectId::from_uuid(seeded(0x9003, 1..=PROJECTS))),
            sql: "\\set n random(1, 250)
SELECT id AS project, name FROM projects
 WHERE id = ('019b75e1-b800-7000-9003-' || lpad(to_hex(:n::int), 12, '0'))::uuid \\gset
SELECT id, name, phase, submitted_at FROM jobs WHERE project_id = :project::uuid ORDER BY submitted_at DESC, id DESC LIMIT 20;",
        },
        Workload {
            name: "10 groups x 5 projects x 5 jobs with submitter",
            query: "query($groups: Int!, $projects: Int!, $jobs: Int!) { groups(first: $groups) { nodes { id name projects(first: $projects) { nodes { id name jobs(first: $jobs) { nodes { id name phase submittedBy { username } } } } } } } }",
            variables: || r#"{"groups":10,"projects":5,"jobs":5}"#.to_owned(),
            keys: Some("WITH g AS (SELECT id FROM groups ORDER BY name, id LIMIT 10),
 p AS (SELECT p.id FROM g, LATERAL (SELECT id FROM projects WHERE group_id = g.id ORDER BY name, id LIMIT 5) p),
 j AS (SELECT j.* FROM p, LATERAL (SELECT submitted_by FROM jobs WHERE project_id = p.id ORDER BY submitted_at DESC, id DESC LIMIT 5) j)
SELECT (SELECT array_agg(id) FROM g)::text AS groups, (SELECT array_agg(id) FROM p)::text AS projects, (SELECT array_agg(DISTINCT submitted_by) FROM j)::text AS people"),
            sql: "SELECT id, name FROM groups ORDER BY name, id LIMIT 10;
SELECT g.id, p.id, p.name FROM unnest(:groups::uuid[]) g (id), LATERAL
 (SELECT id, name FROM projects WHERE group_id = g.id ORDER BY name, id LIMIT 5) p;
SELECT p.id, j.id, j.name, j.phase, j.submitted_by FROM unnest(:projects::uuid[]) p (id), LATERAL
 (SELECT id, name, phase, submitted_by, submitted_at FROM jobs WHERE project_id = p.id ORDER BY submitted_at DESC, id DESC LIMIT 5) j;
SELECT id, username FROM users WHERE id = ANY(:people::uuid[]);",
        },
    ]
}

/// Submitting a small job of a random project, and the preview of the same, which asks the cluster too.
pub fn submits() -> [Workload; 2] {
    let input = || {
        let project = ProjectId::from_uuid(seeded(0x9003, 1..=PROJECTS));
        format!(
            r#"{{"i":{{"projectId":"{project}","spec":{{"image":"python:3.12","command":["python","train.py"]}}}}}}"#
        )
    };
    let workload = |name, query| Workload { name, query, variables: input, sql: "", keys: None };
    [
        workload(
            "previewJob, with its dry run",
            "mutation($i: SubmitJobInput!) { previewJob(input: $i) { preview { admitted } } }",
        ),
        workload("submitJob", "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }"),
    ]
}

/// A random id of the seed, whose ids are numbered.
fn seeded(kind: u64, numbers: std::ops::RangeInclusive<u32>) -> Uuid {
    let number = u64::from(rand::rng().random_range(numbers));
    Uuid::from_u64_pair(0x019b_75e1_b800_7000, kind << 48 | number)
}

/// What came out.
pub struct Measured {
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// Of the server, an operation.
    pub cpu: Duration,
    /// An operation, of a server that counts them.
    pub statements: Option<f64>,
}

/// Runs one kind of operation for `time`, after a fifth of it to warm up.
pub async fn run(target: Target, token: &str, workload: &Workload, time: Duration) -> anyhow::Result<Measured> {
    hammer(target, token, workload, time / 5).await?;
    let (cpu, before) = (target.cpu()?, target.counter("platform_sql_statements_total").await?);
    let since = Instant::now();
    let mut took = hammer(target, token, workload, time).await?;
    let (elapsed, cpu) = (since.elapsed(), target.cpu()? - cpu);
    let after = target.counter("platform_sql_statements_total").await?;
    ensure!(!took.is_empty(), "nothing was answered");
    took.sort_unstable();
    let operations = u32::try_from(took.len())?;
    Ok(Measured {
        per_second: f64::from(operations) / elapsed.as_secs_f64(),
        p50: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
        cpu: cpu / operations,
        statements: after.zip(before).map(|(after, before)| (after - before) / f64::from(operations)),
    })
}

async fn hammer(target: Target, token: &str, workload: &Workload, time: Duration) -> anyhow::Result<Vec<Duration>> {
    let end = Instant::now() + time;
    let headers = format!("authorization: Bearer {token}\r\n");
    let query = serde_json::to_string(workload.query)?;
    let (headers, query) = (&headers, &query);
    let connections = (0..CONNECTIONS).map(|_| async move {
        let mut connection = Connection::open(target.address).await?;
        let mut took = Vec::new();
        while Instant::now() < end {
            let body = format!(r#"{{"query":{query},"variables":{}}}"#, (workload.variables)());
            let since = Instant::now();
            let answer = connection.post(headers, &body).await?;
            took.push(since.elapsed());
            // With errors it would end with their list; looking through all of it costs more than sending it.
            ensure!(answer.starts_with("{\"data\":{") && answer.ends_with("}}"), "{answer}");
        }
        anyhow::Ok(took)
    });
    Ok(try_join_all(connections).await?.concat())
}
