//! The collector against the embedded API server, with a graph that hears of things in an order of the test's choice.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::ApiResource;
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use super::graph::Graph;
use super::{Kind, settle};
use crate::api::{EmbeddedApi, Options};

/// An API server, a client of it, and the notes in its default namespace.
async fn stage() -> (EmbeddedApi, Client, Api<ConfigMap>) {
    let server = EmbeddedApi::start(Options::default()).await.unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    (server, client.clone(), Api::namespaced(client, "default"))
}

async fn made(notes: &Api<ConfigMap>, metadata: Value) -> ConfigMap {
    let note = serde_json::from_value(json!({"metadata": metadata})).unwrap();
    notes.create(&PostParams::default(), &note).await.unwrap()
}

async fn owner_and_owned(notes: &Api<ConfigMap>) -> (ConfigMap, ConfigMap) {
    let owner = made(notes, json!({"name": "owner"})).await;
    let reference =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid.clone().unwrap()});
    let owned = made(notes, json!({"name": "owned", "ownerReferences": [reference]})).await;
    (owner, owned)
}

fn kind<K: kube::Resource<DynamicType = ()>>(namespaced: bool) -> Arc<Kind> {
    Arc::new(Kind { resource: ApiResource::erase::<K>(&()), namespaced })
}

fn kind_served_no_longer() -> Arc<Kind> {
    let gvk = kube::core::GroupVersionKind::gvk("example.com", "v1", "Widget");
    Arc::new(Kind { resource: ApiResource::from_gvk(&gvk), namespaced: true })
}

fn graph_of(kinds: &[Arc<Kind>]) -> Graph {
    let mut graph = Graph::new(kinds.len());
    for kind in kinds {
        graph.list_begins(kind);
        graph.list_ends(kind);
    }
    graph
}

#[tokio::test]
async fn what_is_heard_of_before_its_owner_is_not_taken_for_abandoned() {
    let (server, client, notes) = stage().await;
    let (owner, owned) = owner_and_owned(&notes).await;

    let kinds = [kind::<ConfigMap>(true)];
    let mut graph = graph_of(&kinds);
    graph.seen(&kinds[0], owned.metadata);
    settle(&client, &kinds, &mut graph).await;
    assert!(notes.get_opt("owned").await.unwrap().is_some(), "its owner is there");
    assert!(graph.has_duties(), "it is looked at again until the owner is heard of");

    graph.seen(&kinds[0], owner.metadata.clone());
    settle(&client, &kinds, &mut graph).await;
    assert!(!graph.has_duties());

    notes.delete("owner", &DeleteParams::background()).await.unwrap();
    graph.gone(&owner.metadata);
    settle(&client, &kinds, &mut graph).await;
    assert!(notes.get_opt("owned").await.unwrap().is_none(), "nobody owns it any more");
    server.shutdown().await;
}

#[tokio::test]
async fn an_owner_waits_for_what_is_to_be_left_behind_though_it_is_heard_of_later() {
    let (server, client, notes) = stage().await;
    let (_, owned) = owner_and_owned(&notes).await;
    notes.delete("owner", &DeleteParams::orphan()).await.unwrap();

    let kinds = [kind::<ConfigMap>(true), kind_served_no_longer()];
    let mut graph = graph_of(&kinds);
    graph.seen(&kinds[0], notes.get("owner").await.unwrap().metadata);
    settle(&client, &kinds, &mut graph).await;
    assert!(notes.get_opt("owner").await.unwrap().is_some(), "something has it as owner");

    graph.seen(&kinds[0], owned.metadata);
    settle(&client, &kinds, &mut graph).await;
    let free = notes.get("owned").await.unwrap().metadata;
    assert_eq!(free.owner_references, None);

    graph.seen(&kinds[0], free);
    settle(&client, &kinds, &mut graph).await;
    assert!(notes.get_opt("owner").await.unwrap().is_none());
    assert!(!graph.has_duties());
    server.shutdown().await;
}

/// "Garbage collection", Kubernetes documentation: a cluster-scoped object with a namespaced owner has an owner that cannot
/// be resolved, and is not collected.
#[test]
fn a_cluster_scoped_object_with_a_namespaced_owner_is_never_collected() {
    let kinds = [kind::<ConfigMap>(true), kind::<Namespace>(false)];
    let mut graph = graph_of(&kinds);
    let owned = |owner: &str| {
        let reference = json!({"apiVersion": "v1", "kind": owner, "name": "owner", "uid": "gone"});
        serde_json::from_value(json!({"name": owner, "uid": owner, "ownerReferences": [reference]})).unwrap()
    };
    graph.seen(&kinds[1], owned("ConfigMap"));
    assert!(graph.take_duties().is_empty());
    graph.seen(&kinds[1], owned("Namespace"));
    assert_eq!(graph.take_duties().len(), 1);
}
