//! What a Pod, a Job or a FlashJob asks to be run, or why the platform cannot run it.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::api::ObjectMeta;

use super::{Object, batch, spec_path, template_of};
use crate::cluster::crd::FlashJob;
use crate::cluster::yaml::{Node, Problem};

/// Tasks of one job at most.
pub const MAX_TASKS: i32 = 256;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Workload {
    /// The document's name, or the beginning of one that it asks for.
    pub name: Option<String>,
    /// Its tasks.
    pub tasks: Tasks,
    /// How many must be able to start together; all when `None`.
    pub min_available: Option<i32>,
    /// Seconds it may run.
    pub deadline_seconds: Option<i64>,
    /// Seconds its objects are kept after its end.
    pub ttl_seconds: Option<i64>,
    /// How often it is started anew after a failure.
    pub retries: i32,
    /// Whether each task is told its number, as the pods of an Indexed Job are.
    pub indexed: bool,
}

/// The pods of a workload.
#[derive(Debug, Clone)]
pub enum Tasks {
    /// So many of the same.
    Equal(Box<PodTemplateSpec>, usize),
    /// One of each.
    Each(Vec<PodTemplateSpec>),
}

/// Collects what is wrong with a workload.
pub(super) struct Refusals<'n> {
    node: &'n Node,
    problems: Vec<Problem>,
}

impl Refusals<'_> {
    /// Notes what is wrong at a path.
    pub(super) fn refuse(&mut self, path: &str, what: impl Into<String>) {
        let place = self.node.place_at(path);
        self.problems.push(Problem { place, path: path.to_owned(), what: what.into() });
    }

    /// Notes a number that is not between two others.
    pub(super) fn range<N: PartialOrd + std::fmt::Display>(&mut self, path: &str, value: N, least: N, most: N) {
        if value < least || value > most {
            self.refuse(path, format!("was {value}; it must be between {least} and {most}"));
        }
    }
}

impl Workload {
    /// What `object` asks to be run; `None` for what is not run as a job. `node` is what it was read from.
    ///
    /// # Errors
    /// Everything that the platform does not do, with place and path.
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

/// The name that a document gives its job: `generateName` is the beginning of one, and the job is told apart by its id.
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
