//! The event log's rows: appended in commit order, read in pages, forgotten after the retention.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::cursor::Seq;
use super::topic::Topics;
use crate::db::prepared;
use crate::db::tables::job_events;
use crate::ids::{GroupId, JobId, ProjectId, UserId};

/// The advisory lock under which events get their numbers: held until commit, so numbers are in commit order.
const APPEND_LOCK: i64 = 0x706c_6174_6576_7473;
/// The channel that says that the log has grown.
pub const EVENTS_CHANNEL: &str = "platform_events";
/// The channel that says that a session has ended or a person was disabled; the payload is the id.
pub const REVOCATIONS_CHANNEL: &str = "platform_revocations";

/// An event of a job, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = job_events, check_for_backend(diesel::pg::Pg))]
pub struct JobEvent {
    /// Its number.
    pub seq: i64,
    /// The job.
    pub job_id: JobId,
    /// The job's project.
    pub project_id: ProjectId,
    /// The project's group.
    pub group_id: GroupId,
    /// Who submitted the job.
    pub submitted_by: UserId,
    /// What it tells, by the name of its kind.
    pub kind: String,
    /// The phase after it.
    pub phase: String,
    /// The phase before it, where that was another.
    pub previous_phase: Option<String>,
    /// The machine-readable why.
    pub reason: Option<String>,
    /// The sentence to the reason.
    pub message: Option<String>,
    /// When it was written.
    pub at: DateTime<Utc>,
}

/// An event to append. Project, group and submitter are taken from the job's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The job.
    pub job: JobId,
    /// What it tells.
    pub kind: &'static str,
    /// The phase after it.
    pub phase: &'static str,
    /// The phase before it, where that was another.
    pub previous_phase: Option<&'static str>,
    /// The machine-readable why.
    pub reason: Option<String>,
    /// The sentence to the reason.
    pub message: Option<String>,
}

/// Appends events, in order, and wakes every replica when the transaction commits.
///
/// Call it last in the transaction: others that append wait from here to the commit.
///
/// # Errors
/// The database's.
pub async fn append(conn: &mut AsyncPgConnection, events: &[NewEvent]) -> QueryResult<()> {
    if events.is_empty() {
        return Ok(());
    }
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(APPEND_LOCK).execute(conn).await?;
    let column = |of: fn(&NewEvent) -> Option<&str>| events.iter().map(of).collect::<Vec<_>>();
    // Numbered by nextval() over the ordered input, so events of one call keep their order.
    diesel::sql_query(
        "INSERT INTO job_events
             (seq, job_id, project_id, group_id, submitted_by, kind, phase, previous_phase, reason, message, at)
         SELECT nextval('job_events_seq'), new.*, clock_timestamp() FROM (
             SELECT jobs.id, jobs.project_id, projects.group_id, jobs.submitted_by,
                    given.kind, given.phase, given.previous_phase, given.reason, given.message
             FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY
                  AS given (job_id, kind, phase, previous_phase, reason, message, place)
             JOIN jobs ON jobs.id = given.job_id
             JOIN projects ON projects.id = jobs.project_id
             ORDER BY given.place
         ) AS new",
    )
    .bind::<Array<SqlUuid>, _>(events.iter().map(|event| event.job).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(events.iter().map(|event| event.kind).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(events.iter().map(|event| event.phase).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(column(|event| event.previous_phase))
    .bind::<Array<Nullable<Text>>, _>(column(|event| event.reason.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column(|event| event.message.as_deref()))
    .execute(conn)
    .await?;
    notify(conn, EVENTS_CHANNEL, "").await
}

/// Tells every replica something when the transaction commits.
///
/// # Errors
/// The database's.
pub async fn notify(conn: &mut AsyncPgConnection, channel: &str, payload: &str) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_notify($1, $2)")
        .bind::<Text, _>(channel)
        .bind::<Text, _>(payload)
        .execute(conn)
        .await
        .map(drop)
}

/// Listens on both channels.
///
/// # Errors
/// The database's.
pub(super) async fn listen(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    for channel in [EVENTS_CHANNEL, REVOCATIONS_CHANNEL] {
        // A channel's name cannot be bound; these two are constants.
        diesel::sql_query(format!("LISTEN {channel}")).execute(conn).await?;
    }
    Ok(())
}

/// Events after `after` in order, at most `limit`.
///
/// # Errors
/// The database's.
pub async fn after(conn: &mut AsyncPgConnection, after: Seq, limit: i64) -> QueryResult<Vec<JobEvent>> {
    job_events::table
        .filter(job_events::seq.gt(after.0))
        .order(job_events::seq.asc())
        .limit(limit)
        .select(JobEvent::as_select())
        .load(conn)
        .await
}

/// Events of these topics after `after` and up to `tip`, in order, at most `limit`.
///
/// # Errors
/// The database's.
pub async fn between(
    conn: &mut AsyncPgConnection,
    topics: &Topics,
    after: Seq,
    tip: Seq,
    limit: i64,
) -> QueryResult<Vec<JobEvent>> {
    let events = job_events::table
        .filter(job_events::seq.gt(after.0).and(job_events::seq.le(tip.0)))
        .order(job_events::seq.asc())
        .limit(limit)
        .select(JobEvent::as_select())
        .into_boxed();
    let events = match topics {
        Topics::Jobs(jobs) => events.filter(job_events::job_id.eq_any(jobs)),
        Topics::Project(project) => events.filter(job_events::project_id.eq(project)),
        Topics::Groups(groups) => events.filter(job_events::group_id.eq_any(groups)),
        Topics::Submitter(user) => events.filter(job_events::submitted_by.eq(user)),
        Topics::Everything => events,
    };
    events.load(conn).await
}

/// From where to where the log reaches, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Extent {
    /// The newest number that the log no longer has: a cursor before it cannot be resumed from.
    #[diesel(sql_type = BigInt, deserialize_as = i64)]
    pub forgotten: Seq,
    /// The number of the newest event that has committed; 0 in a log that never had one. An emptied log goes on where it
    /// was: the last number given out is what a client may have seen.
    #[diesel(sql_type = BigInt, deserialize_as = i64)]
    pub tip: Seq,
}

/// From where to where the log reaches.
///
/// # Errors
/// The database's.
pub async fn extent(conn: &mut AsyncPgConnection) -> QueryResult<Extent> {
    prepared("SELECT seq AS forgotten, greatest(seq, (SELECT max(seq) FROM job_events)) AS tip FROM event_horizon")
        .get_result(conn)
        .await
}

/// Removes events older than `before` and remembers the newest of them; how many they were.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query(
        "WITH gone AS (DELETE FROM job_events WHERE at < $1 RETURNING seq)
         UPDATE event_horizon SET seq = greatest(seq, (SELECT max(seq) FROM gone))
         WHERE EXISTS (SELECT FROM gone)",
    )
    .bind::<diesel::sql_types::Timestamptz, _>(before)
    .execute(conn)
    .await
}
