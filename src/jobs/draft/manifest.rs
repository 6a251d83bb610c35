//! The FlashJob that a draft becomes: exactly the contract's fields, labels and annotations.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, PodTemplateSpec};
use kube::api::ObjectMeta;

use super::{Draft, TaskGroup};
use crate::cluster::crd::{FlashJob, FlashJobSpec, PREEMPTABLE_ANNOTATION, QUEUE_ANNOTATION};
use crate::cluster::names::{self, COMMIT_LABEL, JOB_LABEL, PROJECT_LABEL, USER_LABEL};
use crate::ids::{CommitId, JobId, ProjectId, UserId};

/// Where a job goes and whose it is.
#[derive(Debug, Clone)]
pub struct Placement<'a> {
    /// The job's id, from which the object's name follows.
    pub job: JobId,
    /// Its project.
    pub project: ProjectId,
    /// Who submits it.
    pub user: UserId,
    /// The config commit it comes from.
    pub commit: Option<CommitId>,
    /// The project's namespace.
    pub namespace: &'a str,
    /// The queue it waits in; the priority class has the same name.
    pub queue: &'a str,
    /// Whether jobs of that queue may be preempted.
    pub preemptible: bool,
    /// The scheduler that places the pods.
    pub scheduler: &'a str,
}

/// The object for the cluster.
pub fn flash_job(draft: &Draft, placement: &Placement<'_>) -> FlashJob {
    let labels = labels(placement);
    let of_group = |group: &TaskGroup| vec![complete(group.template.clone(), placement, &labels); group.count];
    let mut tasks: Vec<PodTemplateSpec> = draft.tasks.iter().flat_map(of_group).collect();
    if draft.indexed {
        tasks.iter_mut().enumerate().for_each(|(index, task)| tell_index(task, index));
    }
    FlashJob {
        metadata: ObjectMeta {
            name: Some(names::job_object(placement.job)),
            namespace: Some(placement.namespace.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: FlashJobSpec { min_available: draft.gang(), tasks },
        status: None,
    }
}

/// The annotation, and the label, with a pod's number among those of an Indexed Job.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The environment variable with that number.
const INDEX_ENV: &str = "JOB_COMPLETION_INDEX";

/// Tells a task its number as Kubernetes tells the pods of an Indexed Job; a variable of the name is left as it is.
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

fn complete(
    mut task: PodTemplateSpec,
    placement: &Placement<'_>,
    labels: &BTreeMap<String, String>,
) -> PodTemplateSpec {
    let metadata = task.metadata.get_or_insert_default();
    // A template's own name would clash between tasks, and its namespace is the project's.
    metadata.name = None;
    metadata.namespace = None;
    metadata.labels.get_or_insert_default().extend(labels.clone());
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(QUEUE_ANNOTATION.to_owned(), placement.queue.to_owned());
    annotations.insert(PREEMPTABLE_ANNOTATION.to_owned(), placement.preemptible.to_string());
    let pod = task.spec.get_or_insert_default();
    pod.scheduler_name = Some(placement.scheduler.to_owned());
    pod.priority_class_name = Some(placement.queue.to_owned());
    pod.automount_service_account_token = Some(false);
    // A task runs once; starting it anew is the platform's decision.
    if pod.restart_policy.as_deref() != Some("OnFailure") {
        pod.restart_policy = Some("Never".to_owned());
    }
    task
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::input::JobSpecInput;
    use uuid::Uuid;

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
            scheduler: "flash-scheduler",
        }
    }

    #[test]
    fn a_spec_becomes_a_flash_job_with_the_contract_s_labels_and_annotations() {
        let spec = JobSpecInput {
            image: "python:3.12".into(),
            command: Some(vec!["python".into()]),
            args: None,
            working_dir: None,
            env: None,
            resources: None,
            mounts: None,
            replicas: Some(2),
            min_available: Some(1),
            active_deadline_seconds: None,
            ttl_seconds_after_finished: None,
            retries: None,
        };
        let draft = Draft::from_spec(spec).unwrap();
        insta::assert_json_snapshot!(flash_job(&draft, &placement()));
    }

    #[test]
    fn each_task_of_an_indexed_job_knows_its_number() {
        let yaml = "apiVersion: batch/v1\nkind: Job\nspec: {completionMode: Indexed, completions: 2, parallelism: 2, template: {spec: {initContainers: [{name: i}], containers: [{name: a, env: [{name: A, value: b}]}, {name: b, env: [{name: JOB_COMPLETION_INDEX, value: mine}]}]}}}";
        let draft = crate::jobs::draft::from_yaml(yaml, "input.commitId").unwrap();
        let tasks = flash_job(&draft, &placement()).spec.tasks;
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
