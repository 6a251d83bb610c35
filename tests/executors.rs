//! The same scenarios for jobs in both modes and on all clusters: what people see does not depend on how a job is run.
//!
//! | cluster | what runs the jobs |
//! |---|---|
//! | embedded | the project's own API server and simulators |
//! | real | kube-apiserver and etcd, with the same simulators |
//! | controllers | kube-apiserver, kube-controller-manager, kube-scheduler and kwok; there is no Flash scheduler for it |

mod stage;

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{DeleteParams, PostParams};
use platform::cluster::crd::FlashJob;
use serde_json::{Value, json};

use stage::{LOCAL, Pods, SCHEDULER, Stage, in_short};

async fn a_task_that_succeeds(stage: &Stage) {
    let job = stage.submit("one", &Pods::ending(&[0]).yaml(1)).await;
    let done = stage.until_phase(&job, "SUCCEEDED").await;
    assert_eq!(done["executor"], stage.executor_name(), "{done}");
    assert_eq!(stage.steps(&done), ["SUBMITTED", "QUEUED", "RUNNING", "SUCCEEDED"], "{done}");
    assert_eq!((&done["tasks"][0]["state"], &done["tasks"][0]["exitCode"]), (&json!("SUCCEEDED"), &json!(0)), "{done}");
}

async fn a_gang_of_equal_tasks(stage: &Stage) {
    let job = stage.submit("equal", &Pods::ending(&[0, 0, 0]).yaml(3)).await;
    let done = stage.until_phase(&job, "SUCCEEDED").await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(in_short(&done), @"
        0 SUCCEEDED 0
        1 SUCCEEDED 0
        2 SUCCEEDED 0
        ");
    }
}

async fn tasks_that_differ(stage: &Stage) {
    let pods = Pods::ending(&[0, 0, 0]).lasting(&[1, 3, 3]);
    let job = stage.submit("differ", &pods.yaml(3)).await;
    let done = stage.until_phase(&job, "SUCCEEDED").await;
    assert_eq!(stage.steps(&done), ["SUBMITTED", "QUEUED", "RUNNING", "SUCCEEDED"], "{done}");
    assert_eq!(done["tasks"].as_array().unwrap().len(), 3, "{done}");
    // Its manifest says what was sent.
    let manifest = &done["manifest"];
    match stage.executor {
        LOCAL => {
            assert_eq!((&manifest["kind"], &manifest["items"][1]["spec"]["completions"]), (&json!("List"), &json!(2)));
        }
        _ => assert_eq!(manifest["kind"], "FlashJob", "{manifest}"),
    }
}

async fn one_task_of_a_gang_fails(stage: &Stage) {
    let pods = Pods::ending(&[0, 3]).lasting(&[600, 1]);
    let job = stage.submit("fails", &pods.yaml(2)).await;
    let done = stage.until_phase(&job, "FAILED").await;
    assert_eq!(
        (&done["reason"], &done["message"]),
        (&json!("TaskFailed"), &json!("task 1 failed: Error, exit code 3"))
    );
    // The other one is stopped with it.
    let stopped = stage.until(&job, "stopped", |job| job["tasks"][0]["state"] == "STOPPED").await;
    assert_eq!(stopped["tasks"][0]["reason"], "JobEnded", "{stopped}");
    let pod = stopped["tasks"][0]["pod"].as_str().unwrap().to_owned();
    stage.until_pod_is_gone(&pod).await;
    assert!(!stage.objects(&job).await.is_empty(), "what has ended is kept");
}

async fn a_failure_is_retried_as_another_object(stage: &Stage) {
    let job = stage.submit_with("retried", &Pods::ending(&[4]).yaml(1), json!({ "retries": 1 })).await;
    let done = stage.until_phase(&job, "FAILED").await;
    assert_eq!((&done["attempts"], &done["retriesLeft"]), (&json!(2), &json!(0)), "{done}");
    assert_eq!(done["message"], "task 0 failed: Error, exit code 4", "{done}");
    let retrying = stage.events(&done).into_iter().find(|event| event["kind"] == "RETRYING").unwrap();
    assert_eq!(retrying["message"], "attempt 1 of 2 failed: task 0 failed: Error, exit code 4", "{done}");
}

