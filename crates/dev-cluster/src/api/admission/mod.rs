//! Admission: what the API server checks and fills in with a look at other objects.

mod limits;
mod priority;
mod quota;
mod runtime;
mod security;

use super::catalog::{CollectionId, ResourceKind};
use super::object;
use super::status::{ApiError, ApiResult};
use super::store::Key;
use super::write::Write;
use cluster_resources::Quantity;
use serde_json::{Value, json};

pub use quota::{Charge, charge};

/// Fills in what other objects decide.
pub fn mutate(write: &Write<'_>, value: &mut Value, old: Option<&Value>) -> ApiResult<()> {
    if old.is_none() {
        namespace_is_open(write, value)?;
        if write.kind.is_core("pods") {
            limits::default(write, value);
            priority::resolve(write, value)?;
            runtime::check(write, value)?;
            default_tolerations(value);
        }
        if write.kind.is_core("nodes") {
            taint_until_ready(value);
        }
        if write.kind.is_core("persistentvolumeclaims") {
            default_storage_class(write, value);
        }
    }
    Ok(())
}

/// Refuses what other objects forbid; otherwise answers what the write costs the quotas of its namespace.
pub fn validate(write: &mut Write<'_>, value: &Value, old: Option<&Value>) -> ApiResult<Vec<Charge>> {
    if old.is_none() && write.kind.is_core("pods") {
        limits::check(write, value)?;
    }
    if let Some(old) = old
        && write.kind.is_core("persistentvolumeclaims")
    {
        may_grow(write, value, old)?;
    }
    if old.is_none() {
        security::check(write, value)?;
    }
    quota::check(write, value, old)
}

/// The collection of a core resource.
fn core(plural: &str) -> CollectionId {
    CollectionId::new("", plural)
}

/// A namespaced object needs a namespace that is there and stays.
fn namespace_is_open(write: &Write<'_>, value: &Value) -> ApiResult<()> {
    let Some(name) = write.namespace.filter(|_| write.kind.namespaced) else { return Ok(()) };
    let Some(namespace) = write.cluster.store.get(&core("namespaces"), &Key::new("", name)) else {
        let catalog = write.cluster.catalog();
        let kind = catalog.builtin_kind("", "namespaces");
        let kind: &ResourceKind = kind.as_deref().unwrap_or(write.kind);
        return Err(ApiError::not_found(kind, name));
    };
    if object::is_terminating(&namespace) {
        return Err(ApiError::namespace_terminating(write.kind, object::name(value), name));
    }
    Ok(())
}

/// Pods tolerate a node that is away for five minutes.
fn default_tolerations(value: &mut Value) {
    let spec = object::member_mut(value, "spec");
    let list = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let covered = list.iter().any(|toleration| {
            let text = |field: &str| toleration.get(field).and_then(Value::as_str).unwrap_or_default();
            (text("key") == key || text("key").is_empty()) && matches!(text("effect"), "" | "NoExecute")
        });
        if !covered {
            list.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
}

/// A new node takes no pods until its controller finds it ready.
fn taint_until_ready(value: &mut Value) {
    let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
    let taints = object::member_mut(value, "spec").entry("taints").or_insert_with(|| json!([]));
    if let Some(list) = taints.as_array_mut()
        && !list.contains(&taint)
    {
        list.push(taint);
    }
}

/// A claim grows only if its class says so.
fn may_grow(write: &Write<'_>, new: &Value, old: &Value) -> ApiResult<()> {
    let size = |claim: &Value| claim.pointer("/spec/resources/requests/storage").and_then(Quantity::of_json);
    if size(new) <= size(old) {
        return Ok(());
    }
    if old.pointer("/status/phase") != Some(&json!("Bound")) {
        let why = "Only bound persistent volume claims can be expanded";
        return Err(ApiError::forbidden(write.kind, object::name(new), why));
    }
    let class = new.pointer("/spec/storageClassName").and_then(Value::as_str).unwrap_or_default();
    let class = write.cluster.store.get(&CollectionId::new("storage.k8s.io", "storageclasses"), &Key::new("", class));
    if class.is_none_or(|class| class.get("allowVolumeExpansion") != Some(&json!(true))) {
        let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
        return Err(ApiError::forbidden(write.kind, object::name(new), why));
    }
    Ok(())
}

/// A claim without a class gets the default one.
fn default_storage_class(write: &Write<'_>, value: &mut Value) {
    let classes = write.cluster.store.list(&CollectionId::new("storage.k8s.io", "storageclasses"), None);
    let default = classes.objects.iter().find(|(_, class)| {
        let annotations = object::meta(class).get("annotations");
        annotations.and_then(|a| a.get("storageclass.kubernetes.io/is-default-class")) == Some(&json!("true"))
    });
    if let Some((key, _)) = default {
        let spec = object::member_mut(value, "spec");
        object::default_field(spec, "storageClassName", || json!(key.name));
    }
}
