//! The accounts of users at sign-in providers.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::principal::UserState;
use crate::change::Writes;
use crate::db::tables::{user_identities, users};
use crate::ids::UserId;

/// The user of an identity.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Who.
    pub user_id: UserId,
    /// Whether they can sign in.
    pub state: UserState,
}

/// Lets only one transaction at a time decide about an identity that may not exist yet.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut AsyncPgConnection, issuer: &str, subject: &str) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))")
        .bind::<diesel::sql_types::Text, _>(format!("{issuer}\n{subject}"))
        .execute(conn)
        .await
        .map(drop)
}

/// The user with this identity.
///
/// # Errors
/// The database's.
pub async fn identified(conn: &mut AsyncPgConnection, issuer: &str, subject: &str) -> QueryResult<Option<Known>> {
    let found = user_identities::table
        .find((issuer, subject))
        .inner_join(users::table)
        .select((users::id, users::state))
        .first(conn)
        .await
        .optional()?;
    Ok(found.map(|(user_id, state)| Known { user_id, state }))
}

/// Records that a user signed in with an identity.
///
/// # Errors
/// The database's.
pub async fn touch(writes: &mut Writes<'_>, issuer: &str, subject: &str) -> QueryResult<()> {
    diesel::update(user_identities::table.find((issuer, subject)))
        .set(user_identities::last_used_at.eq(diesel::dsl::now))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Links an identity to a user. Returns whether it was not linked before.
///
/// # Errors
/// The database's.
pub async fn link(writes: &mut Writes<'_>, user: UserId, issuer: &str, subject: &str) -> QueryResult<bool> {
    let linked = diesel::insert_into(user_identities::table)
        .values((
            user_identities::issuer.eq(issuer),
            user_identities::subject.eq(subject),
            user_identities::user_id.eq(user),
        ))
        .on_conflict_do_nothing()
        .execute(writes.conn())
        .await?;
    Ok(linked > 0)
}

/// Removes an identity of a user. Returns whether there was one.
///
/// # Errors
/// The database's.
pub async fn unlink(writes: &mut Writes<'_>, user: UserId, issuer: &str, subject: &str) -> QueryResult<bool> {
    let of_user = user_identities::table.find((issuer, subject)).filter(user_identities::user_id.eq(user));
    Ok(diesel::delete(of_user).execute(writes.conn()).await? > 0)
}

/// Which of these usernames are taken, also by users who were deleted.
///
/// # Errors
/// The database's.
pub async fn taken(conn: &mut AsyncPgConnection, names: &[String]) -> QueryResult<Vec<String>> {
    users::table.filter(users::username.eq_any(names)).select(users::username).load(conn).await
}
