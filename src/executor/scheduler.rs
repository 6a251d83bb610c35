//! Jobs as FlashJobs, scheduled by the Flash scheduler.

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::{Resource, ResourceExt};

use super::capacity::Nodes;
use super::trial::{self, Candidate, PodShape};
use super::{Created, Deleted, Executor, Part, Target, Trial, object};
use crate::cluster::crd::FlashJob;
use crate::cluster::{Cluster, ClusterError};

/// The labels that the scheduler adds to the pods of a job.
const JOB_NAME_LABEL: &str = "scheduling.flash-sched.io/job-name";
const TASK_INDEX_LABEL: &str = "scheduling.flash-sched.io/task-index";

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

    async fn create(&self, target: &Target, job: &FlashJob) -> Result<Created, ClusterError> {
        let object = object::create(&self.cluster, target, job).await?;
        Ok(Created { uid: object.uid().unwrap_or_default() })
    }

    async fn dry_run(&self, target: &Target, job: &FlashJob, part: Part) -> Result<Trial, ClusterError> {
        let shape = |task: usize| PodShape {
            owner: (FlashJob::api_version(&()).into_owned(), FlashJob::kind(&()).into_owned(), target.name.clone()),
            name: format!("{}-{task}", target.name),
            labels: vec![(JOB_NAME_LABEL, target.name.clone()), (TASK_INDEX_LABEL, task.to_string())],
        };
        let objects = std::slice::from_ref(job);
        let candidate = Candidate { objects, tasks: &job.spec.tasks, shape: &shape };
        trial::run((&self.cluster, &self.nodes), target, &candidate, part).await
    }
}

impl Executor for Scheduler {
    fn check_gang(&self, _: i32, _: i32) -> Result<(), String> {
        Ok(())
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

    /// The scheduler does that itself.
    fn stop_rest<'a>(&'a self, _: &'a Target) -> BoxFuture<'a, Result<(), ClusterError>> {
        futures::future::ready(Ok(())).boxed()
    }

    fn delete<'a>(&'a self, target: &'a Target, uid: Option<&'a str>) -> BoxFuture<'a, Result<Deleted, ClusterError>> {
        object::delete::<FlashJob>(&self.cluster, target, uid).boxed()
    }
}
