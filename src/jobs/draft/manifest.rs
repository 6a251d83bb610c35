//! The FlashJob of a draft: exactly the fields, labels and annotations of the contract with the cluster.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, PodTemplateSpec};
use kube::Resource;
use kube::api::ObjectMeta;
use serde::Serialize;

use super::{Draft, TaskGroup};
use crate::cluster::crd::{FlashJob, PREEMPTABLE_ANNOTATION, QUEUE_ANNOTATION};
use crate::cluster::jobs::{INDEX, INDEX_ENV};
use crate::cluster::names::{self, COMMIT_LABEL, JOB_LABEL, PROJECT_LABEL, USER_LABEL};
use crate::error::ApiError;
use crate::ids::{CommitId, JobId, ProjectId, UserId};
use crate::jobs::input::JobOverridesInput;
use crate::jobs::model::manifest::Manifest;

/// Maximum size of a job's object in the cluster, in bytes. etcd accepts requests of up to 1.5 MiB (1572864 bytes),
/// each with the whole object: a real API server accepted 1572594 bytes and rejected 1572637. The rest is reserved for
/// what the cluster adds: status, managed fields and finalizers.
/// <https://etcd.io/docs/v3.6/dev-guide/limit/>
pub const MAX_BYTES: usize = 1_500_000;

/// The destination and owner of a job.
#[derive(Debug, Clone)]
pub struct Placement<'a> {
    /// The job's id, which determines the object's name.
    pub job: JobId,
    /// Its project.
    pub project: ProjectId,
    /// The user who submits it.
    pub user: UserId,
    /// The config commit that it was made from.
    pub commit: Option<CommitId>,
    /// The project's namespace.
    pub namespace: &'a str,
    /// The queue; its priority class has the same name.
    pub queue: &'a str,
    /// Whether jobs of that queue may be preempted.
    pub preemptible: bool,
    /// The scheduler that places the pods as a gang; without one, each pod is placed on its own and its Job tells it its
    /// index.
    pub scheduler: Option<&'a str>,
}

/// A FlashJob that borrows its templates, which may be large.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    api_version: Cow<'static, str>,
    kind: Cow<'static, str>,
    metadata: ObjectMeta,
    spec: ObjectSpec<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectSpec<'a> {
    min_available: i32,
    tasks: Vec<&'a PodTemplateSpec>,
}

/// The object for the cluster. The draft's templates get the fields that every task of this job must have.
///
/// # Errors
/// `INTERNAL`: a template cannot be serialized as JSON.
pub fn flash_job(draft: &mut Draft, placement: &Placement<'_>) -> Result<Manifest, ApiError> {
    let labels = labels(placement);
    for group in &mut draft.tasks {
        complete(&mut group.template, placement, &labels);
    }
    let manifest = object(draft, placement, &labels)?;
    // Tasks with an index are all different. An object that is already too large is rejected as it is.
    if draft.indexed && placement.scheduler.is_some() && manifest.bytes_in_cluster() <= MAX_BYTES {
        draft.tell_indexes();
        return object(draft, placement, &labels);
    }
    Ok(manifest)
}

fn object(draft: &Draft, placement: &Placement<'_>, labels: &BTreeMap<String, String>) -> Result<Manifest, ApiError> {
    let object = Object {
        api_version: FlashJob::api_version(&()),
        kind: FlashJob::kind(&()),
        metadata: ObjectMeta {
            name: Some(names::job_object(placement.job)),
            namespace: Some(placement.namespace.to_owned()),
            labels: Some(labels.clone()),
            ..ObjectMeta::default()
        },
        spec: ObjectSpec {
            min_available: draft.gang(),
            tasks: draft.tasks.iter().map(|group| &group.template).collect(),
        },
    };
    let json = serde_json::to_string(&object).map_err(ApiError::internal)?;
    let counts: Vec<_> = draft.tasks.iter().map(|group| group.count).collect();
    Ok(Manifest::new(json, &counts))
}

/// Whether changes to every template are small enough to be written into each.
///
/// # Errors
/// `BAD_USER_INPUT` with the size of the changes alone and the limit.
pub fn check_overrides(overrides: &JobOverridesInput, draft: &Draft) -> Result<(), ApiError> {
    let different = draft.tasks.len().max(1);
    let bytes = overrides.text_bytes().saturating_mul(different);
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let tasks = if different == 1 { String::new() } else { format!(" in the {different} different tasks") };
    let message =
        format!("the overrides would take {bytes} bytes{tasks}; the cluster accepts an object of at most {MAX_BYTES}");
    Err(ApiError::bad_input("input.overrides", message))
}

