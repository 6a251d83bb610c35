//! The ways to run a job in the cluster: one trait, with one implementation for each way.

mod capacity;
pub mod local;
mod mode;
mod object;
mod references;
mod scheduler;
mod trial;
mod wake;

use futures::future::BoxFuture;

pub use capacity::Nodes;
pub use local::Local;
pub use mode::{ExecutorMode, Executors};
pub use scheduler::Scheduler;
pub use trial::{Objection, Part, Trial};
pub use wake::Wake;

use crate::cluster::ClusterError;
use crate::cluster::crd::FlashJob;
use crate::ids::{JobId, ProjectId};

/// Identifies the object of a job in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The job.
    pub job: JobId,
    /// Its project, whose namespace is created if it is missing.
    pub project: ProjectId,
    /// The namespace of the object.
    pub namespace: String,
    /// Its name, which is derived from the job's id.
    pub name: String,
}

/// The result of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The uid assigned by the cluster.
    pub uid: String,
}

/// The result of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The object of this job no longer exists.
    Gone,
    /// The object will be deleted when its pods are gone.
    Going,
}

/// A way to run jobs in the cluster. Every call is idempotent and can be repeated safely.
pub trait Executor: Send + Sync + 'static {
    /// Creates the object. An existing one with the job's label counts as created.
    ///
    /// # Errors
    /// `Invalid` is permanent; everything else may pass.
    fn create<'a>(&'a self, target: &'a Target, job: &'a FlashJob) -> BoxFuture<'a, Result<Created, ClusterError>>;

    /// Whether the cluster can start a job of so many tasks of which this many must start together.
    ///
    /// # Errors
    /// Why not, and what is possible.
    fn check_gang(&self, tasks: i32, min_available: i32) -> Result<(), String>;

    /// Asks the cluster whether it would accept the job, and creates nothing but the namespace.
    ///
    /// # Errors
    /// The cluster could not be asked; nothing is known about the job in that case.
    fn dry_run<'a>(
        &'a self,
        target: &'a Target,
        job: &'a FlashJob,
        part: Part,
    ) -> BoxFuture<'a, Result<Trial, ClusterError>>;

    /// Stops what still runs of a job of which one part has failed. What has ended is kept.
    ///
    /// # Errors
    /// The cluster's.
    fn stop_rest<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<(), ClusterError>>;

    /// Deletes the object after its pods. With `uid`, deletes only the object with that uid.
    ///
    /// # Errors
    /// The cluster's.
    fn delete<'a>(&'a self, target: &'a Target, uid: Option<&'a str>) -> BoxFuture<'a, Result<Deleted, ClusterError>>;
}

/// The largest body that an API server reads: for a larger one it reports the size, or closes the connection without an
/// answer.
/// <https://github.com/kubernetes/apiserver/blob/master/pkg/server/config.go> (`MaxRequestBodyBytes`)
const LARGEST_BODY: usize = 3 * 1024 * 1024;

fn check_size(bytes: usize) -> Result<(), ClusterError> {
    if bytes <= LARGEST_BODY {
        return Ok(());
    }
    let message = format!("the object has {bytes} bytes; the cluster accepts at most {LARGEST_BODY}");
    Err(ClusterError::Invalid(message.into()))
}
