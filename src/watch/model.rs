//! The lock that makes a replica the leader, and the check whether the database accepts writes.

use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

/// "platwatc".
const LEADER_LOCK: i64 = 0x706c_6174_7761_7463;

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Bool)]
    locked: bool,
}

/// Makes the server notice quickly when the other end of this connection has died silently.
///
/// # Errors
/// The database's.
pub(super) async fn prepare(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.batch_execute(
        "SET application_name = 'platform watch';
         SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3",
    )
    .await
}

/// Takes the lock if it is free; it is held until the connection ends.
///
/// # Errors
/// The database's.
pub(super) async fn try_lock(conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    let row: Locked = diesel::sql_query("SELECT pg_try_advisory_lock($1) AS locked")
        .bind::<BigInt, _>(LEADER_LOCK)
        .get_result(conn)
        .await?;
    Ok(row.locked)
}

/// Updates a row without changing it and rolls back, to check whether anything can be written.
///
/// # Errors
/// Nothing can be written.
pub(super) async fn try_writing(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    let tried = conn
        .transaction(async |conn| {
            diesel::sql_query("UPDATE event_horizon SET seq = seq").execute(conn).await?;
            Err::<(), _>(Error::RollbackTransaction)
        })
        .await;
    match tried {
        Ok(()) | Err(Error::RollbackTransaction) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the connection is alive.
///
/// # Errors
/// It is not alive.
pub(super) async fn ping(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT 1").execute(conn).await.map(drop)
}
