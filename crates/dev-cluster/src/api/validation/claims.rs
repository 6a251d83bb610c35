//! Claims for storage, by themselves and in a pod.

use super::check::{invalid, list, required, some, subdomain, unsupported};
use super::{check, text};
use crate::api::schema::{FieldError, Reason};
use cluster_resources::Quantity;
use serde_json::Value;

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// The rules of a claim's spec.
pub fn spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let at = format!("{path}.accessModes");
    if list(spec, "accessModes").next().is_none() {
        required(errors, &at, "at least 1 access mode is required");
    }
    for (_, mode) in list(spec, "accessModes") {
        if !mode.as_str().is_some_and(|mode| MODES.contains(&mode)) {
            unsupported(errors, &at, mode.as_str().unwrap_or_default(), &MODES);
        }
    }
    let storage = spec.pointer("/resources/requests/storage");
    match storage.map(Quantity::of_json) {
        None => required(errors, format!("{path}.resources[storage]"), ""),
        Some(Some(amount)) if amount.is_positive() => {}
        Some(_) => {
            let shown = storage.cloned().unwrap_or_default();
            invalid(errors, format!("{path}.resources[storage]"), &shown, "must be greater than zero");
        }
    }
    if let Some(class) = some(spec, "storageClassName").and_then(Value::as_str).filter(|class| !class.is_empty()) {
        subdomain(class, &format!("{path}.storageClassName"), errors);
    }
    check::one_of(spec, "volumeMode", &["Block", "Filesystem"], path, errors);
}

/// The rules of a claim.
pub fn claim(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    spec(new.get("spec").unwrap_or(&Value::Null), "spec", &mut errors);
    let Some(old) = old else { return errors };
    let size = |claim: &Value| claim.pointer("/spec/resources/requests/storage").and_then(Quantity::of_json);
    if fixed(new, old) != fixed(old, old) {
        let detail =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(FieldError::new("spec", Reason::Forbidden, detail));
    } else if let (Some(new), Some(old)) = (size(new), size(old))
        && new < old
    {
        let detail = "field can not be less than status.capacity";
        errors.push(FieldError::new("spec.resources.requests.storage", Reason::Forbidden, detail));
    }
    errors
}

/// What of a claim never changes: all but the size of a bound claim and the volume that a binder fills in.
fn fixed(claim: &Value, old: &Value) -> Value {
    let mut spec = claim.get("spec").cloned().unwrap_or_default();
    if text(old, "/status/phase") == "Bound"
        && let Some(requests) = spec.pointer_mut("/resources/requests").and_then(Value::as_object_mut)
    {
        requests.shift_remove("storage");
    }
    if let Some(spec) = spec.as_object_mut() {
        if text(old, "/spec/volumeName").is_empty() {
            spec.shift_remove("volumeName");
            // Made when there was no default class, it may be given one.
            if old.pointer("/spec/storageClassName").is_none() {
                spec.shift_remove("storageClassName");
            }
        }
        spec.shift_remove("volumeAttributesClassName");
    }
    spec
}
