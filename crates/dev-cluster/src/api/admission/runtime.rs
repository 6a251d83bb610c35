//! Runtime classes: the cluster has none, so no pod may name one or say what one would need.

use crate::api::object;
use crate::api::status::{ApiError, ApiResult};
use crate::api::write::Write;
use serde_json::Value;

/// Refuses a pod that needs a runtime class.
pub fn check(write: &Write<'_>, value: &Value) -> ApiResult<()> {
    let refuse = |why: &str| {
        let why = format!("pod rejected: {why}");
        Err(ApiError::forbidden(write.kind, object::name(value), &why))
    };
    if let Some(class) = value.pointer("/spec/runtimeClassName").and_then(Value::as_str) {
        if class.is_empty() {
            return Err(ApiError::internal("resource name may not be empty"));
        }
        return refuse(&format!("RuntimeClass {class:?} not found"));
    }
    if value.pointer("/spec/overhead").and_then(Value::as_object).is_some_and(|overhead| !overhead.is_empty()) {
        return refuse("Pod Overhead set without corresponding RuntimeClass defined Overhead");
    }
    Ok(())
}
