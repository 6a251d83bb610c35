//! Claims and their volumes: bound, grown, protected while in use, and gone.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::arena::{Arena as Place, PATIENCE, refused};
use super::pods::phase;

fn claim(name: &str, class: Option<&str>) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": class,
    }})
}

/// A pod that mounts a claim until it is stopped.
fn user(name: &str, claim: &str) -> Value {
    json!({"metadata": {"name": name, "annotations": {"sim.platform/duration": "forever"}}, "spec": {
        "containers": [{"name": "main", "image": "busybox", "volumeMounts": [{"name": "work", "mountPath": "/work"}]}],
        "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": claim}}],
    }})
}

/// A class of this test's own.
async fn class(arena: &Place, spec: Value) -> String {
    let name = format!("{}-class", arena.namespace);
    let mut class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": "volumes.sim.platform",
    });
    class.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let api = Api::<StorageClass>::all(arena.client.clone());
    api.patch(&name, &PatchParams::apply("test"), &Patch::Apply(class)).await.unwrap();
    name
}

fn bound() -> impl Condition<PersistentVolumeClaim> {
    |claim: Option<&PersistentVolumeClaim>| {
        claim.and_then(|claim| claim.status.as_ref()?.phase.as_deref()) == Some("Bound")
    }
}

fn volumes(arena: &Place) -> Api<PersistentVolume> {
    Api::all(arena.client.clone())
}

fn volume_of(claim: &PersistentVolumeClaim) -> String {
    claim.spec.as_ref().unwrap().volume_name.clone().unwrap()
}

async fn grow(arena: &Place, to: &str) -> Result<PersistentVolumeClaim, kube::Error> {
    let patch = json!({"spec": {"resources": {"requests": {"storage": to}}}});
    arena.api::<PersistentVolumeClaim>().patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await
}

contract! {
    async fn a_claim_gets_a_volume_of_the_default_class(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a", None)).await;
        let claim = arena.until("a", bound()).await;
        assert_eq!(claim.spec.as_ref().unwrap().storage_class_name.as_deref(), Some("standard"));
        let status = claim.status.as_ref().unwrap();
        assert_eq!(status.capacity.as_ref().unwrap()["storage"].0, "1Gi");
        assert_eq!(status.access_modes.as_deref(), Some(&["ReadWriteOnce".to_owned()][..]));
        let name = volume_of(&claim);
        assert_eq!(name, format!("pvc-{}", claim.uid().unwrap()));
        let is_bound = |volume: Option<&PersistentVolume>| {
            volume.and_then(|volume| volume.status.as_ref()?.phase.as_deref()) == Some("Bound")
        };
        let volume = await_condition(volumes(&arena), &name, is_bound);
        let volume = tokio::time::timeout(PATIENCE, volume).await.unwrap().unwrap().unwrap();
        let spec = volume.spec.unwrap();
        assert_eq!(spec.claim_ref.unwrap().uid, claim.uid());
        assert_eq!(spec.persistent_volume_reclaim_policy.as_deref(), Some("Delete"));
    }

    async fn a_claim_may_wait_for_its_first_pod(arena: Arena) {
        let class = class(&arena, json!({"volumeBindingMode": "WaitForFirstConsumer"})).await;
        arena.create::<PersistentVolumeClaim>(claim("a", Some(&class))).await;
        let said = |event: &k8s_openapi::api::core::v1::Event| event.reason.as_deref() == Some("WaitForFirstConsumer");
        arena.until_event("a", said).await;
        arena.create::<Pod>(user("pod", "a")).await;
        arena.until("a", bound()).await;
        arena.until("pod", phase("Running")).await;
    }

    async fn a_bound_claim_grows(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a", None)).await;
        arena.until("a", bound()).await;
        grow(&arena, "3Gi").await.unwrap();
        let grown = arena.until("a", |claim: Option<&PersistentVolumeClaim>| {
            let capacity = claim.and_then(|claim| claim.status.as_ref()?.capacity.as_ref());
            capacity.is_some_and(|capacity| capacity["storage"].0 == "3Gi")
        }).await;
        let volume = volumes(&arena).get(&volume_of(&grown)).await.unwrap();
        assert_eq!(volume.spec.unwrap().capacity.unwrap()["storage"].0, "3Gi");
    }

    async fn a_class_may_forbid_growth(arena: Arena) {
        let class = class(&arena, json!({"allowVolumeExpansion": false})).await;
        arena.create::<PersistentVolumeClaim>(claim("a", Some(&class))).await;
        arena.until("a", bound()).await;
        let message = refused(grow(&arena, "3Gi").await, 403, "Forbidden");
        insta::assert_snapshot!(message, @r#"persistentvolumeclaims "a" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"#);
    }

    async fn a_claim_in_use_stays_until_its_pod_is_gone_and_takes_its_volume_along(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a", None)).await;
        let name = volume_of(&arena.until("a", bound()).await);
        arena.create::<Pod>(user("pod", "a")).await;
        arena.until("pod", phase("Running")).await;
        let api = arena.api::<PersistentVolumeClaim>();
        api.delete("a", &DeleteParams::default()).await.unwrap();
        let held = api.get("a").await.unwrap();
        assert_eq!(held.finalizers(), ["kubernetes.io/pvc-protection"]);
        arena.api::<Pod>().delete("pod", &DeleteParams::default()).await.unwrap();
        arena.until_gone::<PersistentVolumeClaim>("a").await;
        let gone = await_condition(volumes(&arena), &name, |volume: Option<&PersistentVolume>| volume.is_none());
        tokio::time::timeout(PATIENCE, gone).await.expect("the volume goes").unwrap();
    }
}
