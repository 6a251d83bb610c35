//! What pods report about their tasks.

use super::*;
use serde_json::json;

fn read(status: serde_json::Value) -> TaskPod {
    let pod = json!({
        "metadata": {
            "name": "job-01h455vb4pex5vsknk084sn02q-1",
            "resourceVersion": "42",
            "ownerReferences": [{ "apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob",
                "name": "job-01h455vb4pex5vsknk084sn02q", "uid": "u", "controller": true }],
            "labels": { "platform.job-id": "job_01h455vb4pex5vsknk084sn02q" },
        },
        "spec": { "nodeName": "gpu-1", "containers": [] },
        "status": status,
    });
    TaskPod::read(&serde_json::from_value(pod).unwrap()).unwrap()
}

fn terminated(code: i32, reason: &str) -> serde_json::Value {
    json!({
        "phase": if code == 0 { "Succeeded" } else { "Failed" },
        "containerStatuses": [{
            "name": "main", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": code, "reason": reason } },
        }],
    })
}

#[test]
fn a_pod_s_number_is_the_task_s() {
    assert_eq!(read(json!({})).task, 1);
}

#[test]
fn a_kill_for_memory_tells_code_signal_and_reason() {
    let pod = read(terminated(137, "OOMKilled"));
    assert_eq!((pod.state, pod.exit_code, pod.signal), (PodState::Failed, Some(137), Some(9)));
    assert_eq!(pod.reason.as_deref(), Some("OOMKilled"));
}

#[test]
fn an_eviction_is_told_by_the_pod_itself() {
    let pod = read(json!({ "phase": "Failed", "reason": "Evicted", "message": "the node was low on memory" }));
    assert_eq!(pod.reason.as_deref(), Some("Evicted"));
    assert_eq!(pod.message.as_deref(), Some("the node was low on memory"));
}

#[test]
fn a_pod_that_no_node_takes_says_whether_it_is_for_its_claim() {
    let unplaced = |message: &str| {
        let condition =
            json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message });
        read(json!({ "phase": "Pending", "conditions": [condition] })).reason
    };
    let claim = unplaced("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
    assert_eq!(claim.as_deref(), Some(CLAIM_NOT_BOUND));
    assert_eq!(unplaced("0/2 nodes are available: 2 Insufficient cpu.").as_deref(), Some(UNSCHEDULABLE));
}

#[test]
fn a_good_end_has_no_signal() {
    let pod = read(terminated(0, "Completed"));
    assert_eq!((pod.state, pod.exit_code, pod.signal), (PodState::Succeeded, Some(0), None));
}

#[test]
fn only_an_exit_code_of_a_signal_that_there_is_has_one() {
    let signal = |code: i32| read(terminated(code, "Error")).signal;
    let told: Vec<_> = [1, 127, 128, 129, 137, 143, 192, 193, 254, 255].map(signal).into();
    assert_eq!(told, [None, None, None, Some(1), Some(9), Some(15), Some(64), None, None, None]);
    let mut status = terminated(255, "Error");
    status["containerStatuses"][0]["state"]["terminated"]["signal"] = json!(11);
    assert_eq!(read(status).signal, Some(11), "what the status says wins");
}

/// A pod of an init container, a sidecar and two containers, in this phase and these states.
fn several(phase: &str, states: [serde_json::Value; 4]) -> TaskPod {
    let status = |(name, state): (&str, serde_json::Value)| {
        let (state, last) = match state.get("last") {
            Some(last) => (state["now"].clone(), last.clone()),
            None => (state, json!({})),
        };
        json!({ "name": name, "image": "x", "imageID": "", "ready": false, "restartCount": 0, "state": state,
                "lastState": last })
    };
    let statuses: Vec<_> = ["setup", "proxy", "a", "b"].into_iter().zip(states).map(status).collect();
    let pod = json!({
        "metadata": {
            "name": "job-x-0", "labels": { "platform.job-id": "job_01h455vb4pex5vsknk084sn02q" },
            "ownerReferences": [{ "apiVersion": "scheduling.flash-sched.io/v1", "kind": "FlashJob",
                "name": "job-x", "uid": "u", "controller": true }],
        },
        "spec": {
            "initContainers": [{ "name": "setup" }, { "name": "proxy", "restartPolicy": "Always" }],
            "containers": [{ "name": "a" }, { "name": "b" }],
        },
        "status": { "phase": phase, "initContainerStatuses": statuses[..2], "containerStatuses": statuses[2..] },
    });
    TaskPod::read(&serde_json::from_value(pod).unwrap()).unwrap()
}

fn ended(code: i32, reason: &str, second: u8) -> serde_json::Value {
    let at = |second: u8| format!("2026-01-01T00:00:{second:02}Z");
    json!({ "terminated": { "exitCode": code, "reason": reason, "startedAt": at(1), "finishedAt": at(second) } })
}

fn waits(reason: &str) -> serde_json::Value {
    json!({ "waiting": { "reason": reason, "message": format!("about {reason}") } })
}

