//! Inputs for submitting and cancelling jobs.

use async_graphql::{InputObject, OneofObject};

use super::draft::Door;
use crate::graphql::ids::GivenId;
use crate::graphql::scalars::Quantity;
use crate::ids::{CommitKind, JobKind, ProjectKind, TemplateKind};

/// Input for `submitJob` and `previewJob`.
#[derive(Debug, Clone, InputObject)]
pub struct SubmitJobInput {
    /// The ID of the project that the job belongs to. The job counts against the project's quota.
    pub project_id: GivenId<ProjectKind>,
    /// A display name for the job: 1 to 63 lowercase letters, digits and hyphens. Derived from the image or the config
    /// by default.
    pub name: Option<String>,
    /// Any text of 1 to 200 characters. If you repeat a request with the same key, the response of the first request is
    /// returned, so it is safe to retry a request that got no response.
    pub idempotency_key: Option<String>,
    /// What the job runs: a template, a commit of a config file, or a spec.
    pub source: JobSourceInput,
    /// Values for the parameters that the template or the commit declares: `JobTemplate.parameters` lists them. The
    /// others have their defaults. A value never changes the structure of the YAML, and the pods are checked with it.
    pub parameters: Option<Vec<JobParameterInput>>,
    /// The queue to submit the job to: the name of a ClusterResourceQueue in the cluster. Defaults to "configfile-job"
    /// for a template or a commit and to "default-batch" for a spec. Some queues are not for everybody: see
    /// `Queue.viewerCanSubmit`.
    pub queue: Option<String>,
    /// The priority of the job among the jobs of its project: 0 (the default) to 1000. A higher value is sent to the
    /// cluster first.
    pub priority: Option<i32>,
    /// Changes to the YAML or to the spec for this run.
    pub overrides: Option<JobOverridesInput>,
}

/// What a job runs. Exactly one field must be given.
#[derive(Debug, Clone, OneofObject)]
pub enum JobSourceInput {
    /// The ID of the commit whose YAML contains the Pod, Job or FlashJob to run.
    CommitId(GivenId<CommitKind>),
    /// The ID of the template to run: a version of a config file that contains exactly one Pod, Job or FlashJob.
    TemplateId(GivenId<TemplateKind>),
    /// A job of identical tasks.
    Spec(Box<JobSpecInput>),
}

/// The value of a parameter of a template.
#[derive(Debug, Clone, InputObject)]
pub struct JobParameterInput {
    /// The name of the parameter.
    pub name: String,
    /// The value as text, such as `3`, `0.5`, `true` or `4Gi`; at most 10000 bytes.
    pub value: String,
}

/// A job of identical tasks, each with a single container.
#[derive(Debug, Clone, InputObject)]
pub struct JobSpecInput {
    /// The container image, such as `python:3.12` or `registry.example/team/train:v1`.
    pub image: String,
    /// The command to run, instead of the entrypoint of the image.
    pub command: Option<Vec<String>>,
    /// The arguments of the command.
    pub args: Option<Vec<String>>,
    /// The working directory: an absolute path.
    pub working_dir: Option<String>,
    /// The environment variables of the container.
    pub env: Option<Vec<EnvVarInput>>,
    /// The resources of each task.
    pub resources: Option<ResourcesInput>,
    /// Storage claims to mount in every task.
    pub mounts: Option<Vec<MountInput>>,
    /// The number of tasks: 1 to 256.
    #[graphql(default_with = "Some(1)")]
    pub replicas: Option<i32>,
    /// The minimum number of tasks that must be able to start together. Defaults to all tasks.
    pub min_available: Option<i32>,
    /// The maximum time that the job may run, in seconds; unlimited by default. A job that exceeds it is stopped and
    /// becomes FAILED with the reason DeadlineExceeded. The time is counted from `startedAt`, when the first task
    /// started. It does not include the time in the queue before that, so a job that never starts never exceeds its
    /// deadline, but it does include later waiting times between preemptions or retries.
    pub active_deadline_seconds: Option<i32>,
    /// The number of seconds after the job has finished until its objects are deleted from the cluster. The job itself
    /// remains available in the API.
    pub ttl_seconds_after_finished: Option<i32>,
    /// The number of times that the job is restarted after a failure: 0 to 10.
    #[graphql(default_with = "Some(0)")]
    pub retries: Option<i32>,
}

