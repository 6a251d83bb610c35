//! What a Job needs, decided from the Job and its pods alone.

use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::speed::Speed;
use super::decide::{Plan, decide, settle};
use super::verdict::is_finished;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn job(spec: Value, status: Value) -> Job {
    let mut object = json!({"metadata": {"name": "j", "namespace": "n", "uid": "u"}, "spec": {
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]}},
    }, "status": status});
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

/// A pod that is not counted yet and, if it ended, ended a minute ago.
fn pod(name: &str, phase: &str, index: Option<i32>) -> Pod {
    let ended = json!({"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T11:59:00Z"}});
    let state = if matches!(phase, "Succeeded" | "Failed") { ended } else { json!({"running": {}}) };
    let mut pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name, "uid": name, "finalizers": ["batch.kubernetes.io/job-tracking"]},
        "status": {"phase": phase, "containerStatuses": [
            {"name": "main", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state},
        ]},
    }))
    .unwrap();
    if let Some(index) = index {
        pod.annotations_mut().insert("batch.kubernetes.io/job-completion-index".to_owned(), index.to_string());
    }
    pod
}

fn plan<'a>(job: &Job, pods: &'a [Pod]) -> Plan<'a> {
    decide(job, pods, now(), Speed::REAL)
}

fn shown(plan: &Plan<'_>) -> String {
    let names = |pods: &[&Pod]| pods.iter().map(|pod| pod.name_any()).collect::<Vec<_>>().join(",");
    let indexes: Vec<_> = plan.create.iter().map(|wanted| wanted.index.map_or("-".into(), |i| i.to_string())).collect();
    let conditions = plan.status.conditions.iter().flatten().map(|condition| {
        format!("{}={} {}", condition.type_, condition.status, condition.reason.as_deref().unwrap_or_default())
    });
    format!(
        "create [{}] surplus [{}] stop [{}] ended [{}] active {} | {}",
        indexes.join(","),
        names(&plan.surplus),
        names(&plan.stop),
        names(&plan.ended),
        plan.status.active.unwrap_or(0),
        conditions.collect::<Vec<_>>().join(", ")
    )
}

#[test]
fn a_new_job_gets_its_pods() {
    let job = job(json!({"completions": 5, "parallelism": 2}), json!({}));
    insta::assert_snapshot!(shown(&plan(&job, &[])), @"create [-,-] surplus [] stop [] ended [] active 2 | ");
}

#[test]
fn an_indexed_job_gets_the_lowest_indexes_that_are_open() {
    let spec = json!({"completions": 5, "parallelism": 3, "completionMode": "Indexed"});
    let job = job(spec, json!({"completedIndexes": "0,2", "succeeded": 2}));
    let pods = [pod("one", "Running", Some(1))];
    insta::assert_snapshot!(shown(&plan(&job, &pods)), @"create [3,4] surplus [] stop [] ended [] active 3 | ");
}

