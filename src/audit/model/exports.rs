//! The rows of exports of the audit log. An export is claimed like other work: with a lease, which its worker renews.

use std::str::FromStr;

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Selection;
use crate::change::Writes;
use crate::db::tables::audit_exports;
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, OrderDirection};
use crate::ids::{AuditExportId, Id, Kind, UserId};
use crate::text_enum;

/// The state of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
#[graphql(name = "AuditExportState")]
pub enum ExportState {
    /// It waits for a server, or for the object store.
    Queued,
    /// Entries are being written.
    Running,
    /// The file can be downloaded.
    Completed,
    /// It has failed, which is final.
    Failed,
}

text_enum!(ExportState {
    Queued => "QUEUED",
    Running => "RUNNING",
    Completed => "COMPLETED",
    Failed => "FAILED",
});

/// An export of the audit log.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = audit_exports, check_for_backend(Pg))]
pub struct Export {
    /// The ID.
    pub id: AuditExportId,
    /// Who has requested it.
    pub requested_by: UserId,
    /// Which entries, as in the input.
    pub filter: Value,
    /// The state.
    pub state: ExportState,
    /// The number of entries that were written so far.
    pub entries: i64,
    /// The size of the file.
    pub bytes: Option<i64>,
    /// The key of the file in the object store.
    pub object_key: Option<String>,
    /// Why it failed, or why it waits.
    pub message: Option<String>,
    /// The number of attempts, including the present one.
    pub attempts: i32,
    /// When it was requested.
    pub created_at: DateTime<Utc>,
    /// When the first attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was completed or failed.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it is removed.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A file in the object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// The number of entries.
    pub entries: i64,
    /// Its size.
    pub bytes: i64,
}

/// A filter in the form of the mutation's input, to be stored and shown.
pub fn stored(selection: &Selection) -> Value {
    fn text<K: Kind>(id: Option<Id<K>>) -> Option<String> {
        id.map(Id::to_text)
    }
    let all = json!({
        "actorId": text(selection.actor),
        "actions": selection.actions,
        "subjectId": selection.subject,
        "groupId": text(selection.group),
        "projectId": text(selection.project),
        "from": selection.from,
        "to": selection.to,
        "outcome": selection.outcome.map(super::Outcome::as_str),
    });
    match all {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

/// The selection of a stored filter, oldest entry first; `None` if a later version has written it.
pub fn selection(filter: &Value) -> Option<Selection> {
    fn parsed<T: FromStr>(filter: &Value, field: &str) -> Option<Option<T>> {
        match filter.get(field) {
            None => Some(None),
            Some(value) => value.as_str()?.parse().ok().map(Some),
        }
    }
    const FIELDS: [&str; 8] = ["actorId", "actions", "subjectId", "groupId", "projectId", "from", "to", "outcome"];
    if filter.as_object()?.keys().any(|field| !FIELDS.contains(&field.as_str())) {
        return None;
    }
    let actions = filter.get("actions").map(|actions| serde_json::from_value(actions.clone()));
    Some(Selection {
        actor: parsed(filter, "actorId")?,
        actions: actions.transpose().ok()?,
        subject: parsed(filter, "subjectId")?,
        group: parsed(filter, "groupId")?,
        project: parsed(filter, "projectId")?,
        from: parsed(filter, "from")?,
        to: parsed(filter, "to")?,
        outcome: parsed(filter, "outcome")?,
        direction: OrderDirection::Asc,
    })
}

/// Adds an export, which is due at once.
///
/// # Errors
/// The database's.
pub async fn insert(writes: &mut Writes<'_>, id: AuditExportId, by: UserId, filter: &Value) -> QueryResult<()> {
    let row = (audit_exports::id.eq(id), audit_exports::requested_by.eq(by), audit_exports::filter.eq(filter));
    diesel::insert_into(audit_exports::table).values(row).execute(writes.conn()).await.map(drop)
}

/// The number of exports that are not finished.
///
/// # Errors
/// The database's.
pub async fn unfinished(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    audit_exports::table.filter(audit_exports::next_attempt_at.is_not_null()).count().get_result(conn).await
}

/// The exports with these IDs.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, ids: &[AuditExportId]) -> QueryResult<Vec<Export>> {
    audit_exports::table.filter(audit_exports::id.eq_any(ids)).select(Export::as_select()).load(conn).await
}

/// A page of all exports, newest first.
///
/// # Errors
/// The database's.
pub async fn page(conn: &mut AsyncPgConnection, page: &Page) -> QueryResult<Vec<Export>> {
    let mut query = audit_exports::table.into_boxed();
    for condition in keyset::between(page.bounds(OrderDirection::Desc), "audit_exports.created_at", "audit_exports.id")
    {
        query = query.filter(condition);
    }
    query = match page.ascending(OrderDirection::Desc) {
        true => query.order((audit_exports::created_at.asc(), audit_exports::id.asc())),
        false => query.order((audit_exports::created_at.desc(), audit_exports::id.desc())),
    };
    query.limit(page.limit).select(Export::as_select()).load(conn).await
}

/// The number of all exports.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    audit_exports::table.count().get_result(conn).await
}

