//! What the pretend kubelet makes of a pod, and its logs through the API server.

use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, ContainerStateTerminated, Pod, Secret};
use kube::api::{DeleteParams, LogParams};
use kube::runtime::wait::Condition;
use serde_json::{Value, json};

use super::arena::{Arena as Place, PATIENCE, refused};

/// A pod that our scheduler's node runs, with annotations for the kubelet.
fn pod(name: &str, annotations: Value) -> Value {
    json!({"metadata": {"name": name, "annotations": annotations}, "spec": {
        "nodeName": "gpu-1", "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
    }})
}

pub fn phase(wanted: &'static str) -> impl Condition<Pod> {
    move |pod: Option<&Pod>| {
        pod.and_then(|pod| pod.status.as_ref()?.phase.as_deref()).is_some_and(|phase| phase == wanted)
    }
}

fn waiting(wanted: &'static str) -> impl Condition<Pod> {
    move |pod: Option<&Pod>| {
        let statuses = pod.and_then(|pod| pod.status.as_ref()?.container_statuses.clone()).unwrap_or_default();
        let states = statuses.iter().filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
        states.into_iter().any(|reason| reason == wanted)
    }
}

fn ended(pod: &Pod, container: usize) -> ContainerStateTerminated {
    let statuses = pod.status.as_ref().unwrap().container_statuses.as_ref().unwrap();
    statuses[container].state.as_ref().unwrap().terminated.clone().unwrap()
}

async fn reasons(arena: &Place, name: &str) -> Vec<String> {
    arena.events(name).await.into_iter().filter_map(|event| event.reason).collect()
}

