//! Deletes storage claims with everything in them.

use async_graphql::{Context, ID, InputObject, SimpleObject};
use serde_json::json;

use super::event::{PvcEvent, about};
use super::model::{self, Claim, mounts};
use super::mutation::{permitted, wake};
use super::phase::{PvcEventKind, PvcPhase};
use crate::auth::acting::CallerExt;
use crate::auth::policy::{self, Action, StorageAccess};
use crate::change::{Done, Writes};
use crate::error::{ApiError, ApiErrors};
use crate::graphql::ids::GivenId;
use crate::graphql::names;
use crate::ids::PvcKind;

/// The number of pods and jobs that an error names.
const NAMED: usize = 5;

/// Input for `deletePvc`.
#[derive(Debug, InputObject)]
pub struct DeletePvcInput {
    /// The ID of the claim. You must be responsible for it.
    pub id: GivenId<PvcKind>,
    /// The name of the claim, to confirm that this is the claim that you want to delete.
    pub confirm_name: String,
    /// Whether to delete the claim although pods mount it or unfinished jobs need it: for platform admins only. The cluster
    /// keeps the volume until the pods have ended.
    #[graphql(default_with = "Some(false)")]
    pub force: Option<bool>,
}

/// Result of `deletePvc`.
#[derive(Debug, SimpleObject)]
pub struct DeletePvcPayload {
    /// The ID of the claim. It exists, with the phase DELETING, until the cluster has deleted it.
    pub pvc_id: ID,
}

pub(super) async fn delete(ctx: &Context<'_>, input: DeletePvcInput) -> Result<DeletePvcPayload, ApiErrors> {
    ctx.caller().principal()?;
    let id = input.id.at("input.id")?;
    let force = input.force.unwrap_or(false);
    let (claim, change) = permitted(ctx, id, Action::DeletePvc).await?;
    if force {
        policy::check(&ctx.caller(), Action::ForceDeletePvc, claim.scope(StorageAccess::None))
            .map_err(|error| error.at("input.force"))?;
    }
    change
        .commit(async |writes| {
            let not_found = || ApiError::not_found("storage claim", id).at("input.id");
            let claim = model::lock_whole(writes.conn(), id).await?.ok_or_else(not_found)?;
            names::confirmed(&input.confirm_name, &claim.name, "input.confirmName")?;
            if claim.delete_requested_at.is_some() {
                return Ok(Done::nothing());
            }
            if claim.source_id.is_some() {
                let message = "the claim shows the storage of another one; unbindPvc removes it and deletes nothing";
                return Err(ApiError::conflict(message).at("input.id").into());
            }
            is_not_shared(writes, &claim).await?;
            if !force {
                is_unused(writes, &claim).await?;
            }
            request(writes, &claim).await?;
            let done = Done::to(id, json!({ "name": claim.name, "size": claim.size, "force": force }));
            Ok(claim.project_id.into_iter().fold(done, Done::in_project))
        })
        .await?;
    wake(ctx);
    Ok(DeletePvcPayload { pvc_id: ID(id.to_text()) })
}

/// Requests the deletion of a claim.
pub(super) async fn request(writes: &mut Writes<'_>, claim: &Claim) -> Result<(), ApiError> {
    model::request_deletion(writes, claim).await?;
    let after = Claim { phase: PvcPhase::Deleting, reason: None, message: None, ..claim.clone() };
    writes.tell(about(&after), &PvcEvent::of(&after, PvcEventKind::DeletionRequested).after(claim.phase))?;
    Ok(())
}

/// Whether no project shares the claim. Nobody can share it before the transaction ends.
async fn is_not_shared(writes: &mut Writes<'_>, claim: &Claim) -> Result<(), ApiError> {
    let shares = model::shares(writes.conn(), &[claim.id]).await?;
    if shares.is_empty() {
        return Ok(());
    }
    let places = listed(shares.iter().map(|share| share.namespace.as_str()));
    let message = format!("the claim is shared with projects, in the namespaces {places}; unbind it there first");
    Err(ApiError::conflict(message).at("input.id"))
}

/// Whether no pod mounts the claim, and no unfinished job will. No such job can be submitted before the transaction ends.
pub(super) async fn is_unused(writes: &mut Writes<'_>, claim: &Claim) -> Result<(), ApiError> {
    let mut pods = mounts::of_claims(writes.conn(), &[claim.id]).await?;
    // The one that shows its files is stopped with the claim.
    pods.retain(|mount| !mount.shows_files());
    if !pods.is_empty() {
        let pods = listed(pods.iter().map(|mount| mount.pod.as_str()));
        let message = format!("pods mount the claim: {pods}; wait until they have ended, or cancel their jobs");
        return Err(ApiError::conflict(message).at("input.id"));
    }
    let most = i64::try_from(NAMED + 1).unwrap_or(i64::MAX);
    let jobs = mounts::unfinished_jobs(writes.conn(), claim.id, most).await?;
    if !jobs.is_empty() {
        let jobs = listed(jobs.iter().map(|(_, name)| name.as_str()));
        let message = format!("jobs that have not finished need the claim: {jobs}; cancel them first");
        return Err(ApiError::conflict(message).at("input.id"));
    }
    Ok(())
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    let more = if names.len() > NAMED { " and more" } else { "" };
    format!("{}{more}", names[..names.len().min(NAMED)].join(", "))
}
