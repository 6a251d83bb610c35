//! Pods of config files: what the platform admits is safe wherever it stands, is the same when it is made twice, and is
//! taken by the API server. The bytes choose what is in the pod (`grammar`); `tests/cluster_contract/fuzzing.rs` tries what
//! is admitted on whole clusters.

mod grammar;

use std::sync::LazyLock;

use platform::config::GpuResources;
use platform::configs::documents::parse;
use platform::dev::cluster::api::trial::Trial;
use platform::ids::{JobId, ProjectId, UserId};
use platform::jobs::draft::{Draft, Placement, check as check_draft, from_yaml, manifest};
use platform::jobs::model::manifest::Manifest;
use serde_json::{Value, json};
use uuid::Uuid;

/// Where problems are told.
const SOURCE: &str = "input.commitId";
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
    let yaml = grammar::document(bytes).to_string();
    let Some(admitted) = admitted(&yaml) else { return };
    assert_eq!(admitted.to_string(), self::admitted(&yaml).expect("admitted again").to_string(), "{yaml}");
    for pod in pods(&admitted) {
        if let Err(refused) = TRIAL.create("", "pods", NAMESPACE, &pod) {
            panic!("the API server refuses what was admitted: {refused}\n{yaml}\n{pod}");
        }
    }
}

/// The FlashJob that a config with the document of these bytes becomes.
#[allow(dead_code, reason = "the fuzzer has no cluster")]
pub fn flash_job(bytes: &[u8]) -> Option<Value> {
    admitted(&grammar::document(bytes).to_string())
}

/// The document of these bytes, to be shown.
#[allow(dead_code, reason = "the fuzzer has no cluster")]
pub fn shown(bytes: &[u8]) -> String {
    grammar::document(bytes).to_string()
}

/// The FlashJob that a config becomes, if it is admitted: as `submitJob` decides it, but for what is in the database.
fn admitted(yaml: &str) -> Option<Value> {
    parse(yaml, "input.yaml", &GpuResources::default()).ok()?;
    let mut draft = from_yaml(yaml, SOURCE).ok()?;
    if !check_draft(&draft, SOURCE, &GpuResources::default()).is_empty() {
        return None;
    }
    let made = made(&mut draft);
    manifest::check_size(&made, SOURCE).ok()?;
    Some(serde_json::from_str(&made.expanded()).expect("a FlashJob is JSON"))
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
        scheduler: "flash-scheduler",
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
