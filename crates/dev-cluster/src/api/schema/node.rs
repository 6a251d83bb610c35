//! One node of a structural schema, read once from its JSON so that walking an object never looks at JSON again.

use super::ListType;
use super::format::Format;
use regex::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The types a value may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Type {
    fn parse(word: &str) -> Option<Type> {
        Some(match word {
            "object" => Type::Object,
            "array" => Type::Array,
            "string" => Type::String,
            "integer" => Type::Integer,
            "number" => Type::Number,
            "boolean" => Type::Boolean,
            _ => return None,
        })
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Type::Object => "object",
            Type::Array => "array",
            Type::String => "string",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Boolean => "boolean",
        }
    }
}

/// The limits on numbers, lengths and counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_maximum: bool,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
}

/// One node of a schema. `Default` is the schema that allows anything and knows no field.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) kind: Option<Type>,
    pub(super) nullable: bool,
    pub(super) int_or_string: bool,
    pub(super) preserve_unknown: bool,
    pub(super) embedded: bool,
    pub(super) atomic_map: bool,
    pub(super) properties: BTreeMap<String, Arc<Node>>,
    pub(super) additional: Option<Arc<Node>>,
    pub(super) items: Option<Arc<Node>>,
    pub(super) required: Vec<String>,
    pub(super) one_of_values: Vec<Value>,
    pub(super) bounds: Bounds,
    pub(super) pattern: Option<Regex>,
    pub(super) format: Option<Format>,
    pub(super) all_of: Vec<Arc<Node>>,
    pub(super) any_of: Vec<Arc<Node>>,
    pub(super) one_of: Vec<Arc<Node>>,
    pub(super) not: Option<Arc<Node>>,
    pub(super) default: Option<Value>,
    pub(super) list_type: Option<ListType>,
    pub(super) patch_merge_key: Option<String>,
}

/// Where `$ref`s lead: a definition's node, by name.
pub(super) trait Definitions {
    /// The node of the definition, or `None` for one that is unknown or is just being read (a recursive schema).
    fn definition(&mut self, name: &str) -> Option<Arc<Node>>;
}

/// A custom resource's schema has no references.
pub(super) struct NoDefinitions;

impl Definitions for NoDefinitions {
    fn definition(&mut self, _name: &str) -> Option<Arc<Node>> {
        None
    }
}

impl Node {
    /// The node that keeps everything.
    pub(super) fn anything() -> Node {
        Node { preserve_unknown: true, ..Node::default() }
    }

    /// Reads a schema. What is not understood is left out: [`super::structural`] has refused it before in definitions.
    pub(super) fn read(schema: &Value, definitions: &mut dyn Definitions) -> Arc<Node> {
        let Some(schema) = schema.as_object() else { return Arc::new(Node::anything()) };
        if let Some(name) = reference(schema) {
            let node = definitions.definition(name).unwrap_or_else(|| Arc::new(Node::anything()));
            return match merge_key(schema) {
                None => node,
                Some(key) => Arc::new(Node { patch_merge_key: Some(key), ..Node::clone(&node) }),
            };
        }
        Arc::new(Node {
            kind: schema.get("type").and_then(type_word).and_then(Type::parse),
            nullable: flag(schema, "nullable"),
            int_or_string: flag(schema, "x-kubernetes-int-or-string"),
            preserve_unknown: flag(schema, "x-kubernetes-preserve-unknown-fields"),
            embedded: flag(schema, "x-kubernetes-embedded-resource"),
            atomic_map: schema.get("x-kubernetes-map-type").is_some_and(|kind| kind == "atomic"),
            properties: schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(name, property)| (name.clone(), Node::read(property, definitions)))
                .collect(),
            additional: match schema.get("additionalProperties") {
                Some(Value::Bool(false)) | None => None,
                Some(Value::Bool(true)) => Some(Arc::new(Node::default())),
                Some(values) => Some(Node::read(values, definitions)),
            },
            items: schema.get("items").map(|items| Node::read(items, definitions)),
            required: strings(schema.get("required")),
            one_of_values: schema.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
            bounds: Bounds::read(schema),
            pattern: schema.get("pattern").and_then(Value::as_str).and_then(|pattern| Regex::new(pattern).ok()),
            format: schema.get("format").and_then(Value::as_str).and_then(Format::parse),
            all_of: branches(schema, "allOf", definitions),
            any_of: branches(schema, "anyOf", definitions),
            one_of: branches(schema, "oneOf", definitions),
            not: schema.get("not").map(|not| Node::read(not, definitions)),
            default: schema.get("default").cloned(),
            list_type: list_type(schema),
            patch_merge_key: merge_key(schema),
        })
    }

    /// The node of a field or map value.
    pub(super) fn child(&self, name: &str) -> Option<&Arc<Node>> {
        self.properties.get(name).or(self.additional.as_ref())
    }

    /// The node at a path of field names; `*` steps into a list's entries or a map's values.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, step| {
            let next = match *step {
                "*" => node.items.as_ref().or(node.additional.as_ref()),
                name => node.child(name),
            };
            next.map(Arc::as_ref)
        })
    }

    /// Whether `null` means the same as absent here.
    pub(super) fn drops_null(&self) -> bool {
        !self.nullable
    }
}

impl Bounds {
    fn read(schema: &Map<String, Value>) -> Bounds {
        let number = |key: &str| schema.get(key).and_then(Value::as_f64);
        let count = |key: &str| schema.get(key).and_then(Value::as_u64);
        Bounds {
            minimum: number("minimum"),
            exclusive_minimum: flag(schema, "exclusiveMinimum"),
            maximum: number("maximum"),
            exclusive_maximum: flag(schema, "exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
        }
    }
}

/// The referenced definition's name, whether the reference stands alone or, to carry a description, in an `allOf` of one.
fn reference(schema: &Map<String, Value>) -> Option<&str> {
    let direct = schema.get("$ref");
    let wrapped = || match schema.get("allOf")?.as_array()?.as_slice() {
        [only] => only.get("$ref"),
        _ => None,
    };
    direct.or_else(wrapped)?.as_str()?.rsplit('/').next()
}

/// The type; of `["string", "null"]` the first.
fn type_word(value: &Value) -> Option<&str> {
    match value {
        Value::String(word) => Some(word),
        Value::Array(words) => words.first()?.as_str(),
        _ => None,
    }
}

fn merge_key(schema: &Map<String, Value>) -> Option<String> {
    schema.get("x-kubernetes-patch-merge-key").and_then(Value::as_str).map(str::to_owned)
}

fn list_type(schema: &Map<String, Value>) -> Option<ListType> {
    match schema.get("x-kubernetes-list-type")?.as_str()? {
        "set" => Some(ListType::Set),
        "map" => Some(ListType::Map(strings(schema.get("x-kubernetes-list-map-keys")))),
        _ => Some(ListType::Atomic),
    }
}

fn branches(schema: &Map<String, Value>, key: &str, definitions: &mut dyn Definitions) -> Vec<Arc<Node>> {
    let all = schema.get(key).and_then(Value::as_array);
    all.into_iter().flatten().map(|branch| Node::read(branch, definitions)).collect()
}

fn flag(schema: &Map<String, Value>, key: &str) -> bool {
    schema.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let all = value.and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
