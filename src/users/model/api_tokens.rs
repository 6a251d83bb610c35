//! API tokens as their users see them, and how they are created and revoked.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::auth::policy::TokenScope;
use crate::auth::principal::UserState;
use crate::change::Writes;
use crate::db::tables::{api_tokens, users};
use crate::ids::{ApiTokenId, ProjectId, UserId};

/// An API token, without what it is checked against.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_tokens, check_for_backend(Pg))]
pub struct ApiToken {
    /// The ID.
    pub id: ApiTokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its user calls it.
    pub name: String,
    /// What it can be used for.
    pub scope: TokenScope,
    /// The only project that it is for.
    pub project_id: Option<ProjectId>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, give or take a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The number of valid tokens of a user who may log in, who creates no other one until the transaction ends. `None` for a user
/// who has been disabled or deleted.
///
/// # Errors
/// The database's.
pub async fn count(writes: &mut Writes<'_>, user: UserId) -> QueryResult<Option<i64>> {
    let active = users::table.find(user).filter(users::state.eq(UserState::Active));
    let locked: Option<UserId> = active.select(users::id).for_no_key_update().first(writes.conn()).await.optional()?;
    if locked.is_none() {
        return Ok(None);
    }
    let valid = api_tokens::revoked_at.is_null().and(api_tokens::expires_at.gt(diesel::dsl::now));
    let tokens = api_tokens::table.filter(api_tokens::user_id.eq(user).and(valid));
    tokens.count().get_result(writes.conn()).await.map(Some)
}

/// Creates a token that is checked against this hash. One of the same name that has expired gives up its name.
///
/// # Errors
/// The database's; `api_tokens_name_key` is the constraint that is violated if the user has a valid token of this name.
pub async fn insert(writes: &mut Writes<'_>, token: &ApiToken, hash: &[u8]) -> QueryResult<()> {
    let namesake = api_tokens::user_id.eq(token.user_id).and(api_tokens::name.eq(&token.name));
    let expired = api_tokens::revoked_at.is_null().and(api_tokens::expires_at.le(diesel::dsl::now));
    diesel::update(api_tokens::table.filter(namesake.and(expired)))
        .set(api_tokens::revoked_at.eq(api_tokens::expires_at.nullable()))
        .execute(writes.conn())
        .await?;
    diesel::insert_into(api_tokens::table)
        .values((token, api_tokens::token_hash.eq(hash)))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Revokes a token; every replica is notified on commit. Returns whether it was valid.
///
/// # Errors
/// The database's.
pub async fn revoke(writes: &mut Writes<'_>, token: ApiTokenId) -> QueryResult<bool> {
    let valid = api_tokens::table.find(token).filter(api_tokens::revoked_at.is_null());
    let revoked = diesel::update(valid).set(api_tokens::revoked_at.eq(diesel::dsl::now));
    Ok(revoked.execute(writes.conn()).await? > 0)
}
