//! What is left in the cluster without a row in the database: listed, and removed only when somebody says so.
//!
//! The same story runs against the embedded cluster and against a real etcd and kube-apiserver.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};

use crate::support::dev::Dev;

const PATIENCE: Duration = Duration::from_secs(60);
const ORPHANS: &str = "query($kinds: [OrphanKind!]) { cluster { version orphans(kinds: $kinds) { totalCount
    nodes { uid kind namespace name reason createdAt size hasData } } } }";
const REMOVE: &str =
    "mutation($o: [OrphanInput!]!) { removeOrphans(input: { orphans: $o }) { results { uid removed error } } }";

/// A project and a claim that the database has never heard of.
const PROJECT: &str = "01h455vb4pex5vsknk084sn02q";
const CLAIM: &str = "pvc_01h455vb4pex5vsknk084sn02r";

async fn client(dev: &Dev) -> Client {
    let kubeconfig = Kubeconfig::read_from(dev.ready["kubeconfig"].as_str().unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

async fn ask(dev: &Dev, token: &str, query: &str, variables: Value) -> Value {
    let mut answer = dev.ask(Some(token), query, variables).await;
    assert!(answer["errors"].is_null(), "{answer}");
    answer["data"].take()
}

async fn orphans(dev: &Dev, token: &str) -> Vec<Value> {
    ask(dev, token, ORPHANS, json!({})).await["cluster"]["orphans"]["nodes"].as_array().unwrap().clone()
}

async fn remove(dev: &Dev, token: &str, orphans: Value) -> Vec<Value> {
    ask(dev, token, REMOVE, json!({ "o": orphans })).await["removeOrphans"]["results"].as_array().unwrap().clone()
}

/// Asks until it holds.
async fn eventually<F: Future<Output = bool>>(what: &str, dev: &Dev, holds: impl Fn() -> F) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "{what}\n{}", dev.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn of_kind<'o>(orphans: &'o [Value], kind: &str) -> &'o Value {
    orphans.iter().find(|orphan| orphan["kind"] == kind).unwrap_or_else(|| panic!("{kind} in {orphans:?}"))
}

