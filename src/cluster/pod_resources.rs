//! The resources of a pod that the scheduler reserves for it and that quotas count.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};

use crate::quantity::Quantity;

/// Amounts by resource name, in billionths of the resource's unit.
pub type Amounts = BTreeMap<String, i128>;

/// Billionths per unit.
pub const NANOS: i128 = 1_000_000_000;

/// The effective requests of a pod: its pod-level requests, and its containers' requests for the resources that have
/// none (<https://kubernetes.io/docs/tasks/configure-pod-container/assign-pod-level-resources/>). An invalid quantity
/// counts as zero: [`pod_rules`](super::pod_rules) rejects it.
pub fn of_pod(pod: &PodSpec) -> Amounts {
    in_namespace(pod, &Amounts::new())
}

/// Like [`of_pod`], in a namespace whose limit range gives these requests to containers that have none: what the quota of
/// the namespace counts. A resource that the pod as a whole asks for is not given to its containers.
pub fn in_namespace(pod: &PodSpec, defaults: &Amounts) -> Amounts {
    let whole = |name: &String| {
        let lists = pod.resources.iter().flat_map(|resources| [&resources.requests, &resources.limits]);
        lists.flatten().any(|list| list.contains_key(name))
    };
    let defaults =
        defaults.iter().filter(|(name, _)| !whole(name)).map(|(name, amount)| (name.clone(), *amount)).collect();
    let mut amounts = together(pod, &defaults);
    let Some(resources) = &pod.resources else { return amounts };
    let of_pod =
        |list: &Option<BTreeMap<_, _>>| amounts_of(list.as_ref()).into_iter().filter(|(name, _)| is_for_pods(name));
    amounts.extend(of_pod(&resources.requests));
    let asked = resources.requests.as_ref();
    for (name, amount) in of_pod(&resources.limits) {
        // A limit alone is a request too, unless the containers ask for the resource.
        if !asked.is_some_and(|asked| asked.contains_key(&name)) {
            amounts.entry(name).or_insert(amount);
        }
    }
    amounts
}

/// Whether a resource may be requested at the level of the pod.
pub fn is_for_pods(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || resource.starts_with("hugepages-")
}

/// The effective requests of a pod's containers: the sum of those that run together, or the largest of the init
/// containers that run one after the other before them.
/// <https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>
pub fn of_containers(pod: &PodSpec) -> Amounts {
    together(pod, &Amounts::new())
}

fn together(pod: &PodSpec, defaults: &Amounts) -> Amounts {
    let mut beside = Amounts::new();
    let mut largest = Amounts::new();
    for container in pod.init_containers.iter().flatten() {
        let its = of_container(container, defaults);
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut beside, its);
            raise(&mut largest, beside.clone());
        } else {
            let mut together = beside.clone();
            add(&mut together, its);
            raise(&mut largest, together);
        }
    }
    let mut together = beside;
    for container in &pod.containers {
        add(&mut together, of_container(container, defaults));
    }
    raise(&mut together, largest);
    together
}

/// The requests, or the limits of resources that have no request, or the defaults of those that have neither.
fn of_container(container: &Container, defaults: &Amounts) -> Amounts {
    let mut amounts = defaults.clone();
    if let Some(ResourceRequirements { requests, limits, .. }) = &container.resources {
        amounts.extend(amounts_of(limits.as_ref()));
        amounts.extend(amounts_of(requests.as_ref()));
    }
    amounts
}

fn amounts_of(list: Option<&BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>>) -> Amounts {
    let amount = |(name, quantity): (&String, _)| Some((name.clone(), Quantity::try_from(quantity).ok()?.nanos()));
    list.into_iter().flatten().filter_map(amount).collect()
}

fn add(sum: &mut Amounts, more: Amounts) {
    for (name, amount) in more {
        let sum = sum.entry(name).or_default();
        *sum = sum.saturating_add(amount);
    }
}

fn raise(amounts: &mut Amounts, others: Amounts) {
    for (name, other) in others {
        let amount = amounts.entry(name).or_default();
        *amount = other.max(*amount);
    }
}
