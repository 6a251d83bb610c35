//! PersistentVolumeClaims: created, made larger, deleted, and read as what a claim's row follows.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimStatus, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::client::Cluster;
use super::error::ClusterError;
use super::names::{CLAIM_LABEL, JOB_LABEL, Tenant};
use super::namespaces;
use super::text::storable;
use crate::ids::{JobId, PvcId};
use crate::quantity::Quantity;

/// Maximum length of a message that is kept, in bytes.
const LONGEST_MESSAGE: usize = 4 << 10;

/// The place of a claim in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// A claim to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The claim.
    pub id: PvcId,
    /// What its namespace belongs to, which is created if it is missing.
    pub tenant: Tenant,
    /// Where.
    pub key: ObjectKey,
    /// The storage class; the default one of the cluster if `None`.
    pub class: Option<String>,
    /// The access mode, as Kubernetes writes it.
    pub access_mode: &'static str,
    /// The size.
    pub size: String,
}

/// The phase of a claim according to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimPhase {
    /// It waits for a volume.
    Pending,
    /// It has a volume.
    Bound,
    /// Its volume is gone.
    Lost,
}

/// The state of a resize according to the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResizeStatus {
    /// The volume is growing.
    InProgress,
    /// The file system grows when a pod mounts it.
    WaitingForMount,
    /// It cannot be done, for this reason.
    Failed(String),
}

/// A claim as its object says it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimState {
    /// Where it is.
    pub key: ObjectKey,
    /// Its uid.
    pub uid: String,
    /// The version of the object.
    pub version: i64,
    /// Whether it is from a list, which is the truth, rather than from a change.
    pub listed: bool,
    /// The claim of the platform that it is, by its label.
    pub claim: Option<PvcId>,
    /// The phase.
    pub phase: ClaimPhase,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The requested size.
    pub requested: Option<Quantity>,
    /// The size of its volume.
    pub capacity: Option<Quantity>,
    /// The storage class.
    pub class: Option<String>,
    /// The access modes, as Kubernetes writes them.
    pub access_modes: Vec<String>,
    /// The name of its volume.
    pub volume_name: Option<String>,
    /// The state of a resize.
    pub resize: Option<ResizeStatus>,
}

/// The claims that a pod mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounting {
    /// The uid of the pod.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// The job that it is a task of.
    pub job: Option<JobId>,
    /// The claims, and whether each is mounted read-only.
    pub claims: Vec<(ObjectKey, bool)>,
}

/// Something that the watch saw of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A claim in the cluster.
    Claim(ClaimState),
    /// A claim is not in the cluster any more.
    Gone {
        /// Where it was.
        key: ObjectKey,
        /// Its uid.
        uid: Option<String>,
    },
    /// An event of the cluster about a claim.
    Trouble {
        /// Where it is.
        key: ObjectKey,
        /// Its uid.
        uid: Option<String>,
        /// The reason, as a word.
        reason: String,
        /// The message.
        message: String,
    },
    /// A pod that is running or about to, and mounts claims.
    Pod(Mounting),
    /// A pod that has ended.
    PodGone {
        /// Its uid.
        uid: String,
    },
}

impl Seen {
    /// The claims that it is about.
    pub fn keys(&self) -> Vec<&ObjectKey> {
        match self {
            Self::Claim(state) => vec![&state.key],
            Self::Gone { key, .. } | Self::Trouble { key, .. } => vec![key],
            Self::Pod(pod) => pod.claims.iter().map(|(key, _)| key).collect(),
            Self::PodGone { .. } => Vec::new(),
        }
    }
}

