//! Who manages which field: `metadata.managedFields`.
//!
//! Two kinds of managers: those that *apply* say what they want and own exactly that; all others own what they changed.

mod apply;
mod fields;
mod shape;

pub use apply::{apply, apply_new};

use super::object;
use super::write::Write;
use fields::FieldSet;
use serde_json::{Value, json};
use shape::Shape;

/// Whether a change still has to be recorded for its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// It has: what differs from the old object becomes the writer's.
    Update,
    /// Server-side apply did.
    Done,
}

/// What belongs to nobody: the object's identity and what the server writes.
const UNMANAGED: [&str; 10] = [
    "f:name",
    "f:namespace",
    "f:uid",
    "f:resourceVersion",
    "f:generation",
    "f:creationTimestamp",
    "f:deletionTimestamp",
    "f:deletionGracePeriodSeconds",
    "f:selfLink",
    "f:managedFields",
];

/// An entry of `managedFields`.
#[derive(Clone, Debug)]
struct Entry {
    manager: String,
    operation: Operation,
    api_version: String,
    subresource: String,
    time: String,
    fields: FieldSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Apply,
    Update,
}

impl Entry {
    fn parse(value: &Value) -> Option<Entry> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let operation = match text("operation").as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        Some(Entry {
            manager: text("manager"),
            operation,
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            time: text("time"),
            fields: FieldSet::parse(value.get("fieldsV1")?),
        })
    }

    fn to_value(&self) -> Value {
        let operation = match self.operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        let mut value = json!({
            "manager": self.manager, "operation": operation, "apiVersion": self.api_version, "time": self.time,
            "fieldsType": "FieldsV1", "fieldsV1": self.fields.to_value(),
        });
        if !self.subresource.is_empty() {
            value["subresource"] = json!(self.subresource);
        }
        value
    }

    /// Whether it is the writer's own.
    fn is_of(&self, write: &Write<'_>, operation: Operation) -> bool {
        self.manager == write.manager
            && self.operation == operation
            && self.subresource == write.subresource.unwrap_or_default()
            && (operation == Operation::Apply || self.api_version == write.kind.api_version())
    }

    fn new(write: &Write<'_>, operation: Operation, fields: FieldSet) -> Entry {
        Entry {
            manager: write.manager.clone(),
            operation,
            api_version: write.kind.api_version(),
            subresource: write.subresource.unwrap_or_default().to_owned(),
            time: object::timestamp(write.now),
            fields,
        }
    }
}

fn entries(value: &Value) -> Vec<Entry> {
    let list = object::meta(value).get("managedFields").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Entry::parse).collect()
}

fn set_entries(value: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(|a, b| {
        (a.operation, &a.time, &a.manager, &a.api_version, &a.subresource).cmp(&(
            b.operation,
            &b.time,
            &b.manager,
            &b.api_version,
            &b.subresource,
        ))
    });
    let meta = object::meta_mut(value);
    if entries.is_empty() {
        meta.shift_remove("managedFields");
    } else {
        meta.insert("managedFields".to_owned(), entries.iter().map(Entry::to_value).collect());
    }
}

fn shape<'a>(write: &'a Write<'_>) -> Shape<'a> {
    Shape::new(write.kind.schema(), write.kind.is_custom())
}

/// Leaves out what belongs to nobody, and what this endpoint does not write.
fn strip(write: &Write<'_>, mut set: FieldSet) -> FieldSet {
    set.member = false;
    for field in ["f:apiVersion", "f:kind"] {
        set.remove(&[field]);
    }
    for field in UNMANAGED {
        set.remove(&["f:metadata", field]);
    }
    if let Some(metadata) = set.children.get_mut("f:metadata") {
        metadata.member = false;
        if metadata.is_empty() {
            set.children.remove("f:metadata");
        }
    }
    if write.kind.has_subresource("status") {
        if write.subresource == Some("status") {
            set.remove(&["f:spec"]);
            if write.kind.is_custom() {
                set.remove(&["f:metadata"]);
            }
        } else {
            set.remove(&["f:status"]);
        }
    }
    set
}

/// Records what a write other than server-side apply changed.
pub fn track_update(write: &Write<'_>, old: Option<&Value>, new: &mut Value) {
    let empty = json!({});
    // An empty list in the new object asks for a clean record.
    let cleared = object::meta(new).get("managedFields").and_then(Value::as_array).is_some_and(|list| {
        list.is_empty() || list.iter().all(|entry| entry.as_object().is_some_and(serde_json::Map::is_empty))
    });
    // A record that the writer sends along is the one that counts: so kubectl hands a client-side apply's fields over.
    let given = entries(new);
    let mut known = match old {
        Some(_) if cleared => Vec::new(),
        Some(old) if given.is_empty() => entries(old),
        Some(_) => given,
        None => Vec::new(),
    };
    let difference = shape(write).compare(old.unwrap_or(&empty), new);
    let changed = strip(write, difference.changed);
    let removed = difference.removed;
    let mut own = false;
    for entry in &mut known {
        let before = entry.fields.clone();
        if entry.is_of(write, Operation::Update) {
            own = true;
            entry.fields = entry.fields.union(&changed).difference(&removed);
            if entry.fields != before || !changed.is_empty() {
                entry.time = object::timestamp(write.now);
            }
        } else {
            entry.fields = entry.fields.difference(&changed).difference(&removed);
        }
    }
    if !own && !changed.is_empty() && !cleared_only(cleared, old) {
        known.push(Entry::new(write, Operation::Update, changed));
    }
    set_entries(new, known);
}

/// A request to clear the record does not make the one who asks a manager.
fn cleared_only(cleared: bool, old: Option<&Value>) -> bool {
    cleared && old.is_some()
}
