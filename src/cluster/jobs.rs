//! The names in which a Kubernetes Job and its pods say what they are for.
//!
//! A job whose tasks differ is run as several Jobs, each for a group of equal tasks. The first one stands for the job and
//! owns the others.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::client::Cluster;
use super::error::ClusterError;

/// The label, and the annotation, with the index of a pod of an Indexed Job.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode>
pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The label with the name of the Job that a pod belongs to.
pub const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// The environment variable with the index of a pod of an Indexed Job.
pub const INDEX_ENV: &str = "JOB_COMPLETION_INDEX";

/// Annotation of a Job that is one of several: its number and how many there are, as in `1/3`.
pub const PART: &str = "platform.job-part";
/// Annotation of the pods of a part after the first: the index of the first task that the part runs.
pub const FIRST_TASK: &str = "platform.first-task";
/// Annotations of the pods of a part after the first: the Job that stands for the whole job.
pub const WHOLE: &str = "platform.job-object";
/// See [`WHOLE`].
pub const WHOLE_UID: &str = "platform.job-object-uid";

/// Which of the Jobs of a job one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 0: the one that stands for the job.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl Part {
    /// Reads the annotation. A Job without it is the only one.
    pub fn read(annotations: &BTreeMap<String, String>) -> Option<Self> {
        let (number, of) = annotations.get(PART)?.split_once('/')?;
        let part = Self { number: number.parse().ok()?, of: of.parse().ok()? };
        (part.number < part.of).then_some(part)
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// The pods that a Job controls.
///
/// # Errors
/// The cluster's.
pub async fn pods_of(cluster: &Cluster, job: &Job) -> Result<Vec<Pod>, ClusterError> {
    let api = Api::<Pod>::namespaced(cluster.client(), &job.namespace().unwrap_or_default());
    let params = ListParams::default().labels(&format!("{JOB_NAME}={}", job.name_any()));
    let mut pods = cluster.call(api.list(&params)).await?.items;
    pods.retain(|pod| pod.owner_references().iter().any(|owner| Some(&owner.uid) == job.metadata.uid.as_ref()));
    Ok(pods)
}

/// Whether a Job has ended.
pub fn is_finished(job: &Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let is_end = |kind: &str| kind == "Complete" || kind == "Failed";
    conditions.into_iter().any(|condition| is_end(&condition.type_) && condition.status == "True")
}

/// Whether it refers to a Kubernetes Job.
pub fn is_job(owner: &OwnerReference) -> bool {
    owner.kind == "Job" && owner.api_version.split('/').next() == Some("batch")
}
