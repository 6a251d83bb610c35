//! Events of a job match what happened to its pods: init containers, several containers and their logs, earlier runs,
//! exit codes, deletions, missing Secrets, pods that do not belong to the job.
//!
//! Uses the real binary, on the embedded cluster and a real API server; the simulators act as pods.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use platform::cluster::crd::FlashJob;
use serde_json::{Value, json};

use crate::support::dev::{Dev, pod};

const JOB: &str = "query($id: ID!) { job(id: $id) { phase reason message startedAt pendingReason preemptions
    project { namespace }
    tasks { index state pod container reason message exitCode signal startedAt }
    events(first: 50) { nodes { kind phase reason message } } } }";
const FOLLOW: &str = "subscription($job: ID!, $container: String, $after: FeedCursor) {
    jobLogs(jobId: $job, container: $container, after: $after) { cursor end lines { container text } } }";

struct Told {
    dev: Dev,
    token: String,
    client: Client,
}

impl Told {
    async fn start(cluster: &str) -> Option<Self> {
        let dev = Dev::start("told", cluster).await?;
        let token = dev.log_in("maya").await;
        let kubeconfig = Kubeconfig::read_from(dev.ready["kubeconfig"].as_str().unwrap()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Some(Self { dev, token, client: Client::try_from(config).unwrap() })
    }

    async fn submit(&self, name: &str, yaml: &str) -> String {
        self.dev.submit_yaml(&self.token, name, yaml, "configfile-job").await
    }

    async fn job(&self, id: &str) -> Value {
        self.dev.ask(Some(&self.token), JOB, json!({ "id": id })).await["data"]["job"].take()
    }

    /// The job once it is as `holds` wants it.
    async fn until(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let job = self.job(id).await;
            if holds(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not {what}: {}", self.job(id).await)
    }

    async fn until_phase(&self, id: &str, phase: &str) -> Value {
        self.until(id, phase, |job| job["phase"] == phase).await
    }

    /// The pods of the job's namespace.
    async fn pods(&self, id: &str) -> Api<Pod> {
        self.api(id).await
    }

    async fn api<K>(&self, id: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        let namespace = self.job(id).await["project"]["namespace"].as_str().unwrap().to_owned();
        Api::namespaced(self.client.clone(), &namespace)
    }

    /// Waits until the pod's first container was started again so many times.
    async fn until_started_again(&self, job: &str, pod: &str, times: i32) {
        let pods = self.pods(job).await;
        for _ in 0..600 {
            let status = pods.get(pod).await.unwrap().status.unwrap();
            if status.container_statuses.unwrap()[0].restart_count >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{pod} was not started {times} times again");
    }

    /// All lines of a log, `container: text` each, and how it ended. The connection is dropped after each chunk.
    async fn log(&self, job: &str, container: Option<&str>) -> (Vec<String>, String) {
        let (mut lines, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "job": job, "container": container, "after": after });
            let mut payload = self.dev.subscribe(&self.token, FOLLOW, variables).await.next().await.unwrap();
            let chunk = payload["data"]["jobLogs"].take();
            for line in chunk["lines"].as_array().unwrap_or_else(|| panic!("{payload}")) {
                lines.push(format!("{}: {}", line["container"].as_str().unwrap(), line["text"].as_str().unwrap()));
            }
            if let Some(end) = chunk["end"].as_str() {
                return (lines, end.to_owned());
            }
            after = chunk["cursor"].clone();
        }
    }
}

fn kinds(job: &Value) -> Vec<&str> {
    job["events"]["nodes"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

/// A pod that the kubelet plays as the annotations say, with this spec.
fn pod_of(annotations: &Value, spec: &Value) -> String {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "try", "annotations": annotations }, "spec": spec })
        .to_string()
}

