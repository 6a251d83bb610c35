//! The rules that apply only to the tasks of a job: they end, the platform knows what they use, and they need nothing
//! from outside.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};

use super::amounts::is_extended;
use super::report::{At, Report, quoted};
use crate::cluster::image::ImageReference;
use crate::cluster::safety::Violation;
use crate::config::GpuResources;

/// Environment variables with this prefix are reserved for the platform.
const RESERVED: &str = "PLATFORM_";

/// Every rule that a task of a job, whose template is at `path`, violates: those of [`violations`](super::violations)
/// and the platform's own; at most the first fifty.
pub fn violations(template: &PodTemplateSpec, path: &str) -> Vec<Violation> {
    let mut report = Report::default();
    let at = At::root(path);
    super::check(template, &at, &mut report);
    if let Some(metadata) = &template.metadata {
        let at = at.field("metadata");
        // Nothing would remove them.
        if metadata.finalizers.iter().flatten().next().is_some() {
            report.say(&at.field("finalizers"), "is not allowed: the pod could never be removed");
        }
        if metadata.owner_references.iter().flatten().next().is_some() {
            report.say(&at.field("ownerReferences"), "is not allowed: a pod belongs to its job");
        }
    }
    if let Some(pod) = &template.spec {
        self::pod(pod, &at.field("spec"), &mut report);
    }
    report.finish()
}

/// Extended resources of a task that `gpus` does not list: such an accelerator would not count against the project's
/// quota.
pub fn uncounted(template: &PodTemplateSpec, path: &str, gpus: &GpuResources) -> Vec<Violation> {
    let mut report = Report::default();
    let root = At::root(path);
    let at = root.field("spec");
    for (field, index, container) in containers(template.spec.as_ref()) {
        let list = at.field(field);
        let container_at = list.item(index);
        let at = container_at.field("resources");
        let Some(resources) = &container.resources else { continue };
        let mut told = HashSet::new();
        for (list, amounts) in [("limits", &resources.limits), ("requests", &resources.requests)] {
            let at = at.field(list);
            for name in amounts.iter().flat_map(|amounts| amounts.keys()) {
                if is_extended(name) && gpus.share_of(name).is_none() && told.insert(name) {
                    let why =
                        "is not a resource that this platform counts; an administrator can add it to GPU_RESOURCES";
                    report.say(&at.key(name), why);
                }
            }
        }
    }
    report.finish()
}

/// The containers of a pod, each with its list and its index in it.
fn containers(pod: Option<&PodSpec>) -> impl Iterator<Item = (&'static str, usize, &Container)> {
    let init = pod.and_then(|pod| pod.init_containers.as_deref()).unwrap_or_default();
    let main = pod.map(|pod| pod.containers.as_slice()).unwrap_or_default();
    let place = |field: &'static str| move |(index, container)| (field, index, container);
    let init = init.iter().enumerate().map(place("initContainers"));
    init.chain(main.iter().enumerate().map(place("containers")))
}

fn pod(pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    if pod.restart_policy.as_deref() == Some("Always") {
        let why = "was \"Always\"; it must be \"Never\" or \"OnFailure\", because the tasks of a job end";
        report.say(&at.field("restartPolicy"), why);
    }
    if pod.preemption_policy.as_deref() == Some("Never") {
        report.say(&at.field("preemptionPolicy"), "is not allowed: the queue decides which jobs make room for others");
    }
    let refused = [
        ("priority", pod.priority.is_some(), "the queue has a priority"),
        ("overhead", pod.overhead.is_some(), "it belongs to the runtime class"),
        ("schedulingGates", pod.scheduling_gates.iter().flatten().next().is_some(), "nothing would open them"),
        ("schedulingGroup", pod.scheduling_group.is_some(), "the job itself is the group that starts together"),
        ("resourceClaims", pod.resource_claims.iter().flatten().next().is_some(), "the platform does not count them"),
    ];
    for (field, is_there, why) in refused {
        if is_there {
            report.say(&at.field(field), format!("is not allowed: {why}"));
        }
    }
    for (field, index, container) in containers(Some(pod)) {
        let list = at.field(field);
        self::container(container, &list.item(index), report);
    }
}

fn container(container: &Container, at: &At<'_>, report: &mut Report) {
    if let Some(image) = &container.image
        && let Err(error) = image.parse::<ImageReference>()
    {
        report.say(
            &at.field("image"),
            format!("was {}, which is not an image reference: {}", quoted(image), error.problem),
        );
    }
    let mut names = HashSet::new();
    let variables = at.field("env");
    for (index, variable) in container.env.iter().flatten().enumerate() {
        let at = variables.item(index);
        let at = at.field("name");
        if variable.name.starts_with(RESERVED) {
            let why =
                format!("was {}; names that begin with {RESERVED} are the platform's own", quoted(&variable.name));
            report.say(&at, why);
        }
        // Kubernetes uses the last one; it is unknown which one was meant.
        if !names.insert(&variable.name) {
            report.say(&at, format!("was {}, which is given twice", quoted(&variable.name)));
        }
    }
    let sources = at.field("envFrom");
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        if source.prefix.as_deref().is_some_and(|prefix| prefix.starts_with(RESERVED)) {
            let why = format!("begins with {RESERVED}, which is the platform's own");
            report.say(&sources.item(index).field("prefix"), why);
        }
    }
    let claims = container.resources.iter().flat_map(|resources| &resources.claims).flatten();
    if claims.into_iter().next().is_some() {
        report.say(&at.field("resources").field("claims"), "is not allowed: the platform does not count them");
    }
}
