//! The one check of a document: its fields, everything that the platform does not run, and everything that pods must not
//! ask for.

use std::collections::HashSet;

use super::{Kind, Object, Workload};
use crate::cluster::object_rules;
use crate::cluster::pod_rules;
use crate::cluster::safety::{self, Payload, Violation};
use crate::cluster::yaml::{Node, Problem};
use crate::config::GpuResources;

/// The number of problems after which no more pods are looked at.
const MANY: usize = 50;

/// All problems of a document of this kind. Each path is reported once: if a field does not exist or has the wrong
/// type, it is not also reported as unsafe. `gpus` says which devices the platform counts.
pub fn problems(kind: Kind, node: &Node, gpus: &GpuResources) -> Vec<Problem> {
    let mut problems = match Object::read(kind, node) {
        Ok(object) => {
            let mut problems = object.templated_images(node);
            for (path, template) in object.pod_templates() {
                if problems.len() > MANY {
                    break;
                }
                // Everything that can be saved can be submitted.
                let broken = match kind.runs() {
                    true => {
                        let mut broken = pod_rules::task_violations(&template, &path);
                        broken.extend(pod_rules::uncounted(&template, &path, gpus));
                        broken
                    }
                    false => pod_rules::violations(&template, &path),
                };
                add_untold(&mut problems, broken.into_iter().map(|violation| placed(violation, node)).collect());
            }
            let broken = object_rules::violations(kind, &object, node);
            add_untold(&mut problems, broken.into_iter().map(|violation| placed(violation, node)).collect());
            add_untold(&mut problems, Workload::of(object, node).err().unwrap_or_default());
            problems
        }
        Err(problems) => problems,
    };
    // Everything that is not reported by the cluster is checked, wherever it is.
    let found = safety::violations_in(&node.to_json_without(&["status"]), "", payload_of(kind));
    add_untold(&mut problems, found.into_iter().map(|violation| placed(violation, node)).collect());
    problems.sort_by_key(|problem| problem.place);
    problems
}

/// The rules of pod safety that apply to a kind.
const fn payload_of(kind: Kind) -> Payload {
    match kind {
        Kind::Pod | Kind::Deployment | Kind::Job | Kind::CronJob | Kind::FlashJob => Payload::Pods,
        Kind::Workflow => Payload::Workflow,
        Kind::PersistentVolumeClaim => Payload::Claim,
        Kind::Service | Kind::ConfigMap | Kind::Ingress => Payload::Other,
    }
}

/// Adds the problems at paths for which nothing has been reported yet, including the parts of them.
fn add_untold(problems: &mut Vec<Problem>, more: Vec<Problem>) {
    let told: HashSet<&str> = problems.iter().flat_map(|problem| safety::self_and_above(&problem.path)).collect();
    let more: Vec<Problem> = more.into_iter().filter(|one| !told.contains(one.path.as_str())).collect();
    problems.extend(more);
}

fn placed(violation: Violation, node: &Node) -> Problem {
    Problem { place: node.place_at(&violation.path), path: violation.path, what: violation.why }
}
