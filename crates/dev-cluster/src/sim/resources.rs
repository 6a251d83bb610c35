//! What pods ask for and nodes have: cpu, memory, GPUs and places for pods.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Add, AddAssign, Sub, SubAssign};

use cluster_resources::Quantity;
use k8s_openapi::api::core::v1::{Container, Node, Pod, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

/// The extended resource of a GPU.
pub(super) const GPU: &str = "nvidia.com/gpu";

/// An amount of everything that is scheduled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resources {
    pub(super) cpu_milli: i64,
    pub(super) memory_bytes: i64,
    pub(super) gpus: i64,
    pub(super) pods: i64,
}

impl Resources {
    /// What a pod needs to be placed, as Kubernetes adds it up: its containers and sidecars together, or more for an init
    /// container that needs more while it runs; what the pod itself asks for takes the place of that sum; then the overhead of
    /// its runtime class.
    pub(super) fn of_spec(spec: &PodSpec) -> Self {
        let mut sidecars = Self::default();
        let mut at_start = Self::default();
        for init in spec.init_containers.iter().flatten() {
            let needs = of_container(init);
            if init.restart_policy.as_deref() == Some("Always") {
                sidecars += needs;
                at_start = at_start.or(sidecars);
            } else {
                at_start = at_start.or(sidecars + needs);
            }
        }
        let mut sum = spec.containers.iter().map(of_container).fold(sidecars, Self::add).or(at_start);
        if let Some(resources) = &spec.resources {
            let asked = asked(resources);
            let of_pod = of_list(&asked);
            // Only these may be asked for by a pod as a whole.
            if asked.contains_key("cpu") {
                sum.cpu_milli = of_pod.cpu_milli;
            }
            if asked.contains_key("memory") {
                sum.memory_bytes = of_pod.memory_bytes;
            }
        }
        let overhead = spec.overhead.as_ref().map(of_list).unwrap_or_default();
        Self { pods: 1, ..sum + overhead }
    }

    /// The greater amount of each.
    fn or(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.max(other.cpu_milli),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            gpus: self.gpus.max(other.gpus),
            pods: self.pods.max(other.pods),
        }
    }

    /// What a pod holds on its node.
    pub(super) fn of_pod(pod: &Pod) -> Self {
        pod.spec.as_ref().map(Self::of_spec).unwrap_or_default()
    }

    /// What a node has for pods; nothing while it is not ready.
    pub(super) fn of_node(node: &Node) -> Self {
        let ready = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
        if !ready.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
            return Self::default();
        }
        let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        allocatable.map(of_list).unwrap_or_default()
    }

    /// Whether `need` has room in this.
    pub(super) fn holds(&self, need: &Self) -> bool {
        need.cpu_milli <= self.cpu_milli
            && need.memory_bytes <= self.memory_bytes
            && need.gpus <= self.gpus
            && need.pods <= self.pods
    }
}

impl Add for Resources {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_add(other.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            gpus: self.gpus.saturating_add(other.gpus),
            pods: self.pods.saturating_add(other.pods),
        }
    }
}

impl Sub for Resources {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_sub(other.cpu_milli),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
            gpus: self.gpus.saturating_sub(other.gpus),
            pods: self.pods.saturating_sub(other.pods),
        }
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Resources {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

fn of_container(container: &Container) -> Resources {
    container.resources.as_ref().map(|resources| of_list(&asked(resources))).unwrap_or_default()
}

/// What is limited but not asked for is asked for, as the API server's defaults have it.
fn asked(resources: &ResourceRequirements) -> BTreeMap<String, ApiQuantity> {
    let mut asked = resources.limits.clone().unwrap_or_default();
    asked.extend(resources.requests.clone().unwrap_or_default());
    asked
}

/// The extended resources that a pod asks for and no pretend node has.
pub(super) fn unknown_requests(spec: &PodSpec) -> BTreeSet<String> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let resources = containers.filter_map(|container| container.resources.as_ref());
    let lists = resources.flat_map(|resources| resources.limits.iter().chain(&resources.requests));
    lists.flat_map(BTreeMap::keys).filter(|name| name.contains('/') && *name != GPU).cloned().collect()
}

fn of_list(list: &BTreeMap<String, ApiQuantity>) -> Resources {
    let amount = |name: &str| list.get(name).and_then(|quantity| Quantity::try_from(quantity).ok());
    let units = |name: &str| bounded(amount(name).map_or(0, |amount| amount.units()));
    Resources {
        cpu_milli: bounded(amount("cpu").map_or(0, |amount| amount.millis())),
        memory_bytes: units("memory"),
        gpus: units(GPU),
        pods: units("pods"),
    }
}

fn bounded(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_needs_its_containers_or_its_greediest_init_container() {
        let pod: Pod = serde_json::from_value(json!({"spec": {
            "initContainers": [{"name": "setup", "resources": {"requests": {"cpu": "4"}}}],
            "containers": [
                {"name": "a", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
                {"name": "b", "resources": {"limits": {"cpu": "500m", "nvidia.com/gpu": "2"}}},
            ],
        }}))
        .unwrap();
        let expected = Resources { cpu_milli: 4000, memory_bytes: 1 << 30, gpus: 2, pods: 1 };
        assert_eq!(Resources::of_pod(&pod), expected);
    }
    fn needs(spec: serde_json::Value) -> Resources {
        Resources::of_spec(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn what_a_pod_asks_for_as_a_whole_takes_the_place_of_the_sum() {
        let containers = json!([
            {"name": "a", "resources": {"requests": {"cpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}},
            {"name": "b"},
        ]);
        let whole = json!({"requests": {"cpu": "64"}, "limits": {"memory": "1Gi"}});
        let expected = Resources { cpu_milli: 64_000, memory_bytes: 1 << 30, gpus: 1, pods: 1 };
        assert_eq!(needs(json!({"containers": containers, "resources": whole})), expected);
    }

    #[test]
    fn sidecars_stay_beside_the_containers_and_the_overhead_comes_on_top() {
        let asks = |name: &str, cpu: &str| json!({"name": name, "resources": {"requests": {"cpu": cpu}}});
        let mut sidecar = asks("proxy", "1");
        sidecar["restartPolicy"] = json!("Always");
        let spec = json!({
            "initContainers": [asks("before", "3"), sidecar, asks("after", "2")],
            "containers": [asks("main", "1")],
            "overhead": {"cpu": "250m"},
        });
        // The first init container alone and the last beside the sidecar are equal; the containers need less.
        assert_eq!(needs(spec).cpu_milli, 3250);
    }
}
