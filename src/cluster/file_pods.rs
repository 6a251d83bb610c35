//! The pods that show the files of claims: one a claim, with a file server on the loopback that only the API server's
//! port-forward reaches.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::claims::{Deleted, has_ended};
use super::client::Cluster;
use super::error::ClusterError;
use super::names::{CLAIM_LABEL, FILES_LABEL, Tenant, file_pod};
use super::namespaces;
use super::text::storable;
use crate::config::FilesConfig;
use crate::ids::{self, PvcId};

/// The port of the server that only reads.
pub const READ_PORT: u16 = 5000;
/// The port of the server that also writes.
pub const WRITE_PORT: u16 = 5001;
/// Where the volume is in the containers.
const VOLUME: &str = "/data";
/// Maximum length of a message that is kept, in bytes.
const LONGEST_MESSAGE: usize = 1 << 10;
/// Seconds that a server gets to end.
const GRACE_SECONDS: u32 = 2;

/// A pod to show the files of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePod {
    /// The claim.
    pub claim: PvcId,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub claim_name: String,
    /// What the namespace belongs to.
    pub tenant: Tenant,
    /// Whether nobody can write through the claim.
    pub read_only: bool,
    /// A pod that mounts the claim, if the claim can be mounted on one node only: the new one must be on its node.
    pub beside: Option<String>,
}

/// What became of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does not run yet, for this reason.
    Starting(String),
    /// Its containers run.
    Running,
    /// It has ended, for this reason, and is in the way of another one.
    Ended(String),
}

/// The prefix of all paths of the servers of a claim: `/files/` and its 26 characters.
pub fn path_prefix(claim: PvcId) -> String {
    format!("/files/{}", ids::suffix(claim.uuid()))
}

/// Creates the pod if it is missing, and says how it is.
///
/// # Errors
/// [`ClusterError::AlreadyExists`] if something else has its name; `Invalid` and `Denied` do not pass by themselves.
pub async fn ensure(cluster: &Cluster, pod: &FilePod, config: &FilesConfig) -> Result<State, ClusterError> {
    let name = file_pod(pod.claim);
    let api: Api<Pod> = Api::namespaced(cluster.client(), &pod.namespace);
    let found = match cluster.call(api.get_opt(&name)).await? {
        Some(found) => found,
        None => {
            namespaces::keep_from_files(cluster, &pod.namespace).await?;
            let node = match &pod.beside {
                Some(other) => cluster.call(api.get_opt(other)).await?.and_then(|other| other.spec?.node_name),
                None => None,
            };
            let object = serde_json::from_value(manifest(pod, node.as_deref(), config))
                .map_err(|error| ClusterError::Invalid(error.to_string().into()))?;
            match cluster.call(api.create(&PostParams::default(), &object)).await {
                // Another replica was first.
                Err(ClusterError::AlreadyExists(_)) => cluster.call(api.get(&name)).await?,
                created => created?,
            }
        }
    };
    if !is_of(&found, pod.claim) {
        return Err(ClusterError::AlreadyExists(format!("a pod named {name} exists that is not the platform's")));
    }
    Ok(state(&found))
}