/// Changes to the config or the spec for a single run. Omitted fields keep their value.
#[derive(Debug, Clone, Default, InputObject)]
pub struct JobOverridesInput {
    /// The image to use for the first container.
    pub image: Option<String>,
    /// The command to use instead.
    pub command: Option<Vec<String>>,
    /// The arguments to use instead.
    pub args: Option<Vec<String>>,
    /// The working directory to use instead: an absolute path.
    pub working_dir: Option<String>,
    /// Environment variables to set. A variable that already exists keeps its position and gets the new value; others
    /// are appended.
    pub env: Option<Vec<EnvVarInput>>,
    /// Resources for the first container. Each amount that is given replaces the existing one; the others keep their
    /// value.
    pub resources: Option<ResourcesInput>,
    /// Additional storage claims to mount.
    pub mounts: Option<Vec<MountInput>>,
    /// The number of tasks: 1 to 256. Can only be set if all tasks are identical.
    pub replicas: Option<i32>,
    /// The minimum number of tasks that must be able to start together.
    pub min_available: Option<i32>,
    /// The maximum time that the job may run, in seconds, counted from the start of its first task.
    pub active_deadline_seconds: Option<i32>,
    /// The number of seconds after the job has finished until its objects are deleted from the cluster.
    pub ttl_seconds_after_finished: Option<i32>,
    /// The number of times that the job is restarted after a failure: 0 to 10.
    pub retries: Option<i32>,
}

/// An environment variable to set.
#[derive(Debug, Clone, InputObject)]
pub struct EnvVarInput {
    /// The name of the variable: letters, digits, "_", "-" and ".". It cannot start with a digit or with `PLATFORM_`.
    pub name: String,
    /// The value of the variable.
    pub value: String,
}

/// The resource requests and limits of a task.
#[derive(Debug, Clone, Default, InputObject)]
pub struct ResourcesInput {
    /// The CPU request, such as `500m` or `2`.
    pub cpu: Option<Quantity>,
    /// The memory request, such as `4Gi`.
    pub memory: Option<Quantity>,
    /// The number of whole GPUs, requested as `nvidia.com/gpu`. In overrides, 0 removes the config's GPUs of that kind.
    pub gpu: Option<i32>,
    /// The CPU limit; not lower than `cpu`.
    pub cpu_limit: Option<Quantity>,
    /// The memory limit; not lower than `memory`. Defaults to the memory request, or in overrides to the limit in the
    /// config, if there is one.
    pub memory_limit: Option<Quantity>,
}

/// A storage claim to mount.
#[derive(Debug, Clone, InputObject)]
pub struct MountInput {
    /// The storage claim: its name or its ID. It must belong to the project, and you must have access to it.
    pub claim: String,
    /// The mount path in the container: an absolute path without "..", not inside the path of another mount.
    pub path: String,
    /// Whether to mount the volume read-only. Must be true if you may only read the claim.
    #[graphql(default_with = "Some(false)")]
    pub read_only: Option<bool>,
}

/// Input for `cancelJob`.
#[derive(Debug, Clone, InputObject)]
pub struct CancelJobInput {
    /// The ID of the job to cancel.
    pub id: GivenId<JobKind>,
    /// Why the job is cancelled, for anyone who looks at the job later: at most 500 characters.
    pub reason: Option<String>,
}

impl JobSourceInput {
    /// The input field of the source.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::CommitId(_) => "input.source.commitId",
            Self::TemplateId(_) => "input.source.templateId",
            Self::Spec(_) => Door::Spec.root(),
        }
    }
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
