//! The subresources with bodies of their own: binding, eviction, finalize and scale.

use super::catalog::{Origin, ResourceKind};
use super::managed::Tracking;
use super::schema::{FieldError, Reason};
use super::status::{ApiError, ApiResult};
use super::write::{self, Body, DeleteOptions, PatchKind, Write, store_changed};
use super::{definitions, object};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

type Outcome = ApiResult<(StatusCode, Arc<Value>)>;

/// `POST` to a subresource.
pub fn create(write: &mut Write<'_>, name: &str, body: &Body) -> Outcome {
    match write.subresource {
        Some("binding") => bind(write, name, body),
        Some("eviction") => evict(write, name, body),
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// Puts a pod on a node, once.
fn bind(write: &mut Write<'_>, name: &str, body: &Body) -> Outcome {
    let binding = body.value()?;
    let node = binding.pointer("/target/name").and_then(Value::as_str).unwrap_or_default();
    if node.is_empty() {
        let errors = [FieldError::new("target.name", Reason::Required, "")];
        return Err(ApiError::invalid_named("", "Binding", name, &errors));
    }
    let old = write.current(name)?;
    let uid = object::uid(&binding);
    if !uid.is_empty() && uid != object::uid(&old) {
        let found = object::uid(&old);
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {found}");
        return Err(ApiError::binding_conflict(name, &why));
    }
    let taken = old.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
    if !taken.is_empty() {
        return Err(ApiError::binding_conflict(name, &format!("pod {name} is already assigned to node {taken:?}")));
    }
    if object::is_terminating(&old) {
        let why = format!("pod {name} is being deleted, cannot be assigned to a host");
        return Err(ApiError::binding_conflict(name, &why));
    }
    let mut new = Value::clone(&old);
    object::member_mut(&mut new, "spec").insert("nodeName".to_owned(), json!(node));
    let annotations = object::meta(&binding).get("annotations").and_then(Value::as_object).cloned().unwrap_or_default();
    if !annotations.is_empty() {
        let own = object::meta_mut(&mut new).entry("annotations").or_insert_with(|| json!({}));
        object::object_mut(own).extend(annotations);
    }
    let scheduled = json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null,
        "lastTransitionTime": object::timestamp(write.now),
    });
    let conditions = object::member_mut(&mut new, "status").entry("conditions").or_insert_with(|| json!([]));
    if let Some(list) = conditions.as_array_mut() {
        list.retain(|condition| condition["type"] != "PodScheduled");
        list.push(scheduled);
    }
    super::managed::track_update(write, Some(&old), &mut new);
    write.commit(name, new);
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok((StatusCode::CREATED, Arc::new(status)))
}

/// An eviction without disruption budgets is a deletion.
fn evict(write: &mut Write<'_>, name: &str, body: &Body) -> Outcome {
    let eviction = body.value()?;
    let options = eviction.get("deleteOptions").cloned().unwrap_or_else(|| json!({}));
    let body = Body { bytes: options.to_string().into(), media_type: "application/json".to_owned() };
    let options = DeleteOptions::read(write.options, &body)?;
    say_why(write, name)?;
    write::delete(write, name, &options)?;
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok((StatusCode::CREATED, Arc::new(status)))
}

/// The pod's condition says that it goes by an eviction; one that has ended goes as it is.
fn say_why(write: &mut Write<'_>, name: &str) -> ApiResult<()> {
    let old = write.current(name)?;
    if matches!(old.pointer("/status/phase").and_then(Value::as_str), Some("Succeeded" | "Failed")) {
        return Ok(());
    }
    let mut new = Value::clone(&old);
    let target = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting", "lastProbeTime": null,
        "lastTransitionTime": object::timestamp(write.now),
    });
    let conditions = object::member_mut(&mut new, "status").entry("conditions").or_insert_with(|| json!([]));
    if let Some(list) = conditions.as_array_mut() {
        list.retain(|condition| condition["type"] != "DisruptionTarget");
        list.push(target);
    }
    write.commit(name, new);
    Ok(())
}

