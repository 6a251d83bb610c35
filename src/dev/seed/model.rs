//! The rows of the seed and the SQL that inserts them, each only if it does not exist yet.

use chrono::{Duration, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_postgres::{Error, Transaction};
use uuid::Uuid;

use crate::ids::{JobId, ProjectId, suffix};

/// The kind of object that a fixed ID identifies.
#[derive(Debug, Clone, Copy)]
enum Table {
    Users = 1,
    Groups = 2,
    Projects = 3,
    ConfigFiles = 4,
    ConfigCommits = 5,
    Jobs = 6,
}

/// A UUIDv7 of 1 January 2026 that is the same on every start.
fn id(table: Table, number: u16) -> Uuid {
    const FIRST_OF_2026: u128 = 0x019b_75e1_b800;
    Uuid::from_u128(FIRST_OF_2026 << 80 | 0x7 << 76 | 0x2 << 62 | (table as u128) << 32 | u128::from(number))
}

/// A person.
#[derive(Debug)]
pub(super) struct Person {
    pub number: u16,
    pub display_name: &'static str,
    pub platform_role: &'static str,
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub number: u16,
    pub name: &'static str,
    pub description: &'static str,
}

/// The members of a group.
#[derive(Debug)]
pub(super) struct Member {
    pub group: u16,
    pub person: u16,
    pub role: &'static str,
}

/// A project.
#[derive(Debug)]
pub(super) struct Project {
    pub number: u16,
    pub group: u16,
    pub name: &'static str,
    pub description: &'static str,
}

/// A config file with one version.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub number: u16,
    pub project: u16,
    pub author: u16,
    pub name: &'static str,
    pub kinds: &'static [&'static str],
    pub message: &'static str,
    pub yaml: &'static str,
}

/// A finished job.
#[derive(Debug)]
pub(super) struct PastJob {
    pub number: u16,
    pub project: u16,
    pub submitter: u16,
    pub name: &'static str,
    pub phase: &'static str,
    pub reason: Option<&'static str>,
    pub message: Option<&'static str>,
    pub hours_ago: i64,
    pub exit_code: Option<i32>,
}

pub(super) async fn person(
    transaction: &Transaction<'_>,
    person: &Person,
    username: &str,
    hash: &str,
) -> Result<(), Error> {
    transaction
        .execute(
            "INSERT INTO users (id, username, display_name, password_hash, platform_role)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            &[&id(Table::Users, person.number), &username, &person.display_name, &hash, &person.platform_role],
        )
        .await
        .map(drop)
}

pub(super) async fn group(transaction: &Transaction<'_>, group: &Group) -> Result<(), Error> {
    transaction
        .execute(
            "INSERT INTO groups (id, name, description) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[&id(Table::Groups, group.number), &group.name, &group.description],
        )
        .await
        .map(drop)
}

pub(super) async fn member(transaction: &Transaction<'_>, member: &Member) -> Result<(), Error> {
    transaction
        .execute(
            "INSERT INTO group_members (group_id, user_id, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[&id(Table::Groups, member.group), &id(Table::Users, member.person), &member.role],
        )
        .await
        .map(drop)
}

fn namespace(project: u16) -> String {
    format!("proj-{}", suffix(id(Table::Projects, project)))
}

pub(super) async fn project(transaction: &Transaction<'_>, project: &Project) -> Result<(), Error> {
    transaction
        .execute(
            "INSERT INTO projects (id, group_id, name, description, namespace)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            &[
                &id(Table::Projects, project.number),
                &id(Table::Groups, project.group),
                &project.name,
                &project.description,
                &namespace(project.number),
            ],
        )
        .await
        .map(drop)
}

pub(super) async fn config_file(transaction: &Transaction<'_>, file: &ConfigFile) -> Result<(), Error> {
    let sha256 = Sha256::digest(file.yaml).to_vec();
    let planted = transaction
        .execute(
            "INSERT INTO config_files (id, project_id, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[&id(Table::ConfigFiles, file.number), &id(Table::Projects, file.project), &file.name],
        )
        .await?;
    if planted == 0 {
        return Ok(());
    }
    transaction
        .execute(
            "INSERT INTO config_blobs (sha256, yaml, kinds) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[&sha256, &file.yaml, &file.kinds],
        )
        .await?;
    transaction
        .execute(
            "INSERT INTO config_commits (id, config_file_id, blob_sha256, message, author_id)
             VALUES ($1, $2, $3, $4, $5)",
            &[
                &id(Table::ConfigCommits, file.number),
                &id(Table::ConfigFiles, file.number),
                &sha256,
                &file.message,
                &id(Table::Users, file.author),
            ],
        )
        .await
        .map(drop)
}

