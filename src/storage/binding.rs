//! Shares the storage of a claim of a group or a user with a project, and ends that.

use std::time::Duration;

use async_graphql::{Context, ID, InputObject, SimpleObject};
use serde_json::json;

use super::classes::defaults;
use super::creation::{Home, Plan, fits, row};
use super::deletion;
use super::event::{PvcEvent, about};
use super::model::{self, Claim};
use super::mutation::{permitted, wake};
use super::phase::{AccessMode, PvcEventKind};
use super::query::{scope, visible};
use super::size::Size;
use super::types::Pvc;
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, Scope, StorageAccess};
use crate::change::{ChangeExt, Done};
use crate::cluster::Cluster;
use crate::cluster::claims::ObjectKey;
use crate::cluster::names::Tenant;
use crate::cluster::shares::{self, Share, ShareError};
use crate::db::or_taken;
use crate::error::{ApiError, ApiErrors, both};
use crate::graphql::ids::GivenId;
use crate::graphql::loaders::ReadExt;
use crate::graphql::names::{self, shown};
use crate::ids::{ProjectKind, PvcId, PvcKind};
use crate::projects::loader::ProjectsById;
use crate::projects::model as projects;

/// How long the answer waits for the cluster to say whether the storage can be shared.
const PATIENCE: Duration = Duration::from_secs(3);

/// Input for `bindPvc`.
#[derive(Debug, InputObject)]
pub struct BindPvcInput {
    /// The ID of the claim whose storage to share: one of a group, or a drive. You must have access to it.
    pub id: GivenId<PvcKind>,
    /// The ID of the project to share it with. You must be a manager or an admin of its group.
    pub project_id: GivenId<ProjectKind>,
    /// The name of the new claim in the project: 1 to 63 lowercase letters, digits and hyphens. The name of the shared claim
    /// by default.
    pub name: Option<String>,
    /// Whether nobody can write through the new claim. You must have write access to the shared claim if it is false.
    #[graphql(default_with = "Some(true)")]
    pub read_only: Option<bool>,
}

/// Result of `bindPvc`.
#[derive(Debug, SimpleObject)]
pub struct BindPvcPayload {
    /// The claim in the project, which shows the same storage.
    pub pvc: Pvc,
}

/// Input for `unbindPvc`.
#[derive(Debug, InputObject)]
pub struct UnbindPvcInput {
    /// The ID of the claim in the project, which `bindPvc` has created.
    pub id: GivenId<PvcKind>,
}

/// Result of `unbindPvc`.
#[derive(Debug, SimpleObject)]
pub struct UnbindPvcPayload {
    /// The ID of the claim. It exists, with the phase DELETING, until the cluster has deleted it.
    pub pvc_id: ID,
}

pub(super) async fn bind(ctx: &Context<'_>, input: BindPvcInput) -> Result<BindPvcPayload, ApiErrors> {
    let user = ctx.caller().principal()?.user;
    let name = input.name.map(|name| names::name(name, "-", "input.name")).transpose();
    let ids = both(input.id.at("input.id"), input.project_id.at("input.projectId"));
    let ((source, project), name) = both(ids, name)?;
    let read_only = input.read_only.unwrap_or(true);
    let not_found = || ApiError::not_found("project", project).at("input.projectId");
    let found = ctx.read::<ProjectsById>(project).await?.ok_or_else(not_found)?;
    let target = Scope::within(found.group_id, project);
    let change = ctx.change(Action::BindPvc, target).map_err(|error| error.at("input.projectId"))?;
    let at_source = |error: ApiError| error.at("input.id");
    let source = visible(ctx, source).await.map_err(at_source)?;
    let action = if read_only { Action::ReadPvc } else { Action::WritePvc };
    policy::check(&ctx.caller(), action, scope(ctx, &source).await?).map_err(at_source)?;
    can_be_shared(&source).map_err(at_source)?;
    let claim = share_of(
        &source,
        Home { tenant: Tenant::Project(project), namespace: found.namespace.clone(), group: Some(found.group_id) },
        user,
        name,
        read_only,
    );
    asked(ctx, &source, &claim).await.map_err(at_source)?;
    let claim = change
        .commit(async |writes| {
            projects::begin_work(writes, project).await?;
            let gone = || ApiError::not_found("storage claim", source.id).at("input.id");
            let now = model::lock(writes.conn(), source.id).await?.ok_or_else(gone)?;
            can_be_shared(&now).map_err(at_source)?;
            fits(writes, &claim, claim.size_bytes, "input.id").await?;
            let taken = || {
                ApiError::conflict(format!("a claim named {} already exists here", shown(&claim.name))).at("input.name")
            };
            if let Some(name) = model::share_in(writes, source.id, project).await? {
                let message = format!("the claim is already shared with the project, as {}", shown(&name));
                return Err(ApiError::conflict(message).at("input.projectId").into());
            }
            model::insert(writes, &claim).await.map_err(or_taken("storage_claims_object_key", taken))?;
            writes.tell(about(&claim), &PvcEvent::of(&claim, PvcEventKind::Created))?;
            let detail = json!({ "name": claim.name, "source": source.id.to_text(), "readOnly": read_only });
            Ok(Done::to(claim.id, detail).in_project(project).with(claim))
        })
        .await?;
    wake(ctx);
    Ok(BindPvcPayload { pvc: claim.into() })
}

