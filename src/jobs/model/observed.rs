//! The part of a job's row that its life changes: locked, changed by `jobs::life`, written back with its events.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::part::Parts;
use super::task::Task;
use crate::cluster::pods::TaskPod;
use crate::db::tables::{config_commits, jobs, projects};
use crate::events::About;
use crate::events::model::{Record, append_records};
use crate::executor::ExecutorMode;
use crate::ids::{ConfigId, GroupId, JobId, ProjectId, UserId};
use crate::jobs::event::{JobEvent, Particulars, about};
use crate::jobs::life::{Observation, Seen};
use crate::jobs::phase::JobPhase;
use crate::notifications::model::{self as notifications, Notice, NotificationType};

/// The column `tasks`.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = Jsonb)]
pub struct Tasks(pub Vec<Task>);

impl FromSql<Jsonb, Pg> for Tasks {
    fn from_sql(bytes: PgValue<'_>) -> diesel::deserialize::Result<Self> {
        let value = <serde_json::Value as FromSql<Jsonb, Pg>>::from_sql(bytes)?;
        Ok(Self(serde_json::from_value(value)?))
    }
}

/// The columns that a job's life reads and changes.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(Pg))]
#[allow(missing_docs, reason = "the columns are described in the migration")]
pub struct Life {
    pub id: JobId,
    pub namespace: String,
    pub phase: JobPhase,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub pending_reason: Option<String>,
    pub preemptions: i32,
    pub tasks: Tasks,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub cancel_reason: Option<String>,
    pub object_name: String,
    pub object_uid: Option<String>,
    pub object_version: Option<i64>,
    pub attempt: i32,
    pub retry_limit: i32,
    pub deadline_seconds: Option<i64>,
    pub ttl_seconds: Option<i64>,
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub refused_since: Option<DateTime<Utc>>,
    pub executor: ExecutorMode,
    pub parts: Parts,
}

/// Applies observations in order in one transaction: one statement for all rows, one for all events. Observations of
/// unknown jobs are dropped. Returns the number of events written.
///
/// # Errors
/// The database's; nothing was changed in that case.
pub async fn apply(
    conn: &mut AsyncPgConnection,
    observations: &[Observation],
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    conn.transaction(async |conn| {
        let (mut lives, abouts) = lock(conn, observations.iter().map(|observation| observation.job).collect()).await?;
        let counts = task_counts(conn, observations, &lives).await?;
        let before = lives.clone();
        let mut events = Vec::new();
        for Observation { job, executor, seen } in observations {
            if let (Some(life), Some(about)) = (lives.get_mut(job), abouts.get(job))
                && life.executor == *executor
                && is_possible(seen, counts.get(job))
            {
                let told = life.observe(seen, now);
                events.extend(told.into_iter().map(|event| about.event(event, life)));
            }
        }
        let changed: Vec<&Life> = lives.values().filter(|life| differs(life, before.get(&life.id))).collect();
        save(conn, &changed).await?;
        let ended = changed.iter().filter(|life| has_ended(life, before.get(&life.id)));
        let notices = ended.filter_map(|life| notice(life, abouts.get(&life.id).map(|about| &about.topics))).collect();
        append_with_notices(conn, &events, notices).await?;
        Ok(events.len())
    })
    .await
}

/// Changes one job under its lock. Returns the job after the change, or `None` if there is no such job.
///
/// # Errors
/// The database's; nothing was changed in that case.
pub async fn change(
    conn: &mut AsyncPgConnection,
    job: JobId,
    change: impl FnOnce(&mut Life) -> Vec<JobEvent> + Send,
) -> QueryResult<Option<Life>> {
    conn.transaction(async |conn| {
        let (mut lives, abouts) = lock(conn, vec![job]).await?;
        let (Some(mut life), Some(about)) = (lives.remove(&job), abouts.get(&job)) else { return Ok(None) };
        let before = life.clone();
        let told = life.telling(change);
        let events: Vec<_> = told.into_iter().map(|event| about.event(event, &life)).collect();
        save(conn, &[&life]).await?;
        let notices = if has_ended(&life, Some(&before)) { notice(&life, Some(&about.topics)) } else { None };
        append_with_notices(conn, &events, notices.into_iter().collect()).await?;
        Ok(Some(life))
    })
    .await
}

/// Whether the job was not over before and is now.
fn has_ended(life: &Life, before: Option<&Life>) -> bool {
    life.phase.is_terminal() && before.is_none_or(|before| !before.phase.is_terminal())
}

