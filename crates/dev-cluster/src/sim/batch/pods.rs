//! The pods of a Job: what the controller reads from one, and the one that it makes.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt};

/// On every pod that is not in its Job's counters yet.
pub(super) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// The label and annotation with a pod's completion index.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How often the index of a pod failed before it, where a Job counts that.
const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// The variable in which the containers of an Indexed Job find their index.
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";
/// The longest prefix of a generated name, and the length of what is generated.
const LONGEST_PREFIX: usize = 63 - 5;

/// What a Job's controller sees of one of its pods.
#[derive(Clone, Debug)]
pub(super) struct Seen<'a> {
    pub(super) pod: &'a Pod,
    pub(super) stage: Stage,
    /// Its completion index.
    pub(super) index: Option<i32>,
    /// Whether it is not in the Job's counters yet.
    pub(super) tracked: bool,
    pub(super) ready: bool,
}

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It runs or waits.
    Active,
    /// It is being deleted and has not ended.
    Terminating,
    Succeeded,
    Failed,
}

impl<'a> Seen<'a> {
    pub(super) fn of(pod: &'a Pod) -> Self {
        let status = pod.status.as_ref();
        let stage = match status.and_then(|status| status.phase.as_deref()) {
            Some("Succeeded") => Stage::Succeeded,
            Some("Failed") => Stage::Failed,
            _ if pod.metadata.deletion_timestamp.is_some() => Stage::Terminating,
            _ => Stage::Active,
        };
        let mut conditions = status.iter().flat_map(|status| status.conditions.iter().flatten());
        Self {
            pod,
            stage,
            index: pod.annotations().get(INDEX).and_then(|index| index.parse().ok()),
            tracked: pod.finalizers().iter().any(|name| name == TRACKING),
            ready: conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        }
    }

    pub(super) fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    /// Whether its status has a condition of this type and status.
    pub(super) fn has_condition(&self, type_: &str, status: &str) -> bool {
        let conditions = self.pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.into_iter().any(|condition| condition.type_ == type_ && condition.status == status)
    }

    /// How often its index has failed with it, where the Job counts that.
    pub(super) fn failures_of_index(&self) -> i32 {
        let before = self.pod.annotations().get(INDEX_FAILURES).and_then(|count| count.parse::<i32>().ok());
        before.unwrap_or(0).saturating_add(1)
    }

    /// How often its containers were started again while it is alive.
    pub(super) fn restarts(&self) -> i32 {
        let Some(status) = self.pod.status.as_ref().filter(|_| self.stage == Stage::Active) else { return 0 };
        let all = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
        all.map(|container| container.restart_count).fold(0, i32::saturating_add)
    }

    /// When it ended, or what comes nearest to it.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        let statuses = self.pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let ends = statuses
            .filter_map(|container| Some(container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0));
        let meta = &self.pod.metadata;
        let instead = meta.deletion_timestamp.as_ref().or(meta.creation_timestamp.as_ref());
        ends.max().or_else(|| Some(instead?.0))
    }

    /// What is given up first when there are too many: what has not got far, then what is young.
    pub(super) fn worth(&self) -> (bool, bool, bool, std::cmp::Reverse<Option<Timestamp>>) {
        let running = self.pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
        let placed = self.pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
        let made = self.pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (placed, running, self.ready, std::cmp::Reverse(made))
    }
}

/// A pod that a Job is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its completion index, where the Job has them.
    pub(super) index: Option<i32>,
    /// How often its index failed before, where the Job counts that.
    pub(super) failures: Option<i32>,
}

impl Wanted {
    /// The pod, made from the Job's template.
    pub(super) fn pod(self, job: &Job) -> Pod {
        let template = job.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
        let given = template.metadata.unwrap_or_default();
        let (mut labels, mut annotations) = (given.labels.unwrap_or_default(), given.annotations.unwrap_or_default());
        let mut finalizers = given.finalizers.unwrap_or_default();
        finalizers.push(TRACKING.to_owned());
        let mut spec = template.spec.unwrap_or_default();
        let name = job.name_any();
        let suffix = match self.index {
            Some(index) => {
                labels.insert(INDEX.to_owned(), index.to_string());
                annotations.insert(INDEX.to_owned(), index.to_string());
                spec.hostname = Some(format!("{name}-{index}"));
                for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
                    tell_index(container.env.get_or_insert_default());
                }
                format!("-{index}-")
            }
            None => "-".to_owned(),
        };
        if let Some(failures) = self.failures {
            annotations.insert(INDEX_FAILURES.to_owned(), failures.to_string());
        }
        let kept: String = name.chars().take(LONGEST_PREFIX.saturating_sub(suffix.len())).collect();
        Pod {
            metadata: ObjectMeta {
                generate_name: Some(format!("{kept}{suffix}")),
                labels: Some(labels).filter(|labels| !labels.is_empty()),
                annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
                finalizers: Some(finalizers),
                owner_references: job.controller_owner_ref(&()).map(|mut owner| {
                    owner.block_owner_deletion = Some(true);
                    vec![owner]
                }),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
            status: None,
        }
    }
}

fn tell_index(variables: &mut Vec<EnvVar>) {
    if variables.iter().any(|variable| variable.name == INDEX_VARIABLE) {
        return;
    }
    let field = ObjectFieldSelector { api_version: None, field_path: format!("metadata.labels['{INDEX}']") };
    variables.push(EnvVar {
        name: INDEX_VARIABLE.to_owned(),
        value: None,
        value_from: Some(EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() }),
    });
}
