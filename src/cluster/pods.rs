//! A task's pod, reduced to the fields that the platform keeps.

mod containers;
pub mod ending;
mod stopping;

use k8s_openapi::api::core::v1::{Pod, PodCondition, PodStatus};
use kube::{Resource, ResourceExt};

use super::crd::FlashJob;
use super::jobs::{FIRST_TASK, INDEX, WHOLE, WHOLE_UID, is_job};
use super::names::JOB_LABEL;
use crate::ids::JobId;
pub use containers::INITIALIZING;
pub use stopping::stop;

/// The scheduler's label with the task's position in its job.
pub const TASK_LABEL: &str = "scheduling.flash-sched.io/task-index";
/// Reason of a pod that fits on no node.
pub const UNSCHEDULABLE: &str = "Unschedulable";
/// Reason of a pod that cannot be scheduled because one of its claims is not bound. Kubernetes has no word for it.
pub const CLAIM_NOT_BOUND: &str = "ClaimNotBound";

/// Reason of a pod whose volumes cannot be mounted: the kubelet reports it as an event only.
pub const FAILED_MOUNT: &str = "FailedMount";

/// The state of a pod, independent of the cluster's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodState {
    /// It is not running yet: it is being scheduled, or its image is being pulled.
    Starting,
    /// It is running.
    Running,
    /// It ended successfully.
    Succeeded,
    /// It failed.
    Failed,
}

impl PodState {
    fn of(status: Option<&PodStatus>) -> Self {
        match status.and_then(|status| status.phase.as_deref()) {
            Some("Running") => Self::Running,
            Some("Succeeded") => Self::Succeeded,
            Some("Failed") => Self::Failed,
            _ => Self::Starting,
        }
    }

    fn is_end(self) -> bool {
        match self {
            Self::Starting | Self::Running => false,
            Self::Succeeded | Self::Failed => true,
        }
    }
}

/// The kind of object that a pod was created for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerKind {
    /// A FlashJob of the Flash scheduler.
    FlashJob,
    /// A Kubernetes Job.
    Job,
}

/// The object of a job that a pod was created for: the FlashJob that controls it, or the Job that stands for the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// What a pod reports about the task it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPod {
    /// The job that its label names. Only the job's row can tell whether it is also the owner's job.
    pub job: JobId,
    /// The index of the task in its job, from 0.
    pub task: i32,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// Its uid: a later pod with the same name has a different one.
    pub uid: Option<String>,
    /// The object that it was created for.
    pub owner: Owner,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// Why it was stopped, if it did not end by itself: one of [`stop`].
    pub stopped: Option<&'static str>,
    /// Its node, once it is scheduled.
    pub node: Option<String>,
    /// The resource version of this observation.
    pub version: i64,
    /// Whether it comes from a list. A list is authoritative, even if the cluster has returned to an older state.
    pub listed: bool,
    /// Whether the pod no longer exists; the other fields are the last ones reported.
    pub gone: bool,
    /// Whether its volumes are mounted, according to its status.
    pub mounted: bool,
    /// Whether an event of the cluster, rather than its status, says what it is waiting for.
    pub troubled: bool,
    /// Its state.
    pub state: PodState,
    /// Machine-readable reason of the state: `OOMKilled`, `Evicted`, `ImagePullBackOff` …
    pub reason: Option<String>,
    /// Human-readable explanation of the reason.
    pub message: Option<String>,
    /// The container that `reason`, `exit_code` and `signal` refer to, if the pod has several.
    pub container: Option<String>,
    /// Whether that container is an init container.
    pub in_init: bool,
    /// The exit code of the process.
    pub exit_code: Option<i32>,
    /// The signal that ended the process.
    pub signal: Option<i32>,
    /// When it started running, in seconds since 1970.
    pub started_at: Option<i64>,
    /// When it ended, in seconds since 1970.
    pub finished_at: Option<i64>,
}

impl TaskPod {
    /// Reads a pod; `None` if neither a FlashJob nor a Job controls it, or if it names no job or no task. Labels alone
    /// are not enough: anyone who may create a pod can set them.
    pub fn read(pod: &Pod) -> Option<Self> {
        Self::read_with_kind(pod).map(|(_, pod)| pod)
    }

    /// The same, with the kind of what controls it.
    pub fn read_with_kind(pod: &Pod) -> Option<(OwnerKind, Self)> {
        let (kind, owner) = owner_of(pod)?;
        let name = pod.name_any();
        let task = match kind {
            OwnerKind::FlashJob => task_of(pod.labels().get(TASK_LABEL).map(String::as_str), &name)?,
            OwnerKind::Job => task_of_job(pod)?,
        };
        Some((kind, Self::of_task(pod, owner, (name, task))?))
    }

