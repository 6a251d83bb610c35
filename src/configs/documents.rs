//! Parses the YAML of a config file into its objects: with bounded resources, each object of an allowed kind.

use std::collections::HashSet;

use async_graphql::Enum;
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use serde_json::Value;

use super::model::Blob;
use crate::cluster::objects::{self, Kind, check};
use crate::cluster::parameters::{self, Insertion, Values};
use crate::cluster::yaml::{self, Node, Problem};
use crate::config::GpuResources;
use crate::error::{ApiError, ApiErrors, Problems};
use crate::text_enum;

pub use crate::cluster::yaml::{MAX_BYTES, MAX_DOCUMENTS};

/// The maximum number of problems that are reported for a file.
const MAX_PROBLEMS: usize = 50;

/// The kinds of Kubernetes objects that a config file can contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, AsExpression, FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub enum ConfigKind {
    /// A pod. Can be submitted as a job with one task.
    Pod,
    /// A stable network address for a set of pods.
    Service,
    /// A set of pods that are kept running.
    Deployment,
    /// Configuration values and small files for pods.
    ConfigMap,
    /// Rules that route external traffic to services.
    Ingress,
    /// A batch job. Can be submitted; its `parallelism` becomes the number of tasks.
    Job,
    /// A batch job that runs on a schedule.
    CronJob,
    /// Tasks that start together. Can be submitted as it is.
    FlashJob,
    /// A graph of steps, run by Argo Workflows.
    Workflow,
    /// A request for storage.
    PersistentVolumeClaim,
}

text_enum!(ConfigKind {
    Pod => "Pod",
    Service => "Service",
    Deployment => "Deployment",
    ConfigMap => "ConfigMap",
    Ingress => "Ingress",
    Job => "Job",
    CronJob => "CronJob",
    FlashJob => "FlashJob",
    Workflow => "Workflow",
    PersistentVolumeClaim => "PersistentVolumeClaim",
});

impl ConfigKind {
    /// The corresponding kind in the cluster.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Pod => Self::Pod,
            Kind::Service => Self::Service,
            Kind::Deployment => Self::Deployment,
            Kind::ConfigMap => Self::ConfigMap,
            Kind::Ingress => Self::Ingress,
            Kind::Job => Self::Job,
            Kind::CronJob => Self::CronJob,
            Kind::FlashJob => Self::FlashJob,
            Kind::Workflow => Self::Workflow,
            Kind::PersistentVolumeClaim => Self::PersistentVolumeClaim,
        }
    }
}

/// One object of a config file.
#[derive(Debug, Clone)]
pub struct Document {
    /// What it is.
    pub kind: ConfigKind,
    node: Node,
}

impl Document {
    /// The object as written in the file, with keys in their order and aliases expanded.
    pub fn object(&self) -> Value {
        self.node.to_json()
    }
}

/// The blob of `yaml`, after everything in it has been checked.
///
/// # Errors
/// Those of [`parse`].
pub(super) fn blob(yaml: String, field: &'static str, gpus: &GpuResources) -> Result<Blob, ApiErrors> {
    let kinds = parse(&yaml, field, gpus)?.into_iter().map(|document| document.kind).collect();
    Ok(Blob::new(yaml, kinds))
}

/// The objects in `yaml`, with the defaults of its parameters.
///
/// # Errors
/// `BAD_USER_INPUT` for `field`, each with line and column: if the YAML cannot be parsed or exceeds a limit; otherwise
/// for each document that is not of an allowed kind, each field that does not exist in its kind, each value of the
/// wrong type, everything that the platform does not run, and everything that pods must not ask for. Which claims may
/// be mounted depends on who runs the document, and is decided then. `gpus` says which devices the platform counts.
pub fn parse(yaml: &str, field: &'static str, gpus: &GpuResources) -> Result<Vec<Document>, ApiErrors> {
    let nodes =
        yaml::read(yaml).map_err(|error| ApiError::bad_input(field, error.to_string()).placed(error.place()))?;
    if nodes.is_empty() {
        return Err(ApiError::bad_input(field, "the YAML contains no objects").into());
    }
    let parameters = parameters::declared(yaml).map_err(|problems| {
        let one = |problem: Problem| ApiError::bad_input(field, problem.to_string()).placed(Some(problem.place));
        ApiErrors(problems.into_iter().take(MAX_PROBLEMS).map(one).collect())
    })?;
    let values = Values::defaults(&parameters);
    let mut problems = Problems::default();
    let mut named = HashSet::new();
    let mut untold = 0;
    let mut documents = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.into_iter().enumerate() {
        let number = index + 1;
        let Insertion { node, problems: unfilled, examples, .. } = Insertion::of(&node, &values);
        let (title, found) = match objects::kind_of(&node) {
            Err(problem) if unfilled.is_empty() => (format!("document {number}"), vec![problem]),
            Err(_) => (format!("document {number}"), unfilled),
            Ok(kind) => {
                let mut found = unfilled;
                if found.is_empty() {
                    found = check::problems(kind, &node, gpus);
                    // What is given later is checked then.
                    found.retain(|problem| !examples.contains(&problem.path));
                }
                let name = node.at("metadata.name").and_then(Node::text).filter(|name| !name.is_empty());
                if let Some(name) = name.filter(|name| !named.insert((kind.as_str(), (*name).to_owned()))) {
                    let what = format!(
                        "was {}, which is also the name of another {} in the file",
                        yaml::shown(name),
                        kind.as_str()
                    );
                    let path = "metadata.name".to_owned();
                    found.push(Problem { place: node.place_at(&path), path, what });
                }
                let told = (format!("document {number}, {}", objects::title(kind, &node)), found);
                documents.push(Document { kind: ConfigKind::of(kind), node });
                told
            }
        };
        for problem in found {
            if problems.count() < MAX_PROBLEMS {
                problems.push(ApiError::bad_input(field, format!("{title}: {problem}")).placed(Some(problem.place)));
            } else {
                untold += 1;
            }
        }
    }
    if untold > 0 {
        problems.push(ApiError::bad_input(field, format!("{untold} more problems are not shown")));
    }
    problems.finish().map(|()| documents)
}

#[cfg(test)]
#[path = "documents/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "documents/adversarial_tests.rs"]
mod adversarial_tests;

#[cfg(test)]
#[path = "documents/object_tests.rs"]
mod object_tests;
