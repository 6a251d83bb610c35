//! Groups by ID, the members of groups and the memberships of users, and the pages of all groups.

use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::{FutureExt, TryFutureExt};

use super::model::{self, Group, Member, Memberships, Selection, UserMemberships};
use crate::auth::policy::Visible;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::db::tables::{group_members, groups};
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::graphql::cursor::Position;
use crate::graphql::edges::{ListEdge, Order};
use crate::graphql::keyset::Condition;
use crate::ids::{GroupId, GroupKind, MembershipId, UserId, UserKind};

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

/// The membership with an ID.
pub enum MembershipsById {}

impl Read for MembershipsById {
    type Key = MembershipId;
    type Value = Arc<Member>;

    async fn read(lane: &Lane, keys: Vec<MembershipId>) -> Result<ByKey<MembershipId, Arc<Member>>, ApiError> {
        let found = group_members::table.filter(group_members::id.eq_any(keys)).select(Member::as_select());
        let found: Vec<Member> = found.load(&mut lane.lookup().await?).await?;
        Ok(found.into_iter().map(|member| (member.id, Arc::new(member))).collect())
    }
}

/// The members of a group, oldest membership first by default.
pub enum MembersOfGroup {}

impl ListEdge for MembersOfGroup {
    type Parent = GroupKind;
    type Under = group_members::group_id;
    type SortedBy = (group_members::joined_at, group_members::user_id);
    type Row = Member;
    type Item = Member;
    type Filter = Memberships;

    fn parent(member: &Member) -> GroupId {
        member.group_id
    }

    fn order(memberships: &Memberships) -> Order<group_members::table> {
        Order::by::<Self::SortedBy>(memberships.direction)
    }

    fn position(member: &Member, _: &Memberships) -> Position {
        Position::at(member.joined_at, member.user_id.uuid())
    }

    fn conditions(memberships: &Memberships) -> Vec<Condition<group_members::table>> {
        memberships.conditions()
    }
}

/// The memberships of a user in the groups that the viewer can see, oldest first by default. Viewers with the same groups share the
/// statement; within a request there is one viewer.
pub enum MembershipsOfUser {}

impl ListEdge for MembershipsOfUser {
    type Parent = UserKind;
    type Under = group_members::user_id;
    type SortedBy = (group_members::joined_at, group_members::group_id);
    type Row = Member;
    type Item = Member;
    type Filter = UserMemberships;

    fn parent(member: &Member) -> UserId {
        member.user_id
    }

    fn order(memberships: &UserMemberships) -> Order<group_members::table> {
        Order::by::<Self::SortedBy>(memberships.selected.direction)
    }

    fn position(member: &Member, _: &UserMemberships) -> Position {
        Position::at(member.joined_at, member.group_id.uuid())
    }

    fn conditions(memberships: &UserMemberships) -> Vec<Condition<group_members::table>> {
        memberships.conditions()
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
