//! Pods and pod templates.

use super::metadata;
use crate::dev::cluster::api::schema::{FieldError, Reason};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// What a running pod may change of its spec.
const CHANGEABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub fn validate(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    spec(new.get("spec").unwrap_or(&Value::Null), "spec", &mut errors);
    if let Some(old) = old
        && fixed_part(old) != fixed_part(new)
    {
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
    spec(template.get("spec").unwrap_or(&Value::Null), &format!("{path}.spec"), errors);
}

/// The rules of a pod spec.
pub fn spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let volumes = volumes(spec, path, errors);
    let containers = spec.get("containers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        errors.push(FieldError::new(format!("{path}.containers"), Reason::Required, ""));
    }
    let mut names = HashSet::new();
    for list in ["initContainers", "containers"] {
        let entries = spec.get(list).and_then(Value::as_array).into_iter().flatten();
        for (index, entry) in entries.enumerate() {
            container(entry, &format!("{path}.{list}[{index}]"), &volumes, &mut names, errors);
        }
    }
    metadata::labels(spec.get("nodeSelector"), &format!("{path}.nodeSelector"), errors);
    if let Some(hostname) = spec.get("hostname").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        label(hostname, &format!("{path}.hostname"), errors);
    }
    for (index, toleration) in spec.get("tolerations").and_then(Value::as_array).into_iter().flatten().enumerate() {
        one_of(toleration, "operator", &["Equal", "Exists"], &format!("{path}.tolerations[{index}]"), errors);
    }
    one_of(spec, "restartPolicy", &["Always", "OnFailure", "Never"], path, errors);
    one_of(spec, "dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], path, errors);
    if spec.get("activeDeadlineSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds < 1) {
        let shown = spec.get("activeDeadlineSeconds").cloned().unwrap_or_default();
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.push(FieldError::showing(format!("{path}.activeDeadlineSeconds"), Reason::Invalid, &shown, detail));
    }
}

fn volumes<'a>(spec: &'a Value, path: &str, errors: &mut Vec<FieldError>) -> HashSet<&'a str> {
    let mut names = HashSet::new();
    for (index, volume) in spec.get("volumes").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
        let path = format!("{path}.volumes[{index}].name");
        label(name, &path, errors);
        if !name.is_empty() && !names.insert(name) {
            errors.push(FieldError::showing(path, Reason::Duplicate, &json!(name), ""));
        }
    }
    names
}

fn label(name: &str, path: &str, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::new(path, Reason::Required, ""));
    } else if !metadata::is_dns_label(name) {
        let detail = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        errors.push(FieldError::showing(path, Reason::Invalid, &json!(name), detail));
    }
}

fn container<'a>(
    container: &'a Value,
    path: &str,
    volumes: &HashSet<&str>,
    names: &mut HashSet<&'a str>,
    errors: &mut Vec<FieldError>,
) {
    let text = |field: &str| container.get(field).and_then(Value::as_str).unwrap_or_default();
    let name = text("name");
    label(name, &format!("{path}.name"), errors);
    if !name.is_empty()
        && let Some(name) = container.get("name").and_then(Value::as_str)
        && !names.insert(name)
    {
        errors.push(FieldError::showing(format!("{path}.name"), Reason::Duplicate, &json!(name), ""));
    }
    if text("image").is_empty() {
        errors.push(FieldError::new(format!("{path}.image"), Reason::Required, ""));
    } else if text("image").trim() != text("image") {
        let detail = "must not have leading or trailing whitespace";
        errors.push(FieldError::showing(format!("{path}.image"), Reason::Invalid, &json!(text("image")), detail));
    }
    one_of(container, "imagePullPolicy", &["Always", "IfNotPresent", "Never"], path, errors);
    let variables = container.get("env").and_then(Value::as_array).into_iter().flatten();
    for (index, variable) in variables.enumerate() {
        if variable.get("name").and_then(Value::as_str).unwrap_or_default().is_empty() {
            errors.push(FieldError::new(format!("{path}.env[{index}].name"), Reason::Required, ""));
        }
    }
    let mut ports = HashSet::new();
    for (index, port) in container.get("ports").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let name = port.get("name").and_then(Value::as_str).unwrap_or_default();
        if !name.is_empty() && !ports.insert(name) {
            let path = format!("{path}.ports[{index}].name");
            errors.push(FieldError::showing(path, Reason::Duplicate, &json!(name), ""));
        }
    }
    let mut mounted = HashSet::new();
    let mounts = container.get("volumeMounts").and_then(Value::as_array).into_iter().flatten();
    for (index, mount) in mounts.enumerate() {
        let text = |field: &str| mount.get(field).and_then(Value::as_str).unwrap_or_default();
        let at = format!("{path}.volumeMounts[{index}]");
        if text("name").is_empty() {
            errors.push(FieldError::new(format!("{at}.name"), Reason::Required, ""));
        } else if !volumes.contains(text("name")) {
            errors.push(FieldError::showing(format!("{at}.name"), Reason::NotFound, &json!(text("name")), ""));
        }
        if text("mountPath").is_empty() {
            errors.push(FieldError::new(format!("{at}.mountPath"), Reason::Required, ""));
        } else if !mounted.insert(text("mountPath")) {
            let shown = json!(text("mountPath"));
            errors.push(FieldError::showing(format!("{at}.mountPath"), Reason::Invalid, &shown, "must be unique"));
        }
    }
    resources(container, path, errors);
}

