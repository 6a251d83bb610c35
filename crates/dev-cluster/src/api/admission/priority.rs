//! Priority classes: a pod's class becomes its priority.

use crate::api::catalog::CollectionId;
use crate::api::object;
use crate::api::status::{ApiError, ApiResult};
use crate::api::write::Write;
use serde_json::{Value, json};

/// Resolves `priorityClassName`, or the global default.
pub fn resolve(write: &Write<'_>, value: &mut Value) -> ApiResult<()> {
    let classes = write.cluster.store.list(&CollectionId::new("scheduling.k8s.io", "priorityclasses"), None);
    let wanted = value.pointer("/spec/priorityClassName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let class = if wanted.is_empty() {
        classes.objects.iter().find(|(_, class)| class.get("globalDefault") == Some(&json!(true)))
    } else {
        let found = classes.objects.iter().find(|(key, _)| key.name == wanted);
        if found.is_none() {
            let why = format!("no PriorityClass with name {wanted} was found");
            return Err(ApiError::forbidden(write.kind, object::name(value), &why));
        }
        found
    };
    let spec = object::member_mut(value, "spec");
    let (priority, policy) = match class {
        Some((key, class)) => {
            spec.insert("priorityClassName".to_owned(), json!(key.name));
            (class.get("value").cloned().unwrap_or(json!(0)), class.get("preemptionPolicy").cloned())
        }
        None => (json!(0), None),
    };
    if spec.get("priority").is_some_and(|given| !given.is_null() && *given != priority) {
        let given = spec.get("priority").cloned().unwrap_or_default();
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name"
        );
        return Err(ApiError::forbidden(write.kind, object::name(value), &why));
    }
    let policy = policy.unwrap_or_else(|| json!("PreemptLowerPriority"));
    let text = |policy: &Value| policy.as_str().unwrap_or_default().to_owned();
    if let Some(given) = spec.get("preemptionPolicy").filter(|given| !given.is_null() && **given != policy) {
        let why = format!(
            "the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name",
            text(given),
            text(&policy)
        );
        return Err(ApiError::forbidden(write.kind, object::name(value), &why));
    }
    let spec = object::member_mut(value, "spec");
    spec.insert("priority".to_owned(), priority);
    object::default_field(spec, "preemptionPolicy", || policy);
    Ok(())
}
