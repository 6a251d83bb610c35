//! The pods of a Workflow: the rules of every pod, reported at the paths of their parts.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use crate::cluster::objects::Workflow;
use crate::cluster::objects::workflow::TemplatePod;
use crate::cluster::pod_rules;
use crate::cluster::safety::Violation;
use crate::cluster::yaml::{Content, Node};

/// Maximum number of violations reported per workflow, except for those of one more pod.
const MAX_VIOLATIONS: usize = 50;
/// The names of the containers that Argo adds.
const OF_ARGO: [&str; 2] = ["init", "wait"];

/// Every rule that the pods violate; a part that several pods share is reported once.
pub(super) fn violations(workflow: &Workflow, node: &Node) -> Vec<Violation> {
    let has_default = ["spec.templateDefaults.container.image", "spec.templateDefaults.script.image"]
        .into_iter()
        .any(|path| node.at(path).is_some());
    let mut told = HashSet::new();
    let mut found = Vec::new();
    for pod in &workflow.pods {
        if found.len() >= MAX_VIOLATIONS {
            break;
        }
        let mut broken = pod_rules::violations(&pod.template, "");
        broken.extend(own(pod, has_default));
        for violation in broken {
            let path = pod.place(&violation.path);
            if !depends_on_parameters(pod, &violation.path, &path, node)
                && told.insert((path.clone(), violation.why.clone()))
            {
                found.push(Violation { path, why: violation.why });
            }
        }
    }
    found
}

/// Whether the invalid value contains a template tag, so that it is known only when the workflow runs.
fn depends_on_parameters(pod: &TemplatePod, in_pod: &str, path: &str, node: &Node) -> bool {
    // Argo parses amounts before it substitutes parameters, and rejects these.
    if path.contains(".resources.") {
        return false;
    }
    let mounts_templated = in_pod.contains(".volumeMounts[") && in_pod.ends_with(".name");
    let volumes = pod.template.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    node.at(path).is_some_and(has_parameter)
        || (mounts_templated && volumes.into_iter().any(|volume| volume.name.contains("{{")))
}

fn has_parameter(node: &Node) -> bool {
    match &node.content {
        Content::Text(text) => text.contains("{{"),
        Content::List(list) => list.items().iter().any(has_parameter),
        Content::Map(map) => map.fields().iter().any(|field| field.key.contains("{{") || has_parameter(&field.value)),
        Content::Plain(..) => false,
    }
}

/// The rules that apply only to the pods of workflows.
fn own(pod: &TemplatePod, has_default: bool) -> Vec<Violation> {
    let Some(spec) = &pod.template.spec else { return Vec::new() };
    let is_default = pod.place("spec").starts_with("spec.templateDefaults");
    let mut found = Vec::new();
    for (path, container) in containers(spec) {
        if OF_ARGO.contains(&container.name.as_str()) {
            let why = format!("was {:?}, which is the name of a container that Argo adds", container.name);
            found.push(Violation { path: format!("{path}.name"), why });
        }
        let may_be_default = path == "spec.containers[0]" && has_default;
        if container.image.as_deref().unwrap_or_default().is_empty() && !may_be_default && !is_default {
            found.push(Violation { path: format!("{path}.image"), why: "is required".to_owned() });
        }
    }
    found
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = (String, &Container)> {
    let init = spec.init_containers.iter().flatten().enumerate();
    let main = spec.containers.iter().enumerate();
    let init = init.map(|(index, container)| (format!("spec.initContainers[{index}]"), container));
    init.chain(main.map(|(index, container)| (format!("spec.containers[{index}]"), container)))
}
