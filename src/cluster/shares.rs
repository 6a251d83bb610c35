//! A storage claim in another namespace: a second volume for the same storage, as far as its driver allows that.
//!
//! A PersistentVolumeClaim belongs to one namespace, and a volume to one claim. The same storage is therefore mounted in
//! another namespace through a second, static volume. Since Kubernetes 1.24 two volumes with the same handle can be mounted
//! on one node (kubernetes#107065); drivers whose documentation asks for different handles get one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{CSIPersistentVolumeSource, PersistentVolume, PersistentVolumeClaim};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::claims::{Deleted, ObjectKey};
use super::client::Cluster;
use super::error::ClusterError;
use super::names::{CLAIM_LABEL, Tenant};
use super::namespaces;
use crate::ids::{self, PvcId};

/// Where a shared claim says which claim it is a share of.
pub const SHARE_OF: &str = "platform.share-of";
/// What keeps the source of a share from being deleted.
pub const FINALIZER: &str = "platform/shared";
/// The annotation of in-tree volumes that are served by a driver.
/// <https://kubernetes.io/docs/concepts/storage/volumes/#csi-migration>
const MIGRATED: &str = "pv.kubernetes.io/migrated-to";
/// <https://github.com/kubernetes-csi/csi-driver-nfs/blob/master/docs/driver-parameters.md>
const CSI_NFS: &str = "nfs.csi.k8s.io";
/// <https://github.com/ceph/ceph-csi/blob/devel/docs/static-pvc.md>
const CEPH_FS: &str = "cephfs.csi.ceph.com";
/// <https://longhorn.io/docs/latest/nodes-and-volumes/volumes/rwx-volumes/>
const LONGHORN: &str = "driver.longhorn.io";
/// The storage class of both objects: none, so that nothing is provisioned.
const NO_CLASS: &str = "";

/// A share to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The claim that it becomes.
    pub id: PvcId,
    /// The claim whose storage it shows.
    pub source: PvcId,
    /// Where.
    pub key: ObjectKey,
    /// The label of what its namespace belongs to.
    pub owner: (&'static str, String),
    /// Whether nobody can write through it.
    pub read_only: bool,
}

/// The two objects of a share.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The volume.
    pub volume: PersistentVolume,
    /// The claim.
    pub claim: PersistentVolumeClaim,
}

/// Why storage cannot be shared, and what to do instead: a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unshareable(pub String);

/// The name of the volume of a share: `share-` and the 26 characters of its id.
pub fn volume_name(id: PvcId) -> String {
    format!("share-{}", ids::suffix(id.uuid()))
}

/// How the volumes of a driver are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strategy {
    /// With the same handle.
    SameHandle,
    /// With a handle of its own, for the same server and path.
    OwnHandle,
    /// As a static volume of CephFS, with the path of the subvolume.
    CephFs,
}

fn strategy(driver: &str, allowed: &[String]) -> Option<Strategy> {
    match driver {
        CSI_NFS => Some(Strategy::OwnHandle),
        CEPH_FS => Some(Strategy::CephFs),
        LONGHORN => Some(Strategy::SameHandle),
        other if allowed.iter().any(|name| name == other) => Some(Strategy::SameHandle),
        _ => None,
    }
}

/// The objects of a share of `volume`, which is that of the claim `source`. `allowed` are the drivers whose volumes an operator
/// lets share with the same handle.
///
/// # Errors
/// The reason why its storage cannot be shared.
pub fn plan(
    source: &PersistentVolumeClaim,
    volume: &PersistentVolume,
    share: &Share,
    allowed: &[String],
) -> Result<Pair, Unshareable> {
    check(source, volume)?;
    let spec = volume.spec.as_ref().ok_or_else(|| no("its volume is empty"))?;
    let mut shared = json!({
        "accessModes": [if share.read_only { "ReadOnlyMany" } else { "ReadWriteMany" }],
        "capacity": spec.capacity,
        "claimRef": { "namespace": share.key.namespace, "name": share.key.name },
        "mountOptions": spec.mount_options,
        "nodeAffinity": spec.node_affinity,
        // With Delete, the storage would go with the share.
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": NO_CLASS,
        "volumeMode": "Filesystem",
    });
    if let Some(nfs) = &spec.nfs {
        let read_only = share.read_only || nfs.read_only == Some(true);
        shared["nfs"] = json!({ "server": nfs.server, "path": nfs.path, "readOnly": read_only });
    } else if let Some(csi) = &spec.csi {
        let source = of_driver(csi, share, allowed)?;
        shared["csi"] = serde_json::to_value(source).map_err(|error| no(&error.to_string()))?;
    } else {
        return Err(no("its volume is neither one of NFS nor of a storage driver (CSI)"));
    }
    let (owner_label, owner) = &share.owner;
    let labels = json!({
        CLAIM_LABEL: share.id.to_string(), SHARE_OF: share.source.to_string(), *owner_label: owner,
        "app.kubernetes.io/managed-by": "platform",
    });
    let name = volume_name(share.id);
    let claim = json!({
        "metadata": { "name": share.key.name, "labels": labels },
        "spec": {
            "accessModes": shared["accessModes"], "storageClassName": NO_CLASS, "volumeName": name,
            "resources": { "requests": { "storage": shared["capacity"]["storage"] } },
        },
    });
    let volume = json!({ "metadata": { "name": name, "labels": labels }, "spec": shared });
    let unreadable = |error: serde_json::Error| no(&error.to_string());
    Ok(Pair {
        volume: serde_json::from_value(volume).map_err(unreadable)?,
        claim: serde_json::from_value(claim).map_err(unreadable)?,
    })
}