/// Whether the cluster accepts an object of this size. Nothing is expanded to determine it.
///
/// # Errors
/// `BAD_USER_INPUT` at `field` with the size and the limit.
pub fn check_size(manifest: &Manifest, field: &'static str) -> Result<(), ApiError> {
    let bytes = manifest.bytes_in_cluster();
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let tasks = match manifest.task_count() {
        1 => "1 task".to_owned(),
        tasks => format!("{tasks} tasks"),
    };
    let message = format!(
        "the job with its {tasks} would be an object of {bytes} bytes; the cluster accepts at most {MAX_BYTES}"
    );
    Err(ApiError::bad_input(field, message))
}

impl Draft {
    /// Makes each task one of its own, with its index.
    fn tell_indexes(&mut self) {
        let groups = std::mem::take(&mut self.tasks);
        let tasks = groups.into_iter().flat_map(|group| std::iter::repeat_n(group.template, group.count));
        let numbered = tasks.enumerate().map(|(index, mut template)| {
            tell_index(&mut template, index);
            TaskGroup { template, count: 1 }
        });
        self.tasks = numbered.collect();
    }
}

/// Gives a task its index like a pod of an Indexed Job; an existing variable with the name is not changed.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode>
fn tell_index(task: &mut PodTemplateSpec, index: usize) {
    let metadata = task.metadata.get_or_insert_default();
    for map in [&mut metadata.annotations, &mut metadata.labels] {
        map.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
    }
    let pod = task.spec.get_or_insert_default();
    for container in pod.init_containers.iter_mut().flatten().chain(&mut pod.containers) {
        let env = container.env.get_or_insert_default();
        if env.iter().all(|variable| variable.name != INDEX_ENV) {
            env.push(EnvVar { name: INDEX_ENV.to_owned(), value: Some(index.to_string()), value_from: None });
        }
    }
}

fn labels(placement: &Placement<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([
        (JOB_LABEL.to_owned(), placement.job.to_string()),
        (PROJECT_LABEL.to_owned(), placement.project.to_string()),
        (USER_LABEL.to_owned(), placement.user.to_string()),
    ]);
    if let Some(commit) = placement.commit {
        labels.insert(COMMIT_LABEL.to_owned(), commit.to_string());
    }
    labels
}