async fn story(cluster: &str) {
    let variables = [("STORAGE_ORPHAN_MINUTES", "0")];
    let Some(dev) = Dev::start_with("orphans", cluster, &variables).await else { return };
    let token = dev.log_in("admin").await;
    let kube = client(&dev).await;
    let namespace = format!("proj-{PROJECT}");
    let labels = |more: Value| {
        let mut labels =
            json!({ "app.kubernetes.io/managed-by": "platform", "platform.project-id": format!("project_{PROJECT}") });
        labels.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        labels
    };

    // What has a row is no orphan, although it is as young.
    let project = dev.project(&token, "detection").await;
    let create = "mutation($i: CreatePvcInput!) { createPvc(input: $i) { pvc { id } } }";
    let input = |name: &str| json!({ "i": { "projectId": project, "name": name, "size": "1Gi" } });
    let kept = ask(&dev, &token, create, input("kept")).await["createPvc"]["pvc"]["id"].clone();
    let phase = "query($id: ID!) { pvc(id: $id) { phase volumeName } }";
    let pvc = async || ask(&dev, &token, phase, json!({ "id": kept })).await["pvc"].clone();
    eventually("the claim has a volume", &dev, || async { pvc().await["phase"] == "BOUND" }).await;
    assert_eq!(orphans(&dev, &token).await, Vec::<Value>::new());

    // What is left of a project that nobody knows: a namespace, a claim in it, and the pod of a file server.
    let space = json!({ "metadata": { "name": namespace, "labels": labels(json!({})) } });
    let spaces = Api::<Namespace>::all(kube.clone());
    spaces.create(&PostParams::default(), &serde_json::from_value(space).unwrap()).await.unwrap();
    let claims = Api::<PersistentVolumeClaim>::namespaced(kube.clone(), &namespace);
    let claim = json!({
        "metadata": { "name": "lost", "labels": labels(json!({ "platform.pvc-id": CLAIM })), "finalizers": ["platform/shared"] },
        "spec": { "accessModes": ["ReadWriteMany"], "resources": { "requests": { "storage": "2Gi" } } },
    });
    claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();
    let pods = Api::<Pod>::namespaced(kube.clone(), &namespace);
    let pod = json!({
        "metadata": { "name": "files-01h455vb4pex5vsknk084sn02r", "labels": labels(json!({ "platform.pvc-id": CLAIM, "platform.files": "true" })) },
        "spec": { "containers": [{ "name": "read", "image": "dufs" }], "automountServiceAccountToken": false },
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    // A volume of a share, which shows the storage of that claim.
    let volumes = Api::<PersistentVolume>::all(kube.clone());
    let share = json!({
        "metadata": { "name": "share-01h455vb4pex5vsknk084sn02s", "labels": labels(json!({
            "platform.pvc-id": "pvc_01h455vb4pex5vsknk084sn02s", "platform.share-of": CLAIM })) },
        "spec": {
            "accessModes": ["ReadWriteMany"], "capacity": { "storage": "2Gi" }, "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "", "nfs": { "server": "nfs.example.com", "path": "/a" },
        },
    });
    volumes.create(&PostParams::default(), &serde_json::from_value(share).unwrap()).await.unwrap();
    // A volume that keeps its data when its claim is deleted.
    let retained = pvc().await["volumeName"].as_str().unwrap().to_owned();
    let retain = json!({ "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
    volumes.patch(&retained, &PatchParams::default(), &Patch::Merge(&retain)).await.unwrap();
    let delete = "mutation($id: ID!) { deletePvc(input: { id: $id, confirmName: \"kept\" }) { pvcId } }";
    ask(&dev, &token, delete, json!({ "id": kept })).await;

    let count = async || orphans(&dev, &token).await.len();
    eventually("there are five orphans", &dev, || async { count().await == 5 }).await;
    let found = orphans(&dev, &token).await;
    let told: Vec<_> =
        found.iter().map(|orphan| json!([orphan["kind"], orphan["name"], orphan["size"], orphan["hasData"]])).collect();
    assert_eq!(
        json!(told),
        json!([
            ["FILE_POD", "files-01h455vb4pex5vsknk084sn02r", null, false],
            ["VOLUME", "share-01h455vb4pex5vsknk084sn02s", "2Gi", false],
            ["CLAIM", "lost", "2Gi", true],
            ["VOLUME", retained, "1Gi", true],
            ["NAMESPACE", namespace, null, true],
        ])
    );
    assert_eq!(of_kind(&found, "CLAIM")["reason"], format!("The storage claim {CLAIM} does not exist any more."));
    assert_eq!(of_kind(&found, "CLAIM")["namespace"], namespace);
    assert_eq!(
        found[3]["reason"],
        format!(
            "The claim kept in the namespace {} was deleted, and its volume has kept the data.",
            project.replace("project_", "proj-")
        )
    );
    let only = ask(&dev, &token, ORPHANS, json!({ "kinds": ["NAMESPACE"] })).await;
    assert_eq!(only["cluster"]["orphans"]["totalCount"], 1);
    assert!(only["cluster"]["version"].as_str().unwrap().starts_with('v'), "{only}");

    // Nothing is removed whose data can be lost, unless its name confirms it, and nothing that is no orphan.
    let uid = |index: usize| found[index]["uid"].clone();
    let stranger = spaces.get("default").await.unwrap().uid().unwrap();
    let refused = remove(
        &dev,
        &token,
        json!([
            { "uid": uid(2) },
            { "uid": uid(3), "confirmName": "other" },
            { "uid": stranger, "confirmName": "default" },
        ]),
    )
    .await;
    let errors: Vec<_> =
        refused.iter().map(|result| result["error"].as_str().unwrap_or("-").replace(&retained, "pvc-1")).collect();
    assert_eq!(
        errors,
        [
            "its data can be lost; give its name in confirmName",
            "\"other\" is not the name \"pvc-1\"",
            "there is no such orphan, or it is not one any more",
        ]
    );
    assert!(refused.iter().all(|result| result["removed"] == false));
    assert_eq!(count().await, 5);

    // All of it at once: in whatever order they are given, each goes when it can.
    let confirmed = found.iter().rev().map(|orphan| json!({ "uid": orphan["uid"], "confirmName": orphan["name"] }));
    let removed = remove(&dev, &token, confirmed.collect()).await;
    assert!(removed.iter().all(|result| result["removed"] == true), "{removed:?}");
    eventually("all are gone", &dev, || async {
        let gone = spaces.get_opt(&namespace).await.unwrap().is_none();
        gone && volumes.get_opt(&retained).await.unwrap().is_none() && count().await == 0
    })
    .await;
    let again = remove(&dev, &token, json!([{ "uid": uid(4), "confirmName": namespace }])).await;
    assert_eq!(again[0]["error"], "there is no such orphan, or it is not one any more");
    let recorded =
        ask(&dev, &token, "{ auditLog(filter: { actions: [\"removeOrphans\"] }) { nodes { detail } } }", json!({}))
            .await;
    assert_eq!(
        recorded["auditLog"]["nodes"].as_array().unwrap().len(),
        1,
        "what was refused was not recorded as done: {recorded}"
    );
    assert_eq!(recorded["auditLog"]["nodes"][0]["detail"]["orphans"].as_array().unwrap().len(), 5);
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orphans_are_listed_and_removed_on_command_in_the_embedded_cluster() {
    story("embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orphans_are_listed_and_removed_on_command_in_a_real_cluster() {
    story("real").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_just_created_is_no_orphan_yet() {
    let dev = Dev::start("orphans", "embedded").await.unwrap();
    let token = dev.log_in("admin").await;
    let labels =
        json!({ "app.kubernetes.io/managed-by": "platform", "platform.project-id": format!("project_{PROJECT}") });
    let space = json!({ "metadata": { "name": format!("proj-{PROJECT}"), "labels": labels } });
    let spaces = Api::<Namespace>::all(client(&dev).await);
    spaces.create(&PostParams::default(), &serde_json::from_value(space).unwrap()).await.unwrap();
    assert_eq!(orphans(&dev, &token).await, Vec::<Value>::new());
}
