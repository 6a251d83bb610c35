//! Names and addresses that a pod has and finds others by.

use super::super::check::{forbidden, invalid, is_true, label, list, one_of, required, some, subdomain, text};
use crate::api::schema::FieldError;
use regex::Regex;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::LazyLock;

const ADDRESS_RULE: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const SEARCH_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
const MOST_SERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;

#[allow(clippy::expect_used, reason = "the pattern is a constant")]
static SEARCH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$").expect("a constant pattern")
});

/// The rules of a pod's names, its host file and its resolver.
pub fn check(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for field in ["hostname", "subdomain"] {
        let (name, at) = (text(spec, field), format!("{path}.{field}"));
        if name.contains('.') {
            invalid(errors, at, &json!(name), "must not contain dots");
        } else if !name.is_empty() {
            label(name, &at, errors);
        }
    }
    if let Some(name) = some(spec, "hostnameOverride").and_then(Value::as_str) {
        let at = format!("{path}.hostnameOverride");
        subdomain(name, &at, errors);
        for field in ["hostNetwork", "setHostnameAsFQDN"] {
            if is_true(spec, field) {
                forbidden(errors, &at, format!("may not be specified when {field} is true"));
            }
        }
    }
    for (index, alias) in list(spec, "hostAliases") {
        let at = format!("{path}.hostAliases[{index}]");
        address(text(alias, "ip"), &format!("{at}.ip"), errors);
        for (index, name) in list(alias, "hostnames") {
            subdomain(name.as_str().unwrap_or_default(), &format!("{at}.hostnames[{index}]"), errors);
        }
    }
    one_of(spec, "dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], path, errors);
    resolver(spec, &format!("{path}.dnsConfig"), errors);
}

fn resolver(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let config = some(spec, "dnsConfig");
    let alone = text(spec, "dnsPolicy") == "None";
    let Some(config) = config else {
        if alone {
            required(errors, path, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        return;
    };
    let servers = list(config, "nameservers").count();
    if alone && servers == 0 {
        let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        required(errors, format!("{path}.nameservers"), detail);
    }
    if servers > MOST_SERVERS {
        let detail = format!("must not have more than {MOST_SERVERS} nameservers");
        invalid(errors, format!("{path}.nameservers"), &config["nameservers"], detail);
    }
    for (index, server) in list(config, "nameservers") {
        address(server.as_str().unwrap_or_default(), &format!("{path}.nameservers[{index}]"), errors);
    }
    if list(config, "searches").count() > MOST_SEARCHES {
        let detail = format!("must not have more than {MOST_SEARCHES} search paths");
        invalid(errors, format!("{path}.searches"), &config["searches"], detail);
    }
    for (index, search) in list(config, "searches") {
        let name = search.as_str().unwrap_or_default();
        let plain = name.strip_suffix('.').unwrap_or(name);
        if name != "." && !SEARCH.is_match(plain) {
            invalid(errors, format!("{path}.searches[{index}]"), &json!(plain), SEARCH_RULE);
        }
    }
    for (index, option) in list(config, "options") {
        if text(option, "name").is_empty() {
            required(errors, format!("{path}.options[{index}]"), "must not be empty");
        }
    }
}

fn address(text: &str, path: &str, errors: &mut Vec<FieldError>) {
    if text.parse::<IpAddr>().is_err() {
        invalid(errors, path, &json!(text), ADDRESS_RULE);
    }
}

/// A pod in the network of its node has its ports there.
pub fn host_ports_match(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if !is_true(spec, "hostNetwork") {
        return;
    }
    for name in ["containers", "initContainers"] {
        for (index, container) in list(spec, name) {
            for (number, port) in list(container, "ports") {
                if port.get("hostPort") != port.get("containerPort") {
                    let at = format!("{path}.{name}[{index}].ports[{number}].hostPort");
                    let given = port.get("hostPort").cloned().unwrap_or(json!(0));
                    invalid(errors, at, &given, "must match `containerPort` when `hostNetwork` is true");
                }
            }
        }
    }
}
