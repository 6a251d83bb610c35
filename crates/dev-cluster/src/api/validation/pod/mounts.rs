//! What of a pod's volumes a container sees, and where.

use super::super::check::{descending, forbidden, invalid, is_true, list, required, some, text, unsupported};
use super::is_privileged;
use crate::api::schema::{FieldError, Reason};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// The volumes of a pod by their names.
pub type Volumes<'a> = HashMap<&'a str, &'a Value>;

/// The rules of a container's mounts and devices.
pub fn check(container: &Value, volumes: &Volumes<'_>, path: &str, errors: &mut Vec<FieldError>) {
    let names = |field, part| list(container, field).map(move |(_, entry)| text(entry, part)).collect::<HashSet<_>>();
    let (devices, device_paths) = (names("volumeDevices", "name"), names("volumeDevices", "devicePath"));
    let (mounts, mount_paths) = (names("volumeMounts", "name"), names("volumeMounts", "mountPath"));
    let mut seen = HashSet::new();
    for (index, mount) in list(container, "volumeMounts") {
        let at = format!("{path}.volumeMounts[{index}]");
        let (name, place) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            required(errors, format!("{at}.name"), "");
        }
        if !volumes.contains_key(name) {
            errors.push(FieldError::showing(format!("{at}.name"), Reason::NotFound, &json!(name), ""));
        }
        if place.is_empty() {
            required(errors, format!("{at}.mountPath"), "");
        }
        if !seen.insert(place) {
            invalid(errors, format!("{at}.mountPath"), &json!(place), "must be unique");
        }
        if devices.contains(name) {
            invalid(errors, format!("{at}.name"), &json!(name), "must not already exist in volumeDevices");
        }
        if device_paths.contains(place) {
            let detail = "must not already exist as a path in volumeDevices";
            invalid(errors, format!("{at}.mountPath"), &json!(place), detail);
        }
        // The API server names these without the place in the list.
        how(container, mount, &at, &format!("{path}.volumeMounts"), errors);
    }
    let (mut names, mut places) = (HashSet::new(), HashSet::new());
    for (index, device) in list(container, "volumeDevices") {
        let at = format!("{path}.volumeDevices[{index}]");
        let (name, place) = (text(device, "name"), text(device, "devicePath"));
        if name.is_empty() {
            required(errors, format!("{at}.name"), "");
        }
        if !names.insert(name) {
            invalid(errors, format!("{at}.name"), &json!(name), "must be unique");
        }
        match volumes.get(name) {
            None => errors.push(FieldError::showing(format!("{at}.name"), Reason::NotFound, &json!(name), "")),
            Some(volume) if some(volume, "persistentVolumeClaim").is_none() && some(volume, "ephemeral").is_none() => {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                invalid(errors, format!("{at}.name"), &json!(name), detail);
            }
            Some(_) => {}
        }
        if place.is_empty() {
            required(errors, format!("{at}.devicePath"), "");
        } else if place.split('/').any(|part| part == "..") {
            invalid(errors, format!("{at}.devicePath"), &json!(place), "can not contain backsteps ('..')");
        } else if !places.insert(place) {
            invalid(errors, format!("{at}.devicePath"), &json!(place), "must be unique");
        }
        if mounts.contains(name) {
            invalid(errors, format!("{at}.name"), &json!(name), "must not already exist in volumeMounts");
        }
        if mount_paths.contains(place) && !place.is_empty() {
            let detail = "must not already exist as a path in volumeMounts";
            invalid(errors, format!("{at}.devicePath"), &json!(place), detail);
        }
    }
}

fn how(container: &Value, mount: &Value, at: &str, path: &str, errors: &mut Vec<FieldError>) {
    let (part, expression) = (text(mount, "subPath"), text(mount, "subPathExpr"));
    descending(part, &format!("{path}.subPath"), errors);
    if !part.is_empty() && !expression.is_empty() {
        let detail = "subPathExpr and subPath are mutually exclusive";
        invalid(errors, format!("{at}.subPathExpr"), &json!(expression), detail);
    }
    descending(expression, &format!("{path}.subPathExpr"), errors);
    let propagation = text(mount, "mountPropagation");
    let at = format!("{path}.mountPropagation");
    match propagation {
        "Bidirectional" if !is_privileged(container) => {
            let detail = "Bidirectional mount propagation is available only to privileged containers";
            forbidden(errors, at, detail);
        }
        "" | "None" | "HostToContainer" | "Bidirectional" => {}
        other => unsupported(errors, at, other, &["Bidirectional", "HostToContainer", "None"]),
    }
    let at = format!("{path}.recursiveReadOnly");
    match text(mount, "recursiveReadOnly") {
        "" | "Disabled" => {}
        "Enabled" | "IfPossible" => {
            if !is_true(mount, "readOnly") {
                forbidden(errors, &at, "may only be specified when readOnly is true");
            }
            if !matches!(propagation, "" | "None") {
                let detail = "may only be specified when mountPropagation is None or not specified";
                forbidden(errors, at, detail);
            }
        }
        other => unsupported(errors, at, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}
