//! CronJobs, Deployments, claims, classes and the other kinds whose rules clients meet.

use super::check::{forbidden, unsupported};
use super::{immutable, job, pod, text};
use crate::api::schema::{FieldError, Reason};
use cluster_resources::Quantity;
use serde_json::{Map, Value, json};

/// The most that a ConfigMap or Secret may hold.
const DATA_LIMIT: usize = 1024 * 1024;

pub fn non_negative(errors: &mut Vec<FieldError>, value: &Value, pointer: &str, path: &str) {
    if let Some(number) = value.pointer(pointer).filter(|number| number.as_i64().is_some_and(|number| number < 0)) {
        errors.push(FieldError::showing(path, Reason::Invalid, number, "must be greater than or equal to 0"));
    }
}

pub fn cron_job(new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if text(new, "/spec/schedule").is_empty() {
        errors.push(FieldError::new("spec.schedule", Reason::Required, ""));
    }
    let template = new.pointer("/spec/jobTemplate/spec").unwrap_or(&Value::Null);
    job::spec(template, "spec.jobTemplate.spec", &mut errors);
    errors
}

pub fn deployment(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    non_negative(&mut errors, new, "/spec/replicas", "spec.replicas");
    let empty = Map::new();
    let map = |pointer: &str| new.pointer(pointer).and_then(Value::as_object).unwrap_or(&empty);
    let selector = map("/spec/selector/matchLabels");
    if new.pointer("/spec/selector").is_none() {
        errors.push(FieldError::new("spec.selector", Reason::Required, ""));
    }
    let labels = map("/spec/template/metadata/labels");
    if selector.iter().any(|(key, value)| labels.get(key) != Some(value)) {
        let detail = "`selector` does not match template `labels`";
        let shown = Value::Object(labels.clone());
        let mut error = FieldError::showing("spec.template.metadata.labels", Reason::Invalid, &shown, detail);
        error.shown = Some(shown.to_string());
        errors.push(error);
    }
    let template = new.pointer("/spec/template").unwrap_or(&Value::Null);
    pod::template(template, "spec.template", &mut errors);
    if !matches!(text(template, "/spec/restartPolicy"), "" | "Always") {
        let path = "spec.template.spec.restartPolicy";
        unsupported(&mut errors, path, text(template, "/spec/restartPolicy"), &["Always"]);
    }
    if template.pointer("/spec/activeDeadlineSeconds").is_some() {
        let detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
        forbidden(&mut errors, "spec.template.spec.activeDeadlineSeconds", detail);
    }
    immutable(&mut errors, new, old, "/spec/selector", "spec.selector");
    errors
}

/// The levels that the labels of a namespace may name.
pub fn namespace(new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for mode in ["audit", "enforce", "warn"] {
        let mut check = |label: String, is_right: &dyn Fn(&str) -> bool, detail: &str| {
            let given = new.pointer("/metadata/labels").and_then(|labels| labels.get(&label));
            if let Some(given) = given.filter(|given| !given.as_str().is_some_and(is_right)) {
                errors.push(FieldError::showing(format!("metadata.labels[{label}]"), Reason::Invalid, given, detail));
            }
        };
        let label = format!("pod-security.kubernetes.io/{mode}");
        let levels = |word: &str| matches!(word, "privileged" | "baseline" | "restricted");
        check(label.clone(), &levels, "must be one of privileged, baseline, restricted");
        let versions = |word: &str| {
            word == "latest"
                || word
                    .strip_prefix("v1.")
                    .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()))
        };
        check(format!("{label}-version"), &versions, "must be \"latest\" or \"v1.x\"");
    }
    errors
}

/// The amounts of a quota: of things that quotas know, and not negative.
pub fn quota(new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (name, amount) in new.pointer("/spec/hard").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("spec.hard[{name}]");
        let plain = name.rsplit(['.', '/']).next().unwrap_or_default();
        let standard = matches!(
            name.as_str(),
            "pods"
                | "services"
                | "replicationcontrollers"
                | "resourcequotas"
                | "secrets"
                | "configmaps"
                | "persistentvolumeclaims"
                | "services.nodeports"
                | "services.loadbalancers"
        ) || matches!(plain, "cpu" | "memory" | "ephemeral-storage" | "storage");
        if !standard && !name.contains('/') {
            for detail in
                ["must be a standard resource type or fully qualified", "must be a standard resource for quota"]
            {
                errors.push(FieldError::showing(path.clone(), Reason::Invalid, &json!(name), detail));
            }
        }
        if Quantity::of_json(amount).is_some_and(|amount| amount.is_negative()) {
            errors.push(FieldError::showing(path, Reason::Invalid, amount, "must be greater than or equal to 0"));
        }
    }
    errors
}

pub fn keyed_data(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for part in ["data", "binaryData"] {
        for (key, value) in new.get(part).and_then(Value::as_object).into_iter().flatten() {
            size += value.as_str().unwrap_or_default().len();
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if key.is_empty() || key.len() > 253 || !key.chars().all(legal) {
                let detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
                errors.push(FieldError::showing(format!("{part}[{key}]"), Reason::Invalid, &json!(key), detail));
            }
        }
    }
    if size > DATA_LIMIT {
        let detail = format!("may not be more than {DATA_LIMIT} bytes");
        errors.push(FieldError::new("", Reason::TooLong, detail));
    }
    if old.is_some_and(|old| old.get("immutable") == Some(&json!(true))) {
        let same = |part: &str| old.and_then(|old| old.get(part)) == new.get(part);
        for part in ["data", "binaryData", "immutable"] {
            if !same(part) {
                errors.push(FieldError::new(part, Reason::Forbidden, "field is immutable when `immutable` is set"));
            }
        }
    }
    if new.get("kind") == Some(&json!("Secret")) {
        immutable(&mut errors, new, old, "/type", "type");
    }
    errors
}

pub fn service(new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let ports = new.pointer("/spec/ports").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if ports.is_empty() && text(new, "/spec/clusterIP") != "None" && text(new, "/spec/type") != "ExternalName" {
        errors.push(FieldError::new("spec.ports", Reason::Required, ""));
    }
    for (index, port) in ports.iter().enumerate() {
        let number = port.get("port").cloned().unwrap_or(json!(0));
        if !number.as_i64().is_some_and(|number| (1..=65535).contains(&number)) {
            let path = format!("spec.ports[{index}].port");
            errors.push(FieldError::showing(path, Reason::Invalid, &number, "must be between 1 and 65535, inclusive"));
        }
        if ports.len() > 1 && port.get("name").and_then(Value::as_str).unwrap_or_default().is_empty() {
            errors.push(FieldError::new(format!("spec.ports[{index}].name"), Reason::Required, ""));
        }
    }
    errors
}

pub fn priority_class(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = new.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let value = new.get("value").and_then(Value::as_i64).unwrap_or(0);
    if value > 1_000_000_000 && !name.starts_with("system-") {
        let detail = "maximum allowed value of a user defined priority is 1000000000";
        errors.push(FieldError::new("value", Reason::Forbidden, detail));
    }
    if old.is_some_and(|old| old.get("value").and_then(Value::as_i64).unwrap_or(0) != value) {
        errors.push(FieldError::new("value", Reason::Forbidden, "may not be changed in an update."));
    }
    errors
}

pub fn storage_class(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if text(new, "/provisioner").is_empty() {
        errors.push(FieldError::new("provisioner", Reason::Required, ""));
    }
    let Some(old) = old else { return errors };
    for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        if old.get(field) != new.get(field) {
            errors.push(FieldError::new(field, Reason::Forbidden, format!("updates to {field} are forbidden.")));
        }
    }
    errors
}
