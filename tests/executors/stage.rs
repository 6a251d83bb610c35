//! A server in one mode on one cluster, and jobs whose pods end as a test says.

use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{EvictParams, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource, ResourceExt};
use platform::cluster::crd::FlashJob;
use serde_json::{Value, json};

use crate::support::controllers::Controllers;
use crate::support::dev::Dev;

pub const LOCAL: &str = "local";
pub const SCHEDULER: &str = "scheduler";

const JOB: &str =
    "query($id: ID!) { job(id: $id) { phase reason message pendingReason executor attempts retriesLeft manifest
    tasks { index state pod reason exitCode }
    events(first: 50) { nodes { kind phase reason message } } } }";

/// The templates of a job's tasks: what a simulated kubelet, or kwok, makes of each.
pub struct Pods(Vec<Value>);

impl Pods {
    /// One task for each exit code, which ends after a second or two.
    pub fn ending(codes: &[i32]) -> Self {
        let pod = |code: &i32| {
            let annotations = json!({ "sim.platform/exit-code": code.to_string(), "test/exit-code": code.to_string() });
            let container = json!({ "name": "main", "image": "busybox" });
            json!({ "metadata": { "annotations": annotations }, "spec": { "containers": [container] } })
        };
        Self(codes.iter().map(pod).collect())
    }

    /// With so many seconds until each ends. The simulated kubelets are ten times as fast.
    pub fn lasting(mut self, seconds: &[u32]) -> Self {
        for (pod, seconds) in self.0.iter_mut().zip(seconds) {
            pod["metadata"]["annotations"]["sim.platform/duration"] = json!(format!("{}s", 10 * seconds));
            pod["metadata"]["annotations"]["test/seconds"] = json!(format!("{seconds}s"));
        }
        self
    }

    /// A FlashJob of these tasks.
    pub fn yaml(&self, min_available: i32) -> String {
        json!({
            "apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob", "metadata": { "name": "try" },
            "spec": { "minAvailable": min_available, "tasks": self.0 },
        })
        .to_string()
    }
}

pub struct Stage {
    pub executor: &'static str,
    dev: Dev,
    token: String,
    client: Client,
    namespace: String,
    cluster: Option<Controllers>,
}

impl Stage {
    /// The server; `None` if the cluster is not to be had here.
    pub async fn set(what: &str, executor: &'static str, cluster: &str) -> Option<Self> {
        let controllers = match cluster {
            "controllers" => Some(Controllers::start(what).await?),
            _ => None,
        };
        let cluster = controllers.as_ref().map_or(cluster, |cluster| cluster.kubeconfig().to_str().unwrap());
        let dev = Dev::start_with(what, cluster, &[("EXECUTOR_MODE", executor)]).await?;
        let token = dev.log_in("maya").await;
        let kubeconfig = Kubeconfig::read_from(dev.ready["kubeconfig"].as_str().unwrap()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let found = dev.ask(Some(&token), "{ projects { nodes { name namespace } } }", json!({})).await;
        let projects = found["data"]["projects"]["nodes"].as_array().unwrap();
        let project = projects.iter().find(|project| project["name"] == "detection").unwrap();
        let namespace = project["namespace"].as_str().unwrap().to_owned();
        Some(Self { executor, dev, token, client, namespace, cluster: controllers })
    }

    /// Kills the server, and starts it in the other mode.
    pub async fn kill_and_start_as(&mut self, executor: &'static str) {
        self.dev.kill().await;
        self.dev.start_again_with(&[("EXECUTOR_MODE", executor)]).await;
        self.token = self.dev.log_in("maya").await;
    }

    /// As the API names it.
    pub fn executor_name(&self) -> String {
        self.executor.to_uppercase()
    }

    /// Submits the YAML with these overrides; the answer.
    pub async fn try_submit(&self, name: &str, yaml: &str, overrides: Value) -> Value {
        let project = self.dev.project(&self.token, "detection").await;
        let create = "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { commit { id } } }";
        let input = json!({ "projectId": project, "name": name, "yaml": yaml, "message": "try" });
        let answer = self.dev.ask(Some(&self.token), create, json!({ "i": input })).await;
        let commit = answer["data"]["createConfigFile"]["commit"]["id"].clone();
        if !commit.is_string() {
            return answer;
        }
        let submit = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }";
        let input = json!({ "projectId": project, "source": { "commitId": commit }, "overrides": overrides });
        self.dev.ask(Some(&self.token), submit, json!({ "i": input })).await
    }

