//! The job in a config commit: the one Pod, Job or FlashJob among its YAML documents.

use k8s_openapi::api::batch::v1::Job as BatchJob;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::changes::dns_name;
use super::{Draft, MAX_TASKS, TaskGroup};
use crate::cluster::crd::FlashJob;
use crate::error::ApiError;

/// The kinds that can be run, in the form of an error message.
const RUNNABLE: &str = "Pod, Job or FlashJob";

/// The draft of the one document in `yaml` that can be run; documents of other kinds are left alone.
///
/// # Errors
/// `BAD_USER_INPUT` at `field` when there is none, or more than one, or it does not have the form of its kind.
pub fn from_yaml(yaml: &str, field: &'static str) -> Result<Draft, ApiError> {
    let refused = |message: String| ApiError::bad_input(field, message);
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).map_err(|error| refused(format!("the config is not YAML: {error}")))?;
    let kind = |document: &Value| document.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if documents.iter().any(|document| kind(document) == "Workflow") {
        return Err(refused(format!("the config holds a Workflow; submitJob runs a {RUNNABLE}")));
    }
    let mut runnable = documents.into_iter().filter(|document| is_runnable(&kind(document)));
    let document = runnable.next().ok_or_else(|| refused(format!("the config holds no {RUNNABLE} to run")))?;
    let others = runnable.count();
    if others > 0 {
        let count = others + 1;
        return Err(refused(format!("the config holds {count} documents to run; it may hold one {RUNNABLE}")));
    }
    let draft = match kind(&document).as_str() {
        "Pod" => from_pod(typed(document, field)?),
        "Job" => from_batch_job(typed(document, field)?, field)?,
        _ => from_flash_job(typed(document, field)?),
    };
    check(draft, field)
}

fn is_runnable(kind: &str) -> bool {
    matches!(kind, "Pod" | "Job" | "FlashJob")
}

fn typed<T: DeserializeOwned>(mut document: Value, field: &'static str) -> Result<T, ApiError> {
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(object) = document.as_object_mut() {
        // A nameless document is fine: the object's name follows from the job's id.
        object.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    serde_json::from_value(document)
        .map_err(|error| ApiError::bad_input(field, format!("the {kind} is malformed: {error}")))
}

fn from_pod(pod: Pod) -> Draft {
    let metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        labels: pod.metadata.labels,
        annotations: pod.metadata.annotations,
        ..Default::default()
    };
    Draft {
        name: pod.metadata.name,
        tasks: TaskGroup::of_tasks([PodTemplateSpec { metadata: Some(metadata), spec: pod.spec }]),
        ..Draft::default()
    }
}

fn from_batch_job(job: BatchJob, field: &'static str) -> Result<Draft, ApiError> {
    let name = job.metadata.name;
    let Some(spec) = job.spec else { return Ok(Draft { name, ..Draft::default() }) };
    let parallelism = spec.parallelism.unwrap_or(1);
    if !(1..=MAX_TASKS).contains(&parallelism) {
        let message = format!("parallelism was {parallelism}; it may be 1 to {MAX_TASKS}");
        return Err(ApiError::bad_input(field, message));
    }
    if let Some(completions) = spec.completions.filter(|&completions| completions != parallelism) {
        let message = format!(
            "completions was {completions} and parallelism {parallelism}; they must be equal, because every task runs once"
        );
        return Err(ApiError::bad_input(field, message));
    }
    Ok(Draft {
        name,
        tasks: vec![TaskGroup { template: spec.template, count: usize::try_from(parallelism).unwrap_or(1) }],
        min_available: None,
        deadline_seconds: spec.active_deadline_seconds,
        ttl_seconds: spec.ttl_seconds_after_finished.map(i64::from),
        // Kubernetes would try six times more; here a job runs once unless its owner says otherwise.
        retries: spec.backoff_limit.unwrap_or(0).clamp(0, 10),
        ..Draft::default()
    })
}

fn from_flash_job(job: FlashJob) -> Draft {
    Draft {
        name: job.metadata.name,
        min_available: Some(job.spec.min_available),
        tasks: TaskGroup::of_tasks(job.spec.tasks),
        ..Draft::default()
    }
}

fn check(mut draft: Draft, field: &'static str) -> Result<Draft, ApiError> {
    let count = draft.task_count();
    if !(1..=MAX_TASKS).contains(&count) {
        return Err(ApiError::bad_input(field, format!("the config has {count} tasks; it may have 1 to {MAX_TASKS}")));
    }
    let gang = draft.gang();
    if !(1..=count).contains(&gang) {
        let message = format!("minAvailable was {gang}; it may be 1 to {count}, the number of tasks");
        return Err(ApiError::bad_input(field, message));
    }
    for (name, seconds, least) in
        [("activeDeadlineSeconds", draft.deadline_seconds, 1), ("ttlSecondsAfterFinished", draft.ttl_seconds, 0)]
    {
        let most = i64::from(i32::MAX);
        if let Some(seconds) = seconds.filter(|seconds| !(least..=most).contains(seconds)) {
            let message = format!("{name} was {seconds}; it may be {least} to {most}");
            return Err(ApiError::bad_input(field, message));
        }
    }
    if draft.tasks.iter().any(|group| group.template.spec.as_ref().is_none_or(|pod| pod.containers.is_empty())) {
        return Err(ApiError::bad_input(field, "every task needs at least one container"));
    }
    draft.name = draft.name.map(|name| dns_name(&name));
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(yaml: &str) -> String {
        from_yaml(yaml, "input.commitId").unwrap_err().to_string()
    }

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: Train}\nspec: {containers: [{name: a, image: b}]}\n";

    #[test]
    fn a_pod_is_a_job_of_one_task() {
        let draft = from_yaml(POD, "input.commitId").unwrap();
        assert_eq!((draft.name.as_deref(), draft.task_count(), draft.gang()), (Some("train"), 1, 1));
    }

    #[test]
    fn a_batch_job_s_parallelism_becomes_that_many_tasks() {
        let yaml = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: sweep}\nspec:\n  parallelism: 3\n  activeDeadlineSeconds: 60\n  template: {spec: {containers: [{name: a, image: b}]}}\n";
        let draft = from_yaml(yaml, "input.commitId").unwrap();
        assert_eq!((draft.task_count(), draft.gang(), draft.deadline_seconds, draft.retries), (3, 3, Some(60), 0));
    }

    #[test]
    fn what_cannot_be_run_is_said() {
        insta::assert_snapshot!(message("kind: ConfigMap"), @"the config holds no Pod, Job or FlashJob to run");
        insta::assert_snapshot!(message(&format!("{POD}---\n{POD}")), @"the config holds 2 documents to run; it may hold one Pod, Job or FlashJob");
        insta::assert_snapshot!(message("kind: Workflow"), @"the config holds a Workflow; submitJob runs a Pod, Job or FlashJob");
        insta::assert_snapshot!(message("kind: Job\nspec: {parallelism: -1, template: {}}"), @"parallelism was -1; it may be 1 to 256");
        insta::assert_snapshot!(message("kind: FlashJob\nspec: {minAvailable: 2, tasks: [{spec: {containers: [{name: a}]}}]}"), @"minAvailable was 2; it may be 1 to 1, the number of tasks");
        insta::assert_snapshot!(message("kind: Job\nspec: {activeDeadlineSeconds: -5, template: {spec: {containers: [{name: a}]}}}"), @"activeDeadlineSeconds was -5; it may be 1 to 2147483647");
        insta::assert_snapshot!(message("kind: Pod\nspec: {containers: []}"), @"every task needs at least one container");
    }
}
