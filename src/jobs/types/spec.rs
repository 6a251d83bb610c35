//! The spec of a job, read back from its object: what it runs, and what it takes to submit it again.

use std::collections::BTreeMap;

use async_graphql::{Context, SimpleObject};
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use kube::api::ObjectMeta;
use serde::Deserialize;

use super::Job;
use crate::cluster::crd::{PREEMPTABLE_ANNOTATION, QUEUE_ANNOTATION};
use crate::cluster::names::{COMMIT_LABEL, JOB_LABEL, PROJECT_LABEL, USER_LABEL};
use crate::error::ApiError;
use crate::graphql::limits::AnswerExt;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::Quantity;
use crate::jobs::draft::{Draft, GPU};
use crate::jobs::input::{EnvVarInput, JobSpecInput, ResourcesInput};
use crate::jobs::loader::{JobObjectBytes, JobSpecs};
use crate::jobs::model::manifest::Manifest;
use crate::jobs::model::spec::Kept;

/// What a job runs. The fields are those of `JobSpecInput`: the ones of a container describe the first container of the
/// first task.
#[derive(Debug, Clone, PartialEq, SimpleObject)]
pub struct JobSpec {
    /// The container image.
    image: String,
    /// The command, instead of the entrypoint of the image.
    command: Option<Vec<String>>,
    /// The arguments of the command.
    args: Option<Vec<String>>,
    /// The working directory.
    working_dir: Option<String>,
    /// The environment variables.
    #[graphql(directive = assumed_list::apply(10))]
    env: Vec<EnvVar>,
    /// The resources of the container.
    resources: JobResources,
    /// The number of tasks.
    replicas: i32,
    /// The minimum number of tasks that must be able to start together.
    min_available: i32,
    /// The maximum time that the job may run, in seconds; null if it is unlimited.
    active_deadline_seconds: Option<i32>,
    /// The number of seconds after the job has finished until its objects are deleted from the cluster; null if they
    /// are kept.
    ttl_seconds_after_finished: Option<i32>,
    /// The number of times that the job is restarted after a failure.
    retries: i32,
    /// Whether the spec is all there is to the job, so that submitting it again runs the same. It is not if the job came
    /// from YAML with something that a spec cannot express, such as different tasks, a second container or a Secret:
    /// then submit the job's `commit` again.
    is_complete: bool,
}

/// An environment variable of a container.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct EnvVar {
    /// The name of the variable.
    name: String,
    /// The value of the variable; null if it comes from elsewhere, such as a Secret.
    value: Option<String>,
}

/// The resource requests and limits of a container. Null means that there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, SimpleObject)]
pub struct JobResources {
    /// The CPU request.
    cpu: Option<Quantity>,
    /// The memory request.
    memory: Option<Quantity>,
    /// The number of whole GPUs, requested as `nvidia.com/gpu`.
    gpu: Option<i32>,
    /// The CPU limit.
    cpu_limit: Option<Quantity>,
    /// The memory limit.
    memory_limit: Option<Quantity>,
}

impl Job {
    /// The spec. The size of the object that it is read from is known before it is read.
    pub(super) async fn read_spec(&self, ctx: &Context<'_>) -> Result<JobSpec, ApiError> {
        let id = self.row.id();
        let missing = || ApiError::not_found("job", id);
        let bytes = ctx.read::<JobObjectBytes>(id).await?.ok_or_else(missing)?;
        let room = ctx.take_answer_bytes(bytes.stored)?;
        let kept = ctx.read::<JobSpecs>(id).await?.ok_or_else(missing)?;
        room.keep();
        JobSpec::of(&kept).ok_or_else(|| ApiError::internal(format!("the object of {id} has no container")))
    }
}

/// The part of a FlashJob besides its tasks.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    spec: OutlineSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutlineSpec {
    min_available: i32,
}

impl JobSpec {
    fn of(kept: &Kept) -> Option<Self> {
        let manifest = Manifest::from(kept.object.clone());
        let outline: Outline = serde_json::from_str(manifest.json().as_str()).ok()?;
        let mut templates = manifest.templates();
        let (template, _) = templates.next()?;
        let template: PodTemplateSpec = serde_json::from_str(template).ok()?;
        let container = template.spec.as_ref()?.containers.first()?;
        let narrow = |seconds: i64| i32::try_from(seconds).unwrap_or(i32::MAX);
        let mut spec = Self {
            image: container.image.clone().unwrap_or_default(),
            command: container.command.clone(),
            args: container.args.clone(),
            working_dir: container.working_dir.clone(),
            env: env(container),
            resources: resources(container),
            replicas: i32::try_from(manifest.task_count()).unwrap_or(i32::MAX),
            min_available: outline.spec.min_available,
            active_deadline_seconds: kept.deadline_seconds.map(narrow),
            ttl_seconds_after_finished: kept.ttl_seconds.map(narrow),
            retries: kept.retry_limit,
            is_complete: false,
        };
        spec.is_complete = templates.next().is_none() && spec.makes(&template);
        Some(spec)
    }

