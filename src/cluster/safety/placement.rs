//! Nodes: a pod may select a kind of node, but never a particular node.
//!
//! A selector may name what many nodes share (a GPU model, a zone, an architecture). Whatever names one node, a node's role
//! in the cluster's control plane, or a taint that Kubernetes uses to keep pods off is rejected.

use serde_json::{Map, Value};

use super::shown::entry;
use super::{Walk, folded, member, shown, shown_key};

/// The last part of labels that name a single node: Kubernetes' own (`kubernetes.io/hostname`) and those of cloud
/// providers and storage drivers (`alpha.eksctl.io/instance-id`, `topology.hostpath.csi/node`).
const NODE_NAMES: [&str; 8] =
    ["hostname", "nodename", "node-name", "node", "instance-id", "instance", "machine", "provider-id"];
/// Roles of the nodes that run the cluster itself.
const CONTROL_PLANE: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
/// The taints that every pod may tolerate for a while in Kubernetes.
const TOLERATED: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
/// Prefixes of the cluster's taints: roles and states of nodes.
const CLUSTER_TAINTS: [&str; 3] =
    ["node-role.kubernetes.io/", "node.kubernetes.io/", "node.cloudprovider.kubernetes.io/"];

const SCHEDULER: &str = "the scheduler chooses the node";

/// Why a label may not be used to choose a node.
fn forbidden_label(walk: &Walk, label: &str) -> Option<String> {
    let label = label.to_ascii_lowercase();
    let name = label.rsplit('/').next().unwrap_or(&label);
    if walk.is_filled_in(&label) {
        Some("may not contain a template tag: it could name a node".to_owned())
    } else if NODE_NAMES.contains(&name) {
        Some(format!("names a node; {SCHEDULER}, and a pod may only select a kind of node"))
    } else if CONTROL_PLANE.contains(&label.as_str()) {
        Some("selects a node of the control plane, where pods of projects do not run".to_owned())
    } else {
        None
    }
}

/// The labels of a node selector.
pub fn node_selector(walk: &mut Walk, labels: &Map<String, Value>, path: &str) {
    for label in labels.keys() {
        if let Some(why) = forbidden_label(walk, label) {
            walk.note(format!("{path}{}", entry(label)), why);
        }
    }
}

/// The same for expressions, required and preferred; with every operator, naming a node selects or excludes it.
pub fn node_affinity(walk: &mut Walk, affinity: &Value, path: &str) {
    match affinity {
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let path = format!("{path}.{}", shown_key(key));
                match (folded(key).as_str(), value) {
                    ("matchfields", Value::Array(list)) if list.is_empty() => {}
                    ("matchfields", _) => walk.note(path, format!("is not allowed: it names a node; {SCHEDULER}")),
                    ("key", Value::String(label)) => {
                        if let Some(why) = forbidden_label(walk, label) {
                            walk.note(path, format!("was {}, which {why}", shown(value)));
                        }
                    }
                    _ => node_affinity(walk, value, &path),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                node_affinity(walk, item, &format!("{path}[{index}]"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The allowed tolerations: taints of nodes dedicated to a kind of work, but none that keeps pods off a node.
pub fn tolerations(walk: &mut Walk, list: &[Value], path: &str) {
    for (index, toleration) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Object(fields) = toleration else { continue };
        let text = |name: &str| member(fields, name).map(|value| value.as_str().unwrap_or("{{"));
        let key = text("key").unwrap_or_default();
        let why = if [Some(key), text("operator"), text("effect")].into_iter().flatten().any(|t| walk.is_filled_in(t)) {
            "may not contain a template tag: it could tolerate every taint".to_owned()
        } else if key.is_empty() {
            "tolerates every taint; name the key of the taint".to_owned()
        } else if TOLERATED.contains(&key) && text("effect") == Some("NoExecute") {
            continue;
        } else if CLUSTER_TAINTS.iter().any(|prefix| key.to_ascii_lowercase().starts_with(prefix)) {
            format!("tolerates {}, which the cluster uses to keep pods off a node", shown_key(key))
        } else {
            continue;
        };
        walk.note(path, why);
    }
}
