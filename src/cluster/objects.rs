//! The kinds of objects that a config file may contain, parsed strictly from YAML into Kubernetes' own types.

mod batch;
pub mod check;
#[cfg(test)]
mod tests;
pub(in crate::cluster) mod workflow;
mod workload;

use std::borrow::Cow;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, PodSpec, PodTemplateSpec, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::ObjectMeta;
use serde::de::DeserializeOwned;

use super::crd::FlashJob;
use super::yaml::{Content, Node, Problem, Root, shown, typed};

pub use workflow::Workflow;
pub use workload::{MAX_TASKS, Tasks, Workload};

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `v1` Pod.
    Pod,
    /// `v1` Service.
    Service,
    /// `apps/v1` Deployment.
    Deployment,
    /// `v1` ConfigMap.
    ConfigMap,
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `batch/v1` Job.
    Job,
    /// `batch/v1` CronJob.
    CronJob,
    /// `scheduling.flash-sched.io/v1alpha1` FlashJob.
    FlashJob,
    /// `argoproj.io/v1alpha1` Workflow.
    Workflow,
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Pod,
        Self::Service,
        Self::Deployment,
        Self::ConfigMap,
        Self::Ingress,
        Self::Job,
        Self::CronJob,
        Self::FlashJob,
        Self::Workflow,
        Self::PersistentVolumeClaim,
    ];

    /// The kind as an object names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::ConfigMap => "ConfigMap",
            Self::Ingress => "Ingress",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::FlashJob => "FlashJob",
            Self::Workflow => "Workflow",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
        }
    }

    /// The kind with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The `apiVersion` that goes with the kind.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Pod | Self::Service | Self::ConfigMap | Self::PersistentVolumeClaim => "v1",
            Self::Deployment => "apps/v1",
            Self::Ingress => "networking.k8s.io/v1",
            Self::Job | Self::CronJob => "batch/v1",
            Self::FlashJob => "scheduling.flash-sched.io/v1alpha1",
            Self::Workflow => "argoproj.io/v1alpha1",
        }
    }

    /// Whether a job can be made of it.
    pub const fn runs(self) -> bool {
        match self {
            Self::Pod | Self::Job | Self::FlashJob => true,
            Self::Service
            | Self::Deployment
            | Self::ConfigMap
            | Self::Ingress
            | Self::CronJob
            | Self::Workflow
            | Self::PersistentVolumeClaim => false,
        }
    }
}

/// An object in the type of its kind.
#[derive(Debug, Clone)]
pub enum Object {
    /// A pod.
    Pod(Box<Pod>),
    /// A batch job.
    Job(Box<Job>),
    /// A gang of tasks.
    FlashJob(Box<FlashJob>),
    /// Pods that are kept running.
    Deployment(Box<Deployment>),
    /// A batch job on a schedule.
    CronJob(Box<CronJob>),
    /// A stable address for pods.
    Service(Box<Service>),
    /// Settings and small files.
    ConfigMap(Box<ConfigMap>),
    /// Routes from outside.
    Ingress(Box<Ingress>),
    /// A claim for storage.
    Claim(Box<PersistentVolumeClaim>),
    /// A graph of pods that only Argo can run.
    Workflow(Box<Workflow>),
}

/// Kind and name, as in `Job/train`.
pub fn title(kind: Kind, node: &Node) -> String {
    let kind = kind.as_str();
    match node.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::text) {
        Some(name) => format!("{kind}/{}", name.chars().filter(|c| !c.is_control()).take(80).collect::<String>()),
        None => kind.to_owned(),
    }
}

/// The kind of a document.
///
/// # Errors
/// The problem with its `apiVersion` or `kind`.
pub fn kind_of(node: &Node) -> Result<Kind, Problem> {
    let at = |path: &str, what: String| Problem { place: node.place_at(path), path: String::new(), what };
    if !matches!(node.content, Content::Map(_)) {
        return Err(at("", "it is not a mapping with apiVersion and kind".to_owned()));
    }
    let text = |key: &str| {
        let text = node.get(key).and_then(Node::text);
        text.ok_or_else(|| at(key, "apiVersion and kind are required and must be strings".to_owned()))
    };
    let (api_version, name) = (text("apiVersion")?, text("kind")?);
    let kind = Kind::of_name(name).ok_or_else(|| {
        let allowed = Kind::ALL.map(Kind::as_str).join(", ");
        at("kind", format!("the kind {} is not allowed; the allowed kinds are {allowed}", shown(name)))
    })?;
    if api_version != kind.api_version() {
        let expected = kind.api_version();
        let what = format!("the apiVersion of a {} is {expected:?}, not {}", kind.as_str(), shown(api_version));
        return Err(at("apiVersion", what));
    }
    Ok(kind)
}

