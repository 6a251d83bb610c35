//! The rules that the API server has for an object of a config file: those of Kubernetes 1.36 for each kind, and those
//! of Argo Workflows 3.7 for Workflows. Each violation has a path and a message.
//!
//! The pods in an object have their own rules ([`pod_rules`](super::pod_rules)). They are not checked here, except
//! those of a Workflow, whose parts are in different places. A rule that is stricter than that of Kubernetes says why.

mod config_map;
mod deployment;
mod ingress;
mod jobs;
mod metadata;
mod schedule;
mod service;
mod workflow;

use super::objects::{Kind, Object};
use super::pod_rules::claim;
use super::pod_rules::report::{At, Report};
use super::safety::Violation;
use super::yaml::{Content, Node};

/// Every rule that `object`, which was read from `node`, violates; at most the first fifty.
pub fn violations(kind: Kind, object: &Object, node: &Node) -> Vec<Violation> {
    let mut report = Report::default();
    let root = At::root("");
    let spec = root.field("spec");
    metadata::check(kind, object.metadata(), &root.field("metadata"), &mut report);
    // Generators write an empty one.
    let status = node.get("status").filter(|status| !status.is_null());
    if status.is_some_and(|status| !matches!(&status.content, Content::Map(map) if map.fields().is_empty())) {
        report.say(&root.field("status"), "is not allowed: the cluster writes it");
    }
    match object {
        // The platform runs them itself: `Workload` says what it does not implement.
        Object::Pod(_) | Object::Job(_) | Object::FlashJob(_) => {}
        Object::Deployment(deployment) => deployment::check(deployment.spec.as_ref(), &spec, &mut report),
        Object::CronJob(cron) => jobs::cron(&cron.spec, &spec, &mut report),
        Object::Service(service) => service::check(service, &root, &mut report),
        Object::ConfigMap(map) => config_map::check(map, &root, &mut report),
        Object::Ingress(ingress) => ingress::check(ingress, &root, &mut report),
        Object::Claim(object) => match &object.spec {
            Some(claim) => claim::check(claim, &spec, &mut report),
            None => report.missing(&spec),
        },
        Object::Workflow(workflow) => return workflow::violations(workflow, node, report),
    }
    report.finish()
}
