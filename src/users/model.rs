//! The rows of users and the SQL for them.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::Visible;
use crate::auth::principal::PlatformRole;
use crate::change::Writes;
use crate::db::tables::{group_members, user_identities, users};
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, OrderDirection};
use crate::graphql::search::Search;
use crate::ids::{GroupId, UserId};

/// A user. It does not contain the password hash, so that it cannot be shown by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub struct User {
    /// The ID.
    pub id: UserId,
    /// The username.
    pub username: String,
    /// The display name.
    pub display_name: String,
    /// The email address.
    pub email: Option<String>,
    /// Their role on the platform.
    pub platform_role: PlatformRole,
    /// When the account was disabled, if it is.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When the user was deleted, if they were; the name stays for what they created.
    pub deleted_at: Option<DateTime<Utc>>,
    /// When the account was created.
    pub created_at: DateTime<Utc>,
}

/// The fields that a list of users can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortBy {
    /// The username.
    #[default]
    Username,
    /// When the account was created.
    CreatedAt,
}

/// Which users, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only with one of these names.
    pub usernames: Option<Vec<String>>,
    /// Only with a username or a display name that matches.
    pub search: Option<Search>,
    /// Only members of this group.
    pub group: Option<GroupId>,
    /// The order.
    pub sort: SortBy,
    /// The order's direction.
    pub direction: OrderDirection,
}

fn selected<'a>(visible: &Visible, viewer: UserId, selection: &'a Selection) -> users::BoxedQuery<'a, Pg> {
    let mut query = users::table.filter(users::deleted_at.is_null()).into_boxed();
    if let Visible::Groups(groups) = visible {
        let fellows =
            group_members::table.filter(group_members::group_id.eq_any(groups.clone())).select(group_members::user_id);
        query = query.filter(users::id.eq(viewer).or(users::id.eq_any(fellows)));
    }
    if let Some(group) = selection.group {
        if !visible.includes(group) {
            return query.filter(diesel::dsl::sql::<diesel::sql_types::Bool>("false"));
        }
        let members = group_members::table.filter(group_members::group_id.eq(group)).select(group_members::user_id);
        query = query.filter(users::id.eq_any(members));
    }
    if let Some(usernames) = &selection.usernames {
        query = query.filter(users::username.eq_any(usernames));
    }
    if let Some(search) = &selection.search {
        query = query.filter(search.matches("users.username || ' ' || users.display_name"));
    }
    query
}

/// A page of the users that the viewer can see and that match the filter, in the page's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    viewer: UserId,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<User>> {
    let column = match selection.sort {
        SortBy::Username => "users.username",
        SortBy::CreatedAt => "users.created_at",
    };
    let mut query = selected(visible, viewer, selection);
    for condition in keyset::between(page.bounds(selection.direction), column, "users.id") {
        query = query.filter(condition);
    }
    query = match (selection.sort, page.ascending(selection.direction)) {
        (SortBy::Username, true) => query.order((users::username.asc(), users::id.asc())),
        (SortBy::Username, false) => query.order((users::username.desc(), users::id.desc())),
        (SortBy::CreatedAt, true) => query.order((users::created_at.asc(), users::id.asc())),
        (SortBy::CreatedAt, false) => query.order((users::created_at.desc(), users::id.desc())),
    };
    query.limit(page.limit).select(User::as_select()).load(conn).await
}

/// The number of users that the viewer can see and that match the filter.
///
/// # Errors
/// The database's.
pub async fn count(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    viewer: UserId,
    selection: &Selection,
) -> QueryResult<i64> {
    selected(visible, viewer, selection).count().get_result(conn).await
}

/// Whether the user is a member of one of these groups.
///
/// # Errors
/// The database's.
pub async fn is_in_one_of(conn: &mut AsyncPgConnection, user: UserId, groups: &[GroupId]) -> QueryResult<bool> {
    let found =
        group_members::table.filter(group_members::user_id.eq(user).and(group_members::group_id.eq_any(groups)));
    diesel::select(diesel::dsl::exists(found)).get_result(conn).await
}

/// Creates an account.
///
/// # Errors
/// The database's; `users_username_key` is the constraint that is violated if the username is taken.
pub async fn insert(writes: &mut Writes<'_>, user: &User, password_hash: &str) -> QueryResult<()> {
    diesel::insert_into(users::table)
        .values((user, users::password_hash.eq(password_hash)))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// The stored hash of a user without a password, which no password matches.
pub const NO_PASSWORD: &str = "none";

/// Usernames that could be mistaken for something of the platform.
const RESERVED: [&str; 8] = ["admin", "administrator", "api", "platform", "root", "support", "system", "user"];

/// Whether users cannot choose this name.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// The user of an identity.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Who.
    pub user_id: UserId,
    /// Whether they can sign in.
    pub is_active: bool,
}

/// Lets only one transaction at a time decide about an identity that may not exist yet.
///
/// # Errors
/// The database's.
pub async fn lock_identity(conn: &mut AsyncPgConnection, issuer: &str, subject: &str) -> QueryResult<()> {
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
        .select((users::id, users::disabled_at.is_null().and(users::deleted_at.is_null())))
        .first(conn)
        .await
        .optional()?;
    Ok(found.map(|(user_id, is_active)| Known { user_id, is_active }))
}

/// Records that a user signed in with an identity.
///
/// # Errors
/// The database's.
pub async fn touch_identity(writes: &mut Writes<'_>, issuer: &str, subject: &str) -> QueryResult<()> {
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
