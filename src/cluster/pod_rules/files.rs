//! Sources of files and variables in a container: keys of ConfigMaps and Secrets, fields of the pod, its resources.

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ObjectFieldSelector, PodSpec, ResourceFieldSelector,
};

use super::names::{CONFIG_KEY, QUALIFIED, RELATIVE_PATH};
use super::report::{At, Report, quoted};
use crate::quantity::Quantity;

/// Where a field of the pod is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    ByVariable,
    ByFile,
}

const OF_VARIABLES: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const OF_FILES: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

pub(super) fn mode(mode: Option<i32>, at: &At<'_>, report: &mut Report) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        report.say(at, format!("was {mode}; it must be between 0 and 511, which is 0777 in octal"));
    }
}

pub(super) fn keys(items: Option<&[KeyToPath]>, at: &At<'_>, report: &mut Report) {
    for (index, item) in items.unwrap_or_default().iter().enumerate() {
        let at = at.item(index);
        report.required(&at.field("key"), Some(&item.key), &CONFIG_KEY);
        report.required(&at.field("path"), Some(&item.path), &RELATIVE_PATH);
        mode(item.mode, &at.field("mode"), report);
    }
}

pub(super) fn of_pod(items: Option<&[DownwardAPIVolumeFile]>, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    for (index, item) in items.unwrap_or_default().iter().enumerate() {
        let at = at.item(index);
        report.required(&at.field("path"), Some(&item.path), &RELATIVE_PATH);
        mode(item.mode, &at.field("mode"), report);
        match (&item.field_ref, &item.resource_field_ref) {
            (Some(selected), None) => field(selected, Asked::ByFile, &at.field("fieldRef"), report),
            (None, Some(selected)) => resource(selected, Asked::ByFile, pod, &at.field("resourceFieldRef"), report),
            _ => report.say(&at, "must have exactly one of fieldRef and resourceFieldRef"),
        }
    }
}

pub(super) fn field(selected: &ObjectFieldSelector, asked: Asked, at: &At<'_>, report: &mut Report) {
    if let Some(version) = selected.api_version.as_deref().filter(|version| !["", "v1"].contains(version)) {
        report.say(&at.field("apiVersion"), format!("was {}; it must be \"v1\"", quoted(version)));
    }
    let (path, at) = (selected.field_path.as_str(), at.field("fieldPath"));
    let allowed: &[&str] = if asked == Asked::ByVariable { &OF_VARIABLES } else { &OF_FILES };
    let key = ["metadata.labels['", "metadata.annotations['"].iter().find_map(|start| path.strip_prefix(start));
    match key.and_then(|rest| rest.strip_suffix("']")) {
        Some(key) => {
            if !(QUALIFIED.fits)(key) {
                report.say(&at, format!("has the key {}; it must be {}", quoted(key), QUALIFIED.allowed));
            }
        }
        None if allowed.contains(&path) => {}
        None => {
            let more = "metadata.labels['KEY'] or metadata.annotations['KEY']";
            report.say(&at, format!("was {}; it must be {}, {more}", quoted(path), allowed.join(", ")));
        }
    }
}

pub(super) fn resource(
    selected: &ResourceFieldSelector,
    asked: Asked,
    pod: &PodSpec,
    at: &At<'_>,
    report: &mut Report,
) {
    let named = selected.container_name.as_deref().filter(|name| !name.is_empty());
    let mut containers = pod.containers.iter().chain(pod.init_containers.iter().flatten());
    match named {
        None if asked == Asked::ByFile => report.missing(&at.field("containerName")),
        // The API server does not check it; the kubelet then cannot start the pod.
        Some(name) if !containers.any(|container| container.name == name) => {
            let why = format!("was {}, which is not a container of the pod", quoted(name));
            report.say(&at.field("containerName"), why);
        }
        _ => {}
    }
    let kind = selected.resource.strip_prefix("limits.").or_else(|| selected.resource.strip_prefix("requests."));
    let divisors: &[&str] = match kind {
        Some("cpu") => &["1m", "1"],
        Some("memory" | "ephemeral-storage") => {
            &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"]
        }
        Some(pages) if pages.starts_with("hugepages-") => {
            &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"]
        }
        Some(_) | None => {
            let allowed = "limits. or requests. followed by cpu, memory, ephemeral-storage or hugepages- and a size";
            report.say(&at.field("resource"), format!("was {}; it must be {allowed}", quoted(&selected.resource)));
            return;
        }
    };
    let Some(divisor) = &selected.divisor else { return };
    let value = Quantity::try_from(divisor).ok();
    let is_allowed = value.is_some_and(|value| value.is_zero() || divisors.contains(&value.canonical().as_str()));
    if !is_allowed {
        let why = format!("was {}; it must be one of {}", quoted(&divisor.0), divisors.join(", "));
        report.say(&at.field("divisor"), why);
    }
}