fn no(why: &str) -> Unshareable {
    Unshareable(format!("{why}; create a claim in the project and copy the data"))
}

/// What keeps every kind of storage from being shared.
fn check(source: &PersistentVolumeClaim, volume: &PersistentVolume) -> Result<(), Unshareable> {
    let spec = volume.spec.as_ref();
    if source.labels().contains_key(SHARE_OF) || volume.labels().contains_key(SHARE_OF) {
        return Err(Unshareable("it is a share itself; share the claim that it is a share of".to_owned()));
    }
    if volume.annotations().contains_key(MIGRATED) {
        return Err(no("its volume is of a kind that Kubernetes has replaced by a storage driver"));
    }
    if spec.and_then(|spec| spec.volume_mode.as_deref()) == Some("Block") {
        return Err(no("it is a block device, which has no files to share"));
    }
    let modes = spec.and_then(|spec| spec.access_modes.as_deref()).unwrap_or_default();
    if modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        return Err(no("its access mode is READ_WRITE_ONCE_POD: a single pod can mount it"));
    }
    if !modes.iter().any(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany") {
        return Err(no("its access mode is READ_WRITE_ONCE: pods on a single node can mount it"));
    }
    if spec.is_some_and(|spec| spec.local.is_some() || spec.host_path.is_some()) {
        return Err(no("its volume is a folder of one node"));
    }
    Ok(())
}

fn of_driver(
    csi: &CSIPersistentVolumeSource,
    share: &Share,
    allowed: &[String],
) -> Result<CSIPersistentVolumeSource, Unshareable> {
    let Some(strategy) = strategy(&csi.driver, allowed) else {
        return Err(no(&format!(
            "the storage driver {} is not known to mount a volume twice; an operator can allow it with STORAGE_SHARED_DRIVERS",
            csi.driver
        )));
    };
    let mut shared =
        CSIPersistentVolumeSource { read_only: share.read_only.then_some(true).or(csi.read_only), ..csi.clone() };
    match strategy {
        Strategy::SameHandle => {}
        Strategy::OwnHandle => {
            let attributes = csi.volume_attributes.as_ref();
            let has = |name: &str| attributes.is_some_and(|attributes| attributes.contains_key(name));
            if !has("server") || !has("share") {
                return Err(no("its volume does not say which server and path it is"));
            }
            shared.volume_handle = format!("{}#{}", csi.volume_handle, ids::suffix(share.id.uuid()));
        }
        Strategy::CephFs => {
            let attributes = csi.volume_attributes.clone().unwrap_or_default();
            let path = attributes.get("subvolumePath").or_else(|| attributes.get("rootPath")).cloned();
            let Some(path) = path else { return Err(no("its volume does not say which path of CephFS it is")) };
            let kept = ["clusterID", "fsName", "mounter", "kernelMountOptions", "fuseMountOptions"];
            let kept = kept.into_iter().filter_map(|name| Some((name.to_owned(), attributes.get(name)?.clone())));
            let own = [("staticVolume", "true".to_owned()), ("rootPath", path)];
            let own = own.map(|(name, value)| (name.to_owned(), value));
            shared.volume_attributes = Some(kept.chain(own).collect::<BTreeMap<_, _>>());
            shared.volume_handle = volume_name(share.id);
        }
    }
    Ok(shared)
}