async fn a_job_is_cancelled_while_it_runs(stage: &Stage) {
    let pods = Pods::ending(&[0, 0]).lasting(&[600, 601]);
    let job = stage.submit("cancelled", &pods.yaml(2)).await;
    stage.until_phase(&job, "RUNNING").await;
    stage.cancel(&job).await;
    let done = stage.until_phase(&job, "CANCELLED").await;
    assert_eq!((&done["reason"], &done["message"]), (&json!("Cancelled"), &json!("enough")), "{done}");
    assert_eq!(stage.objects(&job).await, Vec::<String>::new(), "it is cancelled when its objects are gone");
    stage.until_nothing_is_left(&job).await;
}

async fn a_job_runs_too_long(stage: &Stage) {
    let overrides = json!({ "activeDeadlineSeconds": 2 });
    let job = stage.submit_with("late", &Pods::ending(&[0]).lasting(&[600]).yaml(1), overrides).await;
    let done = stage.until_phase(&job, "FAILED").await;
    assert_eq!(done["reason"], "DeadlineExceeded", "{done}");
    assert_eq!(done["message"], "it ran longer than its limit of 2 s", "{done}");
    stage.until_nothing_is_left(&job).await;
}

async fn somebody_deletes_the_object(stage: &Stage) {
    let job = stage.submit("deleted", &Pods::ending(&[0]).lasting(&[600]).yaml(1)).await;
    stage.until_phase(&job, "RUNNING").await;
    let name = stage.objects(&job).await.pop().unwrap();
    let params = DeleteParams::foreground();
    match stage.executor {
        LOCAL => drop(stage.api::<Job>().delete(&name, &params).await.unwrap()),
        _ => drop(stage.api::<FlashJob>().delete(&name, &params).await.unwrap()),
    }
    let done = stage.until_phase(&job, "FAILED").await;
    assert_eq!(done["reason"], "Deleted", "{done}");
    assert_eq!(done["message"], "its object was deleted from the cluster by someone else", "{done}");
}

async fn a_task_is_evicted_as_by_a_drain(stage: &Stage) {
    let job = stage.submit_with("drained", &Pods::ending(&[0]).lasting(&[15]).yaml(1), json!({ "retries": 0 })).await;
    let pod = stage.until_phase(&job, "RUNNING").await["tasks"][0]["pod"].as_str().unwrap().to_owned();
    stage.evict(&pod).await;
    let evicted = |event: &Value| event["phase"] == "QUEUED" && event["reason"] == "Evicted";
    stage.until(&job, "queued again", |job| stage.events(job).iter().any(evicted)).await;
    let done = stage.until_phase(&job, "SUCCEEDED").await;
    assert_eq!(done["attempts"], 1, "an eviction is no failure: {done}");
}

async fn the_namespace_has_no_room_for_pods(stage: &Stage) {
    let quotas = stage.api::<ResourceQuota>();
    let none = json!({ "metadata": { "name": "none" }, "spec": { "hard": { "pods": "0" } } });
    quotas.create(&PostParams::default(), &serde_json::from_value(none).unwrap()).await.unwrap();
    // A quota is not enforced before the controller has counted what it is about.
    let counted = |quota: &ResourceQuota| quota.status.as_ref().is_some_and(|status| status.used.is_some());
    while !counted(&quotas.get("none").await.unwrap()) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let job = stage.submit("room", &Pods::ending(&[0]).yaml(1)).await;
    let no_room =
        |job: &Value| job["pendingReason"].as_str().is_some_and(|why| why.contains("quota of the project's namespace"));
    let waits = stage.until(&job, "waiting for room", no_room).await;
    assert_eq!((&waits["phase"], &waits["reason"]), (&json!("QUEUED"), &json!("PodRejected")), "{waits}");
    quotas.delete("none", &DeleteParams::default()).await.unwrap();
    stage.until_phase(&job, "SUCCEEDED").await;
}

