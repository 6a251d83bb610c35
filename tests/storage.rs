//! Storage claims in a cluster: created, followed, made larger, mounted by a job, deleted, although the server is killed in
//! between.
//!
//! The same story runs against the embedded cluster and against a real etcd and kube-apiserver.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};

use crate::support::dev::Dev;
use crate::support::serve::Serve;
use crate::support::session::Session;

const PATIENCE: Duration = Duration::from_secs(60);
const PVC: &str = "query($id: ID!) { pvc(id: $id) { name phase reason message size capacity storageClass managed resize { state message }
    volumeName mounts { readOnly job { id } } } }";

async fn client(dev: &Dev) -> Client {
    let kubeconfig = Kubeconfig::read_from(dev.ready["kubeconfig"].as_str().unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Asks until the answer is as expected.
async fn until(dev: &Dev, token: &str, (query, variables): (&str, Value), is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let waiting = async {
        loop {
            last = dev.ask(Some(token), query, variables.clone()).await["data"].take();
            if is_so(&last) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
    assert!(in_time, "{last}\n{}", dev.log());
    last
}

async fn ask(dev: &Dev, token: &str, query: &str, variables: Value) -> Value {
    let mut answer = dev.ask(Some(token), query, variables).await;
    assert!(answer["errors"].is_null(), "{answer}");
    answer["data"].take()
}

async fn story(cluster: &str) {
    let Some(mut dev) = Dev::start("storage", cluster).await else { return };
    let token = dev.log_in("admin").await;
    let project = dev.project(&token, "detection").await;
    let namespace = project.replace("project_", "proj-");

    // What the cluster can do.
    let classes = "{ storageClasses { name isDefault allowsExpansion waitsForFirstConsumer deletesVolumes } }";
    let classes = ask(&dev, &token, classes, json!({})).await;
    assert_eq!(
        classes["storageClasses"],
        json!([{ "name": "standard", "isDefault": true, "allowsExpansion": true, "waitsForFirstConsumer": false, "deletesVolumes": true }])
    );
    let create = "mutation($i: CreatePvcInput!) { createPvc(input: $i) { pvc { id } } }";
    let unknown = json!({ "i": { "projectId": project, "name": "x", "size": "1Gi", "storageClass": "fast" } });
    let refused = dev.ask(Some(&token), create, unknown).await;
    assert_eq!(refused["errors"][0]["message"], "the cluster has no storage class \"fast\"; it has standard");

    // It is created although the server is killed right after it has answered, and told in a feed.
    let cursor = ask(&dev, &token, "{ eventCursor }", json!({})).await["eventCursor"].clone();
    let made = ask(&dev, &token, create, json!({ "i": { "projectId": project, "name": "data", "size": "1Gi" } })).await;
    let id = made["createPvc"]["pvc"]["id"].clone();
    dev.kill().await;
    dev.start_again().await;
    let token = dev.log_in("admin").await;
    let bound = until(&dev, &token, (PVC, json!({ "id": id })), |data| data["pvc"]["phase"] == "BOUND").await;
    assert_eq!((&bound["pvc"]["capacity"], &bound["pvc"]["storageClass"]), (&json!("1Gi"), &json!("standard")));
    let kube = client(&dev).await;
    let claims = Api::<PersistentVolumeClaim>::namespaced(kube.clone(), &namespace);
    let object = claims.get("data").await.unwrap();
    assert_eq!(object.labels().get("platform.pvc-id"), Some(&id.as_str().unwrap().to_owned()));
    let subscribe = "subscription($id: ID!, $after: FeedCursor) { pvcEvents(filter: { pvcIds: [$id] }, after: $after) { kind previousPhase phase } }";
    let mut feed = dev.subscribe(&token, subscribe, json!({ "id": id, "after": cursor })).await;
    let mut kinds = Vec::new();
    while kinds.last().map(String::as_str) != Some("PHASE_CHANGED BOUND") {
        let event = feed.next().await.unwrap()["data"]["pvcEvents"].clone();
        kinds.push(format!("{} {}", event["kind"].as_str().unwrap(), event["phase"].as_str().unwrap()));
    }
    assert_eq!(kinds.first().map(String::as_str), Some("CREATED SUBMITTED"), "{kinds:?}");

    // It becomes larger.
    let resize = "mutation($id: ID!) { resizePvc(input: { id: $id, size: \"2Gi\" }) { pvc { size } } }";
    ask(&dev, &token, resize, json!({ "id": id })).await;
    let grown = until(&dev, &token, (PVC, json!({ "id": id })), |data| data["pvc"]["capacity"] == "2Gi").await;
    assert_eq!(grown["pvc"]["resize"], Value::Null, "{grown}");

    // A job mounts it, which is shown, and keeps it.
    let submit = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }";
    let spec = json!({ "image": "sim/sleep:36000", "mounts": [{ "claim": id, "path": "/data", "readOnly": true }] });
    let input = json!({ "i": { "projectId": project, "source": { "spec": spec } } });
    let job = ask(&dev, &token, submit, input).await["submitJob"]["job"]["id"].clone();
    let mounted =
        until(&dev, &token, (PVC, json!({ "id": id })), |data| data["pvc"]["mounts"][0]["job"]["id"] == job).await;
    assert_eq!(mounted["pvc"]["mounts"][0]["readOnly"], true);
    let delete = "mutation($id: ID!) { deletePvc(input: { id: $id, confirmName: \"data\" }) { pvcId } }";
    let kept = dev.ask(Some(&token), delete, json!({ "id": id })).await;
    assert!(kept["errors"][0]["message"].as_str().unwrap().starts_with("pods mount the claim: "), "{kept}");
    ask(&dev, &token, "mutation($id: ID!) { cancelJob(input: { id: $id }) { job { id } } }", json!({ "id": job }))
        .await;
    let phase = "query($id: ID!) { job(id: $id) { phase } }";
    until(&dev, &token, (phase, json!({ "id": job })), |data| data["job"]["phase"] == "CANCELLED").await;
    until(&dev, &token, (PVC, json!({ "id": id })), |data| data["pvc"]["mounts"] == json!([])).await;

    // It goes although the server is killed.
    ask(&dev, &token, delete, json!({ "id": id })).await;
    dev.kill().await;
    dev.start_again().await;
    let token = dev.log_in("admin").await;
    until(&dev, &token, (PVC, json!({ "id": id })), |data| data["pvc"].is_null()).await;
    let kube = client(&dev).await;
    let claims = Api::<PersistentVolumeClaim>::namespaced(kube, &namespace);
    assert!(claims.get_opt("data").await.unwrap().is_none());

    // What somebody creates with kubectl is shown, and not taken for the platform's.
    let by_hand: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": { "name": "by-hand" },
        "spec": { "accessModes": ["ReadWriteMany"], "resources": { "requests": { "storage": "3Gi" } } },
    }))
    .unwrap();
    claims.create(&PostParams::default(), &by_hand).await.unwrap();
    let list = "query($id: ID!) { project(id: $id) { claims { nodes { name managed accessMode size phase } } quota { resource used } } }";
    let listed = |data: &Value| data["project"]["claims"]["nodes"][0]["phase"] == "BOUND";
    let found = until(&dev, &token, (list, json!({ "id": project })), listed).await;
    assert_eq!(
        found["project"]["claims"]["nodes"],
        json!([{ "name": "by-hand", "managed": false, "accessMode": "READ_WRITE_MANY", "size": "3Gi", "phase": "BOUND" }])
    );
    let quota = found["project"]["quota"].as_array().unwrap();
    assert!(quota.contains(&json!({ "resource": "STORAGE", "used": "3Gi" })), "{quota:?}");
    let taken =
        ask(&dev, &token, create, json!({ "i": { "projectId": project, "name": "mine", "size": "1Gi" } })).await;
    let mine = taken["createPvc"]["pvc"]["id"].clone();
    until(&dev, &token, (PVC, json!({ "id": mine })), |data| data["pvc"]["phase"] == "BOUND").await;
    for name in ["by-hand", "mine"] {
        claims.delete(name, &DeleteParams::default()).await.unwrap();
    }
    let only = |data: &Value| data["project"]["claims"]["nodes"].as_array().is_some_and(|nodes| nodes.len() == 1);
    until(&dev, &token, (list, json!({ "id": project })), only).await;
    let lost = until(&dev, &token, (PVC, json!({ "id": mine })), |data| data["pvc"]["phase"] == "LOST").await;
    assert_eq!(lost["pvc"]["message"], "Somebody deleted the claim in the cluster, and what was in it.");

    // A drive is in a namespace of its own.
    let drive =
        ask(&dev, &token, "mutation { initializeUserStorage(input: {}) { pvc { id namespace } } }", json!({})).await;
    let drive = &drive["initializeUserStorage"]["pvc"];
    assert!(drive["namespace"].as_str().unwrap().starts_with("user-"));
    until(&dev, &token, (PVC, json!({ "id": drive["id"] })), |data| data["pvc"]["phase"] == "BOUND").await;
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_created_grows_is_mounted_and_goes() {
    story("embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_created_grows_is_mounted_and_goes_in_a_real_cluster() {
    story("real").await;
}

/// The storage of a group, shown in a project.
async fn sharing(cluster: &str) {
    let Some(dev) = Dev::start("storage sharing", cluster).await else { return };
    let (token, kube) = (dev.log_in("admin").await, client(&dev).await);
    let project = dev.project(&token, "detection").await;
    let namespace = project.replace("project_", "proj-");
    let groups = "{ groups(filter: { names: [\"vision\"] }) { nodes { id } } }";
    let group = ask(&dev, &token, groups, json!({})).await["groups"]["nodes"][0]["id"].clone();
    let home = group.as_str().unwrap().replace("group_", "group-");

    // A volume for one node cannot be shared, and the answer says what to do instead.
    let create = "mutation($i: CreatePvcInput!) { createPvc(input: $i) { pvc { id } } }";
    let made = ask(&dev, &token, create, json!({ "i": { "groupId": group, "name": "scratch", "size": "1Gi" } })).await;
    let scratch = made["createPvc"]["pvc"]["id"].clone();
    until(&dev, &token, (PVC, json!({ "id": scratch })), |data| data["pvc"]["phase"] == "BOUND").await;
    let bind = "mutation($i: BindPvcInput!) { bindPvc(input: $i) { pvc { id name readOnly sharedFrom { name } } } }";
    let refused = dev.ask(Some(&token), bind, json!({ "i": { "id": scratch, "projectId": project } })).await;
    assert_eq!(
        refused["errors"][0]["message"],
        "the claim scratch cannot be shared: its access mode is READ_WRITE_ONCE: pods on a single node can mount it; create a claim in the project and copy the data"
    );

    // One of NFS can.
    let volume = json!({
        "metadata": { "name": "files" },
        "spec": {
            "accessModes": ["ReadWriteMany"], "capacity": { "storage": "5Gi" }, "storageClassName": "", "mountOptions": ["hard"],
            "nfs": { "server": "files.example.com", "path": "/export/sets" },
            "claimRef": { "namespace": home, "name": "sets" },
        },
    });
    let volumes = Api::<PersistentVolume>::all(kube.clone());
    volumes.create(&PostParams::default(), &serde_json::from_value(volume).unwrap()).await.unwrap();
    let claims = Api::<PersistentVolumeClaim>::namespaced(kube.clone(), &home);
    let claim = json!({
        "metadata": { "name": "sets" },
        "spec": { "accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": "files", "resources": { "requests": { "storage": "5Gi" } } },
    });
    claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();
    let list = "query($id: ID!) { group(id: $id) { claims(filter: { search: \"sets\" }) { nodes { id phase } } } }";
    let bound = |data: &Value| data["group"]["claims"]["nodes"][0]["phase"] == "BOUND";
    let found = until(&dev, &token, (list, json!({ "id": group })), bound).await;
    let source = found["group"]["claims"]["nodes"][0]["id"].clone();
    let shared =
        ask(&dev, &token, bind, json!({ "i": { "id": source, "projectId": project, "name": "our-sets" } })).await;
    let share = shared["bindPvc"]["pvc"]["id"].clone();
    assert_eq!(shared["bindPvc"]["pvc"]["sharedFrom"]["name"], "sets");
    until(&dev, &token, (PVC, json!({ "id": share })), |data| data["pvc"]["phase"] == "BOUND").await;
    let name = share.as_str().unwrap().replace("pvc_", "share-");
    let spec = serde_json::to_value(volumes.get(&name).await.unwrap()).unwrap()["spec"].take();
    assert_eq!(spec["nfs"], json!({ "server": "files.example.com", "path": "/export/sets", "readOnly": true }));
    assert_eq!((&spec["persistentVolumeReclaimPolicy"], &spec["mountOptions"]), (&json!("Retain"), &json!(["hard"])));
    assert!(claims.get("sets").await.unwrap().finalizers().contains(&"platform/shared".to_owned()));

    // A job mounts it read-only, and nothing else; its source is kept.
    let preview = "query($i: SubmitJobInput!) { previewJob(input: $i) { verdicts { problems { field message } } } }";
    let mounting = |read_only: bool| {
        json!({ "i": { "projectId": project, "source": { "spec": {
        "image": "sim/sleep:36000", "mounts": [{ "claim": "our-sets", "path": "/sets", "readOnly": read_only }],
    } } } })
    };
    let told = ask(&dev, &token, preview, mounting(false)).await.to_string();
    assert!(told.contains("which you may only read; set readOnly to true"), "{told}");
    assert!(!ask(&dev, &token, preview, mounting(true)).await.to_string().contains("message"));
    let delete = "mutation($id: ID!, $name: String!) { deletePvc(input: { id: $id, confirmName: $name, force: true }) { pvcId } }";
    let kept = dev.ask(Some(&token), delete, json!({ "id": source, "name": "sets" })).await;
    assert!(kept["errors"][0]["message"].as_str().unwrap().starts_with("the claim is shared with projects"), "{kept}");
    let wrong = dev.ask(Some(&token), delete, json!({ "id": share, "name": "our-sets" })).await;
    assert!(wrong["errors"][0]["message"].as_str().unwrap().contains("unbindPvc removes it"), "{wrong}");

    // Unbound, everything of the share goes, and the source stays.
    ask(&dev, &token, "mutation($id: ID!) { unbindPvc(input: { id: $id }) { pvcId } }", json!({ "id": share })).await;
    until(&dev, &token, (PVC, json!({ "id": share })), |data| data["pvc"].is_null()).await;
    let gone = async {
        while volumes.get_opt(&name).await.unwrap().is_some()
            || claims.get("sets").await.unwrap().finalizers().contains(&"platform/shared".to_owned())
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, gone).await.is_ok(), "{}", dev.log());
    let project_claims = Api::<PersistentVolumeClaim>::namespaced(kube, &namespace);
    assert!(project_claims.get_opt("our-sets").await.unwrap().is_none());
    assert_eq!(volumes.get("files").await.unwrap().status.unwrap().phase.as_deref(), Some("Bound"));
    ask(&dev, &token, delete, json!({ "id": source, "name": "sets" })).await;
    until(&dev, &token, (PVC, json!({ "id": source })), |data| data["pvc"].is_null()).await;
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_storage_of_a_group_is_shown_in_a_project() {
    sharing("embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_storage_of_a_group_is_shown_in_a_project_of_a_real_cluster() {
    sharing("real").await;
}

/// Asks until the claim is as expected, or gone.
async fn claim_until(who: &Session, id: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let waiting = async {
        loop {
            last = who
                .ask(
                    "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Pvc { phase reason message size } } }",
                    json!({ "ids": [id] }),
                )
                .await;
            if is_so(&last["nodes"][0]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{last}");
    last["nodes"][0].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_cluster_away_at_each_step_a_claim_is_created_once_made_larger_and_deleted() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let (maya, kube) = (serve.log_in("maya").await, serve.client());
    let class = json!({ "metadata": { "name": "fast" }, "provisioner": "test", "allowVolumeExpansion": true });
    let classes = Api::<StorageClass>::all(kube.clone());
    classes.create(&PostParams::default(), &serde_json::from_value(class).unwrap()).await.unwrap();
    let project = maya.project().await;
    let claims = Api::<PersistentVolumeClaim>::namespaced(kube, &project.replace("project_", "proj-"));
    let create = async |who: &Session, name: &str| {
        let create = "mutation($i: CreatePvcInput!) { createPvc(input: $i) { pvc { id phase } } }";
        let input = json!({ "projectId": project, "name": name, "size": "1Gi", "storageClass": "fast" });
        who.ask(create, json!({ "i": input })).await["createPvc"]["pvc"]["id"].clone()
    };

    // The cluster does not answer: the claim says so, and is created when it does.
    serve.cluster_proxy.cut();
    let first = create(&maya, "first").await;
    let waits = claim_until(&maya, &first, |claim| claim["reason"] == "ClusterUnavailable").await;
    assert_eq!(waits["message"], "The cluster does not answer; the platform tries again.");
    serve.cluster_proxy.restore();
    claim_until(&maya, &first, |claim| claim["phase"] == "PENDING" && claim["message"].is_null()).await;

    // Its answer is lost, and the server is killed: there is one object.
    serve.cluster_proxy.mute();
    let second = create(&maya, "second").await;
    let created = async {
        while claims.get_opt("second").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, created).await.unwrap();
    let uid = claims.get("second").await.unwrap().uid();
    serve.kill().await;
    serve.cluster_proxy.restore();
    serve.run().await;
    let maya = serve.log_in("maya").await;
    claim_until(&maya, &second, |claim| claim["phase"] == "PENDING").await;
    assert_eq!(claims.get("second").await.unwrap().uid(), uid);

    // Made larger before it has a volume and while the cluster is away: the cluster is asked when both are there.
    serve.cluster_proxy.cut();
    let resize = "mutation($id: ID!) { resizePvc(input: { id: $id, size: \"2Gi\" }) { pvc { size } } }";
    maya.ask(resize, json!({ "id": second })).await;
    serve.cluster_proxy.restore();
    let bound =
        json!({ "status": { "phase": "Bound", "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"] } });
    claims.patch_status("second", &PatchParams::default(), &Patch::Merge(bound)).await.unwrap();
    let asked = async {
        loop {
            let object = serde_json::to_value(claims.get("second").await.unwrap()).unwrap();
            if object["spec"]["resources"]["requests"]["storage"] == "2Gi" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();

    // Deleted while it is away.
    serve.cluster_proxy.cut();
    let delete = "mutation($id: ID!) { deletePvc(input: { id: $id, confirmName: \"second\" }) { pvcId } }";
    maya.ask(delete, json!({ "id": second })).await;
    claim_until(&maya, &second, |claim| claim["reason"] == "ClusterUnavailable" && claim["phase"] == "DELETING").await;
    serve.cluster_proxy.restore();
    let deleted = async {
        while let Some(object) = claims.get_opt("second").await.unwrap() {
            // There is no controller here that lets go of it.
            if object.metadata.deletion_timestamp.is_some() {
                let free = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
                let _ = claims.patch("second", &PatchParams::default(), &free).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, deleted).await.unwrap();
    let query = "{ pvcs { nodes { name } } }";
    let gone = async {
        while maya.ask(query, json!({})).await["pvcs"]["nodes"] != json!([{ "name": "first" }]) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

/// Answers as Prometheus does, as soon as there is an answer.
async fn prometheus(answer: tokio::sync::watch::Receiver<Value>) -> String {
    let query = move |form: String| {
        let mut answer = answer.clone();
        async move {
            assert!(form.contains("kubelet_volume_stats_"), "{form}");
            axum::Json(answer.wait_for(|answer| !answer.is_null()).await.unwrap().clone())
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().route("/api/v1/query", axum::routing::post(query));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_prometheus_knows_of_a_volume_is_shown() {
    let (knows, asked) = tokio::sync::watch::channel(Value::Null);
    let dev = Dev::with(&[("PROMETHEUS_ADDR", &prometheus(asked).await)]).await;
    let token = dev.log_in("admin").await;
    let project = dev.project(&token, "detection").await;
    let create = "mutation($i: CreatePvcInput!) { createPvc(input: $i) { pvc { id namespace usage { used } } } }";
    let input = json!({ "projectId": project, "name": "measured", "size": "1Gi" });
    let pvc = ask(&dev, &token, create, json!({ "i": input })).await["createPvc"]["pvc"].take();
    assert_eq!(pvc["usage"], Value::Null);
    let sample = |name: &str, value: &str| {
        let name = format!("kubelet_volume_stats_{name}");
        json!({ "metric": { "__name__": name, "namespace": pvc["namespace"], "persistentvolumeclaim": "measured" }, "value": [1_764_201_600.5, value] })
    };
    let samples = [
        ("used_bytes", "536870912"),
        ("capacity_bytes", "1.073741824e+09"),
        ("inodes_used", "3000000000"),
        ("inodes", "0"),
    ];
    let result: Vec<Value> = samples.into_iter().map(|(name, value)| sample(name, value)).collect();
    knows.send_replace(json!({ "status": "success", "data": { "resultType": "vector", "result": result } }));
    let query = "query($id: ID!) { pvc(id: $id) { usage { used available capacity inodesUsed inodes } } }";
    let found = until(&dev, &token, (query, json!({ "id": pvc["id"] })), |data| !data["pvc"]["usage"].is_null()).await;
    insta::assert_snapshot!(found["pvc"]["usage"], @r#"{"used":"512Mi","available":null,"capacity":"1Gi","inodesUsed":3000000000.0,"inodes":null}"#);
    dev.stop().await;
}
