//! The drive of a user: a storage claim of their own.

use async_graphql::{Context, InputObject, SimpleObject};
use serde_json::json;

use super::classes;
use super::creation::{Home, Plan, row};
use super::event::{PvcEvent, about};
use super::loader::DriveOfUser;
use super::model;
use super::mutation::wake;
use super::phase::{AccessMode, PvcEventKind};
use super::size::Size;
use super::types::Pvc;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{Action, ClaimOwner, Scope, StorageAccess};
use crate::change::{ChangeExt, Done};
use crate::cluster::names::Tenant;
use crate::error::{ApiError, ApiErrors};
use crate::graphql::ids::{self, GivenId};
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::Quantity;
use crate::ids::{PvcId, UserKind};
use crate::users::loader::UsersById;

/// The name of every drive.
pub(super) const NAME: &str = "home";

/// Input for `initializeUserStorage`.
#[derive(Debug, Default, InputObject)]
pub struct InitializeUserStorageInput {
    /// The ID of the user; you by default. Only platform admins can create the drive of somebody else.
    pub user_id: Option<GivenId<UserKind>>,
}

/// Result of `initializeUserStorage`.
#[derive(Debug, SimpleObject)]
pub struct InitializeUserStoragePayload {
    /// The drive.
    pub pvc: Pvc,
    /// Whether it was created now; false if the user had one.
    pub created: bool,
}

pub(super) async fn initialize(
    ctx: &Context<'_>,
    input: InitializeUserStorageInput,
) -> Result<InitializeUserStoragePayload, ApiErrors> {
    let caller = ctx.caller().principal()?.user;
    let user = ids::maybe(input.user_id.as_ref(), "input.userId")?.unwrap_or(caller);
    let scope = Scope::person(user).claim(ClaimOwner::User, StorageAccess::None);
    let change = ctx.change(Action::CreatePvc, scope).map_err(|error| error.at("input.userId"))?;
    let not_found = || ApiError::not_found("user", user).at("input.userId");
    ctx.read::<UsersById>(user).await?.ok_or_else(not_found)?;
    if let Some(pvc) = ctx.read::<DriveOfUser>(user).await? {
        return Ok(InitializeUserStoragePayload { pvc: Pvc(pvc), created: false });
    }
    let size = Size::parse(&Quantity(classes::defaults(ctx)?.drive_size.clone()), "input.userId")
        .map_err(|error| ApiError::internal(format!("USER_PV_SIZE: {error}")))?;
    let plan = Plan {
        name: NAME.to_owned(),
        display_name: "Home".to_owned(),
        size,
        class: classes::choose(ctx, None, "input.userId").await?,
        access_mode: AccessMode::ReadWriteOnce,
        default_access: StorageAccess::None,
        admin_only: false,
    };
    let tenant = Tenant::User(user);
    let home = Home { tenant, namespace: tenant.namespace(), group: None };
    let claim = row(PvcId::generate(), home, caller, plan);
    let (pvc, created) = change
        .commit(async |writes| {
            if !model::insert_new(writes, &claim).await? {
                // Another call was faster.
                let drive = model::drives(writes.conn(), &[user]).await?.into_iter().find(|it| it.name == NAME);
                let drive = drive.ok_or_else(|| ApiError::conflict("the drive was deleted at the same moment"))?;
                return Ok(Done::nothing().with((drive, false)));
            }
            writes.tell(about(&claim), &PvcEvent::of(&claim, PvcEventKind::Created))?;
            let detail = json!({ "user": user.to_string(), "size": claim.size, "storageClass": claim.storage_class });
            Ok(Done::to(claim.id, detail).with((claim.clone(), true)))
        })
        .await?;
    wake(ctx);
    Ok(InitializeUserStoragePayload { pvc: pvc.into(), created })
}