fn can_be_shared(source: &Claim) -> Result<(), ApiError> {
    if source.source_id.is_some() {
        return Err(ApiError::conflict("the claim is a share itself; share the claim that it is a share of"));
    }
    if source.project_id.is_some() {
        return Err(ApiError::conflict(
            "the claim belongs to a project; only claims of groups and drives can be shared",
        ));
    }
    match source.phase.obstacle() {
        Some(why) => Err(ApiError::conflict(format!("the claim {} {why}", source.name))),
        None => Ok(()),
    }
}

fn share_of(source: &Claim, home: Home, user: crate::ids::UserId, name: Option<String>, read_only: bool) -> Claim {
    let plan = Plan {
        name: name.unwrap_or_else(|| source.name.clone()),
        display_name: source.display_name.clone(),
        size: Size { text: source.size.clone(), bytes: source.size_bytes },
        class: None,
        access_mode: if read_only { AccessMode::ReadOnlyMany } else { AccessMode::ReadWriteMany },
        default_access: match (source.user_id, read_only) {
            (Some(_), _) => StorageAccess::None,
            (None, true) => StorageAccess::Read,
            (None, false) => StorageAccess::Write,
        },
        admin_only: false,
    };
    let claim = row(PvcId::generate(), home, user, plan);
    Claim { source_id: Some(source.id), shared_by: source.user_id, read_only, ..claim }
}

/// Asks the cluster whether the storage can be shared. If it does not answer, the claim tells later.
async fn asked(ctx: &Context<'_>, source: &Claim, claim: &Claim) -> Result<(), ApiError> {
    let Some(cluster) = ctx.data_opt::<Cluster>() else { return Ok(()) };
    let Some(project) = claim.project_id else { return Ok(()) };
    let key = |claim: &Claim| ObjectKey { namespace: claim.namespace.clone(), name: claim.name.clone() };
    let share = Share {
        id: claim.id,
        source: source.id,
        key: key(claim),
        owner: Tenant::Project(project).label(),
        read_only: claim.read_only,
    };
    let (place, drivers) = (key(source), &defaults(ctx)?.shared_drivers);
    match tokio::time::timeout(PATIENCE, shares::planned(cluster, &place, &share, drivers)).await {
        Ok(Err(ShareError::Unshareable(why))) => {
            Err(ApiError::conflict(format!("the claim {} cannot be shared: {why}", source.name)))
        }
        Ok(Ok(_) | Err(ShareError::NotBound | ShareError::Cluster(_))) | Err(_) => Ok(()),
    }
}

pub(super) async fn unbind(ctx: &Context<'_>, input: UnbindPvcInput) -> Result<UnbindPvcPayload, ApiErrors> {
    ctx.caller().principal()?;
    let id = input.id.at("input.id")?;
    let (claim, change) = permitted(ctx, id, Action::UnbindPvc).await?;
    if claim.source_id.is_none() {
        let message = "the claim is not a share; deletePvc deletes it with everything in it";
        return Err(ApiError::conflict(message).at("input.id").into());
    }
    change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("storage claim", id).at("input.id");
            let claim = model::lock_whole(writes.conn(), id).await?.ok_or_else(not_found)?;
            if claim.delete_requested_at.is_some() {
                return Ok(Done::nothing());
            }
            deletion::is_unused(writes, &claim).await?;
            deletion::request(writes, &claim).await?;
            let done = Done::to(id, json!({ "name": claim.name }));
            Ok(claim.project_id.into_iter().fold(done, Done::in_project))
        })
        .await?;
    wake(ctx);
    Ok(UnbindPvcPayload { pvc_id: ID(id.to_text()) })
}
