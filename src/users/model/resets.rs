//! One-time links for a new password: their tokens, of which only hashes are stored, and their rows.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SubsecRound, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};

use super::User;
use crate::change::Writes;
use crate::db::tables::{password_resets, users};
use crate::ids::UserId;

/// The lifetime of a link for somebody who has forgotten their password.
pub const FORGOTTEN: Duration = Duration::from_hours(1);
/// The lifetime of the link of a new user, who may not read it on the same day.
pub const INVITED: Duration = Duration::from_hours(72);

/// The token of a new link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The token.
    pub token: String,
    /// Until when it is valid.
    pub expires_at: DateTime<Utc>,
}

impl Link {
    /// A random token that is valid for `life`.
    pub fn new(life: Duration) -> Self {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        Self { token, expires_at: (Utc::now() + life).trunc_subsecs(6) }
    }
}

/// The hash of a token, as stored.
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// Stores the link of a user, in place of the one before.
///
/// # Errors
/// The database's.
pub async fn put(writes: &mut Writes<'_>, user: UserId, link: &Link) -> QueryResult<()> {
    let values = (
        password_resets::token_hash.eq(hash(&link.token)),
        password_resets::user_id.eq(user),
        password_resets::expires_at.eq(link.expires_at),
    );
    diesel::insert_into(password_resets::table)
        .values(&values)
        .on_conflict(password_resets::user_id)
        .do_update()
        .set(values.clone())
        .execute(writes.conn())
        .await
        .map(drop)
}

/// The user whom a valid token belongs to.
///
/// # Errors
/// The database's.
pub async fn user_of(conn: &mut AsyncPgConnection, hash: &[u8]) -> QueryResult<Option<User>> {
    password_resets::table
        .inner_join(users::table)
        .filter(password_resets::token_hash.eq(hash).and(password_resets::expires_at.gt(diesel::dsl::now)))
        .filter(users::deleted_at.is_null())
        .select(User::as_select())
        .first(conn)
        .await
        .optional()
}

/// Uses up a valid token, and says whose it was. Of several at the same time one succeeds.
///
/// # Errors
/// The database's.
pub async fn redeem(writes: &mut Writes<'_>, hash: &[u8]) -> QueryResult<Option<UserId>> {
    let valid = password_resets::token_hash.eq(hash).and(password_resets::expires_at.gt(diesel::dsl::now));
    diesel::delete(password_resets::table.filter(valid))
        .returning(password_resets::user_id)
        .get_result(writes.conn())
        .await
        .optional()
}
