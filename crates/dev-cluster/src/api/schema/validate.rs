//! Checking a value against its schema, in the API server's words.
//!
//! On update a value that has not changed is not checked again (ratcheting): an object that was valid under yesterday's
//! definition can still be written.

use super::node::{Node, Type};
use super::prune::join;
use super::{FieldError, ListType, Reason};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Checks a value and everything in it.
pub(super) fn check(node: &Node, new: &Value, old: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    if old == Some(new) {
        return;
    }
    check_type(node, new, path, errors);
    check_branches(node, new, path, errors);
    match new {
        Value::String(text) => check_text(node, new, text, path, errors),
        Value::Number(number) => check_number(node, new, number.as_f64(), path, errors),
        Value::Array(entries) => check_array(node, entries, old, path, errors),
        Value::Object(fields) => check_object(node, fields, old, path, errors),
        Value::Null | Value::Bool(_) => {}
    }
    if !node.one_of_values.is_empty() && !node.one_of_values.contains(new) {
        let allowed: Vec<String> = node.one_of_values.iter().map(quoted).collect();
        let detail = format!("supported values: {}", allowed.join(", "));
        let shown = Some(new.to_string());
        errors.push(FieldError { path: path.to_owned(), reason: Reason::NotSupported, shown, detail });
    }
}

