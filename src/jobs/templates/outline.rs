//! What is known about a template without running it.

use std::collections::BTreeSet;

use crate::cluster::objects::{self, Kind, Object};
use crate::cluster::parameters::{self, Insertion, Parameter, Values};
use crate::cluster::yaml::{self, Node};
use crate::config::GpuResources;
use crate::jobs::draft::{Draft, draft_of};

/// What is known about a template. Wherever a parameter has no default, an example of its type stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outline {
    /// The declared parameters, then those of its workflow.
    pub parameters: Vec<Parameter>,
    /// The images of all containers, each once.
    pub images: BTreeSet<String>,
    /// The job, if the template contains exactly one.
    pub job: Option<Job>,
}

/// The job of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    /// The GPUs of all tasks together.
    pub gpus: i64,
    /// The number of tasks.
    pub tasks: i32,
    /// Whether the tasks are all equal.
    pub is_uniform: bool,
}

impl Outline {
    /// The outline of a YAML; nothing is known about one that cannot be read.
    pub fn of(yaml: &str, gpus: &GpuResources) -> Self {
        let (Ok(documents), Ok(parameters)) = (yaml::read(yaml), parameters::declared(yaml)) else {
            return Self::default();
        };
        let values = Values::shown(&parameters);
        let mut outline = Self::default();
        let mut jobs = Vec::new();
        let mut of_workflows = Vec::new();
        let mut has_workflow = false;
        for document in &documents {
            let Ok(kind) = objects::kind_of(document) else { continue };
            let node = Insertion::of(document, &values).node;
            match kind {
                Kind::Workflow => {
                    has_workflow = true;
                    of_workflows.extend(outline.read_workflow(&node));
                }
                kind if kind.runs() => jobs.extend(draft_of(kind, &node)),
                _ => {}
            }
        }
        for draft in &jobs {
            outline.images.extend(images(draft).map(str::to_owned));
        }
        if let ([draft], false) = (jobs.as_slice(), has_workflow) {
            let (gpus, tasks) = (draft.demand(gpus).gpu, draft.task_count());
            outline.job = Some(Job { gpus, tasks, is_uniform: draft.tasks.len() == 1 });
        }
        outline.parameters = parameters;
        for parameter in of_workflows {
            if outline.parameters.iter().all(|other| other.name != parameter.name) {
                outline.parameters.push(parameter);
            }
        }
        outline
    }

    /// Adds the images of a workflow; returns its parameters.
    fn read_workflow(&mut self, node: &Node) -> Vec<Parameter> {
        let Ok(Object::Workflow(workflow)) = Object::read(Kind::Workflow, node) else { return Vec::new() };
        let pods = workflow.pods.iter().filter_map(|pod| pod.template.spec.as_ref());
        let containers = pods.flat_map(|pod| pod.init_containers.iter().flatten().chain(&pod.containers));
        self.images.extend(containers.filter_map(|container| container.image.clone()));
        parameters::of_workflow(node)
    }
}

fn images(draft: &Draft) -> impl Iterator<Item = &str> {
    let pods = draft.tasks.iter().filter_map(|group| group.template.spec.as_ref());
    let containers = pods.flat_map(|pod| pod.init_containers.iter().flatten().chain(&pod.containers));
    containers.filter_map(|container| container.image.as_deref())
}
