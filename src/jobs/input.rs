//! Inputs for submitting and cancelling jobs.

use async_graphql::InputObject;

use crate::graphql::scalars::Quantity;
use crate::ids::{CommitId, JobId, ProjectId};

/// A job to submit: from a commit of a config file or from a spec, exactly one of the two.
#[derive(Debug, Clone, InputObject)]
pub struct SubmitJobInput {
    /// The project that the job belongs to and whose quota it counts against.
    pub project_id: ProjectId,
    /// A name for people: 1 to 63 lower-case letters, digits and "-". Taken from the image or the config when left out.
    pub name: Option<String>,
    /// Any text of 1 to 200 characters. The same key from the same user gives the first answer again, so a client that
    /// got no answer can safely send the request a second time.
    pub idempotency_key: Option<String>,
    /// Check everything and answer with the preview only, as `previewJob` does; nothing is changed.
    #[graphql(default_with = "Some(false)")]
    pub dry_run: Option<bool>,
    /// The commit whose YAML holds the Pod, Job or FlashJob to run. Leave it out when `spec` is given.
    pub commit_id: Option<CommitId>,
    /// The job described here. Leave it out when `commitId` is given.
    pub spec: Option<JobSpecInput>,
    /// The queue to wait in: a ClusterResourceQueue of the cluster. Default: "configfile-job" for a commit,
    /// "default-batch" for a spec.
    pub queue: Option<String>,
    /// Which of the project's jobs goes to the cluster first: 0 (the default) to 1000, higher is earlier.
    pub priority: Option<i32>,
    /// What to change of the commit's YAML or of the spec for this run.
    pub overrides: Option<JobOverridesInput>,
}

/// A job as a list of equal tasks, each one container.
#[derive(Debug, Clone, InputObject)]
pub struct JobSpecInput {
    /// The container image, such as `python:3.12` or `registry.example/team/train:v1`.
    pub image: String,
    /// The program to run in place of the image's own.
    pub command: Option<Vec<String>>,
    /// Its arguments.
    pub args: Option<Vec<String>>,
    /// The folder to run in: an absolute path.
    pub working_dir: Option<String>,
    /// Environment variables.
    pub env: Option<Vec<EnvVarInput>>,
    /// What each task needs.
    pub resources: Option<ResourcesInput>,
    /// Storage claims to mount in every task.
    pub mounts: Option<Vec<MountInput>>,
    /// How many equal tasks: 1 to 256.
    #[graphql(default_with = "Some(1)")]
    pub replicas: Option<i32>,
    /// How many tasks must be able to start together. Default: all of them.
    pub min_available: Option<i32>,
    /// Seconds the job may run before it is stopped and FAILED with reason DeadlineExceeded; without limit when left out.
    /// They count from `startedAt`, when its first task started. Time in the queue before that does not count, so a job that
    /// never starts never ends by it; time after that does, also while it waits between preemptions or retries.
    pub active_deadline_seconds: Option<i32>,
    /// Seconds after its end at which the job's objects are removed from the cluster; the job itself stays here.
    pub ttl_seconds_after_finished: Option<i32>,
    /// How often a failed job is started anew: 0 to 10.
    #[graphql(default_with = "Some(0)")]
    pub retries: Option<i32>,
}

/// What to change for one run; every field left out stays as it is in the config.
#[derive(Debug, Clone, Default, InputObject)]
pub struct JobOverridesInput {
    /// Another image for the first container.
    pub image: Option<String>,
    /// Another program.
    pub command: Option<Vec<String>>,
    /// Other arguments.
    pub args: Option<Vec<String>>,
    /// Another folder to run in: an absolute path.
    pub working_dir: Option<String>,
    /// Environment variables to set: one that is there keeps its place and gets the new value, others are added at the end.
    pub env: Option<Vec<EnvVarInput>>,
    /// Other resources for the first container: each amount that is given replaces one, and the others stay.
    pub resources: Option<ResourcesInput>,
    /// Storage claims to mount in addition.
    pub mounts: Option<Vec<MountInput>>,
    /// Another number of tasks: 1 to 256. Only where all tasks are equal.
    pub replicas: Option<i32>,
    /// How many tasks must be able to start together.
    pub min_available: Option<i32>,
    /// Seconds the job may run, from when its first task started.
    pub active_deadline_seconds: Option<i32>,
    /// Seconds after its end at which the job's objects are removed from the cluster.
    pub ttl_seconds_after_finished: Option<i32>,
    /// How often a failed job is started anew: 0 to 10.
    pub retries: Option<i32>,
}

/// An environment variable.
#[derive(Debug, Clone, InputObject)]
pub struct EnvVarInput {
    /// Letters, digits, "_", "-" and ".", not beginning with a digit, not beginning with `PLATFORM_`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What one task asks for and may use at most.
#[derive(Debug, Clone, Default, InputObject)]
pub struct ResourcesInput {
    /// CPU to reserve, such as `500m` or `2`.
    pub cpu: Option<Quantity>,
    /// Memory to reserve, such as `4Gi`.
    pub memory: Option<Quantity>,
    /// Whole GPUs, as `nvidia.com/gpu`. In overrides 0 takes the config's GPUs of that kind away.
    pub gpu: Option<i32>,
    /// CPU it may use at most; not less than `cpu`.
    pub cpu_limit: Option<Quantity>,
    /// Memory it may use at most; not less than `memory`. Default: what is reserved; in overrides the config's limit, if
    /// it has one.
    pub memory_limit: Option<Quantity>,
}

/// A storage claim to mount.
#[derive(Debug, Clone, InputObject)]
pub struct MountInput {
    /// The name of the claim.
    pub claim: String,
    /// Where it appears in the container: an absolute path without "..".
    pub path: String,
    /// Mount it for reading only.
    #[graphql(default = false)]
    pub read_only: bool,
}

/// A job to cancel.
#[derive(Debug, Clone, InputObject)]
pub struct CancelJobInput {
    /// The job.
    pub id: JobId,
    /// Why, for whoever looks at the job later: at most 500 characters.
    pub reason: Option<String>,
}

impl JobOverridesInput {
    /// Size of the strings that are written into each task, in bytes.
    pub fn text_bytes(&self) -> usize {
        let listed = |texts: &Option<Vec<String>>| texts.iter().flatten().map(String::len).sum::<usize>();
        let env = self.env.iter().flatten().map(|variable| variable.name.len() + variable.value.len());
        let mounts = self.mounts.iter().flatten().map(|mount| mount.claim.len() + mount.path.len());
        let single = [&self.image, &self.working_dir].into_iter().flatten().map(String::len);
        env.chain(mounts).chain(single).sum::<usize>() + listed(&self.command) + listed(&self.args)
    }
}
