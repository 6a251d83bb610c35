//! Why a pod was stopped, according to its `DisruptionTarget` condition and its deletion.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions>

use k8s_openapi::api::core::v1::Pod;

use super::containers::Telling;

/// The reasons of a pod that was stopped and did not end by itself.
pub mod stop {
    /// It was deleted.
    pub const POD_DELETED: &str = "PodDeleted";
    /// It was evicted through the API, as by `kubectl drain`, or by the kubelet of a node that ran short of resources.
    pub const EVICTED: &str = "Evicted";
    /// Its node failed, was removed, or has a taint that the pod does not tolerate.
    pub const NODE_UNAVAILABLE: &str = "NodeUnavailable";
    /// The scheduler made room for a pod with a higher priority.
    pub const PREEMPTED_BY_SCHEDULER: &str = "PreemptedByScheduler";
    /// The kubelet stopped it, for example because its node shut down.
    pub const STOPPED_BY_KUBELET: &str = "StoppedByKubelet";

    /// All of them.
    pub const ALL: [&str; 5] = [POD_DELETED, EVICTED, NODE_UNAVAILABLE, PREEMPTED_BY_SCHEDULER, STOPPED_BY_KUBELET];

    /// Whether this is one of them.
    pub fn is_word(word: &str) -> bool {
        ALL.contains(&word)
    }
}

/// Exit codes of a process that was terminated or killed.
const TERMINATED: [i32; 2] = [143, 137];

/// Why the pod was stopped; `None` for one that was not stopped or had already ended.
pub(super) fn why(pod: &Pod, ended: bool, telling: &Telling) -> Option<&'static str> {
    let target = disruption(pod);
    if ended && target.is_none() && ended_before_deletion(pod, telling) {
        return None;
    }
    target.or_else(|| pod.metadata.deletion_timestamp.is_some().then_some(stop::POD_DELETED))
}

fn disruption(pod: &Pod) -> Option<&'static str> {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut target = conditions.into_iter().filter(|it| it.type_ == "DisruptionTarget" && it.status == "True");
    Some(match target.next()?.reason.as_deref() {
        Some("EvictionByEvictionAPI") => stop::EVICTED,
        Some("DeletionByTaintManager" | "DeletionByPodGC") => stop::NODE_UNAVAILABLE,
        Some("PreemptionByScheduler") => stop::PREEMPTED_BY_SCHEDULER,
        Some("TerminationByKubelet") => stop::STOPPED_BY_KUBELET,
        Some(_) | None => stop::POD_DELETED,
    })
}

/// Whether it had ended when its deletion was requested, in whole seconds. Within the same second the exit code
/// decides.
fn ended_before_deletion(pod: &Pod, telling: &Telling) -> bool {
    let Some(deleted) = &pod.metadata.deletion_timestamp else { return true };
    // The timestamp is when it will be gone: the grace period after the request.
    let asked = deleted.0.as_second().saturating_sub(pod.metadata.deletion_grace_period_seconds.unwrap_or(0));
    match telling.finished_at {
        Some(finished) if finished == asked => telling.exit_code.is_none_or(|code| !TERMINATED.contains(&code)),
        Some(finished) => finished < asked,
        None => false,
    }
}
