//! Mutations of the members of a group.

use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{SubsecRound, Utc};
use serde_json::json;

use super::loader::GroupsById;
use super::model::{self, Member, members};
use super::types::{Group, Membership};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::GroupRole;
use crate::change::{ChangeExt, Changed, Done, Writes};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::context::RequestExt;
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::{assumed_list, cost};
use crate::graphql::loaders::ReadExt;
use crate::graphql::names;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{GroupKind, MembershipId, MembershipKind, UserId};
use crate::notifications::model::notify;

/// Maximum number of users that are added at once.
const MAX_USERNAMES: usize = 50;

/// Input for `addGroupMembers`.
#[derive(Debug, InputObject)]
pub struct AddGroupMembersInput {
    /// The ID of the group. You must be an admin of the group.
    pub group_id: GivenId<GroupKind>,
    /// The usernames of the users to add: 1 to 50.
    pub usernames: Vec<String>,
    /// The role of the new members. Only platform admins can add members with the role ADMIN.
    #[graphql(default_with = "Some(GroupRole::Member)")]
    pub role: Option<GroupRole>,
}

/// What came of adding a user to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum AddMemberOutcome {
    /// The user is a member of the group now.
    Added,
    /// The user was a member of the group before. The role was not changed.
    AlreadyMember,
    /// There is no user with this username.
    NoSuchUser,
    /// The group has as many members as it can have (`maxMembers`).
    GroupFull,
}

/// The result of adding one user to a group.
#[derive(Debug, SimpleObject)]
pub struct AddMemberResult {
    /// The username as it was given.
    pub username: String,
    /// Whether the user was added.
    pub outcome: AddMemberOutcome,
    /// The membership of the user, whether it is new or not; null if there is no such user.
    pub membership: Option<Membership>,
    /// A human-readable explanation of why the user was not added; null if the user was added.
    pub error: Option<String>,
}

/// Result of `addGroupMembers`.
#[derive(Debug, SimpleObject)]
pub struct AddGroupMembersPayload {
    /// The group.
    pub group: Group,
    /// The result for each username, in the order of the input.
    #[graphql(directive = assumed_list::apply(10))]
    pub results: Vec<AddMemberResult>,
}

/// Input for `setGroupRole`.
#[derive(Debug, InputObject)]
pub struct SetGroupRoleInput {
    /// The ID of the membership. You must be an admin of its group.
    pub membership_id: GivenId<MembershipKind>,
    /// The new role.
    pub role: GroupRole,
}

/// Result of `setGroupRole`.
#[derive(Debug, SimpleObject)]
pub struct SetGroupRolePayload {
    /// The changed membership.
    pub membership: Membership,
}

/// Input for `removeGroupMember`.
#[derive(Debug, InputObject)]
pub struct RemoveGroupMemberInput {
    /// The ID of the membership. You must be an admin of its group.
    pub membership_id: GivenId<MembershipKind>,
}

/// Result of `removeGroupMember`.
#[derive(Debug, SimpleObject)]
pub struct RemoveGroupMemberPayload {
    /// The ID of the membership that has ended.
    pub membership_id: ID,
    /// The group.
    pub group: Group,
}

/// Input for `leaveGroup`.
#[derive(Debug, InputObject)]
pub struct LeaveGroupInput {
    /// The ID of the group to leave.
    pub group_id: GivenId<GroupKind>,
}

/// Result of `leaveGroup`.
#[derive(Debug, SimpleObject)]
pub struct LeaveGroupPayload {
    /// The ID of the group that you are no longer a member of.
    pub group_id: ID,
}

/// The mutations of the members of a group.
#[derive(Debug, Default)]
pub struct MemberMutation;

