//! Creating an object.

use super::{Body, Write, decode, metadata};
use crate::api::status::{ApiError, ApiResult};
use crate::api::{admission, definitions, kinds, managed, object, validation};
use serde_json::{Value, json};
use std::sync::Arc;

/// How often a generated name that is taken is drawn again.
const NAME_DRAWS: usize = 8;

/// Creates the object of a body; `path_name` is the name in the path, where a patch creates.
pub fn create(write: &mut Write<'_>, body: &Body) -> ApiResult<Arc<Value>> {
    let value = decode(write, body)?;
    create_value(write, value, managed::Tracking::Update)
}

/// Creates a decoded object.
pub fn create_value(write: &mut Write<'_>, mut value: Value, tracking: managed::Tracking) -> ApiResult<Arc<Value>> {
    metadata::settle_namespace(write, &mut value)?;
    if !object::meta_text(&value, "resourceVersion").is_empty() {
        return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
    }
    settle_name(write, &mut value)?;
    match tracking {
        managed::Tracking::Update => object::meta_mut(&mut value).shift_remove("managedFields"),
        managed::Tracking::Done => {
            managed::apply_new(write, &mut value);
            None
        }
    };
    metadata::stamp_new(write, &mut value);
    kinds::reset_status(write.kind, &mut value);
    default(write, &mut value);
    if tracking == managed::Tracking::Update {
        // Before admission: what that fills in is nobody's.
        managed::track_update(write, None, &mut value);
    }
    kinds::prepare(write.kind, &mut value);
    admission::mutate(write, &mut value, None)?;
    kinds::settle_class(write.kind, &mut value);
    let errors = validation::validate(write, &value, None);
    let name = object::name(&value).to_owned();
    if !errors.is_empty() {
        return Err(ApiError::invalid(write.kind, &name, &errors));
    }
    kinds::complete(write.kind, &mut value);
    let charges = admission::validate(write, &value, None)?;
    if let Some(existing) = write.cluster.store.get(&write.kind.collection(), &write.key(&name)) {
        let mut error = ApiError::already_exists(write.kind, &name);
        if object::is_terminating(&existing) {
            error.message = format!("object is being deleted: {}", error.message);
        }
        return Err(error);
    }
    definitions::before_store(write, None, &mut value)?;
    let stored = write.commit(&name, value);
    admission::charge(write, charges);
    definitions::after_store(write, &stored);
    Ok(stored)
}

/// The server's defaults: by kind for built-in kinds, by schema for custom resources.
pub fn default(write: &Write<'_>, value: &mut Value) {
    kinds::default(write.kind, value);
    if let (true, Some(schema)) = (write.kind.is_custom(), write.kind.schema()) {
        schema.default(value);
    }
}

fn settle_name(write: &Write<'_>, value: &mut Value) -> ApiResult<()> {
    if !object::name(value).is_empty() {
        return Ok(());
    }
    let prefix = object::meta_text(value, "generateName").to_owned();
    if prefix.is_empty() {
        // Left to the validation, which says it together with whatever else is wrong.
        return Ok(());
    }
    for _ in 0..NAME_DRAWS {
        let name = metadata::generated_name(&prefix);
        if write.cluster.store.get(&write.kind.collection(), &write.key(&name)).is_none() {
            object::meta_mut(value).insert("name".to_owned(), json!(name));
            return Ok(());
        }
    }
    Err(ApiError::already_exists(write.kind, &prefix))
}
