//! Custom resource definitions: what is served because somebody applied a definition.

use super::catalog::{CollectionId, ResourceKind};
use super::object;
use super::schema::CompiledCrd;
use super::status::{ApiError, ApiResult};
use super::write::Write;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};
use std::sync::Arc;

const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Whether the resource is that of definitions.
pub fn is_definition(kind: &ResourceKind) -> bool {
    kind.group == "apiextensions.k8s.io" && kind.plural == "customresourcedefinitions"
}

/// Completes a definition's status before it is stored: its names are accepted unless another definition has them.
pub fn before_store(write: &Write<'_>, old: Option<&Value>, value: &mut Value) -> ApiResult<()> {
    if !is_definition(write.kind) || object::is_terminating(value) {
        return Ok(());
    }
    let definition = parse(value)?;
    let conflict = name_conflict(write, &definition);
    let now = object::timestamp(write.now);
    let mut stored: Vec<Value> =
        old.and_then(|old| old.pointer("/status/storedVersions")?.as_array().cloned()).unwrap_or_default();
    if let Some(storage) = definition.spec.versions.iter().find(|version| version.storage)
        && !stored.contains(&json!(storage.name))
    {
        stored.push(json!(storage.name));
    }
    let conditions = match &conflict {
        None => json!([
            condition("NamesAccepted", "True", "NoConflicts", "no conflicts found", &now),
            condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted", &now),
        ]),
        Some(why) => json!([
            condition("NamesAccepted", "False", "KindConflict", why, &now),
            condition("Established", "False", "NotAccepted", "not all names are accepted", &now),
        ]),
    };
    let kept = old.and_then(|old| old.pointer("/status/conditions")).filter(|kept| same_states(kept, &conditions));
    let conditions = kept.cloned().unwrap_or(conditions);
    let accepted = if conflict.is_none() { value.pointer("/spec/names").cloned() } else { None };
    object::object_mut(value).insert(
        "status".to_owned(),
        json!({
            "conditions": conditions,
            "acceptedNames": accepted.unwrap_or_else(|| json!({"plural": "", "kind": ""})),
            "storedVersions": stored,
        }),
    );
    Ok(())
}

fn condition(kind: &str, status: &str, reason: &str, message: &str, now: &str) -> Value {
    json!({"type": kind, "status": status, "lastTransitionTime": now, "reason": reason, "message": message})
}

fn same_states(a: &Value, b: &Value) -> bool {
    let states = |conditions: &Value| -> Vec<(Value, Value)> {
        let list = conditions.as_array().into_iter().flatten();
        list.map(|c| (c["type"].clone(), c["status"].clone())).collect()
    };
    states(a) == states(b)
}

/// What another resource of the group already has of this definition's names.
fn name_conflict(write: &Write<'_>, definition: &CustomResourceDefinition) -> Option<String> {
    let names = &definition.spec.names;
    let catalog = write.cluster.catalog();
    let others = catalog.iter().filter(|kind| kind.group == definition.spec.group && kind.plural != names.plural);
    others.filter(|kind| kind.kind == names.kind).map(|kind| format!("{:?} is already in use", kind.kind)).next()
}

/// Serves what a stored definition defines, or ceases to.
pub fn after_store(write: &Write<'_>, stored: &Value) {
    if !is_definition(write.kind) || write.options.dry_run {
        return;
    }
    serve(write, stored);
}

/// Puts a definition into the catalogue.
pub fn serve(write: &Write<'_>, stored: &Value) {
    let Ok(definition) = parse(stored) else { return };
    let established = stored.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let established = established.filter(|c| c["type"] == "Established").any(|c| c["status"] == "True");
    let compiled = match CompiledCrd::compile(&definition) {
        Ok(compiled) if established => Arc::new(compiled),
        Ok(_) | Err(_) => return,
    };
    let definition = Arc::new(definition);
    write.cluster.change_catalog(write.turn, |catalog| {
        catalog.remove(&definition.spec.group, &definition.spec.names.plural);
        for kind in ResourceKind::of_definition(&definition, &compiled) {
            catalog.insert(kind);
        }
    });
}

/// The deletion of a definition deletes its objects; it waits for those that finalizers hold.
pub fn before_delete(write: &Write<'_>, old: &Value, new: &mut Value) {
    if !is_definition(write.kind) || write.options.dry_run {
        return;
    }
    let Ok(definition) = parse(old) else { return };
    let collection = CollectionId::new(&definition.spec.group, &definition.spec.names.plural);
    let mut held = false;
    for (key, value) in write.cluster.store.list(&collection, None).objects {
        if object::finalizers(&value).is_empty() {
            write.cluster.store.remove(&collection, &key);
            continue;
        }
        held = true;
        if !object::is_terminating(&value) {
            let mut marked = Value::clone(&value);
            let meta = object::meta_mut(&mut marked);
            meta.insert("deletionTimestamp".to_owned(), json!(object::timestamp(write.now)));
            meta.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
            write.cluster.store.put(&collection, key, marked);
        }
    }
    if held {
        object::add_finalizer(new, CLEANUP);
    }
}

/// A removed definition is no longer served; the last held object of a definition that waits lets it go.
pub fn after_remove(write: &Write<'_>, last: &Value) {
    if write.options.dry_run {
        return;
    }
    if is_definition(write.kind) {
        let Ok(definition) = parse(last) else { return };
        let (group, plural) = (definition.spec.group, definition.spec.names.plural);
        write.cluster.change_catalog(write.turn, |catalog| catalog.remove(&group, &plural));
        write.cluster.store.announce(&CollectionId::new(&group, &plural));
        return;
    }
    if !write.kind.is_custom() || !write.cluster.store.list(&write.kind.collection(), None).objects.is_empty() {
        return;
    }
    release_definition(write);
}

fn release_definition(write: &Write<'_>) {
    let catalog = write.cluster.catalog();
    let Some(kind) = catalog.builtin_kind("apiextensions.k8s.io", "customresourcedefinitions") else { return };
    let name = write.kind.qualified_resource();
    let key = super::store::Key::new("", &name);
    let Some(definition) = write.cluster.store.get(&kind.collection(), &key) else { return };
    if object::finalizers(&definition) != [CLEANUP] {
        return;
    }
    write.cluster.store.remove(&kind.collection(), &key);
    let (group, plural) = (&write.kind.group, &write.kind.plural);
    write.cluster.change_catalog(write.turn, |catalog| catalog.remove(group, plural));
    write.cluster.store.announce(&write.kind.collection());
}

fn parse(value: &Value) -> ApiResult<CustomResourceDefinition> {
    serde_json::from_value(value.clone()).map_err(ApiError::unreadable)
}
