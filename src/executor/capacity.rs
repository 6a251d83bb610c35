//! Whether the nodes of the cluster are large enough for the tasks of a job. The nodes are read in the background, so that
//! nobody who asks about a job waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use k8s_openapi::api::core::v1::{Node, PodTemplateSpec};
use kube::Api;
use kube::api::ListParams;

use crate::cluster::pod_resources::{self, Amounts, NANOS};
use crate::cluster::{Cluster, ClusterError};
use crate::quantity::Quantity;

/// The number of nodes that are read with one request.
const PAGE: u32 = 500;
/// Maximum number of resources in a warning.
const MOST_TOLD: usize = 4;

/// The interval at which the nodes are read.
const REFRESH: Duration = Duration::from_secs(30);
/// The number of sizes of nodes that are kept. In a cluster with more different ones, nothing is said about sizes.
const MOST_SIZES: usize = 256;

/// The sizes of the largest nodes of a cluster as last read; none until then. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Nodes(Arc<ArcSwap<Vec<Amounts>>>);

impl Nodes {
    /// Keeps reading the nodes for as long as the server runs.
    pub async fn keep(self, cluster: Cluster) {
        loop {
            match read(&cluster).await {
                Ok(sizes) => self.0.store(Arc::new(sizes)),
                Err(error) => tracing::debug!(%error, "the nodes of the cluster could not be read"),
            }
            tokio::time::sleep(REFRESH).await;
        }
    }

    /// A warning for each different task that fits on no node. None if no nodes are known: the cluster may add them when
    /// they are needed.
    pub(super) fn warnings(&self, tasks: &[PodTemplateSpec], distinct: &[(usize, &PodTemplateSpec)]) -> Vec<String> {
        warnings(&self.0.load(), tasks, distinct)
    }
}

/// The sizes of nodes without those that another one has in every resource: a task fits on some node if it fits on one of
/// these, and no node has more of a resource.
#[derive(Debug, Default)]
struct Sizes {
    largest: Vec<Amounts>,
    are_too_many: bool,
}

impl Sizes {
    fn add(&mut self, node: Amounts) {
        let within = |small: &Amounts, large: &Amounts| {
            small.iter().all(|(name, amount)| *amount <= large.get(name).copied().unwrap_or(0))
        };
        if self.are_too_many || self.largest.iter().any(|known| within(&node, known)) {
            return;
        }
        self.largest.retain(|known| !within(known, &node));
        self.largest.push(node);
        self.are_too_many = self.largest.len() > MOST_SIZES;
    }

    fn finish(self) -> Vec<Amounts> {
        if self.are_too_many { Vec::new() } else { self.largest }
    }
}

/// What each node can give to pods, in billionths of the resource's unit. A node that is cordoned counts too: it may
/// come back.
async fn read(cluster: &Cluster) -> Result<Vec<Amounts>, ClusterError> {
    let api = Api::<Node>::all(cluster.client());
    let mut sizes = Sizes::default();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = cluster.call(api.list(&params)).await?;
        page.items.iter().map(allocatable).for_each(|node| sizes.add(node));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(sizes.finish()),
        }
    }
}

fn allocatable(node: &Node) -> Amounts {
    let amounts = node.status.iter().flat_map(|status| status.allocatable.iter().flatten());
    let amount = |(name, quantity): (&String, _)| Some((name.clone(), Quantity::try_from(quantity).ok()?.nanos()));
    amounts.filter_map(amount).collect()
}

fn warnings(nodes: &[Amounts], tasks: &[PodTemplateSpec], distinct: &[(usize, &PodTemplateSpec)]) -> Vec<String> {
    if nodes.is_empty() {
        return Vec::new();
    }
    let mut told = BTreeSet::new();
    let warnings = distinct.iter().filter_map(|(first, template)| {
        let asked = pod_resources::of_pod(template.spec.as_ref()?);
        let equal = tasks.iter().filter(|task| task == template).count();
        let who = match (tasks.len(), equal) {
            (1, _) => "The task requests".to_owned(),
            (all, equal) if all == equal => format!("Each of the {all} tasks requests"),
            _ => format!("Task {first} requests"),
        };
        warning(nodes, &asked).map(|what| format!("{who} {what}"))
    });
    warnings.filter(|warning| told.insert(warning.clone())).collect()
}

