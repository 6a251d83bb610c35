//! The claims that the worker looks at, and what it writes about them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::Claim;
use crate::db::tables::storage_claims;
use crate::events::model::{Record, append_records};
use crate::ids::PvcId;
use crate::storage::event::{PvcEvent, about};

/// Claims at most `limit` due rows for `lease_seconds`; after that others see them again, in case the claimer has died.
///
/// # Errors
/// The database's.
pub async fn claim(conn: &mut AsyncPgConnection, limit: i64, lease_seconds: i64) -> QueryResult<Vec<Claim>> {
    diesel::sql_query(
        "WITH due AS (
             SELECT id FROM storage_claims WHERE next_attempt_at <= now()
             ORDER BY next_attempt_at, id LIMIT $1
             FOR UPDATE SKIP LOCKED
         )
         UPDATE storage_claims SET next_attempt_at = now() + make_interval(secs => $2), attempts = attempts + 1
         FROM due WHERE storage_claims.id = due.id
         RETURNING storage_claims.*",
    )
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(lease_seconds)
    .load(conn)
    .await
}

/// Looks at the claim again after this many milliseconds.
///
/// # Errors
/// The database's.
pub async fn put_off(conn: &mut AsyncPgConnection, id: PvcId, millis: i64) -> QueryResult<()> {
    diesel::sql_query("UPDATE storage_claims SET next_attempt_at = now() + $2 * interval '1 millisecond' WHERE id = $1")
        .bind::<SqlUuid, _>(id)
        .bind::<BigInt, _>(millis)
        .execute(conn)
        .await
        .map(drop)
}

/// Changes one claim under its lock, with the events of the change. Nothing happens if it does not exist any more.
///
/// # Errors
/// The database's; nothing was changed in that case.
pub async fn change(
    conn: &mut AsyncPgConnection,
    id: PvcId,
    change: impl FnOnce(&mut Claim) -> Vec<PvcEvent> + Send,
) -> QueryResult<()> {
    conn.transaction(async |conn| {
        let Some(mut claim) = super::lock(conn, id).await? else { return Ok(()) };
        let topics = about(&claim);
        let events = change(&mut claim);
        super::observed::save(conn, &[&claim]).await?;
        append(conn, events.into_iter().map(|event| (topics, event))).await
    })
    .await
}

/// Removes the row of a claim that is not in the cluster any more.
///
/// # Errors
/// The database's; nothing was changed in that case.
pub async fn remove(conn: &mut AsyncPgConnection, id: PvcId) -> QueryResult<()> {
    conn.transaction(async |conn| {
        let Some(claim) = super::lock_whole(conn, id).await? else { return Ok(()) };
        diesel::delete(storage_claims::table.find(id)).execute(conn).await?;
        append(conn, [(about(&claim), PvcEvent::of(&claim, crate::storage::phase::PvcEventKind::Deleted))]).await
    })
    .await
}

/// Appends events of claims to the log.
pub(super) async fn append(
    conn: &mut AsyncPgConnection,
    events: impl IntoIterator<Item = (crate::events::About, PvcEvent)>,
) -> QueryResult<()> {
    let records =
        events.into_iter().map(|(about, event)| Record::of(about, &event)).collect::<QueryResult<Vec<_>>>()?;
    append_records(conn, &records).await
}
