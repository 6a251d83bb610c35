//! Init containers that are restarted always: sidecars, at every moment at which something changes.

use std::fmt::Write;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, PodStatus};
use serde_json::Value;

use super::*;

/// A pod with these annotations and this restart policy; `proxy` is a sidecar between two init containers.
fn pod(annotations: &Value, policy: &str) -> Pod {
    let pod = json!({
        "metadata": {"name": "a", "annotations": annotations},
        "spec": {
            "restartPolicy": policy,
            "initContainers": [
                {"name": "first", "image": "i"},
                {"name": "proxy", "image": "i", "restartPolicy": "Always"},
                {"name": "second", "image": "i"},
            ],
            "containers": [{"name": "main", "image": "i"}],
        },
    });
    serde_json::from_value(pod).unwrap()
}

fn at(pod: &Pod, elapsed: Duration) -> (Timeline, PodStatus) {
    let taken = Taken { start: Timestamp::UNIX_EPOCH, host_ip: String::new(), pod_ip: String::new() };
    let timeline = Timeline::of(pod, Speed::REAL, elapsed, &[], &Default::default());
    let status = status_at(&timeline, &taken, elapsed, None);
    (timeline, status)
}

fn word(status: &ContainerStatus) -> String {
    let Some(ContainerState { waiting, running, terminated }) = &status.state else { return "none".to_owned() };
    let waits = waiting.as_ref().and_then(|waiting| waiting.reason.clone());
    let ended = terminated.as_ref().map(|ended| format!("ended {}", ended.exit_code));
    let runs = running.as_ref().map(|_| format!("runs{}", if status.ready { "" } else { ", not ready" }));
    let word = waits.or(ended).or(runs).unwrap_or_default();
    if status.restart_count > 0 { format!("{word} ({})", status.restart_count) } else { word }
}

/// The pod's phase and its containers, each time one of them is another than before.
fn course(pod: &Pod, until: Duration) -> String {
    let (mut lines, mut before, mut elapsed) = (String::new(), String::new(), Duration::ZERO);
    while elapsed <= until {
        let (timeline, status) = at(pod, elapsed);
        let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
        let words: Vec<_> = statuses.map(|status| format!("{} {}", status.name, word(status))).collect();
        let holds = |name: &str| {
            let conditions = status.conditions.iter().flatten();
            conditions.into_iter().any(|condition| condition.type_ == name && condition.status == "True")
        };
        let marks: Vec<_> = ["Initialized", "Ready"].into_iter().filter(|name| holds(name)).collect();
        let now = format!("{} [{}]: {}", status.phase.unwrap_or_default(), marks.join(" "), words.join("; "));
        if now != before {
            writeln!(lines, "{:.1}s {now}", elapsed.as_secs_f64()).unwrap();
        }
        before = now;
        let Some(next) = timeline.next_change(elapsed) else { break };
        elapsed = next;
    }
    lines
}

