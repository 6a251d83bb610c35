//! Which runs of a pod's containers have logs.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};
use kube::{Api, ResourceExt};

use crate::cluster::{Cluster, ClusterError};

/// The part of a container's status that a reader of its log needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// Its restart count: the number of its current or last run.
    pub restarts: i32,
    /// Whether it has ever started.
    pub has_begun: bool,
    /// Whether it has ended and is not restarted: its log is complete.
    pub is_final: bool,
}

/// Reads the states of the containers of the pod with this uid.
///
/// # Errors
/// [`ClusterError::NotFound`] if the pod no longer exists; the cluster's.
pub async fn glance(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    uid: &str,
) -> Result<HashMap<String, Glance>, ClusterError> {
    let pods = Api::<Pod>::namespaced(cluster.client(), namespace);
    match cluster.call(pods.get_opt(pod)).await? {
        Some(found) if found.uid().as_deref() == Some(uid) => Ok(of_pod(&found)),
        Some(_) => Err(ClusterError::NotFound(format!("the pod {pod} does not have the uid {uid}"))),
        None => Err(ClusterError::NotFound(format!("the pod {pod} with the uid {uid} no longer exists"))),
    }
}

fn of_pod(pod: &Pod) -> HashMap<String, Glance> {
    let (Some(spec), Some(status)) = (&pod.spec, &pod.status) else { return HashMap::new() };
    let over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    // An init container that succeeded is not restarted.
    let of_init = if policy == "Never" { "Never" } else { "OnFailure" };
    let init =
        (spec.init_containers.as_deref().unwrap_or_default(), status.init_container_statuses.as_deref(), of_init);
    let main = (spec.containers.as_slice(), status.container_statuses.as_deref(), policy);
    let all = [init, main].into_iter().flat_map(|(containers, statuses, policy)| {
        let statuses = statuses.unwrap_or_default().iter();
        statuses.map(move |status| {
            let own = containers.iter().find(|container| container.name == status.name).and_then(own_policy);
            (status.name.clone(), of_container(status, own.unwrap_or(policy), over))
        })
    });
    all.collect()
}

fn own_policy(container: &Container) -> Option<&str> {
    container.restart_policy.as_deref()
}

fn of_container(status: &ContainerStatus, policy: &str, over: bool) -> Glance {
    let state = status.state.as_ref();
    let ended = state.and_then(|state| state.terminated.as_ref());
    let ran_before = status.last_state.as_ref().is_some_and(|state| state.terminated.is_some());
    let stays = |code: i32| policy == "Never" || policy == "OnFailure" && code == 0;
    Glance {
        restarts: status.restart_count.max(0),
        has_begun: ended.is_some() || ran_before || state.is_some_and(|state| state.running.is_some()),
        is_final: over || ended.is_some_and(|ended| stays(ended.exit_code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_s_log_is_whole_when_it_is_not_started_again() {
        let glance = |policy: &str, state: serde_json::Value| {
            let pod = json!({
                "metadata": { "name": "p" },
                "spec": { "restartPolicy": policy, "containers": [{ "name": "a" }] },
                "status": { "phase": "Running", "containerStatuses": [{
                    "name": "a", "image": "x", "imageID": "", "ready": false, "restartCount": 2, "state": state }] },
            });
            of_pod(&serde_json::from_value(pod).unwrap())["a"]
        };
        let ended = |code: i32| json!({ "terminated": { "exitCode": code } });
        assert!(glance("Never", ended(1)).is_final);
        assert!(glance("OnFailure", ended(0)).is_final);
        assert!(!glance("OnFailure", ended(1)).is_final);
        assert!(!glance("Always", ended(0)).is_final);
        let waits = glance("Never", json!({ "waiting": { "reason": "ContainerCreating" } }));
        assert_eq!((waits.restarts, waits.has_begun, waits.is_final), (2, false, false));
    }
}
