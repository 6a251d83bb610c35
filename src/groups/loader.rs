//! Groups by ID, and the pages of their members and of the memberships of users.

use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::{FutureExt, TryFutureExt};

use super::model::{self, Group, Member, Selection};
use crate::auth::policy::Visible;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::{group_members, groups};
use crate::db::{Lane, prepared, when};
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::keyset::{OrderDirection, by_page, time};
use crate::ids::{GroupId, UserId};

/// The group with an ID.
pub enum GroupsById {}

impl Read for GroupsById {
    type Key = GroupId;
    type Value = Arc<Group>;

    async fn read(lane: &Lane, keys: Vec<GroupId>) -> Result<ByKey<GroupId, Arc<Group>>, ApiError> {
        let mut conn = lane.lookup().await?;
        let found: Vec<Group> =
            groups::table.filter(groups::id.eq_any(keys)).select(Group::as_select()).load(&mut conn).await?;
        Ok(found.into_iter().map(|group| (group.id, Arc::new(group))).collect())
    }
}

/// A page of a group's memberships, oldest first.
pub enum MembersOfGroup {}

impl Read for MembersOfGroup {
    type Key = (GroupId, Page);
    type Value = Arc<Vec<Member>>;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let mut conn = lane.lookup().await?;
        let mut found = ByKey::default();
        for (page, parents) in by_page(keys) {
            let mut pages: ByKey<GroupId, Vec<Member>> = ByKey::default();
            for member in members_of_groups(&mut conn, &parents, &page).await? {
                pages.entry(member.group_id).or_default().push(member);
            }
            found.extend(pages.into_iter().map(|(group, rows)| ((group, page.clone()), Arc::new(rows))));
        }
        Ok(found)
    }
}

async fn members_of_groups(conn: &mut AsyncPgConnection, parents: &[GroupId], page: &Page) -> QueryResult<Vec<Member>> {
    let order = direction(page);
    let (after, before) = page.bounds(OrderDirection::Asc);
    let ((after, after_id), (before, before_id)) = (time(after), time(before));
    let above = when(after.is_some(), "(joined_at, user_id) > ($2, $3)");
    let below = when(before.is_some(), "(joined_at, user_id) < ($4, $5)");
    // Only the shape is part of the text; everything that a client sends is bound.
    prepared(format!(
        "SELECT member.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (
            SELECT * FROM group_members
             WHERE group_id = parent.id
               AND {above}
               AND {below}
             ORDER BY joined_at {order}, user_id {order} LIMIT $6
         ) AS member"
    ))
    .bind::<Array<SqlUuid>, _>(parents)
    .bind::<Nullable<Timestamptz>, _>(after)
    .bind::<Nullable<SqlUuid>, _>(after_id)
    .bind::<Nullable<Timestamptz>, _>(before)
    .bind::<Nullable<SqlUuid>, _>(before_id)
    .bind::<BigInt, _>(page.limit)
    .load(conn)
    .await
}

/// A page of a user's memberships in the groups that the viewer can see, oldest first.
pub enum MembershipsOfUser {}

impl Read for MembershipsOfUser {
    type Key = (UserId, Visible, Page);
    type Value = Arc<Vec<Member>>;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        let mut conn = lane.lookup().await?;
        let mut found = ByKey::default();
        // Viewers with the same groups share the statement; within a request there is one viewer.
        let mut parents: ByKey<(Visible, Page), Vec<UserId>> = ByKey::default();
        for (user, visible, page) in keys {
            parents.entry((visible, page)).or_default().push(user);
        }
        for ((visible, page), users) in parents {
            let mut pages: ByKey<UserId, Vec<Member>> = ByKey::default();
            for member in memberships_of_users(&mut conn, &users, &visible, &page).await? {
                pages.entry(member.user_id).or_default().push(member);
            }
            found.extend(pages.into_iter().map(|(user, rows)| ((user, visible.clone(), page.clone()), Arc::new(rows))));
        }
        Ok(found)
    }
}

async fn memberships_of_users(
    conn: &mut AsyncPgConnection,
    parents: &[UserId],
    visible: &Visible,
    page: &Page,
) -> QueryResult<Vec<Member>> {
    let order = direction(page);
    let (after, before) = page.bounds(OrderDirection::Asc);
    let ((after, after_id), (before, before_id)) = (time(after), time(before));
    let seen = match visible {
        Visible::Everything => None,
        Visible::Groups(groups) => Some(groups.as_slice()),
    };
    let among = when(seen.is_some(), "group_id = ANY ($2)");
    let above = when(after.is_some(), "(joined_at, group_id) > ($3, $4)");
    let below = when(before.is_some(), "(joined_at, group_id) < ($5, $6)");
    prepared(format!(
        "SELECT member.* FROM unnest($1) AS parent (id) CROSS JOIN LATERAL (
            SELECT * FROM group_members
             WHERE user_id = parent.id
               AND {among}
               AND {above}
               AND {below}
             ORDER BY joined_at {order}, group_id {order} LIMIT $7
         ) AS member"
    ))
    .bind::<Array<SqlUuid>, _>(parents)
    .bind::<Nullable<Array<SqlUuid>>, _>(seen)
    .bind::<Nullable<Timestamptz>, _>(after)
    .bind::<Nullable<SqlUuid>, _>(after_id)
    .bind::<Nullable<Timestamptz>, _>(before)
    .bind::<Nullable<SqlUuid>, _>(before_id)
    .bind::<BigInt, _>(page.limit)
    .load(conn)
    .await
}

fn direction(page: &Page) -> &'static str {
    if page.ascending(OrderDirection::Asc) { "ASC" } else { "DESC" }
}

/// The number of members of a group.
pub enum MemberCounts {}

impl Read for MemberCounts {
    type Key = GroupId;
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<GroupId>) -> Result<ByKey<GroupId, i64>, ApiError> {
        let mut conn = lane.lookup().await?;
        let rows: Vec<(GroupId, i64)> = group_members::table
            .filter(group_members::group_id.eq_any(keys))
            .group_by(group_members::group_id)
            .select((group_members::group_id, diesel::dsl::count_star()))
            .load(&mut conn)
            .await?;
        Ok(rows.into_iter().collect())
    }
}

/// The number of a user's groups that the viewer can see.
pub enum MembershipCounts {}

impl Read for MembershipCounts {
    type Key = (UserId, Visible);
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, i64>, ApiError> {
        let mut conn = lane.lookup().await?;
        let mut users: ByKey<Visible, Vec<UserId>> = ByKey::default();
        for (user, visible) in keys {
            users.entry(visible).or_default().push(user);
        }
        let mut found = ByKey::default();
        for (visible, users) in users {
            let mut query = group_members::table.filter(group_members::user_id.eq_any(users)).into_boxed();
            if let Visible::Groups(groups) = &visible {
                query = query.filter(group_members::group_id.eq_any(groups));
            }
            let members: Vec<UserId> = query.select(group_members::user_id).load(&mut conn).await?;
            for user in members {
                *found.entry((user, visible.clone())).or_insert(0) += 1;
            }
        }
        Ok(found)
    }
}

/// A page of the groups that a viewer can see. Viewers with the same groups and arguments share the statement.
pub enum GroupPages {}

impl Read for GroupPages {
    type Key = (Visible, Selection, Page);
    type Value = Arc<Vec<Group>>;
    const CONNECTIONS: usize = 4;
    /// Each is a separate statement: others get their own connection.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, (visible, selection, page)| {
            model::page(conn, visible, selection, page).map_ok(Arc::new).boxed()
        })
        .await
    }
}
