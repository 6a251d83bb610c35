//! Grants what a request asks for, if whoever resolves it could do so themselves.

use chrono::{DateTime, SubsecRound as _, Utc};

use super::model::{Limits, Request, Wanted};
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::{Caller, GroupRole};
use crate::change::{Changed, Writes};
use crate::error::{ApiError, ApiErrors};
use crate::groups::model::{self as groups, Member, members};
use crate::ids::{GroupId, MembershipId, ProjectId};
use crate::notifications::model::notify;
use crate::projects::model::{self as projects, limits};

/// What was granted.
pub(super) struct Appliance {
    /// The fields that have other values than before.
    pub fields: Changed,
    /// When.
    pub at: DateTime<Utc>,
}

/// Grants what the request asks for. The request is locked, so this happens once.
///
/// # Errors
/// `FORBIDDEN` if the caller could not do it, or the database's.
pub(super) async fn apply(
    writes: &mut Writes<'_>,
    caller: &Caller,
    request: &Request,
    wanted: Wanted,
    changed: Changed,
) -> Result<Appliance, ApiErrors> {
    let fields = match (wanted, request.group_id, request.project_id) {
        (Wanted::Role { role }, Some(group), _) => {
            grant(writes, caller, request, (group, role.into()), changed).await?
        }
        (Wanted::Limits(limits), Some(group), Some(project)) => {
            set_limits(writes, caller, (group, project), limits, changed).await?
        }
        (Wanted::Role { .. } | Wanted::Limits(_), _, _) => {
            return Err(ApiError::internal("the request asks for something of nothing").into());
        }
    };
    Ok(Appliance { fields, at: request.updated_at })
}

/// Gives the author the role, unless they have it or a higher one by now: a request takes nothing away.
async fn grant(
    writes: &mut Writes<'_>,
    caller: &Caller,
    request: &Request,
    (id, role): (GroupId, GroupRole),
    changed: Changed,
) -> Result<Changed, ApiErrors> {
    let group = groups::lock(writes, id).await?.ok_or_else(|| ApiError::not_found("group", id))?;
    let author = request.author_id;
    let member = members::of_users(writes.conn(), id, &[author]).await?.into_iter().next();
    let before = member.as_ref().map(|member| member.role);
    may(caller, if member.is_some() { Action::SetGroupRole } else { Action::AddGroupMembers }, Scope::group(id))?;
    if let Some(action) = policy::to_grant(role) {
        may(caller, action, Scope::group(id))?;
    }
    if before >= Some(role) {
        return Ok(changed);
    }
    match member {
        Some(member) => members::set_role(writes, member.id, role).await?,
        None => {
            if members::room_in(writes.conn(), &group).await? == Some(0) {
                let message = format!("the group {} has as many members as it can have", group.name);
                return Err(ApiError::conflict(message).at("input.status").into());
            }
            let (id, joined_at) = (MembershipId::generate(), Utc::now().trunc_subsecs(6));
            let member = Member { group_id: group.id, user_id: author, role, joined_at, id };
            members::add(writes, &[member]).await?;
        }
    }
    notify(writes, vec![members::notice(&group, author, Some(role))]).await?;
    Ok(changed.field("role", &before.map(GroupRole::as_str), &Some(role.as_str())))
}

async fn set_limits(
    writes: &mut Writes<'_>,
    caller: &Caller,
    (group, project): (GroupId, ProjectId),
    wanted: Limits,
    changed: Changed,
) -> Result<Changed, ApiErrors> {
    let scope = Scope::within(group, project);
    if wanted.gpu.is_some() {
        may(caller, Action::SetGpuLimit, scope)?;
    }
    if wanted.ask_managers() {
        may(caller, Action::SetProjectLimits, scope)?;
    }
    let changed = match wanted.max_members {
        Some(most) => set_members(writes, caller, group, most, changed).await?,
        None => changed,
    };
    projects::lock(writes, project).await?.ok_or_else(|| ApiError::not_found("project", project))?;
    let before = limits::lock(writes.conn(), project).await?.unwrap_or_default();
    let after = wanted.over(before);
    if after != before {
        limits::set(writes, (project, group), &after).await?;
    }
    Ok(before.changed_to(&after, changed))
}

async fn set_members(
    writes: &mut Writes<'_>,
    caller: &Caller,
    id: GroupId,
    most: i32,
    changed: Changed,
) -> Result<Changed, ApiErrors> {
    may(caller, Action::SetGroupLimits, Scope::group(id))?;
    let before = groups::lock(writes, id).await?.ok_or_else(|| ApiError::not_found("group", id))?;
    let after = groups::Group { max_members: Some(most), ..before.clone() };
    groups::set_limits(writes, &after).await?;
    Ok(changed.field("maxMembers", &before.max_members, &after.max_members))
}

/// Asks the policy whether the caller could do what the request asks for.
fn may(caller: &Caller, action: Action, scope: Scope) -> Result<(), ApiError> {
    policy::check(caller, action, scope).map(drop).map_err(|error| error.at("input.status"))
}
