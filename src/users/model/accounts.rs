//! Writes of accounts: their state, their role, their password, their end.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::User;
use crate::auth::passwords::NO_PASSWORD;
use crate::auth::principal::{PlatformRole, UserState};
use crate::change::Writes;
use crate::db::tables::{group_members, password_resets, user_settings, users};
use crate::ids::UserId;
use crate::notifications::model::webhooks;

/// The platform admins who can log in, locked in the order of their IDs until the transaction ends. Whatever may take one away
/// locks them before anything else, so that two who remove each other at the same time do so one after the other.
///
/// # Errors
/// The database's.
pub async fn lock_admins(writes: &mut Writes<'_>) -> QueryResult<Vec<UserId>> {
    users::table
        .filter(users::platform_role.eq(PlatformRole::Admin))
        .filter(users::disabled_at.is_null().and(users::deleted_at.is_null()))
        .order(users::id)
        .select(users::id)
        .for_update()
        .load(writes.conn())
        .await
}

/// The user, locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(writes: &mut Writes<'_>, id: UserId) -> QueryResult<Option<User>> {
    users::table.find(id).select(User::as_select()).for_update().first(writes.conn()).await.optional()
}

/// What `updateUser` changes; `None` keeps the column.
#[derive(Debug, Default, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = users)]
pub struct Changes {
    /// The display name.
    pub display_name: Option<String>,
    /// The email address, or that there is none.
    pub email: Option<Option<String>>,
    /// The role on the platform.
    pub platform_role: Option<PlatformRole>,
}

/// Changes a user.
///
/// # Errors
/// The database's.
pub async fn update(writes: &mut Writes<'_>, id: UserId, changes: &Changes) -> QueryResult<User> {
    let updated = diesel::update(users::table.find(id)).set(changes).returning(User::as_returning());
    updated.get_result(writes.conn()).await
}

/// Lets a user in, or keeps them out. Does not end sessions.
///
/// # Errors
/// The database's.
pub async fn set_enabled(writes: &mut Writes<'_>, id: UserId, enabled: bool) -> QueryResult<User> {
    let disabled_at = (!enabled).then(chrono::Utc::now);
    diesel::update(users::table.find(id))
        .set((users::disabled_at.eq(disabled_at), users::waiting.eq(false)))
        .returning(User::as_returning())
        .get_result(writes.conn())
        .await
}

/// Deletes a user: the row with the name stays, and nothing else does. Does not end sessions.
///
/// # Errors
/// The database's.
pub async fn delete(writes: &mut Writes<'_>, id: UserId) -> QueryResult<User> {
    let conn = writes.conn();
    diesel::delete(group_members::table.filter(group_members::user_id.eq(id))).execute(conn).await?;
    diesel::delete(user_settings::table.find(id)).execute(conn).await?;
    diesel::delete(password_resets::table.filter(password_resets::user_id.eq(id))).execute(conn).await?;
    webhooks::remove(writes, id).await?;
    let conn = writes.conn();
    diesel::update(users::table.find(id))
        .set((
            users::deleted_at.eq(diesel::dsl::now),
            users::email.eq(None::<String>),
            users::password_hash.eq(NO_PASSWORD),
            users::platform_role.eq(PlatformRole::User),
        ))
        .returning(User::as_returning())
        .get_result(conn)
        .await
}

/// Replaces the hash of the password, if it is still `old`. Links for a new password that were created before are no longer
/// valid. Returns whether it was.
///
/// # Errors
/// The database's.
pub async fn change_password(writes: &mut Writes<'_>, id: UserId, old: &str, new: &str) -> QueryResult<bool> {
    let conn = writes.conn();
    let changed = diesel::update(users::table.find(id).filter(users::password_hash.eq(old)))
        .set(users::password_hash.eq(new))
        .execute(conn)
        .await?;
    diesel::delete(password_resets::table.filter(password_resets::user_id.eq(id))).execute(conn).await?;
    Ok(changed == 1)
}

/// Sets the hash of the password of a user who is not deleted.
///
/// # Errors
/// The database's.
pub async fn set_password(writes: &mut Writes<'_>, id: UserId, hash: &str) -> QueryResult<()> {
    diesel::update(users::table.find(id).filter(users::state.ne(UserState::Deleted)))
        .set(users::password_hash.eq(hash))
        .execute(writes.conn())
        .await
        .map(drop)
}
