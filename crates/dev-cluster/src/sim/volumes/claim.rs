//! One claim: its class, its volume, its size, and whether it may go.

use std::sync::Arc;

use cluster_resources::Quantity;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::super::control::gone_is_fine;
use super::super::recorder::Note;
use super::{Binder, COMPONENT, SELECTED_NODE, claims_of_pod, class_of, is_default, waits_for_consumer};

const PROTECTION: &str = "kubernetes.io/pvc-protection";

/// Brings one claim forward.
pub(super) async fn reconcile(claim: Arc<PersistentVolumeClaim>, binder: Arc<Binder>) -> Result<Action, kube::Error> {
    let Some(spec) = &claim.spec else { return Ok(Action::await_change()) };
    if claim.metadata.deletion_timestamp.is_some() {
        release(&claim, &binder).await?;
    } else if phase(&claim) == "Bound" {
        resize(&claim, spec, &binder).await?;
    } else if let Some(volume) = volume_for(&claim, spec, &binder).await? {
        bind(&claim, &volume, &binder).await?;
    }
    Ok(Action::await_change())
}

fn phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

async fn patch(claim: &PersistentVolumeClaim, binder: &Binder, mut patch: Value) -> Result<(), kube::Error> {
    // The version makes it a conflict if the claim is not what it was decided about.
    patch["metadata"]["resourceVersion"] = json!(claim.metadata.resource_version);
    let api = binder.claims(&claim.namespace().unwrap_or_default());
    gone_is_fine(api.patch(&claim.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await)
}

async fn patch_status(claim: &PersistentVolumeClaim, binder: &Binder, status: Value) -> Result<(), kube::Error> {
    let patch = json!({"metadata": {"uid": claim.uid()}, "status": status});
    let api = binder.claims(&claim.namespace().unwrap_or_default());
    gone_is_fine(api.patch_status(&claim.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await)
}

/// Lets a deleted claim go once no pod holds it. A pod that is not on a node yet will not get there any more.
async fn release(claim: &PersistentVolumeClaim, binder: &Binder) -> Result<(), kube::Error> {
    if !claim.finalizers().iter().any(|name| name == PROTECTION) {
        return Ok(());
    }
    let name = claim.name_any();
    // Asked of the server: the cache may not know of a pod that was placed just now.
    let pods = Api::<Pod>::namespaced(binder.client.clone(), &claim.namespace().unwrap_or_default());
    let holds = |pod: &Pod| {
        pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) && claims_of_pod(pod).contains(&name)
    };
    if pods.list(&ListParams::default()).await?.items.iter().any(holds) {
        return Ok(());
    }
    let left: Vec<_> = claim.finalizers().iter().filter(|name| *name != PROTECTION).collect();
    patch(claim, binder, json!({"metadata": {"finalizers": left}})).await
}

/// The volume that a claim is to have now: the one it names, or a new one.
async fn volume_for(
    claim: &PersistentVolumeClaim,
    spec: &PersistentVolumeClaimSpec,
    binder: &Binder,
) -> Result<Option<PersistentVolume>, kube::Error> {
    if let Some(name) = spec.volume_name.as_ref().filter(|name| !name.is_empty()) {
        let volume = binder.volumes().get_opt(name).await?;
        return Ok(volume.filter(|volume| is_free_for(volume, claim)));
    }
    let classes = binder.caches.classes.all();
    let Some(wanted) = &spec.storage_class_name else {
        // There was no default class when it was made; now there may be.
        if let Some(default) = classes.iter().find(|class| is_default(class)) {
            patch(claim, binder, json!({"spec": {"storageClassName": default.name_any()}})).await?;
        }
        return Ok(None);
    };
    // A claim of no class waits for a volume that somebody makes for it.
    if wanted.is_empty() {
        return Ok(None);
    }
    let Some(class) = class_of(claim, &classes) else {
        let message = format!("storageclass.storage.k8s.io {wanted:?} not found");
        binder.recorder.tell(claim, COMPONENT, Note::warning("ProvisioningFailed", message));
        return Ok(None);
    };
    if waits_for_consumer(claim, &classes) && !has_consumer(claim, binder) {
        let message = "waiting for first consumer to be created before binding";
        binder.recorder.tell(claim, COMPONENT, Note::normal("WaitForFirstConsumer", message));
        return Ok(None);
    }
    provision(claim, spec, &class, binder).await.map(Some)
}

/// A scheduler chose a node for its first pod, or a pod was made with its node already chosen.
fn has_consumer(claim: &PersistentVolumeClaim, binder: &Binder) -> bool {
    let (name, namespace) = (claim.name_any(), claim.namespace());
    let placed = |pod: &Arc<Pod>| {
        pod.namespace() == namespace
            && pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
            && claims_of_pod(pod).contains(&name)
    };
    claim.annotations().contains_key(SELECTED_NODE) || binder.caches.pods.all().iter().any(placed)
}

fn is_free_for(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()).is_none_or(|taken| {
        let same_claim = taken.name == claim.metadata.name && taken.namespace == claim.metadata.namespace;
        same_claim && taken.uid.as_ref().is_none_or(|uid| uid.is_empty() || Some(uid) == claim.metadata.uid.as_ref())
    })
}

