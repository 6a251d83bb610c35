//! Patches: JSON patch, merge patch, strategic merge patch and server-side apply.

use super::update::store_changed;
use super::{Body, Write, create};
use crate::api::schema::{FieldError, Reason};
use crate::api::status::{ApiError, ApiResult};
use crate::api::{kinds, managed, object, strategic, versions};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// The kinds of patches, by media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// `application/json-patch+json`
    Json,
    /// `application/merge-patch+json`
    Merge,
    /// `application/strategic-merge-patch+json`
    Strategic,
    /// `application/apply-patch+yaml`
    Apply,
}

impl PatchKind {
    /// The media types, as refusals list them.
    pub const ACCEPTED_BY_CUSTOM: &'static str =
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

    /// The media types that built-in kinds accept.
    pub const ACCEPTED: &'static str = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/apply-patch+cbor, application/strategic-merge-patch+json";

    /// The kind that a media type names.
    pub fn of(media_type: &str) -> Option<PatchKind> {
        match media_type {
            "application/json-patch+json" => Some(PatchKind::Json),
            "application/merge-patch+json" => Some(PatchKind::Merge),
            "application/strategic-merge-patch+json" => Some(PatchKind::Strategic),
            "application/apply-patch+yaml" => Some(PatchKind::Apply),
            _ => None,
        }
    }
}

/// Patches an object; server-side apply creates it where it is not there. The answer says whether it was created.
pub fn patch(write: &mut Write<'_>, name: &str, kind: PatchKind, body: &Body) -> ApiResult<(StatusCode, Arc<Value>)> {
    if kind == PatchKind::Apply {
        return server_side_apply(write, name, body);
    }
    if write.options.force {
        let error = FieldError::new("force", Reason::Forbidden, "may not be specified for non-apply patch");
        return Err(ApiError::invalid_named("meta.k8s.io", "PatchOptions", "", &[error]));
    }
    let old = write.current(name)?;
    let patch: Value = serde_json::from_slice(&body.bytes).map_err(ApiError::unreadable)?;
    let mut new = patched(write, &old, kind, patch)?;
    if kinds::of(&new) != kinds::of(&old) {
        return Err(ApiError::broken_by_patch(&new, "the kind or apiVersion of an object cannot be patched"));
    }
    if !write.kind.is_custom() {
        object::drop_nulls(&mut new);
    }
    let before = new.clone();
    let whole = write.prune(&mut new).and_then(|()| write.check_types(&new));
    whole.map_err(|error| ApiError::broken_by_patch(&before, &error.message))?;
    if object::name(&new) != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            object::name(&new)
        )));
    }
    let stored = store_changed(write, name, &old, new, managed::Tracking::Update)?;
    Ok((StatusCode::OK, stored))
}

fn patched(write: &Write<'_>, old: &Arc<Value>, kind: PatchKind, patch: Value) -> ApiResult<Value> {
    let mut new = Value::clone(old);
    match kind {
        PatchKind::Json => {
            if !patch.is_array() {
                return Err(ApiError::bad_request("error decoding patch: a JSON patch is a list of operations"));
            }
            let misfit = |error: &dyn std::fmt::Display| {
                tracing::debug!(%error, "a JSON patch does not fit its object");
                ApiError::unprocessable("the server rejected our request due to an error in our request")
            };
            let operations: json_patch::Patch = serde_json::from_value(patch).map_err(|error| misfit(&error))?;
            json_patch::patch(&mut new, &operations).map_err(|error| misfit(&error))?;
        }
        PatchKind::Merge => json_patch::merge(&mut new, &patch),
        PatchKind::Strategic if write.kind.is_custom() => {
            return Err(ApiError::unsupported_media_type(
                "application/strategic-merge-patch+json",
                PatchKind::ACCEPTED_BY_CUSTOM,
            ));
        }
        PatchKind::Strategic => {
            strategic::merge(write.kind.schema(), &mut new, patch).map_err(ApiError::bad_request)?
        }
        PatchKind::Apply => {}
    }
    Ok(new)
}

fn server_side_apply(write: &mut Write<'_>, name: &str, body: &Body) -> ApiResult<(StatusCode, Arc<Value>)> {
    if write.options.field_manager.is_none() {
        let error = FieldError::new("fieldManager", Reason::Required, "is required for apply patch");
        return Err(ApiError::invalid_named("meta.k8s.io", "PatchOptions", "", &[error]));
    }
    let mut applied = body.yaml()?;
    check_applied(write, name, &mut applied)?;
    write.prune_applied(&mut applied)?;
    write.check_types(&applied)?;
    super::metadata::settle_namespace(write, &mut applied)?;
    let current = write.cluster.store.get(&write.kind.collection(), &write.key(name));
    let Some(old) = current.map(|value| versions::view(write.kind, &value)) else {
        if write.subresource.is_some() {
            return Err(ApiError::not_found(write.kind, name));
        }
        if !object::uid(&applied).is_empty() {
            let why = "uid mismatch: the provided object specified uid, and no existing object was found";
            return Err(ApiError::conflict(write.kind, name, why));
        }
        let created = create::create_value(write, applied, managed::Tracking::Done)?;
        return Ok((StatusCode::CREATED, created));
    };
    let new = managed::apply(write, &old, applied)?;
    let stored = store_changed(write, name, &old, new, managed::Tracking::Done)?;
    Ok((StatusCode::OK, stored))
}

fn check_applied(write: &Write<'_>, name: &str, applied: &mut Value) -> ApiResult<()> {
    if !applied.is_object() {
        return Err(ApiError::bad_request("the object to apply is not an object"));
    }
    let (api_version, kind) = kinds::of(applied);
    if api_version != write.kind.api_version() || kind != write.kind.kind {
        return Err(ApiError::bad_request(format!(
            "failed to apply: the object is {kind} in version {api_version:?}, the request is for {} in version {:?}",
            write.kind.kind,
            write.kind.api_version()
        )));
    }
    if object::meta(applied).get("managedFields").is_some_and(|managed| !managed.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let given = object::name(applied).to_owned();
    if given.is_empty() {
        object::meta_mut(applied).insert("name".to_owned(), json!(name));
    } else if given != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    Ok(())
}
