//! The workload of a Pod, a Job or a FlashJob, or why the platform cannot run it.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::api::ObjectMeta;

use super::{Object, batch, spec_path, template_of};
use crate::cluster::crd::FlashJob;
use crate::cluster::yaml::{Node, Problem};

/// Maximum number of tasks in a job.
pub const MAX_TASKS: i32 = 256;

/// A workload to run.
#[derive(Debug, Clone)]
pub struct Workload {
    /// The name in the document, or its `generateName` prefix.
    pub name: Option<String>,
    /// Its tasks.
    pub tasks: Tasks,
    /// How many must be able to start together; all if `None`.
    pub min_available: Option<i32>,
    /// Maximum run time, in seconds.
    pub deadline_seconds: Option<i64>,
    /// Seconds that its objects are kept after it ends.
    pub ttl_seconds: Option<i64>,
    /// Number of retries after a failure.
    pub retries: i32,
    /// Whether each task gets its index, like the pods of an Indexed Job.
    pub indexed: bool,
}

/// The pods of a workload.
#[derive(Debug, Clone)]
pub enum Tasks {
    /// This many equal pods.
    Equal(Box<PodTemplateSpec>, usize),
    /// One pod for each template.
    Each(Vec<PodTemplateSpec>),
}

/// Collects the problems with a workload.
pub(super) struct Refusals<'n> {
    node: &'n Node,
    problems: Vec<Problem>,
}

impl Refusals<'_> {
    /// Records a problem at a path.
    pub(super) fn refuse(&mut self, path: &str, what: impl Into<String>) {
        let place = self.node.place_at(path);
        self.problems.push(Problem { place, path: path.to_owned(), what: what.into() });
    }

    /// Records a problem if a number is out of range.
    pub(super) fn range<N: PartialOrd + std::fmt::Display>(&mut self, path: &str, value: N, least: N, most: N) {
        if value < least || value > most {
            self.refuse(path, format!("was {value}; it must be between {least} and {most}"));
        }
    }
}

impl Workload {
    /// The workload of `object`; `None` for a kind that is not run as a job. `node` is the document that it was read
    /// from.
    ///
    /// # Errors
    /// Everything that the platform does not implement, with position and path.
    pub fn of(object: Object, node: &Node) -> Result<Option<Self>, Vec<Problem>> {
        let mut refusals = Refusals { node, problems: Vec::new() };
        if matches!(object, Object::Pod(_) | Object::Job(_) | Object::FlashJob(_)) {
            for (path, template) in object.pod_templates() {
                if template.spec.as_ref().is_none_or(|pod| pod.containers.is_empty()) {
                    let path = format!("{}.containers", spec_path(&path));
                    refusals.refuse(&path, "is missing or empty: every task needs a container");
                }
            }
        }
        let workload = match object {
            Object::Pod(pod) => Self {
                name: name_of(&pod.metadata),
                tasks: Tasks::Equal(Box::new(template_of(&pod)), 1),
                min_available: None,
                deadline_seconds: None,
                ttl_seconds: None,
                retries: 0,
                indexed: false,
            },
            Object::Job(job) => batch::workload(*job, &mut refusals),
            Object::FlashJob(job) => of_flash_job(*job, &mut refusals),
            Object::Deployment(_)
            | Object::CronJob(_)
            | Object::Service(_)
            | Object::ConfigMap(_)
            | Object::Ingress(_)
            | Object::Claim(_)
            | Object::Workflow(_) => return Ok(None),
        };
        if refusals.problems.is_empty() { Ok(Some(workload)) } else { Err(refusals.problems) }
    }
}

/// The name that a document gives its job; `generateName` is used as it is, because jobs are distinguished by their id.
pub(super) fn name_of(metadata: &ObjectMeta) -> Option<String> {
    let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    given(&metadata.name).or_else(|| given(&metadata.generate_name))
}

fn of_flash_job(job: FlashJob, refusals: &mut Refusals<'_>) -> Workload {
    let count = i32::try_from(job.spec.tasks.len()).unwrap_or(i32::MAX);
    if (1..=MAX_TASKS).contains(&count) {
        let gang = job.spec.min_available;
        if !(1..=count).contains(&gang) {
            let allowed = if count == 1 { "must be 1".to_owned() } else { format!("must be between 1 and {count}") };
            let what = format!("was {gang}; it {allowed}, the number of tasks");
            refusals.refuse("spec.minAvailable", what);
        }
    } else {
        refusals.refuse("spec.tasks", format!("has {count} tasks; 1 to {MAX_TASKS} are allowed"));
    }
    Workload {
        name: name_of(&job.metadata),
        tasks: Tasks::Each(job.spec.tasks),
        min_available: Some(job.spec.min_available),
        deadline_seconds: None,
        ttl_seconds: None,
        retries: 0,
        indexed: false,
    }
}
