//! The whole path of a job through the real binary: submitted over HTTP, watched over a WebSocket, run by the cluster.
//!
//! The same scenarios run against the embedded cluster and against a real etcd and kube-apiserver.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, ObjectMeta, PostParams, VersionMatch};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;

use crate::support::dev::{Dev, pod};
use crate::support::session::Session;
use crate::support::subscription::JobEvent;

/// Objects of the cluster, as its own kubeconfig finds them.
async fn config_maps(dev: &Dev) -> Api<ConfigMap> {
    let kubeconfig = Kubeconfig::read_from(dev.ready["kubeconfig"].as_str().unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Api::namespaced(Client::try_from(config).unwrap(), "default")
}

/// The events of a job after a cursor, until it enters the phase `last`.
async fn events_until(dev: &Dev, session: &Session, job: &str, after: &str, last: &str) -> Vec<JobEvent> {
    let mut subscription = session.events(Some(&[job.to_owned()]), Some(after)).await;
    let mut events = Vec::new();
    while let Some(event) = subscription.next().await {
        let end = event.phase == last;
        events.push(event);
        if end {
            return events;
        }
    }
    panic!("the socket was closed with {:?} after {events:#?}: {}", subscription.closed, dev.log())
}

/// The phases that events tell, each once where several follow one another.
fn phases(events: &[JobEvent]) -> Vec<&str> {
    let mut phases: Vec<_> = events.iter().map(|event| event.phase.as_str()).collect();
    phases.dedup();
    phases
}

/// A FlashJob of two tasks that each take all GPUs of a node.
const ALL_GPUS: &str = r#"
apiVersion: scheduling.flash-sched.io/v1alpha1
kind: FlashJob
metadata: { name: greedy }
spec:
  minAvailable: 2
  tasks:
  - metadata: { annotations: { sim.platform/duration: "60s" } }
    spec:
      containers:
      - { name: main, image: "python:3.12", resources: { limits: { nvidia.com/gpu: "8" } } }
  - metadata: { annotations: { sim.platform/duration: "60s" } }
    spec:
      containers:
      - { name: main, image: "python:3.12", resources: { limits: { nvidia.com/gpu: "8" } } }
"#;

const ONE_GPU: &str = r#"
apiVersion: v1
kind: Pod
metadata: { name: urgent, annotations: { sim.platform/duration: "5s" } }
spec:
  containers:
  - { name: main, image: "python:3.12", resources: { limits: { nvidia.com/gpu: "1" } } }
"#;

async fn succeeds(dev: &Dev, maya: &Session) {
    let start = maya.present().await;
    let commit = maya.commit("good", &pod(r#"{sim.platform/duration: "5s"}"#)).await;
    let job = maya.submit(&commit, "configfile-job").await;
    let events = events_until(dev, maya, &job, &start, "SUCCEEDED").await;
    assert_eq!(phases(&events), ["SUBMITTED", "QUEUED", "RUNNING", "SUCCEEDED"]);

    // Its events say what filters of jobs go by.
    let query = "query($id: ID!) { job(id: $id) { finishedAt submittedAt commit { configFile { id } } } }";
    let told = maya.ask(query, json!({ "id": job })).await["job"].take();
    let file = &told["commit"]["configFile"]["id"];
    let submitted =
        json!({ "configFileId": file, "queues": ["configfile-job"], "submittedAt": { "from": told["submittedAt"] } });
    let first = maya.follow(submitted, Some(&start)).await.next().await.unwrap();
    assert_eq!((first.job.as_str(), first.phase.as_str()), (job.as_str(), "SUBMITTED"));
    let finished = json!({ "configFileId": file, "finishedAt": { "from": told["finishedAt"] } });
    let first = maya.follow(finished, Some(&start)).await.next().await.unwrap();
    assert_eq!((first.job.as_str(), first.phase.as_str()), (job.as_str(), "SUCCEEDED"));
}

async fn fails_with_its_exit_code(dev: &Dev, maya: &Session) {
    let start = maya.present().await;
    let commit = maya.commit("bad", &pod(r#"{sim.platform/exit-code: "3"}"#)).await;
    let job = maya.submit(&commit, "configfile-job").await;
    let events = events_until(dev, maya, &job, &start, "FAILED").await;
    assert_eq!(phases(&events), ["SUBMITTED", "QUEUED", "RUNNING", "FAILED"]);
    let data = maya.ask("query($id: ID!) { job(id: $id) { tasks { exitCode } } }", json!({ "id": job })).await;
    assert_eq!(data["job"]["tasks"], json!([{ "exitCode": 3 }]));
}

async fn is_tried_again_and_fails_with_what_each_attempt_did(dev: &Dev, maya: &Session) {
    let start = maya.present().await;
    let commit = maya.commit("again", &pod(r#"{sim.platform/exit-code: "4"}"#)).await;
    let job = maya.submit_with(&commit, "configfile-job", json!({ "retries": 1 })).await;
    let events = events_until(dev, maya, &job, &start, "FAILED").await;
    assert_eq!(phases(&events), ["SUBMITTED", "QUEUED", "RUNNING", "QUEUED", "RUNNING", "FAILED"]);
    let retries: Vec<_> = events.iter().filter(|event| event.kind == "RETRYING").collect();
    assert_eq!(retries.len(), 1, "{events:#?}");
    assert_eq!((retries[0].phase.as_str(), retries[0].reason.as_deref()), ("QUEUED", Some("Retrying")));
    let query = "query($id: ID!) { job(id: $id) { attempts retriesLeft manifest tasks { attempt exitCode pod } } }";
    let data = maya.ask(query, json!({ "id": job })).await;
    let job = &data["job"];
    assert_eq!((&job["attempts"], &job["retriesLeft"]), (&json!(2), &json!(0)));
    let name = job["manifest"]["metadata"]["name"].as_str().unwrap();
    assert!(name.ends_with("-retry-1"), "{name}");
    assert_eq!(job["tasks"], json!([{ "attempt": 2, "exitCode": 4, "pod": format!("{name}-0") }]));
}

async fn is_cancelled(dev: &Dev, maya: &Session) {
    let start = maya.present().await;
    let commit = maya.commit("long", &pod(r#"{sim.platform/duration: "1h"}"#)).await;
    let job = maya.submit(&commit, "configfile-job").await;
    let running = events_until(dev, maya, &job, &start, "RUNNING").await.pop().unwrap().cursor;
    let cancel =
        "mutation($id: ID!) { cancelJob(input: {id: $id, reason: \"enough\"}) { job { cancelReason message } } }";
    let data = maya.ask("query($id: ID!) { job(id: $id) { viewerCanCancel } }", json!({ "id": job })).await;
    assert_eq!(data["job"]["viewerCanCancel"], true);
    let data = maya.ask(cancel, json!({ "id": job })).await;
    let cancelled = &data["cancelJob"]["job"];
    assert_eq!((&cancelled["cancelReason"], &cancelled["message"]), (&json!("enough"), &json!(null)));
    // Resumed from the cursor of RUNNING: nothing before it comes again.
    let events = events_until(dev, maya, &job, &running, "CANCELLED").await;
    assert_eq!(phases(&events).last(), Some(&"CANCELLED"));
    let data = maya
        .ask("query($id: ID!) { job(id: $id) { reason message pendingReason viewerCanCancel } }", json!({ "id": job }))
        .await;
    assert_eq!(
        data["job"],
        json!({ "reason": "Cancelled", "message": "enough", "pendingReason": null, "viewerCanCancel": false })
    );
    assert!(events.iter().all(|event| ["RUNNING", "CANCELLED"].contains(&event.phase.as_str())), "{events:#?}");
}

async fn is_preempted_and_runs_again(dev: &Dev, maya: &Session) {
    let start = maya.present().await;
    let (all, one) = (maya.commit("greedy", ALL_GPUS).await, maya.commit("urgent", ONE_GPU).await);
    let victim = maya.submit(&all, "default-batch").await;
    events_until(dev, maya, &victim, &start, "RUNNING").await;
    let urgent = maya.submit(&one, "configfile-job").await;
    events_until(dev, maya, &urgent, &start, "SUCCEEDED").await;
    let events = events_until(dev, maya, &victim, &start, "SUCCEEDED").await;
    assert_eq!(phases(&events), ["SUBMITTED", "QUEUED", "RUNNING", "QUEUED", "RUNNING", "SUCCEEDED"]);
    let preempted: Vec<_> = events.iter().filter(|event| event.kind == "PREEMPTED").collect();
    assert_eq!(preempted.len(), 1, "{events:#?}");
    assert_eq!((preempted[0].phase.as_str(), preempted[0].reason.as_deref()), ("QUEUED", Some("Preempted")));
    assert_eq!(events.last().unwrap().preemptions, 1);
}

/// One environment for all: what one job does takes nothing from the others but time.
async fn jobs_end_in_every_way(cluster: &str) {
    let Some(mut dev) = Dev::start("job_path", cluster).await else { return };
    let maya = dev.session("maya").await;
    tokio::join!(
        succeeds(&dev, &maya),
        fails_with_its_exit_code(&dev, &maya),
        is_tried_again_and_fails_with_what_each_attempt_did(&dev, &maya),
        is_cancelled(&dev, &maya),
        is_preempted_and_runs_again(&dev, &maya),
    );
    dev.kill().await;
}

#[tokio::test]
async fn embedded_jobs_succeed_fail_are_cancelled_and_preempted() {
    jobs_end_in_every_way("embedded").await;
}

#[tokio::test]
async fn real_jobs_succeed_fail_are_cancelled_and_preempted() {
    jobs_end_in_every_way("real").await;
}

/// SIGKILL right after the commit (the object may or may not have been created), and again while the job runs.
async fn a_job_survives(cluster: &str) {
    let Some(mut dev) = Dev::start("job_path", cluster).await else { return };
    let maya = dev.session("maya").await;
    let start = maya.present().await;
    let commit = maya.commit("survivor", &pod(r#"{sim.platform/duration: "60s"}"#)).await;
    let job = maya.submit(&commit, "configfile-job").await;
    dev.kill().await;
    dev.start_again().await;
    let maya = dev.session("maya").await;
    events_until(&dev, &maya, &job, &start, "RUNNING").await;
    dev.kill().await;
    dev.start_again().await;
    let maya = dev.session("maya").await;
    let events = events_until(&dev, &maya, &job, &start, "SUCCEEDED").await;
    assert_eq!(phases(&events), ["SUBMITTED", "QUEUED", "RUNNING", "SUCCEEDED"]);
    dev.kill().await;
}

#[tokio::test]
async fn a_killed_environment_with_the_embedded_cluster_finds_its_jobs_again() {
    a_job_survives("embedded").await;
}

#[tokio::test]
async fn a_killed_environment_with_the_real_cluster_finds_its_jobs_again() {
    a_job_survives("real").await;
}

#[tokio::test]
async fn a_killed_embedded_cluster_is_there_again_as_it_was() {
    let mut dev = Dev::start("job_path", "embedded").await.unwrap();
    let made = ConfigMap {
        metadata: ObjectMeta { name: Some("kept".to_owned()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    };
    let made = config_maps(&dev).await.create(&PostParams::default(), &made).await.unwrap();
    dev.kill().await;
    dev.start_again().await;
    let kept = config_maps(&dev).await.get("kept").await.unwrap();
    assert_eq!(kept.metadata, made.metadata);
    let list = config_maps(&dev).await.list(&ListParams::default()).await.unwrap();
    let version = |text: Option<String>| text.unwrap().parse::<u64>().unwrap();
    assert!(version(list.metadata.resource_version) > version(made.metadata.resource_version.clone()));
    let before = ListParams::default().at(&made.metadata.resource_version.unwrap()).matching(VersionMatch::Exact);
    let late = config_maps(&dev).await.list(&before).await;
    assert!(
        matches!(late, Err(kube::Error::Api(status)) if status.code == 410),
        "what was seen before is listed again"
    );
    dev.kill().await;
}
