//! The event log's rows: appended in commit order, read in pages, and removed after the retention period unless they are
//! the history of something that exists.

use chrono::{DateTime, Utc};
use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::cursor::Seq;
use super::event::{About, Event, History, Logged};
use super::topic::Topics;
use crate::db::prepared;
use crate::db::tables::events;
use crate::ids::{GroupId, Id, ProjectId, UserId};

/// The advisory lock under which events get their numbers: held until commit, so that numbers are in commit order.
const APPEND_LOCK: i64 = 0x706c_6174_6576_7473;
/// The channel for notifications that the log has grown.
pub const EVENTS_CHANNEL: &str = "platform_events";
/// The channel for notifications that a session has ended or a user was disabled; the payload is the id.
pub const REVOCATIONS_CHANNEL: &str = "platform_revocations";

/// The number of events in the history of one subject, the newest, that are kept for longer than the log can be resumed.
pub const LONGEST_HISTORY: i64 = 1000;

/// A raw payload, whose type depends on the kind.
#[derive(Debug, Clone, FromSqlRow)]
pub struct Payload(Box<[u8]>);

impl FromSql<Jsonb, Pg> for Payload {
    fn from_sql(bytes: PgValue<'_>) -> diesel::deserialize::Result<Self> {
        // The first byte is the version of the format, which has always been 1.
        match bytes.as_bytes() {
            [1, json @ ..] => Ok(Self(json.into())),
            _ => Err("the jsonb version is unknown".into()),
        }
    }
}

/// An event of any kind, as the log has it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = events, check_for_backend(Pg))]
pub struct Row {
    seq: i64,
    pub(super) kind: String,
    subject: Uuid,
    project: Option<ProjectId>,
    group: Option<GroupId>,
    person: Option<UserId>,
    payload: Payload,
    at: DateTime<Utc>,
}

impl Row {
    /// Its number.
    pub const fn seq(&self) -> Seq {
        Seq(self.seq)
    }

    /// The id of its subject.
    pub const fn subject(&self) -> Uuid {
        self.subject
    }

    /// The event, if this version can read it.
    pub(super) fn read<E: Event>(&self) -> Option<Logged<E>> {
        let Self { seq, kind, subject, project, group, person, payload, at } = self;
        match serde_json::from_slice(&payload.0) {
            Ok(event) if kind == E::KIND => {
                let about = About { subject: *subject, project: *project, group: *group, person: *person };
                Some(Logged { seq: Seq(*seq), at: *at, about, event })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(seq, kind, %error, "skipping an event that this version cannot read");
                None
            }
        }
    }

    #[cfg(test)]
    pub(super) fn of(seq: i64, kind: &str, payload: &str) -> Self {
        let (kind, payload) = (kind.to_owned(), Payload(payload.as_bytes().into()));
        Self { seq, kind, subject: Uuid::now_v7(), project: None, group: None, person: None, payload, at: Utc::now() }
    }
}

impl<E: Event> From<Row> for Option<Logged<E>> {
    fn from(row: Row) -> Self {
        row.read()
    }
}

/// Appends events, in order, and wakes every replica when the transaction commits.
///
/// Call it last in the transaction: other transactions that append wait from here to the commit.
///
/// # Errors
/// The database's.
pub async fn append<E: Event>(conn: &mut AsyncPgConnection, events: &[(About, E)]) -> QueryResult<()> {
    let records = events.iter().map(|(about, event)| Record::of(*about, event)).collect::<QueryResult<Vec<_>>>()?;
    append_records(conn, &records).await
}

/// An event of any kind, ready to be stored.
#[derive(Debug)]
pub struct Record {
    kind: &'static str,
    about: About,
    payload: serde_json::Value,
}

