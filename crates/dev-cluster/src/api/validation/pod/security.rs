//! Security contexts of pods and containers.

use super::super::check::{
    between, descending, duplicate, forbidden, invalid, is_true, list, one_of, required, some, text, unsupported,
};
use super::{has_own_users, is_privileged};
use crate::api::schema::FieldError;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::LazyLock;

const LAST_ID: i64 = i32::MAX as i64;
const PROFILES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
const SYSCTL_RULE: &str = "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

#[allow(clippy::expect_used, reason = "the pattern is a constant")]
static SYSCTL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$").expect("a constant pattern")
});

/// The rules of a container's security context.
pub fn of_container(spec: &Value, container: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(context) = some(container, "securityContext") else { return };
    let path = format!("{path}.securityContext");
    for field in ["runAsUser", "runAsGroup"] {
        between(context, field, 0, LAST_ID, &path, errors);
    }
    let mount = text(context, "procMount");
    match mount {
        "" | "Default" => {}
        "Unmasked" if has_own_users(spec) => {}
        "Unmasked" => {
            let detail = "`hostUsers` must be false to use `Unmasked`";
            invalid(errors, format!("{path}.procMount"), &json!(mount), detail);
        }
        other => unsupported(errors, format!("{path}.procMount"), other, &["Default", "Unmasked"]),
    }
    if context.get("allowPrivilegeEscalation") == Some(&json!(false)) {
        if is_privileged(container) {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            invalid(errors, &path, context, detail);
        }
        let added = context.get("capabilities").into_iter().flat_map(|capabilities| list(capabilities, "add"));
        if added.into_iter().any(|(_, capability)| capability == "CAP_SYS_ADMIN") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            invalid(errors, &path, context, detail);
        }
    }
    profiles(context, &path, errors);
}

/// The rules of a pod's security context, and of what it shares with its node.
pub fn of_pod(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let at = format!("{path}.securityContext");
    if is_true(spec, "hostPID") && is_true(spec, "shareProcessNamespace") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        invalid(errors, format!("{at}.shareProcessNamespace"), &json!(true), detail);
    }
    if has_own_users(spec) {
        for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
            if is_true(spec, field) {
                forbidden(errors, format!("{path}.{shown}"), "when `hostUsers` is false");
            }
        }
    }
    host_process(spec, path, errors);
    let Some(context) = some(spec, "securityContext") else { return };
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        between(context, field, 0, LAST_ID, &at, errors);
    }
    for (index, group) in list(context, "supplementalGroups") {
        if group.as_i64().is_some_and(|group| !(0..=LAST_ID).contains(&group)) {
            let detail = format!("must be between 0 and {LAST_ID}, inclusive");
            invalid(errors, format!("{at}.supplementalGroups[{index}]"), group, detail);
        }
    }
    one_of(context, "supplementalGroupsPolicy", &["Merge", "Strict"], &at, errors);
    one_of(context, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], &at, errors);
    one_of(context, "seLinuxChangePolicy", &["Recursive"], &at, errors);
    sysctls(spec, context, &at, errors);
    profiles(context, &at, errors);
}

fn sysctls(spec: &Value, context: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut names = HashSet::new();
    for (index, sysctl) in list(context, "sysctls") {
        let (name, at) = (text(sysctl, "name"), format!("{path}.sysctls[{index}].name"));
        let plain = name.replace('/', ".");
        if name.is_empty() {
            required(errors, &at, "");
        } else if name.len() > 253 || !SYSCTL.is_match(name) {
            invalid(errors, &at, &json!(name), SYSCTL_RULE);
        } else if !names.insert(plain.clone()) {
            duplicate(errors, &at, name);
        }
        let of_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|prefix| plain.starts_with(prefix))
            || plain == "kernel.sem";
        if plain.starts_with("net.") && is_true(spec, "hostNetwork") {
            invalid(errors, &at, &json!(name), "may not be specified when 'hostNetwork' is true");
        }
        if of_ipc && is_true(spec, "hostIPC") {
            invalid(errors, &at, &json!(name), "may not be specified when 'hostIPC' is true");
        }
    }
}

/// seccomp and AppArmor: a type, and a profile where it is one of the node's own.
fn profiles(context: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (field, word) in [("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")] {
        let Some(profile) = some(context, field) else { continue };
        let at = format!("{path}.{field}");
        let of_type = text(profile, "type");
        let local = profile.get("localhostProfile").and_then(Value::as_str);
        match (of_type, local) {
            ("", _) => required(errors, format!("{at}.type"), &format!("type is required when {field} is set")),
            ("Localhost", None) => {
                let detail = format!("must be set when {word} type is Localhost");
                required(errors, format!("{at}.localhostProfile"), &detail);
            }
            ("Localhost", Some(local)) if field == "seccompProfile" => {
                descending(local, &format!("{at}.localhostProfile"), errors);
            }
            ("Localhost", Some(local)) => {
                let at = format!("{at}.localhostProfile");
                if local.trim() != local {
                    invalid(errors, at, &json!(local), "must not be padded with whitespace");
                } else if local.is_empty() {
                    required(errors, at, "must be set when AppArmor type is Localhost");
                }
            }
            (of_type, local) if PROFILES.contains(&of_type) => {
                let detail = format!("can only be set when {word} type is Localhost");
                if let Some(local) = local {
                    let shown = if word == "seccomp" { profile.clone() } else { json!(local) };
                    invalid(errors, format!("{at}.localhostProfile"), &shown, detail);
                }
            }
            (other, _) => unsupported(errors, format!("{at}.type"), other, &PROFILES),
        }
    }
}

/// Containers of Windows that act as their node: all or none, and in its network.
fn host_process(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let flag = |holder: &Value| holder.pointer("/securityContext/windowsOptions/hostProcess").and_then(Value::as_bool);
    let of_pod = flag(spec);
    let lists = ["containers", "initContainers"];
    let all: Vec<_> = lists.iter().flat_map(|name| list(spec, name).map(move |(i, c)| (*name, i, c))).collect();
    for (name, index, container) in &all {
        if let (Some(whole), Some(own)) = (of_pod, flag(container).filter(|own| Some(*own) != of_pod)) {
            let at = format!("{path}.{name}[{index}].securityContext.windowsOptions.hostProcess");
            let detail = format!("pod hostProcess value must be identical if both are specified, was {whole}");
            invalid(errors, at, &json!(own), detail);
        }
    }
    let acting = all.iter().filter(|(_, _, container)| flag(container).or(of_pod) == Some(true)).count();
    if acting == 0 {
        return;
    }
    if acting != all.len() {
        let detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        invalid(errors, path, &json!(""), detail);
    }
    if !is_true(spec, "hostNetwork") {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        invalid(errors, format!("{path}.hostNetwork"), &json!(false), detail);
    }
}
