//! The cluster's verdict on a job: in a preview before the submit, and at the end of a job that the cluster rejects.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, LimitRange, ResourceQuota, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::DynamicObject;
use kube::{Api, Client, Config};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::dev::Dev;
use crate::support::serve::Serve;
use crate::support::session::Session;

const PREVIEW: &str = "mutation($i: SubmitJobInput!) { previewJob(input: $i) { preview {
    admitted warnings manifests verdicts { rule outcome problems { field message } } } } }";
const SUBMIT: &str = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id }
    preview { admitted warnings verdicts { rule outcome problems { field message } } } } }";
const JOB: &str = "query($id: ID!) { job(id: $id) { phase reason message pendingReason } }";

const PATIENCE: Duration = Duration::from_secs(60);

/// The cluster's verdict of a preview.
fn verdict(preview: &Value) -> &Value {
    let verdicts = preview["verdicts"].as_array().unwrap_or_else(|| panic!("{preview}"));
    verdicts.iter().find(|verdict| verdict["rule"] == "CLUSTER").unwrap()
}

/// Maya of the demo tenant, who submits into `detection`.
struct Maya<'a> {
    dev: &'a Dev,
    token: String,
    project: String,
}

impl<'a> Maya<'a> {
    async fn log_in(dev: &'a Dev) -> Self {
        let token = dev.log_in("maya").await;
        let project = dev.project(&token, "detection").await;
        Self { dev, token, project }
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let answer = self.dev.ask(Some(&self.token), query, variables).await;
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"].clone()
    }

