//! Names, labels, annotations, finalizers and owners.

use crate::api::catalog::ResourceKind;
use crate::api::object;
use crate::api::schema::{FieldError, Reason};
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

pub const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
pub const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS1035_RULE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const NAME_PART_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
pub const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// How long all annotations together may be.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

#[allow(clippy::expect_used, reason = "the patterns are constants")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

static LABEL: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"));
static DNS1035: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[a-z]([-a-z0-9]*[a-z0-9])?$"));
static SUBDOMAIN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"));
static NAME_PART: LazyLock<Regex> = LazyLock::new(|| pattern(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"));

/// Whether a text is an RFC 1123 label.
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && LABEL.is_match(text)
}

/// Whether a text is an RFC 1123 subdomain.
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && SUBDOMAIN.is_match(text)
}

/// Whether a text may be the value of a label.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || text.len() <= 63 && NAME_PART.is_match(text)
}

/// The rules of the metadata of an object.
pub fn validate(kind: &ResourceKind, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if old.is_none() {
        name(kind, new, &mut errors);
    }
    labels(object::meta(new).get("labels"), "metadata.labels", &mut errors);
    annotations(object::meta(new).get("annotations"), "metadata.annotations", &mut errors);
    finalizers(kind, new, old, &mut errors);
    owners(new, &mut errors);
    errors
}

fn name(kind: &ResourceKind, value: &Value, errors: &mut Vec<FieldError>) {
    let name = object::name(value);
    if name.is_empty() {
        errors.push(FieldError::new("metadata.name", Reason::Required, "name or generateName is required"));
        return;
    }
    let (rule, pattern, longest) = match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "namespaces") => (LABEL_RULE, &LABEL, 63),
        ("", "services") => (DNS1035_RULE, &DNS1035, 63),
        _ => (SUBDOMAIN_RULE, &SUBDOMAIN, 253),
    };
    let prefix = object::meta_text(value, "generateName");
    // What is generated may follow a dash, which no name ends with.
    let masked = prefix.strip_suffix('-').map_or_else(|| prefix.to_owned(), |rest| format!("{rest}a"));
    if !prefix.is_empty() && !pattern.is_match(&masked) {
        errors.push(FieldError::showing("metadata.generateName", Reason::Invalid, &Value::from(prefix), rule));
    }
    if name.len() > longest {
        let detail = format!("must be no more than {longest} characters");
        errors.push(FieldError::showing("metadata.name", Reason::Invalid, &Value::from(name), detail));
    }
    if !pattern.is_match(name) {
        errors.push(FieldError::showing("metadata.name", Reason::Invalid, &Value::from(name), rule));
    }
}

/// The rules of a qualified name: an optional DNS prefix and a name part.
pub fn qualified_name(key: &str, path: &str, errors: &mut Vec<FieldError>) {
    let mut refuse = |detail: &str| errors.push(FieldError::showing(path, Reason::Invalid, &Value::from(key), detail));
    let (prefix, part) = match key.split_once('/') {
        Some((prefix, part)) => (Some(prefix), part),
        None => (None, key),
    };
    match prefix {
        Some("") => refuse("prefix part must be non-empty"),
        Some(prefix) if !SUBDOMAIN.is_match(prefix) => refuse(&format!("prefix part {SUBDOMAIN_RULE}")),
        Some(_) | None => {}
    }
    if part.is_empty() {
        refuse("name part must be non-empty");
    } else if part.len() > 63 {
        refuse("name part must be no more than 63 characters");
    }
    if !NAME_PART.is_match(part) {
        refuse(NAME_PART_RULE);
    }
}

/// The rules of labels, anywhere in an object.
pub fn labels(labels: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        qualified_name(key, path, errors);
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            errors.push(FieldError::showing(path, Reason::Invalid, value, "must be no more than 63 bytes"));
        }
        if !text.is_empty() && !NAME_PART.is_match(text) {
            errors.push(FieldError::showing(path, Reason::Invalid, value, LABEL_VALUE_RULE));
        }
    }
}

/// The rules of annotations, anywhere in an object.
pub fn annotations(annotations: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    let mut size = 0;
    for (key, value) in annotations.and_then(Value::as_object).into_iter().flatten() {
        qualified_name(&key.to_lowercase(), path, errors);
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > ANNOTATIONS_LIMIT {
        let detail = format!("may not be more than {ANNOTATIONS_LIMIT} bytes");
        errors.push(FieldError::new(path, Reason::TooLong, detail));
    }
}

fn finalizers(kind: &ResourceKind, new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    for (index, finalizer) in object::finalizers(new).into_iter().enumerate() {
        qualified_name(finalizer, "metadata.finalizers", errors);
        let standard = finalizer.contains('/') || matches!(finalizer, "kubernetes" | "orphan" | "foregroundDeletion");
        if !standard && !kind.is_custom() {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            let path = format!("metadata.finalizers[{index}]");
            errors.push(FieldError::showing(path, Reason::Invalid, &Value::from(finalizer), detail));
        }
    }
    let Some(old) = old.filter(|old| object::is_terminating(old)) else { return };
    let had = object::finalizers(old);
    let added: Vec<&str> = object::finalizers(new).into_iter().filter(|finalizer| !had.contains(finalizer)).collect();
    if !added.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.iter().map(|f| format!("{f:?}")).collect::<Vec<_>>().join(", ")
        );
        errors.push(FieldError::new("metadata.finalizers", Reason::Forbidden, detail));
    }
}

fn owners(new: &Value, errors: &mut Vec<FieldError>) {
    let owners = object::meta(new).get("ownerReferences").and_then(Value::as_array);
    let mut controllers = 0;
    for owner in owners.into_iter().flatten() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.get(field).and_then(Value::as_str).unwrap_or_default().is_empty() {
                let path = format!("metadata.ownerReferences.{field}");
                errors.push(FieldError::showing(path, Reason::Invalid, &Value::from(""), "must not be empty"));
            }
        }
        if owner.get("kind").is_some_and(|kind| kind == "Event") && owner.get("apiVersion").is_some_and(|v| v == "v1") {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            let mut error = FieldError::new("metadata.ownerReferences", Reason::Invalid, detail);
            error.shown = Some(owner.to_string());
            errors.push(error);
        }
        controllers += usize::from(owner.get("controller") == Some(&Value::Bool(true)));
    }
    if controllers > 1 {
        let detail = "Only one reference can have Controller set to true";
        errors.push(FieldError::new("metadata.ownerReferences", Reason::Invalid, detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(key: &str) -> usize {
        let mut errors = Vec::new();
        qualified_name(key, "metadata.labels", &mut errors);
        errors.len()
    }

    #[test]
    fn label_keys_have_an_optional_domain() {
        assert_eq!(["app", "a.b/c_d", "kubernetes.io/metadata.name"].map(refused), [0, 0, 0]);
        assert_eq!(["", "/a", "A B", "a/"].map(|key| refused(key) > 0), [true; 4]);
    }
}
