//! Volumes: one source each, and what that needs.

use super::super::check::{duplicate, forbidden, invalid, label_name, list, one_of, required, some, text};
use super::super::claims;
use super::super::metadata::{self, SUBDOMAIN_RULE, is_subdomain};
use super::mounts::Volumes;
use super::projections;
use crate::api::schema::FieldError;
use cluster_resources::Quantity;
use serde_json::{Value, json};

/// The sources in the order in which the API server looks for them: a second one is refused.
const SOURCES: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "flocker",
    "downwardAPI",
    "fc",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "quobyte",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
    "flexVolume",
];
const HOST_PATH_TYPES: [&str; 8] =
    ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// The rules of a pod's volumes, and the volumes by name.
pub fn check<'a>(spec: &'a Value, path: &str, errors: &mut Vec<FieldError>) -> Volumes<'a> {
    let mut volumes = Volumes::new();
    let account = text(spec, "serviceAccountName");
    for (index, volume) in list(spec, "volumes") {
        let at = format!("{path}.volumes[{index}]");
        let name = text(volume, "name");
        label_name(name, &format!("{at}.name"), errors);
        if !name.is_empty() && volumes.insert(name, volume).is_some() {
            duplicate(errors, format!("{at}.name"), name);
        }
        let mut given = SOURCES.iter().filter_map(|kind| Some((*kind, some(volume, kind)?)));
        match given.next() {
            None => required(errors, &at, "must specify a volume type"),
            Some((kind, first)) => source(kind, first, account, &format!("{at}.{kind}"), errors),
        }
        for (kind, _) in given {
            forbidden(errors, format!("{at}.{kind}"), "may not specify more than 1 volume type");
        }
    }
    volumes
}

fn source(kind: &str, source: &Value, account: &str, path: &str, errors: &mut Vec<FieldError>) {
    let mut needed = |field: &str| {
        let is_there = !text(source, field).is_empty();
        if !is_there {
            required(errors, format!("{path}.{field}"), "");
        }
        is_there
    };
    match kind {
        "emptyDir" if source.get("sizeLimit").and_then(Quantity::of_json).is_some_and(|size| size.is_negative()) => {
            let detail = "SizeLimit field must be a valid resource quantity";
            forbidden(errors, format!("{path}.sizeLimit"), detail);
        }
        "hostPath" => {
            if needed("path") && text(source, "path").split('/').any(|part| part == "..") {
                invalid(errors, format!("{path}.path"), &source["path"], "must not contain '..'");
            }
            one_of(source, "type", &HOST_PATH_TYPES, path, errors);
        }
        "nfs" => {
            needed("server");
            if needed("path") && !text(source, "path").starts_with('/') {
                invalid(errors, format!("{path}.path"), &source["path"], "must be an absolute path");
            }
        }
        "persistentVolumeClaim" => {
            needed("claimName");
        }
        "csi" => {
            let is_named = needed("driver");
            let driver = text(source, "driver");
            if is_named && !is_subdomain(&driver.to_lowercase()) {
                invalid(errors, format!("{path}.driver"), &json!(driver), SUBDOMAIN_RULE);
            }
        }
        "image" => {
            needed("reference");
            one_of(source, "pullPolicy", &["Always", "IfNotPresent", "Never"], path, errors);
        }
        "gitRepo" => {
            needed("repository");
        }
        "secret" => projections::named(source, "secretName", true, path, errors),
        "configMap" => projections::named(source, "name", true, path, errors),
        "downwardAPI" => projections::downward(source, path, errors),
        "projected" => projections::projected(source, account, path, errors),
        "ephemeral" => ephemeral(source, path, errors),
        _ => {}
    }
}

/// A claim that lives as long as the pod.
fn ephemeral(source: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let at = format!("{path}.volumeClaimTemplate");
    let Some(template) = some(source, "volumeClaimTemplate") else { return required(errors, at, "") };
    let meta = template.get("metadata").unwrap_or(&Value::Null);
    metadata::labels(meta.get("labels"), &format!("{at}.metadata.labels"), errors);
    metadata::annotations(meta.get("annotations"), &format!("{at}.metadata.annotations"), errors);
    for (field, value) in meta.as_object().into_iter().flatten() {
        if !matches!(field.as_str(), "labels" | "annotations" | "creationTimestamp") && !value.is_null() {
            forbidden(errors, format!("{at}.metadata.{field}"), "cannot be set");
        }
    }
    claims::spec(template.get("spec").unwrap_or(&Value::Null), &format!("{at}.spec"), errors);
}

/// The permissions of a file.
pub fn mode(source: &Value, field: &str, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(mode) = source.get(field).and_then(Value::as_i64).filter(|mode| !(0..=0o777).contains(mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        invalid(errors, format!("{path}.{field}"), &json!(mode), detail);
    }
}
