//! The rules that a definition's own schema must keep (structural schemas), in the API server's words.

use super::node::{NoDefinitions, Node};
use super::rules::check_rules;
use super::{FieldError, ListType, Reason, validate};
use regex::Regex;
use serde_json::{Map, Value};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Checks a version's whole schema; `path` is where it stands in the definition.
pub(super) fn check_root(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match schema.get("type").and_then(Value::as_str) {
        None => errors.push(FieldError::new(format!("{path}.type"), Reason::Required, "must not be empty at the root")),
        Some("object") => {}
        Some(_) => {
            let detail = "must be object at the root";
            errors.push(FieldError::showing(format!("{path}.type"), Reason::Invalid, &schema["type"], detail));
        }
    }
    let metadata =
        schema.get("properties").and_then(|properties| properties.get("metadata")).and_then(Value::as_object);
    if metadata.is_some_and(says_more_than_names) {
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.push(FieldError::new(format!("{path}.properties[metadata]"), Reason::Forbidden, detail));
    }
    Checker { errors }.node(schema, path, Place { what: None, uncorrelated: None });
}

fn says_more_than_names(metadata: &Map<String, Value>) -> bool {
    let mut fields = metadata.get("properties").and_then(Value::as_object).into_iter().flatten();
    fields.any(|(name, _)| name != "name" && name != "generateName")
}

/// Where a node stands in its schema.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// What its type may not be empty for; nothing at the root, which has its own words.
    what: Option<&'static str>,
    /// The list above it whose entries have no keys, so that no old value can be found for it on update.
    uncorrelated: Option<&'p str>,
}

struct Checker<'a> {
    errors: &'a mut Vec<FieldError>,
}