/// Claims an export that is due, or whose worker is given up, for `worker`, and for `lease_seconds` unless it is renewed.
///
/// # Errors
/// The database's.
pub async fn claim(conn: &mut AsyncPgConnection, worker: Uuid, lease_seconds: i64) -> QueryResult<Option<Export>> {
    diesel::sql_query(
        "WITH due AS (
             SELECT id FROM audit_exports WHERE next_attempt_at <= now()
             ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
         )
         UPDATE audit_exports AS export
            SET worker = $1, next_attempt_at = now() + $2 * interval '1 second', attempts = attempts + 1,
                state = 'RUNNING', entries = 0, message = NULL, started_at = coalesce(started_at, now())
           FROM due WHERE export.id = due.id
         RETURNING export.*",
    )
    .bind::<SqlUuid, _>(worker)
    .bind::<BigInt, _>(lease_seconds)
    .get_result(conn)
    .await
    .optional()
}

/// Renews the claim of a worker, and says how far it has come. Returns false if the export is not its own any more.
///
/// # Errors
/// The database's.
pub async fn renew(
    conn: &mut AsyncPgConnection,
    (id, worker): (AuditExportId, Uuid),
    entries: i64,
    lease_seconds: i64,
) -> QueryResult<bool> {
    // The clock of the database decides, as for the claim.
    let renewed = diesel::sql_query(
        "UPDATE audit_exports SET entries = $3, next_attempt_at = now() + $4 * interval '1 second'
          WHERE id = $1 AND worker = $2",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(worker)
    .bind::<BigInt, _>(entries)
    .bind::<BigInt, _>(lease_seconds)
    .execute(conn)
    .await?;
    Ok(renewed == 1)
}

/// The file is complete. Returns false if the export is not the worker's own any more.
///
/// # Errors
/// The database's.
pub async fn complete(
    conn: &mut AsyncPgConnection,
    (id, worker): (AuditExportId, Uuid),
    stored: &Stored,
    expires_at: DateTime<Utc>,
) -> QueryResult<bool> {
    let changed = diesel::update(audit_exports::table.find(id).filter(audit_exports::worker.eq(worker)))
        .set((
            audit_exports::state.eq(ExportState::Completed),
            audit_exports::entries.eq(stored.entries),
            audit_exports::bytes.eq(stored.bytes),
            audit_exports::object_key.eq(&stored.key),
            audit_exports::finished_at.eq(Utc::now()),
            audit_exports::expires_at.eq(expires_at),
            audit_exports::next_attempt_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// It has failed for good, for the reason in the message.
///
/// # Errors
/// The database's.
pub async fn fail(
    conn: &mut AsyncPgConnection,
    (id, worker): (AuditExportId, Uuid),
    message: &str,
    expires_at: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::update(audit_exports::table.find(id).filter(audit_exports::worker.eq(worker)))
        .set((
            audit_exports::state.eq(ExportState::Failed),
            audit_exports::message.eq(message),
            audit_exports::finished_at.eq(Utc::now()),
            audit_exports::expires_at.eq(expires_at),
            audit_exports::next_attempt_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// It is tried again later.
///
/// # Errors
/// The database's.
pub async fn postpone(
    conn: &mut AsyncPgConnection,
    (id, worker): (AuditExportId, Uuid),
    message: &str,
    pause_seconds: i64,
) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE audit_exports
            SET state = 'QUEUED', message = $3, next_attempt_at = now() + $4 * interval '1 second', worker = NULL
          WHERE id = $1 AND worker = $2",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(worker)
    .bind::<Text, _>(message)
    .bind::<BigInt, _>(pause_seconds)
    .execute(conn)
    .await
    .map(drop)
}

/// Some exports that have expired.
///
/// # Errors
/// The database's.
pub async fn expired(conn: &mut AsyncPgConnection) -> QueryResult<Vec<AuditExportId>> {
    let expired = audit_exports::table.filter(audit_exports::expires_at.le(Utc::now()));
    expired.order(audit_exports::expires_at).limit(100).select(audit_exports::id).load(conn).await
}

/// Removes the row of an export that has expired.
///
/// # Errors
/// The database's.
pub async fn remove(conn: &mut AsyncPgConnection, id: AuditExportId) -> QueryResult<()> {
    diesel::delete(audit_exports::table.find(id)).execute(conn).await.map(drop)
}
