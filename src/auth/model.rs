//! Sessions' rows, and what a log-in reads and writes of people.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::tables::{sessions, users};
use crate::events::model::REVOCATIONS_CHANNEL;
use crate::ids::{SessionId, UserId};

/// What a log-in needs to know of an account.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
pub struct Account {
    /// Whose it is.
    pub id: UserId,
    /// The hash of the password.
    pub password_hash: String,
    /// Since when nobody can log in.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// The account with this name; a deleted person has none.
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

/// A session as it begins.
#[derive(Debug, Insertable)]
#[diesel(table_name = sessions)]
pub struct NewSession {
    /// The id.
    pub id: SessionId,
    /// Who logged in.
    pub user_id: UserId,
    /// The hash of the refresh token in force.
    pub refresh_hash: Vec<u8>,
    /// The hash of what all its refresh tokens share.
    pub family_hash: Vec<u8>,
    /// When the refresh token ends.
    pub expires_at: DateTime<Utc>,
}

/// Begins a session.
///
/// # Errors
/// The database's.
pub async fn open(conn: &mut AsyncPgConnection, session: &NewSession) -> QueryResult<()> {
    diesel::insert_into(sessions::table).values(session).execute(conn).await.map(drop)
}

/// Puts `next` in the place of the refresh token whose hash is `used`: whose session it is, or `None` if `used` is not
/// the token in force of a session that goes on.
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

/// Ends the session if it goes on and is of this family, and tells every replica at commit. Whether it did.
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

/// Ends the session, and tells every replica at commit.
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