/// Quantities must be readable and not negative, and what is asked for must fit what is allowed.
fn resources(container: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let empty = Map::new();
    let part =
        |part: &str| container.pointer(&format!("/resources/{part}")).and_then(Value::as_object).unwrap_or(&empty);
    let limits = part("limits");
    for (resource, request) in part("requests") {
        let at = format!("{path}.resources.requests");
        let (Some(asked), limit) = (quantity(request), limits.get(resource)) else { continue };
        let extended = resource.contains('/') && !resource.starts_with("kubernetes.io/");
        match limit.and_then(quantity) {
            Some(limit_value) if extended && asked != limit_value => {
                let detail = format!("must be equal to {resource} limit of {}", shown(limit));
                errors.push(FieldError::showing(at, Reason::Invalid, request, detail));
            }
            Some(limit_value) if asked > limit_value => {
                let detail = format!("must be less than or equal to {resource} limit of {}", shown(limit));
                errors.push(FieldError::showing(at, Reason::Invalid, request, detail));
            }
            None if extended => {
                let at = format!("{path}.resources.limits");
                let detail = "Limit must be set for non overcommitable resources";
                errors.push(FieldError::new(at, Reason::Required, detail));
            }
            Some(_) | None => {}
        }
    }
    for part_name in ["limits", "requests"] {
        for (resource, value) in part(part_name) {
            let extended = resource.contains('/') && !resource.starts_with("kubernetes.io/");
            if extended && quantity(value).is_some_and(|amount| amount.fract() != 0.0) {
                let at = format!("{path}.resources.{part_name}[{resource}]");
                errors.push(FieldError::showing(at, Reason::Invalid, value, "must be an integer"));
            }
            if quantity(value).is_some_and(|amount| amount < 0.0) {
                let at = format!("{path}.resources.{part_name}[{resource}]");
                errors.push(FieldError::showing(at, Reason::Invalid, value, "must be greater than or equal to 0"));
            }
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default()
}

/// A quantity as a number; precise enough to compare what people write.
pub fn quantity(value: &Value) -> Option<f64> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(number) => return number.as_f64(),
        _ => return None,
    };
    let split = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let number: f64 = text[..split].parse().ok()?;
    let factor = match &text[split..] {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        exponent => 10_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(number * factor)
}

/// Refuses a word that is none of those allowed.
pub fn one_of(value: &Value, field: &str, allowed: &[&str], path: &str, errors: &mut Vec<FieldError>) {
    let Some(text) = value.get(field).and_then(Value::as_str) else { return };
    if !allowed.contains(&text) {
        let list = allowed.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        let detail = format!("supported values: {list}");
        errors.push(FieldError::showing(format!("{path}.{field}"), Reason::NotSupported, &json!(text), detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_compare_by_value() {
        let value = |text: &str| quantity(&json!(text));
        assert_eq!(value("500m"), Some(0.5));
        assert_eq!(value("1Gi"), value("1024Mi"));
        assert_eq!(value("1e3"), value("1k"));
        assert_eq!(value("x"), None);
    }
}