contract! {
    async fn a_pod_runs_and_succeeds(arena: Arena) {
        // Long enough to be seen running on a busy machine.
        arena.create::<Pod>(pod("a", json!({"sim.platform/duration": "30s"}))).await;
        let running = arena.until("a", phase("Running")).await.status.unwrap();
        assert!(running.start_time.is_some() && running.pod_ip.is_some());
        assert!(running.conditions.unwrap().iter().any(|it| it.type_ == "Ready" && it.status == "True"));
        let done = arena.until("a", phase("Succeeded")).await;
        let end = ended(&done, 0);
        assert_eq!((end.exit_code, end.reason.as_deref()), (0, Some("Completed")));
        assert!(end.finished_at.unwrap().0 >= end.started_at.unwrap().0);
        let reasons = reasons(&arena, "a").await;
        assert_eq!(reasons, ["Pulling", "Pulled", "Created", "Started"]);
    }

    async fn an_exit_code_fails_the_pod(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"sim.platform/exit-code": "3"}))).await;
        let end = ended(&arena.until("a", phase("Failed")).await, 0);
        assert_eq!((end.exit_code, end.reason.as_deref()), (3, Some("Error")));
    }

    async fn too_much_memory_is_told_as_such(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"sim.platform/oom": "true"}))).await;
        let end = ended(&arena.until("a", phase("Failed")).await, 0);
        assert_eq!((end.exit_code, end.reason.as_deref()), (137, Some("OOMKilled")));
    }

    async fn an_evicted_pod_says_so(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"sim.platform/evict": "the node was low on memory"}))).await;
        let status = arena.until("a", phase("Failed")).await.status.unwrap();
        assert_eq!(status.reason.as_deref(), Some("Evicted"));
        assert_eq!(status.message.as_deref(), Some("the node was low on memory"));
    }

    async fn an_image_that_is_not_there_keeps_the_pod_pending(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"sim.platform/pull-error": "manifest unknown"}))).await;
        arena.until("a", waiting("ErrImagePull")).await;
        let pod = arena.until("a", waiting("ImagePullBackOff")).await;
        assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Pending"));
        assert!(reasons(&arena, "a").await.contains(&"Failed".to_owned()));
    }

    async fn init_containers_run_first_and_in_order(arena: Arena) {
        let mut object = pod("a", json!({}));
        object["spec"]["initContainers"] = json!([{"name": "one", "image": "i"}, {"name": "two", "image": "i"}]);
        arena.create::<Pod>(object).await;
        let status = arena.until("a", phase("Succeeded")).await.status.unwrap();
        let inits = status.init_container_statuses.unwrap();
        let span = |index: usize| {
            let state = inits[index].state.as_ref().unwrap().terminated.as_ref().unwrap();
            (state.started_at.as_ref().unwrap().0, state.finished_at.as_ref().unwrap().0)
        };
        assert!(span(0).1 <= span(1).0);
    }

    async fn a_sidecar_starts_in_its_turn_and_ends_after_the_containers(arena: Arena) {
        let mut object = pod("a", json!({}));
        object["spec"]["initContainers"] = json!([
            {"name": "proxy", "image": "i", "restartPolicy": "Always"}, {"name": "setup", "image": "i"},
        ]);
        arena.create::<Pod>(object).await;
        let running = arena.until("a", phase("Running")).await.status.unwrap();
        let proxy = &running.init_container_statuses.unwrap()[0];
        assert!(proxy.ready && proxy.state.as_ref().unwrap().running.is_some(), "{proxy:?}");
        assert!(running.conditions.unwrap().iter().any(|it| it.type_ == "Ready" && it.status == "True"));
        let done = arena.until("a", phase("Succeeded")).await;
        let main = ended(&done, 0);
        let inits = done.status.unwrap().init_container_statuses.unwrap();
        let [proxy, setup] = [0, 1].map(|index| inits[index].state.clone().unwrap().terminated.unwrap());
        assert!(proxy.started_at.unwrap().0 <= setup.started_at.unwrap().0);
        assert!(setup.finished_at.unwrap().0 <= main.started_at.unwrap().0);
        assert!(main.finished_at.unwrap().0 <= proxy.finished_at.unwrap().0);
    }

    async fn a_sidecar_that_fails_is_started_again_and_is_not_the_pod_s_end(arena: Arena) {
        let script = json!({
            "sim.platform/duration.proxy": "500ms", "sim.platform/exit-code.proxy": "3", "sim.platform/duration": "forever",
        });
        let mut object = pod("a", script);
        object["spec"]["initContainers"] = json!([{"name": "proxy", "image": "i", "restartPolicy": "Always"}]);
        arena.create::<Pod>(object).await;
        let again = arena.until("a", |pod: Option<&Pod>| {
            let statuses = pod.and_then(|pod| pod.status.as_ref()?.init_container_statuses.as_ref());
            statuses.is_some_and(|statuses| statuses[0].restart_count > 0)
        }).await.status.unwrap();
        assert_eq!(again.phase.as_deref(), Some("Running"));
        let last = again.init_container_statuses.unwrap()[0].last_state.clone().unwrap();
        assert_eq!(last.terminated.unwrap().exit_code, 3);
    }

    async fn a_failing_container_is_restarted_on_failure(arena: Arena) {
        let mut object = pod("a", json!({"sim.platform/exit-code": "1", "sim.platform/duration": "500ms"}));
        object["spec"]["restartPolicy"] = json!("OnFailure");
        arena.create::<Pod>(object).await;
        arena.until("a", waiting("CrashLoopBackOff")).await;
        let again = arena.until("a", |pod: Option<&Pod>| {
            let statuses = pod.and_then(|pod| pod.status.as_ref()?.container_statuses.as_ref());
            statuses.is_some_and(|statuses| statuses[0].restart_count > 0)
        }).await;
        let last = again.status.unwrap().container_statuses.unwrap()[0].last_state.clone().unwrap();
        assert_eq!(last.terminated.unwrap().exit_code, 1);
    }

    async fn logs_are_read_through_the_api_server(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"sim.platform/log": "one\ntwo\nthree"}))).await;
        arena.until("a", phase("Succeeded")).await;
        let api = arena.api::<Pod>();
        assert_eq!(api.logs("a", &LogParams::default()).await.unwrap(), "one\ntwo\nthree\n");
        let tail = LogParams { tail_lines: Some(1), ..LogParams::default() };
        assert_eq!(api.logs("a", &tail).await.unwrap(), "three\n");
        let limited = LogParams { limit_bytes: Some(5), ..LogParams::default() };
        assert_eq!(api.logs("a", &limited).await.unwrap(), "one\nt");
        let stamped = LogParams { timestamps: true, tail_lines: Some(1), ..LogParams::default() };
        let line = api.logs("a", &stamped).await.unwrap();
        let (time, text) = line.split_once(' ').unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert_eq!(text, "three\n");
    }

    async fn following_logs_ends_with_the_container(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"sim.platform/log-lines": "8", "sim.platform/duration": "20s"}))).await;
        arena.until("a", phase("Running")).await;
        let params = LogParams { follow: true, ..LogParams::default() };
        let stream = arena.api::<Pod>().log_stream("a", &params).await.unwrap();
        let lines = tokio::time::timeout(PATIENCE, stream.lines().try_collect::<Vec<_>>()).await.unwrap().unwrap();
        let expected: Vec<_> = (1..=8).map(|step| format!("main: step {step} of 8")).collect();
        assert_eq!(lines, expected);
    }

    async fn logs_of_a_container_that_waits_are_a_bad_request(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"sim.platform/pull-error": "no"}))).await;
        arena.until("a", waiting("ErrImagePull")).await;
        refused(arena.api::<Pod>().logs("a", &LogParams::default()).await, 400, "BadRequest");
    }

    async fn a_deleted_pod_stops_within_its_grace(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"sim.platform/duration": "forever"}))).await;
        arena.until("a", phase("Running")).await;
        let params = LogParams { follow: true, ..LogParams::default() };
        let stream = arena.api::<Pod>().log_stream("a", &params).await.unwrap();
        arena.api::<Pod>().delete("a", &DeleteParams::default()).await.unwrap();
        arena.until_gone::<Pod>("a").await;
        let rest = stream.lines().map(drop).collect::<Vec<_>>();
        tokio::time::timeout(Duration::from_secs(20), rest).await.expect("the log ends with the pod");
    }

    async fn a_pod_with_all_the_time_in_the_world_is_deleted_nevertheless(arena: Arena) {
        let mut patient = pod("a", json!({"sim.platform/duration": "forever"}));
        patient["spec"]["terminationGracePeriodSeconds"] = json!(i64::MAX);
        arena.create::<Pod>(patient).await;
        arena.until("a", phase("Running")).await;
        arena.api::<Pod>().delete("a", &DeleteParams::default()).await.unwrap();
        arena.until_gone::<Pod>("a").await;
    }

    async fn an_init_container_that_fails_is_the_pod_s_end(arena: Arena) {
        let mut object = pod("a", json!({"sim.platform/exit-code.setup": "3", "sim.platform/log.setup": "no"}));
        object["spec"]["initContainers"] = json!([{"name": "setup", "image": "i"}]);
        arena.create::<Pod>(object).await;
        let status = arena.until("a", phase("Failed")).await.status.unwrap();
        let init = status.init_container_statuses.unwrap()[0].state.clone().unwrap().terminated.unwrap();
        assert_eq!((init.exit_code, init.reason.as_deref()), (3, Some("Error")));
        let main = status.container_statuses.unwrap()[0].state.clone().unwrap().waiting.unwrap();
        assert_eq!(main.reason.as_deref(), Some("PodInitializing"));
        let of_init = LogParams { container: Some("setup".to_owned()), ..LogParams::default() };
        assert_eq!(arena.api::<Pod>().logs("a", &of_init).await.unwrap(), "no\n");
    }

    async fn a_container_that_cannot_be_started_says_what_the_runtime_says(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"sim.platform/start-error": "exec: \"serve\": not found"}))).await;
        let end = ended(&arena.until("a", phase("Failed")).await, 0);
        assert_eq!((end.exit_code, end.reason.as_deref()), (128, Some("StartError")));
        assert_eq!(end.message.as_deref(), Some("exec: \"serve\": not found"));
    }

    async fn the_log_of_the_run_before_is_there_while_the_next_one_waits(arena: Arena) {
        let script = json!({"sim.platform/exit-code": "1", "sim.platform/duration": "500ms", "sim.platform/log": "no"});
        let mut object = pod("a", script);
        object["spec"]["restartPolicy"] = json!("OnFailure");
        arena.create::<Pod>(object).await;
        arena.until("a", waiting("CrashLoopBackOff")).await;
        let previous = LogParams { previous: true, ..LogParams::default() };
        assert_eq!(arena.api::<Pod>().logs("a", &previous).await.unwrap(), "no\n");
        assert_eq!(arena.api::<Pod>().logs("a", &LogParams::default()).await.unwrap(), "no\n");
    }

    async fn a_pod_waits_for_the_secret_of_its_environment(arena: Arena) {
        let mut object = pod("a", json!({}));
        object["spec"]["containers"][0]["envFrom"] = json!([{"secretRef": {"name": "token"}}]);
        object["spec"]["containers"][0]["env"] = json!([
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "a", "optional": true}}},
        ]);
        arena.create::<Pod>(object).await;
        let held = arena.until("a", waiting("CreateContainerConfigError")).await.status.unwrap();
        let waits = held.container_statuses.unwrap()[0].state.clone().unwrap().waiting.unwrap();
        assert_eq!(waits.message.as_deref(), Some("secret \"token\" not found"));
        assert_eq!(held.phase.as_deref(), Some("Pending"));
        arena.create::<Secret>(json!({"metadata": {"name": "token"}, "stringData": {"a": "b"}})).await;
        arena.until("a", phase("Succeeded")).await;
    }

    async fn a_pod_waits_for_the_config_map_of_its_volume(arena: Arena) {
        let mut object = pod("a", json!({}));
        object["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "settings"}}]);
        arena.create::<Pod>(object).await;
        arena.until("a", waiting("ContainerCreating")).await;
        let end = tokio::time::Instant::now() + PATIENCE;
        while !arena.events("a").await.iter().any(|event| event.reason.as_deref() == Some("FailedMount")) {
            assert!(tokio::time::Instant::now() < end, "no event tells of it");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        arena.create::<ConfigMap>(json!({"metadata": {"name": "settings"}, "data": {"a": "b"}})).await;
        arena.until("a", phase("Succeeded")).await;
    }
}
