//! The lock that makes a replica the leader, and what tells whether the database takes writes.

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

/// Makes the server notice soon when this connection's other end has died without a word.
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

/// Takes the lock if nobody has it; it is held until the connection ends.
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

/// Changes a row into itself and takes it back, to see whether anything can be written.
///
/// # Errors
/// Nothing can.
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
/// It is not.
pub(super) async fn ping(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT 1").execute(conn).await.map(drop)
}
