//! The one check of the final pods: every pod of a draft, whatever its source.

use std::collections::HashSet;

use super::origins::Origin;
use super::{Draft, safety};
use crate::cluster::pod_rules;
use crate::cluster::safety::{Violation, self_and_above};
use crate::config::GpuResources;
use crate::error::ApiError;
use crate::jobs::admission::AdmissionRule;

/// Maximum number of problems reported per job.
const MAX_PROBLEMS: usize = 50;

/// The problems with the draft's pods, each with its rule. A problem is reported at the input field in which it was
/// written; otherwise at `source` (`input.source.commitId`, `input.source.spec`) with its path in the message.
pub fn check(draft: &Draft, source: &'static str, gpus: &GpuResources) -> Vec<(AdmissionRule, ApiError)> {
    let mut found = Vec::new();
    let mut told = HashSet::new();
    let mut first_task = 0;
    for (group, tasks) in draft.tasks.iter().enumerate() {
        // Equal tasks have equal problems, which are reported once.
        let place = format!("tasks[{first_task}]");
        first_task += tasks.count;
        let mut rules = pod_rules::task_violations(&tasks.template, &place);
        rules.extend(pod_rules::uncounted(&tasks.template, &place, gpus));
        rules.extend(without_image(tasks.template.spec.as_ref(), &place));
        let paths: HashSet<String> =
            rules.iter().flat_map(|violation| self_and_above(&violation.path)).map(str::to_owned).collect();
        // A problem that is already reported, or is part of one, is not repeated.
        let of_safety = safety::violations(&tasks.template, &place)
            .into_iter()
            .filter(|violation| !paths.contains(violation.path.as_str()));
        let of_rules = rules.into_iter().map(|violation| (None, violation));
        for (rule, violation) in of_rules.chain(of_safety.map(|violation| (Some(AdmissionRule::PodSafety), violation)))
        {
            let path = violation.path.strip_prefix(&place).unwrap_or_default();
            let path = path.strip_prefix('.').unwrap_or(path);
            let rule = rule.unwrap_or_else(|| AdmissionRule::of_pod_path(path));
            let problem = match draft.origin(group, path) {
                Some(Origin::Field(field)) => {
                    let message = sentence(&field, &violation.why);
                    ApiError::bad_input(field, message)
                }
                Some(Origin::Request(field)) => ApiError::bad_input(field, violation.to_string()),
                None => ApiError::bad_input(source, violation.to_string()),
            };
            // Different tasks may have an invalid part from the same field.
            if !told.insert((problem.field.clone(), problem.message.clone())) {
                continue;
            }
            if found.len() >= MAX_PROBLEMS {
                return found;
            }
            found.push((rule, problem));
        }
    }
    found
}

/// The message at an input field: the field's own name and the problem.
pub(super) fn sentence(field: &str, why: &str) -> String {
    let inside = field.strip_prefix("input.source.").or_else(|| field.strip_prefix("input."));
    let name = inside.and_then(|rest| rest.split_once('.')).map_or(field, |(_, name)| name);
    let name = name.strip_prefix("resources.").unwrap_or(name);
    format!("{name} {why}")
}

fn without_image(pod: Option<&k8s_openapi::api::core::v1::PodSpec>, place: &str) -> Vec<Violation> {
    let Some(pod) = pod else { return Vec::new() };
    let init = pod.init_containers.iter().flatten().enumerate().map(|found| ("initContainers", found));
    let main = pod.containers.iter().enumerate().map(|found| ("containers", found));
    let missing = init.chain(main).filter(|(_, (_, container))| container.image.is_none());
    missing
        .map(|(list, (index, _))| Violation {
            path: format!("{place}.spec.{list}[{index}].image"),
            why: "is required".to_owned(),
        })
        .collect()
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
