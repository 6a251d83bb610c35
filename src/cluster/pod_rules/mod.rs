//! What a pod must be to run: the rules that the API server and the kubelet hold every pod to
//! (`ValidatePodTemplateSpec` of Kubernetes 1.36), each with its path and a sentence.
//!
//! [`violations`] has the rules of every pod template, also of one that waits in a config file; [`task_violations`] adds
//! what only holds for the tasks of a job. What the cluster alone can know (whether a Secret exists, whether a runtime
//! class does) is not here. Where a rule is stricter than Kubernetes', it says why.

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

/// Every rule that `template`, which stands at `path` in its payload, breaks; the first fifty.
///
/// Images are not looked at: those of a config file may be given when it is run.
pub fn violations(template: &PodTemplateSpec, path: &str) -> Vec<Violation> {
    let mut report = Report::default();
    check(template, &At::root(path), &mut report);
    report.finish()
}

/// Every rule that the paths of a list of mounts, which stands at `place`, break.
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
