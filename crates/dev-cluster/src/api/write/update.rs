//! Changing an object: by replacement, or by what a patch made of it.

use super::create::default;
use super::{Body, Write, decode, metadata};
use crate::api::schema::{FieldError, Reason};
use crate::api::status::{ApiError, ApiResult};
use crate::api::{admission, definitions, kinds, managed, object, validation};
use serde_json::{Value, json};
use std::sync::Arc;

/// Replaces an object with the one in a body.
pub fn replace(write: &mut Write<'_>, name: &str, body: &Body) -> ApiResult<Arc<Value>> {
    let mut new = decode(write, body)?;
    let given = object::name(&new).to_owned();
    if given.is_empty() {
        object::meta_mut(&mut new).insert("name".to_owned(), json!(name));
    } else if given != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    metadata::settle_namespace(write, &mut new)?;
    let old = write.current(name)?;
    if write.kind.is_custom() && object::meta_text(&new, "resourceVersion").is_empty() {
        let mut error = FieldError::new("metadata.resourceVersion", Reason::Invalid, "must be specified for an update");
        error.shown = Some("0".to_owned());
        // The real server names the resource here, not the kind.
        return Err(ApiError::invalid_named(&write.kind.group, &write.kind.plural, name, &[error]));
    }
    store_changed(write, name, &old, new, managed::Tracking::Update)
}

/// Takes a changed object through preparation, admission and validation, and stores it.
pub fn store_changed(
    write: &mut Write<'_>,
    name: &str,
    old: &Arc<Value>,
    mut new: Value,
    tracking: managed::Tracking,
) -> ApiResult<Arc<Value>> {
    check_preconditions(write, name, old, &new)?;
    metadata::keep_system_fields(old, &mut new);
    let version = object::meta(old).get("resourceVersion").cloned().unwrap_or_default();
    object::meta_mut(&mut new).insert("resourceVersion".to_owned(), version);
    separate_status(write, old, &mut new);
    default(write, &mut new);
    kinds::carry_over(write.kind, old, &mut new);
    admission::mutate(write, &mut new, Some(old))?;
    let errors = validation::validate(write, &new, Some(old));
    if !errors.is_empty() {
        return Err(ApiError::invalid(write.kind, name, &errors));
    }
    let charges = admission::validate(write, &new, Some(old))?;
    metadata::bump_generation(write, old, &mut new);
    match tracking {
        managed::Tracking::Update => managed::track_update(write, Some(old), &mut new),
        managed::Tracking::Done => {}
    }
    if same(old, &new) {
        return Ok(old.clone());
    }
    definitions::before_store(write, Some(old), &mut new)?;
    // The last finalizer of an object whose deletion has begun is gone: this write is its end.
    if is_released(write, old, &new) {
        if !write.options.dry_run {
            write.commit(name, new.clone());
        }
        let last = write.remove(name, &Arc::new(new));
        definitions::after_remove(write, &last);
        return Ok(last);
    }
    let stored = write.commit(name, new);
    admission::charge(write, charges);
    definitions::after_store(write, &stored);
    Ok(stored)
}

fn check_preconditions(write: &Write<'_>, name: &str, old: &Value, new: &Value) -> ApiResult<()> {
    let uid = object::uid(new);
    if !uid.is_empty() && uid != object::uid(old) {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", object::uid(old));
        return Err(ApiError::conflict(write.kind, name, &why));
    }
    let version = object::meta_text(new, "resourceVersion");
    if !version.is_empty() && version != "0" && version != object::meta_text(old, "resourceVersion") {
        return Err(ApiError::modified(write.kind, name));
    }
    Ok(())
}

/// The object's own endpoint leaves the status alone, the status endpoint leaves all else alone.
fn separate_status(write: &Write<'_>, old: &Value, new: &mut Value) {
    if !write.kind.has_subresource("status") {
        return;
    }
    if write.subresource == Some("status") {
        let status = new.get("status").cloned();
        let meta = object::meta(new).clone();
        let members = object::object_mut(new);
        let old_members = old.as_object().cloned().unwrap_or_default();
        *members = old_members;
        match status {
            Some(status) => members.insert("status".to_owned(), status),
            None => members.shift_remove("status"),
        };
        if write.kind.is_custom() {
            // Of the metadata only the record of managers follows the status of a custom resource.
            if let Some(managed) = meta.get("managedFields") {
                object::meta_mut(new).insert("managedFields".to_owned(), managed.clone());
            }
        } else {
            members.insert("metadata".to_owned(), meta);
        }
        return;
    }
    if write.subresource.is_some() {
        return;
    }
    let members = object::object_mut(new);
    match old.get("status") {
        Some(status) => members.insert("status".to_owned(), status.clone()),
        None => members.shift_remove("status"),
    };
}

/// Whether a write changes nothing; who manages the fields counts, when they did does not.
fn same(old: &Value, new: &Value) -> bool {
    let strip = |value: &Value| {
        let mut value = value.clone();
        let entries = object::meta_mut(&mut value).get_mut("managedFields").and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            object::object_mut(entry).shift_remove("time");
        }
        value
    };
    strip(old) == strip(new)
}

fn is_released(write: &Write<'_>, old: &Value, new: &Value) -> bool {
    let grace = object::meta(new).get("deletionGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(0);
    let had_finalizers = !object::finalizers(old).is_empty() || kinds::has_spec_finalizers(write.kind, old);
    object::is_terminating(new)
        && had_finalizers
        && grace == 0
        && object::finalizers(new).is_empty()
        && !kinds::has_spec_finalizers(write.kind, new)
}
