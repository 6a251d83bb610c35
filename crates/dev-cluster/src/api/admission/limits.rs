//! Limit ranges: what containers ask for and may use when they do not say.

use super::core;
use crate::api::object::{self, default_field, object_mut};
use crate::api::status::{ApiError, ApiResult};
use crate::api::write::Write;
use cluster_resources::Quantity;
use serde_json::{Map, Value, json};

/// Where a pod says what was filled in.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// The container limits of all limit ranges of the namespace.
fn container_limits(write: &Write<'_>) -> Vec<Value> {
    let ranges = write.cluster.store.list(&core("limitranges"), write.namespace);
    let limits = ranges.objects.iter().filter_map(|(_, range)| range.pointer("/spec/limits")?.as_array().cloned());
    limits.flatten().filter(|limit| limit.get("type") == Some(&json!("Container"))).collect()
}

/// Fills in requests and limits of a pod's containers.
pub fn default(write: &Write<'_>, pod: &mut Value) {
    let ranges = container_limits(write);
    if ranges.is_empty() {
        return;
    }
    let mut told = Vec::new();
    for (list, noun) in [("initContainers", "init container"), ("containers", "container")] {
        let containers = object::member_mut(pod, "spec").get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let resources = object_mut(object_mut(container).entry("resources").or_insert_with(|| json!({})));
            for range in &ranges {
                for (part, word, given) in [("requests", "request", "defaultRequest"), ("limits", "limit", "default")] {
                    let set = fill(resources, part, range.get(given));
                    if !set.is_empty() {
                        told.push(format!("{} {word} for {noun} {name}", set.join(", ")));
                    }
                }
            }
        }
    }
    if !told.is_empty() {
        let annotations = object::meta_mut(pod).entry("annotations").or_insert_with(|| json!({}));
        object_mut(annotations)
            .insert(ANNOTATION.to_owned(), json!(format!("LimitRanger plugin set: {}", told.join("; "))));
    }
}

/// Fills in what is missing of a part, and answers what that was, in order.
fn fill(resources: &mut Map<String, Value>, part: &str, defaults: Option<&Value>) -> Vec<String> {
    let Some(defaults) = defaults.and_then(Value::as_object).filter(|defaults| !defaults.is_empty()) else {
        return Vec::new();
    };
    let amounts = object_mut(resources.entry(part).or_insert_with(|| json!({})));
    let mut set: Vec<String> = defaults.keys().filter(|resource| !amounts.contains_key(*resource)).cloned().collect();
    set.sort_unstable();
    for (resource, amount) in defaults {
        default_field(amounts, resource, || amount.clone());
    }
    set
}

/// Refuses containers beyond the limits.
pub fn check(write: &Write<'_>, pod: &Value) -> ApiResult<()> {
    let mut broken = Vec::new();
    for range in container_limits(write) {
        for container in pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten() {
            broken.extend(breaches(&range, container));
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    let list = if broken.len() == 1 { broken.concat() } else { format!("[{}]", broken.join(", ")) };
    Err(ApiError::forbidden(write.kind, object::name(pod), &list))
}

fn breaches(range: &Value, container: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let amount = |part: &str, resource: &str| container.pointer("/resources")?.get(part)?.get(resource);
    let mut broken = Vec::new();
    for (resource, max) in range.get("max").and_then(Value::as_object).into_iter().flatten() {
        match amount("limits", resource) {
            None => {
                broken.push(format!("maximum {resource} usage per Container is {}.  No limit is specified", text(max)))
            }
            Some(limit) if Quantity::of_json(limit) > Quantity::of_json(max) => {
                broken.push(format!(
                    "maximum {resource} usage per Container is {}, but limit is {}",
                    text(max),
                    text(limit)
                ));
            }
            Some(_) => {}
        }
    }
    for (resource, min) in range.get("min").and_then(Value::as_object).into_iter().flatten() {
        match amount("requests", resource) {
            None => broken
                .push(format!("minimum {resource} usage per Container is {}.  No request is specified", text(min))),
            Some(request) if Quantity::of_json(request) < Quantity::of_json(min) => broken.push(format!(
                "minimum {resource} usage per Container is {}, but request is {}",
                text(min),
                text(request)
            )),
            Some(_) => {}
        }
    }
    broken
}
