//! Where a pod may run, and what has to happen before.

use super::super::check::{
    duplicate, forbidden, invalid, label, list, number, one_of, required, some, subdomain, text, unsupported,
};
use super::super::metadata::{self, LABEL_VALUE_RULE, is_label_value, qualified_name};
use crate::api::schema::{FieldError, Reason};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const OPERATOR: &str = "not a valid selector operator";

/// The rules of a pod's place.
pub fn check(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    metadata::labels(spec.get("nodeSelector"), &format!("{path}.nodeSelector"), errors);
    if let Some(affinity) = some(spec, "affinity") {
        node_affinity(affinity, &format!("{path}.affinity.nodeAffinity"), errors);
        for field in ["podAffinity", "podAntiAffinity"] {
            pod_affinity(affinity.get(field).unwrap_or(&Value::Null), &format!("{path}.affinity.{field}"), errors);
        }
    }
    for (index, given) in list(spec, "tolerations") {
        toleration(given, &format!("{path}.tolerations[{index}]"), errors);
    }
    spreads(spec, path, errors);
    let mut gates = HashSet::new();
    for (index, gate) in list(spec, "schedulingGates") {
        let (name, at) = (text(gate, "name"), format!("{path}.schedulingGates[{index}]"));
        qualified_name(name, &at, errors);
        if !gates.insert(name) {
            duplicate(errors, at, name);
        }
    }
    for (index, gate) in list(spec, "readinessGates") {
        qualified_name(text(gate, "conditionType"), &format!("{path}.readinessGates[{index}].conditionType"), errors);
    }
}

fn toleration(given: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let [key, operator, value, effect] = ["key", "operator", "value", "effect"].map(|field| text(given, field));
    if key.is_empty() {
        if operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            invalid(errors, format!("{path}.operator"), &json!(operator), detail);
        }
    } else {
        qualified_name(key, &format!("{path}.key"), errors);
    }
    if number(given, "tolerationSeconds").is_some() && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        invalid(errors, format!("{path}.effect"), &json!(effect), detail);
    }
    let at = format!("{path}.operator");
    match operator {
        "" | "Equal" if !is_label_value(value) => invalid(errors, at, &json!(value), LABEL_VALUE_RULE),
        "" | "Equal" => {}
        "Exists" if !value.is_empty() => {
            invalid(errors, at, &json!(value), "value must be empty when `operator` is 'Exists'");
        }
        "Exists" => {}
        // Known, and switched off.
        "Lt" | "Gt" => unsupported(errors, at, operator, &["Equal", "Exists", "Lt", "Gt"]),
        other => unsupported(errors, at, other, &["Equal", "Exists"]),
    }
    if !effect.is_empty() {
        one_of(given, "effect", &EFFECTS, path, errors);
    }
}

fn node_affinity(affinity: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(affinity) = some(affinity, "nodeAffinity") else { return };
    if let Some(selector) = some(affinity, REQUIRED) {
        let at = format!("{path}.{REQUIRED}.nodeSelectorTerms");
        if list(selector, "nodeSelectorTerms").next().is_none() {
            required(errors, &at, "must have at least one node selector term");
        }
        for (index, term) in list(selector, "nodeSelectorTerms") {
            node_term(term, true, &format!("{at}[{index}]"), errors);
        }
    }
    for (index, term) in list(affinity, PREFERRED) {
        let at = format!("{path}.{PREFERRED}[{index}]");
        weight(term, &at, errors);
        node_term(term.get("preference").unwrap_or(&Value::Null), false, &format!("{at}.preference"), errors);
    }
}

fn weight(term: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let weight = number(term, "weight").unwrap_or(0);
    if !(1..=100).contains(&weight) {
        invalid(errors, format!("{path}.weight"), &json!(weight), "must be in the range 1-100");
    }
}

