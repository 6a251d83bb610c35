//! Reading the parts of an object that cells show.

use super::age;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// What a cell is made from.
pub(super) struct Row<'a> {
    pub(super) object: &'a Value,
    pub(super) now: DateTime<Utc>,
}

/// The value at a JSON pointer; `null` is none.
pub(super) fn walk<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    value.pointer(pointer).filter(|value| !value.is_null())
}

/// The text at a JSON pointer; an empty one is none.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    walk(value, pointer)?.as_str().filter(|text| !text.is_empty())
}

/// The whole number at a JSON pointer.
pub(super) fn number(value: &Value, pointer: &str) -> Option<i64> {
    walk(value, pointer)?.as_i64()
}

/// The entries of the list at a JSON pointer.
pub(super) fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    walk(value, pointer).and_then(Value::as_array).into_iter().flatten()
}

/// How many entries the list or map at a JSON pointer has.
pub(super) fn count(value: &Value, pointer: &str) -> usize {
    match walk(value, pointer) {
        Some(Value::Array(entries)) => entries.len(),
        Some(Value::Object(fields)) => fields.len(),
        _ => 0,
    }
}

/// Texts joined by commas, or `<none>`.
pub(super) fn joined<'v>(texts: impl Iterator<Item = &'v str>) -> String {
    let all: Vec<&str> = texts.collect();
    if all.is_empty() { "<none>".to_owned() } else { all.join(",") }
}

/// `a=b,c=d` of the map at a JSON pointer, or `<none>`.
pub(super) fn labels(value: &Value, pointer: &str) -> String {
    let fields = walk(value, pointer).and_then(Value::as_object);
    let mut pairs: Vec<String> = fields
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort();
    joined(pairs.iter().map(String::as_str))
}

/// A label selector as one line, or `<none>`.
pub(super) fn selector(value: &Value, pointer: &str) -> String {
    let matched = labels(value, &format!("{pointer}/matchLabels"));
    let mut parts: Vec<String> = if matched == "<none>" { Vec::new() } else { vec![matched] };
    parts.extend(list(value, &format!("{pointer}/matchExpressions")).map(expression));
    joined(parts.iter().map(String::as_str))
}

fn expression(expression: &Value) -> String {
    let key = text(expression, "/key").unwrap_or_default();
    let values = list(expression, "/values").filter_map(Value::as_str).collect::<Vec<_>>().join(",");
    match text(expression, "/operator").unwrap_or_default() {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "DoesNotExist" => format!("!{key}"),
        _ => key.to_owned(),
    }
}

impl Row<'_> {
    /// The text at a pointer, or else this.
    pub(super) fn text_or(&self, pointer: &str, absent: &str) -> Value {
        text(self.object, pointer).unwrap_or(absent).into()
    }

    /// The number at a pointer, or zero.
    pub(super) fn number(&self, pointer: &str) -> Value {
        number(self.object, pointer).unwrap_or(0).into()
    }

    /// How long ago the timestamp at a pointer was.
    pub(super) fn since(&self, pointer: &str) -> Value {
        age::since(walk(self.object, pointer), self.now).into()
    }

    /// The containers' names, as the pod template beneath a pointer has them.
    pub(super) fn containers(&self, pod_spec: &str) -> Value {
        self.of_containers(pod_spec, "/name")
    }

    /// The containers' images.
    pub(super) fn images(&self, pod_spec: &str) -> Value {
        self.of_containers(pod_spec, "/image")
    }

    fn of_containers(&self, pod_spec: &str, field: &str) -> Value {
        let containers = list(self.object, &format!("{pod_spec}/containers"));
        containers.filter_map(|container| text(container, field)).collect::<Vec<_>>().join(",").into()
    }
}
