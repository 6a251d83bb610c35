//! Jobs: how many pods, which of them, and what of it may change.

use super::workloads::non_negative;
use super::{check, immutable, metadata, pod, text};
use crate::api::schema::{FieldError, Reason};
use serde_json::{Value, json};

const UID: &str = "batch.kubernetes.io/controller-uid";
/// The most pods at once, and failed indexes, of an Indexed Job.
const MOST_INDEXED_PODS: i64 = 100_000;

/// The rules of a Job.
pub fn validate(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    selector(new, &mut errors);
    let content = new.get("spec").unwrap_or(&Value::Null);
    spec(content, "spec", &mut errors);
    last_pod_name(new, &mut errors);
    if let Some(old) = old {
        changes(new, old, &mut errors);
    }
    errors
}

/// The selector is made by the server unless the client says that it makes its own; the template must match it.
fn selector(new: &Value, errors: &mut Vec<FieldError>) {
    let meta = |field: &str| text(new, &format!("/metadata/{field}")).to_owned();
    let (name, uid) = (meta("name"), meta("uid"));
    let labels = new.pointer("/spec/template/metadata/labels");
    let refuse = |path: &str, value: Option<&Value>, detail: String| {
        let mut error = FieldError::new(path, Reason::Invalid, detail);
        error.shown = Some(value.map_or_else(|| "null".to_owned(), Value::to_string));
        error
    };
    let selector = new.pointer("/spec/selector");
    let wanted = selector.and_then(|selector| selector.get("matchLabels")).and_then(Value::as_object);
    if new.pointer("/spec/manualSelector") != Some(&json!(true)) {
        for (label, value) in [(UID, &uid), ("controller-uid", &uid), ("job-name", &name)] {
            let given = labels.and_then(|labels| labels.get(label)).and_then(Value::as_str);
            if given.is_some_and(|given| given != value) {
                let path = format!("spec.template.metadata.labels[{label}]");
                errors.push(refuse(&path, labels, format!("must be '{value}'")));
            }
        }
        if selector.is_some_and(|selector| *selector != json!({"matchLabels": {UID: uid}})) {
            errors.push(refuse("spec.selector", selector, "`selector` not auto-generated".to_owned()));
        }
    }
    if selector.is_none() {
        errors.push(FieldError::new("spec.selector", Reason::Required, ""));
    }
    let matches = wanted.is_some_and(|wanted| {
        wanted.iter().all(|(label, value)| labels.and_then(|labels| labels.get(label)) == Some(value))
    });
    if !matches {
        let detail = "`selector` does not match template `labels`".to_owned();
        errors.push(refuse("spec.template.metadata.labels", labels, detail));
    }
}

/// The rules of a Job's spec, in a Job or in a CronJob.
pub fn spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let number = |field: &str| spec.get(field).and_then(Value::as_i64);
    let at = |field: &str| format!("{path}.{field}");
    let fields = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    for field in fields {
        non_negative(errors, spec, &format!("/{field}"), &at(field));
    }
    let indexed = spec.get("completionMode").and_then(Value::as_str) == Some("Indexed");
    check::one_of(spec, "completionMode", &["NonIndexed", "Indexed"], path, errors);
    check::one_of(spec, "podReplacementPolicy", &["Failed", "TerminatingOrFailed"], path, errors);
    let invalid = |field: &str, detail: String| {
        let shown = spec.get(field).cloned().unwrap_or_default();
        FieldError::showing(at(field), Reason::Invalid, &shown, detail)
    };
    if indexed {
        let Some(completions) = number("completions") else {
            let detail = "when completion mode is Indexed";
            return errors.push(FieldError::new(at("completions"), Reason::Required, detail));
        };
        if number("parallelism").is_some_and(|parallelism| parallelism > MOST_INDEXED_PODS) {
            let detail = format!("must be less than or equal to {MOST_INDEXED_PODS} when completion mode is Indexed");
            errors.push(invalid("parallelism", detail));
        }
        if number("maxFailedIndexes").is_some_and(|most| most > completions) {
            errors.push(invalid("maxFailedIndexes", "must be less than or equal to completions".to_owned()));
        }
    } else {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if number(field).is_some() {
                errors.push(invalid(field, "requires indexed completion mode".to_owned()));
            }
        }
    }
    if number("maxFailedIndexes").is_some() && number("backoffLimitPerIndex").is_none() {
        let detail = "when maxFailedIndexes is specified";
        errors.push(FieldError::new(at("backoffLimitPerIndex"), Reason::Required, detail));
    }
    let manager = spec.get("managedBy").and_then(Value::as_str);
    if manager.is_some_and(|manager| {
        !manager.split_once('/').is_some_and(|(domain, path)| !domain.is_empty() && !path.is_empty())
    }) {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        errors.push(invalid("managedBy", detail.to_owned()));
    }
    let template = spec.get("template").unwrap_or(&Value::Null);
    pod::template(template, &at("template"), errors);
    if text(template, "/spec/restartPolicy") == "Always" {
        let detail = "valid values: \"OnFailure\", \"Never\"";
        errors.push(FieldError::new(at("template.spec.restartPolicy"), Reason::Required, detail));
    }
}

/// The pods of an Indexed Job have hostnames of its name and their index.
fn last_pod_name(new: &Value, errors: &mut Vec<FieldError>) {
    let completions = new.pointer("/spec/completions").and_then(Value::as_i64).unwrap_or(0);
    if text(new, "/spec/completionMode") != "Indexed" || completions < 1 {
        return;
    }
    let name = text(new, "/metadata/name");
    let host = format!("{name}-{}", completions - 1);
    if !metadata::is_dns_label(&host) {
        let detail = format!("will not able to create pod with invalid DNS label: {host}");
        errors.push(FieldError::showing("metadata.name", Reason::Invalid, &json!(name), detail));
    }
}

/// What of a Job may not change; the template of one that has not begun may.
fn changes(new: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let completions = (new.pointer("/spec/completions"), old.pointer("/spec/completions"));
    let in_tandem = completions.0 == new.pointer("/spec/parallelism");
    if text(new, "/spec/completionMode") != "Indexed" {
        immutable(errors, new, Some(old), "/spec/completions", "spec.completions");
    } else if completions.0 != completions.1 && !in_tandem {
        let shown = completions.0.cloned().unwrap_or_default();
        let detail = "can only be modified in tandem with spec.parallelism";
        errors.push(FieldError::showing("spec.completions", Reason::Invalid, &shown, detail));
    }
    let mut fixed =
        vec!["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"];
    let begun = old.pointer("/status/startTime").is_some() || old.pointer("/spec/suspend") != Some(&json!(true));
    if begun {
        fixed.insert(1, "template");
    }
    for field in fixed {
        immutable(errors, new, Some(old), &format!("/spec/{field}"), &format!("spec.{field}"));
    }
}
