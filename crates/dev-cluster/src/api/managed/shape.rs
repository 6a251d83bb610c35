//! The shape of an object for managed fields: which lists have keys, which parts are atomic; and what two objects of one
//! shape differ in.

use super::fields::FieldSet;
use crate::api::schema::{CompiledVersion, ListType};
use serde_json::{Map, Value};

/// The parts of built-in kinds that are never absent: they are not owned by themselves.
const ALWAYS_THERE: [&str; 6] = ["metadata", "spec", "status", "template", "strategy", "containers"];

/// The shape of one resource's objects.
#[derive(Clone, Copy)]
pub struct Shape<'a> {
    schema: Option<&'a CompiledVersion>,
    custom: bool,
}

/// What a change did to which fields.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// Added, or with a new value.
    pub changed: FieldSet,
    /// No longer there.
    pub removed: FieldSet,
}

impl<'a> Shape<'a> {
    /// The shape that a schema gives.
    pub fn new(schema: Option<&'a CompiledVersion>, custom: bool) -> Self {
        Shape { schema, custom }
    }

    /// How the list at a path merges.
    pub fn list_type(self, path: &[&str]) -> ListType {
        match path {
            ["metadata", "finalizers"] => ListType::Set,
            ["metadata", "ownerReferences"] => ListType::Map(vec!["uid".to_owned()]),
            path => self.schema.and_then(|schema| schema.list_type(path)).unwrap_or(ListType::Atomic),
        }
    }

    /// Whether the map at a path is one value.
    pub fn is_atomic_map(self, path: &[&str]) -> bool {
        matches!(path, ["metadata", "ownerReferences", "*"])
            || self.schema.is_some_and(|schema| schema.is_atomic_map(path))
    }

    /// The fields that an object has, as server-side apply owns them: leaves and list entries.
    pub fn applied_set(self, value: &Value) -> FieldSet {
        self.set_of(value, &mut Vec::new(), false)
    }

    fn set_of<'v>(self, value: &'v Value, path: &mut Vec<&'v str>, with_parents: bool) -> FieldSet {
        match value {
            Value::Object(map) if !map.is_empty() && !self.is_atomic_map(path) => {
                let mut set = FieldSet { member: with_parents && !self.always_there(path), ..FieldSet::default() };
                for (name, member) in map {
                    path.push(name);
                    set.insert(format!("f:{name}"), self.set_of(member, path, with_parents));
                    path.pop();
                }
                set
            }
            Value::Array(list) if !list.is_empty() => {
                let list_type = self.list_type(path);
                if list_type == ListType::Atomic {
                    return FieldSet::leaf();
                }
                let mut set = FieldSet { member: with_parents && !self.always_there(path), ..FieldSet::default() };
                path.push("*");
                for entry in list {
                    let mut child = self.set_of(entry, path, with_parents);
                    child.member = true;
                    set.insert(step_of(&list_type, entry), child);
                }
                path.pop();
                set
            }
            _ => FieldSet::leaf(),
        }
    }

    fn always_there(self, path: &[&str]) -> bool {
        match path {
            [] | ["metadata"] => true,
            ["spec", "resources" | "names"] => !self.custom,
            [.., last] => !self.custom && ALWAYS_THERE.contains(last) && !path.contains(&"labels"),
        }
    }

    /// What differs between two objects.
    pub fn compare(self, old: &Value, new: &Value) -> Difference {
        let mut difference = Difference::default();
        let mut path = Vec::new();
        (difference.changed, difference.removed) = self.compare_at(Some(old), Some(new), &mut path);
        difference
    }

    fn compare_at<'v>(
        self,
        old: Option<&'v Value>,
        new: Option<&'v Value>,
        path: &mut Vec<&'v str>,
    ) -> (FieldSet, FieldSet) {
        let none = FieldSet::default;
        match (old, new) {
            (None, None) => (none(), none()),
            (None, Some(new)) => (self.set_of(new, path, true), none()),
            (Some(old), None) => {
                let mut gone = self.set_of(old, path, true);
                gone.member = true;
                (none(), gone)
            }
            (Some(old), Some(new)) if old == new => (none(), none()),
            (Some(Value::Object(old)), Some(Value::Object(new))) if !self.is_atomic_map(path) => {
                let (mut changed, mut removed) = (none(), none());
                let names = new.keys().chain(old.keys().filter(|name| !new.contains_key(*name)));
                for name in names {
                    path.push(name);
                    let (c, r) = self.compare_at(old.get(name), new.get(name), path);
                    path.pop();
                    changed.insert(format!("f:{name}"), c);
                    removed.insert(format!("f:{name}"), r);
                }
                (changed, removed)
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => self.compare_lists(old, new, path),
            (Some(_), Some(_)) => (FieldSet::leaf(), none()),
        }
    }

    fn compare_lists<'v>(self, old: &'v [Value], new: &'v [Value], path: &mut Vec<&'v str>) -> (FieldSet, FieldSet) {
        let list_type = self.list_type(path);
        if list_type == ListType::Atomic {
            return (FieldSet::leaf(), FieldSet::default());
        }
        let (mut changed, mut removed) = (FieldSet::default(), FieldSet::default());
        let find = |list: &'v [Value], step: &str| list.iter().find(|entry| step_of(&list_type, entry) == step);
        path.push("*");
        for entry in new {
            let step = step_of(&list_type, entry);
            let before = find(old, &step);
            let (mut c, r) = self.compare_at(before, Some(entry), path);
            c.member |= before.is_none();
            changed.insert(step.clone(), c);
            removed.insert(step, r);
        }
        for entry in old {
            let step = step_of(&list_type, entry);
            if find(new, &step).is_none() {
                let (_, mut r) = self.compare_at(Some(entry), None, path);
                r.member = true;
                removed.insert(step, r);
            }
        }
        path.pop();
        (changed, removed)
    }
}

/// How `fieldsV1` names an entry of a list.
pub fn step_of(list_type: &ListType, entry: &Value) -> String {
    match list_type {
        ListType::Map(keys) => {
            let mut keys: Vec<&String> = keys.iter().collect();
            keys.sort();
            let mut named = Map::new();
            for key in keys {
                let value = entry.get(key).cloned();
                // The only key with a default in the kinds that there are.
                let value = value.or_else(|| (key == "protocol").then(|| Value::from("TCP")));
                named.extend(value.map(|value| (key.clone(), value)));
            }
            format!("k:{}", Value::Object(named))
        }
        ListType::Set | ListType::Atomic => format!("v:{entry}"),
    }
}
