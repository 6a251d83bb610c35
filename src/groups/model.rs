//! Groups' rows and the SQL about them.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::Visible;
use crate::auth::principal::GroupRole;
use crate::change::Writes;
use crate::db::tables::{group_members, groups};
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, OrderDirection};
use crate::ids::{GroupId, UserId};

/// A group of people.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = groups, check_for_backend(Pg))]
pub struct Group {
    /// The id.
    pub id: GroupId,
    /// The name, unique on the platform.
    pub name: String,
    /// What the group is about.
    pub description: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// That a person is in a group.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, QueryableByName)]
#[diesel(table_name = group_members, check_for_backend(Pg))]
pub struct Member {
    /// The group.
    pub group_id: GroupId,
    /// The person.
    pub user_id: UserId,
    /// What they may do in it.
    pub role: GroupRole,
    /// Since when.
    pub joined_at: DateTime<Utc>,
}

/// What a list of groups is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortBy {
    /// The name.
    #[default]
    Name,
    /// When the group was made.
    CreatedAt,
}

/// Which groups, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// With one of these names only.
    pub names: Option<Vec<String>>,
    /// That this person is in only.
    pub member: Option<UserId>,
    /// The order.
    pub sort: SortBy,
    /// The order's direction.
    pub direction: OrderDirection,
}

fn selected<'a>(visible: &Visible, selection: &'a Selection) -> groups::BoxedQuery<'a, Pg> {
    let mut query = groups::table.into_boxed();
    if let Visible::Groups(visible) = visible {
        query = query.filter(groups::id.eq_any(visible.clone()));
    }
    if let Some(names) = &selection.names {
        query = query.filter(groups::name.eq_any(names));
    }
    if let Some(member) = selection.member {
        let theirs = group_members::table.filter(group_members::user_id.eq(member)).select(group_members::group_id);
        query = query.filter(groups::id.eq_any(theirs));
    }
    query
}

/// One page of the groups that are visible and selected, in the page's own direction.
///
/// # Errors
/// The database's.
pub async fn page(
    conn: &mut AsyncPgConnection,
    visible: &Visible,
    selection: &Selection,
    page: &Page,
) -> QueryResult<Vec<Group>> {
    let column = match selection.sort {
        SortBy::Name => "groups.name",
        SortBy::CreatedAt => "groups.created_at",
    };
    let mut query = selected(visible, selection);
    for condition in keyset::between(page.bounds(selection.direction), column, "groups.id") {
        query = query.filter(condition);
    }
    query = match (selection.sort, page.ascending(selection.direction)) {
        (SortBy::Name, true) => query.order((groups::name.asc(), groups::id.asc())),
        (SortBy::Name, false) => query.order((groups::name.desc(), groups::id.desc())),
        (SortBy::CreatedAt, true) => query.order((groups::created_at.asc(), groups::id.asc())),
        (SortBy::CreatedAt, false) => query.order((groups::created_at.desc(), groups::id.desc())),
    };
    query.limit(page.limit).select(Group::as_select()).load(conn).await
}

/// How many groups are visible and selected.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    selected(visible, selection).count().get_result(conn).await
}

/// Makes a group.
///
/// # Errors
/// The database's; `groups_name_key` is the constraint of a name that is taken.
pub async fn insert(writes: &mut Writes<'_>, group: &Group) -> QueryResult<()> {
    diesel::insert_into(groups::table).values(group).execute(writes.conn()).await.map(drop)
}
