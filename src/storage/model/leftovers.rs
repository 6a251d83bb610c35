//! What is left in the cluster of shares that are gone. A trigger notes it, whatever removed them.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::tables::{storage_claims, storage_leftovers};
use crate::ids::PvcId;

/// The volume of a share that is gone.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
#[diesel(table_name = storage_leftovers, check_for_backend(diesel::pg::Pg))]
pub struct Leftover {
    /// The share.
    pub share_id: PvcId,
    /// The namespace of the claim that it was a share of.
    pub source_namespace: String,
    /// The name of that claim.
    pub source_name: String,
    /// That claim.
    pub source_id: PvcId,
}

/// Claims one that is due for `lease_seconds`.
///
/// # Errors
/// The database's.
pub async fn claim(conn: &mut AsyncPgConnection, lease_seconds: i64) -> QueryResult<Option<Leftover>> {
    diesel::sql_query(
        "WITH due AS (
             SELECT share_id FROM storage_leftovers WHERE next_attempt_at <= now()
             ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
         )
         UPDATE storage_leftovers AS leftover
            SET next_attempt_at = now() + least($1, 2 + attempts * 3) * interval '1 second', attempts = attempts + 1
           FROM due WHERE leftover.share_id = due.share_id
         RETURNING leftover.share_id, leftover.source_namespace, leftover.source_name, leftover.source_id",
    )
    .bind::<BigInt, _>(lease_seconds)
    .get_result(conn)
    .await
    .optional()
}

/// Whether a claim has no shares, so that nothing protects it any more.
///
/// # Errors
/// The database's.
pub async fn is_last(conn: &mut AsyncPgConnection, source: PvcId) -> QueryResult<bool> {
    let shares = storage_claims::table.filter(storage_claims::source_id.eq(source).assume_not_null());
    let shared: i64 = shares.count().get_result(conn).await?;
    Ok(shared == 0)
}

/// Nothing is left of the share.
///
/// # Errors
/// The database's.
pub async fn finish(conn: &mut AsyncPgConnection, share: PvcId) -> QueryResult<()> {
    diesel::delete(storage_leftovers::table.find(share)).execute(conn).await.map(drop)
}
