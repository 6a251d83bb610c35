//! Creates and deletes the objects of jobs, whatever their kind.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Deleted, Target, check_size};
use crate::cluster::names::{JOB_LABEL, Tenant};
use crate::cluster::{Cluster, ClusterError, namespaces};

/// A kind of object that jobs are run as.
pub(super) trait JobObject:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync
{
}

impl<K> JobObject for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
{
}

/// Creates an object, and the namespace of the project if it is missing. An existing object with the job's label counts
/// as created.
///
/// # Errors
/// The cluster's; `Invalid` if another object has the name, or if the object is too large.
pub(super) async fn create<K: JobObject>(cluster: &Cluster, target: &Target, object: &K) -> Result<K, ClusterError> {
    let bytes = serde_json::to_vec(object).map_err(|error| ClusterError::Invalid(error.to_string().into()))?.len();
    check_size(bytes)?;
    match create_once(cluster, target, object).await {
        Err(ClusterError::NotFound(_)) => {
            // The project's namespace does not exist yet, or someone has deleted it.
            namespaces::ensure(cluster, &target.namespace, Tenant::Project(target.project)).await?;
            create_once(cluster, target, object).await
        }
        answer => answer,
    }
}

async fn create_once<K: JobObject>(cluster: &Cluster, target: &Target, object: &K) -> Result<K, ClusterError> {
    let api = Api::<K>::namespaced(cluster.client(), &target.namespace);
    match cluster.call(api.create(&PostParams::default(), object)).await {
        // Created by an attempt whose response was lost.
        Err(ClusterError::AlreadyExists(message)) => {
            let found = cluster.call(api.get(&object.name_any())).await?;
            if found.labels().get(JOB_LABEL).map(String::as_str) != Some(target.job.to_string().as_str()) {
                return Err(ClusterError::Invalid(message.into()));
            }
            Ok(found)
        }
        answer => answer,
    }
}

/// Deletes the object of a job after what belongs to it. With `uid`, deletes only the object with that uid.
///
/// # Errors
/// The cluster's.
pub(super) async fn delete<K: JobObject>(
    cluster: &Cluster,
    target: &Target,
    uid: Option<&str>,
) -> Result<Deleted, ClusterError> {
    let api = Api::<K>::namespaced(cluster.client(), &target.namespace);
    let preconditions = uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::foreground() };
    match cluster.call(api.delete(&target.name, &params)).await {
        Ok(answer) => Ok(answer.either(|_| Deleted::Going, |_| Deleted::Gone)),
        // A conflict means that there is another object with this name: the requested one is gone.
        Err(ClusterError::NotFound(_) | ClusterError::Conflict(_)) => Ok(Deleted::Gone),
        Err(error) => Err(error),
    }
}
