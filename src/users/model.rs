//! The rows of users and the SQL for them.

pub mod accounts;
pub mod api_tokens;
pub mod identities;
pub mod resets;
pub mod sessions;
pub mod settings;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::Visible;
use crate::auth::principal::{PlatformRole, UserState};
use crate::change::Writes;
use crate::db::tables::{group_members, users};
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, OrderDirection};
use crate::graphql::search::Search;
use crate::ids::{GroupId, UserId};

/// A user. It does not contain the password hash, so that it cannot be shown by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, QueryableByName)]
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
    /// The state of the account.
    pub state: UserState,
}

/// A new account.
#[derive(Debug, Insertable)]
#[diesel(table_name = users)]
pub struct NewUser {
    /// The ID.
    pub id: UserId,
    /// The username.
    pub username: String,
    /// The display name.
    pub display_name: String,
    /// The email address.
    pub email: Option<String>,
    /// The hash of the password, or [`NO_PASSWORD`](crate::auth::passwords::NO_PASSWORD).
    pub password_hash: String,
    /// Their role on the platform.
    pub platform_role: PlatformRole,
    /// When the account was disabled; an account that waits has been from the beginning.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Whether it waits for approval.
    pub waiting: bool,
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
    /// Only in one of these states; all but deleted users without them.
    pub states: Option<Vec<UserState>>,
    /// The order.
    pub sort: SortBy,
    /// The order's direction.
    pub direction: OrderDirection,
}

fn selected<'a>(visible: &Visible, viewer: UserId, selection: &'a Selection) -> users::BoxedQuery<'a, Pg> {
    let mut query = users::table.into_boxed();
    query = match &selection.states {
        Some(states) => query.filter(users::state.eq_any(states)),
        None => query.filter(users::deleted_at.is_null()),
    };
    query = match visible {
        Visible::Everything => query,
        // The viewer is one of the members. With "or the viewer", PostgreSQL would read all members for each page.
        Visible::Groups { groups, project: None } if !groups.is_empty() => {
            let fellows = group_members::table.filter(group_members::group_id.eq_any(groups.clone()));
            query.filter(users::id.eq_any(fellows.select(group_members::user_id)))
        }
        // With an API token for a project of a group that they are not in, a platform admin sees themselves as well.
        Visible::Groups { groups, project: Some(_) } => {
            let fellows = group_members::table.filter(group_members::group_id.eq_any(groups.clone()));
            query.filter(users::id.eq(viewer).or(users::id.eq_any(fellows.select(group_members::user_id))))
        }
        Visible::Groups { .. } => query.filter(users::id.eq(viewer)),
    };
    if let Some(group) = selection.group {
        if !visible.includes_group(group) {
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
pub async fn insert(writes: &mut Writes<'_>, user: &NewUser) -> QueryResult<User> {
    diesel::insert_into(users::table).values(user).returning(User::as_returning()).get_result(writes.conn()).await
}
