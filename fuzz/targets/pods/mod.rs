//! Pods of config files and job specs: what the platform admits is safe wherever it stands, is the same when it is made
//! twice, and is taken by the API server; what can be saved can be submitted. The bytes choose what is in the pod
//! (`grammar`) and in the request (`fields`); `tests/cluster_contract/fuzzing.rs` tries what is admitted on whole clusters.

mod choices;
mod fields;
mod grammar;
mod types;

use std::sync::LazyLock;

use async_graphql::InputType;
use dev_cluster::api::trial::Trial;
use platform::cluster::parameters::{Parameter, declared};
use platform::config::GpuResources;
use platform::configs::documents::parse;
use platform::ids::{JobId, ProjectId, UserId};
use platform::jobs::draft::{Draft, Placement, check as check_draft, from_yaml, manifest};
use platform::jobs::model::manifest::Manifest;
use serde_json::{Value, json};
use uuid::Uuid;

use self::choices::Choices;

/// Where the problems of a config are told.
const COMMIT: &str = "input.source.commitId";
/// Where those of a spec are.
const SPEC: &str = "input.source.spec";
/// Where the pods are tried.
pub const NAMESPACE: &str = "default";
/// The queue, and the priority class that goes with it.
pub const QUEUE: &str = "default-batch";

/// A cluster to try pods in, made once.
static TRIAL: LazyLock<Trial> = LazyLock::new(|| {
    let trial = Trial::default();
    let class = json!({"metadata": {"name": QUEUE}, "value": 100, "preemptionPolicy": "Never"});
    trial.plant("scheduling.k8s.io", "priorityclasses", &class).unwrap();
    trial
});

pub fn check(bytes: &[u8]) {
    let request = Request::of(bytes);
    if let Source::Commit(yaml) = &request.source {
        saved_is_submitted(yaml);
    }
    let Some(admitted) = admitted(&request) else { return };
    let shown = request.shown();
    assert_eq!(admitted.to_string(), self::admitted(&request).expect("admitted again").to_string(), "{shown}");
    for pod in pods(&admitted) {
        if let Err(refused) = TRIAL.create("", "pods", NAMESPACE, &pod) {
            panic!("the API server refuses what was admitted: {refused}\n{shown}\n{pod}");
        }
    }
}

/// The FlashJob that the request of these bytes becomes.
#[allow(dead_code, reason = "the fuzzer has no cluster")]
pub fn flash_job(bytes: &[u8]) -> Option<Value> {
    admitted(&Request::of(bytes))
}

/// The request of these bytes, to be shown.
#[allow(dead_code, reason = "the fuzzer has no cluster")]
pub fn shown(bytes: &[u8]) -> String {
    Request::of(bytes).shown()
}

/// What is submitted: a config or a spec, and what is changed for one run.
struct Request {
    source: Source,
    overrides: Option<Value>,
}

enum Source {
    /// The YAML of a config.
    Commit(String),
    /// A `JobSpecInput`.
    Spec(Value),
}

impl Request {
    fn of(bytes: &[u8]) -> Self {
        let choices = &mut Choices(bytes);
        // Configs have more in them.
        let source = match bytes.first() {
            Some(224..) => Source::Spec(fields::spec(choices)),
            _ => Source::Commit(grammar::document(choices).to_string()),
        };
        Self { source, overrides: fields::overrides(choices) }
    }

    fn shown(&self) -> String {
        let source = match &self.source {
            Source::Commit(yaml) => yaml.clone(),
            Source::Spec(spec) => format!("spec {spec}"),
        };
        match &self.overrides {
            Some(overrides) => format!("{source} overrides {overrides}"),
            None => source,
        }
    }
}

/// The FlashJob that a request becomes, if it is admitted: as `submitJob` decides it, but for what is in the database.
fn admitted(request: &Request) -> Option<Value> {
    let gpus = GpuResources::default();
    let (mut draft, source) = match &request.source {
        Source::Commit(yaml) => {
            parse(yaml, "input.yaml", &gpus).ok()?;
            (from_yaml(yaml, COMMIT).ok()?, COMMIT)
        }
        Source::Spec(spec) => (Draft::from_spec(input(spec)?).ok()?, SPEC),
    };
    if let Some(overrides) = &request.overrides {
        let overrides = input(overrides)?;
        manifest::check_overrides(&overrides, &draft).ok()?;
        draft.override_with(overrides).ok()?;
    }
    if !check_draft(&draft, source, &gpus).is_empty() {
        return None;
    }
    let made = made(&mut draft);
    manifest::check_size(&made, source).ok()?;
    Some(serde_json::from_str(&made.expanded()).expect("a FlashJob is JSON"))
}

/// A config that can be saved can be submitted, but for what its run has to bring: values of parameters without a default,
/// images, and claims of the caller's.
fn saved_is_submitted(yaml: &str) {
    let gpus = GpuResources::default();
    if parse(yaml, "input.yaml", &gpus).is_err() {
        return;
    }
    let is_required = |parameter: &Parameter| parameter.default.is_none();
    if declared(yaml).is_ok_and(|parameters| parameters.iter().any(is_required)) {
        return;
    }
    let draft = from_yaml(yaml, COMMIT).unwrap_or_else(|refused| panic!("saved, but not read: {refused}\n{yaml}"));
    for (_, problem) in check_draft(&draft, COMMIT, &gpus) {
        let message = &problem.message;
        let is_of_the_run = message.ends_with("is required") || message.ends_with("is not bound for you");
        assert!(is_of_the_run, "saved, but not admitted: {message}\n{yaml}");
    }
}

/// An input object as GraphQL reads it.
fn input<T: InputType>(value: &Value) -> Option<T> {
    let value = async_graphql::Value::from_json(value.clone()).expect("JSON is a value");
    T::parse(Some(value)).ok()
}

fn made(draft: &mut Draft) -> Manifest {
    let id = Uuid::from_u128;
    let placement = Placement {
        job: JobId::from_uuid(id(1)),
        project: ProjectId::from_uuid(id(2)),
        user: UserId::from_uuid(id(3)),
        commit: None,
        namespace: NAMESPACE,
        queue: QUEUE,
        preemptible: true,
        scheduler: Some("flash-scheduler"),
    };
    manifest::flash_job(draft, &placement).expect("a FlashJob is JSON")
}

/// The pods that a scheduler makes of a FlashJob, one for each distinct template.
pub fn pods(flash_job: &Value) -> Vec<Value> {
    let mut templates: Vec<&Value> = Vec::new();
    for template in flash_job["spec"]["tasks"].as_array().into_iter().flatten() {
        if !templates.contains(&template) {
            templates.push(template);
        }
    }
    let pod = |(index, template): (usize, &Value)| {
        let mut pod = template.clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!(format!("{}-{index}", flash_job["metadata"]["name"].as_str().unwrap_or("x")));
        pod
    };
    templates.into_iter().enumerate().map(pod).collect()
}
