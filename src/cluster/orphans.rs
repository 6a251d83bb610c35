//! What the platform has created in the cluster, as far as it can be left behind: namespaces, storage claims, volumes and pods of file
//! servers. Which of them nobody knows any more is decided by who knows the rows.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::client::Cluster;
use super::error::ClusterError;
use super::names::{CLAIM_LABEL, FILES_LABEL, GROUP_LABEL, PROJECT_LABEL, Tenant, USER_LABEL, tenant_of};
use super::shares::{FINALIZER, SHARE_OF};
use crate::ids::PvcId;
use crate::quantity::Quantity;

/// Objects in a page of a list.
const PAGE: u32 = 500;
/// How often a claim is released that is changed at the same time.
const RELEASES: usize = 5;

/// The kind of an object that can be left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The pod of a file server.
    FilePod,
    /// A storage claim.
    Claim,
    /// A volume.
    Volume,
    /// A namespace.
    Namespace,
}

/// An object that the platform has created, or that storage of it has become.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; `None` for volumes and namespaces.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// What it belongs to according to its labels, or to its namespace.
    pub tenant: Option<Tenant>,
    /// The claim that it is, is the volume of, or serves the files of, according to its labels.
    pub claim: Option<PvcId>,
    /// The claim whose storage it shows, if it is a share.
    pub share_of: Option<PvcId>,
    /// Where the claim of a volume is, or was.
    pub claimed_by: Option<(String, String)>,
    /// Whether its claim was deleted and the volume kept its data.
    pub released: bool,
    /// Its size, if it has one.
    pub size: Option<Quantity>,
}

/// The objects of all kinds that are not being deleted.
///
/// # Errors
/// The cluster's.
pub async fn all(cluster: &Cluster) -> Result<Vec<Object>, ClusterError> {
    let managed = ListParams::default().labels("app.kubernetes.io/managed-by=platform");
    let namespaces = list::<Namespace>(cluster, managed.clone());
    let claims = list::<PersistentVolumeClaim>(cluster, ListParams::default().labels(CLAIM_LABEL));
    let pods = list::<Pod>(cluster, ListParams::default().labels(FILES_LABEL));
    // Volumes that a storage driver has made have no label of the platform.
    let volumes = list::<PersistentVolume>(cluster, ListParams::default());
    let (namespaces, claims, pods, volumes) = tokio::try_join!(namespaces, claims, pods, volumes)?;
    let found = namespaces.iter().filter_map(of_namespace);
    let found = found.chain(claims.iter().filter_map(of_claim)).chain(pods.iter().filter_map(of_pod));
    Ok(found.chain(volumes.iter().filter_map(of_volume)).collect())
}