#[test]
fn the_container_that_explains_where_a_pod_stands_is_named() {
    let runs = || json!({ "running": { "startedAt": "2026-01-01T00:00:01Z" } });
    let init = || waits("PodInitializing");
    let crashed = json!({ "now": waits("CrashLoopBackOff"), "last": ended(3, "Error", 4) });
    let done = || ended(0, "Completed", 3);
    let table = [
        ("an init container runs", several("Pending", [runs(), init(), init(), init()])),
        ("it fails", several("Failed", [ended(3, "Error", 4), init(), init(), init()])),
        ("it needs too much memory", several("Failed", [ended(137, "OOMKilled", 4), init(), init(), init()])),
        ("its image is missing", several("Pending", [waits("ErrImagePull"), init(), init(), init()])),
        ("it crashes", several("Pending", [crashed.clone(), init(), init(), init()])),
        ("a sidecar's image is missing", several("Pending", [done(), waits("ImagePullBackOff"), init(), init()])),
        ("all run", several("Running", [done(), runs(), runs(), runs()])),
        ("the second's image is missing", several("Pending", [done(), runs(), runs(), waits("ErrImagePull")])),
        ("the second fails, the first goes on", several("Running", [done(), runs(), runs(), ended(4, "Error", 5)])),
        ("the second crashes", several("Running", [done(), runs(), runs(), crashed])),
        (
            "both fail, the second first",
            several("Failed", [done(), ended(143, "Error", 9), ended(1, "Error", 8), ended(4, "Error", 5)]),
        ),
        (
            "both succeed, the sidecar is stopped",
            several("Succeeded", [done(), ended(143, "Error", 9), ended(0, "Completed", 8), ended(0, "Completed", 5)]),
        ),
    ];
    let table: String = table
        .iter()
        .map(|(what, pod)| {
            let (container, reason) = (pod.container.as_deref(), pod.reason.as_deref());
            let init = if pod.in_init { " (init)" } else { "" };
            let [container, reason] = [container, reason].map(|text| text.unwrap_or("-"));
            format!("{what}: {container}{init} {reason} {:?} {:?}\n", pod.exit_code, pod.started_at.is_some())
        })
        .collect();
    insta::assert_snapshot!(table, @"
    an init container runs: setup (init) PodInitializing None false
    it fails: setup (init) Error Some(3) false
    it needs too much memory: setup (init) OOMKilled Some(137) false
    its image is missing: setup (init) ErrImagePull None false
    it crashes: setup (init) CrashLoopBackOff Some(3) false
    a sidecar's image is missing: proxy (init) ImagePullBackOff None false
    all run: - - None true
    the second's image is missing: b ErrImagePull None true
    the second fails, the first goes on: b Error Some(4) true
    the second crashes: b CrashLoopBackOff Some(3) true
    both fail, the second first: b Error Some(4) true
    both succeed, the sidecar is stopped: a Completed Some(0) true
    ");
}

#[test]
fn why_a_pod_was_stopped_is_read_from_its_deletion_and_its_disruption() {
    let stopped = |deleted: bool, disruption: Option<&str>, finished: &str, code: i32| {
        let condition =
            disruption.map(|reason| json!({ "type": "DisruptionTarget", "status": "True", "reason": reason }));
        let end = json!({ "exitCode": code, "reason": "Error", "finishedAt": finished });
        let mut pod = json!({
            "metadata": {
                "name": "job-x-0", "labels": { "platform.job-id": "job_01h455vb4pex5vsknk084sn02q" },
                "ownerReferences": [{ "apiVersion": "scheduling.flash-sched.io/v1", "kind": "FlashJob",
                    "name": "job-x", "uid": "u", "controller": true }],
            },
            "spec": { "containers": [{ "name": "a" }] },
            "status": {
                "phase": "Failed", "conditions": condition.into_iter().collect::<Vec<_>>(),
                "containerStatuses": [{ "name": "a", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
                    "state": { "terminated": end } }],
            },
        });
        if deleted {
            // Asked for at 00:01:00.
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:30Z");
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        }
        TaskPod::read(&serde_json::from_value(pod).unwrap()).unwrap().reason.unwrap()
    };
    let (before, same, after) = ("2026-01-01T00:00:10Z", "2026-01-01T00:01:00Z", "2026-01-01T00:01:20Z");
    assert_eq!(stopped(false, None, before, 3), "Error");
    assert_eq!(stopped(true, None, before, 137), "Error", "it had ended before somebody deleted it");
    assert_eq!(stopped(true, None, after, 3), "PodDeleted");
    assert_eq!(stopped(true, None, same, 3), "Error");
    assert_eq!(stopped(true, None, same, 143), "PodDeleted");
    assert_eq!(stopped(true, Some("EvictionByEvictionAPI"), after, 143), "Evicted");
    assert_eq!(stopped(true, Some("DeletionByTaintManager"), after, 143), "NodeUnavailable");
    assert_eq!(stopped(true, Some("PreemptionByScheduler"), after, 143), "PreemptedByScheduler");
    assert_eq!(stopped(false, Some("TerminationByKubelet"), after, 137), "StoppedByKubelet");
}

#[test]
fn a_pod_that_no_flash_job_controls_is_no_task() {
    let owned = |owner: serde_json::Value, label: serde_json::Value| {
        let pod = json!({
            "metadata": {
                "name": "job-x-0", "ownerReferences": owner,
                "labels": { "platform.job-id": "job_01h455vb4pex5vsknk084sn02q", "scheduling.flash-sched.io/task-index": label },
            },
        });
        TaskPod::read(&serde_json::from_value(pod).unwrap()).is_some()
    };
    let owner = |group: &str, kind: &str, controller: bool| json!([{ "apiVersion": format!("{group}/v1"), "kind": kind, "name": "job-x", "uid": "u", "controller": controller }]);
    assert!(owned(owner("scheduling.flash-sched.io", "FlashJob", true), json!("0")));
    assert!(!owned(json!([]), json!("0")));
    assert!(!owned(owner("scheduling.flash-sched.io", "FlashJob", false), json!("0")));
    assert!(!owned(owner("example.org", "FlashJob", true), json!("0")));
    assert!(!owned(owner("batch", "Job", true), json!("0")));
    assert!(!owned(owner("scheduling.flash-sched.io", "FlashJob", true), json!("-1")));
    assert!(!owned(owner("scheduling.flash-sched.io", "FlashJob", true), json!("x")));
}