impl ClaimState {
    /// The state of an object; `None` for one without a uid, which the cluster does not have.
    pub fn read(object: &PersistentVolumeClaim, listed: bool) -> Option<Self> {
        let spec = object.spec.as_ref()?;
        let status = object.status.as_ref();
        let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
        let storage = |amounts: Option<&std::collections::BTreeMap<String, ApiQuantity>>| {
            amounts.and_then(|amounts| amounts.get("storage")?.0.parse::<Quantity>().ok())
        };
        Some(Self {
            key: key_of(object),
            uid: object.uid()?,
            version: object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0),
            listed,
            claim: object.labels().get(CLAIM_LABEL).and_then(|id| id.parse().ok()),
            phase: match status.and_then(|status| status.phase.as_deref()) {
                Some("Bound") => ClaimPhase::Bound,
                Some("Lost") => ClaimPhase::Lost,
                Some(_) | None => ClaimPhase::Pending,
            },
            deleting: object.metadata.deletion_timestamp.is_some(),
            requested: storage(requests),
            capacity: storage(status.and_then(|status| status.capacity.as_ref())),
            class: spec.storage_class_name.clone().filter(|class| !class.is_empty()),
            access_modes: spec.access_modes.clone().unwrap_or_default(),
            volume_name: spec.volume_name.clone().filter(|name| !name.is_empty()),
            resize: status.and_then(resize_status),
        })
    }
}

/// The place of an object.
pub fn key_of(object: &PersistentVolumeClaim) -> ObjectKey {
    ObjectKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

/// The state of a resize. The API's documentation ends the words for a failure in `Failed`, its code in `Infeasible`.
/// Clusters without them only have conditions.
/// <https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/persistent-volume-claim-v1/#PersistentVolumeClaimStatus>
fn resize_status(status: &PersistentVolumeClaimStatus) -> Option<ResizeStatus> {
    let condition = |names: &[&str]| {
        let conditions = status.conditions.iter().flatten();
        conditions.into_iter().find(|it| names.contains(&it.type_.as_str()) && it.status == "True")
    };
    let why = || {
        let failed = condition(&["ControllerResizeError", "NodeResizeError"]);
        let message = failed.and_then(|failed| failed.message.as_deref()).filter(|message| !message.is_empty());
        let message = message.unwrap_or("the storage driver cannot make the volume as large");
        ResizeStatus::Failed(storable(message, LONGEST_MESSAGE).into_owned())
    };
    let told = status.allocated_resource_statuses.as_ref().and_then(|statuses| statuses.get("storage"));
    match told.map(String::as_str) {
        Some(word) if word.ends_with("Infeasible") || word.ends_with("Failed") => Some(why()),
        Some("NodeResizePending") => Some(ResizeStatus::WaitingForMount),
        Some("ControllerResizeInProgress" | "NodeResizeInProgress") => Some(ResizeStatus::InProgress),
        Some(_) | None if condition(&["ControllerResizeError", "NodeResizeError"]).is_some() => Some(why()),
        Some(_) | None if condition(&["FileSystemResizePending"]).is_some() => Some(ResizeStatus::WaitingForMount),
        Some(_) | None if condition(&["Resizing"]).is_some() => Some(ResizeStatus::InProgress),
        Some(_) | None => None,
    }
}

/// The claims that a pod mounts, as long as it may use them; `None` if it mounts none.
pub fn mounting(pod: &Pod) -> Option<Mounting> {
    let (spec, uid) = (pod.spec.as_ref()?, pod.uid()?);
    let namespace = pod.namespace().unwrap_or_default();
    let read_only = |volume: &str| {
        let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let mut mounts = containers.flat_map(|container| container.volume_mounts.iter().flatten());
        mounts.all(|mount| mount.name != volume || mount.read_only == Some(true))
    };
    let claims: Vec<_> = spec
        .volumes
        .iter()
        .flatten()
        .filter_map(|volume| {
            let claim = volume.persistent_volume_claim.as_ref()?;
            let key = ObjectKey { namespace: namespace.clone(), name: claim.claim_name.clone() };
            Some((key, claim.read_only == Some(true) || read_only(&volume.name)))
        })
        .collect();
    let job = pod.labels().get(JOB_LABEL).and_then(|id| id.parse().ok());
    (!claims.is_empty()).then(|| Mounting { uid, name: pod.name_any(), job, claims })
}

/// Whether a pod has ended, so that it does not hold its claims any more.
pub fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// An event of the cluster about a claim, cleaned for PostgreSQL.
pub fn trouble(event: k8s_openapi::api::core::v1::Event) -> Option<Seen> {
    let about = event.involved_object;
    let key = ObjectKey { namespace: about.namespace?, name: about.name? };
    let message = storable(&event.message.unwrap_or_default(), LONGEST_MESSAGE).into_owned();
    Some(Seen::Trouble { key, uid: about.uid, reason: storable(&event.reason?, 128).into_owned(), message })
}

fn claims(cluster: &Cluster, namespace: &str) -> Api<PersistentVolumeClaim> {
    Api::namespaced(cluster.client(), namespace)
}

fn is_of(object: &PersistentVolumeClaim, id: PvcId) -> bool {
    object.labels().get(CLAIM_LABEL).map(String::as_str) == Some(id.to_string().as_str())
}

/// Creates a claim. An existing one with its label counts as created.
///
/// # Errors
/// [`ClusterError::AlreadyExists`] if something else has the name; `Invalid` and `Denied` are permanent.
pub async fn create(cluster: &Cluster, wanted: &Wanted) -> Result<PersistentVolumeClaim, ClusterError> {
    match create_once(cluster, wanted).await {
        Err(ClusterError::NotFound(_)) => {
            // The namespace does not exist yet, or someone has deleted it.
            namespaces::ensure(cluster, &wanted.key.namespace, wanted.tenant).await?;
            create_once(cluster, wanted).await
        }
        answer => answer,
    }
}

async fn create_once(cluster: &Cluster, wanted: &Wanted) -> Result<PersistentVolumeClaim, ClusterError> {
    let (owner_label, owner) = wanted.tenant.label();
    let object: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": {
            "name": wanted.key.name,
            "labels": {
                CLAIM_LABEL: wanted.id.to_string(),
                owner_label: owner,
                "app.kubernetes.io/managed-by": "platform",
            },
        },
        "spec": {
            "accessModes": [wanted.access_mode],
            "storageClassName": wanted.class,
            "resources": { "requests": { "storage": wanted.size } },
        },
    }))
    .map_err(|error| ClusterError::Invalid(error.to_string().into()))?;
    let api = claims(cluster, &wanted.key.namespace);
    match cluster.call(api.create(&PostParams::default(), &object)).await {
        // Created by an attempt whose response was lost.
        Err(ClusterError::AlreadyExists(message)) => {
            let found = cluster.call(api.get(&wanted.key.name)).await?;
            if is_of(&found, wanted.id) { Ok(found) } else { Err(ClusterError::AlreadyExists(message)) }
        }
        answer => answer,
    }
}

