//! Validation: names, labels and references of every object, the rules of the built-in kinds, the schemas of the others.

mod check;
mod claims;
mod job;
mod metadata;
mod pod;
mod workloads;

pub use pod::together;

use super::object;
use super::schema::{CompiledCrd, FieldError, Reason};
use super::write::Write;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// Everything that is wrong with an object, or with changing `old` into it.
pub fn validate(write: &Write<'_>, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = metadata::validate(write.kind, new, old);
    let kind = (write.kind.group.as_str(), write.kind.plural.as_str());
    // A status is judged with its object for custom resources; for built-in kinds nothing but its types counts.
    if write.kind.is_custom() {
        if let Some(schema) = write.kind.schema() {
            errors.extend(schema.validate(new, old));
        }
        return errors;
    }
    if write.subresource == Some("status") {
        return errors;
    }
    match kind {
        ("", "pods") => errors.extend(pod::validate(new, old)),
        ("", "persistentvolumeclaims") => errors.extend(claims::claim(new, old)),
        ("", "namespaces") => errors.extend(workloads::namespace(new)),
        ("", "resourcequotas") => errors.extend(workloads::quota(new)),
        ("", "configmaps" | "secrets") => errors.extend(workloads::keyed_data(new, old)),
        ("", "services") => errors.extend(workloads::service(new)),
        ("batch", "jobs") => errors.extend(job::validate(new, old)),
        ("batch", "cronjobs") => errors.extend(workloads::cron_job(new)),
        ("apps", "deployments" | "replicasets") => errors.extend(workloads::deployment(new, old)),
        ("scheduling.k8s.io", "priorityclasses") => errors.extend(workloads::priority_class(new, old)),
        ("storage.k8s.io", "storageclasses") => errors.extend(workloads::storage_class(new, old)),
        ("apiextensions.k8s.io", "customresourcedefinitions") => errors.extend(definition(new)),
        _ => {}
    }
    errors
}

fn definition(new: &Value) -> Vec<FieldError> {
    let definition: CustomResourceDefinition = match serde_json::from_value(new.clone()) {
        Ok(definition) => definition,
        Err(error) => return vec![FieldError::new("spec", Reason::Invalid, error.to_string())],
    };
    let mut errors = Vec::new();
    let wanted = format!("{}.{}", definition.spec.names.plural, definition.spec.group);
    if object::name(new) != wanted {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::showing("metadata.name", Reason::Invalid, &Value::from(object::name(new)), detail));
    }
    if let Err(more) = CompiledCrd::compile(&definition) {
        errors.extend(more);
    }
    errors
}

/// The text at a path of an object.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Refuses a change of a field that never changes.
fn immutable(errors: &mut Vec<FieldError>, new: &Value, old: Option<&Value>, pointer: &str, path: &str) {
    let Some(old) = old else { return };
    let (new, old) = (new.pointer(pointer), old.pointer(pointer));
    if new != old {
        let shown = new.cloned().unwrap_or_default();
        let mut error = FieldError::showing(path, Reason::Invalid, &shown, "field is immutable");
        if let Value::Object(_) | Value::Array(_) = shown {
            error.shown = Some(shown.to_string());
        }
        errors.push(error);
    }
}