fn quoted(value: &Value) -> String {
    match value {
        Value::String(_) => value.to_string(),
        other => format!("\"{other}\""),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() && number.as_f64().is_some_and(|n| n.fract() != 0.0) => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_type(node: &Node, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if value.is_null() && node.nullable {
        return;
    }
    let actual = type_of(value);
    let (admitted, wanted) = match node.kind {
        None if node.int_or_string => (matches!(actual, "integer" | "string"), "integer,string"),
        None => return,
        Some(Type::Number) => (matches!(actual, "integer" | "number"), "number"),
        Some(kind) => (actual == kind.word(), kind.word()),
    };
    let wrong = |wanted: &str, shown: &Value| {
        let detail = format!("{path} in body must be of type {wanted}: {shown}");
        FieldError::showing(path, Reason::TypeInvalid, shown, detail)
    };
    if !admitted {
        errors.push(wrong(wanted, &Value::from(actual)));
        if (node.kind, actual) == (Some(Type::Integer), "number") {
            errors.push(whole(format!("Checked value must be of type integer (default format) in {path}")));
        }
        return;
    }
    let Some(format) = node.format.filter(|format| !format.admits(value)) else { return };
    if value.is_number() {
        let detail = format!("Checked value must be of type integer with format {} in {path}", format.word());
        errors.push(whole(detail));
    } else {
        errors.push(wrong(format.word(), value));
    }
}

/// The first rule that a text breaks: the API server looks no further.
fn check_text(node: &Node, value: &Value, text: &str, path: &str, errors: &mut Vec<FieldError>) {
    let length = text.chars().count() as u64;
    let bounds = &node.bounds;
    let error = if let Some(limit) = bounds.max_length.filter(|limit| length > *limit) {
        FieldError::new(path, Reason::TooLong, format!("may not be more than {limit} bytes"))
    } else if let Some(limit) = bounds.min_length.filter(|limit| length < *limit) {
        let detail = format!("{path} in body should be at least {limit} chars long");
        FieldError::showing(path, Reason::Invalid, value, detail)
    } else if let Some(pattern) = node.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        let detail = format!("{path} in body should match '{pattern}'");
        FieldError::showing(path, Reason::Invalid, value, detail)
    } else {
        return;
    };
    errors.push(error);
}

fn check_number(node: &Node, value: &Value, number: Option<f64>, path: &str, errors: &mut Vec<FieldError>) {
    let Some(number) = number else { return };
    let bounds = &node.bounds;
    let mut refuse = |what: String| {
        errors.push(FieldError::showing(path, Reason::Invalid, value, format!("{path} in body should be {what}")));
    };
    if let Some(factor) = bounds.multiple_of.filter(|factor| *factor > 0.0 && (number / factor).fract() != 0.0) {
        refuse(format!("a multiple of {factor}"));
    }
    match (bounds.maximum, bounds.exclusive_maximum) {
        (Some(limit), true) if number >= limit => refuse(format!("less than {limit}")),
        (Some(limit), false) if number > limit => refuse(format!("less than or equal to {limit}")),
        _ => {}
    }
    match (bounds.minimum, bounds.exclusive_minimum) {
        (Some(limit), true) if number <= limit => refuse(format!("greater than {limit}")),
        (Some(limit), false) if number < limit => refuse(format!("greater than or equal to {limit}")),
        _ => {}
    }
}

fn check_array(node: &Node, entries: &[Value], old: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
    check_count(entries.len(), node.bounds.min_items, node.bounds.max_items, "items", path, errors);
    let Some(items) = &node.items else { return };
    let old = old.and_then(Value::as_array);
    for (index, entry) in entries.iter().enumerate() {
        let before = old.and_then(|old| match &node.list_type {
            Some(ListType::Map(keys)) => {
                old.iter().find(|before| keys.iter().all(|key| before.get(key) == entry.get(key)))
            }
            // Without keys nothing says which entry an entry was.
            _ => old.iter().find(|before| *before == entry),
        });
        check(items, entry, before, &format!("{path}[{index}]"), errors);
    }
}

fn check_object(
    node: &Node,
    fields: &Map<String, Value>,
    old: Option<&Value>,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    let bounds = &node.bounds;
    check_count(fields.len(), bounds.min_properties, bounds.max_properties, "properties", path, errors);
    let missing = |name: &&str| !fields.contains_key(*name);
    let of_resource: &[&str] = if node.embedded { &["apiVersion", "kind"] } else { &[] };
    let required = node.required.iter().map(String::as_str).chain(of_resource.iter().copied());
    for name in required.filter(missing) {
        errors.push(FieldError::new(join(path, name), Reason::Required, ""));
    }
    for (name, field) in fields {
        if let Some(child) = node.child(name) {
            check(child, field, old.and_then(|old| old.get(name)), &join(path, name), errors);
        }
    }
}

fn check_count(count: usize, min: Option<u64>, max: Option<u64>, of: &str, path: &str, errors: &mut Vec<FieldError>) {
    let count = count as u64;
    if let Some(limit) = min.filter(|limit| count < *limit) {
        let detail = format!("{path} in body should have at least {limit} {of}");
        errors.push(FieldError::showing(path, Reason::Invalid, &Value::from(count), detail));
    }
    if let Some(limit) = max.filter(|limit| count > *limit) {
        let detail = format!("must have at most {limit} items");
        errors.push(FieldError::showing(path, Reason::TooMany, &Value::from(count), detail));
    }
}

/// `allOf`, `anyOf`, `oneOf` and `not`.
fn check_branches(node: &Node, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let failures = |branches: &[Arc<Node>]| -> Vec<Vec<FieldError>> {
        branches.iter().map(|branch| errors_of(branch, value, path)).collect()
    };
    // A branch of an int-or-string only repeats its two types.
    if !node.any_of.is_empty() && !node.int_or_string {
        let results = failures(&node.any_of);
        if !results.iter().any(Vec::is_empty) {
            errors.push(whole(format!("{path:?} must validate at least one schema (anyOf)")));
            errors.extend(fewest(results));
        }
    }
    if !node.one_of.is_empty() {
        let results = failures(&node.one_of);
        let what = format!("{path:?} must validate one and only one schema (oneOf).");
        match results.iter().filter(|found| found.is_empty()).count() {
            1 => {}
            0 => {
                errors.push(whole(format!("{what} Found none valid")));
                errors.extend(fewest(results));
            }
            several => errors.push(whole(format!("{what} Found {several} valid alternatives"))),
        }
    }
    if !node.all_of.is_empty() && !node.int_or_string {
        let results = failures(&node.all_of);
        let passed = results.iter().filter(|found| found.is_empty()).count();
        if passed < results.len() {
            errors.extend(results.into_iter().flatten());
            let none = if passed == 0 { ". None validated" } else { "" };
            errors.push(whole(format!("{path:?} must validate all the schemas (allOf){none}")));
        }
    }
    if node.not.as_ref().is_some_and(|not| errors_of(not, value, path).is_empty()) {
        errors.push(whole(format!("{path:?} must not validate the schema (not)")));
    }
}

fn errors_of(node: &Node, value: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check(node, value, None, path, &mut errors);
    errors
}

fn fewest(results: Vec<Vec<FieldError>>) -> Vec<FieldError> {
    results.into_iter().min_by_key(Vec::len).unwrap_or_default()
}

fn whole(detail: String) -> FieldError {
    FieldError::showing("", Reason::Invalid, &Value::from(""), detail)
}

/// The duplicates in lists that are sets or maps.
pub(super) fn check_lists(node: &Node, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if let Some(child) = node.child(name) {
                    check_lists(child, field, &join(path, name), errors);
                }
            }
        }
        Value::Array(entries) => {
            match &node.list_type {
                Some(ListType::Set) => check_unique(entries, Value::clone, path, errors),
                Some(ListType::Map(keys)) => {
                    let key_of = |entry: &Value| {
                        keys.iter().filter_map(|key| Some((key.clone(), entry.get(key)?.clone()))).collect()
                    };
                    check_unique(entries, key_of, path, errors);
                }
                Some(ListType::Atomic) | None => {}
            }
            let Some(items) = &node.items else { return };
            for (index, entry) in entries.iter().enumerate() {
                check_lists(items, entry, &format!("{path}[{index}]"), errors);
            }
        }
        _ => {}
    }
}

fn check_unique(entries: &[Value], key_of: impl Fn(&Value) -> Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut seen: Vec<Value> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let key = key_of(entry);
        if seen.contains(&key) {
            errors.push(FieldError {
                path: format!("{path}[{index}]"),
                reason: Reason::Duplicate,
                shown: Some(key.to_string()),
                detail: String::new(),
            });
        } else {
            seen.push(key);
        }
    }
}
