//! Whether the claims of a pod let it be placed.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::super::control::gone_is_fine;
use super::super::volumes::{SELECTED_NODE, claims_of_pod, waits_for_consumer};
use super::Caches;

/// How far a pod's claims are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// All are bound.
    Ready,
    /// One is not there, or on its way out; the sentence says which.
    Missing(String),
    /// One has no volume yet.
    Unbound,
    /// Some get their volumes once a node is chosen; these have not been told of one yet.
    WaitsForNode(Vec<String>),
}

/// Looks at the claims of a pod.
pub(super) fn of_pod(pod: &Pod, caches: &Caches) -> Readiness {
    let namespace = pod.namespace();
    let (mut waits, mut untold) = (false, Vec::new());
    for name in claims_of_pod(pod) {
        let found =
            caches.claims.all().into_iter().find(|claim| claim.name_any() == name && claim.namespace() == namespace);
        let Some(claim) = found else {
            return Readiness::Missing(format!("persistentvolumeclaim {name:?} not found"));
        };
        if claim.metadata.deletion_timestamp.is_some() {
            return Readiness::Missing(format!("persistentvolumeclaim {name:?} is being deleted"));
        }
        if claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound") {
            continue;
        }
        if !waits_for_consumer(&claim, &caches.classes.all()) {
            return Readiness::Unbound;
        }
        waits = true;
        if !claim.annotations().contains_key(SELECTED_NODE) {
            untold.push(name);
        }
    }
    if waits { Readiness::WaitsForNode(untold) } else { Readiness::Ready }
}

/// Tells the binder which node the volumes are for.
pub(super) async fn select_node(client: &Client, pod: &Pod, claims: &[String], node: &str) -> Result<(), kube::Error> {
    let api = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"annotations": {SELECTED_NODE: node}}});
    for claim in claims {
        gone_is_fine(api.patch(claim, &PatchParams::default(), &Patch::Merge(&patch)).await)?;
    }
    Ok(())
}