    fn input(&self, fields: &Value) -> Value {
        let mut input = json!({ "projectId": self.project });
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "i": input })
    }

    async fn commit(&self, name: &str, yaml: &str) -> Value {
        let query = "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { commit { id } } }";
        let file = json!({ "name": name, "yaml": yaml, "message": "try" });
        let data = self.ask(query, self.input(&file)).await;
        json!({ "source": { "commitId": data["createConfigFile"]["commit"]["id"] } })
    }

    async fn preview(&self, fields: &Value) -> Value {
        self.ask(PREVIEW, self.input(fields)).await["previewJob"]["preview"].clone()
    }

    /// The first preview that is as wanted: a real API server hears of new limits a moment later.
    async fn preview_until(&self, fields: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let preview = self.preview(fields).await;
            if wanted(&preview) {
                return preview;
            }
            assert!(tokio::time::Instant::now() < end, "{preview:#}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn submit(&self, fields: &Value) -> String {
        let data = self.ask(SUBMIT, self.input(fields)).await;
        data["submitJob"]["job"]["id"].as_str().unwrap_or_else(|| panic!("{data}")).to_owned()
    }

    async fn job_until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let job = self.ask(JOB, json!({ "id": id })).await["job"].clone();
            if wanted(&job) {
                return job;
            }
            assert!(tokio::time::Instant::now() < end, "{job:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn client(dev: &Dev) -> Client {
    let kubeconfig = Kubeconfig::read_from(dev.ready["kubeconfig"].as_str().unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

async fn make<K>(api: &Api<K>, object: Value)
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// The namespace of the project, which a preview makes.
fn namespace(preview: &Value) -> String {
    preview["manifests"][0]["metadata"]["namespace"].as_str().unwrap_or_else(|| panic!("{preview}")).to_owned()
}

/// One environment for all: each looks at what only it has made.
async fn the_cluster_is_asked(cluster: &str) {
    let Some(dev) = Dev::start("cluster_says", cluster).await else { return };
    let maya = Maya::log_in(&dev).await;
    let client = client(&dev).await;
    let modest =
        json!({ "source": { "spec": { "image": "python:3.12", "resources": { "cpu": "100m", "cpuLimit": "200m" } } } });

    // What the cluster would take passes, though the project has no namespace yet.
    let preview = maya.preview(&modest).await;
    assert_eq!((&preview["admitted"], &preview["warnings"]), (&json!(true), &json!([])), "{preview:#}");
    assert_eq!(verdict(&preview), &json!({ "rule": "CLUSTER", "outcome": "PASSED", "problems": [] }));
    let namespace = namespace(&preview);

    // A task that is larger than any node is accepted, and would wait.
    let large = json!({ "source": { "spec": { "image": "python:3.12", "replicas": 2, "resources": { "gpu": 64 } } } });
    let preview = maya.preview_until(&large, |preview| preview["warnings"] != json!([])).await;
    let sentence = "Each of the 2 tasks requests 64 nvidia.com/gpu; the largest node of the cluster has 8.";
    assert_eq!((&preview["admitted"], &preview["warnings"]), (&json!(true), &json!([sentence])), "{preview:#}");

    // What pods need and the namespace does not have is told, and told no more when it is there.
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: token}\nspec:\n  containers:\n  - name: main\n    image: python:3.12\n    envFrom: [{secretRef: {name: hf-token}}, {configMapRef: {name: maybe, optional: true}}]\n";
    let token = maya.commit("token", yaml).await;
    let preview = maya.preview(&token).await;
    let sentence = "Task 0 needs the Secret \"hf-token\", which is not in the project's namespace, and will wait until it is created: submitJob creates only the job, not the other objects of a config file";
    assert_eq!((&preview["admitted"], &preview["warnings"]), (&json!(true), &json!([sentence])), "{preview:#}");
    make(&Api::<Secret>::namespaced(client.clone(), &namespace), json!({ "metadata": { "name": "hf-token" } })).await;
    assert_eq!(maya.preview(&token).await["warnings"], json!([]));

    // So is a key that a Secret or a ConfigMap does not have.
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: key}\nspec:\n  containers:\n  - name: main\n    image: python:3.12\n    env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: hf-token, key: token}}}]\n  volumes: [{name: v, configMap: {name: settings, items: [{key: a, path: a}, {key: b, path: b}]}}]\n";
    let key = maya.commit("key", yaml).await;
    let settings = json!({ "metadata": { "name": "settings" }, "data": { "a": "x" } });
    make(&Api::<ConfigMap>::namespaced(client.clone(), &namespace), settings).await;
    let sentences = [
        "Task 0 needs the key \"token\" of the Secret \"hf-token\", which does not have it, and will wait for it",
        "Task 0 needs the key \"b\" of the ConfigMap \"settings\", which does not have it, and will wait for it",
    ];
    assert_eq!(maya.preview(&key).await["warnings"], json!(sentences));

    // A limit of the namespace is the cluster's verdict, in its words; who submits all the same is told the same at the end.
    let limits = json!({ "metadata": { "name": "most" }, "spec": { "limits": [{ "type": "Container", "max": { "cpu": "1" } }] } });
    let ranges = Api::<LimitRange>::namespaced(client.clone(), &namespace);
    make(&ranges, limits).await;
    let greedy =
        json!({ "source": { "spec": { "image": "python:3.12", "resources": { "cpu": "100m", "cpuLimit": "2" } } } });
    let preview = maya.preview_until(&greedy, |preview| preview["admitted"] == false).await;
    let problems = &verdict(&preview)["problems"];
    let words = "is forbidden: maximum cpu usage per Container is 1, but limit is 2";
    let told = problems[0]["message"].as_str().unwrap();
    assert!(told.starts_with("the cluster refuses the pod of task 0: pods \"job-") && told.ends_with(words), "{told}");
    assert_eq!((problems.as_array().unwrap().len(), &problems[0]["field"]), (1, &json!("input.source.spec")));
    let job = maya.submit(&greedy).await;
    let waits = maya.job_until(&job, |job| job["reason"] == "ClusterRefused").await;
    assert_eq!(waits["phase"], "SUBMITTED", "a limit may be on its way out: {waits}");
    let failed = maya.job_until(&job, |job| job["phase"] == "FAILED").await;
    assert_eq!(failed["reason"], "Rejected", "{failed}");
    assert!(failed["message"].as_str().unwrap().ends_with(words), "{failed}");

    // A limit that is taken away in time lets the job run.
    let job = maya.submit(&greedy).await;
    maya.job_until(&job, |job| job["reason"] == "ClusterRefused").await;
    ranges.delete("most", &DeleteParams::default()).await.unwrap();
    maya.job_until(&job, |job| job["phase"] == "SUCCEEDED").await;

    // A quota without room is no verdict but a warning: the job waits, for longer than a refusal may last.
    let quotas = Api::<ResourceQuota>::namespaced(client.clone(), &namespace);
    make(&quotas, json!({ "metadata": { "name": "none" }, "spec": { "hard": { "pods": "0" } } })).await;
    let has_warning = |preview: &Value| !preview["warnings"].as_array().unwrap().is_empty();
    let preview = maya.preview_until(&modest, has_warning).await;
    assert_eq!((&preview["admitted"], &verdict(&preview)["outcome"]), (&json!(true), &json!("PASSED")));
    let warning = preview["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("The quota of the project's namespace has no room at the moment: pods \"job-"),
        "{warning}"
    );
    let job = maya.submit(&modest).await;
    maya.job_until(&job, |job| job["reason"] == "PodRejected").await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    let more = Patch::Merge(json!({ "spec": { "hard": { "pods": "5" } } }));
    quotas.patch("none", &PatchParams::default(), &more).await.unwrap();
    maya.job_until(&job, |job| job["phase"] == "SUCCEEDED").await;

    if cluster == "real" {
        a_policy_is_the_cluster_s_verdict(&maya, &client).await;
    }
    dev.stop().await;
}

