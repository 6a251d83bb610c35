//! Reading and writing the parts that every object has.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

static EMPTY: Value = Value::Null;

/// The metadata; null where there is none.
pub fn meta(value: &Value) -> &Value {
    value.get("metadata").unwrap_or(&EMPTY)
}

/// The metadata to write to; made where there is none.
pub fn meta_mut(value: &mut Value) -> &mut Map<String, Value> {
    member_mut(value, "metadata")
}

/// The object at a field to write to; made where there is none or something else.
pub fn member_mut<'a>(value: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    object_mut(object_mut(value).entry(field).or_insert(Value::Null))
}

/// The value as an object to write to; replaced by an empty one where it is something else.
pub fn object_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// A text of the metadata, empty where there is none.
pub fn meta_text<'a>(value: &'a Value, field: &str) -> &'a str {
    meta(value).get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The name.
pub fn name(value: &Value) -> &str {
    meta_text(value, "name")
}

/// The uid.
pub fn uid(value: &Value) -> &str {
    meta_text(value, "uid")
}

/// Whether its deletion has begun.
pub fn is_terminating(value: &Value) -> bool {
    meta(value).get("deletionTimestamp").is_some_and(Value::is_string)
}

/// The finalizers.
pub fn finalizers(value: &Value) -> Vec<&str> {
    let list = meta(value).get("finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Adds a finalizer unless it is there.
pub fn add_finalizer(value: &mut Value, finalizer: &str) {
    if !finalizers(value).contains(&finalizer) {
        let list = meta_mut(value).entry("finalizers").or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(json!(finalizer));
        }
    }
}

/// Removes a finalizer.
pub fn remove_finalizer(value: &mut Value, finalizer: &str) {
    let meta = meta_mut(value);
    if let Some(list) = meta.get_mut("finalizers").and_then(Value::as_array_mut) {
        list.retain(|entry| entry != finalizer);
        if list.is_empty() {
            meta.shift_remove("finalizers");
        }
    }
}

/// A moment as `metav1.Time` writes it.
pub fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Sets a field unless it is there.
pub fn default_field(object: &mut Map<String, Value>, field: &str, value: impl FnOnce() -> Value) {
    match object.get(field) {
        None | Some(Value::Null) => {
            object.insert(field.to_owned(), value());
        }
        Some(_) => {}
    }
}

/// [`default_field`] of a text that is no pointer in Go's type: one that is empty is one that is not there.
pub fn default_text(object: &mut Map<String, Value>, field: &str, value: impl FnOnce() -> Value) {
    if object.get(field).and_then(Value::as_str) == Some("") {
        object.shift_remove(field);
    }
    default_field(object, field, value);
}

/// Removes null members, as decoding into a typed object does; lists and maps inside are cleaned too.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, member| !member.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
