//! The rows of sessions, and what a login reads and writes of users.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Bytea, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::principal::UserState;
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
    /// Whether it can be logged in to.
    pub state: UserState,
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

/// The username of a user and the hash of their password, unless the user is deleted.
///
/// # Errors
/// The database's.
pub async fn password_of(conn: &mut AsyncPgConnection, user: UserId) -> QueryResult<Option<(String, String)>> {
    users::table
        .filter(users::id.eq(user).and(users::deleted_at.is_null()))
        .select((users::username, users::password_hash))
        .first(conn)
        .await
        .optional()
}

/// Whether a user is active and, if a hash is given, still has this one. Neither changes until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn may_begin(conn: &mut AsyncPgConnection, user: UserId, hash: Option<&str>) -> QueryResult<bool> {
    let active = users::table.find(user).filter(users::state.eq(UserState::Active));
    let found: Option<String> = active.select(users::password_hash).for_share().first(conn).await.optional()?;
    Ok(found.is_some_and(|current| hash.is_none_or(|hash| hash == current)))
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
    /// The program that logged in, as it calls itself.
    pub user_agent: Option<String>,
    /// The address that the login came from.
    pub address: Option<String>,
}

/// Starts a session.
///
/// # Errors
/// The database's.
pub async fn open(conn: &mut AsyncPgConnection, session: &NewSession) -> QueryResult<()> {
    diesel::insert_into(sessions::table).values(session).execute(conn).await.map(drop)
}

/// A session as a refresh finds it.
#[derive(Debug, QueryableByName)]
pub struct Refreshable {
    /// The user.
    #[diesel(sql_type = SqlUuid)]
    pub user_id: UserId,
    /// The hash of the valid refresh token.
    #[diesel(sql_type = Bytea)]
    pub refresh_hash: Vec<u8>,
    /// The hash of the part that all its refresh tokens share.
    #[diesel(sql_type = Bytea)]
    pub family_hash: Vec<u8>,
    /// When the valid refresh token expires.
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
    /// The hashes of the tokens that were replaced a moment ago, newest first.
    #[diesel(sql_type = Array<Bytea>)]
    pub used_hashes: Vec<Vec<u8>>,
    /// When each of them was used.
    #[diesel(sql_type = Array<Timestamptz>)]
    pub used_at: Vec<DateTime<Utc>>,
    /// Whether the session is active and its user may log in.
    #[diesel(sql_type = Bool)]
    pub live: bool,
}

const REFRESHABLE: &str = "
    SELECT s.user_id, s.refresh_hash, s.family_hash, s.expires_at, s.used_hashes, s.used_at,
           s.ended_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL AND u.deleted_at IS NULL AS live
      FROM sessions s
      JOIN users u ON u.id = s.user_id
     WHERE s.id = $1
       FOR UPDATE OF s";

/// The session, which nobody else can refresh until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut AsyncPgConnection, session: SessionId) -> QueryResult<Option<Refreshable>> {
    diesel::sql_query(REFRESHABLE).bind::<SqlUuid, _>(session).get_result(conn).await.optional()
}

/// What a refresh changes.
#[derive(Debug, AsChangeset)]
#[diesel(table_name = sessions)]
pub struct Refreshed {
    /// The hash of the new refresh token.
    pub refresh_hash: Vec<u8>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// The time of the refresh.
    pub last_used_at: DateTime<Utc>,
    /// The hashes of the tokens that were replaced a moment ago, newest first.
    pub used_hashes: Vec<Vec<u8>>,
    /// When each of them was used.
    pub used_at: Vec<DateTime<Utc>>,
}

/// Replaces the refresh token of a [locked](lock) session.
///
/// # Errors
/// The database's.
pub async fn refresh(conn: &mut AsyncPgConnection, session: SessionId, refreshed: &Refreshed) -> QueryResult<()> {
    diesel::update(sessions::table.find(session)).set(refreshed).execute(conn).await.map(drop)
}

/// Moves the end of an active session to `expires_at`. Returns whether there is one whose user may log in.
///
/// # Errors
/// The database's.
pub async fn extend(conn: &mut AsyncPgConnection, session: SessionId, expires_at: DateTime<Utc>) -> QueryResult<bool> {
    let enabled = diesel::dsl::exists(
        users::table
            .filter(users::id.eq(sessions::user_id).and(users::disabled_at.is_null()).and(users::deleted_at.is_null())),
    );
    let live = sessions::ended_at.is_null().and(sessions::expires_at.gt(diesel::dsl::now));
    let extended = diesel::update(sessions::table.find(session).filter(live).filter(enabled))
        .set((sessions::expires_at.eq(expires_at), sessions::last_used_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    Ok(extended > 0)
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

/// Ends all active sessions of a user, or all but one, and notifies every replica on commit. Returns their number.
///
/// # Errors
/// The database's.
pub async fn end_all(conn: &mut AsyncPgConnection, user: UserId, but: Option<SessionId>) -> QueryResult<usize> {
    let kept: Vec<SessionId> = but.into_iter().collect();
    let live = sessions::ended_at.is_null().and(sessions::expires_at.gt(diesel::dsl::now));
    let others = sessions::table.filter(sessions::user_id.eq(user)).filter(live).filter(sessions::id.ne_all(kept));
    let ended: Vec<SessionId> = diesel::update(others)
        .set(sessions::ended_at.eq(diesel::dsl::now))
        .returning(sessions::id)
        .get_results(conn)
        .await?;
    let subjects: Vec<String> = ended.iter().map(ToString::to_string).collect();
    diesel::sql_query("SELECT pg_notify($1, subject) FROM unnest($2) AS subject")
        .bind::<Text, _>(REVOCATIONS_CHANNEL)
        .bind::<Array<Text>, _>(subjects)
        .execute(conn)
        .await?;
    Ok(ended.len())
}

/// Stores that these sessions are in use, unless that was stored within the last minute.
///
/// # Errors
/// The database's.
pub async fn used(conn: &mut AsyncPgConnection, sessions: &[SessionId]) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE sessions SET last_used_at = now() WHERE id = ANY($1) AND last_used_at < now() - interval '1 minute'",
    )
    .bind::<Array<SqlUuid>, _>(sessions)
    .execute(conn)
    .await
    .map(drop)
}

async fn tell(conn: &mut AsyncPgConnection, subject: &str) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_notify($1, $2)")
        .bind::<Text, _>(REVOCATIONS_CHANNEL)
        .bind::<Text, _>(subject)
        .execute(conn)
        .await
        .map(drop)
}
