//! Files made of ConfigMaps, Secrets, the pod's own fields and tokens.

use super::super::check::{descending, forbidden, invalid, list, number, required, some, text};
use super::env::{field_ref, resource_ref};
use super::volumes::mode;
use crate::api::schema::FieldError;
use serde_json::{Value, json};
use std::collections::HashSet;

/// The fields of a pod that its files may have.
const FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const SOURCES: [&str; 6] =
    ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"];
const SHORTEST_TOKEN: i64 = 600;
const LONGEST_TOKEN: i64 = 1 << 32;

/// A ConfigMap or a Secret as files.
pub fn named(source: &Value, name: &str, has_mode: bool, path: &str, errors: &mut Vec<FieldError>) {
    if text(source, name).is_empty() {
        required(errors, format!("{path}.{name}"), "");
    }
    if has_mode {
        mode(source, "defaultMode", path, errors);
    }
    for (index, item) in list(source, "items") {
        let at = format!("{path}.items[{index}]");
        if text(item, "key").is_empty() {
            required(errors, format!("{at}.key"), "");
        }
        file(text(item, "path"), &format!("{at}.path"), errors);
        mode(item, "mode", &at, errors);
    }
}

/// The path of a file within a volume.
fn file(name: &str, path: &str, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        return required(errors, path, "");
    }
    let before = errors.len();
    descending(name, path, errors);
    if errors.len() == before && name.starts_with("..") {
        invalid(errors, path, &json!(name), "must not start with '..'");
    }
}

/// The pod's own fields as files.
pub fn downward(source: &Value, path: &str, errors: &mut Vec<FieldError>) {
    mode(source, "defaultMode", path, errors);
    // The API server names these without the place in the list.
    for (_, item) in list(source, "items") {
        file(text(item, "path"), &format!("{path}.path"), errors);
        match (some(item, "fieldRef"), some(item, "resourceFieldRef")) {
            (Some(field), resource) => {
                field_ref(field, &FIELDS, true, &format!("{path}.fieldRef"), errors);
                if resource.is_some() {
                    let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                    invalid(errors, path, &json!("resource"), detail);
                }
            }
            (None, Some(resource)) => {
                let at = format!("{path}.resourceFieldRef");
                if text(resource, "containerName").is_empty() {
                    required(errors, format!("{at}.containerName"), "");
                } else {
                    resource_ref(resource, &at, errors);
                }
            }
            (None, None) => required(errors, path, "one of fieldRef and resourceFieldRef is required"),
        }
        mode(item, "mode", path, errors);
    }
}

/// Several sources in one folder.
pub fn projected(volume: &Value, account: &str, path: &str, errors: &mut Vec<FieldError>) {
    mode(volume, "defaultMode", path, errors);
    let mut taken = HashSet::new();
    for (index, source) in list(volume, "sources") {
        let at = format!("{path}.sources[{index}]");
        let given: Vec<_> = SOURCES.iter().filter_map(|kind| Some((*kind, some(source, kind)?))).collect();
        if given.len() > 1 {
            forbidden(errors, &at, "may not specify more than 1 volume type per source");
        }
        let Some((kind, first)) = given.first() else { continue };
        let at = format!("{at}.{kind}");
        let mut paths: Vec<&str> = list(first, "items").map(|(_, item)| text(item, "path")).collect();
        match *kind {
            "secret" | "configMap" => named(first, "name", false, &at, errors),
            "downwardAPI" => downward(first, &at, errors),
            "serviceAccountToken" => {
                token(first, account, &at, errors);
                let token = text(first, "path");
                paths.push(token);
                file(token, &format!("{path}.path"), errors);
            }
            _ => {}
        }
        for file in paths {
            if !file.is_empty() && !taken.insert(file) {
                invalid(errors, path, &json!(text(first, "name")), "conflicting duplicate paths");
            }
        }
    }
}

fn token(source: &Value, account: &str, path: &str, errors: &mut Vec<FieldError>) {
    let seconds = number(source, "expirationSeconds").unwrap_or(3600);
    let at = format!("{path}.expirationSeconds");
    if seconds < SHORTEST_TOKEN {
        invalid(errors, at, &json!(seconds), "may not specify a duration less than 10 minutes");
    } else if seconds > LONGEST_TOKEN {
        invalid(errors, at, &json!(seconds), "may not specify a duration larger than 2^32 seconds");
    }
    if account.is_empty() {
        forbidden(errors, path, "must not be specified when serviceAccountName is not set");
    }
}
