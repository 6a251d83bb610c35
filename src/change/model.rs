//! The audit log's rows and the idempotency keys, written in the transaction of the change that they belong to.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::db::tables::{audit_log, idempotency_keys};
use crate::ids::{AuditId, UserId};

/// One change.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Who changed it; nobody for the platform itself.
    pub actor: Option<UserId>,
    /// What was done, as the mutation is called: `createProject`.
    pub action: &'a str,
    /// The id of what was changed.
    pub subject: String,
    /// What is worth knowing about it.
    pub detail: Value,
    /// The request that did it.
    pub request_id: Option<&'a str>,
}

/// Writes `entry` into the log.
pub(super) async fn record(conn: &mut AsyncPgConnection, entry: &Entry<'_>) -> QueryResult<()> {
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::id.eq(AuditId::generate()),
            audit_log::actor_id.eq(entry.actor),
            audit_log::action.eq(entry.action),
            audit_log::subject.eq(&entry.subject),
            audit_log::detail.eq(&entry.detail),
            audit_log::request_id.eq(entry.request_id),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// A use of an idempotency key.
#[derive(Debug, Insertable)]
#[diesel(table_name = idempotency_keys)]
pub(super) struct KeyUse<'a> {
    /// Whose key it is.
    pub user_id: UserId,
    /// What it is used for, as the mutation is called.
    pub mutation: &'a str,
    /// The key.
    pub key: &'a str,
    /// Of the input.
    pub input_hash: &'a [u8],
    /// The thing that the mutation makes.
    pub subject_id: Uuid,
}

/// Writes the use, unless there was one before: then its hash and its thing. A concurrent use of the same key waits for
/// this transaction.
pub(super) async fn use_key(conn: &mut AsyncPgConnection, used: &KeyUse<'_>) -> QueryResult<Option<(Vec<u8>, Uuid)>> {
    let inserted =
        diesel::insert_into(idempotency_keys::table).values(used).on_conflict_do_nothing().execute(conn).await?;
    if inserted == 1 {
        return Ok(None);
    }
    idempotency_keys::table
        .find((used.user_id, used.mutation, used.key))
        .select((idempotency_keys::input_hash, idempotency_keys::subject_id))
        .first(conn)
        .await
        .map(Some)
}

/// Removes the keys that were used before; how many they were.
pub(super) async fn forget_keys(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::created_at.lt(before))).execute(conn).await
}
