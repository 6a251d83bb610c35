//! Pods and pod templates: the rules of `k8s.io/kubernetes/pkg/apis/core/validation`, in their words.

mod containers;
mod env;
mod handlers;
mod identity;
mod mounts;
mod network;
mod projections;
mod resources;
mod scheduling;
mod security;
mod volumes;

pub use resources::together;

use super::check::{between, forbidden, is_true, list, one_of, some, subdomain, text};
use super::metadata;
use crate::api::schema::{FieldError, Reason};
use serde_json::Value;

/// What a running pod may change of its spec.
const CHANGEABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub fn validate(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let content = new.get("spec").unwrap_or(&Value::Null);
    // What stays as it is was judged when it was made.
    if old.is_none_or(|old| old.get("spec") != new.get("spec")) {
        spec(content, "spec", &mut errors);
        network::host_ports_match(content, "spec", &mut errors);
    }
    identity::annotations(new.get("metadata").unwrap_or(&Value::Null), content, "metadata", "spec", &mut errors);
    let Some(old) = old else {
        if list(content, "ephemeralContainers").next().is_some() {
            forbidden(&mut errors, "spec.ephemeralContainers", "cannot be set on create");
        }
        if list(content, "schedulingGates").next().is_some() && !text(content, "nodeName").is_empty() {
            forbidden(&mut errors, "spec.nodeName", "cannot be set until all schedulingGates have been cleared");
        }
        return errors;
    };
    if fixed_part(old) != fixed_part(new) {
        errors.push(FieldError::new("spec", Reason::Forbidden, CHANGEABLE));
    }
    errors
}

/// The spec without what may change.
fn fixed_part(pod: &Value) -> Value {
    let mut spec = pod.get("spec").cloned().unwrap_or_default();
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            container.as_object_mut().and_then(|container| container.shift_remove("image"));
        }
    }
    if let Some(spec) = spec.as_object_mut() {
        for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"] {
            spec.shift_remove(field);
        }
        spec.retain(|_, value| !value.is_null());
    }
    spec
}

/// The rules of a pod template.
pub fn template(template: &Value, path: &str, errors: &mut Vec<FieldError>) {
    metadata::labels(template.pointer("/metadata/labels"), &format!("{path}.labels"), errors);
    metadata::annotations(template.pointer("/metadata/annotations"), &format!("{path}.annotations"), errors);
    let content = template.get("spec").unwrap_or(&Value::Null);
    let at = format!("{path}.spec");
    spec(content, &at, errors);
    let meta = template.get("metadata").unwrap_or(&Value::Null);
    identity::annotations(meta, content, path, &at, errors);
    if list(content, "ephemeralContainers").next().is_some() {
        forbidden(errors, format!("{at}.ephemeralContainers"), "ephemeral containers not allowed in pod template");
    }
}

/// The rules of a pod spec.
pub fn spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let volumes = volumes::check(spec, path, errors);
    resources::claims(spec, path, errors);
    containers::check(spec, &volumes, path, errors);
    resources::of_pod(spec, path, errors);
    one_of(spec, "restartPolicy", &["Always", "OnFailure", "Never"], path, errors);
    scheduling::check(spec, path, errors);
    security::of_pod(spec, path, errors);
    network::check(spec, path, errors);
    identity::names(spec, path, errors);
    identity::os(spec, path, errors);
    between(spec, "activeDeadlineSeconds", 1, i64::from(i32::MAX), path, errors);
    if let Some(class) = some(spec, "runtimeClassName").and_then(Value::as_str) {
        subdomain(class, &format!("{path}.runtimeClassName"), errors);
    }
    if let Some(class) = some(spec, "priorityClassName").and_then(Value::as_str).filter(|class| !class.is_empty()) {
        subdomain(class, &format!("{path}.priorityClassName"), errors);
    }
    one_of(spec, "preemptionPolicy", &["Never", "PreemptLowerPriority"], path, errors);
}

/// Whether the pod's users are not the node's.
fn has_own_users(spec: &Value) -> bool {
    spec.get("hostUsers") == Some(&Value::Bool(false))
}

/// Whether an init container runs as long as the pod.
fn is_sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// Whether a container may do what the node can.
fn is_privileged(container: &Value) -> bool {
    container.get("securityContext").is_some_and(|context| is_true(context, "privileged"))
}
