//! Environment variables, arguments, and the limits that Linux has for them.

use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource, PodSpec};

use super::files::{self, Asked};
use super::names::{CONFIG_KEY, SUBDOMAIN, VARIABLE};
use super::report::{At, Report};

/// Maximum length of one argument or one `NAME=value`, in bytes: `MAX_ARG_STRLEN` of Linux (32 pages) with its closing
/// NUL. No container starts with a longer one.
const MAX_ARGUMENT: usize = 131_071;

pub(super) fn check(container: &Container, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    for (name, list) in [("command", &container.command), ("args", &container.args)] {
        let at = at.field(name);
        for (index, argument) in list.iter().flatten().enumerate() {
            start(argument.len(), argument, &at.item(index), report);
        }
    }
    let variables = at.field("env");
    for (index, variable) in container.env.iter().flatten().enumerate() {
        if report.is_full() {
            return;
        }
        self::variable(variable, pod, &variables.item(index), report);
    }
    let sources = at.field("envFrom");
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        let at = sources.item(index);
        if let Some(prefix) = source.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            report.form(&at.field("prefix"), prefix, &VARIABLE);
        }
        match (&source.config_map_ref, &source.secret_ref) {
            (Some(map), None) => report.required(&at.field("configMapRef").field("name"), Some(&map.name), &SUBDOMAIN),
            (None, Some(map)) => report.required(&at.field("secretRef").field("name"), Some(&map.name), &SUBDOMAIN),
            _ => report.say(&at, "must have exactly one of configMapRef and secretRef"),
        }
    }
}

/// Values that a program cannot be started with.
fn start(length: usize, text: &str, at: &At<'_>, report: &mut Report) {
    if text.contains('\0') {
        report.say(at, "contains the character U+0000 (NUL), which no argument or variable may contain");
    }
    if length > MAX_ARGUMENT {
        report
            .say(at, format!("has {length} bytes; the limit of Linux for one argument or variable is {MAX_ARGUMENT}"));
    }
}

fn variable(variable: &EnvVar, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    report.required(&at.field("name"), Some(&variable.name), &VARIABLE);
    let value = variable.value.as_deref().unwrap_or_default();
    start(variable.name.len().saturating_add(1).saturating_add(value.len()), value, &at.field("value"), report);
    if let Some(from) = &variable.value_from {
        let at = at.field("valueFrom");
        if !value.is_empty() {
            report.say(&at, "is not allowed together with a value");
        }
        source(from, pod, &at, report);
    }
}

fn source(from: &EnvVarSource, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let count = usize::from(from.config_map_key_ref.is_some())
        + usize::from(from.field_ref.is_some())
        + usize::from(from.file_key_ref.is_some())
        + usize::from(from.resource_field_ref.is_some())
        + usize::from(from.secret_key_ref.is_some());
    if count != 1 {
        let why = format!(
            "has {count} sources; it must have exactly one of fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef"
        );
        report.say(at, why);
    }
    if let Some(field) = &from.field_ref {
        files::field(field, Asked::ByVariable, &at.field("fieldRef"), report);
    }
    if let Some(resource) = &from.resource_field_ref {
        files::resource(resource, Asked::ByVariable, pod, &at.field("resourceFieldRef"), report);
    }
    let map = from.config_map_key_ref.as_ref().map(|map| ("configMapKeyRef", &map.name, &map.key));
    let secret = from.secret_key_ref.as_ref().map(|secret| ("secretKeyRef", &secret.name, &secret.key));
    for (kind, name, key) in map.into_iter().chain(secret) {
        let at = at.field(kind);
        report.required(&at.field("name"), Some(name), &SUBDOMAIN);
        report.required(&at.field("key"), Some(key), &CONFIG_KEY);
    }
    if from.file_key_ref.is_some() {
        // Only clusters with a feature gate have it.
        report.say(&at.field("fileKeyRef"), "is not supported");
    }
}
