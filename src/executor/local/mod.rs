//! Jobs as plain Kubernetes Jobs: no scheduler of the platform's own is needed in the cluster.

mod objects;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use super::capacity::Nodes;
use super::trial::{self, Candidate, PodShape};
use super::{Created, Deleted, Executor, Part, Target, Trial, object};
use crate::cluster::crd::FlashJob;
use crate::cluster::jobs::{INDEX, JOB_NAME, is_finished};
use crate::cluster::names::JOB_LABEL;
use crate::cluster::{Cluster, ClusterError};
pub use objects::objects;
use objects::{groups, owned_by};

/// The executor of `EXECUTOR_MODE=local`.
#[derive(Clone)]
pub struct Local {
    cluster: Cluster,
    nodes: Nodes,
}

impl Local {
    /// Sends jobs to `cluster`, whose nodes are `nodes`.
    pub fn new(cluster: Cluster, nodes: Nodes) -> Self {
        Self { cluster, nodes }
    }

    /// Creates the first Job, which owns the others: it is the one that stands for the job, and is deleted after them.
    async fn create(&self, target: &Target, job: &FlashJob) -> Result<Created, ClusterError> {
        let mut jobs = objects(job, &target.name).into_iter();
        let Some(first) = jobs.next() else {
            return Err(ClusterError::Invalid("the job has no tasks".to_owned().into()));
        };
        let first = object::create(&self.cluster, target, &first).await?;
        for mut part in jobs {
            owned_by(&mut part, &first);
            object::create(&self.cluster, target, &part).await?;
        }
        Ok(Created { uid: first.uid().unwrap_or_default() })
    }

    /// Suspends the Jobs of the job that have not ended: their pods are deleted, and no new ones are created.
    async fn suspend_unfinished(&self, target: &Target) -> Result<(), ClusterError> {
        let api = Api::<Job>::namespaced(self.cluster.client(), &target.namespace);
        let of_job = ListParams::default().labels(&format!("{JOB_LABEL}={}", target.job));
        for job in self.cluster.call(api.list(&of_job)).await? {
            if is_finished(&job) {
                continue;
            }
            let suspend = Patch::Merge(json!({ "spec": { "suspend": true } }));
            match self.cluster.call(api.patch(&job.name_any(), &PatchParams::default(), &suspend)).await {
                Ok(_) | Err(ClusterError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn dry_run(&self, target: &Target, job: &FlashJob, part: Part) -> Result<Trial, ClusterError> {
        let jobs = objects(job, &target.name);
        let groups = groups(&job.spec.tasks);
        let shape = |task: usize| {
            let (number, index) = groups.place_of(task);
            let name = objects::name_of(&target.name, number);
            PodShape {
                owner: (Job::api_version(&()).into_owned(), Job::kind(&()).into_owned(), name.clone()),
                // The controller adds five random characters.
                name: format!("{name}-{index}-00000"),
                labels: vec![(JOB_NAME, name), (INDEX, index.to_string())],
            }
        };
        let candidate = Candidate { objects: &jobs, tasks: &job.spec.tasks, shape: &shape };
        trial::run((&self.cluster, &self.nodes), target, &candidate, part).await
    }
}

impl Executor for Local {
    fn check_gang(&self, tasks: i32, min_available: i32) -> Result<(), String> {
        if min_available <= 1 || min_available >= tasks {
            return Ok(());
        }
        Err(format!(
            "minAvailable was {min_available} of {tasks} tasks; without the Flash scheduler (EXECUTOR_MODE=local), it \
             must be 1 or the number of tasks"
        ))
    }

    fn create<'a>(&'a self, target: &'a Target, job: &'a FlashJob) -> BoxFuture<'a, Result<Created, ClusterError>> {
        self.create(target, job).boxed()
    }

    fn dry_run<'a>(
        &'a self,
        target: &'a Target,
        job: &'a FlashJob,
        part: Part,
    ) -> BoxFuture<'a, Result<Trial, ClusterError>> {
        self.dry_run(target, job, part).boxed()
    }

    fn stop_rest<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), ClusterError>> {
        self.suspend_unfinished(target).boxed()
    }

    fn delete<'a>(&'a self, target: &'a Target, uid: Option<&'a str>) -> BoxFuture<'a, Result<Deleted, ClusterError>> {
        object::delete::<Job>(&self.cluster, target, uid).boxed()
    }
}
