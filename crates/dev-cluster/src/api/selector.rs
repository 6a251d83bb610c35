//! Label and field selectors, as a query writes them.

use super::catalog::{Origin, ResourceKind};
use super::object;
use super::status::{ApiError, ApiResult};
use kube::core::{Expression, Selector, SelectorExt};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Which objects of a collection are asked for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    labels: Option<Selector>,
    fields: Vec<FieldRequirement>,
}

#[derive(Clone, Debug)]
struct FieldRequirement {
    path: Vec<String>,
    value: String,
    equal: bool,
}

impl Selection {
    /// Reads both selectors; a field that the resource cannot be selected by is refused.
    pub fn parse(kind: &ResourceKind, labels: &str, fields: &str) -> ApiResult<Selection> {
        let expressions =
            parse_labels(labels).map_err(|why| ApiError::bad_request(format!("unable to parse requirement: {why}")))?;
        let labels_selector = (!expressions.is_empty()).then(|| expressions.into_iter().collect());
        let requirements = parse_fields(fields).map_err(ApiError::bad_request)?;
        for requirement in &requirements {
            let field = requirement.path.join(".");
            if !selectable(kind, &field) && !has_own_fields(kind) {
                let known =
                    if kind.namespaced { "\"metadata.name\", \"metadata.namespace\"" } else { "\"metadata.name\"" };
                return Err(ApiError::bad_request(format!("{field:?} is not a known field selector: only {known}")));
            }
            if !selectable(kind, &field) {
                return Err(ApiError::bad_request(format!("field label not supported: {field}")));
            }
        }
        Ok(Selection { labels: labels_selector, fields: requirements })
    }

    /// Whether every object is asked for.
    pub fn is_everything(&self) -> bool {
        self.labels.is_none() && self.fields.is_empty()
    }

    /// Whether an object is asked for.
    pub fn matches(&self, value: &Value) -> bool {
        self.labels.as_ref().is_none_or(|selector| selector.matches(&labels_of(value)))
            && self.fields.iter().all(|requirement| requirement.matches(value))
    }
}

impl FieldRequirement {
    fn matches(&self, value: &Value) -> bool {
        let found = self.path.iter().try_fold(value, |value, field| value.get(field));
        let text = match found {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => default_text(&self.path),
            Some(other) => other.to_string(),
        };
        (text == self.value) == self.equal
    }
}

/// What an absent field compares as.
fn default_text(path: &[String]) -> String {
    match path.last().map(String::as_str) {
        Some("unschedulable" | "hostNetwork") => "false".to_owned(),
        Some("successful") => "0".to_owned(),
        _ => String::new(),
    }
}

fn labels_of(value: &Value) -> BTreeMap<String, String> {
    let labels = object::meta(value).get("labels").and_then(Value::as_object);
    let pairs = labels.into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Whether a kind says itself which fields it can be selected by; the others share one refusal.
fn has_own_fields(kind: &ResourceKind) -> bool {
    !kind.is_custom()
        && matches!(
            (kind.group.as_str(), kind.plural.as_str()),
            ("", "pods" | "events" | "secrets" | "nodes" | "namespaces" | "services")
                | ("batch", "jobs")
                | ("apps", "replicasets")
                | ("events.k8s.io", "events")
        )
}

/// The fields that a built-in kind can be selected by, besides its name and namespace.
fn selectable(kind: &ResourceKind, field: &str) -> bool {
    if field == "metadata.name" || (field == "metadata.namespace" && kind.namespaced) {
        return true;
    }
    if let Origin::Custom { definition, .. } = &kind.origin {
        let versions = definition.spec.versions.iter().filter(|v| v.name == kind.version);
        let mut selectable = versions.flat_map(|v| v.selectable_fields.iter().flatten());
        return selectable.any(|s| s.json_path.trim_start_matches('.') == field);
    }
    let fields: &[&str] = match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "events") => &["reason", "type", "reportingController"],
        ("", "secrets") => &["type"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "namespaces") => &["status.phase"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("batch", "jobs") => &["status.successful"],
        ("apps", "replicasets") => &["status.replicas"],
        _ => &[],
    };
    fields.contains(&field)
}