pub(super) async fn past_job(transaction: &Transaction<'_>, job: &PastJob, manifest: &Value) -> Result<(), Error> {
    let job_id = id(Table::Jobs, job.number);
    let submitted_at = Utc::now() - Duration::hours(job.hours_ago);
    let (started_at, finished_at) = (submitted_at + Duration::minutes(2), submitted_at + Duration::minutes(40));
    let object_name = JobId::from_uuid(job_id).to_string().replace('_', "-");
    let state = if job.exit_code == Some(0) { "SUCCEEDED" } else { "FAILED" };
    let tasks = json!([{
        "index": 0, "state": state, "pod": format!("{object_name}-0"), "node": "gpu-node-1",
        "exitCode": job.exit_code, "signal": null, "reason": job.reason,
        "startedAt": started_at, "finishedAt": finished_at,
    }]);
    let planted = transaction
        .execute(
            "INSERT INTO jobs (id, project_id, submitted_by, name, queue, priority, executor, phase, reason, message,
                               manifest, tasks, namespace, object_name, next_attempt_at,
                               submitted_at, started_at, finished_at)
             VALUES ($1, $2, $3, $4, 'default-batch', 0, 'SCHEDULER', $5, $6, $7,
                     $8::text::jsonb, $9::text::jsonb, $10, $11, NULL, $12, $13, $14)
             ON CONFLICT DO NOTHING",
            &[
                &job_id,
                &id(Table::Projects, job.project),
                &id(Table::Users, job.submitter),
                &job.name,
                &job.phase,
                &job.reason,
                &job.message,
                &manifest.to_string(),
                &tasks.to_string(),
                &namespace(job.project),
                &object_name,
                &submitted_at,
                &started_at,
                &finished_at,
            ],
        )
        .await?;
    if planted == 0 {
        return Ok(());
    }
    transaction
        .execute(
            "INSERT INTO events (kind, subject, project, \"group\", person, payload, at)
             SELECT 'job', jobs.id, jobs.project_id, projects.group_id, jobs.submitted_by,
                    jsonb_strip_nulls(jsonb_build_object(
                        'kind', story.kind, 'phase', story.phase, 'previousPhase', story.previous_phase,
                        'reason', CASE WHEN story.phase = jobs.phase THEN jobs.reason END,
                        'message', CASE WHEN story.phase = jobs.phase THEN jobs.message END,
                        'job', jsonb_build_object(
                            'name', jobs.name, 'queue', jobs.queue, 'configFile', config_commits.config_file_id,
                            'submittedAt', jobs.submitted_at,
                            'finishedAt', CASE WHEN story.phase = jobs.phase THEN jobs.finished_at END))),
                    story.at
               FROM jobs
               JOIN projects ON projects.id = jobs.project_id
               LEFT JOIN config_commits ON config_commits.id = jobs.config_commit_id
              CROSS JOIN LATERAL (VALUES
                    ('SUBMITTED', 'SUBMITTED', NULL, jobs.submitted_at),
                    ('PHASE_CHANGED', 'QUEUED', 'SUBMITTED', jobs.submitted_at + interval '1 second'),
                    ('PHASE_CHANGED', 'RUNNING', 'QUEUED', jobs.started_at),
                    ('PHASE_CHANGED', jobs.phase, 'RUNNING', jobs.finished_at)
                  ) AS story (kind, phase, previous_phase, at)
              WHERE jobs.id = $1
              ORDER BY story.at",
            &[&job_id],
        )
        .await
        .map(drop)
}

/// Inserts the data for benchmarks in bulk, on the server.
pub(super) async fn bench(transaction: &Transaction<'_>, password_hash: &str) -> Result<(), Error> {
    transaction.execute("SELECT set_config('seed.password_hash', $1, true)", &[&password_hash]).await?;
    transaction.batch_execute(include_str!("bench.sql")).await
}

/// The names of namespaces cannot be computed in SQL, because the base32 of the IDs is our own.
pub(super) async fn bench_projects(transaction: &Transaction<'_>) -> Result<(), Error> {
    let rows = transaction.query("SELECT id FROM projects WHERE namespace LIKE 'bench-%'", &[]).await?;
    for row in rows {
        let project: Uuid = row.try_get(0)?;
        let namespace = format!("proj-{}", suffix(ProjectId::from_uuid(project).uuid()));
        transaction.execute("UPDATE projects SET namespace = $2 WHERE id = $1", &[&project, &namespace]).await?;
    }
    Ok(())
}
