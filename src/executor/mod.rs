//! How a job reaches the cluster: one trait, an implementation for each way.

mod scheduler;
mod wake;

use futures::future::BoxFuture;

pub use scheduler::Scheduler;
pub use wake::Wake;

use crate::cluster::ClusterError;
use crate::cluster::crd::FlashJob;
use crate::ids::{JobId, ProjectId};

/// The object of one job in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The job.
    pub job: JobId,
    /// Its project, whose namespace is made when it is missing.
    pub project: ProjectId,
    /// Where the object is.
    pub namespace: String,
    /// Its name, which follows from the job's id.
    pub name: String,
}

/// What became of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The uid that the cluster gave the object.
    pub uid: String,
}

/// What became of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// There is no object of this job any more.
    Gone,
    /// The object goes when its pods have gone.
    Going,
}

/// A way to run jobs in the cluster. No call is made twice by mistake: each can be repeated safely.
pub trait Executor: Send + Sync + 'static {
    /// Creates the object. One that is there already and bears the job's label counts as created.
    ///
    /// # Errors
    /// `Invalid` will not become better by itself; everything else may.
    fn create<'a>(&'a self, target: &'a Target, job: &'a FlashJob) -> BoxFuture<'a, Result<Created, ClusterError>>;

    /// Deletes the object and, before it, its pods. With `uid`, only the object that has it.
    ///
    /// # Errors
    /// The cluster's.
    fn delete<'a>(&'a self, target: &'a Target, uid: Option<&'a str>) -> BoxFuture<'a, Result<Deleted, ClusterError>>;
}
