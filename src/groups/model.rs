//! The rows of groups and the SQL for them.

pub mod members;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::Visible;
use crate::auth::principal::GroupRole;
use crate::change::Writes;
use crate::db::tables::{group_members, groups, projects, users};
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, Condition, OrderDirection};
use crate::graphql::search::Search;
use crate::ids::{GroupId, MembershipId, UserId};

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = groups, check_for_backend(Pg))]
pub struct Group {
    /// The ID.
    pub id: GroupId,
    /// The name of the group, unique on the platform.
    pub name: String,
    /// A description of the group.
    pub description: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// How many members it can have; `None` for any number.
    pub max_members: Option<i32>,
    /// How many bytes its own storage claims can have together; `None` for any number.
    pub storage_bytes: Option<i64>,
}

/// Membership of a user in a group.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = group_members, check_for_backend(Pg))]
pub struct Member {
    /// The group.
    pub group_id: GroupId,
    /// The user.
    pub user_id: UserId,
    /// The role of the user in the group.
    pub role: GroupRole,
    /// Since when.
    pub joined_at: DateTime<Utc>,
    /// The ID.
    pub id: MembershipId,
}

/// Which memberships of a group, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Memberships {
    /// Only with one of these roles.
    pub roles: Option<Vec<GroupRole>>,
    /// Only those whose other end matches: the username and display name of a member, or the name of a user's group.
    pub search: Option<Search>,
    /// Oldest or newest first.
    pub direction: OrderDirection,
}

impl Memberships {
    /// The conditions that the memberships of a group meet.
    pub fn conditions(&self) -> Vec<Condition<group_members::table>> {
        let mut conditions: Vec<Condition<group_members::table>> = Vec::new();
        if let Some(roles) = &self.roles {
            conditions.push(Box::new(group_members::role.eq_any(roles.clone())));
        }
        if let Some(search) = &self.search {
            let found =
                users::table.filter(search.matches("users.username || ' ' || users.display_name")).select(users::id);
            conditions.push(Box::new(group_members::user_id.eq_any(found)));
        }
        conditions
    }
}

/// Which memberships of a user, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserMemberships {
    /// Only those in these groups.
    pub visible: Visible,
    /// Only these of them.
    pub selected: Memberships,
}

impl UserMemberships {
    /// The conditions that the memberships meet.
    pub fn conditions(&self) -> Vec<Condition<group_members::table>> {
        let mut conditions: Vec<Condition<group_members::table>> = Vec::new();
        if let Visible::Groups { groups, .. } = &self.visible {
            conditions.push(Box::new(group_members::group_id.eq_any(groups.clone())));
        }
        if let Some(roles) = &self.selected.roles {
            conditions.push(Box::new(group_members::role.eq_any(roles.clone())));
        }
        if let Some(search) = &self.selected.search {
            let found = groups::table.filter(search.matches("groups.name")).select(groups::id);
            conditions.push(Box::new(group_members::group_id.eq_any(found)));
        }
        conditions
    }
}

/// The fields that a list of groups can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortBy {
    /// The name.
    #[default]
    Name,
    /// When the group was created.
    CreatedAt,
}

/// Which groups, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only with one of these names.
    pub names: Option<Vec<String>>,
    /// Only with a name that matches.
    pub search: Option<Search>,
    /// Only those that this user is a member of.
    pub member: Option<UserId>,
    /// The order.
    pub sort: SortBy,
    /// The order's direction.
    pub direction: OrderDirection,
}

fn selected<'a>(visible: &Visible, selection: &'a Selection) -> groups::BoxedQuery<'a, Pg> {
    let mut query = groups::table.into_boxed();
    if let Visible::Groups { groups: visible, .. } = visible {
        query = query.filter(groups::id.eq_any(visible.clone()));
    }
    if let Some(names) = &selection.names {
        query = query.filter(groups::name.eq_any(names));
    }
    if let Some(search) = &selection.search {
        query = query.filter(search.matches("groups.name"));
    }
    if let Some(member) = selection.member {
        let theirs = group_members::table.filter(group_members::user_id.eq(member)).select(group_members::group_id);
        query = query.filter(groups::id.eq_any(theirs));
    }
    query
}

/// A page of the groups that are visible and match the filter, in the page's own direction.
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

/// The number of groups that are visible and match the filter.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, visible: &Visible, selection: &Selection) -> QueryResult<i64> {
    selected(visible, selection).count().get_result(conn).await
}

/// Creates a group.
///
/// # Errors
/// The database's; `groups_name_key` is the constraint that is violated if the name is taken.
pub async fn insert(writes: &mut Writes<'_>, group: &Group) -> QueryResult<()> {
    diesel::insert_into(groups::table).values(group).execute(writes.conn()).await.map(drop)
}

