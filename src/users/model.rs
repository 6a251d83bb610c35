//! People's rows and the SQL about them.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::Visible;
use crate::auth::principal::PlatformRole;
use crate::change::Writes;
use crate::db::tables::{group_members, users};
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, OrderDirection};
use crate::ids::{GroupId, UserId};

/// A person. The password's hash is not in here, so that it cannot be shown by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The name they log in with.
    pub username: String,
    /// The name they are shown by.
    pub display_name: String,
    /// Where they can be written to.
    pub email: Option<String>,
    /// Their role on the platform.
    pub platform_role: PlatformRole,
    /// Since when they cannot log in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when they are gone; the name stays for what they left behind.
    pub deleted_at: Option<DateTime<Utc>>,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

/// What a list of people is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortBy {
    /// The name they log in with.
    #[default]
    Username,
    /// When the account was made.
    CreatedAt,
}

/// Which people, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// With one of these names only.
    pub usernames: Option<Vec<String>>,
    /// In this group only.
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
    query
}

/// One page of the people that the viewer sees and selects, in the page's own direction.
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

/// How many people the viewer sees and selects.
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

/// Whether the person is in one of these groups.
///
/// # Errors
/// The database's.
pub async fn is_in_one_of(conn: &mut AsyncPgConnection, user: UserId, groups: &[GroupId]) -> QueryResult<bool> {
    let found =
        group_members::table.filter(group_members::user_id.eq(user).and(group_members::group_id.eq_any(groups)));
    diesel::select(diesel::dsl::exists(found)).get_result(conn).await
}

/// Makes an account.
///
/// # Errors
/// The database's; `users_username_key` is the constraint of a name that is taken.
pub async fn insert(writes: &mut Writes<'_>, user: &User, password_hash: &str) -> QueryResult<()> {
    diesel::insert_into(users::table)
        .values((user, users::password_hash.eq(password_hash)))
        .execute(writes.conn())
        .await
        .map(drop)
}
