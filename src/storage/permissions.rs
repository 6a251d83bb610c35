//! Says what single users may do with a storage claim.

use std::collections::HashMap;

use async_graphql::{Context, InputObject, SimpleObject};
use serde_json::json;

use super::event::{PvcEvent, about};
use super::model::permissions::{self, Permission};
use super::mutation::{locked, permitted};
use super::phase::PvcEventKind;
use super::types::{Pvc, StoragePermission};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, StorageAccess};
use crate::change::Done;
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::names::shown;
use crate::groups::model::members;
use crate::ids::{PvcKind, UserId};

/// Maximum number of users at once.
const MAX_USERS: usize = 50;

/// What a user may do with a storage claim.
#[derive(Debug, InputObject)]
pub struct StoragePermissionInput {
    /// The username.
    pub username: String,
    /// What the user may do; null for what the claim grants to all members of the group.
    pub access: Option<StorageAccess>,
}

/// Input for `setStoragePermissions`.
#[derive(Debug, InputObject)]
pub struct SetStoragePermissionsInput {
    /// The ID of the claim. You must be responsible for it.
    pub pvc_id: GivenId<PvcKind>,
    /// What each of these users may do: 1 to 50 users.
    pub permissions: Vec<StoragePermissionInput>,
}

/// The result of saying what one user may do.
#[derive(Debug, SimpleObject)]
pub struct SetStoragePermissionResult {
    /// The username as it was given.
    pub username: String,
    /// The permission that the user has now; null if they have what the claim grants to all members of the group, or if
    /// there was an error.
    pub permission: Option<StoragePermission>,
    /// A human-readable explanation of why nothing was changed for the user; null if there was no error.
    pub error: Option<String>,
}

/// Result of `setStoragePermissions`.
#[derive(Debug, SimpleObject)]
pub struct SetStoragePermissionsPayload {
    /// The claim.
    pub pvc: Pvc,
    /// The result for each user, in the order of the input.
    #[graphql(directive = assumed_list::apply(10))]
    pub results: Vec<SetStoragePermissionResult>,
}

pub(super) async fn set(
    ctx: &Context<'_>,
    input: SetStoragePermissionsInput,
) -> Result<SetStoragePermissionsPayload, ApiErrors> {
    ctx.caller().principal()?;
    let count = input.permissions.len();
    let few = match (1..=MAX_USERS).contains(&count) {
        true => Ok(()),
        false => {
            let message = format!("permissions has {count} users; it must have 1 to {MAX_USERS}");
            Err(ApiError::bad_input("input.permissions", message))
        }
    };
    let (id, ()) = both(input.pvc_id.at("input.pvcId"), few)?;
    let (_, change) =
        permitted(ctx, id, Action::SetStoragePermissions).await.map_err(|error| error.at("input.pvcId"))?;
    let (claim, results) = change
        .commit(async |writes| {
            let claim = locked(writes, id).await.map_err(|error| error.at("input.pvcId"))?;
            let Some(group) = claim.group_id.filter(|_| claim.shared_by.is_none()) else {
                let message = "the drive of a user is theirs alone; it cannot be shared";
                return Err(ApiError::conflict(message).at("input.pvcId").into());
            };
            // Usernames are stored in lower case, and are the same name in any case.
            let keys: Vec<String> = input.permissions.iter().map(|given| given.username.to_lowercase()).collect();
            let users: HashMap<String, UserId> =
                members::users_named(writes.conn(), &keys).await?.into_iter().collect();
            let ids: Vec<UserId> = users.values().copied().collect();
            let of_group = members::of_users(writes.conn(), group, &ids).await?;
            let (mut results, mut changed) = (Vec::with_capacity(keys.len()), Vec::new());
            for (given, key) in input.permissions.iter().zip(&keys) {
                let name = shown(&given.username);
                let result = |permission: Option<Permission>, error| SetStoragePermissionResult {
                    username: given.username.clone(),
                    permission: permission.map(StoragePermission::from),
                    error,
                };
                let Some(user_id) = users.get(key).copied() else {
                    results.push(result(None, Some(format!("there is no user {name}"))));
                    continue;
                };
                // A permission of somebody who has left the group can be taken back.
                if given.access.is_some() && !of_group.iter().any(|member| member.user_id == user_id) {
                    let why = format!("{name} is not a member of the group; add them to the group first");
                    results.push(result(None, Some(why)));
                    continue;
                }
                let before = permissions::set(writes, id, user_id, given.access).await?;
                if before != given.access {
                    let text = |access: Option<StorageAccess>| access.map(StorageAccess::as_str);
                    changed.push(json!({ "user": key, "before": text(before), "after": text(given.access) }));
                }
                results.push(result(given.access.map(|access| Permission { claim_id: id, user_id, access }), None));
            }
            if changed.is_empty() {
                return Ok(Done::nothing().with((claim, results)));
            }
            writes.tell(about(&claim), &PvcEvent::of(&claim, PvcEventKind::PermissionsChanged))?;
            let done = Done::to(id, json!({ "permissions": changed }));
            let done = claim.project_id.into_iter().fold(done, Done::in_project);
            Ok(done.with((claim, results)))
        })
        .await?;
    Ok(SetStoragePermissionsPayload { pvc: claim.into(), results })
}