/// Asks for a larger size.
///
/// # Errors
/// The cluster's: `Invalid` and `Denied` if the claim cannot become as large.
pub async fn resize(
    cluster: &Cluster,
    key: &ObjectKey,
    uid: &str,
    size: &str,
) -> Result<PersistentVolumeClaim, ClusterError> {
    let patch = json!({ "metadata": { "uid": uid }, "spec": { "resources": { "requests": { "storage": size } } } });
    let api = claims(cluster, &key.namespace);
    cluster.call(api.patch(&key.name, &PatchParams::default(), &Patch::Merge(&patch))).await
}

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The claim no longer exists.
    Gone,
    /// It will be gone when no pod mounts it any more.
    Going,
}

/// Deletes a claim of the platform: the one with this uid, or, if it may have been created without the platform knowing,
/// the one with its label. Another one of the same name is left alone.
///
/// # Errors
/// The cluster's.
pub async fn delete(cluster: &Cluster, key: &ObjectKey, uid: Option<&str>, id: PvcId) -> Result<Deleted, ClusterError> {
    let api = claims(cluster, &key.namespace);
    let Some(found) = cluster.call(api.get_opt(&key.name)).await? else { return Ok(Deleted::Gone) };
    let is_it = match uid {
        Some(uid) => found.metadata.uid.as_deref() == Some(uid),
        None => is_of(&found, id),
    };
    if !is_it {
        return Ok(Deleted::Gone);
    }
    if found.metadata.deletion_timestamp.is_some() {
        return Ok(Deleted::Going);
    }
    let preconditions = Some(Preconditions { uid: found.uid(), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::background() };
    match cluster.call(api.delete(&key.name, &params)).await {
        Ok(_) => Ok(Deleted::Going),
        Err(ClusterError::NotFound(_) | ClusterError::Conflict(_)) => Ok(Deleted::Gone),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