    /// Whether this spec, submitted again, makes tasks with this template.
    fn makes(&self, template: &PodTemplateSpec) -> bool {
        let Some(draft) = self.input().and_then(|input| Draft::from_spec(input).ok()) else { return false };
        let Some(mut made) = draft.tasks.into_iter().next().map(|group| group.template) else { return false };
        // What the platform adds for the job itself.
        let has_only = |map: &Option<BTreeMap<String, String>>, known: &[&str]| {
            map.iter().flat_map(BTreeMap::keys).all(|key| known.contains(&key.as_str()))
        };
        let (Some(metadata), Some(pod), Some(made_pod)) = (&template.metadata, &template.spec, &mut made.spec) else {
            return false;
        };
        let ObjectMeta { labels, annotations, .. } = metadata;
        if !has_only(labels, &[JOB_LABEL, PROJECT_LABEL, USER_LABEL, COMMIT_LABEL])
            || !has_only(annotations, &[QUEUE_ANNOTATION, PREEMPTABLE_ANNOTATION])
        {
            return false;
        }
        made_pod.scheduler_name.clone_from(&pod.scheduler_name);
        made_pod.priority_class_name.clone_from(&pod.priority_class_name);
        made_pod.automount_service_account_token = Some(false);
        made_pod.restart_policy = Some("Never".to_owned());
        // The container's name means nothing where there is a single one.
        if let ([container], [made]) = (&pod.containers[..], &mut made_pod.containers[..]) {
            made.name.clone_from(&container.name);
        }
        made.spec == template.spec
    }

    /// As the input of a submit; `None` if a variable has no value of its own.
    fn input(&self) -> Option<JobSpecInput> {
        let variable =
            |EnvVar { name, value }: &EnvVar| Some(EnvVarInput { name: name.clone(), value: value.clone()? });
        let env = self.env.iter().map(variable).collect::<Option<Vec<_>>>()?;
        let JobResources { cpu, memory, gpu, cpu_limit, memory_limit } = self.resources.clone();
        let resources = ResourcesInput { cpu, memory, gpu, cpu_limit, memory_limit };
        Some(JobSpecInput {
            image: self.image.clone(),
            command: self.command.clone(),
            args: self.args.clone(),
            working_dir: self.working_dir.clone(),
            env: (!env.is_empty()).then_some(env),
            resources: (self.resources != JobResources::default()).then_some(resources),
            mounts: None,
            replicas: Some(self.replicas),
            min_available: Some(self.min_available),
            active_deadline_seconds: self.active_deadline_seconds,
            ttl_seconds_after_finished: self.ttl_seconds_after_finished,
            retries: Some(self.retries),
        })
    }
}

fn env(container: &Container) -> Vec<EnvVar> {
    let variables = container.env.iter().flatten();
    // A variable without a value is empty: Kubernetes leaves out what is empty.
    let value = |variable: &k8s_openapi::api::core::v1::EnvVar| match variable.value_from {
        Some(_) => None,
        None => Some(variable.value.clone().unwrap_or_default()),
    };
    variables.map(|variable| EnvVar { name: variable.name.clone(), value: value(variable) }).collect()
}

fn resources(container: &Container) -> JobResources {
    let Some(resources) = &container.resources else { return JobResources::default() };
    let amount = |amounts: &Option<BTreeMap<String, ApiQuantity>>, name: &str| {
        amounts.as_ref()?.get(name).map(|amount| Quantity(amount.0.clone()))
    };
    let gpu = amount(&resources.requests, GPU).or_else(|| amount(&resources.limits, GPU));
    JobResources {
        cpu: amount(&resources.requests, "cpu"),
        memory: amount(&resources.requests, "memory"),
        gpu: gpu.and_then(|gpu| gpu.0.parse().ok()),
        cpu_limit: amount(&resources.limits, "cpu"),
        memory_limit: amount(&resources.limits, "memory"),
    }
}
