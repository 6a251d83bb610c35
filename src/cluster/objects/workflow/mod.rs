//! An Argo Workflow: Argo's own fields by name and type, and the parts that are Kubernetes types as the pods they
//! create.

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
    /// Its spec, without the parts that are Kubernetes types.
    pub(in crate::cluster) spec: Option<fields::WorkflowSpec>,
    /// The pods that its templates create.
    pub pods: Vec<TemplatePod>,
    /// The containers in them that depend on each other.
    pub sets: Vec<ContainerSet>,
}

impl Workflow {
    /// The workflow that `node` describes; `status` belongs to the cluster and is ignored.
    ///
    /// # Errors
    /// Every field that Argo does not have and every value of the wrong type, with position and path.
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
