//! Which node a pod fits on, and why it fits on none. A pure function.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration};
use kube::core::{Expression, Selector, SelectorExt};
use kube::{Resource, ResourceExt};

use super::super::resources::{Resources, unknown_requests};

const CORDONED: &str = "node.kubernetes.io/unschedulable";

/// A node and the room that nobody holds on it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) node: Arc<Node>,
    pub(super) free: Resources,
}

/// The node for a pod; or the sentence that says why there is none, in the words of a real scheduler.
pub(super) fn choose(spec: &PodSpec, places: &BTreeMap<String, Place>) -> Result<String, String> {
    if places.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let needs = Resources::of_spec(spec);
    let mut why: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting = Vec::new();
    for (name, place) in places {
        let obstacles = obstacles(spec, &needs, place);
        if obstacles.is_empty() {
            fitting.push((name, place));
        }
        for obstacle in obstacles {
            *why.entry(obstacle).or_default() += 1;
        }
    }
    // Who asks for GPUs fills up a node, so that larger pods still find one; who does not goes where most is free.
    let best = fitting.into_iter().min_by_key(|(_, place)| {
        let idle = if needs.gpus > 0 { place.free.gpus - needs.gpus } else { 0 };
        (idle, -place.free.cpu_milli)
    });
    best.map(|(name, _)| name.clone()).ok_or_else(|| none_available(places.len(), why))
}

/// The sentence about nodes of which each has an obstacle; `why` counts them.
fn none_available(nodes: usize, why: BTreeMap<String, usize>) -> String {
    let list: BTreeSet<_> = why.into_iter().map(|(obstacle, nodes)| format!("{nodes} {obstacle}")).collect();
    let list: Vec<_> = list.into_iter().collect();
    format!("0/{nodes} nodes are available: {}.", list.join(", "))
}

/// The nodes that a pod may be on, however little room they have at present; or the sentence that says why there are none.
pub(in super::super) fn eligible(spec: &PodSpec, nodes: &[Arc<Node>]) -> Result<BTreeSet<String>, String> {
    let unknown = unknown_requests(spec);
    let mut why: BTreeMap<String, usize> = BTreeMap::new();
    let mut eligible = BTreeSet::new();
    for node in nodes {
        match unfit(spec, node) {
            Some(obstacle) => *why.entry(obstacle).or_default() += 1,
            None if unknown.is_empty() => drop(eligible.insert(node.name_any())),
            None => unknown.iter().for_each(|name| *why.entry(format!("Insufficient {name}")).or_default() += 1),
        }
    }
    match (eligible.is_empty(), nodes.is_empty()) {
        (false, _) => Ok(eligible),
        (true, true) => Err("no nodes available to schedule pods".to_owned()),
        (true, false) => Err(none_available(nodes.len(), why)),
    }
}

/// Whether a node takes every pod that does not choose among nodes.
pub(in super::super) fn is_open(node: &Node) -> bool {
    unfit(&PodSpec::default(), node).is_none()
}

/// What keeps a pod from a node: the first thing that is wrong with the node, or everything that it is short of.
fn obstacles(spec: &PodSpec, needs: &Resources, place: &Place) -> Vec<String> {
    if let Some(obstacle) = unfit(spec, &place.node) {
        return vec![obstacle];
    }
    let free = &place.free;
    let short = [
        ("Too many pods", needs.pods > free.pods),
        ("Insufficient cpu", needs.cpu_milli > free.cpu_milli.max(0)),
        ("Insufficient memory", needs.memory_bytes > free.memory_bytes.max(0)),
        ("Insufficient nvidia.com/gpu", needs.gpus > free.gpus.max(0)),
    ];
    let known = short.into_iter().filter(|(_, is_short)| *is_short).map(|(what, _)| what.to_owned());
    known.chain(unknown_requests(spec).into_iter().map(|name| format!("Insufficient {name}"))).collect()
}

