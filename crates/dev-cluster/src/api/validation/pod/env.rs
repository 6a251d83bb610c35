//! Environment variables and where they come from.

use super::super::check::{config_key, invalid, list, required, some, subdomain, text, unsupported};
use super::super::metadata;
use super::mounts::Volumes;
use crate::api::schema::{FieldError, Reason};
use cluster_resources::Quantity;
use serde_json::{Value, json};

const NAME_RULE: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";
const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
/// The fields of a pod that its environment may have.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// The other fields that have a name.
const OTHER_FIELDS: [&str; 8] = [
    "metadata.annotations",
    "metadata.labels",
    "spec.host",
    "spec.hostNetwork",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.nominatedNodeName",
    "status.phase",
];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const UNITS: [&str; 13] = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// The rules of a container's environment.
pub fn check(container: &Value, volumes: &Volumes<'_>, path: &str, errors: &mut Vec<FieldError>) {
    for (index, variable) in list(container, "env") {
        let at = format!("{path}.env[{index}]");
        let name = text(variable, "name");
        if name.is_empty() {
            required(errors, format!("{at}.name"), "");
        } else if !is_name(name) {
            invalid(errors, format!("{at}.name"), &json!(name), NAME_RULE);
        }
        if let Some(source) = some(variable, "valueFrom") {
            value_from(source, text(variable, "value"), volumes, &format!("{at}.valueFrom"), errors);
        }
    }
    for (index, source) in list(container, "envFrom") {
        let at = format!("{path}.envFrom[{index}]");
        let prefix = text(source, "prefix");
        if !prefix.is_empty() && !is_name(prefix) {
            invalid(errors, format!("{at}.prefix"), &json!(prefix), NAME_RULE);
        }
        let given: Vec<_> = ["configMapRef", "secretRef"].into_iter().filter(|f| some(source, f).is_some()).collect();
        for field in &given {
            match text(&source[*field], "name") {
                "" => required(errors, format!("{at}.{field}.name"), ""),
                name => subdomain(name, &format!("{at}.{field}.name"), errors),
            }
        }
        count(given.len(), "`configMapRef` or `secretRef`", &format!("{path}.envFrom"), errors);
    }
}

fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=')
}

fn count(given: usize, choice: &str, path: &str, errors: &mut Vec<FieldError>) {
    match given {
        0 => invalid(errors, path, &json!(""), format!("must specify one of: {choice}")),
        1 => {}
        _ => invalid(errors, path, &json!(""), "may not have more than one field specified at a time"),
    }
}

fn value_from(source: &Value, value: &str, volumes: &Volumes<'_>, path: &str, errors: &mut Vec<FieldError>) {
    let given: Vec<_> = SOURCES.into_iter().filter(|field| some(source, field).is_some()).collect();
    for field in &given {
        let (source, at) = (&source[*field], format!("{path}.{field}"));
        match *field {
            "fieldRef" => field_ref(source, &FIELDS, true, &at, errors),
            "resourceFieldRef" => resource_ref(source, &at, errors),
            "fileKeyRef" => {
                let volume = text(source, "volumeName");
                if !volumes.contains_key(volume) {
                    let at = format!("{at}.volumeName");
                    errors.push(FieldError::showing(at, Reason::NotFound, &json!(volume), ""));
                }
            }
            _ => {
                subdomain(text(source, "name"), &format!("{at}.name"), errors);
                config_key(text(source, "key"), &format!("{at}.key"), errors);
            }
        }
    }
    if !value.is_empty() && !given.is_empty() {
        invalid(errors, path, &json!(""), "may not be specified when `value` is not empty");
    }
    count(
        given.len(),
        "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        path,
        errors,
    );
}

/// A reference to a field of the pod, of those `allowed`; in the environment a label or an annotation may be one.
pub fn field_ref(source: &Value, allowed: &[&str], subscripts: bool, path: &str, errors: &mut Vec<FieldError>) {
    let (field, version) = (text(source, "fieldPath"), text(source, "apiVersion"));
    let at = format!("{path}.fieldPath");
    if field.is_empty() {
        return required(errors, at, "");
    }
    let mut broken = |why: String| invalid(errors, &at, &json!(field), format!("error converting fieldPath: {why}"));
    if !matches!(version, "" | "v1") {
        return broken(format!("unsupported pod version: {version}"));
    }
    if let Some((map, key)) = field.strip_suffix("']").and_then(|rest| rest.split_once("['")) {
        match map {
            "metadata.labels" | "metadata.annotations" if !subscripts => {
                unsupported(errors, at, field, allowed);
            }
            "metadata.labels" => metadata::qualified_name(key, path, errors),
            "metadata.annotations" => metadata::qualified_name(&key.to_lowercase(), path, errors),
            _ => broken(format!("field label does not support subscript: {field}")),
        }
        return;
    }
    // An old name of another.
    if field == "spec.host" && allowed.contains(&"spec.nodeName") {
        return;
    }
    if !FIELDS.contains(&field) && !OTHER_FIELDS.contains(&field) {
        broken(format!("field label not supported: {field}"));
    } else if !allowed.contains(&field) {
        unsupported(errors, at, field, allowed);
    }
}

/// A reference to what a container asks for or may use.
pub fn resource_ref(source: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let resource = text(source, "resource");
    let at = format!("{path}.resource");
    let hugepages = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
    if resource.is_empty() {
        return required(errors, at, "");
    } else if !RESOURCES.contains(&resource) && !hugepages {
        return unsupported(errors, at, resource, &RESOURCES);
    }
    let divisor = source.get("divisor").and_then(Quantity::of_json).unwrap_or_else(Quantity::zero);
    let is = |allowed: &[&str]| {
        divisor.is_zero() || allowed.iter().any(|unit| unit.parse::<Quantity>().is_ok_and(|unit| unit == divisor))
    };
    let kind = resource.split_once('.').map_or("", |(_, kind)| kind);
    let detail = match kind {
        "cpu" if !is(&["1m", "1"]) => "only divisor's values 1m and 1 are supported with the cpu resource".to_owned(),
        "cpu" => return,
        _ if is(&UNITS) => return,
        "memory" => format!("only divisor's values {} are supported with the memory resource", UNITS.join(", ")),
        "ephemeral-storage" => {
            format!(
                "only divisor's values {} are supported with the local ephemeral storage resource",
                UNITS.join(", ")
            )
        }
        _ => format!("only divisor's values {} are supported with the hugepages resource", UNITS.join(", ")),
    };
    invalid(errors, format!("{path}.divisor"), &json!(resource), detail);
}
