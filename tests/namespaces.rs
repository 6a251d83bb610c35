//! The namespaces of projects in the cluster: they follow the limits, are repaired, and go with their project.
//!
//! The same story runs against the embedded cluster and against a real etcd and kube-apiserver.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};

use crate::support::dev::Dev;

const PATIENCE: Duration = Duration::from_secs(60);

/// Objects of the cluster, as its own kubeconfig finds them.
async fn client(dev: &Dev) -> Client {
    let kubeconfig = Kubeconfig::read_from(dev.ready["kubeconfig"].as_str().unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Waits until this is so.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}");
}

/// What a namespace of a project looks like.
async fn seen(client: &Client, namespace: &str) -> Value {
    let found = Api::<Namespace>::all(client.clone()).get_opt(namespace).await.unwrap();
    let quota = Api::<ResourceQuota>::namespaced(client.clone(), namespace).get_opt("platform").await.unwrap();
    let policies = Api::<NetworkPolicy>::namespaced(client.clone(), namespace);
    let policy = policies.get_opt("default-deny-ingress").await.unwrap();
    json!({
        "security": found.and_then(|found| found.labels().get("pod-security.kubernetes.io/enforce").cloned()),
        "hard": quota.and_then(|quota| quota.spec?.hard),
        "ingress": policy.and_then(|policy| policy.spec?.ingress),
    })
}

/// The name of the project's namespace.
fn namespace_of(project: &str) -> String {
    project.replace("project_", "proj-")
}

async fn ask(dev: &Dev, token: &str, query: &str, variables: Value) {
    let answer = dev.ask(Some(token), query, variables).await;
    assert!(answer["errors"].is_null(), "{answer}");
}

async fn story(cluster: &str) {
    let Some(mut dev) = Dev::start("namespaces", cluster).await else { return };
    let (token, client) = (dev.log_in("admin").await, client(&dev).await);
    // The projects of the demo come again with each start.
    let groups = "{ groups(filter: { names: [\"vision\"] }) { nodes { id } } }";
    let group = dev.ask(Some(&token), groups, json!({})).await["data"]["groups"]["nodes"][0]["id"].clone();
    let create = "mutation($i: CreateProjectInput!) { createProject(input: $i) { project { id } } }";
    ask(&dev, &token, create, json!({ "i": { "groupId": group, "name": "tracking" } })).await;
    let project = dev.project(&token, "tracking").await;
    let namespace = namespace_of(&project);

    // It follows the limits of the project.
    let set = "mutation($i: SetProjectLimitsInput!) { setProjectLimits(input: $i) { project { id } } }";
    let limits = json!({ "projectId": project, "gpu": 8, "cpu": "16", "memory": "64Gi", "storage": "1Ti" });
    ask(&dev, &token, set, json!({ "i": limits })).await;
    let amounts = async |client: &Client| {
        let hard = &seen(client, &namespace).await["hard"];
        ["requests.nvidia.com/gpu", "requests.cpu", "requests.memory", "requests.storage"]
            .map(|name| hard[name].as_str().unwrap_or("-").to_owned())
    };
    until("the quota follows", async || amounts(&client).await == ["8", "16", "64Gi", "1Ti"]).await;
    ask(&dev, &token, set, json!({ "i": { "projectId": project, "cpu": null, "gpu": 4 } })).await;
    until("and again", async || amounts(&client).await == ["4", "-", "64Gi", "1Ti"]).await;
    let whole = seen(&client, &namespace).await;
    assert_eq!(whole["security"], "baseline");
    assert_eq!(whole["ingress"], json!([{ "from": [{ "podSelector": {} }] }]));

    // What is changed by hand is repaired, and the audit log says so.
    let applied = "DO $$ BEGIN ASSERT (SELECT count(*) FROM audit_log WHERE action = 'repairNamespace') = 0; END $$";
    dev.sql(applied).await;
    let quotas = Api::<ResourceQuota>::namespaced(client.clone(), &namespace);
    let more = Patch::Merge(json!({ "spec": { "hard": { "requests.memory": "1Ti" } } }));
    quotas.patch("platform", &PatchParams::default(), &more).await.unwrap();
    let policies = Api::<NetworkPolicy>::namespaced(client.clone(), &namespace);
    policies.delete("default-deny-ingress", &DeleteParams::default()).await.unwrap();
    let weaker =
        Patch::Merge(json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "privileged" } } }));
    Api::<Namespace>::all(client.clone()).patch(&namespace, &PatchParams::default(), &weaker).await.unwrap();
    dev.sql("UPDATE project_namespaces SET next_check_at = now()").await;
    until("it is repaired", async || seen(&client, &namespace).await == whole).await;
    let told = format!(
        "DO $$ DECLARE said jsonb; BEGIN
            FOR attempt IN 1..100 LOOP
                SELECT detail -> 'repaired' INTO said FROM audit_log WHERE action = 'repairNamespace' AND subject = '{project}';
                EXIT WHEN said IS NOT NULL; PERFORM pg_sleep(0.1);
            END LOOP;
            ASSERT said = '[\"Namespace\", \"ResourceQuota\", \"NetworkPolicy\"]', said::text;
        END $$"
    );
    dev.sql(&told).await;

    // It goes with the project, although the server is killed right after it has answered.
    let delete = "mutation($i: DeleteProjectInput!) { deleteProject(input: $i) { projectId } }";
    let input = json!({ "i": { "projectId": project, "confirmName": "tracking" } });
    ask(&dev, &token, delete, input).await;
    dev.kill().await;
    dev.start_again().await;
    let client = self::client(&dev).await;
    let namespaces = Api::<Namespace>::all(client);
    until("it has gone", async || namespaces.get_opt(&namespace).await.unwrap().is_none()).await;
    let gone = format!(
        "DO $$ BEGIN FOR attempt IN 1..100 LOOP
            EXIT WHEN NOT EXISTS (SELECT FROM project_namespaces WHERE namespace = '{namespace}'); PERFORM pg_sleep(0.1);
        END LOOP; ASSERT NOT EXISTS (SELECT FROM project_namespaces WHERE namespace = '{namespace}'); END $$"
    );
    dev.sql(&gone).await;
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_follows_its_project_is_repaired_and_goes_with_it() {
    story("embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_in_a_real_cluster() {
    story("real").await;
}
