//! The checks that most rules are put together from, in the words of the API server.

use super::metadata::{LABEL_RULE, SUBDOMAIN_RULE, is_dns_label, is_subdomain};
use crate::api::schema::{FieldError, Reason};
use serde_json::{Value, json};

/// The text of a field, empty where there is none.
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number of a field.
pub fn number(value: &Value, field: &str) -> Option<i64> {
    value.get(field).and_then(Value::as_i64)
}

/// Whether a field is true.
pub fn is_true(value: &Value, field: &str) -> bool {
    value.get(field) == Some(&Value::Bool(true))
}

/// What is there of a field.
pub fn some<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    value.get(field).filter(|value| !value.is_null())
}

/// The entries of a list with their places.
pub fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a Value)> + use<'a> {
    value.get(field).and_then(Value::as_array).into_iter().flatten().enumerate()
}

/// `Invalid value`, with the value.
pub fn invalid(errors: &mut Vec<FieldError>, path: impl Into<String>, value: &Value, detail: impl Into<String>) {
    let mut error = FieldError::new(path, Reason::Invalid, detail);
    error.shown = Some(value.to_string());
    errors.push(error);
}

/// `Required value`.
pub fn required(errors: &mut Vec<FieldError>, path: impl Into<String>, detail: &str) {
    errors.push(FieldError::new(path, Reason::Required, detail));
}

/// `Forbidden`.
pub fn forbidden(errors: &mut Vec<FieldError>, path: impl Into<String>, detail: impl Into<String>) {
    errors.push(FieldError::new(path, Reason::Forbidden, detail));
}

/// `Duplicate value`.
pub fn duplicate(errors: &mut Vec<FieldError>, path: impl Into<String>, value: &str) {
    errors.push(FieldError::showing(path, Reason::Duplicate, &json!(value), ""));
}

/// `Unsupported value`, with those that are supported.
pub fn unsupported(errors: &mut Vec<FieldError>, path: impl Into<String>, value: &str, supported: &[&str]) {
    let list = supported.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
    let detail = format!("supported values: {list}");
    errors.push(FieldError::showing(path, Reason::NotSupported, &json!(value), detail));
}

/// Refuses a word that is none of those allowed; what is absent is fine.
pub fn one_of(value: &Value, field: &str, allowed: &[&str], path: &str, errors: &mut Vec<FieldError>) {
    let Some(text) = value.get(field).and_then(Value::as_str) else { return };
    if !allowed.contains(&text) {
        unsupported(errors, format!("{path}.{field}"), text, allowed);
    }
}

/// Refuses a number of a field outside of these bounds.
pub fn between(value: &Value, field: &str, least: i64, most: i64, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(number) = number(value, field).filter(|number| !(least..=most).contains(number)) {
        let detail = format!("must be between {least} and {most}, inclusive");
        invalid(errors, format!("{path}.{field}"), &json!(number), detail);
    }
}

/// Refuses a negative number.
pub fn not_negative(value: &Value, field: &str, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(number) = number(value, field).filter(|number| *number < 0) {
        invalid(errors, format!("{path}.{field}"), &json!(number), "must be greater than or equal to 0");
    }
}

/// A name that is a label: of a container, a volume.
pub fn label_name(name: &str, path: &str, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        required(errors, path, "");
    } else {
        label(name, path, errors);
    }
}

/// A text that is a label.
pub fn label(name: &str, path: &str, errors: &mut Vec<FieldError>) {
    if !is_dns_label(name) {
        let detail = if name.len() > 63 { "must be no more than 63 bytes" } else { LABEL_RULE };
        invalid(errors, path, &json!(name), detail);
    }
}

/// A name that is a subdomain: of most objects.
pub fn subdomain(name: &str, path: &str, errors: &mut Vec<FieldError>) {
    if !is_subdomain(name) {
        let detail = if name.len() > 253 { "must be no more than 253 bytes" } else { SUBDOMAIN_RULE };
        invalid(errors, path, &json!(name), detail);
    }
}

/// A port by its number or its name.
pub fn port(value: &Value, field: &str, path: &str, errors: &mut Vec<FieldError>) {
    let path = format!("{path}.{field}");
    match value.get(field) {
        Some(Value::String(name)) => port_name(name, &path, errors),
        other => {
            let number = other.and_then(Value::as_i64).unwrap_or(0);
            if !(1..=65535).contains(&number) {
                invalid(errors, path, &json!(number), "must be between 1 and 65535, inclusive");
            }
        }
    }
}

/// The name of a port (an IANA service name).
pub fn port_name(name: &str, path: &str, errors: &mut Vec<FieldError>) {
    let mut refuse = |detail: &str| invalid(errors, path, &json!(name), detail);
    if name.len() > 15 {
        refuse("must be no more than 15 characters");
    }
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(legal) {
        refuse("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !name.contains(|c: char| c.is_ascii_lowercase()) {
        refuse("must contain at least one letter (a-z)");
    }
    if name.contains("--") {
        refuse("must not contain consecutive hyphens");
    }
    if name.starts_with('-') || name.ends_with('-') {
        refuse("must not begin or end with a hyphen");
    }
}

/// A path below another: relative and without steps back.
pub fn descending(path_text: &str, path: &str, errors: &mut Vec<FieldError>) {
    if path_text.starts_with('/') {
        invalid(errors, path, &json!(path_text), "must be a relative path");
    }
    if path_text.split('/').any(|part| part == "..") {
        invalid(errors, path, &json!(path_text), "must not contain '..'");
    }
}

/// The key of a ConfigMap or a Secret.
pub fn config_key(key: &str, path: &str, errors: &mut Vec<FieldError>) {
    const RULE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut refuse = |detail: &str| invalid(errors, path, &json!(key), detail);
    if key.is_empty() {
        return required(errors, path, "");
    }
    if key.len() > 253 {
        refuse("must be no more than 253 bytes");
    }
    if !key.chars().all(legal) {
        refuse(RULE);
    }
    match key {
        "." => refuse("must not be '.'"),
        ".." => refuse("must not be '..'"),
        _ if key.starts_with("..") => refuse("must not start with '..'"),
        _ => {}
    }
}
