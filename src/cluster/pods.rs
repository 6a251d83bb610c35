//! A task's pod, reduced to what is kept of it.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, Pod, PodCondition, PodStatus};
use kube::ResourceExt;

use super::names::JOB_LABEL;
use crate::ids::JobId;

/// The scheduler's label with the task's position in its job.
pub const TASK_LABEL: &str = "scheduling.flash-sched.io/task-index";
/// The reason of a pod that no node takes.
pub const UNSCHEDULABLE: &str = "Unschedulable";
/// The reason of a pod that no node takes because a claim of its has no volume yet. Kubernetes has no word for it.
pub const CLAIM_NOT_BOUND: &str = "ClaimNotBound";
/// Exit codes above this are 128 and the signal that ended the process.
const SIGNAL_BASE: i32 = 128;

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

/// What one pod says about the task it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPod {
    /// The job.
    pub job: JobId,
    /// The task's position in it.
    pub task: i32,
    /// The pod's name.
    pub name: String,
    /// Its uid: a later pod of the same name has another one.
    pub uid: Option<String>,
    /// The name of the object that it was made for, where the pod says so.
    pub owner: Option<String>,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// Its node, once it has one.
    pub node: Option<String>,
    /// How new this is.
    pub version: i64,
    /// Where it stands.
    pub state: PodState,
    /// The machine-readable why: `OOMKilled`, `Evicted`, `ImagePullBackOff` …
    pub reason: Option<String>,
    /// The sentence to the reason.
    pub message: Option<String>,
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
    /// Reads a pod; `None` if it is not a task of one of our jobs.
    pub fn read(pod: &Pod) -> Option<Self> {
        let job = pod.labels().get(JOB_LABEL)?.parse().ok()?;
        let name = pod.name_any();
        let task = task_of(pod.labels().get(TASK_LABEL).map(String::as_str), &name)?;
        let status = pod.status.as_ref();
        let state = match status.and_then(|status| status.phase.as_deref()) {
            Some("Running") => PodState::Running,
            Some("Succeeded") => PodState::Succeeded,
            Some("Failed") => PodState::Failed,
            _ => PodState::Starting,
        };
        let containers = || status.into_iter().flat_map(|status| status.container_statuses.iter().flatten());
        let states = || containers().filter_map(|container| container.state.as_ref());
        let ended = ending(states());
        let waiting = states().find_map(|state| state.waiting.as_ref());
        let running = states().find_map(|state| state.running.as_ref()?.started_at.as_ref());
        // The pod's own reason, such as Evicted, says more than its containers'.
        let reason = status
            .and_then(|status| status.reason.clone())
            .or_else(|| ended.and_then(|ended| ended.reason.clone()))
            .or_else(|| waiting.and_then(|waiting| waiting.reason.clone()))
            .or_else(|| status.and_then(unplaced));
        let message = status
            .and_then(|status| status.message.clone())
            .or_else(|| ended.and_then(|ended| ended.message.clone()))
            .or_else(|| waiting.and_then(|waiting| waiting.message.clone()));
        let exit_code = ended.map(|ended| ended.exit_code);
        let signal = ended
            .and_then(|ended| ended.signal.filter(|signal| *signal > 0))
            .or_else(|| exit_code.filter(|code| *code > SIGNAL_BASE).map(|code| code - SIGNAL_BASE));
        let began = ended.and_then(|ended| ended.started_at.as_ref()).or(running);
        Some(Self {
            job,
            task,
            name,
            uid: pod.uid(),
            owner: pod.owner_references().iter().find(|owner| owner.controller == Some(true)).map(|o| o.name.clone()),
            leaving: pod.metadata.deletion_timestamp.is_some(),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            version: pod.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0),
            state,
            reason,
            message,
            exit_code,
            signal,
            started_at: began.map(|time| time.0.as_second()),
            finished_at: ended.and_then(|ended| ended.finished_at.as_ref()).map(|time| time.0.as_second()),
        })
    }
}

/// Why no node takes it.
fn unplaced(status: &PodStatus) -> Option<String> {
    let refused = |condition: &&PodCondition| condition.type_ == "PodScheduled" && condition.status == "False";
    let condition = status.conditions.iter().flatten().find(refused)?;
    let message = condition.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let claim = message.contains("persistentvolumeclaim");
    Some(if claim { CLAIM_NOT_BOUND.to_owned() } else { condition.reason.clone()? })
}

/// How the containers ended: the one that failed, or any.
fn ending<'a>(states: impl Iterator<Item = &'a ContainerState>) -> Option<&'a ContainerStateTerminated> {
    let ended: Vec<_> = states.filter_map(|state| state.terminated.as_ref()).collect();
    ended.iter().find(|ended| ended.exit_code != 0).or(ended.first()).copied()
}

/// The task's position: by its label, or by the number at the end of the pod's name.
fn task_of(label: Option<&str>, name: &str) -> Option<i32> {
    label.and_then(|label| label.parse().ok()).or_else(|| name.rsplit('-').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(status: serde_json::Value) -> TaskPod {
        let pod = json!({
            "metadata": {
                "name": "job-01h455vb4pex5vsknk084sn02q-1",
                "resourceVersion": "42",
                "labels": { "platform.job-id": "job_01h455vb4pex5vsknk084sn02q" },
            },
            "spec": { "nodeName": "gpu-1", "containers": [] },
            "status": status,
        });
        TaskPod::read(&serde_json::from_value(pod).unwrap()).unwrap()
    }

    fn terminated(code: i32, reason: &str) -> serde_json::Value {
        json!({
            "phase": if code == 0 { "Succeeded" } else { "Failed" },
            "containerStatuses": [{
                "name": "main", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": { "exitCode": code, "reason": reason } },
            }],
        })
    }

    #[test]
    fn a_pod_s_number_is_the_task_s() {
        assert_eq!(read(json!({})).task, 1);
    }

    #[test]
    fn a_kill_for_memory_tells_code_signal_and_reason() {
        let pod = read(terminated(137, "OOMKilled"));
        assert_eq!((pod.state, pod.exit_code, pod.signal), (PodState::Failed, Some(137), Some(9)));
        assert_eq!(pod.reason.as_deref(), Some("OOMKilled"));
    }

    #[test]
    fn an_eviction_is_told_by_the_pod_itself() {
        let pod = read(json!({ "phase": "Failed", "reason": "Evicted", "message": "the node was low on memory" }));
        assert_eq!(pod.reason.as_deref(), Some("Evicted"));
        assert_eq!(pod.message.as_deref(), Some("the node was low on memory"));
    }

    #[test]
    fn a_pod_that_no_node_takes_says_whether_it_is_for_its_claim() {
        let unplaced = |message: &str| {
            let condition =
                json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message });
            read(json!({ "phase": "Pending", "conditions": [condition] })).reason
        };
        let claim = unplaced("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
        assert_eq!(claim.as_deref(), Some(CLAIM_NOT_BOUND));
        assert_eq!(unplaced("0/2 nodes are available: 2 Insufficient cpu.").as_deref(), Some(UNSCHEDULABLE));
    }

    #[test]
    fn a_good_end_has_no_signal() {
        let pod = read(terminated(0, "Completed"));
        assert_eq!((pod.state, pod.exit_code, pod.signal), (PodState::Succeeded, Some(0), None));
    }
}