/// Gives the user this role in the group with this name, as a provider says. A group admin stays one, and nobody is added to a
/// group that is full. Returns whether the membership changed, and the role before.
///
/// # Errors
/// The database's.
pub async fn provide(
    writes: &mut Writes<'_>,
    user: UserId,
    group: &str,
    role: GroupRole,
) -> QueryResult<Option<Option<GroupRole>>> {
    let named = groups::table.filter(groups::name.eq(group)).select(Group::as_select()).for_no_key_update();
    let Some(group) = named.first(writes.conn()).await.optional()? else { return Ok(None) };
    let before = members::of_users(writes.conn(), group.id, &[user]).await?.pop().map(|member| member.role);
    if before.is_none() && members::room_in(writes.conn(), &group).await? == Some(0) {
        tracing::warn!(group = group.name, %user, "a sign-in provider gives a role in a group that is full");
        return Ok(None);
    }
    // Not diesel's builder, which has no condition on the update of a conflict from a selection.
    let changed = diesel::sql_query(
        "INSERT INTO group_members AS member (id, group_id, user_id, role)
         VALUES ($1, $4, $2, $3)
             ON CONFLICT (group_id, user_id) DO UPDATE SET role = EXCLUDED.role
          WHERE member.role NOT IN ('ADMIN', EXCLUDED.role)",
    )
    .bind::<diesel::sql_types::Uuid, _>(MembershipId::generate())
    .bind::<diesel::sql_types::Uuid, _>(user)
    .bind::<diesel::sql_types::Text, _>(role)
    .bind::<diesel::sql_types::Uuid, _>(group.id)
    .execute(writes.conn())
    .await?;
    Ok((changed > 0).then_some(before))
}

/// Ends the membership of the user in the group with this name, as a provider says, unless they are a group admin. Returns the
/// role of a membership that ended.
///
/// # Errors
/// The database's.
pub async fn withdraw(writes: &mut Writes<'_>, user: UserId, group: &str) -> QueryResult<Option<GroupRole>> {
    let named = groups::table.filter(groups::name.eq(group)).select(groups::id);
    let membership = group_members::table
        .filter(group_members::user_id.eq(user).and(group_members::group_id.eq_any(named)))
        .filter(group_members::role.ne(GroupRole::Admin));
    diesel::delete(membership).returning(group_members::role).get_result(writes.conn()).await.optional()
}

/// The group, locked until the transaction ends: changes of its members wait for each other.
///
/// # Errors
/// The database's.
pub async fn lock(writes: &mut Writes<'_>, id: GroupId) -> QueryResult<Option<Group>> {
    groups::table.find(id).select(Group::as_select()).for_no_key_update().first(writes.conn()).await.optional()
}

/// Like [`lock`], and nothing can be added that belongs to the group.
///
/// # Errors
/// The database's.
pub async fn lock_whole(writes: &mut Writes<'_>, id: GroupId) -> QueryResult<Option<Group>> {
    groups::table.find(id).select(Group::as_select()).for_update().first(writes.conn()).await.optional()
}

/// Writes the name and the description of a group.
///
/// # Errors
/// The database's; `groups_name_key` is the constraint that is violated if the name is taken.
pub async fn update(writes: &mut Writes<'_>, group: &Group) -> QueryResult<()> {
    diesel::update(groups::table.find(group.id))
        .set((groups::name.eq(&group.name), groups::description.eq(&group.description)))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Writes the limits of a group.
///
/// # Errors
/// The database's.
pub async fn set_limits(writes: &mut Writes<'_>, group: &Group) -> QueryResult<()> {
    let limits = (groups::max_members.eq(group.max_members), groups::storage_bytes.eq(group.storage_bytes));
    let row = diesel::update(groups::table.find(group.id)).set(limits);
    row.execute(writes.conn()).await.map(drop)
}

/// Deletes a group without projects, with its memberships.
///
/// # Errors
/// The database's; a project of the group violates a foreign key.
pub async fn delete(writes: &mut Writes<'_>, id: GroupId) -> QueryResult<()> {
    diesel::delete(groups::table.find(id)).execute(writes.conn()).await.map(drop)
}

/// The number of projects of a group, and the names of the first few.
///
/// # Errors
/// The database's.
pub async fn projects_of(writes: &mut Writes<'_>, id: GroupId, few: i64) -> QueryResult<(i64, Vec<String>)> {
    let of_group = projects::table.filter(projects::group_id.eq(id));
    let count = of_group.count().get_result(writes.conn()).await?;
    let names = of_group.order(projects::name).limit(few).select(projects::name).load(writes.conn()).await?;
    Ok((count, names))
}