async fn a_gang_that_may_start_in_part(stage: &Stage) {
    let answer = stage.try_submit("part", &Pods::ending(&[0, 0, 0]).yaml(2), json!({})).await;
    match stage.executor {
        LOCAL => {
            let said = answer["errors"][0]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
            insta::allow_duplicates! {
                insta::assert_snapshot!(said, @"minAvailable was 2 of 3 tasks; without the Flash scheduler (EXECUTOR_MODE=local), it must be 1 or the number of tasks");
            }
        }
        _ => {
            let job = answer["data"]["submitJob"]["job"]["id"].as_str().unwrap_or_else(|| panic!("{answer}"));
            stage.until_phase(job, "SUCCEEDED").await;
        }
    }
}

async fn a_preview_shows_what_would_be_sent(stage: &Stage) {
    let preview = stage.preview(json!({ "image": "busybox", "replicas": 2 })).await;
    let manifests = preview["manifests"].as_array().unwrap_or_else(|| panic!("{preview}"));
    assert_eq!(preview["admitted"], true, "{preview}");
    let kind = if stage.executor == LOCAL { "Job" } else { "FlashJob" };
    assert_eq!((manifests.len(), &manifests[0]["kind"]), (1, &json!(kind)), "{preview}");
}

async fn all(stage: &Stage) {
    tokio::join!(
        a_task_that_succeeds(stage),
        a_gang_of_equal_tasks(stage),
        tasks_that_differ(stage),
        one_task_of_a_gang_fails(stage),
        a_failure_is_retried_as_another_object(stage),
        a_job_is_cancelled_while_it_runs(stage),
        a_job_runs_too_long(stage),
        somebody_deletes_the_object(stage),
        a_gang_that_may_start_in_part(stage),
        a_preview_shows_what_would_be_sent(stage),
    );
    a_task_is_evicted_as_by_a_drain(stage).await;
    the_namespace_has_no_room_for_pods(stage).await;
}

macro_rules! on {
    ($($name:ident: $executor:expr, $cluster:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(stage) = Stage::set(stringify!($name), $executor, $cluster).await else { return };
                all(&stage).await;
            }
        )*
    };
}

on! {
    local_on_the_embedded_cluster: LOCAL, "embedded";
    local_on_a_real_api_server: LOCAL, "real";
    local_with_the_controllers_of_kubernetes: LOCAL, "controllers";
    scheduler_on_the_embedded_cluster: SCHEDULER, "embedded";
    scheduler_on_a_real_api_server: SCHEDULER, "real";
}

/// A job stays with the executor that it was submitted for.
async fn the_mode_is_switched(from: &'static str, to: &'static str) {
    let mut stage = Stage::set("the switch of the mode", from, "embedded").await.unwrap();
    let pods = Pods::ending(&[0, 0]).lasting(&[20, 21]);
    let before = stage.submit("before", &pods.yaml(2)).await;
    stage.until_phase(&before, "RUNNING").await;
    stage.kill_and_start_as(to).await;
    let after = stage.submit("after", &Pods::ending(&[0]).yaml(1)).await;
    for (job, executor) in [(&before, from), (&after, to)] {
        let done = stage.until_phase(job, "SUCCEEDED").await;
        assert_eq!(done["executor"], executor.to_uppercase(), "{done}");
        let kinds = stage.events(&done);
        let begun = kinds.iter().filter(|event| event["phase"] == "RUNNING" && event["kind"] == "PHASE_CHANGED");
        assert_eq!(begun.count(), 1, "{done}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mode_is_switched_to_local_with_jobs_in_flight() {
    the_mode_is_switched(SCHEDULER, LOCAL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mode_is_switched_to_the_scheduler_with_jobs_in_flight() {
    the_mode_is_switched(LOCAL, SCHEDULER).await;
}
