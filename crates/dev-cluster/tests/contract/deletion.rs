//! Finalizers, owners and namespaces: how objects go.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::arena::{Arena as Place, PATIENCE};

async fn owner(arena: &Place) -> ConfigMap {
    arena.create::<ConfigMap>(json!({"metadata": {"name": "owner"}})).await
}

fn owned_by(owner: &ConfigMap) -> Value {
    json!({"metadata": {"name": "owned", "ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": owner.name_any(), "uid": owner.uid(), "blockOwnerDeletion": true,
    }]}})
}

contract! {
    async fn a_shorter_grace_counts_from_when_the_deletion_was_asked_for(arena: Arena) {
        let pod = json!({"metadata": {"name": "a", "finalizers": ["example.com/hold"],
            "annotations": {"sim.platform/duration": "forever"}},
            "spec": {"terminationGracePeriodSeconds": 40, "containers": [{"name": "a", "image": "alpine:3.20"}]}});
        arena.create::<Pod>(pod).await;
        let runs = |pod: Option<&Pod>| pod.and_then(|pod| pod.status.as_ref()?.phase.as_deref()) == Some("Running");
        arena.until("a", runs).await;
        let asked = |pod: &Pod| {
            let meta = &pod.metadata;
            let gone = meta.deletion_timestamp.as_ref().expect("it goes").0.as_second();
            gone - meta.deletion_grace_period_seconds.expect("a grace")
        };
        let api = arena.api::<Pod>();
        api.delete("a", &DeleteParams::default()).await.unwrap();
        let first = asked(&api.get("a").await.unwrap());
        // The kubelet deletes it at last, with a grace of 0.
        let stopped = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.metadata.deletion_grace_period_seconds == Some(0));
        let last = arena.until("a", stopped).await;
        assert_eq!(asked(&last), first);
        let patch = json!({"metadata": {"finalizers": null}});
        api.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        arena.until_gone::<Pod>("a").await;
    }

    async fn a_finalizer_holds_an_object_until_it_is_removed(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        arena.create::<ConfigMap>(json!({"metadata": {"name": "a", "finalizers": ["example.com/hold"]}})).await;
        api.delete("a", &DeleteParams::default()).await.unwrap();
        assert!(api.get("a").await.unwrap().metadata.deletion_timestamp.is_some());
        let patch = json!({"metadata": {"finalizers": null}});
        api.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        assert!(api.get_opt("a").await.unwrap().is_none());
    }

    async fn what_is_owned_goes_after_its_owner(arena: Arena) {
        let owner = owner(&arena).await;
        arena.create::<ConfigMap>(owned_by(&owner)).await;
        arena.api::<ConfigMap>().delete("owner", &DeleteParams::background()).await.unwrap();
        arena.until_gone::<ConfigMap>("owned").await;
    }

    async fn a_foreground_deletion_waits_for_what_is_owned(arena: Arena) {
        let owner = owner(&arena).await;
        let mut held = owned_by(&owner);
        held["metadata"]["finalizers"] = json!(["example.com/hold"]);
        arena.create::<ConfigMap>(held).await;
        let api = arena.api::<ConfigMap>();
        api.delete("owner", &DeleteParams::foreground()).await.unwrap();
        let deleting = |object: Option<&ConfigMap>| object.is_some_and(|it| it.metadata.deletion_timestamp.is_some());
        arena.until("owned", deleting).await;
        assert_eq!(api.get("owner").await.unwrap().finalizers(), ["foregroundDeletion"]);
        let patch = json!({"metadata": {"finalizers": null}});
        api.patch("owned", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        arena.until_gone::<ConfigMap>("owner").await;
    }

    async fn an_orphan_stays_and_has_no_owner(arena: Arena) {
        let owner = owner(&arena).await;
        arena.create::<ConfigMap>(owned_by(&owner)).await;
        arena.api::<ConfigMap>().delete("owner", &DeleteParams::orphan()).await.unwrap();
        arena.until_gone::<ConfigMap>("owner").await;
        assert!(arena.api::<ConfigMap>().get("owned").await.unwrap().owner_references().is_empty());
    }

    async fn a_deleted_namespace_takes_its_contents_along(arena: Arena) {
        arena.create::<ConfigMap>(json!({"metadata": {"name": "a"}})).await;
        let namespaces = Api::<Namespace>::all(arena.client.clone());
        namespaces.delete(&arena.namespace, &DeleteParams::default()).await.unwrap();
        let gone = await_condition(namespaces, &arena.namespace, |object: Option<&Namespace>| object.is_none());
        tokio::time::timeout(PATIENCE, gone).await.expect("the namespace goes").unwrap();
        assert!(arena.api::<ConfigMap>().get_opt("a").await.unwrap().is_none());
    }
}