/// What is requested in vain, as the rest of a sentence; `None` if a node has room.
fn warning(nodes: &[Amounts], asked: &Amounts) -> Option<String> {
    let asked: BTreeMap<_, _> = asked.iter().filter(|(_, amount)| **amount > 0).collect();
    let fits = |node: &Amounts| asked.iter().all(|(name, amount)| node.get(*name).copied().unwrap_or(0) >= **amount);
    if nodes.iter().any(fits) {
        return None;
    }
    let largest = |name: &str| nodes.iter().filter_map(|node| node.get(name).copied()).max().unwrap_or(0);
    let shown = |name: &str, nanos: i128| match name {
        "memory" | "ephemeral-storage" => Quantity::of_bytes(i64::try_from(nanos / NANOS).unwrap_or(i64::MAX)),
        _ => Quantity::of_nanos(nanos),
    };
    let beyond = asked.iter().filter(|(name, amount)| largest(name) < ***amount);
    let beyond: Vec<String> = beyond
        .take(MOST_TOLD)
        .map(|(name, amount)| match largest(name) {
            0 => format!("{} {name}, which no node of the cluster has", shown(name, **amount).as_str()),
            most => {
                let (amount, most) = (shown(name, **amount), shown(name, most));
                format!("{} {name}; the largest node of the cluster has {}", amount.as_str(), most.as_str())
            }
        })
        .collect();
    if beyond.is_empty() {
        let together: Vec<String> = asked
            .iter()
            .take(MOST_TOLD)
            .map(|(name, amount)| format!("{} {name}", shown(name, **amount).as_str()))
            .collect();
        return Some(format!("{}, and no node of the cluster has all of that together.", together.join(" and ")));
    }
    Some(format!("{}.", beyond.join(", and ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::safety::GPU;
    use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

    fn amounts(pairs: &[(&str, &str)]) -> BTreeMap<String, ApiQuantity> {
        pairs.iter().map(|(name, amount)| ((*name).to_owned(), ApiQuantity((*amount).to_owned()))).collect()
    }

    fn node(pairs: &[(&str, &str)]) -> Amounts {
        let node = Node {
            status: Some(k8s_openapi::api::core::v1::NodeStatus {
                allocatable: Some(amounts(pairs)),
                ..Default::default()
            }),
            ..Default::default()
        };
        allocatable(&node)
    }

    fn task(pairs: &[(&str, &str)]) -> PodTemplateSpec {
        let resources = ResourceRequirements { limits: Some(amounts(pairs)), ..ResourceRequirements::default() };
        let container = Container { resources: Some(resources), ..Container::default() };
        PodTemplateSpec {
            spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
            ..PodTemplateSpec::default()
        }
    }

    fn told(nodes: &[Amounts], tasks: &[PodTemplateSpec]) -> String {
        let distinct: Vec<(usize, &PodTemplateSpec)> = super::super::trial::distinct(tasks);
        warnings(nodes, tasks, &distinct).join("\n")
    }

    #[test]
    fn who_asks_for_more_than_any_node_has_is_told_what_the_largest_has() {
        let nodes = [node(&[("cpu", "64"), ("memory", "256Gi"), ("nvidia.com/gpu", "8")]), node(&[("cpu", "128")])];
        let tasks = vec![task(&[("nvidia.com/gpu", "64")]); 256];
        insta::assert_snapshot!(told(&nodes, &tasks), @"Each of the 256 tasks requests 64 nvidia.com/gpu; the largest node of the cluster has 8.");
        insta::assert_snapshot!(told(&nodes, &[task(&[("amd.com/gpu", "1")])]), @"The task requests 1 amd.com/gpu, which no node of the cluster has.");
        insta::assert_snapshot!(told(&nodes, &[task(&[("cpu", "1")]), task(&[("cpu", "100"), ("nvidia.com/gpu", "1")])]), @"Task 1 requests 100 cpu and 1 nvidia.com/gpu, and no node of the cluster has all of that together.");
    }

    #[test]
    fn of_many_nodes_only_those_are_kept_that_decide_what_fits() {
        let mut sizes = Sizes::default();
        for _ in 0..5_000 {
            sizes.add(node(&[("cpu", "64"), ("nvidia.com/gpu", "8")]));
            sizes.add(node(&[("cpu", "16")]));
            sizes.add(node(&[("cpu", "128")]));
        }
        assert_eq!(sizes.largest, [node(&[("cpu", "64"), ("nvidia.com/gpu", "8")]), node(&[("cpu", "128")])]);
        // Where each node is different, nothing is claimed.
        (0..1_000).for_each(|n| sizes.add(node(&[("cpu", &n.to_string()), ("memory", &(2_000 - n).to_string())])));
        assert!(sizes.finish().is_empty());
    }

    proptest::proptest! {
        #[test]
        fn a_task_fits_on_the_kept_nodes_as_on_all(
            nodes in proptest::collection::vec((0..4i128, 0..4i128, 0..3i128), 1..12),
            task in (0..5i128, 0..5i128, 0..4i128),
        ) {
            let amounts = |(cpu, memory, gpu): (i128, i128, i128)| {
                Amounts::from([("cpu".to_owned(), cpu), ("memory".to_owned(), memory), (GPU.to_owned(), gpu)])
            };
            let (all, task) = (nodes.into_iter().map(amounts).collect::<Vec<_>>(), amounts(task));
            let mut sizes = Sizes::default();
            all.iter().for_each(|node| sizes.add(node.clone()));
            proptest::prop_assert_eq!(warning(&sizes.finish(), &task), warning(&all, &task));
        }
    }

    #[test]
    fn what_fits_and_a_cluster_without_nodes_are_no_reason_to_warn() {
        let nodes = [node(&[("cpu", "500m")])];
        assert_eq!(told(&nodes, &[task(&[("cpu", "500m")]), task(&[])]), "");
        assert_eq!(told(&[], &[task(&[("cpu", "500m")])]), "");
    }
}