async fn an_exit_code_that_no_signal_has(told: &Told) {
    let job = told.submit("code", &pod(r#"{sim.platform/exit-code: "255"}"#)).await;
    let task = told.until_phase(&job, "FAILED").await["tasks"][0].clone();
    assert_eq!((&task["exitCode"], &task["signal"]), (&json!(255), &Value::Null), "{task}");
}

async fn an_init_container_that_fails(told: &Told) {
    let annotations = json!({
        "sim.platform/exit-code.setup": "3", "sim.platform/log.setup": "no such model", "sim.platform/log": "never",
    });
    let spec = json!({
        "initContainers": [{ "name": "setup", "image": "busybox" }],
        "containers": [{ "name": "main", "image": "busybox" }],
    });
    let job = told.submit("init", &pod_of(&annotations, &spec)).await;
    told.until_phase(&job, "FAILED").await;
    let job_of = told.until(&job, "ended", |job| job["tasks"][0]["state"] == "FAILED").await;
    let task = &job_of["tasks"][0];
    assert_eq!((&task["exitCode"], &task["reason"], &task["container"]), (&json!(3), &json!("Error"), &json!("setup")));
    assert_eq!(task["startedAt"], Value::Null, "its own container never ran");
    assert_eq!(told.log(&job, None).await, (vec!["setup: no such model".to_owned()], "COMPLETE".to_owned()));
}

async fn an_image_that_is_not_there(told: &Told) {
    let job = told.submit("image", &pod(r#"{sim.platform/pull-error: "denied"}"#)).await;
    let waits = |job: &Value| job["pendingReason"].as_str().is_some_and(|why| why.contains("is waiting for its image"));
    let job_of = told.until(&job, "waiting for its image", waits).await;
    assert_eq!((&job_of["phase"], &job_of["startedAt"]), (&json!("QUEUED"), &Value::Null), "{job_of}");
    assert!(job_of["tasks"][0]["message"].as_str().is_some_and(|said| said.ends_with("denied")), "{job_of}");
    told.cancel(&job).await;
}

impl Told {
    async fn cancel(&self, job: &str) -> Value {
        let cancel = "mutation($id: ID!) { cancelJob(input: {id: $id, reason: \"enough\"}) { job { id } } }";
        self.dev.ask(Some(&self.token), cancel, json!({ "id": job })).await;
        self.until_phase(job, "CANCELLED").await
    }
}

async fn a_pod_that_somebody_deletes(told: &Told) {
    let job = told.submit("deleted", &pod(r#"{sim.platform/duration: "90s"}"#)).await;
    let pod = told.until_phase(&job, "RUNNING").await["tasks"][0]["pod"].as_str().unwrap().to_owned();
    told.pods(&job).await.delete(&pod, &DeleteParams::default()).await.unwrap();
    told.until(&job, "queued again", |job| {
        job["events"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["phase"] == "QUEUED" && it["reason"] == "PodDeleted")
    })
    .await;
    let done = told.until_phase(&job, "SUCCEEDED").await;
    assert_eq!(done["preemptions"], 0);
    assert!(!kinds(&done).contains(&"PREEMPTED"), "{done}");
}

async fn a_pod_that_is_evicted_as_by_a_drain(told: &Told) {
    let job = told.submit("drained", &pod(r#"{sim.platform/duration: "90s"}"#)).await;
    let pod = told.until_phase(&job, "RUNNING").await["tasks"][0]["pod"].as_str().unwrap().to_owned();
    told.pods(&job).await.evict(&pod, &EvictParams::default()).await.unwrap();
    told.until(&job, "queued again", |job| {
        job["events"]["nodes"].as_array().unwrap().iter().any(|it| it["phase"] == "QUEUED" && it["reason"] == "Evicted")
    })
    .await;
    let done = told.until_phase(&job, "SUCCEEDED").await;
    assert_eq!(done["preemptions"], 0, "{done}");
}

async fn a_flash_job_whose_phase_is_taken_away(told: &Told) {
    let job = told.submit("null", &pod(r#"{sim.platform/duration: "90s"}"#)).await;
    told.until_phase(&job, "RUNNING").await;
    let objects = told.api::<FlashJob>(&job).await;
    let name = job.replace('_', "-");
    let nothing = Patch::Merge(json!({ "status": { "phase": null } }));
    objects.patch_status(&name, &PatchParams::default(), &nothing).await.unwrap();
    let done = told.until_phase(&job, "SUCCEEDED").await;
    assert_eq!(done["preemptions"], 0, "{done}");
    let steps = done["events"]["nodes"].as_array().unwrap().iter();
    let queued = steps.filter(|event| event["phase"] == "QUEUED" && event["kind"] == "PHASE_CHANGED");
    assert_eq!(queued.count(), 1, "it was never without a pod that runs: {done}");
}

async fn a_job_cancelled_while_its_pod_is_deleted_by_force(told: &Told) {
    let job = told.submit("force", &pod(r#"{sim.platform/duration: "1h"}"#)).await;
    let pod = told.until_phase(&job, "RUNNING").await["tasks"][0]["pod"].as_str().unwrap().to_owned();
    let pods = told.pods(&job).await;
    let by_force = DeleteParams::default().grace_period(0);
    let (cancelled, _) = tokio::join!(told.cancel(&job), pods.delete(&pod, &by_force));
    assert_eq!(cancelled["tasks"][0]["state"], "STOPPED", "{cancelled}");
}

async fn a_pod_that_only_bears_the_labels(told: &Told) {
    let job = told.submit("labels", &pod(r#"{sim.platform/duration: "1h"}"#)).await;
    told.until_phase(&job, "RUNNING").await;
    let elsewhere = Api::<Pod>::namespaced(told.client.clone(), "default");
    let inside = told.pods(&job).await;
    for (pods, index) in [(&elsewhere, "0"), (&elsewhere, "7"), (&inside, "0"), (&inside, "7")] {
        let evil = json!({
            "metadata": {
                "generateName": "evil-",
                "labels": { "platform.job-id": job, "scheduling.flash-sched.io/task-index": index },
                "annotations": { "sim.platform/exit-code": "66" },
            },
            "spec": { "nodeName": "gpu-1", "restartPolicy": "Never", "containers": [{ "name": "main", "image": "evil" }] },
        });
        pods.create(&PostParams::default(), &serde_json::from_value(evil).unwrap()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let job_of = told.job(&job).await;
    let tasks = job_of["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 1, "{job_of}");
    assert_eq!((&tasks[0]["state"], &tasks[0]["exitCode"]), (&json!("RUNNING"), &Value::Null), "{job_of}");
    told.cancel(&job).await;
}

async fn two_containers_with_different_ends(told: &Told) {
    let annotations = json!({
        "sim.platform/log.a": "one\ntwo", "sim.platform/log.b": "three",
        "sim.platform/exit-code.b": "4", "sim.platform/duration.a": "6s",
    });
    let spec = json!({ "containers": [{ "name": "a", "image": "busybox" }, { "name": "b", "image": "busybox" }] });
    let job = told.submit("two", &pod_of(&annotations, &spec)).await;
    let (mut all, end) = told.log(&job, None).await;
    all.sort();
    assert_eq!((all, end.as_str()), (["a: one", "a: two", "b: three"].map(str::to_owned).into(), "COMPLETE"));
    assert_eq!(told.log(&job, Some("b")).await, (vec!["b: three".to_owned()], "COMPLETE".to_owned()));
    let job_of = told.until_phase(&job, "FAILED").await;
    assert_eq!((&job_of["tasks"][0]["container"], &job_of["tasks"][0]["exitCode"]), (&json!("b"), &json!(4)));
    said_in_the_same_words(&job_of, "task 0 failed: container b: Error, exit code 4");
    let mut socket = told.dev.subscribe(&told.token, FOLLOW, json!({ "job": job, "container": "c" })).await;
    let refused = match socket.next().await {
        Ok(payload) => payload.to_string(),
        Err(error) => error,
    };
    assert!(refused.contains(r#"task 0 has no container \"c\"; it has: a, b"#), "{refused}");
    assert!(refused.contains("BAD_USER_INPUT") && refused.contains("\"container\""), "{refused}");
}

/// The job's message, and the event of its task if that was heard before the job's end.
fn said_in_the_same_words(job: &Value, sentence: &str) {
    assert_eq!(job["message"], sentence, "{job}");
    for event in job["events"]["nodes"].as_array().unwrap() {
        let message = event["message"].as_str().unwrap_or_default();
        assert!(!message.starts_with("task 0 failed") || message == sentence, "{job}");
    }
}

async fn a_sidecar_beside_the_task(told: &Told) {
    let spec = json!({
        "initContainers": [{ "name": "proxy", "image": "busybox", "restartPolicy": "Always" }],
        "containers": [{ "name": "main", "image": "busybox" }],
    });
    for (code, phase) in [(0, "SUCCEEDED"), (4, "FAILED")] {
        let annotations = json!({
            "sim.platform/log.proxy": "listening", "sim.platform/log": "done", "sim.platform/exit-code": code.to_string(),
        });
        let job = told.submit(&format!("sidecar-{code}"), &pod_of(&annotations, &spec)).await;
        told.until_phase(&job, "RUNNING").await;
        let job_of = told.until_phase(&job, phase).await;
        let job_of = if code == 0 {
            job_of
        } else {
            told.until(&job, "ended", |job| job["tasks"][0]["state"] == "FAILED").await
        };
        let task = &job_of["tasks"][0];
        // It is stopped with 137, which says nothing of the task.
        assert_eq!((&task["container"], &task["exitCode"]), (&json!("main"), &json!(code)), "{job_of}");
        let (mut lines, end) = told.log(&job, None).await;
        lines.sort();
        assert_eq!((lines, end.as_str()), (["main: done", "proxy: listening"].map(str::to_owned).into(), "COMPLETE"));
        if code != 0 {
            said_in_the_same_words(&job_of, "task 0 failed: container main: Error, exit code 4");
        }
    }
}

async fn an_init_container_and_a_sidecar_that_are_read_alone_before_the_task_runs(told: &Told) {
    let annotations = json!({
        "sim.platform/log.proxy": "listening", "sim.platform/log.setup": "loading", "sim.platform/duration.setup": "forever",
    });
    let spec = json!({
        "initContainers": [
            { "name": "proxy", "image": "busybox", "restartPolicy": "Always" }, { "name": "setup", "image": "busybox" },
        ],
        "containers": [{ "name": "main", "image": "busybox" }],
    });
    let job = told.submit("early", &pod_of(&annotations, &spec)).await;
    for (container, text) in [("setup", "loading"), ("proxy", "listening")] {
        let variables = json!({ "job": job, "container": container });
        let payload = told.dev.subscribe(&told.token, FOLLOW, variables).await.next().await.unwrap();
        assert_eq!(payload["data"]["jobLogs"]["lines"][0]["text"], text, "{payload}");
    }
    told.cancel(&job).await;
}

async fn a_container_whose_first_run_is_no_longer_kept(told: &Told) {
    // A reader who is slow may find that the pod is gone before its last line is read, which is told as that.
    for name in ["lost-1", "lost-2", "lost-3", "lost-4", "lost-5"] {
        if end_of_a_log_that_is_read_late(told, name).await == "INCOMPLETE" {
            return;
        }
    }
    panic!("no log ended as one that is incomplete");
}

async fn end_of_a_log_that_is_read_late(told: &Told, name: &str) -> String {
    let annotations = json!({
        "sim.platform/log": "it crashes", "sim.platform/exit-code": "1", "sim.platform/duration": "2s",
    });
    let spec = json!({ "restartPolicy": "OnFailure", "containers": [{ "name": "main", "image": "busybox" }] });
    let job = told.submit(name, &pod_of(&annotations, &spec)).await;
    let pod = told.until_phase(&job, "RUNNING").await["tasks"][0]["pod"].as_str().unwrap().to_owned();
    told.until_started_again(&job, &pod, 2).await;
    // Followed late: the cluster keeps two runs, and there were three.
    let mut socket = told.dev.subscribe(&told.token, FOLLOW, json!({ "job": job })).await;
    let payload = socket.next().await.unwrap();
    assert_eq!(payload["data"]["jobLogs"]["lines"][0]["text"], "it crashes", "{payload}");
    told.cancel(&job).await;
    loop {
        let payload = socket.next().await.unwrap();
        let chunk = &payload["data"]["jobLogs"];
        if let Some(end) = chunk["end"].as_str() {
            assert!(["INCOMPLETE", "REMOVED"].contains(&end), "{payload}");
            return end.to_owned();
        }
    }
}

async fn a_container_that_was_started_again(told: &Told) {
    let annotations = json!({
        "sim.platform/log": "it crashes", "sim.platform/exit-code": "1", "sim.platform/duration": "2s",
    });
    let spec = json!({ "restartPolicy": "OnFailure", "containers": [{ "name": "main", "image": "busybox" }] });
    let job = told.submit("again", &pod_of(&annotations, &spec)).await;
    let name = told.until_phase(&job, "RUNNING").await["tasks"][0]["pod"].as_str().unwrap().to_owned();
    told.until_started_again(&job, &name, 1).await;
    // Followed late: the run before and the present one.
    let mut socket = told.dev.subscribe(&told.token, FOLLOW, json!({ "job": job })).await;
    let mut lines = 0;
    while lines < 2 {
        let payload = socket.next().await.unwrap();
        let chunk = payload["data"]["jobLogs"]["lines"].as_array().unwrap_or_else(|| panic!("{payload}"));
        assert!(chunk.iter().all(|line| line["text"] == "it crashes"), "{payload}");
        lines += chunk.len();
    }
    told.cancel(&job).await;
}

async fn a_secret_and_a_config_map_that_are_missing(told: &Told) {
    let env = json!({ "containers": [{
        "name": "main", "image": "busybox", "envFrom": [{ "secretRef": { "name": "hf-token" } }],
    }] });
    let volume = json!({
        "containers": [{ "name": "main", "image": "busybox", "volumeMounts": [{ "name": "v", "mountPath": "/v" }] }],
        "volumes": [{ "name": "v", "configMap": { "name": "settings" } }],
    });
    let env = told.submit("env", &pod_of(&json!({}), &env)).await;
    let volume = told.submit("volume", &pod_of(&json!({}), &volume)).await;
    for (job, missing) in [(&env, "the Secret hf-token"), (&volume, "the ConfigMap settings")] {
        let expected = format!("Task 0 is waiting for {missing}, which is not in the project's namespace.");
        let job_of = told.until(job, &expected, |job| job["pendingReason"] == *expected).await;
        assert_eq!((&job_of["phase"], &job_of["startedAt"]), (&json!("QUEUED"), &Value::Null), "{job_of}");
    }
    let secret = json!({ "metadata": { "name": "hf-token" }, "stringData": { "TOKEN": "x" } });
    let secrets = told.api::<Secret>(&env).await;
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    let map = json!({ "metadata": { "name": "settings" }, "data": { "a": "b" } });
    let maps = told.api::<ConfigMap>(&env).await;
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    for job in [&env, &volume] {
        let done = told.until_phase(job, "SUCCEEDED").await;
        assert_ne!(done["startedAt"], Value::Null);
    }
}

async fn what_is_told_is_what_happened(cluster: &str) {
    let Some(told) = Told::start(cluster).await else { return };
    // Not all at once: a development server has few connections to its database, and a slow machine needs them for long.
    tokio::join!(
        an_exit_code_that_no_signal_has(&told),
        an_init_container_that_fails(&told),
        an_image_that_is_not_there(&told),
        a_pod_that_somebody_deletes(&told),
        a_pod_that_is_evicted_as_by_a_drain(&told),
        a_flash_job_whose_phase_is_taken_away(&told),
    );
    tokio::join!(
        a_job_cancelled_while_its_pod_is_deleted_by_force(&told),
        a_pod_that_only_bears_the_labels(&told),
        two_containers_with_different_ends(&told),
        a_sidecar_beside_the_task(&told),
    );
    tokio::join!(
        an_init_container_and_a_sidecar_that_are_read_alone_before_the_task_runs(&told),
        a_container_whose_first_run_is_no_longer_kept(&told),
        a_container_that_was_started_again(&told),
        a_secret_and_a_config_map_that_are_missing(&told),
    );
    told.dev.stop().await;
}

#[tokio::test]
async fn embedded_what_is_told_of_a_job_is_what_happened_to_its_pods() {
    what_is_told_is_what_happened("embedded").await;
}

#[tokio::test]
async fn real_what_is_told_of_a_job_is_what_happened_to_its_pods() {
    what_is_told_is_what_happened("real").await;
}
