//! Amounts of resources: of containers, of pods and of scratch space.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use super::names::QUALIFIED;
use super::report::{At, Report, quoted};
use crate::cluster::pod_resources::{self, NANOS, is_for_pods};
use crate::quantity::Quantity;

/// Kubernetes stores whole resources and bytes in 64 bits.
const MOST: i128 = i64::MAX as i128;

type List = BTreeMap<String, ApiQuantity>;

/// The kind of a resource, derived from its name.
enum Kind {
    Cpu,
    /// Memory and scratch space, in bytes.
    Bytes,
    /// Huge pages of this size, in billionths of a byte.
    HugePages(i128),
    /// Counted by a device plugin, such as GPUs.
    Extended,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        match name {
            "cpu" => Some(Self::Cpu),
            "memory" | "ephemeral-storage" => Some(Self::Bytes),
            _ => match name.strip_prefix("hugepages-") {
                Some(size) => {
                    let size = size.parse::<Quantity>().ok()?.nanos();
                    (size > 0).then_some(Self::HugePages(size))
                }
                None => is_extended(name).then_some(Self::Extended),
            },
        }
    }

    /// Whether a container's limit may be greater than its request.
    fn can_be_overcommitted(&self) -> bool {
        matches!(self, Self::Cpu | Self::Bytes)
    }
}

/// Whether a resource is an extended resource, unknown to Kubernetes itself. A quota prefixes its name with
/// "requests.", for which there must be room in its domain.
pub(super) fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.starts_with("requests.") && (QUALIFIED.fits)(&format!("requests.{name}"))
}

/// An amount that is a valid quantity and not negative.
pub(in crate::cluster) fn amount(quantity: &ApiQuantity, at: &At<'_>, report: &mut Report) -> Option<Quantity> {
    match Quantity::try_from(quantity) {
        Ok(amount) if amount.is_negative() => {
            report.say(at, format!("was {amount}; it may not be negative"));
            None
        }
        Ok(amount) => Some(amount),
        Err(_) => {
            let allowed =
                "a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi";
            let why = format!("was {}, which is not a quantity: it must be {allowed}", quoted(&quantity.0));
            report.say(at, why);
            None
        }
    }
}

pub(super) fn of_container(resources: &ResourceRequirements, at: &At<'_>, report: &mut Report) {
    let (requests, limits) = (at.field("requests"), at.field("limits"));
    for (list, at) in [(&resources.requests, &requests), (&resources.limits, &limits)] {
        for (name, quantity) in list.iter().flatten() {
            of_kind(name, quantity, &at.key(name), report);
        }
    }
    let empty = List::new();
    let (asked, allowed) = (resources.requests.as_ref().unwrap_or(&empty), resources.limits.as_ref().unwrap_or(&empty));
    for (name, request) in asked {
        let Some(kind) = Kind::of(name) else { continue };
        within_limit(name, &kind, request, allowed.get(name), (&requests, &limits), report);
    }
    let has = |wanted: &str| asked.contains_key(wanted) || allowed.contains_key(wanted);
    let pages = asked.keys().chain(allowed.keys()).find(|name| name.starts_with("hugepages-"));
    if pages.is_some() && !has("cpu") && !has("memory") {
        report.say(at, "has huge pages; it must have cpu or memory as well");
    }
}

/// A request may not exceed its limit, and must equal it if the node cannot overcommit the resource.
fn within_limit(
    name: &str,
    kind: &Kind,
    request: &ApiQuantity,
    limit: Option<&ApiQuantity>,
    (requests, limits): (&At<'_>, &At<'_>),
    report: &mut Report,
) {
    let Ok(asked) = Quantity::try_from(request) else { return };
    let Some(limit) = limit else {
        if !kind.can_be_overcommitted() {
            report.say(&requests.key(name), format!("was {asked} without a limit; the limit must be the same amount"));
        }
        return;
    };
    let Ok(allowed) = Quantity::try_from(limit) else { return };
    if kind.can_be_overcommitted() {
        if asked > allowed {
            let why = format!("was {allowed}; it may not be less than the request, which is {asked}");
            report.say(&limits.key(name), why);
        }
    } else if asked != allowed {
        report.say(&limits.key(name), format!("was {allowed}; it must be the same as the request, which is {asked}"));
    }
}

/// Whether a container of the pod, or the pod itself, requests huge pages.
pub(super) fn has_huge_pages(pod: &PodSpec) -> bool {
    let containers = pod.containers.iter().chain(pod.init_containers.iter().flatten());
    let resources = containers.filter_map(|container| container.resources.as_ref()).chain(&pod.resources);
    let mut lists = resources.flat_map(|resources| resources.requests.iter().chain(&resources.limits));
    lists.any(|list| list.keys().any(|name| name.starts_with("hugepages-")))
}

