//! The part of an object's metadata that belongs to the server.

use super::Write;
use crate::api::object;
use crate::api::status::{ApiError, ApiResult};
use rand::RngExt;
use serde_json::{Value, json};

/// The letters of generated names: no vowels and no look-alikes, as in Kubernetes.
const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH: usize = 5;
const LONGEST_PREFIX: usize = 63 - SUFFIX_LENGTH;

/// The metadata that only the server writes; a new object's own values are dropped.
const SYSTEM_FIELDS: [&str; 6] =
    ["uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"];

/// A name that begins with `prefix` and that no other object is likely to have.
pub fn generated_name(prefix: &str) -> String {
    let mut name: String = prefix.chars().take(LONGEST_PREFIX).collect();
    let mut rng = rand::rng();
    for _ in 0..SUFFIX_LENGTH {
        name.push(char::from(NAME_LETTERS[rng.random_range(0..NAME_LETTERS.len())]));
    }
    name
}

/// Puts an object into the namespace of the request; an object that names another one is refused.
pub fn settle_namespace(write: &Write<'_>, value: &mut Value) -> ApiResult<()> {
    let meta = object::meta_mut(value);
    let given = meta.get("namespace").and_then(Value::as_str).unwrap_or_default();
    match write.namespace {
        Some(namespace) if given.is_empty() => {
            meta.insert("namespace".to_owned(), json!(namespace));
        }
        Some(namespace) if given != namespace => {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        Some(_) => {}
        None => {
            meta.shift_remove("namespace");
        }
    }
    Ok(())
}

/// Gives a new object what the server decides. Kinds without a spec or status have no generation.
pub fn stamp_new(write: &Write<'_>, value: &mut Value) {
    let has_generation = has_generation(write, value);
    let meta = object::meta_mut(value);
    for field in SYSTEM_FIELDS {
        meta.shift_remove(field);
    }
    meta.shift_remove("resourceVersion");
    meta.insert("uid".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
    if has_generation {
        meta.insert("generation".to_owned(), json!(1));
    }
    meta.insert("creationTimestamp".to_owned(), json!(object::timestamp(write.now)));
}

/// Keeps what only the server writes as it was.
pub fn keep_system_fields(old: &Value, new: &mut Value) {
    let old = object::meta(old);
    let meta = object::meta_mut(new);
    for field in SYSTEM_FIELDS {
        match old.get(field) {
            Some(value) => meta.insert(field.to_owned(), value.clone()),
            None => meta.shift_remove(field),
        };
    }
}

/// Whether objects of the resource count the changes of what is wanted of them.
pub fn has_generation(write: &Write<'_>, value: &Value) -> bool {
    if write.kind.is_custom() {
        return true;
    }
    let counts = matches!(
        (write.kind.group.as_str(), write.kind.plural.as_str()),
        ("", "pods")
            | ("apps", _)
            | ("batch", _)
            | ("networking.k8s.io", _)
            | ("scheduling.k8s.io", _)
            | ("apiextensions.k8s.io", _)
    );
    counts && value.is_object()
}

/// Counts a change of what is wanted: anything but metadata and status.
pub fn bump_generation(write: &Write<'_>, old: &Value, new: &mut Value) {
    if !has_generation(write, new) || write.subresource == Some("status") {
        return;
    }
    let has_status = write.kind.has_subresource("status");
    let wanted = |value: &Value| -> Vec<(String, Value)> {
        let members = value.as_object().into_iter().flatten();
        let mut members: Vec<(String, Value)> = members
            .filter(|(name, _)| *name != "metadata" && !(has_status && *name == "status"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        members
    };
    if wanted(old) != wanted(new) {
        advance_generation(new);
    }
}

/// Adds one to the generation, where there is one.
pub fn advance_generation(value: &mut Value) {
    let meta = object::meta_mut(value);
    if let Some(generation) = meta.get("generation").and_then(Value::as_i64) {
        meta.insert("generation".to_owned(), json!(generation + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_name_keeps_its_prefix_and_fits_a_label() {
        let name = generated_name("job-");
        assert!(name.starts_with("job-") && name.len() == 9, "{name}");
        assert_eq!(generated_name(&"a".repeat(300)).len(), 63);
    }
}
