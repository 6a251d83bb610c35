//! Containers: names, images, ports, and how they start again.

use super::super::check::{
    duplicate, forbidden, invalid, label_name, list, one_of, port_name, required, some, text, unsupported,
};
use super::mounts::{self, Volumes};
use super::{env, handlers, is_sidecar, resources, security};
use crate::api::schema::FieldError;
use serde_json::{Value, json};
use std::collections::HashSet;

const RESTART_POLICIES: [&str; 3] = ["Always", "Never", "OnFailure"];

/// The rules of a pod's containers and init containers.
pub fn check(spec: &Value, volumes: &Volumes<'_>, path: &str, errors: &mut Vec<FieldError>) {
    if list(spec, "containers").next().is_none() {
        required(errors, format!("{path}.containers"), "");
    }
    let mut names = HashSet::new();
    let mut host_ports = HashSet::new();
    for (index, entry) in list(spec, "containers") {
        let at = format!("{path}.containers[{index}]");
        container(spec, entry, volumes, &at, errors);
        handlers::of_container(spec, entry, &at, errors);
        unique(entry, &mut names, &at, errors);
        for (number, port) in list(entry, "ports") {
            let Some(host) = port.get("hostPort").and_then(Value::as_i64).filter(|port| *port != 0) else { continue };
            let taken = format!("{}/{}/{host}", text(port, "protocol"), text(port, "hostIP"));
            if !host_ports.insert(taken.clone()) {
                duplicate(errors, format!("{at}.ports[{number}].hostPort"), &taken);
            }
        }
    }
    for (index, entry) in list(spec, "initContainers") {
        let at = format!("{path}.initContainers[{index}]");
        container(spec, entry, volumes, &at, errors);
        if is_sidecar(entry) {
            handlers::of_container(spec, entry, &at, errors);
        } else {
            for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if some(entry, field).is_some() {
                    let detail = "may not be set for init containers without restartPolicy=Always";
                    forbidden(errors, format!("{at}.{field}"), detail);
                }
            }
        }
        unique(entry, &mut names, &at, errors);
    }
}

fn unique<'a>(container: &'a Value, names: &mut HashSet<&'a str>, path: &str, errors: &mut Vec<FieldError>) {
    let name = text(container, "name");
    if !name.is_empty() && !names.insert(name) {
        duplicate(errors, format!("{path}.name"), name);
    }
}

fn container(spec: &Value, container: &Value, volumes: &Volumes<'_>, path: &str, errors: &mut Vec<FieldError>) {
    label_name(text(container, "name"), &format!("{path}.name"), errors);
    let image = text(container, "image");
    if image.is_empty() {
        required(errors, format!("{path}.image"), "");
    } else if image.trim() != image {
        let detail = "must not have leading or trailing whitespace";
        invalid(errors, format!("{path}.image"), &json!(image), detail);
    }
    one_of(container, "imagePullPolicy", &["Always", "IfNotPresent", "Never"], path, errors);
    one_of(container, "terminationMessagePolicy", &["File", "FallbackToLogsOnError"], path, errors);
    ports(container, path, errors);
    env::check(container, volumes, path, errors);
    mounts::check(container, volumes, path, errors);
    resources::of_container(spec, container, path, errors);
    restarts(container, path, errors);
    resizes(spec, container, path, errors);
    security::of_container(spec, container, path, errors);
}

fn ports(container: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut names = HashSet::new();
    for (index, port) in list(container, "ports") {
        let at = format!("{path}.ports[{index}]");
        let name = text(port, "name");
        if !name.is_empty() {
            let before = errors.len();
            port_name(name, &format!("{at}.name"), errors);
            if errors.len() == before && !names.insert(name) {
                duplicate(errors, format!("{at}.name"), name);
            }
        }
        let out_of_range = |number: i64| !(1..=65535).contains(&number);
        const RANGE: &str = "must be between 1 and 65535, inclusive";
        match port.get("containerPort").and_then(Value::as_i64).unwrap_or(0) {
            0 => required(errors, format!("{at}.containerPort"), ""),
            number if out_of_range(number) => invalid(errors, format!("{at}.containerPort"), &json!(number), RANGE),
            _ => {}
        }
        match port.get("hostPort").and_then(Value::as_i64).unwrap_or(0) {
            0 => {}
            number if out_of_range(number) => invalid(errors, format!("{at}.hostPort"), &json!(number), RANGE),
            _ => {}
        }
        one_of(port, "protocol", &["SCTP", "TCP", "UDP"], &at, errors);
    }
}

/// A container may have a restart policy of its own, and rules for some exit codes.
fn restarts(container: &Value, path: &str, errors: &mut Vec<FieldError>) {
    one_of(container, "restartPolicy", &RESTART_POLICIES, path, errors);
    if list(container, "restartPolicyRules").next().is_some() && text(container, "restartPolicy").is_empty() {
        let detail = "must specify restartPolicy when restart rules are used";
        required(errors, format!("{path}.restartPolicy"), detail);
    }
    for (index, rule) in list(container, "restartPolicyRules") {
        let at = format!("{path}.restartPolicyRules[{index}]");
        let supported = ["Restart", "RestartAllContainers"];
        if !supported.contains(&text(rule, "action")) {
            unsupported(errors, format!("{at}.action"), text(rule, "action"), &supported);
        }
        match some(rule, "exitCodes") {
            None => required(errors, format!("{at}.exitCodes"), "must be specified"),
            Some(codes) if !["In", "NotIn"].contains(&text(codes, "operator")) => {
                unsupported(errors, format!("{at}.exitCodes.operator"), text(codes, "operator"), &["In", "NotIn"]);
            }
            Some(_) => {}
        }
    }
}

fn resizes(spec: &Value, container: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut resources = HashSet::new();
    let at = format!("{path}.resizePolicy");
    for (index, policy) in list(container, "resizePolicy") {
        let (resource, restart) = (text(policy, "resourceName"), text(policy, "restartPolicy"));
        if !["cpu", "memory"].contains(&resource) {
            unsupported(errors, &at, resource, &["cpu", "memory"]);
        }
        if !resources.insert(resource) {
            duplicate(errors, format!("{at}[{index}]"), resource);
        }
        match restart {
            "NotRequired" => {}
            "RestartContainer" if text(spec, "restartPolicy") == "Never" => {
                let detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
                invalid(errors, &at, &json!(restart), detail);
            }
            "RestartContainer" => {}
            "" => required(errors, &at, ""),
            other => unsupported(errors, &at, other, &["NotRequired", "RestartContainer"]),
        }
    }
}