impl Checker<'_> {
    fn refuse(&mut self, path: String, reason: Reason, detail: &str) {
        self.errors.push(FieldError::new(path, reason, detail));
    }

    fn node(&mut self, schema: &Value, path: &str, place: Place<'_>) {
        let Some(fields) = schema.as_object() else { return };
        self.kind(fields, path, place.what);
        self.forbidden(fields, path);
        self.list(fields, path);
        self.pattern(fields, path);
        self.branches(fields, path);
        if let Some(default) = fields.get("default") {
            let node = Node::read(schema, &mut NoDefinitions);
            let mut found = Vec::new();
            validate::check(&node, default, None, "", &mut found);
            let at_default = |error: FieldError| FieldError { path: format!("{path}.default"), ..error };
            self.errors.extend(found.into_iter().map(at_default));
        }
        check_rules(schema, path, place.uncorrelated, self.errors);

        for (name, property) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let place = Place { what: Some("specified object fields"), ..place };
            self.node(property, &format!("{path}.properties[{name}]"), place);
        }
        if let Some(values) = fields.get("additionalProperties").filter(|values| values.is_object()) {
            let place = Place { what: Some("additionalProperties"), ..place };
            self.node(values, &format!("{path}.additionalProperties"), place);
        }
        if let Some(items) = fields.get("items") {
            let list_type = Node::read(schema, &mut NoDefinitions).list_type.clone();
            let keeps_identity = matches!(list_type, Some(ListType::Map(_)));
            let uncorrelated = place.uncorrelated.or((!keeps_identity).then_some(path));
            self.node(items, &format!("{path}.items"), Place { what: Some("specified array items"), uncorrelated });
        }
    }

    fn kind(&mut self, fields: &Map<String, Value>, path: &str, what: Option<&str>) {
        let is_set = |key: &str| fields.get(key).and_then(Value::as_bool).unwrap_or(false);
        let untyped = is_set("x-kubernetes-int-or-string")
            || is_set("x-kubernetes-preserve-unknown-fields")
            || fields.contains_key("$ref");
        match (fields.get("type").and_then(Value::as_str), what) {
            (Some(kind), _) if !TYPES.contains(&kind) => {
                let allowed: Vec<String> = TYPES.iter().map(|kind| format!("{kind:?}")).collect();
                let detail = format!("supported values: {}", allowed.join(", "));
                let error = FieldError::showing(format!("{path}.type"), Reason::NotSupported, &fields["type"], detail);
                self.errors.push(error);
            }
            (None, Some(what)) if !untyped => {
                self.refuse(format!("{path}.type"), Reason::Required, &format!("must not be empty for {what}"));
            }
            _ => {}
        }
        if is_set("x-kubernetes-embedded-resource")
            && !is_set("x-kubernetes-preserve-unknown-fields")
            && !fields.contains_key("properties")
        {
            let detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
            self.refuse(format!("{path}.properties"), Reason::Required, detail);
        }
    }

    fn forbidden(&mut self, fields: &Map<String, Value>, path: &str) {
        if fields.contains_key("$ref") {
            self.refuse(format!("{path}.$ref"), Reason::Forbidden, "$ref is not supported");
        }
        if fields.get("uniqueItems") == Some(&Value::Bool(true)) {
            let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.refuse(format!("{path}.uniqueItems"), Reason::Forbidden, detail);
        }
        let closed = fields.get("additionalProperties") == Some(&Value::Bool(false));
        if closed {
            let detail = "additionalProperties cannot be set to false";
            self.refuse(format!("{path}.additionalProperties"), Reason::Forbidden, detail);
        } else if fields.contains_key("properties") && fields.contains_key("additionalProperties") {
            let detail = "additionalProperties and properties are mutual exclusive";
            self.refuse(format!("{path}.additionalProperties"), Reason::Forbidden, detail);
        }
        let preserve = "x-kubernetes-preserve-unknown-fields";
        if let Some(value @ Value::Bool(false)) = fields.get(preserve) {
            let error =
                FieldError::showing(format!("{path}.{preserve}"), Reason::Invalid, value, "must be true or undefined");
            self.errors.push(error);
        }
    }

    fn list(&mut self, fields: &Map<String, Value>, path: &str) {
        let kind = fields.get("type").cloned().unwrap_or_default();
        let items = fields.get("items");
        if kind == "array" && items.is_none() {
            self.refuse(format!("{path}.items"), Reason::Required, "must be specified");
        }
        let Some(list_type) = fields.get("x-kubernetes-list-type") else { return };
        if kind != "array" {
            let detail = "must be array if x-kubernetes-list-type is specified";
            self.errors.push(FieldError::showing(format!("{path}.type"), Reason::Invalid, &kind, detail));
        }
        let of_item = |key: &str| items.and_then(|items| items.get(key));
        match list_type.as_str() {
            Some("atomic") => {}
            Some("set") => {
                let is_object = of_item("type").is_some_and(|kind| kind == "object");
                if is_object && of_item("x-kubernetes-map-type").is_none_or(|kind| kind != "atomic") {
                    let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
                    let shown = of_item("x-kubernetes-map-type").unwrap_or(&Value::Null);
                    let path = format!("{path}.items.x-kubernetes-map-type");
                    self.errors.push(FieldError::showing(path, Reason::Invalid, shown, detail));
                }
            }
            Some("map") => self.map_keys(fields, of_item("properties"), of_item("required"), path),
            _ => {
                let detail = r#"supported values: "atomic", "set", "map""#;
                let path = format!("{path}.x-kubernetes-list-type");
                self.errors.push(FieldError::showing(path, Reason::NotSupported, list_type, detail));
            }
        }
    }

    fn map_keys(
        &mut self,
        fields: &Map<String, Value>,
        properties: Option<&Value>,
        required: Option<&Value>,
        path: &str,
    ) {
        let at_keys = format!("{path}.x-kubernetes-list-map-keys");
        let shown = fields.get("x-kubernetes-list-map-keys").unwrap_or(&Value::Null);
        let keys: Vec<&str> = shown.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if keys.is_empty() {
            self.refuse(at_keys, Reason::Required, "must not be empty if x-kubernetes-list-type is map");
            return;
        }
        for key in keys {
            let Some(property) = properties.and_then(|properties| properties.get(key)) else {
                let error = FieldError {
                    path: at_keys.clone(),
                    reason: Reason::Invalid,
                    shown: Some(shown.to_string()),
                    detail: "entries must all be names of item properties".to_owned(),
                };
                self.errors.push(error);
                return;
            };
            let is_required =
                required.and_then(Value::as_array).is_some_and(|names| names.iter().any(|name| name == key));
            if !is_required && property.get("default").is_none() {
                let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
                self.refuse(format!("{path}.items.properties[{key}].default"), Reason::Required, detail);
            }
        }
    }

    fn pattern(&mut self, fields: &Map<String, Value>, path: &str) {
        let Some(pattern) = fields.get("pattern") else { return };
        let Some(Err(error)) = pattern.as_str().map(Regex::new) else { return };
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        self.errors.push(FieldError::showing(format!("{path}.pattern"), Reason::Invalid, pattern, detail));
    }

    /// Inside `anyOf` and the like nothing may be declared: only constraints.
    fn branches(&mut self, fields: &Map<String, Value>, path: &str) {
        let int_or_string = fields.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
        for key in ["allOf", "anyOf", "oneOf"] {
            for (index, branch) in fields.get(key).and_then(Value::as_array).into_iter().flatten().enumerate() {
                self.branch(branch, &format!("{path}.{key}[{index}]"), int_or_string);
            }
        }
        if let Some(not) = fields.get("not") {
            self.branch(not, &format!("{path}.not"), false);
        }
    }

    fn branch(&mut self, branch: &Value, path: &str, may_have_type: bool) {
        for key in ["type", "default", "additionalProperties", "nullable"] {
            let is_set = branch.get(key).is_some_and(|value| value != "" && value != false);
            let is_allowed = key == "type" && may_have_type;
            if is_set && !is_allowed {
                self.refuse(format!("{path}.{key}"), Reason::Forbidden, "must be empty to be structural");
            }
        }
        for (name, property) in branch.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.branch(property, &format!("{path}.properties[{name}]"), false);
        }
        if let Some(items) = branch.get("items") {
            self.branch(items, &format!("{path}.items"), false);
        }
    }
}
