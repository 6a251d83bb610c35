//! A task's pod, reduced to what is kept of it.

mod containers;
pub mod ending;
mod stopping;

use k8s_openapi::api::core::v1::{Pod, PodCondition, PodStatus};
use kube::{Resource, ResourceExt};

use super::crd::FlashJob;
use super::names::JOB_LABEL;
use crate::ids::JobId;
pub use containers::INITIALIZING;
pub use stopping::stop;

/// The scheduler's label with the task's position in its job.
pub const TASK_LABEL: &str = "scheduling.flash-sched.io/task-index";
/// The reason of a pod that no node takes.
pub const UNSCHEDULABLE: &str = "Unschedulable";
/// The reason of a pod that no node takes because a claim of its has no volume yet. Kubernetes has no word for it.
pub const CLAIM_NOT_BOUND: &str = "ClaimNotBound";

/// The reason of a pod whose volumes cannot be mounted: the kubelet tells it by an event only.
pub const FAILED_MOUNT: &str = "FailedMount";

/// Where a pod stands, whatever it is called in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodState {
    /// It is not running yet: being placed, or its image is being pulled.
    Starting,
    /// It runs.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended badly.
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

/// The object that controls a pod: the FlashJob that it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// What one pod says about the task it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPod {
    /// The job that its label names. Only the job's row can tell whether it is the owner's.
    pub job: JobId,
    /// The task's position in it, from 0.
    pub task: i32,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// Its uid: a later pod of the same name has another one.
    pub uid: Option<String>,
    /// The FlashJob that controls it.
    pub owner: Owner,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// Why it was stopped, where it did not end by itself: one of [`stop`].
    pub stopped: Option<&'static str>,
    /// Its node, once it has one.
    pub node: Option<String>,
    /// How new this is.
    pub version: i64,
    /// Whether a list says so. A list is the truth, even where the cluster went back to an older state.
    pub listed: bool,
    /// Whether it is there no more; the rest is what it said last.
    pub gone: bool,
    /// Whether its volumes are mounted, as far as its status says.
    pub mounted: bool,
    /// Whether an event of the cluster says what it waits for, which its status does not.
    pub troubled: bool,
    /// Where it stands.
    pub state: PodState,
    /// The machine-readable why: `OOMKilled`, `Evicted`, `ImagePullBackOff` …
    pub reason: Option<String>,
    /// The sentence to the reason.
    pub message: Option<String>,
    /// The container that `reason`, `exit_code` and `signal` are about, where the pod has several.
    pub container: Option<String>,
    /// Whether that is an init container.
    pub in_init: bool,
    /// What the process returned.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When it began to run, in seconds since 1970.
    pub started_at: Option<i64>,
    /// When it ended, in seconds since 1970.
    pub finished_at: Option<i64>,
}

impl TaskPod {
    /// Reads a pod; `None` if no FlashJob controls it or it names no job and no task. Labels alone make no task: anybody
    /// who may create a pod somewhere can write them.
    pub fn read(pod: &Pod) -> Option<Self> {
        let job = pod.labels().get(JOB_LABEL)?.parse().ok()?;
        let owner = owner_of(pod)?;
        let name = pod.name_any();
        let task = task_of(pod.labels().get(TASK_LABEL).map(String::as_str), &name)?;
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
    /// Why it was stopped, if it was, and the reason of where it stands. The pod's own, such as Evicted, says more than its
    /// containers'.
    fn why(pod: &Pod, ended: bool, telling: &containers::Telling) -> (Option<&'static str>, Option<String>) {
        let (status, stopped) = (pod.status.as_ref(), stopping::why(pod, ended, telling));
        let own = status.and_then(|status| status.reason.clone()).or_else(|| stopped.map(str::to_owned));
        (stopped, own.or_else(|| telling.reason.clone()).or_else(|| status.and_then(unplaced)))
    }

    /// Whether its containers are being made, and nothing else is told of what it waits for.
    pub fn is_being_created(&self) -> bool {
        let usual = [containers::CREATING, INITIALIZING];
        self.state == PodState::Starting && self.reason.as_deref().is_none_or(|reason| usual.contains(&reason))
    }
}

/// The FlashJob that controls a pod.
fn owner_of(pod: &Pod) -> Option<Owner> {
    let owner = pod.owner_references().iter().find(|owner| owner.controller == Some(true))?;
    let group = owner.api_version.split('/').next()?;
    (owner.kind == FlashJob::kind(&()) && group == FlashJob::group(&()))
        .then(|| Owner { name: owner.name.clone(), uid: owner.uid.clone() })
}

/// Its sandbox is made when its volumes are there.
fn is_mounted(status: &PodStatus) -> bool {
    let conditions = status.conditions.iter().flatten();
    conditions.into_iter().any(|it| it.type_ == "PodReadyToStartContainers" && it.status == "True")
}

/// Why no node takes it.
fn unplaced(status: &PodStatus) -> Option<String> {
    let refused = |condition: &&PodCondition| condition.type_ == "PodScheduled" && condition.status == "False";
    let condition = status.conditions.iter().flatten().find(refused)?;
    let message = condition.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let claim = message.contains("persistentvolumeclaim");
    Some(if claim { CLAIM_NOT_BOUND.to_owned() } else { condition.reason.clone()? })
}

/// The task's position: by its label, or by the number at the end of the pod's name where there is no label.
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