#[test]
fn two_pods_of_one_index_are_one_too_many() {
    let job = job(json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed"}), json!({}));
    let pods = [pod("a", "Pending", Some(0)), pod("b", "Running", Some(0))];
    insta::assert_snapshot!(shown(&plan(&job, &pods)), @"create [1] surplus [a] stop [] ended [] active 2 | ");
}

#[test]
fn a_job_that_is_shrunk_gives_up_what_has_not_got_far() {
    let job = job(json!({"completions": 5, "parallelism": 1}), json!({}));
    let pods = [pod("a", "Running", None), pod("b", "Pending", None)];
    insta::assert_snapshot!(shown(&plan(&job, &pods)), @"create [] surplus [b] stop [] ended [] active 1 | ");
}

#[test]
fn the_last_success_completes_the_job() {
    let job = job(json!({"completions": 2, "parallelism": 2}), json!({"succeeded": 1}));
    let pods = [pod("a", "Succeeded", None)];
    let plan = plan(&job, &pods);
    insta::assert_snapshot!(shown(&plan), @"create [] surplus [] stop [] ended [a] active 0 | SuccessCriteriaMet=True CompletionsReached");
    let (status, note) = settle(plan.status, now());
    assert_eq!((status.succeeded, status.completion_time.is_some()), (Some(2), true));
    assert_eq!(note.unwrap().reason, "Completed");
}

#[test]
fn without_completions_any_success_is_enough_and_the_others_may_finish() {
    let job = job(json!({"parallelism": 2}), json!({}));
    let pods = [pod("a", "Succeeded", None), pod("b", "Running", None)];
    insta::assert_snapshot!(shown(&plan(&job, &pods)), @"create [] surplus [] stop [] ended [a] active 1 | ");
}

#[test]
fn one_failure_too_many_fails_the_job_and_stops_its_pods() {
    let job = job(json!({"completions": 3, "parallelism": 2, "backoffLimit": 1}), json!({"failed": 1}));
    let pods = [pod("a", "Failed", None), pod("b", "Running", None)];
    let plan = plan(&job, &pods);
    insta::assert_snapshot!(shown(&plan), @"create [] surplus [] stop [b] ended [a] active 0 | FailureTarget=True BackoffLimitExceeded");
    let (status, note) = settle(plan.status, now());
    assert_eq!((status.failed, note), (Some(2), None), "it has not failed until the last pod has ended");
}

#[test]
fn a_failed_pods_successor_waits() {
    let job = job(json!({"completions": 1}), json!({}));
    let mut recent = pod("a", "Failed", None);
    let status = recent.status.as_mut().unwrap().container_statuses.as_mut().unwrap();
    let ended = status[0].state.as_mut().unwrap().terminated.as_mut().unwrap();
    ended.finished_at =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time("2026-01-01T11:59:57Z".parse().unwrap()));
    let pods = [recent];
    let plan = plan(&job, &pods);
    assert_eq!((plan.create.len(), plan.again), (0, Some(Duration::from_secs(7))));
}

#[test]
fn a_job_past_its_deadline_fails() {
    let job = job(json!({"activeDeadlineSeconds": 60}), json!({"startTime": "2026-01-01T11:58:00Z"}));
    let pods = [pod("a", "Running", None)];
    insta::assert_snapshot!(shown(&plan(&job, &pods)), @"create [] surplus [] stop [a] ended [] active 0 | FailureTarget=True DeadlineExceeded");
}

#[test]
fn a_suspended_job_has_no_pods_and_its_clock_begins_when_it_is_resumed() {
    let suspended = job(json!({"suspend": true, "activeDeadlineSeconds": 1}), json!({}));
    let pods = [pod("a", "Running", None)];
    let first = plan(&suspended, &pods);
    insta::assert_snapshot!(shown(&first), @"create [] surplus [a] stop [] ended [] active 0 | Suspended=True JobSuspended");
    assert_eq!(first.status.start_time, None);
    let resumed = job(json!({"suspend": false}), serde_json::to_value(&first.status).unwrap());
    let second = plan(&resumed, &[]);
    insta::assert_snapshot!(shown(&second), @"create [-] surplus [] stop [] ended [] active 1 | Suspended=False JobResumed");
    assert_eq!(second.status.start_time.unwrap().0, now());
}

#[test]
fn an_index_fails_alone_where_indexes_have_limits_of_their_own() {
    let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 0,
        "backoffLimit": i32::MAX});
    let pods = [pod("a", "Failed", Some(0)), pod("b", "Succeeded", Some(1)), pod("c", "Running", Some(2))];
    let begun = plan(&job(spec.clone(), json!({})), &pods);
    insta::assert_snapshot!(shown(&begun), @"create [] surplus [] stop [] ended [a,b] active 1 | ");
    assert_eq!(begun.status.failed_indexes.as_deref(), Some("0"));
    let pods = [pod("c", "Succeeded", Some(2))];
    let (status, _) = settle(begun.status, now());
    let done = job(spec, serde_json::to_value(status).unwrap());
    insta::assert_snapshot!(shown(&plan(&done, &pods)), @"create [] surplus [] stop [] ended [c] active 0 | FailureTarget=True FailedIndexes");
}