fn node_term(term: &Value, must: bool, path: &str, errors: &mut Vec<FieldError>) {
    for (index, expression) in list(term, "matchExpressions") {
        let at = format!("{path}.matchExpressions[{index}]");
        let count = list(expression, "values").count();
        match text(expression, "operator") {
            "In" | "NotIn" if count == 0 => {
                required(errors, format!("{at}.values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if count > 0 => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                forbidden(errors, format!("{at}.values"), detail);
            }
            "Gt" | "Lt" if count != 1 => {
                let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                required(errors, format!("{at}.values"), detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => invalid(errors, format!("{at}.operator"), &json!(other), OPERATOR),
        }
        if must {
            values(expression, &at, errors);
        }
        qualified_name(text(expression, "key"), &format!("{at}.key"), errors);
    }
    for (index, field) in list(term, "matchFields") {
        let at = format!("{path}.matchFields[{index}]");
        let key = text(field, "key");
        match text(field, "operator") {
            "In" | "NotIn" if list(field, "values").count() != 1 => {
                let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                required(errors, format!("{at}.values"), detail);
            }
            "In" | "NotIn" => {}
            other => invalid(errors, format!("{at}.operator"), &json!(other), OPERATOR),
        }
        if key != "metadata.name" {
            invalid(errors, format!("{at}.key"), &json!(key), "not a valid field selector key");
            continue;
        }
        for (index, value) in list(field, "values") {
            subdomain(value.as_str().unwrap_or_default(), &format!("{at}.values[{index}]"), errors);
        }
    }
}

fn values(expression: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (index, value) in list(expression, "values") {
        if !is_label_value(value.as_str().unwrap_or_default()) {
            invalid(errors, format!("{path}.values[{index}]"), value, LABEL_VALUE_RULE);
        }
    }
}

/// A selector of objects by their labels.
pub fn label_selector(selector: &Value, path: &str, errors: &mut Vec<FieldError>) {
    metadata::labels(selector.get("matchLabels"), &format!("{path}.matchLabels"), errors);
    for (index, expression) in list(selector, "matchExpressions") {
        let at = format!("{path}.matchExpressions[{index}]");
        let count = list(expression, "values").count();
        match text(expression, "operator") {
            "In" | "NotIn" if count == 0 => {
                required(errors, format!("{at}.values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if count > 0 => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                forbidden(errors, format!("{at}.values"), detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => invalid(errors, format!("{at}.operator"), &json!(other), OPERATOR),
        }
        qualified_name(text(expression, "key"), &format!("{at}.key"), errors);
        values(expression, &at, errors);
    }
}

fn pod_affinity(affinity: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (index, term) in list(affinity, REQUIRED) {
        pod_term(term, &format!("{path}.{REQUIRED}[{index}]"), errors);
    }
    for (index, term) in list(affinity, PREFERRED) {
        let at = format!("{path}.{PREFERRED}[{index}]");
        weight(term, &at, errors);
        pod_term(term.get("podAffinityTerm").unwrap_or(&Value::Null), &format!("{at}.podAffinityTerm"), errors);
    }
}

fn pod_term(term: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for field in ["labelSelector", "namespaceSelector"] {
        if let Some(selector) = some(term, field) {
            label_selector(selector, &format!("{path}.{field}"), errors);
        }
    }
    for (_, namespace) in list(term, "namespaces") {
        label(namespace.as_str().unwrap_or_default(), &format!("{path}.namespace"), errors);
    }
    let topology = text(term, "topologyKey");
    if topology.is_empty() {
        required(errors, format!("{path}.topologyKey"), "can not be empty");
    }
    qualified_name(topology, &format!("{path}.topologyKey"), errors);
    let keys = |field| -> Vec<&str> { list(term, field).filter_map(|(_, key)| key.as_str()).collect() };
    let (matched, mismatched) = (keys("matchLabelKeys"), keys("mismatchLabelKeys"));
    for (index, key) in matched.iter().enumerate() {
        if mismatched.contains(key) {
            let detail = "exists in both matchLabelKeys and mismatchLabelKeys";
            invalid(errors, format!("{path}.matchLabelKeys[{index}]"), &json!(key), detail);
        }
    }
    for (field, keys) in [("matchLabelKeys", matched), ("mismatchLabelKeys", mismatched)] {
        if !keys.is_empty() && some(term, "labelSelector").is_none() {
            forbidden(errors, format!("{path}.{field}"), "must not be specified when labelSelector is not set");
        }
        for (index, key) in keys.iter().enumerate() {
            qualified_name(key, &format!("{path}.{field}[{index}]"), errors);
        }
    }
}

fn spreads(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut seen = HashMap::new();
    for (index, spread) in list(spec, "topologySpreadConstraints") {
        let at = format!("{path}.topologySpreadConstraints[{index}]");
        let skew = number(spread, "maxSkew").unwrap_or(0);
        if skew < 1 {
            invalid(errors, format!("{at}.maxSkew"), &json!(skew), "must be greater than zero");
        }
        let (topology, answer) = (text(spread, "topologyKey"), text(spread, "whenUnsatisfiable"));
        if topology.is_empty() {
            required(errors, format!("{at}.topologyKey"), "can not be empty");
        }
        let answers = ["DoNotSchedule", "ScheduleAnyway"];
        if !answers.contains(&answer) {
            unsupported(errors, format!("{at}.whenUnsatisfiable"), answer, &answers);
        }
        // The API server names the first of two that are the same.
        if let Some(first) = seen.insert((topology, answer), index) {
            let at = format!("{path}.topologySpreadConstraints[{first}].{{topologyKey, whenUnsatisfiable}}");
            let mut error = FieldError::new(at, Reason::Duplicate, "");
            error.shown = Some(format!("\"{{{topology}, {answer}}}\""));
            errors.push(error);
        }
        if let Some(domains) = number(spread, "minDomains") {
            let at = format!("{at}.minDomains");
            if domains < 1 {
                invalid(errors, &at, &json!(domains), "must be greater than zero");
            }
            if answer != "DoNotSchedule" {
                let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {answer}");
                invalid(errors, at, &json!(domains), detail);
            }
        }
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            one_of(spread, field, &["Honor", "Ignore"], &at, errors);
        }
        if let Some(selector) = some(spread, "labelSelector") {
            label_selector(selector, &format!("{at}.labelSelector"), errors);
        } else if list(spread, "matchLabelKeys").next().is_some() {
            let detail = "must not be specified when labelSelector is not set";
            forbidden(errors, format!("{at}.matchLabelKeys"), detail);
        }
    }
}
