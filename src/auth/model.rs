//! The rows of sessions, and what a login reads and writes of users.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::tables::{sessions, users};
use crate::events::model::REVOCATIONS_CHANNEL;
use crate::ids::{SessionId, UserId};

/// The fields of an account that a login needs.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
pub struct Account {
    /// Whose it is.
    pub id: UserId,
    /// The hash of the password.
    pub password_hash: String,
    /// When the account was disabled, if it is.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// The account with this username, unless the user is deleted.
///
/// # Errors
/// The database's.
pub async fn account(conn: &mut AsyncPgConnection, username: &str) -> QueryResult<Option<Account>> {
    users::table
        .filter(users::username.eq(username).and(users::deleted_at.is_null()))
        .select(Account::as_select())
        .first(conn)
        .await
        .optional()
}

/// A new session.
#[derive(Debug, Insertable)]
#[diesel(table_name = sessions)]
pub struct NewSession {
    /// The id.
    pub id: SessionId,
    /// The user who logged in.
    pub user_id: UserId,
    /// The hash of the current refresh token.
    pub refresh_hash: Vec<u8>,
    /// The hash of the part that all its refresh tokens share.
    pub family_hash: Vec<u8>,
    /// When the refresh token expires.
    pub expires_at: DateTime<Utc>,
}

/// Starts a session.
///
/// # Errors
/// The database's.
pub async fn open(conn: &mut AsyncPgConnection, session: &NewSession) -> QueryResult<()> {
    diesel::insert_into(sessions::table).values(session).execute(conn).await.map(drop)
}

/// Replaces the refresh token whose hash is `used` with `next` and returns the user of the session, or `None` if `used`
/// is not the current token of an active session.
///
/// # Errors
/// The database's.
pub async fn rotate(
    conn: &mut AsyncPgConnection,
    session: SessionId,
    used: &[u8],
    next: &[u8],
    expires_at: DateTime<Utc>,
) -> QueryResult<Option<UserId>> {
    let enabled = diesel::dsl::exists(
        users::table
            .filter(users::id.eq(sessions::user_id).and(users::disabled_at.is_null()).and(users::deleted_at.is_null())),
    );
    diesel::update(
        sessions::table
            .find(session)
            .filter(sessions::refresh_hash.eq(used).and(sessions::ended_at.is_null()))
            .filter(sessions::expires_at.gt(diesel::dsl::now))
            .filter(enabled),
    )
    .set((
        sessions::refresh_hash.eq(next),
        sessions::expires_at.eq(expires_at),
        sessions::last_used_at.eq(diesel::dsl::now),
    ))
    .returning(sessions::user_id)
    .get_result(conn)
    .await
    .optional()
}

/// Ends the session if it is active and belongs to this family, and notifies every replica on commit. Returns whether
/// it did.
///
/// # Errors
/// The database's.
pub async fn end_family(conn: &mut AsyncPgConnection, session: SessionId, family: &[u8]) -> QueryResult<bool> {
    let ended = diesel::update(
        sessions::table.find(session).filter(sessions::family_hash.eq(family).and(sessions::ended_at.is_null())),
    )
    .set(sessions::ended_at.eq(diesel::dsl::now))
    .execute(conn)
    .await?;
    if ended > 0 {
        tell(conn, &session.to_string()).await?;
    }
    Ok(ended > 0)
}

/// Ends the session, and notifies every replica on commit.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut AsyncPgConnection, session: SessionId) -> QueryResult<()> {
    diesel::update(sessions::table.find(session).filter(sessions::ended_at.is_null()))
        .set(sessions::ended_at.eq(diesel::dsl::now))
        .execute(conn)
        .await?;
    tell(conn, &session.to_string()).await
}

async fn tell(conn: &mut AsyncPgConnection, subject: &str) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_notify($1, $2)")
        .bind::<Text, _>(REVOCATIONS_CHANNEL)
        .bind::<Text, _>(subject)
        .execute(conn)
        .await
        .map(drop)
}