fn parse_fields(text: &str) -> Result<Vec<FieldRequirement>, String> {
    let terms = text.split(',').filter(|term| !term.is_empty());
    terms
        .map(|term| {
            let (path, value, equal) = if let Some((path, value)) = term.split_once("!=") {
                (path, value, false)
            } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
                (path, value, true)
            } else {
                return Err(format!("invalid selector: '{text}'; can't understand '{term}'"));
            };
            let path = path.split('.').map(str::to_owned).collect();
            Ok(FieldRequirement { path, value: value.to_owned(), equal })
        })
        .collect()
}

/// Reads a label selector: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
pub fn parse_labels(text: &str) -> Result<Vec<Expression>, String> {
    split_terms(text).into_iter().map(|term| parse_label_term(term.trim())).collect()
}

/// Splits at the commas that are not inside parentheses.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms.retain(|term| !term.trim().is_empty());
    terms
}

fn parse_label_term(term: &str) -> Result<Expression, String> {
    if let Some(key) = term.strip_prefix('!') {
        return Ok(Expression::DoesNotExist(label_key(key.trim())?));
    }
    if let Some((key, value)) = term.split_once("!=") {
        return Ok(Expression::NotEqual(label_key(key.trim())?, value.trim().to_owned()));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Ok(Expression::Equal(label_key(key.trim())?, value.trim().to_owned()));
    }
    let Some((key, rest)) = term.split_once(char::is_whitespace) else {
        return Ok(Expression::Exists(label_key(term)?));
    };
    let key = label_key(key)?;
    let rest = rest.trim();
    let (negated, list) = match (rest.strip_prefix("notin"), rest.strip_prefix("in")) {
        (Some(list), _) => (true, list),
        (None, Some(list)) => (false, list),
        (None, None) => return Err(format!("found '{rest}', expected: in, notin, =, ==, !=, gt, lt")),
    };
    let inner = list.trim().strip_prefix('(').and_then(|list| list.strip_suffix(')'));
    let inner = inner.ok_or_else(|| format!("found '{}' expected: '('", list.trim()))?;
    let values: BTreeSet<String> = inner.split(',').map(|value| value.trim().to_owned()).collect();
    Ok(if negated { Expression::NotIn(key, values) } else { Expression::In(key, values) })
}

fn label_key(key: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if key.is_empty() || !key.chars().all(legal) {
        return Err(format!(
            "<nil>: Invalid value: {key:?}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        ));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn selects(labels: &str, fields: &str) -> bool {
        let pods = Catalog::builtin().builtin_kind("", "pods").expect("pods");
        let pod = json!({"metadata": {"name": "a", "labels": {"app": "x", "tier": "web"}}, "spec": {"nodeName": "n1"}});
        Selection::parse(&pods, labels, fields).expect("a selector").matches(&pod)
    }

    #[test]
    fn label_selectors_compare_sets_and_presence() {
        assert!(selects("app=x,tier in (web, db),!gone,app", ""));
        assert!(selects("app notin (y),tier!=db", ""));
        assert!(!selects("app in (y)", ""));
        assert!(!selects("gone", ""));
    }

    #[test]
    fn field_selectors_compare_text_and_absent_fields_are_empty() {
        assert!(selects("", "spec.nodeName=n1,metadata.name!=b"));
        assert!(selects("", "status.phase="));
        assert!(!selects("", "spec.nodeName="));
    }

    #[test]
    fn a_field_that_is_not_indexed_is_refused() {
        let pods = Catalog::builtin().builtin_kind("", "pods").expect("pods");
        let error = Selection::parse(&pods, "", "spec.foo=x").expect_err("refused");
        insta::assert_snapshot!(error.message, @"field label not supported: spec.foo");
    }

    proptest! {
        #[test]
        fn any_selector_is_read_without_panic(text in ".{0,40}") {
            let _ = parse_labels(&text);
            let _ = parse_fields(&text);
        }
    }
}
