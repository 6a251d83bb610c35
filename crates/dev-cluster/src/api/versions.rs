//! One stored object in every version that is served: custom resources change their apiVersion only, Events their fields.

use super::catalog::ResourceKind;
use super::object::{member_mut, object_mut};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The fields that core and events.k8s.io Events call differently: core's name, the other's name.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// A stored object as a resource shows it.
pub fn view(kind: &ResourceKind, stored: &Arc<Value>) -> Arc<Value> {
    if stored.get("apiVersion").and_then(Value::as_str) == Some(&kind.api_version()) {
        return stored.clone();
    }
    let mut value = Value::clone(stored);
    if kind.group == "events.k8s.io" {
        rename(object_mut(&mut value), |core, new| (core, new));
    }
    value["apiVersion"] = json!(kind.api_version());
    Arc::new(value)
}

/// An object of a resource as it is stored.
pub fn stored(kind: &ResourceKind, mut value: Value) -> Value {
    let api_version = kind.storage_api_version();
    if value.get("apiVersion").and_then(Value::as_str) == Some(&api_version) {
        return value;
    }
    if kind.group == "events.k8s.io" {
        rename(object_mut(&mut value), |core, new| (new, core));
        member_mut(&mut value, "source");
    }
    value["apiVersion"] = json!(api_version);
    value
}

fn rename(
    event: &mut Map<String, Value>,
    direction: impl Fn(&'static str, &'static str) -> (&'static str, &'static str),
) {
    for (core, new) in EVENT_FIELDS {
        let (from, to) = direction(core, new);
        if let Some(value) = event.shift_remove(from) {
            event.insert(to.to_owned(), value);
        }
    }
}
