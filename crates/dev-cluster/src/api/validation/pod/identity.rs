//! Who a pod is: its account, its operating system, and the annotations that mean something.

use super::super::check::{forbidden, invalid, list, required, some, subdomain, text, unsupported};
use crate::api::schema::FieldError;
use serde_json::{Value, json};

const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP: &str = "container.seccomp.security.alpha.kubernetes.io/";
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What a pod of Windows has no use for: of the pod, of its security context, of a container's.
const NOT_ON_WINDOWS: [&str; 4] = ["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"];
const NOT_ON_WINDOWS_POD: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
];
const NOT_ON_WINDOWS_CONTAINER: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

/// The names of a pod's node and account.
pub fn names(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for field in ["nodeName", "serviceAccountName"] {
        if !text(spec, field).is_empty() {
            subdomain(text(spec, field), &format!("{path}.{field}"), errors);
        }
    }
}

/// The operating system, and what goes with it.
pub fn os(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(os) = some(spec, "os") else { return };
    let lists = ["containers", "initContainers"];
    let all = lists.iter().flat_map(|name| list(spec, name).map(move |(i, c)| (format!("{path}.{name}[{i}]"), c)));
    match text(os, "name") {
        "" => required(errors, format!("{path}.os.name"), ""),
        "linux" => {
            let whole = std::iter::once((path.to_owned(), spec));
            for (at, holder) in whole.chain(all) {
                if holder.pointer("/securityContext/windowsOptions").is_some_and(|options| !options.is_null()) {
                    let detail = "windows options cannot be set for a linux pod";
                    forbidden(errors, format!("{at}.securityContext.windowsOptions"), detail);
                }
            }
        }
        "windows" => {
            // What a node shares is a plain bool: false is absent there.
            let is_set = |field: &str, value: &Value| {
                !(field.starts_with("host") && field != "hostUsers") || *value != json!(false)
            };
            let mut refuse = |holder: Option<&Value>, fields: &[&str], at: &str| {
                let set = |field: &&&str| {
                    holder.and_then(|holder| some(holder, field)).is_some_and(|value| is_set(field, value))
                };
                for field in fields.iter().filter(set) {
                    forbidden(errors, format!("{at}.{field}"), "cannot be set for a windows pod");
                }
            };
            refuse(Some(spec), &NOT_ON_WINDOWS, path);
            refuse(spec.get("securityContext"), &NOT_ON_WINDOWS_POD, &format!("{path}.securityContext"));
            for (at, container) in all {
                let at = format!("{at}.securityContext");
                refuse(container.get("securityContext"), &NOT_ON_WINDOWS_CONTAINER, &at);
            }
        }
        other => unsupported(errors, format!("{path}.os"), other, &["linux", "windows"]),
    }
}

/// The annotations by which pods were confined before there were fields for it.
pub fn annotations(meta: &Value, spec: &Value, path: &str, spec_path: &str, errors: &mut Vec<FieldError>) {
    let at = |key: &str| format!("{path}.annotations[{key}]");
    let local = |profile: &str| profile.strip_prefix("localhost/").is_some();
    for (key, value) in meta.get("annotations").and_then(Value::as_object).into_iter().flatten() {
        let profile = value.as_str().unwrap_or_default();
        if let Some(name) = key.strip_prefix(APPARMOR) {
            if !matches!(profile, "" | "runtime/default" | "unconfined") && !local(profile) {
                let detail = format!("invalid AppArmor profile name: {profile:?}");
                invalid(errors, at(key), value, detail);
            }
            let lists = ["containers", "initContainers", "ephemeralContainers"];
            let mut all =
                lists.iter().flat_map(|field| list(spec, field).map(move |(index, one)| (*field, index, one)));
            match all.find(|(_, _, container)| text(container, "name") == name) {
                None => invalid(errors, at(key), &json!(name), "container not found"),
                Some((field, index, container)) => {
                    let place = format!("{spec_path}.{field}[{index}].securityContext.appArmorProfile.type");
                    app_armor_agrees(container, profile, &place, errors);
                }
            }
        } else if key == SECCOMP_OF_POD || key.starts_with(SECCOMP) {
            if !matches!(profile, "runtime/default" | "docker/default" | "unconfined") && !local(profile) {
                let at = format!("{path}.annotations.{key}");
                invalid(errors, at, value, "must be a valid seccomp profile");
            }
            seccomp_agrees(spec, key, profile, spec_path, errors);
        } else if key == MIRROR && text(spec, "nodeName").is_empty() {
            let detail = "must set spec.nodeName if mirror pod annotation is set";
            invalid(errors, at(key), value, detail);
        }
    }
}

/// `validateSeccompAnnotationsAndFields`: an annotation and the field beside it name the same profile.
fn seccomp_agrees(spec: &Value, key: &str, profile: &str, path: &str, errors: &mut Vec<FieldError>) {
    let (holder, path) = match key.strip_prefix(SECCOMP) {
        None => (spec, path.to_owned()),
        Some(name) => {
            let lists = ["initContainers", "containers", "ephemeralContainers"];
            let mut all = lists.iter().flat_map(|field| list(spec, field).map(move |(at, one)| (*field, at, one)));
            let found = all.find(|(_, _, container)| text(container, "name") == name);
            let Some((field, index, container)) = found else { return };
            (container, format!("{path}.{field}[{index}]"))
        }
    };
    let Some(field) = holder.pointer("/securityContext/seccompProfile") else { return };
    let same_type = match text(field, "type") {
        "Unconfined" => profile == "unconfined",
        "RuntimeDefault" => matches!(profile, "runtime/default" | "docker/default"),
        "Localhost" => profile.starts_with("localhost/"),
        _ => true,
    };
    let path = format!("{path}.securityContext.seccompProfile");
    if !same_type {
        forbidden(errors, format!("{path}.type"), "seccomp type in annotation and field must match");
    } else if text(field, "type") == "Localhost"
        && profile.strip_prefix("localhost/") != Some(text(field, "localhostProfile"))
    {
        forbidden(errors, format!("{path}.localhostProfile"), "seccomp profile in annotation and field must match");
    }
}

fn app_armor_agrees(container: &Value, profile: &str, path: &str, errors: &mut Vec<FieldError>) {
    let Some(field) = container.pointer("/securityContext/appArmorProfile") else { return };
    let annotated = match profile {
        "unconfined" => "Unconfined",
        "" | "runtime/default" => "RuntimeDefault",
        _ => "Localhost",
    };
    if text(field, "type") != annotated {
        forbidden(errors, path, "apparmor type in annotation and field must match");
    }
}
