//! Jobs as FlashJobs, scheduled by the Flash scheduler.

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};

use super::capacity::Nodes;
use super::{Created, Deleted, Executor, Part, Target, Trial, trial};
use crate::cluster::crd::FlashJob;
use crate::cluster::names::{JOB_LABEL, Tenant};
use crate::cluster::{Cluster, ClusterError, namespaces};

/// The executor of `EXECUTOR_MODE=scheduler`.
#[derive(Clone)]
pub struct Scheduler {
    cluster: Cluster,
    nodes: Nodes,
}

impl Scheduler {
    /// Sends jobs to `cluster`, whose nodes are `nodes`.
    pub fn new(cluster: Cluster, nodes: Nodes) -> Self {
        Self { cluster, nodes }
    }

    fn jobs(&self, namespace: &str) -> Api<FlashJob> {
        Api::namespaced(self.cluster.client(), namespace)
    }

    async fn create(&self, target: &Target, job: &FlashJob) -> Result<Created, ClusterError> {
        let bytes = serde_json::to_vec(job).map_err(|error| ClusterError::Invalid(error.to_string().into()))?.len();
        super::check_size(bytes)?;
        match self.create_once(target, job).await {
            Err(ClusterError::NotFound(_)) => {
                // The project's namespace does not exist yet, or someone has deleted it.
                namespaces::ensure(&self.cluster, &target.namespace, Tenant::Project(target.project)).await?;
                self.create_once(target, job).await
            }
            answer => answer,
        }
    }

    async fn create_once(&self, target: &Target, job: &FlashJob) -> Result<Created, ClusterError> {
        let api = self.jobs(&target.namespace);
        let object = match self.cluster.call(api.create(&PostParams::default(), job)).await {
            // Created by an attempt whose response was lost.
            Err(ClusterError::AlreadyExists(message)) => {
                let found = self.cluster.call(api.get(&target.name)).await?;
                if found.labels().get(JOB_LABEL).map(String::as_str) != Some(target.job.to_string().as_str()) {
                    return Err(ClusterError::Invalid(message.into()));
                }
                found
            }
            answer => answer?,
        };
        Ok(Created { uid: object.uid().unwrap_or_default() })
    }

    async fn delete(&self, target: &Target, uid: Option<&str>) -> Result<Deleted, ClusterError> {
        let api = self.jobs(&target.namespace);
        let preconditions = uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::foreground() };
        match self.cluster.call(api.delete(&target.name, &params)).await {
            Ok(answer) => Ok(answer.either(|_| Deleted::Going, |_| Deleted::Gone)),
            // A conflict means that there is another object with this name: the requested one is gone.
            Err(ClusterError::NotFound(_) | ClusterError::Conflict(_)) => Ok(Deleted::Gone),
            Err(error) => Err(error),
        }
    }
}

impl Executor for Scheduler {
    fn create<'a>(&'a self, target: &'a Target, job: &'a FlashJob) -> BoxFuture<'a, Result<Created, ClusterError>> {
        self.create(target, job).boxed()
    }

    fn dry_run<'a>(
        &'a self,
        target: &'a Target,
        job: &'a FlashJob,
        part: Part,
    ) -> BoxFuture<'a, Result<Trial, ClusterError>> {
        trial::run((&self.cluster, &self.nodes), target, job, part).boxed()
    }

    fn delete<'a>(&'a self, target: &'a Target, uid: Option<&'a str>) -> BoxFuture<'a, Result<Deleted, ClusterError>> {
        self.delete(target, uid).boxed()
    }
}
