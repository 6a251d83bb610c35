//! Mutations of storage claims.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use serde_json::{Value, json};

use super::binding::{self, BindPvcInput, BindPvcPayload, UnbindPvcInput, UnbindPvcPayload};
use super::creation::{self, CreatePvcInput, CreatePvcPayload};
use super::deletion::{self, DeletePvcInput, DeletePvcPayload};
use super::drive::{self, InitializeUserStorageInput, InitializeUserStoragePayload};
use super::event::{PvcEvent, about};
use super::model::{self, Claim};
use super::permissions::{self, SetStoragePermissionsInput, SetStoragePermissionsPayload};
use super::phase::PvcEventKind;
use super::query::visible;
use super::resizing::{self, ResizePvcInput, ResizePvcPayload};
use super::types::Pvc;
use super::worker::StorageWake;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, StorageAccess};
use crate::change::{Change, ChangeExt, Done, Writes};
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::ids::GivenId;
use crate::graphql::limits::directives::cost;
use crate::graphql::names;
use crate::graphql::{ApiResult, IntoGraphql};
use crate::ids::{PvcId, PvcKind};

/// The maximum length of a display name in characters.
pub(super) const MAX_DISPLAY_NAME: usize = 200;

/// Input for `updatePvc`. Omitted fields keep their value.
#[derive(Debug, InputObject)]
pub struct UpdatePvcInput {
    /// The ID of the claim. You must be responsible for it.
    pub id: GivenId<PvcKind>,
    /// The new name that is shown to people: at most 200 characters. The name in the cluster stays.
    pub display_name: Option<String>,
    /// What members of the group may do with the claim.
    pub default_access: Option<StorageAccess>,
    /// Whether only admins of the group, and users with a permission, may use the claim, whatever `defaultAccess` is.
    pub admin_only: Option<bool>,
}

/// Result of `updatePvc`.
#[derive(Debug, SimpleObject)]
pub struct UpdatePvcPayload {
    /// The changed claim.
    pub pvc: Pvc,
}

/// The mutations of storage claims.
#[derive(Debug, Default)]
pub struct StorageMutation;