/// Why a share was not made.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// Its source has no volume yet.
    #[error("the source of the share has no volume yet")]
    NotBound,
    /// The storage cannot be shared.
    #[error(transparent)]
    Unshareable(#[from] Unshareable),
    /// The cluster's.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

fn claims(cluster: &Cluster, namespace: &str) -> Api<PersistentVolumeClaim> {
    Api::namespaced(cluster.client(), namespace)
}

fn volumes(cluster: &Cluster) -> Api<PersistentVolume> {
    Api::all(cluster.client())
}

/// The objects of a share as they would be made.
///
/// # Errors
/// As [`ShareError`] says.
pub async fn planned(
    cluster: &Cluster,
    source: &ObjectKey,
    share: &Share,
    allowed: &[String],
) -> Result<(PersistentVolumeClaim, Pair), ShareError> {
    let found = cluster.call(claims(cluster, &source.namespace).get_opt(&source.name)).await?;
    let found = found.ok_or(ShareError::NotBound)?;
    let is_bound = found.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
    let name = found.spec.as_ref().and_then(|spec| spec.volume_name.clone()).filter(|_| is_bound);
    let name = name.ok_or(ShareError::NotBound)?;
    let volume = cluster.call(volumes(cluster).get_opt(&name)).await?.ok_or(ShareError::NotBound)?;
    let pair = plan(&found, &volume, share, allowed)?;
    Ok((found, pair))
}

/// Makes the objects of a share. Every step can be repeated: what exists with its label counts as made.
///
/// # Errors
/// As [`ShareError`] says.
pub async fn make(
    cluster: &Cluster,
    source: &ObjectKey,
    share: &Share,
    tenant: Tenant,
    allowed: &[String],
) -> Result<PersistentVolumeClaim, ShareError> {
    let (found, pair) = planned(cluster, source, share, allowed).await?;
    // First of all: from now on the source does not go before the share.
    protect(cluster, source, &found).await?;
    let name = volume_name(share.id);
    match cluster.call(volumes(cluster).create(&PostParams::default(), &pair.volume)).await {
        Ok(_) => {}
        Err(ClusterError::AlreadyExists(message)) => {
            let known = cluster.call(volumes(cluster).get(&name)).await?;
            if !is_of(known.labels(), share.id) {
                return Err(ClusterError::AlreadyExists(message).into());
            }
        }
        Err(error) => return Err(error.into()),
    }
    let api = claims(cluster, &share.key.namespace);
    let mut created = cluster.call(api.create(&PostParams::default(), &pair.claim)).await;
    if let Err(ClusterError::NotFound(_)) = created {
        namespaces::ensure(cluster, &share.key.namespace, tenant).await?;
        created = cluster.call(api.create(&PostParams::default(), &pair.claim)).await;
    }
    match created {
        Err(ClusterError::AlreadyExists(message)) => {
            let known = cluster.call(api.get(&share.key.name)).await?;
            if is_of(known.labels(), share.id) { Ok(known) } else { Err(ClusterError::AlreadyExists(message).into()) }
        }
        answer => Ok(answer?),
    }
}

fn is_of(labels: &BTreeMap<String, String>, id: PvcId) -> bool {
    labels.get(CLAIM_LABEL).map(String::as_str) == Some(id.to_string().as_str())
}

async fn protect(cluster: &Cluster, key: &ObjectKey, found: &PersistentVolumeClaim) -> Result<(), ClusterError> {
    let mut finalizers = found.finalizers().to_vec();
    if finalizers.iter().any(|name| name == FINALIZER) {
        return Ok(());
    }
    finalizers.push(FINALIZER.to_owned());
    set_finalizers(cluster, key, found, &finalizers).await
}

/// With the version, so that nobody else's finalizer is lost.
async fn set_finalizers(
    cluster: &Cluster,
    key: &ObjectKey,
    found: &PersistentVolumeClaim,
    finalizers: &[String],
) -> Result<(), ClusterError> {
    let version = &found.metadata.resource_version;
    let patch = json!({ "metadata": { "finalizers": finalizers, "resourceVersion": version } });
    let api = claims(cluster, &key.namespace);
    cluster.call(api.patch(&key.name, &PatchParams::default(), &Patch::Merge(&patch))).await.map(drop)
}

/// The volume of a share says that it is this large.
///
/// # Errors
/// The cluster's.
pub async fn grow(cluster: &Cluster, share: PvcId, size: &str) -> Result<(), ClusterError> {
    let patch = json!({ "spec": { "capacity": { "storage": size } } });
    let name = volume_name(share);
    cluster.call(volumes(cluster).patch(&name, &PatchParams::default(), &Patch::Merge(&patch))).await.map(drop)
}

/// Removes the volume of a share, and the protection of `source`, if there is one that has no other share. The storage stays:
/// it is the source's.
///
/// # Errors
/// The cluster's.
pub async fn remove(cluster: &Cluster, share: PvcId, source: Option<&ObjectKey>) -> Result<Deleted, ClusterError> {
    let name = volume_name(share);
    if let Some(found) = cluster.call(volumes(cluster).get_opt(&name)).await? {
        if !is_of(found.labels(), share) {
            tracing::warn!(volume = name, "the volume of a share belongs to something else");
        } else if found.metadata.deletion_timestamp.is_some() {
            return Ok(Deleted::Going);
        } else {
            match cluster.call(volumes(cluster).delete(&name, &DeleteParams::background())).await {
                Ok(_) => return Ok(Deleted::Going),
                Err(ClusterError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let Some(source) = source else { return Ok(Deleted::Gone) };
    let Some(found) = cluster.call(claims(cluster, &source.namespace).get_opt(&source.name)).await? else {
        return Ok(Deleted::Gone);
    };
    if found.finalizers().iter().any(|name| name == FINALIZER) {
        let left: Vec<_> = found.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
        match set_finalizers(cluster, source, &found, &left).await {
            Ok(()) | Err(ClusterError::NotFound(_)) => {}
            Err(ClusterError::Conflict(_)) => return Ok(Deleted::Going),
            Err(error) => return Err(error),
        }
    }
    Ok(Deleted::Gone)
}

#[cfg(test)]
#[path = "shares_tests.rs"]
mod tests;
