//! CEL rules (`x-kubernetes-validations`): where they stand in a schema, and what they say of an object.

use super::prune::join;
use super::{FieldError, Reason};
use kube_cel::{CompilationError, CompiledSchema, ValidationError, Validator, compile_schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const RULES: &str = "x-kubernetes-validations";
/// The variable by which a rule is a transition rule.
const OLD: &str = "oldSelf";

/// The part of a schema that leads to rules; whatever has none beneath it is left out.
#[derive(Debug)]
pub(super) struct RuleNode {
    /// This node's own rules, over a schema without any others.
    own: Option<CompiledSchema>,
    /// Whether one of them compares with what was before.
    is_transition: bool,
    properties: BTreeMap<String, RuleNode>,
    additional: Option<Box<RuleNode>>,
    items: Option<Box<RuleNode>>,
    /// The keys by which an entry is the same entry as before, in a list that is a map.
    keys: Vec<String>,
}

impl RuleNode {
    /// Reads the rules of a schema; `None` where it has none.
    pub(super) fn read(schema: &Value) -> Option<RuleNode> {
        let properties: BTreeMap<String, RuleNode> = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, property)| Some((name.clone(), RuleNode::read(property)?)))
            .collect();
        let beneath = |key: &str| schema.get(key).and_then(RuleNode::read).map(Box::new);
        let (additional, items) = (beneath("additionalProperties"), beneath("items"));
        let own = rules_of(schema).map(|rules| {
            let mut slim = slimmed(schema).unwrap_or_else(|| json!({}));
            slim[RULES] = rules.clone();
            compile_schema(&slim)
        });
        let is_transition = rules_of(schema).is_some_and(|rules| rules.to_string().contains(OLD));
        if own.is_none() && properties.is_empty() && additional.is_none() && items.is_none() {
            return None;
        }
        Some(RuleNode { own, is_transition, properties, additional, items, keys: map_keys(schema) })
    }

    /// Evaluates every rule that applies: transition rules only where there was a value before, and on a value that has
    /// not changed nothing but transition rules.
    pub(super) fn check(&self, new: &Value, old: Option<&Value>, path: &str, errors: &mut Vec<FieldError>) {
        let unchanged = old == Some(new);
        if let Some(own) = self.own.as_ref().filter(|_| !unchanged || self.is_transition) {
            let refused = VALIDATOR.with(|validator| validator.validate_compiled(own, new, old)).err();
            let refused = refused.into_iter().flat_map(|errors| errors.into_vec());
            errors.extend(refused.filter(|error| !unchanged || error.rule.contains(OLD)).map(|e| field_error(e, path)));
        }
        match new {
            Value::Object(fields) => {
                for (name, field) in fields {
                    if let Some(child) = self.properties.get(name).or(self.additional.as_deref()) {
                        child.check(field, old.and_then(|old| old.get(name)), &join(path, name), errors);
                    }
                }
            }
            Value::Array(entries) => {
                let Some(items) = &self.items else { return };
                for (index, entry) in entries.iter().enumerate() {
                    items.check(entry, self.entry_before(entry, old), &format!("{path}[{index}]"), errors);
                }
            }
            _ => {}
        }
    }

    /// The entry that this one was before; without keys nothing says which.
    fn entry_before<'v>(&self, entry: &Value, old: Option<&'v Value>) -> Option<&'v Value> {
        if self.keys.is_empty() {
            return None;
        }
        let same = |before: &&Value| self.keys.iter().all(|key| before.get(key) == entry.get(key));
        old?.as_array()?.iter().find(same)
    }
}

thread_local! {
    // The validator is not `Sync`, and registering the functions anew for every object would cost more than the rules.
    static VALIDATOR: Validator = Validator::new();
}

fn field_error(error: ValidationError, path: &str) -> FieldError {
    let reason = match error.reason.as_deref() {
        Some("FieldValueForbidden") => Reason::Forbidden,
        Some("FieldValueRequired") => Reason::Required,
        Some("FieldValueDuplicate") => Reason::Duplicate,
        _ => Reason::Invalid,
    };
    let beneath = error.field_path.trim_start_matches('.');
    let path = match beneath {
        "" => path.to_owned(),
        indexed if indexed.starts_with('[') => format!("{path}{indexed}"),
        field => join(path, field),
    };
    FieldError::new(path, reason, error.message)
}

fn rules_of(schema: &Value) -> Option<&Value> {
    schema.get(RULES).filter(|rules| rules.as_array().is_some_and(|rules| !rules.is_empty()))
}

fn map_keys(schema: &Value) -> Vec<String> {
    let is_map = schema.get("x-kubernetes-list-type").is_some_and(|kind| kind == "map");
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array).filter(|_| is_map);
    keys.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The schema without rules and without everything that does not change how a value looks to CEL: a pod template is
/// hundreds of fields, of which a rule sees a few as anything but themselves. `None` where nothing is left.
fn slimmed(schema: &Value) -> Option<Value> {
    let mut slim = Map::new();
    let keeps = |key: &&str| schema.get(*key).is_some_and(|value| !value.is_null());
    for key in ["format", "additionalProperties", "x-kubernetes-embedded-resource"].iter().filter(|key| keeps(key)) {
        let value = &schema[*key];
        let kept = if *key == "additionalProperties" && value.is_object() {
            slimmed(value).unwrap_or_else(|| json!({}))
        } else {
            value.clone()
        };
        if *key != "format" || matches!(value.as_str(), Some("date-time" | "date" | "duration" | "byte")) {
            slim.insert((*key).to_owned(), kept);
        }
    }
    let properties: Map<String, Value> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, property)| Some((name.clone(), slimmed(property)?)))
        .collect();
    if !properties.is_empty() {
        slim.insert("properties".to_owned(), Value::Object(properties));
    }
    if let Some(items) = schema.get("items").and_then(slimmed) {
        slim.insert("items".to_owned(), items);
    }
    (!slim.is_empty()).then_some(Value::Object(slim))
}

/// What the API server would refuse in a definition's rules; `uncorrelated` is the
/// list above whose entries have no keys.
pub(super) fn check_rules(schema: &Value, path: &str, uncorrelated: Option<&str>, errors: &mut Vec<FieldError>) {
    let Some(rules) = rules_of(schema) else { return };
    let compiled = compile_schema(&json!({RULES: rules}));
    for (index, (rule, result)) in rules.as_array().into_iter().flatten().zip(&compiled.validations).enumerate() {
        let path = format!("{path}.{RULES}[{index}].rule");
        let text = rule.get("rule").and_then(Value::as_str).unwrap_or_default();
        if text.trim().is_empty() {
            errors.push(FieldError::new(path, Reason::Required, "rule is not specified"));
            continue;
        }
        let failure = match (result, uncorrelated) {
            (Ok(_), Some(list)) if text.contains(OLD) => {
                format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {list}")
            }
            (Ok(_), _) => continue,
            (Err(CompilationError::Parse { source, .. }), _) => format!("compilation failed: {source}"),
            (Err(CompilationError::MessageExpressionParse { source, .. }), _) => {
                format!("messageExpression compilation failed: {source}")
            }
            (Err(CompilationError::InvalidRule(reason)), _) => reason.to_string(),
            (Err(other), _) => format!("{other:?}"),
        };
        errors.push(FieldError::showing(path, Reason::Invalid, &Value::from(text), failure));
    }
}
