//! What the policy has to know of users who are not the caller, and the SQL for who may do something.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::auth::policy::{Holders, StorageAccess};
use crate::auth::principal::{GroupRole, Person, PlatformRole};
use crate::db::tables::{group_members, users};
use crate::graphql::connection::Page;
use crate::graphql::keyset::{self, Condition, OrderDirection};
use crate::ids::{GroupId, UserId};
use crate::users::model::User;

/// A user with their roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The user.
    pub user: UserId,
    /// Their role on the platform.
    pub platform_role: PlatformRole,
    /// Their role in each of their groups.
    pub groups: BTreeMap<GroupId, GroupRole>,
}

impl Roles {
    /// What the policy has to know of them.
    pub const fn person(&self) -> Person<'_> {
        Person { user: self.user, platform_role: self.platform_role, groups: &self.groups }
    }
}

/// The roles of those of these users who can log in.
///
/// # Errors
/// The database's.
pub async fn roles(conn: &mut AsyncPgConnection, of: &[UserId]) -> QueryResult<Vec<Roles>> {
    let enabled = users::disabled_at.is_null().and(users::deleted_at.is_null());
    type Row = (UserId, PlatformRole, Option<(GroupId, GroupRole)>);
    let rows: Vec<Row> = users::table
        .left_join(group_members::table.on(group_members::user_id.eq(users::id)))
        .filter(users::id.eq_any(of).and(enabled))
        .select((users::id, users::platform_role, (group_members::group_id, group_members::role).nullable()))
        .load(conn)
        .await?;
    let mut found: BTreeMap<UserId, Roles> = BTreeMap::new();
    for (user, platform_role, in_group) in rows {
        let roles = found.entry(user).or_insert_with(|| Roles { user, platform_role, groups: BTreeMap::new() });
        roles.groups.extend(in_group);
    }
    Ok(found.into_values().collect())
}

/// Whether two users share a group.
///
/// # Errors
/// The database's.
pub async fn are_fellows(conn: &mut AsyncPgConnection, one: UserId, other: UserId) -> QueryResult<bool> {
    let shared = sql::<Bool>(
        "EXISTS (SELECT FROM group_members one JOIN group_members other USING (group_id) WHERE one.user_id = ",
    );
    let shared = shared.bind::<SqlUuid, _>(one).sql(" AND other.user_id = ").bind::<SqlUuid, _>(other).sql(")");
    diesel::select(shared).get_result(conn).await
}

/// The users who are among `holders` and can log in.
fn among<'a>(holders: &Holders) -> users::BoxedQuery<'a, diesel::pg::Pg> {
    let enabled = users::table.filter(users::disabled_at.is_null().and(users::deleted_at.is_null())).into_boxed();
    let Holders { everybody, user, fellows_of, in_group, owner_in_group, granted } = holders;
    if *everybody {
        return enabled;
    }
    let mut any: Condition<users::table> = Box::new(users::platform_role.eq(PlatformRole::Admin));
    if let Some(user) = user {
        any = Box::new(any.or(users::id.eq(*user)));
    }
    if let Some(user) = fellows_of {
        let fellows = sql::<Bool>(
            "users.id IN (SELECT fellow.user_id FROM group_members fellow JOIN group_members own USING (group_id) WHERE own.user_id = ",
        );
        any = Box::new(any.or(fellows.bind::<SqlUuid, _>(*user).sql(")")));
    }
    if let Some((group, roles)) = in_group {
        let members = group_members::table
            .filter(group_members::group_id.eq(*group).and(group_members::role.eq_any(roles.clone())))
            .select(group_members::user_id);
        any = Box::new(any.or(users::id.eq_any(members)));
    }
    if let Some((group, owner)) = owner_in_group {
        let members = group_members::table
            .filter(group_members::group_id.eq(*group).and(group_members::user_id.eq(*owner)))
            .select(group_members::user_id);
        any = Box::new(any.or(users::id.eq_any(members)));
    }
    if let Some((group, claim, least)) = granted {
        let enough: Vec<_> = StorageAccess::ALL.iter().copied().filter(|access| access >= least).collect();
        // What a permission says goes before the default of the claim, which is nothing if it is for admins only.
        let granted = sql::<Bool>("users.id IN (SELECT member.user_id FROM group_members member JOIN storage_claims claim ON claim.id = ")
            .bind::<SqlUuid, _>(*claim)
            .sql(" LEFT JOIN storage_permissions own ON own.claim_id = claim.id AND own.user_id = member.user_id WHERE member.group_id = ")
            .bind::<SqlUuid, _>(*group)
            .sql(" AND coalesce(own.access, CASE WHEN claim.admin_only THEN 'NONE' ELSE claim.default_access END) = ANY(")
            .bind::<Array<Text>, _>(enough)
            .sql("))");
        any = Box::new(any.or(granted));
    }
    enabled.filter(any)
}

/// A page of the users who are among `holders`, by username, in the page's own direction.
///
/// # Errors
/// The database's.
pub async fn page(conn: &mut AsyncPgConnection, holders: &Holders, page: &Page) -> QueryResult<Vec<User>> {
    let mut query = among(holders);
    for condition in keyset::between(page.bounds(OrderDirection::Asc), "users.username", "users.id") {
        query = query.filter(condition);
    }
    query = match page.ascending(OrderDirection::Asc) {
        true => query.order((users::username.asc(), users::id.asc())),
        false => query.order((users::username.desc(), users::id.desc())),
    };
    query.limit(page.limit).select(User::as_select()).load(conn).await
}

/// The number of users who are among `holders`.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut AsyncPgConnection, holders: &Holders) -> QueryResult<i64> {
    among(holders).count().get_result(conn).await
}

/// The roles of these users in a group.
///
/// # Errors
/// The database's.
pub async fn roles_in(
    conn: &mut AsyncPgConnection,
    group: GroupId,
    of: &[UserId],
) -> QueryResult<BTreeMap<UserId, GroupRole>> {
    let found = group_members::table.filter(group_members::group_id.eq(group).and(group_members::user_id.eq_any(of)));
    let found: Vec<(UserId, GroupRole)> =
        found.select((group_members::user_id, group_members::role)).load(conn).await?;
    Ok(found.into_iter().collect())
}