/// Plays a Job to its end: `fate` says for each pod in turn whether it fails.
fn play(spec: &Value, fates: &[bool]) -> (JobStatus, usize) {
    let mut fates = fates.iter().copied().chain(std::iter::repeat(false));
    let mut job = job(spec.clone(), json!({}));
    let mut pods: Vec<Pod> = Vec::new();
    let mut made = 0;
    for _ in 0..1000 {
        let plan = decide(&job, &pods, now(), Speed::REAL);
        let (gone, ended, stopped): (Vec<_>, Vec<_>, Vec<_>) = (
            plan.surplus.iter().map(|pod| pod.name_any()).collect(),
            plan.ended.iter().map(|pod| pod.name_any()).collect(),
            plan.stop.iter().map(|pod| pod.name_any()).collect(),
        );
        let (create, (status, _)) = (plan.create.clone(), settle(plan.status, now()));
        job.status = Some(status);
        pods.retain(|pod| !gone.contains(&pod.name_any()));
        for pod in &mut pods {
            let status = pod.status.as_mut().unwrap();
            if stopped.contains(pod.metadata.name.as_ref().unwrap()) {
                status.phase = Some("Failed".to_owned());
            }
            if ended.contains(pod.metadata.name.as_ref().unwrap()) {
                pod.metadata.finalizers = None;
            }
        }
        if is_finished(&job) {
            break;
        }
        // The oldest pod that runs ends; new ones begin.
        if let Some(running) =
            pods.iter_mut().find(|pod| pod.status.as_ref().unwrap().phase.as_deref() == Some("Running"))
        {
            let phase = if fates.next().unwrap() { "Failed" } else { "Succeeded" };
            let index =
                running.annotations().get("batch.kubernetes.io/job-completion-index").and_then(|i| i.parse().ok());
            *running = pod(&running.name_any(), phase, index);
        }
        for wanted in create {
            made += 1;
            pods.push(pod(&format!("p{made}"), "Running", wanted.index));
        }
        let running =
            pods.iter().filter(|pod| pod.status.as_ref().unwrap().phase.as_deref() == Some("Running")).count();
        assert!(running <= spec["parallelism"].as_u64().unwrap() as usize, "more pods than wanted");
    }
    (job.status.unwrap(), made)
}

proptest! {
    #[test]
    fn every_job_ends_and_its_counters_are_true(
        completions in 1..8i32, parallelism in 1..5i32, limit in 0..4i32, indexed: bool,
        fates in prop::collection::vec(any::<bool>(), 0..20),
    ) {
        let mode = if indexed { "Indexed" } else { "NonIndexed" };
        let spec = json!({"completions": completions, "parallelism": parallelism, "backoffLimit": limit,
            "completionMode": mode});
        let (status, made) = play(&spec, &fates);
        let (succeeded, failed) = (status.succeeded.unwrap_or(0), status.failed.unwrap_or(0));
        let last = status.conditions.unwrap().pop().unwrap();
        prop_assert_eq!(usize::try_from(succeeded + failed).unwrap(), made);
        match last.type_.as_str() {
            "Complete" => prop_assert!(succeeded == completions && failed <= limit),
            "Failed" => prop_assert!(failed > limit && succeeded < completions),
            other => prop_assert!(false, "{}", other),
        }
    }
}

#[test]
fn an_evicted_pod_is_replaced_where_the_failure_policy_ignores_disruptions() {
    let policy =
        json!({"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]});
    let spec = json!({
        "backoffLimit": 0, "completions": 1, "completionMode": "Indexed", "podReplacementPolicy": "Failed",
        "podFailurePolicy": policy,
    });
    let mut evicted = pod("a", "Failed", Some(0));
    let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"});
    evicted.status.as_mut().unwrap().conditions = Some(vec![serde_json::from_value(condition).unwrap()]);
    let job = job(spec, json!({}));
    let plan = plan(&job, std::slice::from_ref(&evicted));
    assert_eq!((plan.create.len(), plan.status.conditions), (1, None));
    assert_eq!(plan.status.uncounted_terminated_pods.unwrap_or_default().failed, None);
}