/// What is wrong with a node for a pod, however much room it has.
fn unfit(spec: &PodSpec, node: &Node) -> Option<String> {
    if node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false) && !tolerates_cordons(spec) {
        return Some("node(s) were unschedulable".to_owned());
    }
    if let Some(taint) = repelled_by(spec, node) {
        let value = taint.value.as_deref().unwrap_or_default();
        return Some(format!("node(s) had untolerated taint {{{}: {value}}}", taint.key));
    }
    (!is_selected(spec, node)).then(|| "node(s) didn't match Pod's node affinity/selector".to_owned())
}

/// A cordoned node counts as one with this taint.
fn tolerates_cordons(spec: &PodSpec) -> bool {
    let cordon = Taint { key: CORDONED.to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() };
    spec.tolerations.iter().flatten().any(|toleration| tolerates(toleration, &cordon))
}

/// The first taint of the node that keeps the pod away.
fn repelled_by<'a>(spec: &PodSpec, node: &'a Node) -> Option<&'a Taint> {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    let mut repelling = taints.iter().filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"));
    repelling.find(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    let key = given(&toleration.key).is_none_or(|key| key == taint.key);
    let effect = given(&toleration.effect).is_none_or(|effect| effect == taint.effect);
    let value = toleration.operator.as_deref() == Some("Exists")
        || toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default();
    key && effect && value
}

/// Whether the pod's node selector and required node affinity choose the node.
fn is_selected(spec: &PodSpec, node: &Node) -> bool {
    let labels = node.labels();
    let selected = spec.node_selector.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    selected && required.is_none_or(|required| required.node_selector_terms.iter().any(|term| chooses(term, node)))
}

/// An empty term chooses nothing.
fn chooses(term: &NodeSelectorTerm, node: &Node) -> bool {
    let by_label = term.match_expressions.as_deref().unwrap_or_default();
    let by_field = term.match_fields.as_deref().unwrap_or_default();
    let fields = BTreeMap::from([("metadata.name".to_owned(), node.meta().name.clone().unwrap_or_default())]);
    !(by_label.is_empty() && by_field.is_empty())
        && by_label.iter().all(|requirement| holds(requirement, node.labels()))
        && by_field.iter().all(|requirement| holds(requirement, &fields))
}