/// `PUT` to a subresource with a body of its own.
pub fn replace(write: &mut Write<'_>, name: &str, body: &Body) -> Outcome {
    match write.subresource {
        Some("finalize") => finalize(write, name, body),
        Some("scale") => {
            let scale = body.value()?;
            set_scale(write, name, &scale)
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The finalizers of a namespace's spec change here only; a terminating namespace without any goes.
fn finalize(write: &mut Write<'_>, name: &str, body: &Body) -> Outcome {
    let given = body.value()?;
    let old = write.current(name)?;
    let version = object::meta_text(&given, "resourceVersion");
    if !version.is_empty() && version != object::meta_text(&old, "resourceVersion") {
        return Err(ApiError::modified(write.kind, name));
    }
    let mut new = Value::clone(&old);
    let finalizers = given.pointer("/spec/finalizers").cloned().unwrap_or_else(|| json!([]));
    let none = finalizers.as_array().is_none_or(Vec::is_empty);
    let spec = object::member_mut(&mut new, "spec");
    if none {
        spec.shift_remove("finalizers");
    } else {
        spec.insert("finalizers".to_owned(), finalizers);
    }
    if none && object::is_terminating(&new) && object::finalizers(&new).is_empty() {
        write.commit(name, new.clone());
        let last = write.remove(name, &Arc::new(new));
        definitions::after_remove(write, &last);
        return Ok((StatusCode::OK, last));
    }
    Ok((StatusCode::OK, write.commit(name, new)))
}

/// Where a kind keeps its replicas: in the spec, in the status, and the selector of its pods.
fn scale_paths(kind: &ResourceKind) -> (String, String, Option<String>) {
    let pointer = |path: &str| path.replace('.', "/");
    if let Origin::Custom { definition, .. } = &kind.origin {
        let version = definition.spec.versions.iter().find(|version| version.name == kind.version);
        if let Some(scale) = version.and_then(|version| version.subresources.as_ref()?.scale.as_ref()) {
            return (
                pointer(&scale.spec_replicas_path),
                pointer(&scale.status_replicas_path),
                scale.label_selector_path.as_deref().map(pointer),
            );
        }
    }
    ("/spec/replicas".to_owned(), "/status/replicas".to_owned(), None)
}

/// The `autoscaling/v1` Scale of an object.
pub fn scale_of(kind: &ResourceKind, value: &Value) -> ApiResult<Value> {
    let (spec, status, selector) = scale_paths(kind);
    let meta = |field: &str| object::meta(value).get(field).cloned();
    let mut metadata = serde_json::Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        metadata.extend(meta(field).map(|value| (field.to_owned(), value)));
    }
    let labels = value.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let labels =
        labels.into_iter().flatten().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let labels = labels.collect::<Vec<_>>().join(",");
    let selector = selector.and_then(|path| value.pointer(&path)?.as_str().map(str::to_owned)).unwrap_or(labels);
    Ok(json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": value.pointer(&spec).cloned().unwrap_or(json!(0))},
        "status": {"replicas": value.pointer(&status).cloned().unwrap_or(json!(0)), "selector": selector},
    }))
}

/// Patches the Scale of an object.
pub fn patch_scale(write: &mut Write<'_>, name: &str, kind: PatchKind, body: &Body) -> Outcome {
    let old = write.current(name)?;
    let mut scale = scale_of(write.kind, &old)?;
    let patch = body.yaml()?;
    match kind {
        PatchKind::Json => {
            let operations: json_patch::Patch = serde_json::from_value(patch).map_err(ApiError::unreadable)?;
            json_patch::patch(&mut scale, &operations).map_err(|error| ApiError::unprocessable(error.to_string()))?;
        }
        PatchKind::Merge | PatchKind::Strategic | PatchKind::Apply => json_patch::merge(&mut scale, &patch),
    }
    set_scale(write, name, &scale)
}

fn set_scale(write: &mut Write<'_>, name: &str, scale: &Value) -> Outcome {
    let old = write.current(name)?;
    let version = object::meta_text(scale, "resourceVersion");
    if !version.is_empty() && version != object::meta_text(&old, "resourceVersion") {
        return Err(ApiError::modified(write.kind, name));
    }
    let replicas = scale.pointer("/spec/replicas").cloned().unwrap_or(json!(0));
    if replicas.as_i64().is_none_or(|replicas| replicas < 0) {
        let detail = "must be greater than or equal to 0";
        let errors = [FieldError::showing("spec.replicas", Reason::Invalid, &replicas, detail)];
        return Err(ApiError::invalid_named("autoscaling", "Scale", name, &errors));
    }
    let (path, ..) = scale_paths(write.kind);
    let mut new = Value::clone(&old);
    let mut place = &mut new;
    for field in path.trim_start_matches('/').split('/') {
        place = object::object_mut(place).entry(field).or_insert(Value::Null);
    }
    *place = replicas;
    let stored = store_changed(write, name, &old, new, Tracking::Update)?;
    Ok((StatusCode::OK, Arc::new(scale_of(write.kind, &stored)?)))
}