fn reference(claim: &PersistentVolumeClaim) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": claim.name_any(),
        "namespace": claim.namespace(), "uid": claim.uid(),
    })
}

/// Makes a volume under the name that follows from the claim's uid, so that a second try finds the first one's.
async fn provision(
    claim: &PersistentVolumeClaim,
    spec: &PersistentVolumeClaimSpec,
    class: &StorageClass,
    binder: &Binder,
) -> Result<PersistentVolume, kube::Error> {
    let name = format!("pvc-{}", claim.uid().unwrap_or_default());
    let volume = json!({
        "metadata": {
            "name": name, "annotations": {"pv.kubernetes.io/provisioned-by": class.provisioner},
        },
        "spec": {
            "capacity": {"storage": requested(spec)}, "accessModes": spec.access_modes, "volumeMode": spec.volume_mode,
            "persistentVolumeReclaimPolicy": class.reclaim_policy.as_deref().unwrap_or("Delete"),
            "storageClassName": class.name_any(), "mountOptions": class.mount_options,
            "claimRef": reference(claim),
            "csi": {"driver": class.provisioner, "volumeHandle": name},
        },
    });
    let volume: PersistentVolume = serde_json::from_value(volume).map_err(kube::Error::SerdeError)?;
    match binder.volumes().create(&PostParams::default(), &volume).await {
        Ok(made) => {
            // Mounting makes it as well.
            if let Err(error) = binder.folders.make(&made).await {
                tracing::warn!(volume = name, %error, "the folder of a volume");
            }
            let message = format!("Successfully provisioned volume {name}");
            binder.recorder.tell(claim, &class.provisioner, Note::normal("ProvisioningSucceeded", message));
            Ok(made)
        }
        Err(kube::Error::Api(refusal)) if refusal.reason == "AlreadyExists" => binder.volumes().get(&name).await,
        Err(error) => Err(error),
    }
}

fn requested(spec: &PersistentVolumeClaimSpec) -> Option<&ApiQuantity> {
    spec.resources.as_ref()?.requests.as_ref()?.get("storage")
}

/// Joins claim and volume; each step may have been done before.
async fn bind(claim: &PersistentVolumeClaim, volume: &PersistentVolume, binder: &Binder) -> Result<(), kube::Error> {
    let (Some(spec), name) = (&volume.spec, volume.name_any()) else { return Ok(()) };
    if spec.claim_ref.as_ref().and_then(|taken| taken.uid.as_ref()).is_none_or(String::is_empty) {
        let patch = json!({
            "metadata": {"resourceVersion": volume.metadata.resource_version},
            "spec": {"claimRef": reference(claim)},
        });
        binder.volumes().patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    }
    let mut annotations = json!({"pv.kubernetes.io/bind-completed": "yes"});
    if let Some(provisioner) = volume.annotations().get("pv.kubernetes.io/provisioned-by") {
        annotations["pv.kubernetes.io/bound-by-controller"] = json!("yes");
        annotations["volume.kubernetes.io/storage-provisioner"] = json!(provisioner);
    }
    patch(claim, binder, json!({"metadata": {"annotations": annotations}, "spec": {"volumeName": name}})).await?;
    let status = json!({"phase": "Bound", "accessModes": spec.access_modes, "capacity": spec.capacity});
    patch_status(claim, binder, status).await
}

/// Grows a bound claim's volume to what the claim asks for; the API server lets only classes that allow it come here.
async fn resize(
    claim: &PersistentVolumeClaim,
    spec: &PersistentVolumeClaimSpec,
    binder: &Binder,
) -> Result<(), kube::Error> {
    let has = claim.status.as_ref().and_then(|status| status.capacity.as_ref()?.get("storage"));
    let (Some(has), Some(wants), Some(volume)) = (has, requested(spec), &spec.volume_name) else { return Ok(()) };
    if Quantity::try_from(wants).ok() <= Quantity::try_from(has).ok() {
        return Ok(());
    }
    let grown = json!({"spec": {"capacity": {"storage": wants}}});
    gone_is_fine(binder.volumes().patch(volume, &PatchParams::default(), &Patch::Merge(&grown)).await)?;
    patch_status(claim, binder, json!({"capacity": {"storage": wants}})).await?;
    let message = format!("Resize volume {volume} succeeded");
    binder.recorder.tell(claim, "external-resizer", Note::normal("VolumeResizeSuccessful", message));
    Ok(())
}