    /// Submits the YAML with these overrides; the job's ID.
    pub async fn submit_with(&self, name: &str, yaml: &str, overrides: Value) -> String {
        let answer = self.try_submit(name, yaml, overrides).await;
        answer["data"]["submitJob"]["job"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub async fn submit(&self, name: &str, yaml: &str) -> String {
        self.submit_with(name, yaml, json!({})).await
    }

    /// The preview of a job from a spec.
    pub async fn preview(&self, spec: Value) -> Value {
        let project = self.dev.project(&self.token, "detection").await;
        let query =
            "query($i: SubmitJobInput!) { previewJob(input: $i) { admitted manifests verdicts { rule outcome } } }";
        let input = json!({ "projectId": project, "source": { "spec": spec } });
        let mut answer = self.dev.ask(Some(&self.token), query, json!({ "i": input })).await;
        assert!(answer["data"]["previewJob"].is_object(), "{answer}");
        answer["data"]["previewJob"].take()
    }

    pub async fn cancel(&self, job: &str) {
        let cancel = "mutation($id: ID!) { cancelJob(input: {id: $id, reason: \"enough\"}) { job { id } } }";
        let answer = self.dev.ask(Some(&self.token), cancel, json!({ "id": job })).await;
        assert!(answer["errors"].is_null(), "{answer}");
    }

    async fn job(&self, id: &str) -> Value {
        self.dev.ask(Some(&self.token), JOB, json!({ "id": id })).await["data"]["job"].take()
    }

    /// The job once it is as `holds` wants it.
    pub async fn until(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..900 {
            let job = self.job(id).await;
            if holds(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not {what} as {}: {}\n{}", self.executor, self.job(id).await, self.dev.log())
    }

    pub async fn until_phase(&self, id: &str, phase: &str) -> Value {
        self.until(id, phase, |job| job["phase"] == phase).await
    }

    pub fn events(&self, job: &Value) -> Vec<Value> {
        job["events"]["nodes"].as_array().unwrap().clone()
    }

    /// The phases that the job went through.
    pub fn steps(&self, job: &Value) -> Vec<String> {
        let is_step = |event: &Value| event["kind"] == "SUBMITTED" || event["kind"] == "PHASE_CHANGED";
        let steps = self.events(job).into_iter().filter(is_step);
        steps.map(|event| event["phase"].as_str().unwrap().to_owned()).collect()
    }

    /// The objects of a kind in the project's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The names of the objects of a job.
    pub async fn objects(&self, job: &str) -> Vec<String> {
        let of_job = ListParams::default().labels(&format!("platform.job-id={job}"));
        let jobs = self.api::<Job>().list(&of_job).await.unwrap();
        // Without the Flash scheduler the kind is not there.
        let flash_jobs = self.api::<FlashJob>().list(&of_job).await.map(|list| list.items).unwrap_or_default();
        jobs.iter().map(ResourceExt::name_any).chain(flash_jobs.iter().map(ResourceExt::name_any)).collect()
    }

    /// Evicts a pod. Its kubelet reports that it has ended before it is gone; kwok has no such stage.
    pub async fn evict(&self, name: &str) {
        let pods = self.api::<Pod>();
        pods.evict(name, &EvictParams::default()).await.unwrap();
        if self.cluster.is_some() {
            let failed = Patch::Merge(json!({ "status": { "phase": "Failed" } }));
            pods.patch_status(name, &PatchParams::default(), &failed).await.unwrap();
        }
    }

    /// Waits until a pod is gone, or has ended.
    pub async fn until_pod_is_gone(&self, name: &str) {
        for _ in 0..300 {
            let found = self.api::<Pod>().get_opt(name).await.unwrap();
            let phase = found.and_then(|pod| pod.status?.phase);
            if phase.is_none_or(|phase| phase == "Succeeded" || phase == "Failed") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{name} still runs")
    }

    /// Waits until the cluster has neither objects nor pods of a job.
    pub async fn until_nothing_is_left(&self, job: &str) {
        let of_job = ListParams::default().labels(&format!("platform.job-id={job}"));
        for _ in 0..300 {
            let pods = self.api::<Pod>().list(&of_job).await.unwrap();
            if self.objects(job).await.is_empty() && pods.items.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{job} still has {:?}", self.objects(job).await)
    }
}

/// The tasks of a job, a line each.
pub fn in_short(job: &Value) -> String {
    let tasks = job["tasks"].as_array().unwrap();
    let line = |task: &Value| format!("{} {} {}", task["index"], task["state"].as_str().unwrap(), task["exitCode"]);
    tasks.iter().map(line).collect::<Vec<_>>().join("\n")
}