fn complete(task: &mut PodTemplateSpec, placement: &Placement<'_>, labels: &BTreeMap<String, String>) {
    let metadata = task.metadata.get_or_insert_default();
    // The rest identifies a single object: its name would clash between tasks, its namespace is that of the project,
    // and the API server rejects a resourceVersion or uid of an object to be created.
    *metadata = ObjectMeta {
        labels: metadata.labels.take(),
        annotations: metadata.annotations.take(),
        ..ObjectMeta::default()
    };
    metadata.labels.get_or_insert_default().extend(labels.clone());
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(QUEUE_ANNOTATION.to_owned(), placement.queue.to_owned());
    annotations.insert(PREEMPTABLE_ANNOTATION.to_owned(), placement.preemptible.to_string());
    let pod = task.spec.get_or_insert_default();
    pod.scheduler_name = placement.scheduler.map(str::to_owned);
    pod.priority_class_name = Some(placement.queue.to_owned());
    pod.automount_service_account_token = Some(false);
    // A task runs once; the platform decides on retries.
    if pod.restart_policy.as_deref() != Some("OnFailure") {
        pod.restart_policy = Some("Never".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::input::JobSpecInput;
    use uuid::Uuid;

    fn spec(replicas: i32, argument: Option<&str>) -> JobSpecInput {
        JobSpecInput {
            image: "python:3.12".into(),
            command: Some(vec!["python".into()]),
            args: argument.map(|argument| vec![argument.to_owned()]),
            working_dir: None,
            env: None,
            resources: None,
            mounts: None,
            replicas: Some(replicas),
            min_available: Some(1),
            active_deadline_seconds: None,
            ttl_seconds_after_finished: None,
            retries: None,
        }
    }

    fn placement() -> Placement<'static> {
        let id = |n| Uuid::from_u128(n);
        Placement {
            job: JobId::from_uuid(id(1)),
            project: ProjectId::from_uuid(id(2)),
            user: UserId::from_uuid(id(3)),
            commit: Some(CommitId::from_uuid(id(4))),
            namespace: "proj-x",
            queue: "default-batch",
            preemptible: true,
            scheduler: Some("flash-scheduler"),
        }
    }

    fn manifest(spec: JobSpecInput) -> Manifest {
        flash_job(&mut Draft::from_spec(spec).unwrap(), &placement()).unwrap()
    }

    #[test]
    fn a_spec_becomes_a_flash_job_with_the_contract_s_labels_and_annotations() {
        insta::assert_json_snapshot!(manifest(spec(2, None)).flash_job().unwrap());
    }

    #[test]
    fn a_task_keeps_nothing_of_its_metadata_but_labels_and_annotations() {
        let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, generateName: Never, namespace: b, resourceVersion: '7', uid: u, generation: 3, creationTimestamp: '2026-01-01T00:00:00Z', labels: {team: vision}, annotations: {note: x}}\nspec: {containers: [{name: a, image: b}]}";
        let mut draft = crate::jobs::draft::from_yaml(yaml, "input.source.commitId").unwrap();
        let tasks = flash_job(&mut draft, &placement()).unwrap().flash_job().unwrap().spec.tasks;
        let metadata = tasks.into_iter().next().unwrap().metadata.unwrap();
        let (labels, annotations) = (metadata.labels.clone().unwrap(), metadata.annotations.clone().unwrap());
        assert_eq!((labels["team"].as_str(), annotations["note"].as_str()), ("vision", "x"));
        let kept = ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() };
        assert_eq!(metadata, kept);
    }

    #[test]
    fn the_row_keeps_equal_tasks_once_and_tells_the_size_of_all() {
        let (one, many) = (manifest(spec(1, Some("x"))), manifest(spec(256, Some("x"))));
        assert_eq!((many.counts(), many.templates().count()), (vec![256], 1));
        let expanded = serde_json::to_string(&many.flash_job().unwrap()).unwrap();
        assert_eq!((many.expanded().len(), many.bytes()), (expanded.len(), expanded.len()));
        assert!(many.json_bytes() < one.json_bytes() + 10);
    }

    #[test]
    fn an_object_that_the_cluster_would_not_take_is_refused_with_both_numbers() {
        let told = |replicas, argument: &str| {
            check_size(&manifest(spec(replicas, Some(argument))), "input.source.spec")
                .map_err(|error| error.to_string())
        };
        assert_eq!(told(256, &"x".repeat(5_000)), Ok(()));
        assert_eq!(told(1, &"x".repeat(1_490_000)), Ok(()));
        insta::assert_snapshot!(told(256, &"x".repeat(20_000)).unwrap_err(), @"the job with its 256 tasks would be an object of 5273249 bytes; the cluster accepts at most 1500000");
        insta::assert_snapshot!(told(1, &"<".repeat(1_490_000)).unwrap_err(), @"the job with its 1 task would be an object of 8941014 bytes; the cluster accepts at most 1500000");
    }

    #[test]
    fn each_task_of_an_indexed_job_knows_its_number() {
        let yaml = "apiVersion: batch/v1\nkind: Job\nspec: {completionMode: Indexed, completions: 2, parallelism: 2, template: {spec: {initContainers: [{name: i}], containers: [{name: a, env: [{name: A, value: b}]}, {name: b, env: [{name: JOB_COMPLETION_INDEX, value: mine}]}]}}}";
        let mut draft = crate::jobs::draft::from_yaml(yaml, "input.source.commitId").unwrap();
        let tasks = flash_job(&mut draft, &placement()).unwrap().flash_job().unwrap().spec.tasks;
        let told = tasks.iter().map(|task| {
            let pod = task.spec.as_ref().unwrap();
            let metadata = task.metadata.as_ref().unwrap();
            let index = |container: &k8s_openapi::api::core::v1::Container| {
                let env = container.env.iter().flatten().find(|variable| variable.name == INDEX_ENV);
                env.and_then(|variable| variable.value.clone()).unwrap()
            };
            let init = index(&pod.init_containers.as_ref().unwrap()[0]);
            let labels = (
                metadata.annotations.as_ref().unwrap()[INDEX].clone(),
                metadata.labels.as_ref().unwrap()[INDEX].clone(),
            );
            (labels, init, pod.containers.iter().map(index).collect::<Vec<_>>())
        });
        insta::assert_debug_snapshot!(told.map(|told| format!("{told:?}")).collect::<Vec<_>>(), @r#"
        [
            "((\"0\", \"0\"), \"0\", [\"0\", \"mine\"])",
            "((\"1\", \"1\"), \"1\", [\"1\", \"mine\"])",
        ]
        "#);
    }
}
