//! Server-side apply: merges what a manager wants into the live object, takes away what it no longer wants, and refuses to
//! change what others manage unless it is forced.

use super::fields::FieldSet;
use super::shape::{Shape, step_of};
use super::{Entry, Operation, entries, set_entries, shape, strip};
use crate::api::object;
use crate::api::schema::ListType;
use crate::api::status::{ApiError, ApiResult};
use crate::api::write::Write;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Who manages an object before anybody applied to it, if it has no record.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Records the manager of an object that server-side apply creates.
pub fn apply_new(write: &Write<'_>, value: &mut Value) {
    let fields = strip(write, shape(write).applied_set(value));
    set_entries(value, vec![Entry::new(write, Operation::Apply, fields)]);
}

/// Merges what a manager applies into the live object.
pub fn apply(write: &Write<'_>, live: &Value, applied: Value) -> ApiResult<Value> {
    let shape = shape(write);
    let wanted = strip(write, shape.applied_set(&applied));
    let mut known = entries(live);
    if known.is_empty() {
        let all = strip(write, shape.applied_set(live));
        let mut entry = Entry::new(write, Operation::Update, all);
        BEFORE_FIRST_APPLY.clone_into(&mut entry.manager);
        entry.subresource.clear();
        known.push(entry);
    }
    let mut merged = live.clone();
    merge(shape, &mut merged, &applied, &mut Vec::new());
    for field in ["resourceVersion", "uid"] {
        // A given version or uid is a precondition, checked where the object is stored.
        if let Some(given) = object::meta(&applied).get(field) {
            object::meta_mut(&mut merged).insert(field.to_owned(), given.clone());
        }
    }
    let changed = strip(write, shape.compare(live, &merged).changed).intersection(&wanted);
    settle_conflicts(write, &mut known, &changed)?;
    let mine = known.iter().position(|entry| entry.is_of(write, Operation::Apply));
    let previous = mine.map(|at| known.remove(at));
    if let Some(previous) = &previous {
        let of_others = known.iter().fold(FieldSet::default(), |all, entry| all.union(&entry.fields));
        let dropped = previous.fields.difference(&wanted).difference(&of_others);
        take_away(shape, &mut merged, &dropped, &of_others.union(&wanted), &mut Vec::new());
    }
    let mut entry = Entry::new(write, Operation::Apply, wanted);
    if let Some(previous) = previous.filter(|previous| previous.fields == entry.fields && merged == *live) {
        entry.time = previous.time;
    }
    known.push(entry);
    set_entries(&mut merged, known);
    Ok(merged)
}

/// Refuses changes of what others manage, or takes it from them by force.
fn settle_conflicts(write: &Write<'_>, known: &mut [Entry], changed: &FieldSet) -> ApiResult<()> {
    let mut conflicts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in known.iter_mut().filter(|entry| !entry.is_of(write, Operation::Apply)) {
        let shared = entry.fields.intersection(changed);
        if shared.is_empty() {
            continue;
        }
        if write.options.force {
            entry.fields = entry.fields.difference(&shared);
        } else {
            conflicts.entry(shown(entry)).or_default().extend(shared.paths());
        }
    }
    let all: Vec<(&String, &String)> =
        conflicts.iter().flat_map(|(manager, paths)| paths.iter().map(move |path| (manager, path))).collect();
    let message = match all.as_slice() {
        [] => return Ok(()),
        [(manager, path)] => format!("Apply failed with 1 conflict: conflict with {manager}: {path}"),
        several => {
            let groups: Vec<String> = conflicts
                .iter()
                .map(|(manager, paths)| {
                    let list: String = paths.iter().map(|path| format!("\n- {path}")).collect();
                    format!("conflicts with {manager}:{list}")
                })
                .collect();
            format!("Apply failed with {} conflicts: {}", several.len(), groups.join("\n"))
        }
    };
    let causes = all.iter().map(|(manager, path)| {
        json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": path})
    });
    Err(ApiError::apply_conflict(message, causes.collect()))
}

fn shown(entry: &Entry) -> String {
    let mut text = format!("{:?}", entry.manager);
    if !entry.subresource.is_empty() {
        text.push_str(&format!(" with subresource {:?}", entry.subresource));
    }
    match entry.operation {
        Operation::Apply => text,
        Operation::Update => format!("{text} using {}", entry.api_version),
    }
}

/// Merges by shape: maps by name, keyed lists by key, sets by value; all else is replaced.
fn merge<'v>(shape: Shape<'_>, live: &mut Value, applied: &'v Value, path: &mut Vec<&'v str>) {
    match applied {
        Value::Object(members) if !shape.is_atomic_map(path) => {
            let live = object::object_mut(live);
            for (name, member) in members {
                path.push(name);
                match live.get_mut(name) {
                    Some(existing) => merge(shape, existing, member, path),
                    None => {
                        live.insert(name.clone(), member.clone());
                    }
                }
                path.pop();
            }
        }
        Value::Array(wanted) => {
            let list_type = shape.list_type(path);
            match (list_type, live) {
                (list_type @ (ListType::Map(_) | ListType::Set), Value::Array(list)) => {
                    path.push("*");
                    for entry in wanted {
                        let step = step_of(&list_type, entry);
                        match list.iter_mut().find(|existing| step_of(&list_type, existing) == step) {
                            Some(existing) => merge(shape, existing, entry, path),
                            None => list.push(entry.clone()),
                        }
                    }
                    path.pop();
                }
                (_, live) => *live = applied.clone(),
            }
        }
        _ => *live = applied.clone(),
    }
}

/// Takes the fields of a set out of a value; what `kept` names stays, and so do the parents of what stays.
fn take_away<'v>(shape: Shape<'_>, value: &mut Value, dropped: &'v FieldSet, kept: &FieldSet, path: &mut Vec<&'v str>) {
    let nothing = FieldSet::default();
    match value {
        Value::Object(members) => {
            for (step, child) in &dropped.children {
                let Some(name) = step.strip_prefix("f:") else { continue };
                let Some(member) = members.get_mut(name) else { continue };
                let still = kept.children.get(step).unwrap_or(&nothing);
                path.push(name);
                take_away(shape, member, child, still, path);
                path.pop();
                let emptied = !child.children.is_empty() && is_hollow(member);
                if still.is_empty() && (emptied || child.member && child.children.is_empty()) {
                    members.shift_remove(name);
                }
            }
        }
        Value::Array(list) => {
            let list_type = shape.list_type(path);
            path.push("*");
            list.retain_mut(|entry| {
                let step = step_of(&list_type, entry);
                let Some(child) = dropped.children.get(&step) else { return true };
                let still = kept.children.get(&step).unwrap_or(&nothing);
                if child.member && still.is_empty() {
                    return false;
                }
                take_away(shape, entry, child, still, path);
                true
            });
            path.pop();
        }
        _ => {}
    }
}

fn is_hollow(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}