impl Record {
    /// Serializes the event.
    ///
    /// # Errors
    /// It cannot be serialized as JSON, which is a bug.
    pub fn of<E: Event>(about: About, event: &E) -> QueryResult<Self> {
        let payload = serde_json::to_value(event).map_err(|error| Error::SerializationError(error.into()))?;
        Ok(Self { kind: E::KIND, about, payload })
    }
}

/// Like [`append`], for events of several kinds.
///
/// # Errors
/// The database's.
pub async fn append_records(conn: &mut AsyncPgConnection, events: &[Record]) -> QueryResult<()> {
    if events.is_empty() {
        return Ok(());
    }
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(APPEND_LOCK).execute(conn).await?;
    let owners = |of: fn(&About) -> Option<Uuid>| events.iter().map(|event| of(&event.about)).collect::<Vec<_>>();
    // Numbered by the column's default over the ordered input, so that events of one call keep their order.
    diesel::sql_query(
        "INSERT INTO events (kind, subject, project, \"group\", person, payload, at)
         SELECT new.*, clock_timestamp() FROM (
             SELECT given.kind, given.subject, given.project, given.\"group\", given.person, given.payload
             FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY
                  AS given (kind, subject, project, \"group\", person, payload, place)
             ORDER BY given.place
         ) AS new",
    )
    .bind::<Array<Text>, _>(events.iter().map(|event| event.kind).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(events.iter().map(|event| event.about.subject).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(owners(|about| about.project.map(Id::uuid)))
    .bind::<Array<Nullable<SqlUuid>>, _>(owners(|about| about.group.map(Id::uuid)))
    .bind::<Array<Nullable<SqlUuid>>, _>(owners(|about| about.person.map(Id::uuid)))
    .bind::<Array<Jsonb>, _>(events.iter().map(|event| &event.payload).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    notify(conn, EVENTS_CHANNEL, "").await
}

/// Sends a notice to every replica when the transaction commits.
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

/// Events of any kind after `after` in order, at most `limit`.
///
/// # Errors
/// The database's.
pub(super) async fn after(conn: &mut AsyncPgConnection, after: Seq, limit: i64) -> QueryResult<Vec<Row>> {
    events::table
        .filter(events::seq.gt(after.0))
        .order(events::seq.asc())
        .limit(limit)
        .select(Row::as_select())
        .load(conn)
        .await
}

/// A page of the log.
pub(super) struct Page<E> {
    /// Its events, without those that this version cannot read.
    pub(super) events: Vec<Logged<E>>,
    /// The number of its last event; `None` if it is empty.
    pub(super) reached: Option<Seq>,
}

/// Events that are an `E`, of these topics, after `after` and up to `tip`, in order, at most `limit`.
///
/// # Errors
/// The database's.
pub(super) async fn between<E: Event>(
    conn: &mut AsyncPgConnection,
    topics: &Topics,
    after: Seq,
    tip: Seq,
    limit: i64,
) -> QueryResult<Page<E>> {
    let wanted = events::table
        .filter(events::kind.eq(E::KIND).and(events::seq.gt(after.0)).and(events::seq.le(tip.0)))
        .order(events::seq.asc())
        .limit(limit)
        .select(Row::as_select())
        .into_boxed();
    let wanted = match topics {
        Topics::Subjects(subjects) => wanted.filter(events::subject.eq_any(subjects)),
        Topics::Project(project) => wanted.filter(events::project.eq(project)),
        Topics::Groups(groups) => wanted.filter(events::group.eq_any(groups)),
        Topics::Person(person) => wanted.filter(events::person.eq(person)),
        Topics::Everything => wanted,
    };
    let rows: Vec<Row> = wanted.load(conn).await?;
    Ok(Page { reached: rows.last().map(Row::seq), events: rows.iter().filter_map(Row::read).collect() })
}

/// From where to where the log reaches, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Extent {
    /// Cursors before this one cannot be resumed: some of what followed them may have been removed.
    #[diesel(sql_type = BigInt, deserialize_as = i64)]
    pub forgotten: Seq,
    /// The number of the newest committed event; 0 in a log that never had one. For an empty log it is the last number
    /// that was assigned, which a client may have seen.
    #[diesel(sql_type = BigInt, deserialize_as = i64)]
    pub tip: Seq,
}

/// The range of the log.
///
/// # Errors
/// The database's.
pub async fn extent(conn: &mut AsyncPgConnection) -> QueryResult<Extent> {
    prepared("SELECT seq AS forgotten, greatest(seq, (SELECT max(seq) FROM events)) AS tip FROM event_horizon")
        .get_result(conn)
        .await
}

/// Makes the log impossible to resume before its last event that is older than `before`.
///
/// # Errors
/// The database's.
pub async fn advance(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> QueryResult<()> {
    // Numbers are in the order of time, so one step through the index of time finds it.
    diesel::sql_query(
        "UPDATE event_horizon SET seq = older.seq
         FROM (SELECT seq FROM events WHERE at < $1 ORDER BY at DESC LIMIT 1) AS older
         WHERE event_horizon.seq < older.seq",
    )
    .bind::<Timestamptz, _>(before)
    .execute(conn)
    .await
    .map(drop)
}

/// Looks at the next `batch` events that the log can no longer be resumed before, and removes those that are no history
/// (`kept`), or more of it than [`LONGEST_HISTORY`]. False if there was none left to look at.
///
/// Every event is looked at once: how far this has come commits with what was removed.
///
/// # Errors
/// The database's.
pub async fn purge(conn: &mut AsyncPgConnection, kept: &[History], batch: i64) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Span {
        #[diesel(sql_type = BigInt)]
        start: i64,
        #[diesel(sql_type = BigInt)]
        end: i64,
    }
    let is_history = kept.iter().map(|History { kind, of }| {
        format!("OR (kind = '{kind}' AND EXISTS (SELECT FROM {of} WHERE {of}.id = events.subject))")
    });
    let is_history = is_history.collect::<Vec<_>>().join(" ");
    conn.transaction(async |conn| {
        // Other replicas wait for their turn, and so does the removal of a subject.
        diesel::sql_query("SELECT FROM event_horizon FOR UPDATE").execute(conn).await?;
        let span: Span = diesel::sql_query(
            "SELECT purged AS start, coalesce(
                 (SELECT seq FROM events WHERE seq > purged AND seq <= event_horizon.seq ORDER BY seq OFFSET $1 LIMIT 1),
                 seq) AS \"end\"
             FROM event_horizon",
        )
        .bind::<BigInt, _>(batch)
        .get_result(conn)
        .await?;
        if span.start == span.end {
            return Ok(false);
        }
        diesel::sql_query(format!("DELETE FROM events WHERE seq > $1 AND seq <= $2 AND NOT (false {is_history})"))
            .bind::<BigInt, _>(span.start)
            .bind::<BigInt, _>(span.end)
            .execute(conn)
            .await?;
        diesel::sql_query(
            "DELETE FROM events USING (
                 SELECT subject, kind, (
                     SELECT seq FROM events AS older
                     WHERE older.subject = grown.subject AND older.kind = grown.kind AND older.seq <= $2
                     ORDER BY seq DESC OFFSET $3 LIMIT 1
                 ) AS last
                 FROM (SELECT DISTINCT subject, kind FROM events WHERE seq > $1 AND seq <= $2) AS grown
             ) AS excess
             WHERE events.subject = excess.subject AND events.kind = excess.kind AND events.seq <= excess.last",
        )
        .bind::<BigInt, _>(span.start)
        .bind::<BigInt, _>(span.end)
        .bind::<BigInt, _>(LONGEST_HISTORY)
        .execute(conn)
        .await?;
        diesel::sql_query("UPDATE event_horizon SET purged = $1").bind::<BigInt, _>(span.end).execute(conn).await?;
        Ok(true)
    })
    .await
}