/// What the submitter of a job that has ended is told.
fn notice(life: &Life, about: Option<&About>) -> Option<Notice> {
    Some(Notice {
        user: about?.person?,
        kind: NotificationType::JobEnded,
        subject: life.id.to_text(),
        message: format!("Your job has ended: {}.", life.phase.as_str()),
    })
}

/// Appends the events of jobs, and writes the notifications in one statement.
async fn append_with_notices(
    conn: &mut AsyncPgConnection,
    events: &[(About, JobEvent)],
    notices: Vec<Notice>,
) -> QueryResult<()> {
    let mut told = events.iter().map(|(about, event)| Record::of(*about, event)).collect::<QueryResult<Vec<_>>>()?;
    told.extend(notifications::write(conn, notices).await?);
    append_records(conn, &told).await
}

/// A newer version alone is not worth a write: the row already has its state. An older one is, because otherwise later
/// observations would be taken for outdated.
fn differs(life: &Life, before: Option<&Life>) -> bool {
    before.is_none_or(|before| {
        let went_back = life.object_version < before.object_version;
        went_back || Life { object_version: life.object_version, ..before.clone() } != *life
    })
}

/// The number of tasks of the jobs for which pods of yet unknown tasks were observed.
async fn task_counts(
    conn: &mut AsyncPgConnection,
    observations: &[Observation],
    lives: &HashMap<JobId, Life>,
) -> QueryResult<HashMap<JobId, usize>> {
    let is_new = |observation: &&Observation| match (&observation.seen, lives.get(&observation.job)) {
        (Seen::Pod(pod), Some(life)) => life.tasks.0.iter().all(|task| task.index != pod.task),
        _ => false,
    };
    let mut jobs: Vec<JobId> = observations.iter().filter(is_new).map(|observation| observation.job).collect();
    jobs.sort_unstable();
    jobs.dedup();
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let counts = super::task_counts(conn, &jobs).await?;
    Ok(counts.into_iter().map(|(job, tasks)| (job, usize::try_from(tasks).unwrap_or(0))).collect())
}

/// Whether the observation is about a task that its job has.
fn is_possible(seen: &Seen, tasks: Option<&usize>) -> bool {
    match (seen, tasks) {
        (Seen::Pod(pod), Some(tasks)) => usize::try_from(pod.task).is_ok_and(|index| index < *tasks),
        (Seen::Pod(_) | Seen::Object(_) | Seen::Part(_) | Seen::Gone(_) | Seen::PartGone { .. }, _) => true,
    }
}

/// What the events of a job have in common.
struct Told {
    topics: About,
    job: Particulars,
}

impl Told {
    fn event(&self, event: JobEvent, life: &Life) -> (About, JobEvent) {
        (self.topics, event.about(&self.job, life.finished_at))
    }
}

/// The existing jobs, and what their events have in common.
type Locked = (HashMap<JobId, Life>, HashMap<JobId, Told>);

type LockedRow = (Life, ProjectId, GroupId, UserId, String, String, Option<ConfigId>, DateTime<Utc>);

async fn lock(conn: &mut AsyncPgConnection, ids: Vec<JobId>) -> QueryResult<Locked> {
    // Not joined, so that the projects are not locked as well.
    let project = projects::table.filter(projects::id.eq(jobs::project_id));
    let group = project.select(projects::group_id).single_value().assume_not_null();
    let commit = config_commits::table.filter(config_commits::id.nullable().eq(jobs::config_commit_id));
    let file = commit.select(config_commits::config_file_id).single_value();
    // In the order of ids, so that transactions that lock several jobs cannot deadlock.
    let rows: Vec<LockedRow> = jobs::table
        .filter(jobs::id.eq_any(ids))
        .order(jobs::id.asc())
        .select((
            Life::as_select(),
            jobs::project_id,
            group,
            jobs::submitted_by,
            jobs::name,
            jobs::queue,
            file,
            jobs::submitted_at,
        ))
        .for_update()
        .load(conn)
        .await?;
    let found = rows.into_iter().map(|(life, project, group, submitted_by, name, queue, file, submitted_at)| {
        let (id, job) = (life.id, Particulars::of(&name, &queue, file, submitted_at));
        ((id, life), (id, Told { topics: about(id, project, group, submitted_by), job }))
    });
    Ok(found.unzip())
}