#[Object]
impl MemberMutation {
    /// Adds users to a group. A username that cannot be added does not prevent the others from being added: `results`
    /// says what came of each. Open subscriptions of the new members include the jobs of the group immediately.
    ///
    /// Fails with NOT_FOUND if the group does not exist or you are not a member of it, FORBIDDEN if you are not an admin
    /// of it or if the role is ADMIN and you are not a platform admin, and BAD_USER_INPUT for an invalid number of
    /// usernames.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn add_group_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The users to add.")] input: AddGroupMembersInput,
    ) -> ApiResult<Option<AddGroupMembersPayload>> {
        add(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Changes the role of a member of a group.
    ///
    /// Fails with NOT_FOUND if the membership does not exist or you are not a member of its group, FORBIDDEN if you are
    /// not an admin of the group or if the old or the new role is ADMIN and you are not a platform admin, and CONFLICT
    /// if the group would have no admin left.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn set_group_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The membership and its new role.")] input: SetGroupRoleInput,
    ) -> ApiResult<Option<SetGroupRolePayload>> {
        set_role(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Removes a member from a group. Their jobs remain. Their open subscriptions no longer include the jobs of the
    /// group, and end with NOT_FOUND if they name something that belongs to the group.
    ///
    /// Fails with NOT_FOUND if the membership does not exist or you are not a member of its group, FORBIDDEN if you are
    /// not an admin of the group or if the member is an admin and you are not a platform admin, and CONFLICT if the
    /// group would have no admin left.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn remove_group_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The membership to end.")] input: RemoveGroupMemberInput,
    ) -> ApiResult<Option<RemoveGroupMemberPayload>> {
        remove(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Ends your own membership in a group. Your jobs remain.
    ///
    /// Fails with NOT_FOUND if the group does not exist or you are not a member of it, and CONFLICT if the group would
    /// have no admin left.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn leave_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The group to leave.")] input: LeaveGroupInput,
    ) -> ApiResult<Option<LeaveGroupPayload>> {
        leave(ctx, input).await.map(Some).graphql(ctx)
    }
}

async fn add(ctx: &Context<'_>, input: AddGroupMembersInput) -> Result<AddGroupMembersPayload, ApiErrors> {
    ctx.caller().principal()?;
    let count = input.usernames.len();
    let few = match (1..=MAX_USERNAMES).contains(&count) {
        true => Ok(()),
        false => {
            let message = format!("usernames has {count} names; it must have 1 to {MAX_USERNAMES}");
            Err(ApiError::bad_input("input.usernames", message))
        }
    };
    let (id, ()) = both(input.group_id.at("input.groupId"), few)?;
    let role = input.role.unwrap_or(GroupRole::Member);
    let at_group = |error: ApiError| error.at("input.groupId");
    let change = ctx.change(Action::AddGroupMembers, Scope::group(id)).map_err(at_group)?;
    if let Some(action) = policy::to_grant(role) {
        policy::check(&ctx.caller(), action, Scope::group(id)).map_err(|error| error.at("input.role"))?;
    }
    let (group, results) = change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("group", id).at("input.groupId");
            let group = model::lock(writes, id).await?.ok_or_else(not_found)?;
            let (results, added) = add_each(writes, &group, &input.usernames, role).await?;
            let done = match added.is_empty() {
                true => Done::nothing(),
                false => Done::to(id, json!({ "added": added, "role": role.as_str() })),
            };
            Ok(done.with((group, results)))
        })
        .await?;
    Ok(AddGroupMembersPayload { group: group.into(), results })
}

/// The result for each name, and the names of those who were added.
async fn add_each(
    writes: &mut Writes<'_>,
    group: &model::Group,
    usernames: &[String],
    role: GroupRole,
) -> Result<(Vec<AddMemberResult>, Vec<String>), ApiError> {
    // Usernames are stored in lower case, and are the same name in any case.
    let keys: Vec<String> = usernames.iter().map(|name| name.to_lowercase()).collect();
    let users: HashMap<String, UserId> = members::users_named(writes.conn(), &keys).await?.into_iter().collect();
    let ids: Vec<UserId> = users.values().copied().collect();
    let before = members::of_users(writes.conn(), group.id, &ids).await?;
    let mut known: HashMap<UserId, Member> = before.into_iter().map(|member| (member.user_id, member)).collect();
    let mut room = members::room_in(writes.conn(), group).await?;
    let (joined_at, mut new, mut added) = (Utc::now().trunc_subsecs(6), Vec::new(), Vec::new());
    let mut results = Vec::with_capacity(usernames.len());
    for (username, key) in usernames.iter().zip(&keys) {
        let shown = names::shown(username);
        let (outcome, member, error) = match users.get(key) {
            None => (AddMemberOutcome::NoSuchUser, None, Some(format!("there is no user {shown}"))),
            Some(user) => match known.get(user) {
                Some(member) => {
                    let error =
                        format!("{shown} is already a member of the group, with the role {}", member.role.as_str());
                    (AddMemberOutcome::AlreadyMember, Some(member.clone()), Some(error))
                }
                None if room == Some(0) => {
                    let error = format!("the group has as many members as it can have, so {shown} was not added");
                    (AddMemberOutcome::GroupFull, None, Some(error))
                }
                None => {
                    room = room.map(|room| room - 1);
                    let id = MembershipId::generate();
                    let member = Member { group_id: group.id, user_id: *user, role, joined_at, id };
                    known.insert(*user, member.clone());
                    new.push(member.clone());
                    added.push(key.clone());
                    (AddMemberOutcome::Added, Some(member), None)
                }
            },
        };
        let membership = member.map(|member| Membership::from(std::sync::Arc::new(member)));
        results.push(AddMemberResult { username: username.clone(), outcome, membership, error });
    }
    if !new.is_empty() {
        members::add(writes, &new).await?;
        let notices = new.iter().map(|member| members::notice(group, member.user_id, Some(role)));
        notify(writes, notices.collect()).await?;
    }
    Ok((results, added))
}

/// The membership, and who may see it; looked at again when the group is locked.
async fn find(ctx: &Context<'_>, id: MembershipId) -> Result<Member, ApiError> {
    let found = members::find(&mut *ctx.db()?.connection().await?, id).await?;
    found.ok_or_else(|| ApiError::not_found("membership", id).at("input.membershipId"))
}

