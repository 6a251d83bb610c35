//! What the server knows about the built-in kinds: their defaults, their first status, how they are deleted.

mod defaults;
mod pod;
mod quantities;

pub use defaults::{complete, default, prepare};

use super::catalog::ResourceKind;
use super::object;
use super::status::{ApiError, ApiResult};
use serde_json::{Value, json};

/// An object's apiVersion and kind.
pub fn of(value: &Value) -> (&str, &str) {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    (text("apiVersion"), text("kind"))
}

/// Whether anything in an object that should be a quantity is none.
pub fn has_broken_quantity(kind: &ResourceKind, value: &Value) -> bool {
    kind.group != "apiextensions.k8s.io" && quantities::has_broken(value)
}

/// Whether it is the resource of pods.
pub fn is_pod(kind: &ResourceKind) -> bool {
    kind.is_core("pods")
}

/// The status of a new object: what a client sends is dropped, except for nodes, which bring theirs.
pub fn reset_status(kind: &ResourceKind, value: &mut Value) {
    if !kind.has_subresource("status") || kind.is_core("nodes") {
        return;
    }
    let status = match kind.plural.as_str() {
        _ if kind.is_custom() => None,
        "pods" => Some(json!({"phase": "Pending", "qosClass": pod::qos_class(value)})),
        "namespaces" => Some(json!({"phase": "Active"})),
        "persistentvolumeclaims" | "persistentvolumes" => Some(json!({"phase": "Pending"})),
        "services" | "ingresses" => Some(json!({"loadBalancer": {}})),
        _ => Some(json!({})),
    };
    let members = object::object_mut(value);
    match status {
        Some(status) => members.insert("status".to_owned(), status),
        None => members.shift_remove("status"),
    };
}

/// The class of service of a new pod, once admission has said what its containers ask for.
pub fn settle_class(kind: &ResourceKind, value: &mut Value) {
    if is_pod(kind) {
        let class = pod::qos_class(value);
        object::member_mut(value, "status").insert("qosClass".to_owned(), json!(class));
    }
}

/// Keeps what a client may leave out when it replaces an object.
pub fn carry_over(kind: &ResourceKind, old: &Value, new: &mut Value) {
    if kind.is_core("services") && new.pointer("/spec/clusterIP").is_none() {
        for field in ["clusterIP", "clusterIPs"] {
            if let Some(value) = old.pointer(&format!("/spec/{field}")) {
                object::member_mut(new, "spec").insert(field.to_owned(), value.clone());
            }
        }
    }
    if kind.is_core("namespaces") {
        // Only the finalize subresource changes them, and it does not come this way.
        if let Some(spec) = old.get("spec") {
            object::object_mut(new).insert("spec".to_owned(), spec.clone());
        }
    }
}

/// Whether finalizers in the spec hold the object: only namespaces have them.
pub fn has_spec_finalizers(kind: &ResourceKind, value: &Value) -> bool {
    kind.is_core("namespaces")
        && value.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

/// What else changes when the deletion of an object begins.
pub fn on_terminating(kind: &ResourceKind, value: &mut Value) {
    if kind.is_core("namespaces") {
        object::member_mut(value, "status").insert("phase".to_owned(), json!("Terminating"));
    }
}

/// Jobs alone keep the dependents of a deletion that does not say what becomes of them.
pub fn orphans_by_default(kind: &ResourceKind) -> bool {
    kind.group == "batch" && kind.plural == "jobs"
}

/// Whether the object may be deleted at all.
pub fn check_deletable(kind: &ResourceKind, name: &str) -> ApiResult<()> {
    let protected = (kind.is_core("namespaces") && matches!(name, "default" | "kube-system" | "kube-public"))
        || (kind.group == "scheduling.k8s.io" && name.starts_with("system-"));
    if protected && kind.is_core("namespaces") {
        return Err(ApiError::forbidden(kind, name, "this namespace may not be deleted"));
    }
    if protected {
        return Err(ApiError::forbidden(kind, name, "this is a system priority class and cannot be deleted"));
    }
    Ok(())
}

/// Whether the answer to a deletion is the object rather than a Status.
pub fn returns_deleted(kind: &ResourceKind) -> bool {
    kind.group == "apiextensions.k8s.io"
        || kind.group.is_empty()
            && matches!(
                kind.plural.as_str(),
                "pods"
                    | "persistentvolumeclaims"
                    | "persistentvolumes"
                    | "resourcequotas"
                    | "serviceaccounts"
                    | "services"
            )
}