#[Object]
impl StorageMutation {
    /// Creates a storage claim for a project or a group. It is created in the cluster right after, or later if the cluster
    /// is unavailable: `phase` says where it is, and `pvcEvents` tells of each change.
    ///
    /// Fails with NOT_FOUND if the project or the group does not exist or you are not a member of the group, FORBIDDEN if you
    /// are not responsible for its storage, BAD_USER_INPUT for each invalid field, QUOTA_EXCEEDED if the claims of the
    /// project would be larger than its limit of storage, and CONFLICT if the name is taken, the project is archived, or
    /// `idempotencyKey` was used for another input.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn create_pvc(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new claim.")] input: CreatePvcInput,
    ) -> ApiResult<Option<CreatePvcPayload>> {
        creation::create(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Changes the name of a storage claim, or what it grants to members of the group.
    ///
    /// Fails with NOT_FOUND if the claim does not exist or you cannot see it, FORBIDDEN if you are not responsible for it, and
    /// BAD_USER_INPUT for each invalid field.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn update_pvc(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The claim and its new values.")] input: UpdatePvcInput,
    ) -> ApiResult<Option<UpdatePvcPayload>> {
        update(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Makes a storage claim larger.
    ///
    /// Fails with NOT_FOUND if the claim does not exist or you cannot see it, FORBIDDEN if you are not responsible for it,
    /// BAD_USER_INPUT for a size that is smaller than the present one or not valid, QUOTA_EXCEEDED if the claims of the
    /// project would be larger than its limit of storage, and CONFLICT if the storage class does not allow it or the claim is
    /// lost, failed or being deleted.
    #[graphql(directive = cost::apply("10".to_owned()))]
    async fn resize_pvc(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The claim and its new size.")] input: ResizePvcInput,
    ) -> ApiResult<Option<ResizePvcPayload>> {
        resizing::resize(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Deletes a storage claim, with everything in it if its storage class deletes volumes. Has no effect if the claim is
    /// already being deleted.
    ///
    /// Fails with NOT_FOUND if the claim does not exist or you cannot see it, FORBIDDEN if you are not responsible for it, or
    /// if `force` is true and you are not a platform admin, BAD_USER_INPUT if `confirmName` is not the name of the claim, and
    /// CONFLICT if pods mount the claim or unfinished jobs need it.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn delete_pvc(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The claim to delete.")] input: DeletePvcInput,
    ) -> ApiResult<Option<DeletePvcPayload>> {
        deletion::delete(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Shares the storage of a claim of a group, or of a drive, with a project: a second claim, in the namespace of the project,
    /// shows the same files. The storage driver must be able to do that: NFS, CephFS, Longhorn and those that an operator
    /// lists, with an access mode for many nodes. Removing the share deletes nothing.
    ///
    /// Fails with NOT_FOUND if the claim or the project does not exist or you cannot see it, FORBIDDEN if you have no access to
    /// the claim or are not a manager or an admin of the group of the project, BAD_USER_INPUT for each invalid field,
    /// QUOTA_EXCEEDED if the claims of the project would be larger than its limit of storage, and CONFLICT if the storage cannot
    /// be shared, or the name is taken.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn bind_pvc(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The claim and the project.")] input: BindPvcInput,
    ) -> ApiResult<Option<BindPvcPayload>> {
        binding::bind(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Removes a share that `bindPvc` has created. The storage and its files stay. Has no effect if it is already being
    /// removed.
    ///
    /// Fails with NOT_FOUND if the claim does not exist or you cannot see it, FORBIDDEN if you are not responsible for it, and
    /// CONFLICT if the claim is not a share, pods mount it or unfinished jobs need it.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn unbind_pvc(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The share to remove.")] input: UnbindPvcInput,
    ) -> ApiResult<Option<UnbindPvcPayload>> {
        binding::unbind(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Says what single users may do with a storage claim. A user for whom it cannot be said does not prevent it for the
    /// others: `results` says what came of each. It applies to jobs that are submitted from now on.
    ///
    /// Fails with NOT_FOUND if the claim does not exist or you cannot see it, FORBIDDEN if you are not responsible for it,
    /// BAD_USER_INPUT for an invalid number of users, and CONFLICT for the drive of a user.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn set_storage_permissions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The claim and the users.")] input: SetStoragePermissionsInput,
    ) -> ApiResult<Option<SetStoragePermissionsPayload>> {
        permissions::set(ctx, input).await.map(Some).graphql(ctx)
    }

    /// Creates the drive of a user: a storage claim of their own. Has no effect if they have one.
    ///
    /// Fails with NOT_FOUND if the user does not exist or you are neither the user nor a platform admin, and BAD_USER_INPUT if
    /// the cluster has no default storage class.
    #[graphql(directive = cost::apply("20".to_owned()))]
    async fn initialize_user_storage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose drive to create; yours by default.")] input: InitializeUserStorageInput,
    ) -> ApiResult<Option<InitializeUserStoragePayload>> {
        drive::initialize(ctx, input).await.map(Some).graphql(ctx)
    }
}

/// The claim, and a change of it that the caller is permitted to do.
///
/// # Errors
/// `UNAUTHENTICATED`, `NOT_FOUND` for a claim that the caller cannot see, `FORBIDDEN`.
pub(super) async fn permitted(ctx: &Context<'_>, id: PvcId, action: Action) -> Result<(Arc<Claim>, Change), ApiError> {
    let at = |error: ApiError| error.at("input.id");
    let claim = visible(ctx, id).await.map_err(at)?;
    let change = ctx.change(action, claim.scope(StorageAccess::None)).map_err(at)?;
    Ok((claim, change))
}

/// The claim, locked until the transaction ends.
///
/// # Errors
/// `NOT_FOUND` if it was deleted in the meantime.
pub(super) async fn locked(writes: &mut Writes<'_>, id: PvcId) -> Result<Claim, ApiError> {
    let not_found = || ApiError::not_found("storage claim", id).at("input.id");
    model::lock(writes.conn(), id).await?.ok_or_else(not_found)
}

/// Wakes the worker: something was committed for it.
pub(super) fn wake(ctx: &Context<'_>) {
    if let Some(StorageWake(wake)) = ctx.data_opt::<StorageWake>() {
        wake.now();
    }
}

async fn update(ctx: &Context<'_>, input: UpdatePvcInput) -> Result<UpdatePvcPayload, ApiErrors> {
    ctx.caller().principal()?;
    let display_name =
        input.display_name.map(|name| names::prose(name, MAX_DISPLAY_NAME, "input.displayName")).transpose();
    let (id, display_name) = both(input.id.at("input.id"), display_name)?;
    let (_, change) = permitted(ctx, id, Action::UpdatePvc).await?;
    let claim = change
        .commit(async |writes| {
            let before = locked(writes, id).await?;
            let named = display_name.filter(|name| !name.trim().is_empty());
            let claim = Claim {
                display_name: named.unwrap_or_else(|| before.display_name.clone()),
                default_access: input.default_access.unwrap_or(before.default_access),
                admin_only: input.admin_only.unwrap_or(before.admin_only),
                ..before.clone()
            };
            if claim == before {
                return Ok(Done::nothing().with(claim));
            }
            if (claim.user_id.is_some() || claim.shared_by.is_some()) && claim.default_access != before.default_access {
                let message = "the drive of a user is theirs alone; it cannot be shared";
                return Err(ApiError::conflict(message).at("input.defaultAccess").into());
            }
            model::update(writes, &claim).await?;
            writes.tell(about(&claim), &PvcEvent::of(&claim, PvcEventKind::Updated))?;
            let done = Done::to(id, json!({ "before": audited(&before), "after": audited(&claim) }));
            let done = claim.project_id.into_iter().fold(done, Done::in_project);
            Ok(done.with(claim))
        })
        .await?;
    Ok(UpdatePvcPayload { pvc: claim.into() })
}

fn audited(claim: &Claim) -> Value {
    json!({
        "displayName": claim.display_name,
        "defaultAccess": claim.default_access.as_str(),
        "adminOnly": claim.admin_only,
    })
}