/// The membership in its locked group, for a caller who may change the members of the group. Admins are appointed and
/// dismissed by platform admins only, whatever the role was when the caller looked.
async fn locked(
    ctx: &Context<'_>,
    writes: &mut Writes<'_>,
    found: &Member,
    wanted: Option<GroupRole>,
) -> Result<(model::Group, Member), ApiErrors> {
    let not_found = || ApiError::not_found("membership", found.id).at("input.membershipId");
    let group = model::lock(writes, found.group_id).await?.ok_or_else(not_found)?;
    let member = members::find(writes.conn(), found.id).await?.ok_or_else(not_found)?;
    for role in [Some(member.role), wanted].into_iter().flatten() {
        if let Some(action) = policy::to_grant(role) {
            let scope = Scope::within(member.group_id, member.id);
            policy::check(&ctx.caller(), action, scope).map_err(|error| error.at("input.membershipId"))?;
        }
    }
    Ok((group, member))
}

/// Whether the group has an admin without this member. The group must be locked, so that of two admins who go at the same
/// time the second one is the last.
async fn not_the_last_admin(writes: &mut Writes<'_>, member: &Member, field: &'static str) -> Result<(), ApiError> {
    if members::active_admins(writes, member.group_id).await? == [member.user_id] {
        let message = "the group would have no admin left; make another member an admin first";
        return Err(ApiError::conflict(message).at(field));
    }
    Ok(())
}

async fn set_role(ctx: &Context<'_>, input: SetGroupRoleInput) -> Result<SetGroupRolePayload, ApiErrors> {
    ctx.caller().principal()?;
    let (id, role) = (input.membership_id.at("input.membershipId")?, input.role);
    let found = find(ctx, id).await?;
    let change = ctx
        .change(Action::SetGroupRole, Scope::within(found.group_id, id))
        .map_err(|error| error.at("input.membershipId"))?;
    let member = change
        .commit(async |writes| {
            let (group, member) = locked(ctx, writes, &found, Some(role)).await?;
            if member.role == role {
                return Ok(Done::nothing().with(member));
            }
            not_the_last_admin(writes, &member, "input.role").await?;
            members::set_role(writes, id, role).await?;
            notify(writes, vec![members::notice(&group, member.user_id, Some(role))]).await?;
            let detail = json!({ "group": member.group_id.to_string(), "user": member.user_id.to_string() });
            let changed = Changed::default().field("role", member.role.as_str(), role.as_str());
            Ok(Done::to(id, detail).changed(changed).with(Member { role, ..member }))
        })
        .await?;
    Ok(SetGroupRolePayload { membership: std::sync::Arc::new(member).into() })
}

async fn remove(ctx: &Context<'_>, input: RemoveGroupMemberInput) -> Result<RemoveGroupMemberPayload, ApiErrors> {
    ctx.caller().principal()?;
    let id = input.membership_id.at("input.membershipId")?;
    let found = find(ctx, id).await?;
    let change = ctx
        .change(Action::RemoveGroupMember, Scope::within(found.group_id, id))
        .map_err(|error| error.at("input.membershipId"))?;
    let group = change
        .commit(async |writes| {
            let (group, member) = locked(ctx, writes, &found, None).await?;
            not_the_last_admin(writes, &member, "input.membershipId").await?;
            members::remove(writes, id).await?;
            notify(writes, vec![members::notice(&group, member.user_id, None)]).await?;
            Ok(ended(&member).with(group))
        })
        .await?;
    Ok(RemoveGroupMemberPayload { membership_id: ID(id.to_text()), group: group.into() })
}

async fn leave(ctx: &Context<'_>, input: LeaveGroupInput) -> Result<LeaveGroupPayload, ApiErrors> {
    let user = ctx.caller().principal()?.user;
    let id = input.group_id.at("input.groupId")?;
    let change = ctx.change(Action::LeaveGroup, Scope::group(id)).map_err(|error| error.at("input.groupId"))?;
    if ctx.read::<GroupsById>(id).await?.is_none() {
        return Err(ApiError::not_found("group", id).at("input.groupId").into());
    }
    change
        .commit(async |writes| {
            let not_a_member = || ApiError::not_found("membership in group", id).at("input.groupId");
            model::lock(writes, id).await?.ok_or_else(not_a_member)?;
            let mine = members::of_users(writes.conn(), id, &[user]).await?;
            let member = mine.into_iter().next().ok_or_else(not_a_member)?;
            not_the_last_admin(writes, &member, "input.groupId").await?;
            members::remove(writes, member.id).await?;
            Ok(ended(&member))
        })
        .await?;
    Ok(LeaveGroupPayload { group_id: ID(id.to_text()) })
}

/// The audit entry of a membership that has ended.
fn ended(member: &Member) -> Done {
    let Member { group_id, user_id, role, .. } = member;
    let detail = json!({ "group": group_id.to_string(), "user": user_id.to_string() });
    Done::to(member.id, detail).changed(Changed::default().field("role", &Some(role.as_str()), &None))
}