fn of_kind(name: &str, quantity: &ApiQuantity, at: &At<'_>, report: &mut Report) {
    let Some(kind) = Kind::of(name) else {
        let why = "is not a resource; use cpu, memory, ephemeral-storage, hugepages- and a size, or a name with a domain \
                   such as nvidia.com/gpu";
        report.say(at, why);
        return;
    };
    let Some(amount) = amount(quantity, at, report) else { return };
    let part = amount.nanos() % NANOS;
    if amount.nanos() > MOST * NANOS {
        report.say(at, format!("was {amount}; it must be at most {MOST}"));
        return;
    }
    match kind {
        Kind::Cpu => {}
        // Kubernetes accepts fractions of a byte, written by mistake as 500m, but no container starts with them.
        Kind::Bytes if part != 0 => report.say(at, format!("was {amount}; it must be a whole number of bytes")),
        Kind::HugePages(size) if amount.nanos() % size != 0 => {
            report.say(at, format!("was {amount}; it must be a multiple of the page size"));
        }
        Kind::Extended if part != 0 => report.say(at, format!("was {amount}; it must be a whole number")),
        Kind::Bytes | Kind::HugePages(_) | Kind::Extended => {}
    }
}

/// The pod-level resources, in addition to those of the containers.
pub(super) fn of_pod(pod: &PodSpec, resources: &ResourceRequirements, at: &At<'_>, report: &mut Report) {
    // Kubernetes rejects an empty list too.
    if resources.claims.is_some() {
        report.say(&at.field("claims"), "is not allowed at the level of the pod");
    }
    let (requests, limits) = (at.field("requests"), at.field("limits"));
    for (list, at) in [(&resources.requests, &requests), (&resources.limits, &limits)] {
        for (name, quantity) in list.iter().flatten() {
            if is_for_pods(name) {
                of_kind(name, quantity, &at.key(name), report);
            } else {
                report
                    .say(&at.key(name), "is not allowed at the level of the pod; only cpu, memory and huge pages are");
            }
        }
    }
    let parsed = |list: &Option<List>, name: &str| {
        list.as_ref().and_then(|list| list.get(name)).and_then(|quantity| Quantity::try_from(quantity).ok())
    };
    for (name, request) in resources.requests.iter().flatten().filter(|(name, _)| is_for_pods(name)) {
        if let Some(kind) = Kind::of(name) {
            let limit = resources.limits.as_ref().and_then(|limits| limits.get(name));
            within_limit(name, &kind, request, limit, (&requests, &limits), report);
        }
    }
    let all = || resources.requests.iter().chain(&resources.limits).flat_map(|list| list.keys());
    if all().any(|name| name.starts_with("hugepages-")) && !all().any(|name| name == "cpu" || name == "memory") {
        report.say(at, "has huge pages; it must have cpu or memory as well");
    }
    let together = pod_resources::of_containers(pod);
    for (name, asked) in together.iter().filter(|(name, _)| is_for_pods(name)) {
        let whole = parsed(&resources.requests, name);
        if let Some(whole) = whole.filter(|whole| whole.nanos() < *asked) {
            let why = format!("was {whole}; it may not be less than the aggregate request of the containers");
            report.say(&requests.key(name), why);
        }
        // Without a pod-level request, the request of the containers is that of the pod.
        let limit = parsed(&resources.limits, name);
        let without_request = resources.requests.as_ref().is_none_or(|requests| !requests.contains_key(name));
        if let Some(limit) = limit.filter(|limit| without_request && limit.nanos() < *asked) {
            let why = format!("was {limit}; it may not be less than the aggregate request of the containers");
            report.say(&limits.key(name), why);
        }
    }
    let containers = pod.containers.iter().chain(pod.init_containers.iter().flatten());
    for container in containers {
        let of_container = container.resources.as_ref().map(|resources| &resources.limits);
        for (name, _) in of_container.into_iter().flatten().flatten().filter(|(name, _)| is_for_pods(name)) {
            let its = container.resources.as_ref().and_then(|resources| parsed(&resources.limits, name));
            if let (Some(its), Some(whole)) = (its, parsed(&resources.limits, name))
                && its > whole
            {
                let named = quoted(&container.name);
                let why =
                    format!("was {whole}; it may not be less than the limit of the container {named}, which is {its}");
                report.say(&limits.key(name), why);
            }
        }
    }
}
