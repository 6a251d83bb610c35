//! The rows of memberships and the SQL that changes them.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Group, Member};
use crate::auth::principal::GroupRole;
use crate::change::Writes;
use crate::db::tables::{group_members, users};
use crate::ids::{GroupId, MembershipId, UserId};
use crate::notifications::model::{Notice, NotificationType};

/// The membership with this ID.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut AsyncPgConnection, id: MembershipId) -> QueryResult<Option<Member>> {
    group_members::table.filter(group_members::id.eq(id)).select(Member::as_select()).first(conn).await.optional()
}

/// The memberships that these users have in a group.
///
/// # Errors
/// The database's.
pub async fn of_users(conn: &mut AsyncPgConnection, group: GroupId, of: &[UserId]) -> QueryResult<Vec<Member>> {
    group_members::table
        .filter(group_members::group_id.eq(group).and(group_members::user_id.eq_any(of)))
        .select(Member::as_select())
        .load(conn)
        .await
}

/// The users with these usernames who have not been deleted.
///
/// # Errors
/// The database's.
pub async fn users_named(conn: &mut AsyncPgConnection, names: &[String]) -> QueryResult<Vec<(String, UserId)>> {
    users::table
        .filter(users::username.eq_any(names).and(users::deleted_at.is_null()))
        .select((users::username, users::id))
        .load(conn)
        .await
}

/// How many members can be added to a group, which must be locked so that nobody else adds some; `None` for any number.
///
/// # Errors
/// The database's.
pub async fn room_in(conn: &mut AsyncPgConnection, group: &Group) -> QueryResult<Option<usize>> {
    let Some(most) = group.max_members else { return Ok(None) };
    let members: i64 =
        group_members::table.filter(group_members::group_id.eq(group.id)).count().get_result(conn).await?;
    Ok(Some(usize::try_from(i64::from(most) - members).unwrap_or(0)))
}

/// Adds memberships.
///
/// # Errors
/// The database's.
pub async fn add(writes: &mut Writes<'_>, members: &[Member]) -> QueryResult<()> {
    diesel::insert_into(group_members::table).values(members).execute(writes.conn()).await.map(drop)
}

/// Changes the role of a member.
///
/// # Errors
/// The database's.
pub async fn set_role(writes: &mut Writes<'_>, id: MembershipId, role: GroupRole) -> QueryResult<()> {
    diesel::update(group_members::table.filter(group_members::id.eq(id)))
        .set(group_members::role.eq(role))
        .execute(writes.conn())
        .await
        .map(drop)
}

/// Ends a membership.
///
/// # Errors
/// The database's.
pub async fn remove(writes: &mut Writes<'_>, id: MembershipId) -> QueryResult<()> {
    diesel::delete(group_members::table.filter(group_members::id.eq(id))).execute(writes.conn()).await.map(drop)
}

/// Two of the admins of a group whose accounts can be used: enough to see whether one of them is the last.
///
/// # Errors
/// The database's.
pub async fn active_admins(writes: &mut Writes<'_>, group: GroupId) -> QueryResult<Vec<UserId>> {
    group_members::table
        .inner_join(users::table)
        .filter(group_members::group_id.eq(group).and(group_members::role.eq(GroupRole::Admin)))
        .filter(users::disabled_at.is_null().and(users::deleted_at.is_null()))
        .select(group_members::user_id)
        .limit(2)
        .load(writes.conn())
        .await
}

/// What somebody is told whose role in a group was changed by another user.
pub fn notice(group: &Group, user: UserId, role: Option<GroupRole>) -> Notice {
    let message = match role {
        Some(role) => format!("Your role in the group {} is {} now.", group.name, role.as_str()),
        None => format!("You are no longer a member of the group {}.", group.name),
    };
    Notice { user, kind: NotificationType::RoleChanged, subject: group.id.to_text(), message }
}