/// The embedded cluster has no policies.
async fn a_policy_is_the_cluster_s_verdict(maya: &Maya<'_>, client: &Client) {
    let api = |kind: &str, plural: &str| {
        let resource = kube::core::ApiResource {
            group: "admissionregistration.k8s.io".to_owned(),
            version: "v1".to_owned(),
            api_version: "admissionregistration.k8s.io/v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        Api::<DynamicObject>::all_with(client.clone(), &resource)
    };
    let policy = json!({
        "metadata": { "name": "no-perl" },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": [
                { "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] },
            ]},
            "validations": [{
                "expression": "object.spec.containers.all(c, !c.image.startsWith('perl'))",
                "message": "perl is not allowed here",
            }],
        },
    });
    make(&api("ValidatingAdmissionPolicy", "validatingadmissionpolicies"), policy).await;
    let binding = json!({ "metadata": { "name": "no-perl" }, "spec": { "policyName": "no-perl", "validationActions": ["Deny"] } });
    make(&api("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"), binding).await;
    let perl = json!({ "source": { "spec": { "image": "perl:5" } } });
    let preview = maya.preview_until(&perl, |preview| preview["admitted"] == false).await;
    let told = verdict(&preview)["problems"][0]["message"].as_str().unwrap();
    assert!(told.ends_with("denied request: perl is not allowed here"), "{told}");
    let job = maya.submit(&perl).await;
    let failed = maya.job_until(&job, |job| job["phase"] == "FAILED").await;
    assert_eq!(failed["reason"], "Invalid", "{failed}");
    assert!(failed["message"].as_str().unwrap().ends_with("perl is not allowed here"), "{failed}");
}

#[tokio::test]
async fn the_embedded_cluster_is_asked_before_a_job_waits() {
    the_cluster_is_asked("embedded").await;
}

#[tokio::test]
async fn the_real_cluster_is_asked_before_a_job_waits() {
    the_cluster_is_asked("real").await;
}

async fn input(maya: &Session) -> Value {
    json!({ "i": { "projectId": maya.project().await, "source": { "spec": { "image": "python:3.12" } } } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_away_refuses_nothing_and_gets_the_job_when_it_is_back() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    serve.cluster_proxy.cut();
    let data = maya.ask(PREVIEW, input(&maya).await).await;
    let preview = &data["previewJob"]["preview"];
    assert_eq!((&preview["admitted"], &verdict(preview)["outcome"]), (&json!(true), &json!("SKIPPED")));
    let told = verdict(preview)["problems"][0]["message"].as_str().unwrap();
    assert!(told.starts_with("the cluster could not be asked: the cluster does not answer"), "{told}");
    let data = maya.ask(SUBMIT, input(&maya).await).await;
    let verdict = verdict(&data["submitJob"]["preview"]);
    assert_eq!((&verdict["outcome"], &verdict["problems"]), (&json!("SKIPPED"), &json!([])), "a submit does not ask");
    let job = data["submitJob"]["job"]["id"].as_str().unwrap();
    serve.until(job, "reason = 'ClusterUnavailable'").await;
    serve.cluster_proxy.restore();
    serve.until(job, "phase = 'QUEUED'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_does_not_know_the_kind_is_told_apart_and_gets_the_job_when_it_does() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    // With the first job all that the server makes sure of at its start is there.
    let data = maya.ask(SUBMIT, input(&maya).await).await;
    serve.until(data["submitJob"]["job"]["id"].as_str().unwrap(), "phase = 'QUEUED'").await;
    let definitions = Api::<CustomResourceDefinition>::all(serve.client());
    let name = "flashjobs.scheduling.flash-sched.io";
    let mut definition = definitions.get(name).await.unwrap();
    definitions.delete(name, &DeleteParams::default()).await.unwrap();
    let data = maya.ask(SUBMIT, input(&maya).await).await;
    let job = data["submitJob"]["job"]["id"].as_str().unwrap();
    serve
        .until(job, "reason = 'ClusterKindMissing' AND pending_reason LIKE 'The cluster has no FlashJob resource%'")
        .await;
    definition.metadata.resource_version = None;
    definition.metadata.uid = None;
    definition.metadata.managed_fields = None;
    definitions.create(&PostParams::default(), &definition).await.unwrap();
    serve.until(job, "phase = 'QUEUED'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_pods_the_scheduler_cannot_make_is_given_up_whatever_the_server_went_through() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let data = maya.ask(SUBMIT, input(&maya).await).await;
    let job = data["submitJob"]["job"]["id"].as_str().unwrap();
    serve.until(job, "phase = 'QUEUED' AND object_uid IS NOT NULL").await;
    let words = "pods \"x\" is forbidden: maximum cpu usage per Container is 1, but limit is 2";
    let refused = json!({ "phase": "Pending", "conditions": [{
        "type": "Scheduled", "status": "False", "reason": "PodRejected", "message": words,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] });
    serve.report(job, refused).await;
    serve.until(job, "refused_since IS NOT NULL AND reason = 'PodRejected'").await;
    serve.kill().await;
    // Most of its time has gone by.
    serve.execute("UPDATE jobs SET refused_since = refused_since - interval '58 s', next_attempt_at = next_attempt_at - interval '58 s' WHERE refused_since IS NOT NULL").await;
    serve.run().await;
    let condition = format!("phase = 'FAILED' AND reason = 'Rejected' AND message = '{words}'");
    serve.until(job, &condition).await;
    serve.until_objects(0).await;
    assert_eq!(serve.phases(job).await, ["SUBMITTED", "QUEUED", "FAILED"]);
}
