//! Probes and lifecycle hooks.

use super::super::check::{forbidden, invalid, list, not_negative, number, one_of, port, required, some, text};
use crate::api::schema::FieldError;
use serde_json::{Value, json};

const PROBE_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const HOOK_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "sleep"];
const HEADER_RULE: &str = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

/// The rules of a container that runs as long as its pod.
pub fn of_container(spec: &Value, container: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let grace = number(spec, "terminationGracePeriodSeconds").unwrap_or(30);
    if let Some(lifecycle) = some(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(handler) = some(lifecycle, hook) {
                one_handler(handler, &HOOK_HANDLERS, grace, &format!("{path}.lifecycle.{hook}"), errors);
            }
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(given) = some(container, name) {
            probe(given, name, grace, &format!("{path}.{name}"), errors);
        }
    }
}

fn probe(probe: &Value, name: &str, grace: i64, path: &str, errors: &mut Vec<FieldError>) {
    one_handler(probe, &PROBE_HANDLERS, grace, path, errors);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        not_negative(probe, field, path, errors);
    }
    if let Some(seconds) = number(probe, "terminationGracePeriodSeconds") {
        let at = format!("{path}.terminationGracePeriodSeconds");
        if seconds <= 0 {
            invalid(errors, &at, &json!(seconds), "must be greater than 0");
        }
        if name == "readinessProbe" {
            invalid(errors, &at, &json!(seconds), "must not be set for readinessProbes");
        }
    }
    if let Some(times) = number(probe, "successThreshold").filter(|times| *times != 1 && name != "readinessProbe") {
        invalid(errors, format!("{path}.successThreshold"), &json!(times), "must be 1");
    }
}

fn one_handler(holder: &Value, kinds: &[&str], grace: i64, path: &str, errors: &mut Vec<FieldError>) {
    let mut given = kinds.iter().filter_map(|kind| Some((*kind, some(holder, kind)?)));
    let Some((kind, first)) = given.next() else {
        let detail = "must specify a handler type";
        return required(errors, path, detail);
    };
    handler(kind, first, grace, &format!("{path}.{kind}"), errors);
    for (kind, _) in given {
        forbidden(errors, format!("{path}.{kind}"), "may not specify more than 1 handler type");
    }
}

fn handler(kind: &str, handler: &Value, grace: i64, path: &str, errors: &mut Vec<FieldError>) {
    match kind {
        "exec" => {
            if list(handler, "command").next().is_none() {
                required(errors, format!("{path}.command"), "");
            }
        }
        "httpGet" => {
            if text(handler, "path").is_empty() {
                required(errors, format!("{path}.path"), "");
            }
            port(handler, "port", path, errors);
            one_of(handler, "scheme", &["HTTP", "HTTPS"], path, errors);
            for (_, header) in list(handler, "httpHeaders") {
                let name = text(header, "name");
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                    invalid(errors, format!("{path}.httpHeaders"), &json!(name), HEADER_RULE);
                }
            }
        }
        "sleep" => {
            let seconds = number(handler, "seconds").unwrap_or(0);
            if !(0..=grace).contains(&seconds) {
                let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
                invalid(errors, path, &json!(seconds), detail);
            }
        }
        _ => port(handler, "port", path, errors),
    }
}