fn holds(requirement: &NodeSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let key = requirement.key.clone();
    let values = || requirement.values.clone().unwrap_or_default().into_iter().collect();
    let number = |text: Option<&String>| text.and_then(|text| text.parse::<i64>().ok());
    let (found, bound) = (number(labels.get(&key)), number(requirement.values.iter().flatten().next()));
    let expression = match requirement.operator.as_str() {
        "In" => Expression::In(key, values()),
        "NotIn" => Expression::NotIn(key, values()),
        "Exists" => Expression::Exists(key),
        "DoesNotExist" => Expression::DoesNotExist(key),
        "Gt" => return found.zip(bound).is_some_and(|(found, bound)| found > bound),
        "Lt" => return found.zip(bound).is_some_and(|(found, bound)| found < bound),
        _ => return false,
    };
    Selector::from_iter([expression]).matches(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn places(nodes: &[Value]) -> BTreeMap<String, Place> {
        let place = |node: &Value| {
            let node: Node = serde_json::from_value(node.clone()).unwrap();
            let free = Resources { cpu_milli: 4000, memory_bytes: 1 << 30, gpus: 2, pods: 10 };
            (node.name_any(), Place { node: Arc::new(node), free })
        };
        nodes.iter().map(place).collect()
    }

    fn chosen(spec: Value, nodes: &[Value]) -> Result<String, String> {
        let mut spec = spec;
        let containers = json!([{"name": "a", "resources": spec["resources"].clone()}]);
        spec["containers"] = containers;
        choose(&serde_json::from_value(spec).unwrap(), &places(nodes))
    }

    fn node(name: &str, labels: Value, taints: Value) -> Value {
        json!({"metadata": {"name": name, "labels": labels}, "spec": {"taints": taints}})
    }

    #[test]
    fn the_obstacles_are_counted_by_node() {
        let nodes = [node("a", json!({}), json!([])), node("b", json!({"disk": "ssd"}), json!([]))];
        let spec = json!({"nodeSelector": {"disk": "ssd"}, "resources": {"requests": {"cpu": "5", "memory": "2Gi"}}});
        insta::assert_snapshot!(chosen(spec, &nodes).unwrap_err(), @"0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) didn't match Pod's node affinity/selector.");
    }

    #[test]
    fn a_taint_keeps_away_who_does_not_tolerate_it() {
        let nodes = [node("a", json!({}), json!([{"key": "gpu", "value": "only", "effect": "NoSchedule"}]))];
        insta::assert_snapshot!(chosen(json!({}), &nodes).unwrap_err(), @"0/1 nodes are available: 1 node(s) had untolerated taint {gpu: only}.");
        let tolerations = json!([{"key": "gpu", "operator": "Exists"}]);
        assert_eq!(chosen(json!({"tolerations": tolerations}), &nodes), Ok("a".to_owned()));
    }

    #[test]
    fn a_resource_that_no_node_has_is_short_everywhere() {
        let nodes = [node("a", json!({}), json!([]))];
        let spec = json!({"resources": {"limits": {"example.com/fpga": "1"}}});
        insta::assert_snapshot!(chosen(spec, &nodes).unwrap_err(), @"0/1 nodes are available: 1 Insufficient example.com/fpga.");
    }

    #[test]
    fn affinity_chooses_by_labels_and_by_name() {
        let nodes = [node("a", json!({"tier": "1"}), json!([])), node("b", json!({"tier": "3"}), json!([]))];
        let affinity = |term: Value| json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}});
        let by_label = json!({"matchExpressions": [{"key": "tier", "operator": "Gt", "values": ["2"]}]});
        assert_eq!(chosen(affinity(by_label), &nodes), Ok("b".to_owned()));
        let by_name = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]});
        assert_eq!(chosen(affinity(by_name), &nodes), Ok("a".to_owned()));
        assert!(chosen(affinity(json!({})), &nodes).is_err());
    }

    #[test]
    fn the_nodes_that_a_pod_may_be_on_are_told_however_full_they_are() {
        let nodes = [
            node("a", json!({"disk": "ssd"}), json!([])),
            node("b", json!({"disk": "ssd"}), json!([{"key": "gpu", "value": "only", "effect": "NoSchedule"}])),
            node("c", json!({}), json!([])),
        ];
        let nodes: Vec<_> = nodes.iter().map(|node| Arc::new(serde_json::from_value(node.clone()).unwrap())).collect();
        let of = |spec: Value| eligible(&serde_json::from_value(spec).unwrap(), &nodes);
        let named = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
        assert_eq!(of(json!({"containers": []})), named(&["a", "c"]));
        assert_eq!(of(json!({"containers": [], "nodeSelector": {"disk": "ssd"}})), named(&["a"]));
        assert_eq!(of(json!({"containers": [], "tolerations": [{"operator": "Exists"}]})), named(&["a", "b", "c"]));
        let rare = json!([{"name": "x", "resources": {"limits": {"example.com/fpga": "1"}}}]);
        let why = of(json!({"containers": rare})).unwrap_err();
        insta::assert_snapshot!(why, @"0/3 nodes are available: 1 node(s) had untolerated taint {gpu: only}, 2 Insufficient example.com/fpga.");
        assert_eq!(nodes.iter().filter(|node| is_open(node)).count(), 2);
    }

    #[test]
    fn a_cordoned_node_takes_only_who_tolerates_that() {
        let cordoned = json!({"metadata": {"name": "a"}, "spec": {"unschedulable": true}});
        insta::assert_snapshot!(chosen(json!({}), std::slice::from_ref(&cordoned)).unwrap_err(), @"0/1 nodes are available: 1 node(s) were unschedulable.");
        let tolerations = json!([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]);
        assert_eq!(chosen(json!({"tolerations": tolerations}), &[cordoned]), Ok("a".to_owned()));
    }
}
