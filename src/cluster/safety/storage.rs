//! Storage: a pod mounts scratch space, objects of its namespace and claims; a claim may request new space, but nothing
//! that already exists.

use serde_json::{Map, Value};

use super::{Walk, folded, join, member, shown, shown_key};

/// The volumes that a pod may mount.
const VOLUMES: [&str; 7] =
    ["configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
/// The sources that a projected volume may have.
const SOURCES: [&str; 3] = ["configMap", "downwardAPI", "secret"];
/// The allowed fields of an ephemeral volume's claim.
const PLAIN: [&str; 3] = ["accessModes", "resources", "volumeMode"];
/// The allowed fields of a claim.
const CLAIM: [&str; 4] = ["accessModes", "resources", "volumeMode", "storageClassName"];

const NEW_SPACE: &str = "it could reach storage that is not bound for you";

/// The volumes of a pod.
pub fn volumes(walk: &mut Walk, volumes: &[Value], path: &str) {
    for (index, volume) in volumes.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Object(fields) = volume else {
            walk.note(path, format!("was {}; a volume must be a mapping", shown(volume)));
            continue;
        };
        for (key, value) in fields.iter().filter(|(key, value)| *key != "name" && !value.is_null()) {
            let path = format!("{path}.{}", shown_key(key));
            match key.as_str() {
                "hostPath" => walk.note(path, "is not allowed: a pod may not see its node's files"),
                "persistentVolumeClaim" => bound(walk, value, &path),
                "projected" => projected(walk, value, &path),
                key if VOLUMES.contains(&key) => walk.value(value, &path, &folded(key), "volumes"),
                _ => walk.note(path, format!("is not allowed; a volume must be one of: {}", VOLUMES.join(", "))),
            }
        }
    }
}

/// The name of a claim must be known now: whether it is bound for the caller is checked before the pod runs.
fn bound(walk: &mut Walk, source: &Value, path: &str) {
    let name = source.as_object().and_then(|fields| member(fields, "claimName"));
    if name.and_then(Value::as_str).is_some_and(|name| walk.is_filled_in(name)) {
        walk.note(format!("{path}.claimName"), "may not contain a template tag");
    }
}

fn projected(walk: &mut Walk, volume: &Value, path: &str) {
    let sources = volume.as_object().and_then(|fields| member(fields, "sources")).and_then(Value::as_array);
    for (index, source) in sources.into_iter().flatten().enumerate() {
        let keys = source.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        for (key, _) in keys.filter(|(key, _)| !SOURCES.contains(&key.as_str())) {
            let path = format!("{path}.sources[{index}].{}", shown_key(key));
            match key.as_str() {
                "serviceAccountToken" | "podCertificate" => {
                    walk.note(path, "is not allowed: jobs get no service-account token")
                }
                _ => walk.note(path, format!("is not allowed; a source must be one of: {}", SOURCES.join(", "))),
            }
        }
    }
}

/// Claims that live as long as their pod or workflow: one or a list.
pub fn templates(walk: &mut Walk, templates: &Value, path: &str) {
    match templates {
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(index, template)| self::templates(walk, template, &format!("{path}[{index}]")));
        }
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let path = join(path, &shown_key(key));
                match (folded(key).as_str(), value) {
                    ("spec", Value::Object(spec)) => only(walk, spec, &PLAIN, &path),
                    ("spec", _) => walk.note(path, format!("was {}; it must be a mapping", shown(value))),
                    _ => walk.value(value, &path, &folded(key), "volumeclaimtemplate"),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The spec of a standalone claim.
pub fn claim(walk: &mut Walk, spec: &Value, path: &str) {
    let Value::Object(fields) = spec else { return };
    only(walk, fields, &CLAIM, path);
    if member(fields, "storageClassName").is_some_and(|class| class.as_str().is_none_or(str::is_empty)) {
        let why = format!("was \"\"; it must name a storage class or be left out: {NEW_SPACE}");
        walk.note(format!("{path}.storageClassName"), why);
    }
}

fn only(walk: &mut Walk, spec: &Map<String, Value>, allowed: &[&str], path: &str) {
    for (key, _) in spec.iter().filter(|(key, value)| !value.is_null() && !allowed.contains(&key.as_str())) {
        walk.note(format!("{path}.{}", shown_key(key)), format!("is not allowed: {NEW_SPACE}"));
    }
}
