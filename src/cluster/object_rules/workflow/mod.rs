//! A Workflow: its internal references, and the pods that it creates (`validate.go` of Argo Workflows 3.7).
//!
//! Whether every `{{parameter}}` will have a value is left to Argo to check.

mod depends;
mod order;
mod pods;
mod references;

use crate::cluster::objects::Workflow;
use crate::cluster::pod_rules::report::{At, Report};
use crate::cluster::safety::Violation;
use crate::cluster::yaml::Node;

/// Every rule that the workflow, which was read from `node`, violates, in addition to those in `report`.
pub(super) fn violations(workflow: &Workflow, node: &Node, mut report: Report) -> Vec<Violation> {
    let root = At::root("");
    let at = root.field("spec");
    match &workflow.spec {
        Some(spec) => references::check(spec, &at, &mut report),
        None => report.missing(&at),
    }
    for set in &workflow.sets {
        let at = At::root(&set.path);
        let containers = set
            .containers
            .iter()
            .map(|(name, waits_for)| order::Part { name, waits_for: waits_for.iter().map(String::as_str).collect() });
        order::check(&containers.collect::<Vec<_>>(), "dependencies", "container", &at, &mut report);
    }
    let mut found = report.finish();
    found.extend(pods::violations(workflow, node));
    found
}

#[cfg(test)]
mod tests;
