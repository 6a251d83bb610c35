//! Values that a cluster accepts and PostgreSQL cannot store: on the embedded cluster and on a real one.

use std::time::Duration;

use kube::api::{ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};
use platform::cluster::crd::FlashJob;
use serde_json::{Value, json};

use crate::support::dev::{Dev, pod};

const PATIENCE: Duration = Duration::from_secs(60);

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn job(dev: &Dev, token: &str, id: &str) -> Value {
    let query = "query($id: ID!) { job(id: $id) { phase reason message } }";
    let mut answer = dev.ask(Some(token), query, json!({ "id": id })).await;
    answer["data"]["job"].take()
}

async fn a_nul_in_a_condition_is_told_and_other_jobs_go_on(cluster: &str) {
    let Some(dev) = Dev::start("observations", cluster).await else { return };
    let token = dev.log_in("maya").await;
    let long = pod(r#"{sim.platform/duration: "1h"}"#);
    let odd = dev.submit_yaml(&token, "odd.yaml", &long, "default-batch").await;
    let kubeconfig = Kubeconfig::read_from(dev.ready["kubeconfig"].as_str().unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let all: Api<FlashJob> = Api::all(client.clone());
    let ours = ListParams::default().labels(&format!("platform.job-id={odd}"));
    until("the object is there", async || !all.list(&ours).await.unwrap().items.is_empty()).await;
    let object = all.list(&ours).await.unwrap().items.remove(0);
    let condition = json!({
        "type": "Failed", "status": "True", "reason": "Odd", "message": "a\0b",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let status = Patch::Merge(json!({ "status": { "phase": "Failed", "conditions": [condition] } }));
    let objects: Api<FlashJob> = Api::namespaced(client, &object.namespace().unwrap());
    objects.patch_status(&object.name_any(), &PatchParams::default(), &status).await.unwrap();

    let other = dev.submit_spec(&token, "detection").await;
    until("another job ends", async || job(&dev, &token, &other).await["phase"] == "SUCCEEDED").await;
    until("the job ends", async || job(&dev, &token, &odd).await["phase"] == "FAILED").await;
    let told = job(&dev, &token, &odd).await;
    assert_eq!((&told["reason"], &told["message"]), (&json!("Odd"), &json!("a\u{fffd}b")), "{told}");
    assert_eq!(dev.counter("platform_watch_set_aside_total").await, 0);
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nul_in_a_condition_holds_up_no_other_job_on_the_embedded_cluster() {
    a_nul_in_a_condition_is_told_and_other_jobs_go_on("embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nul_in_a_condition_holds_up_no_other_job_on_a_real_cluster() {
    a_nul_in_a_condition_is_told_and_other_jobs_go_on("real").await;
}
