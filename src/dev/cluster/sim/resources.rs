//! What pods ask for and nodes have: cpu, memory, GPUs and places for pods.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Add, AddAssign, Sub, SubAssign};

use k8s_openapi::api::core::v1::{Container, Node, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

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
    /// What a pod needs to be placed: its containers together, or its greediest init container.
    pub(super) fn of_spec(spec: &PodSpec) -> Self {
        let mut sum = spec.containers.iter().map(of_container).fold(Self::default(), Self::add);
        for init in spec.init_containers.iter().flatten().map(of_container) {
            sum = Self {
                cpu_milli: sum.cpu_milli.max(init.cpu_milli),
                memory_bytes: sum.memory_bytes.max(init.memory_bytes),
                gpus: sum.gpus.max(init.gpus),
                pods: 0,
            };
        }
        Self { pods: 1, ..sum }
    }

    /// What a pod holds on its node.
    pub(super) fn of_pod(pod: &Pod) -> Self {
        pod.spec.as_ref().map(Self::of_spec).unwrap_or_default()
    }

    /// What a node has for pods; nothing when it takes none.
    pub(super) fn of_node(node: &Node) -> Self {
        let closed = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
        let ready = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
        if closed || !ready.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
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
    let Some(resources) = &container.resources else { return Resources::default() };
    // What is limited but not asked for is asked for, as the API server's defaults have it.
    let mut asked = resources.limits.clone().unwrap_or_default();
    asked.extend(resources.requests.clone().unwrap_or_default());
    of_list(&asked)
}

/// The extended resources that a pod asks for and no pretend node has.
pub(super) fn unknown_requests(spec: &PodSpec) -> BTreeSet<String> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let resources = containers.filter_map(|container| container.resources.as_ref());
    let lists = resources.flat_map(|resources| resources.limits.iter().chain(&resources.requests));
    lists.flat_map(BTreeMap::keys).filter(|name| name.contains('/') && *name != GPU).cloned().collect()
}

fn of_list(list: &BTreeMap<String, Quantity>) -> Resources {
    let milli = |name: &str| list.get(name).and_then(|quantity| parse_milli(&quantity.0)).unwrap_or(0);
    let whole = |name: &str| i64::try_from(milli(name) / 1000).unwrap_or(i64::MAX);
    Resources {
        cpu_milli: i64::try_from(milli("cpu")).unwrap_or(i64::MAX),
        memory_bytes: whole("memory"),
        gpus: whole(GPU),
        pods: whole("pods"),
    }
}

/// A Kubernetes quantity in thousandths, rounded up.
pub(super) fn parse_milli(text: &str) -> Option<i128> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-' && c != '+').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (mul, div): (i128, i128) = match suffix {
        "n" => (1, 1_000_000),
        "u" => (1, 1_000),
        "m" => (1, 1),
        "" => (1000, 1),
        "k" => (1000_i128.pow(2), 1),
        "M" => (1000_i128.pow(3), 1),
        "G" => (1000_i128.pow(4), 1),
        "T" => (1000_i128.pow(5), 1),
        "P" => (1000_i128.pow(6), 1),
        "E" => (1000_i128.pow(7), 1),
        "Ki" => (1000 << 10, 1),
        "Mi" => (1000 << 20, 1),
        "Gi" => (1000 << 30, 1),
        "Ti" => (1000 << 40, 1),
        "Pi" => (1000 << 50, 1),
        "Ei" => (1000 << 60, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let factor = 10_i128.checked_pow(power.unsigned_abs())?;
            if power < 0 { (1000, factor) } else { (factor.checked_mul(1000)?, 1) }
        }
    };
    let div = div.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let scaled = digits.checked_mul(mul)?;
    Some(scaled.div_euclid(div) + i128::from(scaled.rem_euclid(div) != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, milli) in [
            ("1", 1000),
            ("500m", 500),
            ("1.5", 1500),
            ("0.0001", 1),
            ("1Ki", 1_024_000),
            ("1.5Gi", 1_610_612_736_000),
            ("2k", 2_000_000),
            ("1e3", 1_000_000),
            ("5e-1", 500),
        ] {
            assert_eq!(parse_milli(text), Some(milli), "{text}");
        }
        for nonsense in ["", "m", "1x", "1.2.3", "--1", "1e99"] {
            assert_eq!(parse_milli(nonsense), None, "{nonsense}");
        }
    }

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
}
