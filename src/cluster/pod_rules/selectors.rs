//! Label selectors, node selectors and tolerations.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::names::{LABEL_VALUE, QUALIFIED, SUBDOMAIN};
use super::report::{At, Report, quoted};

/// A label selector.
pub(in crate::cluster) fn labels(selector: &LabelSelector, at: &At<'_>, report: &mut Report) {
    let match_labels = at.field("matchLabels");
    for (key, value) in selector.match_labels.iter().flatten() {
        if !(QUALIFIED.fits)(key) {
            report.say(&match_labels, format!("has the key {}; it must be {}", quoted(key), QUALIFIED.allowed));
        }
        report.form(&match_labels.key(key), value, &LABEL_VALUE);
    }
    let expressions = at.field("matchExpressions");
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let at = expressions.item(index);
        report.required(&at.field("key"), Some(&expression.key), &QUALIFIED);
        let values = expression.values.as_deref().unwrap_or_default();
        report.one_of(&at.field("operator"), &expression.operator, &["In", "NotIn", "Exists", "DoesNotExist"]);
        number_of_values(&expression.operator, values, &at, report);
        let at = at.field("values");
        for (index, value) in values.iter().enumerate() {
            report.form(&at.item(index), value, &LABEL_VALUE);
        }
    }
}

/// Whether a valid selector selects an object with these labels.
pub(in crate::cluster) fn selects(selector: &LabelSelector, labels: Option<&BTreeMap<String, String>>) -> bool {
    let label = |key: &String| labels.and_then(|labels| labels.get(key));
    let mut equal = selector.match_labels.iter().flatten();
    let mut expressions = selector.match_expressions.iter().flatten();
    equal.all(|(key, value)| label(key) == Some(value))
        && expressions.all(|expression| {
            let (value, values) = (label(&expression.key), expression.values.as_deref().unwrap_or_default());
            match expression.operator.as_str() {
                "In" => value.is_some_and(|value| values.contains(value)),
                "NotIn" => value.is_none_or(|value| !values.contains(value)),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

/// The number of values that an operator takes.
fn number_of_values(operator: &str, values: &[String], at: &At<'_>, report: &mut Report) {
    let at = at.field("values");
    match operator {
        "In" | "NotIn" if values.is_empty() => report.say(&at, format!("is required for the operator {operator}")),
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            report.say(&at, format!("is not allowed for the operator {operator}"));
        }
        "Gt" | "Lt" => match values {
            [value] if value.parse::<i64>().is_ok() => {}
            _ => report.say(&at, format!("must be one whole number for the operator {operator}")),
        },
        _ => {}
    }
}

pub(super) fn node_term(term: &NodeSelectorTerm, at: &At<'_>, report: &mut Report) {
    let expressions = at.field("matchExpressions");
    for (index, expression) in term.match_expressions.iter().flatten().enumerate() {
        let at = expressions.item(index);
        report.required(&at.field("key"), Some(&expression.key), &QUALIFIED);
        let operators = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
        report.one_of(&at.field("operator"), &expression.operator, &operators);
        let values = expression.values.as_deref().unwrap_or_default();
        number_of_values(&expression.operator, values, &at, report);
        let at = at.field("values");
        for (index, value) in values.iter().enumerate() {
            report.form(&at.item(index), value, &LABEL_VALUE);
        }
    }
    let fields = at.field("matchFields");
    for (index, field) in term.match_fields.iter().flatten().enumerate() {
        node_field(field, &fields.item(index), report);
    }
}

fn node_field(field: &NodeSelectorRequirement, at: &At<'_>, report: &mut Report) {
    report.one_of(&at.field("key"), &field.key, &["metadata.name"]);
    report.one_of(&at.field("operator"), &field.operator, &["In", "NotIn"]);
    let at = at.field("values");
    match field.values.as_deref().unwrap_or_default() {
        [name] => report.form(&at.item(0), name, &SUBDOMAIN),
        values => report.say(&at, format!("has {} values; it must have one", values.len())),
    }
}

pub(super) fn toleration(toleration: &Toleration, at: &At<'_>, report: &mut Report) {
    let operator = toleration.operator.as_deref().filter(|operator| !operator.is_empty()).unwrap_or("Equal");
    report.one_of(&at.field("operator"), operator, &["Equal", "Exists"]);
    match toleration.key.as_deref().filter(|key| !key.is_empty()) {
        Some(key) => report.form(&at.field("key"), key, &QUALIFIED),
        None if operator == "Equal" => report.say(&at.field("key"), "is required unless the operator is Exists"),
        None => {}
    }
    let value = toleration.value.as_deref().unwrap_or_default();
    if operator == "Exists" && !value.is_empty() {
        report.say(&at.field("value"), "is not allowed for the operator Exists");
    } else {
        report.form(&at.field("value"), value, &LABEL_VALUE);
    }
    let effect = toleration.effect.as_deref().unwrap_or_default();
    if !effect.is_empty() {
        report.one_of(&at.field("effect"), effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
    }
    if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        report.say(&at.field("tolerationSeconds"), "is only allowed with the effect NoExecute");
    }
}
