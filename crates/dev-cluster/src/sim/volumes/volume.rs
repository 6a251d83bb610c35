//! One volume: its phase follows its claim, and its reclaim policy says what comes after.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolume;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::controller::Action;
use serde_json::json;

use super::super::control::gone_is_fine;
use super::super::recorder::Note;
use super::{Binder, COMPONENT};

/// How long a volume rests whose folder cannot be deleted.
const RETRY: Duration = Duration::from_secs(5);
const PROTECTION: &str = "kubernetes.io/pv-protection";

/// Brings one volume forward.
pub(super) async fn reconcile(volume: Arc<PersistentVolume>, binder: Arc<Binder>) -> Result<Action, kube::Error> {
    let Some(spec) = &volume.spec else { return Ok(Action::await_change()) };
    let known = volume.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
    let phase = match &spec.claim_ref {
        None => "Available",
        Some(reference) => {
            let name = reference.name.as_deref().unwrap_or_default();
            // Asked of the server: the cache may be older than the claim.
            let claim = binder.claims(reference.namespace.as_deref().unwrap_or_default()).get_opt(name).await?;
            let claim = claim.filter(|claim| reference.uid.is_none() || claim.uid() == reference.uid);
            match claim {
                // Kept for a claim that is not there yet, not left by one.
                None if reference.uid.is_none() => "Available",
                None => "Released",
                Some(claim) => match claim.spec.and_then(|spec| spec.volume_name) {
                    Some(name) if Some(&name) == volume.metadata.name.as_ref() => "Bound",
                    Some(_) | None => known,
                },
            }
        }
    };
    let name = volume.name_any();
    if phase != known {
        let patch = json!({"metadata": {"uid": volume.uid()}, "status": {"phase": phase}});
        gone_is_fine(binder.volumes().patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await)?;
    }
    if volume.metadata.deletion_timestamp.is_some() {
        if phase != "Bound" && volume.finalizers().iter().any(|finalizer| finalizer == PROTECTION) {
            let left: Vec<_> = volume.finalizers().iter().filter(|finalizer| *finalizer != PROTECTION).collect();
            let patch = json!({"metadata": {"uid": volume.uid(), "finalizers": left}});
            gone_is_fine(binder.volumes().patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await)?;
        }
    } else if phase == "Released" && spec.persistent_volume_reclaim_policy.as_deref() == Some("Delete") {
        if let Err(error) = binder.folders.remove(&volume).await {
            let note = Note::warning("VolumeFailedDelete", error.to_string());
            binder.recorder.tell(volume.as_ref(), COMPONENT, note);
            return Ok(Action::requeue(RETRY));
        }
        let this_one = Preconditions { uid: volume.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(this_one), ..DeleteParams::default() };
        gone_is_fine(binder.volumes().delete(&name, &params).await)?;
        binder.recorder.tell(
            volume.as_ref(),
            COMPONENT,
            Note::normal("VolumeDeleted", format!("Deleted volume {name}")),
        );
    }
    Ok(Action::await_change())
}