async fn list<K>(cluster: &Cluster, params: ListParams) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send,
{
    let (api, mut params, mut found) = (Api::<K>::all(cluster.client()), params.limit(PAGE), Vec::new());
    loop {
        let page = cluster.call(api.list(&params)).await?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// What is the same for all kinds; `None` for what is being deleted.
fn of<K: ResourceExt>(kind: Kind, object: &K) -> Option<Object> {
    let metadata = object.meta();
    if metadata.deletion_timestamp.is_some() {
        return None;
    }
    let labels = object.labels();
    let parsed = |label: &str| labels.get(label).and_then(|id| id.parse::<PvcId>().ok());
    let created = metadata.creation_timestamp.as_ref()?.0;
    Some(Object {
        kind,
        namespace: object.namespace(),
        name: object.name_any(),
        uid: object.uid()?,
        created_at: DateTime::from_timestamp(created.as_second(), 0)?,
        tenant: tenant(labels).or_else(|| object.namespace().as_deref().and_then(tenant_of)),
        claim: parsed(CLAIM_LABEL),
        share_of: parsed(SHARE_OF),
        claimed_by: None,
        released: false,
        size: None,
    })
}

fn tenant(labels: &BTreeMap<String, String>) -> Option<Tenant> {
    let project = || labels.get(PROJECT_LABEL)?.parse().ok().map(Tenant::Project);
    let group = || labels.get(GROUP_LABEL)?.parse().ok().map(Tenant::Group);
    let user = || labels.get(USER_LABEL)?.parse().ok().map(Tenant::User);
    project().or_else(group).or_else(user)
}

fn of_namespace(namespace: &Namespace) -> Option<Object> {
    // One with the label and without an owner is not one that the platform has made.
    of(Kind::Namespace, namespace).filter(|object| object.tenant.is_some())
}

fn of_claim(claim: &PersistentVolumeClaim) -> Option<Object> {
    let size = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"));
    let size = size.and_then(|size| size.0.parse().ok());
    Some(Object { size, ..of(Kind::Claim, claim)? }).filter(|object| object.claim.is_some())
}

fn of_pod(pod: &Pod) -> Option<Object> {
    of(Kind::FilePod, pod).filter(|object| object.claim.is_some())
}

/// The volumes of shares, and those whose claim was in a namespace of the platform.
fn of_volume(volume: &PersistentVolume) -> Option<Object> {
    let spec = volume.spec.as_ref()?;
    let claimed_by = spec.claim_ref.as_ref().and_then(|claim| Some((claim.namespace.clone()?, claim.name.clone()?)));
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    let size = spec.capacity.as_ref().and_then(|capacity| capacity.get("storage")?.0.parse().ok());
    let released = matches!(phase, Some("Released" | "Failed"));
    let found = Object { claimed_by, released, size, ..of(Kind::Volume, volume)? };
    let is_of_platform = |(namespace, _): &(String, String)| tenant_of(namespace).is_some();
    let was_its = released && found.claimed_by.as_ref().is_some_and(is_of_platform);
    (found.claim.is_some() || was_its).then_some(found)
}

/// Why an object was not removed.
#[derive(Debug, thiserror::Error)]
pub enum NotRemoved {
    /// Another object shows its storage.
    #[error("its storage is shared: remove {0} first")]
    Shared(String),
    /// It was changed or replaced at the same time.
    #[error("it was changed at the same time")]
    Changed,
    /// The cluster's.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Removes an object: the one with its uid, and no other one of its name. One that is gone is no error.
///
/// # Errors
/// As [`NotRemoved`] says.
pub async fn remove(cluster: &Cluster, object: &Object) -> Result<(), NotRemoved> {
    let client = cluster.client();
    let namespace = object.namespace.as_deref().unwrap_or_default();
    match object.kind {
        Kind::FilePod => delete(cluster, &Api::<Pod>::namespaced(client, namespace), object).await,
        Kind::Namespace => delete(cluster, &Api::<Namespace>::all(client), object).await,
        Kind::Volume => delete(cluster, &Api::<PersistentVolume>::all(client), object).await,
        Kind::Claim => {
            is_not_shared(cluster, object).await?;
            let api = Api::<PersistentVolumeClaim>::namespaced(client, namespace);
            delete(cluster, &api, object).await?;
            // It waits for shares, of which there are none.
            release(cluster, &api, object).await
        }
    }
}

async fn delete<K>(cluster: &Cluster, api: &Api<K>, object: &Object) -> Result<(), NotRemoved>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let preconditions = Some(Preconditions { uid: Some(object.uid.clone()), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::background() };
    match cluster.call(api.delete(&object.name, &params)).await {
        Ok(_) | Err(ClusterError::NotFound(_)) => Ok(()),
        Err(ClusterError::Conflict(_)) => Err(NotRemoved::Changed),
        Err(error) => Err(error.into()),
    }
}

async fn is_not_shared(cluster: &Cluster, object: &Object) -> Result<(), NotRemoved> {
    let Some(claim) = object.claim else { return Ok(()) };
    let shares =
        list::<PersistentVolume>(cluster, ListParams::default().labels(&format!("{SHARE_OF}={claim}"))).await?;
    match shares.iter().find(|share| share.metadata.deletion_timestamp.is_none()) {
        Some(share) => Err(NotRemoved::Shared(format!("the volume {}", share.name_any()))),
        None => Ok(()),
    }
}

/// Removes the platform's own finalizer. The controllers of the cluster remove theirs at the same time.
async fn release(cluster: &Cluster, api: &Api<PersistentVolumeClaim>, object: &Object) -> Result<(), NotRemoved> {
    for _ in 0..RELEASES {
        let Some(found) = cluster.call(api.get_opt(&object.name)).await? else { return Ok(()) };
        if found.uid().as_ref() != Some(&object.uid) || !found.finalizers().iter().any(|name| name == FINALIZER) {
            return Ok(());
        }
        let left: Vec<_> = found.finalizers().iter().filter(|name| *name != FINALIZER).collect();
        // With the version, so that nobody else's finalizer is removed or comes back.
        let version = &found.metadata.resource_version;
        let patch = json!({ "metadata": { "finalizers": left, "resourceVersion": version } });
        match cluster.call(api.patch(&object.name, &PatchParams::default(), &Patch::Merge(&patch))).await {
            Ok(_) | Err(ClusterError::NotFound(_)) => return Ok(()),
            Err(ClusterError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(NotRemoved::Changed)
}
