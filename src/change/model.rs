//! The rows of the idempotency keys, written in the transaction of their change.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::db::tables::idempotency_keys;
use crate::ids::UserId;

/// A use of an idempotency key.
#[derive(Debug, Insertable)]
#[diesel(table_name = idempotency_keys)]
pub(super) struct KeyUse<'a> {
    /// The caller that the key belongs to.
    pub user_id: UserId,
    /// The mutation that the key is used for.
    pub mutation: &'a str,
    /// The key.
    pub key: &'a str,
    /// Of the input.
    pub input_hash: &'a [u8],
    /// The object that the mutation creates.
    pub subject_id: Uuid,
}

/// Records the use, unless there was one before; then returns its hash and its object. A concurrent use of the same key
/// waits for this transaction.
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

/// Removes the keys that were used before this time and returns their number.
pub(super) async fn forget_keys(conn: &mut AsyncPgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::created_at.lt(before))).execute(conn).await
}