impl Object {
    /// The object of this kind that `node` describes; `status` belongs to the cluster and is ignored.
    ///
    /// # Errors
    /// Every field that the kind does not have and every value of the wrong type, with position and path.
    pub fn read(kind: Kind, node: &Node) -> Result<Self, Vec<Problem>> {
        Ok(match kind {
            Kind::Pod => Self::Pod(Box::new(whole(node)?)),
            Kind::Job => Self::Job(Box::new(whole(node)?)),
            Kind::FlashJob => Self::FlashJob(Box::new(whole(node)?)),
            Kind::Deployment => Self::Deployment(Box::new(whole(node)?)),
            Kind::CronJob => Self::CronJob(Box::new(whole(node)?)),
            Kind::Service => Self::Service(Box::new(whole(node)?)),
            Kind::ConfigMap => Self::ConfigMap(Box::new(whole(node)?)),
            Kind::Ingress => Self::Ingress(Box::new(whole(node)?)),
            Kind::PersistentVolumeClaim => Self::Claim(Box::new(whole(node)?)),
            Kind::Workflow => Self::Workflow(Box::new(Workflow::read(node)?)),
        })
    }

    /// The object's own metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Pod(pod) => &pod.metadata,
            Self::Job(job) => &job.metadata,
            Self::FlashJob(job) => &job.metadata,
            Self::Deployment(deployment) => &deployment.metadata,
            Self::CronJob(cron) => &cron.metadata,
            Self::Service(service) => &service.metadata,
            Self::ConfigMap(map) => &map.metadata,
            Self::Ingress(ingress) => &ingress.metadata,
            Self::Claim(claim) => &claim.metadata,
            Self::Workflow(workflow) => &workflow.metadata,
        }
    }

    /// The pod templates in the object, each with its path; of equal adjacent ones only the first. The templates of a
    /// Workflow are assembled from parts ([`Workflow::pods`]).
    pub fn pod_templates(&self) -> Vec<(String, Cow<'_, PodTemplateSpec>)> {
        let one = |path: &str, template| vec![(path.to_owned(), template)];
        match self {
            Self::Pod(pod) => one("", Cow::Owned(template_of(pod))),
            Self::Job(job) => {
                let spec = job.spec.iter();
                spec.flat_map(|spec| one("spec.template", Cow::Borrowed(&spec.template))).collect()
            }
            Self::Deployment(deployment) => {
                let spec = deployment.spec.iter();
                spec.flat_map(|spec| one("spec.template", Cow::Borrowed(&spec.template))).collect()
            }
            Self::CronJob(cron) => {
                let spec = cron.spec.job_template.spec.iter();
                spec.flat_map(|spec| one("spec.jobTemplate.spec.template", Cow::Borrowed(&spec.template))).collect()
            }
            Self::FlashJob(job) => {
                let mut tasks: Vec<(usize, &PodTemplateSpec)> = job.spec.tasks.iter().enumerate().collect();
                tasks.dedup_by(|(_, second), (_, first)| second == first);
                let path = |index| format!("spec.tasks[{index}]");
                tasks.into_iter().map(|(index, task)| (path(index), Cow::Borrowed(task))).collect()
            }
            Self::Service(_) | Self::ConfigMap(_) | Self::Ingress(_) | Self::Claim(_) | Self::Workflow(_) => Vec::new(),
        }
    }

    /// Fields of its pods that only a Workflow may have: an image name with a template tag. A pod would wait forever
    /// for an image of that name.
    pub fn templated_images(&self, node: &Node) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (path, template) in self.pod_templates() {
            let spec = spec_path(&path);
            for (place, image) in template.spec.iter().flat_map(images).filter(|(_, image)| image.contains("{{")) {
                let path = format!("{spec}.{place}");
                let what = format!("was {}; only a Workflow may have \"{{{{\" in an image", shown(image));
                problems.push(Problem { place: node.place_at(&path), path, what });
            }
        }
        problems
    }
}

/// The path of the pod's spec in the template at this path, which is empty for a Pod.
fn spec_path(template: &str) -> String {
    if template.is_empty() { "spec".to_owned() } else { format!("{template}.spec") }
}

/// The images of a pod, each with its path in the pod's spec.
fn images(pod: &PodSpec) -> Vec<(String, &str)> {
    let init = pod.init_containers.iter().flatten().map(|container| &container.image).enumerate();
    let main = pod.containers.iter().map(|container| &container.image).enumerate();
    let debug = pod.ephemeral_containers.iter().flatten().map(|container| &container.image).enumerate();
    let of = |list: &'static str| move |(index, image): (usize, _)| (format!("{list}[{index}].image"), image);
    let all =
        init.map(of("initContainers")).chain(main.map(of("containers"))).chain(debug.map(of("ephemeralContainers")));
    all.filter_map(|(path, image): (String, &Option<String>)| Some((path, image.as_deref()?))).collect()
}

/// The template of this pod, without what identifies the pod itself, such as its name.
fn template_of(pod: &Pod) -> PodTemplateSpec {
    let metadata = ObjectMeta {
        labels: pod.metadata.labels.clone(),
        annotations: pod.metadata.annotations.clone(),
        ..ObjectMeta::default()
    };
    PodTemplateSpec { metadata: Some(metadata), spec: pod.spec.clone() }
}

/// A whole document. Its `apiVersion` and `kind` are known, and its name is optional: a submitted object is named after
/// its job.
fn whole<T: DeserializeOwned>(node: &Node) -> Result<T, Vec<Problem>> {
    typed(node, Root { path: "", without: &["apiVersion", "kind", "status"], optional: Some("metadata") })
}
