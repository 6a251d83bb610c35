//! The rules for a pod that can run: those of the API server and the kubelet (`ValidatePodTemplateSpec` of Kubernetes
//! 1.36). Each violation has a path and a message.
//!
//! [`violations`] has the rules of every pod template, including one that is only saved in a config file;
//! [`task_violations`] adds those that apply only to the tasks of a job. What only the cluster can know (whether a
//! Secret or a runtime class exists) is not checked here. A rule that is stricter than that of Kubernetes says why.

pub(super) mod amounts;
pub(super) mod claim;
mod container;
mod env;
mod files;
pub(super) mod metadata;
pub(super) mod names;
mod placement;
mod pod;
mod probes;
pub(super) mod report;
mod security;
pub(super) mod selectors;
mod task;
mod volumes;

use std::collections::HashSet;

use k8s_openapi::api::core::v1::PodTemplateSpec;

use super::safety::Violation;
use report::{At, Report};

pub use report::key_step;
pub use task::{uncounted, violations as task_violations};

/// Every rule that `template`, whose path in the payload is `path`, violates; at most the first fifty.
///
/// Images are not checked: those of a config file may be set when it is run.
pub fn violations(template: &PodTemplateSpec, path: &str) -> Vec<Violation> {
    let mut report = Report::default();
    check(template, &At::root(path), &mut report);
    report.finish()
}

/// Every rule that the paths in a list of mounts, whose path is `place`, violate.
pub fn mount_paths<'p>(paths: impl Iterator<Item = &'p str>, place: &str) -> Vec<Violation> {
    let mut report = Report::default();
    let root = At::root(place);
    let mut seen = HashSet::new();
    for (index, path) in paths.enumerate() {
        container::mount_path(path, &mut seen, &root.item(index).field("path"), &mut report);
    }
    report.finish()
}

fn check(template: &PodTemplateSpec, at: &At<'_>, report: &mut Report) {
    if let Some(metadata) = &template.metadata {
        metadata::check(metadata, template.spec.as_ref(), &at.field("metadata"), report);
    }
    let at = at.field("spec");
    match &template.spec {
        Some(pod) => pod::check(pod, &at, report),
        None => report.missing(&at),
    }
}

#[cfg(test)]
mod tests;
