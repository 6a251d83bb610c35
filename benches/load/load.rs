//! Queries over HTTP, as many as 32 connections can carry.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::try_join_all;
use platform::graphql::cursor::Position;
use platform::ids::{JobId, ProjectId};
use rand::RngExt;
use uuid::Uuid;

use crate::CONNECTIONS;
use crate::pgbench::{Known, Yardstick};
use crate::server::Target;
use crate::wire::Connection;

/// Jobs, projects and groups of the `bench` seed.
const JOBS: u32 = 100_000;
const PROJECTS: u32 = 250;
const GROUPS: u32 = 50;
/// Groups on a page of the third operation.
const PAGE: u32 = 10;

/// One kind of operation.
pub struct Workload {
    pub name: &'static str,
    query: &'static str,
    variables: fn() -> String,
    senders: Senders,
}

/// Who sends an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Senders {
    /// Each connection is of another user, so no request is executed together with another one.
    Many,
    /// All connections are of one user.
    One,
}

/// The operations, each with the same by hand, one statement a level.
pub fn workloads() -> [(Workload, Yardstick); 3] {
    [
        (
            Workload {
                name: "a random job, its user and project",
                query: "query($id: ID!) { job(id: $id) { id name phase submittedAt submittedBy { username displayName } project { id name } } }",
                variables: || format!(r#"{{"id":"{}"}}"#, JobId::from_uuid(seeded(0x9006, random(1..=JOBS)))),
                senders: Senders::Many,
            },
            Yardstick {
                sql: "\\set n random(1, 100000)
SELECT id, name, phase, submitted_at, submitted_by AS who, project_id AS what FROM jobs
 WHERE id = ('019b75e1-b800-7000-9006-' || lpad(to_hex(:n::int), 12, '0'))::uuid \\gset
SELECT u.username, u.display_name, p.id, p.name FROM users u, projects p WHERE u.id = :who::uuid AND p.id = :what::uuid;",
                known: None,
            },
        ),
        (
            Workload {
                name: "the 20 newest jobs of a random project",
                query: "query($id: ID!) { project(id: $id) { id name jobs(first: 20) { nodes { id name phase submittedAt } } } }",
                variables: || format!(r#"{{"id":"{}"}}"#, ProjectId::from_uuid(seeded(0x9003, random(1..=PROJECTS)))),
                senders: Senders::Many,
            },
            Yardstick {
                sql: "\\set n random(1, 250)
SELECT id AS project, name FROM projects
 WHERE id = ('019b75e1-b800-7000-9003-' || lpad(to_hex(:n::int), 12, '0'))::uuid \\gset
SELECT id, name, phase, submitted_at FROM jobs WHERE project_id = :project::uuid ORDER BY submitted_at DESC, id DESC LIMIT 20;",
                known: None,
            },
        ),
        (
            Workload {
                name: "10 random groups x 5 projects x 5 jobs with submitter",
                query: LEVELS,
                variables: || levels(random(1..=GROUPS - PAGE)),
                senders: Senders::Many,
            },
            Yardstick {
                sql: "SELECT id, name FROM groups WHERE (name, id) > (:name_{n}, :id_{n}::uuid) ORDER BY name, id LIMIT 10;
SELECT g.id, p.id, p.name FROM unnest(:groups_{n}::uuid[]) g (id), LATERAL
 (SELECT id, name FROM projects WHERE group_id = g.id ORDER BY name, id LIMIT 5) p;
SELECT p.id, j.id, j.name, j.phase, j.submitted_by FROM unnest(:projects_{n}::uuid[]) p (id), LATERAL
 (SELECT id, name, phase, submitted_by, submitted_at FROM jobs WHERE project_id = p.id ORDER BY submitted_at DESC, id DESC LIMIT 5) j;
SELECT id, username FROM users WHERE id = ANY(:people_{n}::uuid[]);",
                known: Some(Known {
                    numbers: 1..=GROUPS - PAGE,
                    keys: "WITH start AS (SELECT name, id FROM groups
  WHERE id = ('019b75e1-b800-7000-9002-' || lpad(to_hex($1::int), 12, '0'))::uuid),
 g AS (SELECT groups.id FROM groups, start WHERE (groups.name, groups.id) > (start.name, start.id)
  ORDER BY groups.name, groups.id LIMIT 10),
 p AS (SELECT p.id FROM g, LATERAL (SELECT id FROM projects WHERE group_id = g.id ORDER BY name, id LIMIT 5) p),
 j AS (SELECT j.* FROM p, LATERAL (SELECT submitted_by FROM jobs WHERE project_id = p.id ORDER BY submitted_at DESC, id DESC LIMIT 5) j)
SELECT (SELECT name FROM start) AS name, (SELECT id FROM start)::text AS id, (SELECT array_agg(id) FROM g)::text AS groups,
 (SELECT array_agg(id) FROM p)::text AS projects, (SELECT array_agg(DISTINCT submitted_by) FROM j)::text AS people",
                }),
            },
        ),
    ]
}

/// What sharing adds: the third operation as a dashboard sends it that one user has open many times.
pub fn shared() -> Workload {
    Workload {
        name: "the same from one user with equal variables: executions are shared",
        query: LEVELS,
        variables: || levels(1),
        senders: Senders::One,
    }
}

const LEVELS: &str = "query($groups: Int!, $after: String!, $projects: Int!, $jobs: Int!) { groups(first: $groups, after: $after) { nodes { id name projects(first: $projects) { nodes { id name jobs(first: $jobs) { nodes { id name phase submittedBy { username } } } } } } } }";

/// The variables for the page behind one of the seed's groups, which are named by their numbers.
fn levels(start: u32) -> String {
    let after = Position::of(format!("bench-{start:02}"), seeded(0x9002, start)).encode();
    format!(r#"{{"groups":{PAGE},"after":"{after}","projects":5,"jobs":5}}"#)
}

/// Submitting a small job of a random project, and the preview of the same, which asks the cluster too.
pub fn submits() -> [Workload; 2] {
    let input = || {
        let project = ProjectId::from_uuid(seeded(0x9003, random(1..=PROJECTS)));
        format!(
            r#"{{"i":{{"projectId":"{project}","source":{{"spec":{{"image":"python:3.12","command":["python","train.py"]}}}}}}}}"#
        )
    };
    let workload = |name, query| Workload { name, query, variables: input, senders: Senders::Many };
    [
        workload("previewJob, with its dry run", "query($i: SubmitJobInput!) { previewJob(input: $i) { admitted } }"),
        workload("submitJob", "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }"),
    ]
}

fn random(numbers: RangeInclusive<u32>) -> u32 {
    rand::rng().random_range(numbers)
}

/// An id of the seed, whose ids are numbered.
fn seeded(kind: u64, number: u32) -> Uuid {
    Uuid::from_u64_pair(0x019b_75e1_b800_7000, kind << 48 | u64::from(number))
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

/// Runs one kind of operation for `time`, after a fifth of it to warm up. `tokens` are those of different users, one for
/// each connection.
pub async fn run(target: Target, tokens: &[String], workload: &Workload, time: Duration) -> anyhow::Result<Measured> {
    ensure!(tokens.len() == CONNECTIONS, "{} users for {CONNECTIONS} connections", tokens.len());
    hammer(target, tokens, workload, time / 5).await?;
    let (cpu, before) = (target.cpu()?, target.counter("platform_sql_statements_total").await?);
    let since = Instant::now();
    let mut took = hammer(target, tokens, workload, time).await?;
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

async fn hammer(
    target: Target,
    tokens: &[String],
    workload: &Workload,
    time: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let end = Instant::now() + time;
    let query = serde_json::to_string(workload.query)?;
    let query = &query;
    let connections = (0..CONNECTIONS).map(|number| async move {
        let sender = match workload.senders {
            Senders::Many => number,
            Senders::One => 0,
        };
        let headers = format!("authorization: Bearer {}\r\n", tokens[sender]);
        let mut connection = Connection::open(target.address).await?;
        let mut took = Vec::new();
        while Instant::now() < end {
            let body = format!(r#"{{"query":{query},"variables":{}}}"#, (workload.variables)());
            let since = Instant::now();
            let answer = connection.post(&headers, &body).await?;
            took.push(since.elapsed());
            // With errors it would end with their list; looking through all of it costs more than sending it.
            ensure!(answer.starts_with("{\"data\":{") && answer.ends_with("}}"), "{answer}");
        }
        anyhow::Ok(took)
    });
    Ok(try_join_all(connections).await?.concat())
}