#[test]
fn a_sidecar_starts_in_its_turn_runs_beside_the_others_and_ends_after_them() {
    let pod = pod(&json!({}), "Never");
    insta::assert_snapshot!(course(&pod, Duration::from_secs(60)), @"
    0.0s Pending []: first PodInitializing; proxy PodInitializing; second PodInitializing; main PodInitializing
    0.5s Pending []: first runs; proxy PodInitializing; second PodInitializing; main PodInitializing
    1.5s Pending []: first ended 0; proxy PodInitializing; second PodInitializing; main PodInitializing
    2.0s Pending []: first ended 0; proxy runs; second PodInitializing; main PodInitializing
    2.5s Pending []: first ended 0; proxy runs; second runs; main PodInitializing
    3.5s Pending [Initialized]: first ended 0; proxy runs; second ended 0; main ContainerCreating
    4.0s Running [Initialized Ready]: first ended 0; proxy runs; second ended 0; main runs
    7.0s Running [Initialized]: first ended 0; proxy runs; second ended 0; main ended 0
    7.2s Succeeded [Initialized]: first ended 0; proxy ended 137; second ended 0; main ended 0
    ");
}

#[test]
fn a_sidecar_that_ends_is_started_again_and_says_nothing_of_the_pod() {
    let script = json!({
        "sim.platform/duration.proxy": "1s", "sim.platform/exit-code.proxy": "3", "sim.platform/duration": "20s",
    });
    insta::assert_snapshot!(course(&pod(&script, "Never"), Duration::from_secs(60)), @"
    0.0s Pending []: first PodInitializing; proxy PodInitializing; second PodInitializing; main PodInitializing
    0.5s Pending []: first runs; proxy PodInitializing; second PodInitializing; main PodInitializing
    1.5s Pending []: first ended 0; proxy PodInitializing; second PodInitializing; main PodInitializing
    2.0s Pending []: first ended 0; proxy runs; second PodInitializing; main PodInitializing
    2.5s Pending []: first ended 0; proxy runs; second runs; main PodInitializing
    3.0s Pending []: first ended 0; proxy CrashLoopBackOff; second runs; main PodInitializing
    3.5s Pending [Initialized]: first ended 0; proxy CrashLoopBackOff; second ended 0; main ContainerCreating
    4.0s Running [Initialized]: first ended 0; proxy CrashLoopBackOff; second ended 0; main runs
    13.0s Running [Initialized Ready]: first ended 0; proxy runs (1); second ended 0; main runs
    14.0s Running [Initialized]: first ended 0; proxy CrashLoopBackOff (1); second ended 0; main runs
    24.0s Succeeded [Initialized]: first ended 0; proxy ended 3 (1); second ended 0; main ended 0
    ");
}

#[test]
fn a_pod_whose_init_container_fails_ends_and_its_sidecar_with_it() {
    let script = json!({"sim.platform/exit-code.second": "4"});
    insta::assert_snapshot!(course(&pod(&script, "Never"), Duration::from_secs(60)), @"
    0.0s Pending []: first PodInitializing; proxy PodInitializing; second PodInitializing; main PodInitializing
    0.5s Pending []: first runs; proxy PodInitializing; second PodInitializing; main PodInitializing
    1.5s Pending []: first ended 0; proxy PodInitializing; second PodInitializing; main PodInitializing
    2.0s Pending []: first ended 0; proxy runs; second PodInitializing; main PodInitializing
    2.5s Pending []: first ended 0; proxy runs; second runs; main PodInitializing
    3.5s Pending []: first ended 0; proxy runs; second ended 4; main PodInitializing
    3.7s Failed []: first ended 0; proxy ended 137; second ended 4; main PodInitializing
    ");
}

#[test]
fn what_comes_after_a_sidecar_waits_until_it_has_started() {
    let script = json!({"sim.platform/pull-error.proxy": "denied"});
    insta::assert_snapshot!(course(&pod(&script, "Never"), Duration::from_secs(60)), @"
    0.0s Pending []: first PodInitializing; proxy PodInitializing; second PodInitializing; main PodInitializing
    0.5s Pending []: first runs; proxy PodInitializing; second PodInitializing; main PodInitializing
    1.5s Pending []: first ended 0; proxy PodInitializing; second PodInitializing; main PodInitializing
    2.0s Pending []: first ended 0; proxy ErrImagePull; second PodInitializing; main PodInitializing
    12.0s Pending []: first ended 0; proxy ImagePullBackOff; second PodInitializing; main PodInitializing
    ");
}

#[test]
fn a_pod_of_which_one_container_is_not_there_yet_is_pending() {
    let mut two = pod(&json!({"sim.platform/pull.late": "2s"}), "Never");
    two.spec.as_mut().unwrap().init_containers = None;
    let late = json!({"name": "late", "image": "i"});
    two.spec.as_mut().unwrap().containers.push(serde_json::from_value(late).unwrap());
    insta::assert_snapshot!(course(&two, Duration::from_secs(60)), @"
    0.0s Pending [Initialized]: main ContainerCreating; late ContainerCreating
    0.5s Pending [Initialized]: main runs; late ContainerCreating
    2.0s Running [Initialized Ready]: main runs; late runs
    3.5s Running [Initialized]: main ended 0; late runs
    5.0s Succeeded [Initialized]: main ended 0; late ended 0
    ");
}

#[test]
fn a_sidecar_is_told_of_when_it_is_stopped() {
    let pod = pod(&json!({}), "Never");
    let until = Duration::from_secs(60);
    let (timeline, _) = at(&pod, until);
    let told: Vec<_> = notes(&timeline, None, until).into_iter().map(|note| note.message).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    Pulling image "i"
    Successfully pulled image "i"
    Created container: first
    Started container first
    Pulling image "i"
    Successfully pulled image "i"
    Created container: proxy
    Started container proxy
    Pulling image "i"
    Successfully pulled image "i"
    Created container: second
    Started container second
    Pulling image "i"
    Successfully pulled image "i"
    Created container: main
    Started container main
    Stopping container proxy
    "#);
}