    fn of_task(pod: &Pod, owner: Owner, (name, task): (String, i32)) -> Option<Self> {
        let job = pod.labels().get(JOB_LABEL)?.parse().ok()?;
        let status = pod.status.as_ref();
        let state = PodState::of(status);
        let telling = containers::telling(pod, state.is_end());
        let (stopped, reason) = Self::why(pod, state.is_end(), &telling);
        Some(Self {
            job,
            task,
            namespace: pod.namespace().unwrap_or_default(),
            name,
            uid: pod.uid(),
            owner,
            leaving: pod.metadata.deletion_timestamp.is_some(),
            stopped,
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            version: pod.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0),
            listed: false,
            gone: false,
            mounted: status.is_some_and(is_mounted),
            troubled: false,
            state,
            reason,
            message: status.and_then(|status| status.message.clone()).or(telling.message),
            container: telling.container.filter(|_| containers::count(pod) > 1),
            in_init: telling.in_init,
            exit_code: telling.exit_code,
            signal: telling.signal,
            started_at: telling.started_at,
            finished_at: telling.finished_at,
        })
    }
}

impl TaskPod {
    /// Why it was stopped, if it was, and the reason of its state. A reason of the pod itself, such as Evicted, is more
    /// specific than those of its containers.
    fn why(pod: &Pod, ended: bool, telling: &containers::Telling) -> (Option<&'static str>, Option<String>) {
        let (status, stopped) = (pod.status.as_ref(), stopping::why(pod, ended, telling));
        let own = status.and_then(|status| status.reason.clone()).or_else(|| stopped.map(str::to_owned));
        (stopped, own.or_else(|| telling.reason.clone()).or_else(|| status.and_then(unplaced)))
    }

    /// Whether its containers are being created and nothing else is known about what it is waiting for.
    pub fn is_being_created(&self) -> bool {
        let usual = [containers::CREATING, INITIALIZING];
        self.state == PodState::Starting && self.reason.as_deref().is_none_or(|reason| usual.contains(&reason))
    }
}

/// The object of a job that a pod was created for.
fn owner_of(pod: &Pod) -> Option<(OwnerKind, Owner)> {
    let owner = pod.owner_references().iter().find(|owner| owner.controller == Some(true))?;
    let group = owner.api_version.split('/').next()?;
    let (name, uid) = (owner.name.clone(), owner.uid.clone());
    if owner.kind == FlashJob::kind(&()) && group == FlashJob::group(&()) {
        return Some((OwnerKind::FlashJob, Owner { name, uid }));
    }
    // The Job of a later part of the job is not the one that stands for it.
    let whole = pod.annotations().get(WHOLE).cloned().zip(pod.annotations().get(WHOLE_UID).cloned());
    let (name, uid) = whole.unwrap_or((name, uid));
    is_job(owner).then_some((OwnerKind::Job, Owner { name, uid }))
}

/// The index of the task that a pod of a Job runs: its own index behind the tasks of the parts before.
fn task_of_job(pod: &Pod) -> Option<i32> {
    let index: i32 = pod.labels().get(INDEX).or_else(|| pod.annotations().get(INDEX))?.parse().ok()?;
    let first: i32 = pod.annotations().get(FIRST_TASK).map_or(Some(0), |first| first.parse().ok())?;
    first.checked_add(index).filter(|task| index >= 0 && *task >= index)
}

/// Whether its sandbox exists, which is created after its volumes are mounted.
fn is_mounted(status: &PodStatus) -> bool {
    let conditions = status.conditions.iter().flatten();
    conditions.into_iter().any(|it| it.type_ == "PodReadyToStartContainers" && it.status == "True")
}

/// Why it cannot be scheduled.
fn unplaced(status: &PodStatus) -> Option<String> {
    let refused = |condition: &&PodCondition| condition.type_ == "PodScheduled" && condition.status == "False";
    let condition = status.conditions.iter().flatten().find(refused)?;
    let message = condition.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let claim = message.contains("persistentvolumeclaim");
    Some(if claim { CLAIM_NOT_BOUND.to_owned() } else { condition.reason.clone()? })
}

/// The index of the task: from its label, or from the number at the end of the pod's name if there is no label.
fn task_of(label: Option<&str>, name: &str) -> Option<i32> {
    let index = match label {
        Some(label) => label.parse::<i32>(),
        None => name.rsplit('-').next()?.parse(),
    };
    index.ok().filter(|index| *index >= 0)
}

#[cfg(test)]
#[path = "pods/tests.rs"]
mod tests;