/// Deletes the pod of a claim. A pod of the same name that is not the platform's is left alone.
///
/// # Errors
/// The cluster's.
pub async fn stop(cluster: &Cluster, namespace: &str, claim: PvcId) -> Result<Deleted, ClusterError> {
    let name = file_pod(claim);
    let api: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let Some(found) = cluster.call(api.get_opt(&name)).await? else { return Ok(Deleted::Gone) };
    if !is_of(&found, claim) {
        return Ok(Deleted::Gone);
    }
    if found.metadata.deletion_timestamp.is_some() {
        return Ok(Deleted::Going);
    }
    let preconditions = Some(Preconditions { uid: found.uid(), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::background() }.grace_period(GRACE_SECONDS);
    match cluster.call(api.delete(&name, &params)).await {
        Ok(_) => Ok(Deleted::Going),
        Err(ClusterError::NotFound(_) | ClusterError::Conflict(_)) => Ok(Deleted::Gone),
        Err(error) => Err(error),
    }
}

fn is_of(pod: &Pod, claim: PvcId) -> bool {
    pod.labels().contains_key(FILES_LABEL)
        && pod.labels().get(CLAIM_LABEL).map(String::as_str) == Some(claim.to_string().as_str())
}

fn state(pod: &Pod) -> State {
    let status = pod.status.clone().unwrap_or_default();
    if pod.metadata.deletion_timestamp.is_some() {
        return State::Starting("Waiting for the previous pod of the claim to end.".to_owned());
    }
    if has_ended(pod) {
        let why = status.message.or(status.reason).unwrap_or_else(|| "the file server has ended".to_owned());
        return State::Ended(said("The pod has ended", &why));
    }
    let expected = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let runs = |container: &ContainerStatus| container.state.as_ref().is_some_and(|state| state.running.is_some());
    match containers.iter().filter(|container| runs(container)).count() {
        running if running > 0 && running == expected => State::Running,
        _ => State::Starting(waiting(&status)),
    }
}

/// What a pod waits for, in a sentence.
fn waiting(status: &PodStatus) -> String {
    let unscheduled = status.conditions.iter().flatten().find(|it| it.type_ == "PodScheduled" && it.status == "False");
    if let Some(condition) = unscheduled {
        let why = condition.message.as_deref().unwrap_or("no node fits");
        return said("The pod cannot be scheduled yet", why);
    }
    for container in status.container_statuses.iter().flatten() {
        let state = container.state.clone().unwrap_or_default();
        let waiting = state.waiting.map(|waiting| (waiting.reason.unwrap_or_default(), waiting.message));
        let ended = state.terminated.map(|ended| (format!("exit code {}", ended.exit_code), ended.message));
        match waiting {
            Some((reason, _)) if matches!(reason.as_str(), "ContainerCreating" | "PodInitializing" | "") => {}
            Some((reason, message)) if reason == "ErrImagePull" || reason == "ImagePullBackOff" => {
                return said("The image of the file server cannot be pulled", &message.unwrap_or(reason));
            }
            Some((reason, message)) => {
                return said("The file server does not start", &message.unwrap_or(reason));
            }
            None => {
                if let Some((code, message)) = ended {
                    return said("The file server has ended", &message.unwrap_or(code));
                }
            }
        }
    }
    "The pod is being started: its volume is mounted and its image pulled.".to_owned()
}

fn said(what: &str, why: &str) -> String {
    let why = storable(why, LONGEST_MESSAGE);
    format!("{what}: {}.", why.trim_end_matches('.'))
}

fn manifest(pod: &FilePod, node: Option<&str>, config: &FilesConfig) -> Value {
    let mut containers = vec![container(pod, config, "read", READ_PORT)];
    if !pod.read_only {
        containers.push(container(pod, config, "write", WRITE_PORT));
    }
    let (owner_label, owner) = pod.tenant.label();
    let labels = BTreeMap::from([
        (CLAIM_LABEL, pod.claim.to_string()),
        (FILES_LABEL, "true".to_owned()),
        (owner_label, owner),
        ("app.kubernetes.io/managed-by", "platform".to_owned()),
    ]);
    let affinity = node.map(|node| {
        let here = json!({ "key": "metadata.name", "operator": "In", "values": [node] });
        json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchFields": [here] }],
        } } })
    });
    json!({
        "metadata": { "name": file_pod(pod.claim), "labels": labels },
        "spec": {
            "containers": containers,
            "volumes": [{
                "name": "files",
                "persistentVolumeClaim": { "claimName": pod.claim_name, "readOnly": pod.read_only },
            }],
            "affinity": affinity,
            // A server that crashes is started again on the node; a pod that was evicted is replaced.
            "restartPolicy": "OnFailure",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": config.uid,
                "runAsGroup": config.gid,
                "fsGroup": config.gid,
                // Volumes of many files are not walked at every start.
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": { "type": "RuntimeDefault" },
            },
        },
    })
}

fn container(pod: &FilePod, config: &FilesConfig, name: &str, port: u16) -> Value {
    let port_text = port.to_string();
    let prefix = path_prefix(pod.claim);
    let mut args = vec![VOLUME, "--bind", "127.0.0.1", "--port", &port_text, "--path-prefix", &prefix];
    let writes = port == WRITE_PORT;
    if writes {
        args.extend(["--allow-upload", "--allow-delete"]);
    }
    args.extend(["--allow-search", "--allow-archive"]);
    json!({
        "name": name,
        "image": config.image,
        "args": args,
        // The names of files are nothing for a log that all members of a project can read.
        "env": [{ "name": "DUFS_LOG_FORMAT", "value": "" }],
        "volumeMounts": [{ "name": "files", "mountPath": VOLUME, "readOnly": !writes }],
        "resources": {
            "requests": { "cpu": "10m", "memory": "32Mi" },
            "limits": { "cpu": "1", "memory": "256Mi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
    })
}

#[cfg(test)]
#[path = "file_pods_tests.rs"]
mod tests;
