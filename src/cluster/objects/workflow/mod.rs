//! A Workflow of Argo: its own fields by name and type, and its parts that are Kubernetes' own as the pods that they make.

pub(in crate::cluster) mod fields;
mod pods;

use kube::api::ObjectMeta;

use crate::cluster::yaml::{Node, Problem, Root, typed};

pub use pods::{ContainerSet, TemplatePod};

/// A Workflow.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its own metadata.
    pub metadata: ObjectMeta,
    /// What it is to do, but for the parts that are Kubernetes' own.
    pub(in crate::cluster) spec: Option<fields::WorkflowSpec>,
    /// The pods that its templates make.
    pub pods: Vec<TemplatePod>,
    /// The containers in them that wait for each other.
    pub sets: Vec<ContainerSet>,
}

impl Workflow {
    /// The workflow that `node` describes; its `status` is the cluster's and is not read.
    ///
    /// # Errors
    /// Every field that Argo does not have and every value of another type, with place and path.
    pub(super) fn read(node: &Node) -> Result<Self, Vec<Problem>> {
        let root = Root { path: "", without: &["apiVersion", "kind", "status"], optional: None };
        let document = typed::<fields::Workflow>(node, root);
        let pods = pods::of(node);
        match (document, pods) {
            (Ok(document), Ok((pods, sets))) => {
                Ok(Self { metadata: document.metadata, spec: document.spec, pods, sets })
            }
            (document, pods) => {
                let mut problems = document.err().unwrap_or_default();
                problems.extend(pods.err().unwrap_or_default());
                problems.sort_by_key(|problem| problem.place);
                Err(problems)
            }
        }
    }
}
