//! The Kubernetes Jobs that a job becomes: one for each group of equal tasks.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::cluster::crd::FlashJob;
use crate::cluster::jobs::{FIRST_TASK, PART, Part, WHOLE, WHOLE_UID};

/// Equal adjacent tasks, in the order of their indexes.
pub(super) struct Groups<'t>(Vec<Group<'t>>);

/// Equal adjacent tasks.
pub(super) struct Group<'t> {
    template: &'t PodTemplateSpec,
    first: usize,
    count: usize,
}

/// The groups of the tasks of a job.
pub(super) fn groups(tasks: &[PodTemplateSpec]) -> Groups<'_> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (index, template) in tasks.iter().enumerate() {
        match groups.last_mut() {
            Some(last) if last.template == template => last.count += 1,
            _ => groups.push(Group { template, first: index, count: 1 }),
        }
    }
    Groups(groups)
}

impl Groups<'_> {
    /// The number of a task's group, and its index within the group.
    pub(super) fn place_of(&self, task: usize) -> (usize, usize) {
        let found = self.0.iter().enumerate().rev().find(|(_, group)| group.first <= task);
        found.map_or((0, task), |(number, group)| (number, task - group.first))
    }
}

/// The name of the Job of a group: that of the job's object for the first.
pub(super) fn name_of(object: &str, number: usize) -> String {
    match number {
        0 => object.to_owned(),
        number => format!("{object}-part-{number}"),
    }
}

/// The Jobs of a job whose object has this name. Those after the first lack what is only known when that exists: see
/// [`owned_by`].
pub fn objects(job: &FlashJob, name: &str) -> Vec<Job> {
    let Groups(groups) = groups(&job.spec.tasks);
    let of = groups.len();
    let object = |(number, group): (usize, &Group<'_>)| {
        let part = (of > 1).then(|| (PART.to_owned(), Part { number, of }.to_string()));
        let mut template = group.template.clone();
        if group.first > 0 {
            let annotations = template.metadata.get_or_insert_default().annotations.get_or_insert_default();
            annotations.insert(FIRST_TASK.to_owned(), group.first.to_string());
        }
        Job {
            metadata: ObjectMeta {
                name: Some(name_of(name, number)),
                namespace: job.namespace(),
                labels: Some(job.labels().clone()),
                annotations: part.map(|part| BTreeMap::from([part])),
                ..ObjectMeta::default()
            },
            spec: Some(spec(template, i32::try_from(group.count).unwrap_or(i32::MAX))),
            status: None,
        }
    };
    groups.iter().enumerate().map(object).collect()
}

/// A Job that ends with its first failure: the platform itself decides on retries, deadlines and when it is deleted.
fn spec(template: PodTemplateSpec, count: i32) -> JobSpec {
    let restarts = template.spec.as_ref().and_then(|pod| pod.restart_policy.as_deref()) == Some("OnFailure");
    JobSpec {
        completion_mode: Some("Indexed".to_owned()),
        completions: Some(count),
        parallelism: Some(count),
        // Containers that are restarted in place count here, too, and there is no end to that.
        backoff_limit: Some(if restarts { i32::MAX } else { 0 }),
        // A task never runs twice at a time.
        pod_replacement_policy: Some("Failed".to_owned()),
        // What the API server accepts only for pods whose containers are not restarted.
        pod_failure_policy: (!restarts).then(evictions_are_no_failures),
        template,
        ..JobSpec::default()
    }
}

/// <https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy>
fn evictions_are_no_failures() -> PodFailurePolicy {
    let disrupted = PodFailurePolicyOnPodConditionsPattern {
        type_: "DisruptionTarget".to_owned(),
        status: Some("True".to_owned()),
    };
    let ignore = PodFailurePolicyRule {
        action: "Ignore".to_owned(),
        on_pod_conditions: Some(vec![disrupted]),
        ..PodFailurePolicyRule::default()
    };
    PodFailurePolicy { rules: vec![ignore] }
}

/// Makes `first` the owner of a later part: it is not gone before the part is.
pub(super) fn owned_by(part: &mut Job, first: &Job) {
    part.metadata.owner_references = first.controller_owner_ref(&()).map(|mut owner| {
        owner.block_owner_deletion = Some(true);
        vec![owner]
    });
    if let Some(spec) = &mut part.spec {
        let annotations = spec.template.metadata.get_or_insert_default().annotations.get_or_insert_default();
        annotations.insert(WHOLE.to_owned(), first.name_any());
        annotations.insert(WHOLE_UID.to_owned(), first.uid().unwrap_or_default());
    }
}