async fn save(conn: &mut AsyncPgConnection, lives: &[&Life]) -> QueryResult<()> {
    if lives.is_empty() {
        return Ok(());
    }
    let unwritable = |error: serde_json::Error| diesel::result::Error::SerializationError(error.into());
    let tasks = lives.iter().map(|life| serde_json::to_value(&life.tasks.0)).collect::<Result<Vec<_>, _>>();
    let parts = lives.iter().map(|life| serde_json::to_value(&life.parts.0)).collect::<Result<Vec<_>, _>>();
    let (tasks, parts) = (tasks.map_err(unwritable)?, parts.map_err(unwritable)?);
    // One array per column: the statement is the same for one row and for five hundred.
    diesel::sql_query(
        "UPDATE jobs SET phase = new.phase, reason = new.reason, message = new.message,
                pending_reason = new.pending_reason, preemptions = new.preemptions, tasks = new.tasks,
                object_uid = new.object_uid, object_version = new.object_version,
                next_attempt_at = new.next_attempt_at, started_at = new.started_at, finished_at = new.finished_at,
                attempt = new.attempt, object_name = new.object_name, refused_since = new.refused_since,
                parts = new.parts,
                manifest = CASE WHEN jobs.object_name = new.object_name THEN jobs.manifest
                                ELSE jsonb_set(jobs.manifest, '{metadata,name}', to_jsonb(new.object_name)) END
         FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
              AS new (id, phase, reason, message, pending_reason, preemptions, tasks, object_uid, object_version,
                      next_attempt_at, started_at, finished_at, attempt, object_name, refused_since, parts)
         WHERE jobs.id = new.id",
    )
    .bind::<Array<SqlUuid>, _>(lives.iter().map(|life| life.id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lives.iter().map(|life| life.phase).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(lives.iter().map(|life| life.reason.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(lives.iter().map(|life| life.message.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(lives.iter().map(|life| life.pending_reason.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lives.iter().map(|life| life.preemptions).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(tasks)
    .bind::<Array<Nullable<Text>>, _>(lives.iter().map(|life| life.object_uid.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(lives.iter().map(|life| life.object_version).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(lives.iter().map(|life| life.next_attempt_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(lives.iter().map(|life| life.started_at).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(lives.iter().map(|life| life.finished_at).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(lives.iter().map(|life| life.attempt).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(lives.iter().map(|life| life.object_name.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Timestamptz>>, _>(lives.iter().map(|life| life.refused_since).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(parts)
    .execute(conn)
    .await
    .map(drop)
}

/// The object that a job is expected to have in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Expected {
    /// The job.
    pub job: JobId,
    /// The object's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// What its parts reported last, if it is one of several objects.
    pub parts: Parts,
}

/// The objects that are expected in the cluster of jobs that are run in this way: a list of the cluster is compared with
/// them.
///
/// # Errors
/// The database's.
pub async fn in_cluster(conn: &mut AsyncPgConnection, executor: ExecutorMode) -> QueryResult<Vec<Expected>> {
    jobs::table
        .filter(jobs::phase.eq_any([JobPhase::Submitted, JobPhase::Queued, JobPhase::Running]))
        .filter(jobs::object_uid.is_not_null())
        .filter(jobs::executor.eq(executor))
        .select((jobs::id, jobs::namespace, jobs::object_name, jobs::object_uid.assume_not_null(), jobs::parts))
        .load(conn)
        .await
}

/// The pods of tasks that have not ended, each as one that no longer exists: a list of the cluster is compared with
/// them.
///
/// # Errors
/// The database's.
pub async fn pods_in_cluster(conn: &mut AsyncPgConnection) -> QueryResult<Vec<(ExecutorMode, TaskPod)>> {
    let open = [JobPhase::Submitted, JobPhase::Queued, JobPhase::Running];
    let rows: Vec<(JobId, ExecutorMode, String, String, Tasks)> = jobs::table
        .filter(jobs::phase.eq_any(open))
        .select((jobs::id, jobs::executor, jobs::namespace, jobs::object_name, jobs::tasks))
        .load(conn)
        .await?;
    let pods = rows.into_iter().flat_map(|(job, executor, namespace, object, Tasks(tasks))| {
        tasks.into_iter().filter_map(move |task| Some((executor, task.gone_from(job, &namespace, &object)?)))
    });
    Ok(pods.collect())
}

/// The number of jobs in each phase that is not final.
///
/// # Errors
/// The database's.
pub async fn phases(conn: &mut AsyncPgConnection) -> QueryResult<Vec<(JobPhase, i64)>> {
    jobs::table
        .filter(jobs::phase.eq_any([JobPhase::Submitted, JobPhase::Queued, JobPhase::Running]))
        .group_by(jobs::phase)
        .select((jobs::phase, diesel::dsl::count_star()))
        .load(conn)
        .await
}
