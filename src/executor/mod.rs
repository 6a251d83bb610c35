//! How a job reaches the cluster: one trait, an implementation for each way.

mod references;
mod scheduler;
mod trial;
mod wake;

use futures::future::BoxFuture;

pub use scheduler::Scheduler;
pub use trial::{Objection, Part, Trial};
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

    /// Asks the cluster whether it would take the job, and makes nothing but the namespace.
    ///
    /// # Errors
    /// The cluster could not be asked; nothing is known of the job then.
    fn dry_run<'a>(
        &'a self,
        target: &'a Target,
        job: &'a FlashJob,
        part: Part,
    ) -> BoxFuture<'a, Result<Trial, ClusterError>>;

    /// Deletes the object and, before it, its pods. With `uid`, only the object that has it.
    ///
    /// # Errors
    /// The cluster's.
    fn delete<'a>(&'a self, target: &'a Target, uid: Option<&'a str>) -> BoxFuture<'a, Result<Deleted, ClusterError>>;
}

/// The largest body that an API server reads: of a larger one it tells the length, or nothing at all and hangs up.
/// <https://github.com/kubernetes/apiserver/blob/master/pkg/server/config.go> (`MaxRequestBodyBytes`)
const LARGEST_BODY: usize = 3 * 1024 * 1024;

fn check_size(bytes: usize) -> Result<(), ClusterError> {
    if bytes <= LARGEST_BODY {
        return Ok(());
    }
    let message = format!("the object has {bytes} bytes; the cluster accepts at most {LARGEST_BODY}");
    Err(ClusterError::Invalid(message.into()))
}
