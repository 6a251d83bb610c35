//! The rows of sign-ins: pending ones, codes, and ID tokens that were used.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::db::tables::{pending_sign_ins, sign_in_codes, used_id_tokens};
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::ids::UserId;

/// How often what has expired is removed.
const PERIOD: Duration = Duration::from_mins(10);

/// A sign-in that has not returned.
#[derive(Debug, Insertable, Queryable)]
#[diesel(table_name = pending_sign_ins)]
pub(super) struct Pending {
    /// Of the state.
    pub state_hash: Vec<u8>,
    /// Of the cookie.
    pub browser_hash: Vec<u8>,
    /// The key of the provider.
    pub provider: String,
    /// Where the browser goes afterwards.
    pub return_to: String,
    /// Whether the page wants a code even where it could have a cookie.
    pub wants_code: bool,
    /// When it can no longer be finished.
    pub expires_at: DateTime<Utc>,
}

/// Stores a sign-in.
pub(super) async fn begin(conn: &mut AsyncPgConnection, pending: &Pending) -> QueryResult<()> {
    diesel::insert_into(pending_sign_ins::table).values(pending).execute(conn).await.map(drop)
}

/// Removes and returns the sign-in, so that it can be finished once.
pub(super) async fn take(conn: &mut AsyncPgConnection, state: &[u8], browser: &[u8]) -> QueryResult<Option<Pending>> {
    let found = pending_sign_ins::table
        .find(state)
        .filter(pending_sign_ins::browser_hash.eq(browser))
        .filter(pending_sign_ins::expires_at.gt(diesel::dsl::now));
    diesel::delete(found).get_result(conn).await.optional()
}

/// Stores a code of a user.
pub(super) async fn add_code(
    conn: &mut AsyncPgConnection,
    code: &[u8],
    user: UserId,
    expires_at: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::insert_into(sign_in_codes::table)
        .values((
            sign_in_codes::code_hash.eq(code),
            sign_in_codes::user_id.eq(user),
            sign_in_codes::expires_at.eq(expires_at),
        ))
        .execute(conn)
        .await
        .map(drop)
}

/// Removes a code and returns its user.
pub(super) async fn take_code(conn: &mut AsyncPgConnection, code: &[u8]) -> QueryResult<Option<UserId>> {
    let found = sign_in_codes::table.find(code).filter(sign_in_codes::expires_at.gt(diesel::dsl::now));
    diesel::delete(found).returning(sign_in_codes::user_id).get_result(conn).await.optional()
}

/// Records the use of an ID token. Returns whether it is the first.
pub(super) async fn use_token(conn: &mut AsyncPgConnection, token: &[u8], ends_at: DateTime<Utc>) -> QueryResult<bool> {
    let first = diesel::insert_into(used_id_tokens::table)
        .values((used_id_tokens::token_hash.eq(token), used_id_tokens::expires_at.eq(ends_at)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(first == 1)
}

/// Removes what has expired, for as long as the server runs.
pub(super) async fn forget_old(db: Db) {
    loop {
        if let Err(error) = forget(&db).await {
            tracing::warn!(error = error_chain(&error), "failed to remove expired sign-ins");
        }
        tokio::time::sleep(PERIOD).await;
    }
}

async fn forget(db: &Db) -> Result<(), ApiError> {
    let conn = &mut *db.connection().await?;
    let now = Utc::now();
    diesel::delete(pending_sign_ins::table.filter(pending_sign_ins::expires_at.lt(now))).execute(conn).await?;
    diesel::delete(sign_in_codes::table.filter(sign_in_codes::expires_at.lt(now))).execute(conn).await?;
    diesel::delete(used_id_tokens::table.filter(used_id_tokens::expires_at.lt(now))).execute(conn).await?;
    Ok(())
}
