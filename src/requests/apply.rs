//! Grants what a request asks for, if whoever resolves it could do so themselves.

use chrono::{DateTime, Utc};

use super::model::{self, Limits, Request, Wanted};
use crate::auth::policy::{self, Action, Scope};
use crate::auth::principal::{Caller, GroupRole};
use crate::change::{Changed, Writes};
use crate::error::{ApiError, ApiErrors};
use crate::ids::{GroupId, ProjectId};
use crate::notifications::model::{Notice, NotificationType, notify};

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

async fn grant(
    writes: &mut Writes<'_>,
    caller: &Caller,
    request: &Request,
    (group, role): (GroupId, GroupRole),
    changed: Changed,
) -> Result<Changed, ApiErrors> {
    let before = model::role(writes, group, request.author_id).await?;
    may(caller, policy::granting(before, role), Scope::group(group))?;
    if before == Some(role) {
        return Ok(changed);
    }
    model::grant(writes, group, request.author_id, role).await?;
    let notice = Notice {
        user: request.author_id,
        kind: NotificationType::RoleChanged,
        subject: group.to_text(),
        message: format!("You have the role {} in a group now.", role.as_str()),
    };
    notify(writes, vec![notice]).await?;
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
    if (Limits { gpu: None, ..wanted }) != Limits::default() {
        may(caller, Action::SetProjectLimits, scope)?;
    }
    let before = model::limits(writes, project).await?;
    let after = Limits {
        gpu: wanted.gpu.or(before.gpu),
        cpu_millis: wanted.cpu_millis.or(before.cpu_millis),
        memory_bytes: wanted.memory_bytes.or(before.memory_bytes),
        concurrent_jobs: wanted.concurrent_jobs.or(before.concurrent_jobs),
    };
    model::set_limits(writes, project, &after).await?;
    Ok(changed
        .field("gpu", &before.gpu, &after.gpu)
        .field("cpuMillis", &before.cpu_millis, &after.cpu_millis)
        .field("memoryBytes", &before.memory_bytes, &after.memory_bytes)
        .field("concurrentJobs", &before.concurrent_jobs, &after.concurrent_jobs))
}

/// Asks the policy whether the caller could do what the request asks for.
fn may(caller: &Caller, action: Action, scope: Scope) -> Result<(), ApiError> {
    policy::check(caller, action, scope).map(drop).map_err(|error| error.at("input.status"))
}
