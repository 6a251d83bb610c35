//! Kubernetes' types: which fields a value may have, and what may stand in them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::api::core::v1::Pod;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::choices::{Choices, NUMBERS, TEXTS, odd};
use super::grammar::TABLES;

/// How deep made-up values are nested.
const DEPTH: usize = 4;

static DEFINITIONS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let mut generator = SchemaSettings::openapi3().into_generator();
    generator.subschema_for::<Pod>();
    generator.take_definitions(true)
});

/// What the tables have in the fields of each name.
static SEEN: LazyLock<BTreeMap<String, Vec<Value>>> = LazyLock::new(|| {
    let mut seen = BTreeMap::new();
    TABLES.iter().flatten().for_each(|entry| see(entry, &mut seen));
    seen
});

fn see(value: &Value, seen: &mut BTreeMap<String, Vec<Value>>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            let values = seen.entry(key.clone()).or_default();
            if !values.contains(value) {
                values.push(value.clone());
            }
            see(value, seen);
        }),
        Value::Array(items) => items.iter().for_each(|item| see(item, seen)),
        _ => {}
    }
}

/// A type, by its schema.
#[derive(Clone, Copy)]
pub struct Type(Option<&'static Value>);

impl Type {
    /// The type of this name.
    pub fn named(name: &str) -> Self {
        Self(Some(DEFINITIONS.get(name).expect("a type of Kubernetes")))
    }

    fn resolved(self) -> Self {
        let target = self.0.and_then(|schema| schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref")));
        match target.and_then(Value::as_str).and_then(|target| target.strip_prefix("#/components/schemas/")) {
            Some(name) => Self(DEFINITIONS.get(name)),
            None => self,
        }
    }

    fn part(self, name: &str) -> Self {
        Self(self.0.and_then(|schema| schema.get(name))).resolved()
    }

    /// The type of a field.
    pub fn field(self, name: &str) -> Self {
        let own = self.0.and_then(|schema| schema.get("properties")?.get(name));
        if own.is_some() { Self(own).resolved() } else { self.part("additionalProperties") }
    }

    /// The type of a list's items.
    pub fn item(self) -> Self {
        self.part("items")
    }

    /// One of the fields with a value for it, where the type has fields.
    pub fn some_field(self, depth: usize, choices: &mut Choices<'_>) -> Option<(String, Value)> {
        let fields = self.0?.get("properties")?.as_object()?;
        let name = fields.keys().nth(choices.next() % fields.len().max(1))?;
        Some((name.clone(), self.field(name).value(name, depth, choices)))
    }

    /// A value for the field of this name, which has this type.
    pub fn value(self, name: &str, depth: usize, choices: &mut Choices<'_>) -> Value {
        if let Some(seen) = SEEN.get(name)
            && choices.below(3) == 0
        {
            return choices.of(seen).clone();
        }
        let kind = self.0.and_then(|schema| schema["type"].as_str());
        match kind {
            _ if depth >= DEPTH || choices.below(32) == 31 => odd(choices),
            Some("object") => self.object(depth, choices),
            Some("array") => (0..choices.below(3)).map(|_| self.item().value("", depth + 1, choices)).collect(),
            Some("boolean") => json!(choices.below(2) == 0),
            Some("integer") => json!(choices.of(&NUMBERS)),
            _ => json!(choices.of(&TEXTS)),
        }
    }

    fn object(self, depth: usize, choices: &mut Choices<'_>) -> Value {
        let mut members = Map::new();
        let required = self.0.and_then(|schema| schema["required"].as_array());
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            members.insert(name.to_owned(), self.field(name).value(name, depth + 1, choices));
        }
        for _ in 0..choices.below(4) {
            let open = self.part("additionalProperties");
            let member = self
                .some_field(depth + 1, choices)
                .unwrap_or_else(|| ((*choices.of(&TEXTS)).to_owned(), open.value("", depth + 1, choices)));
            members.insert(member.0, member.1);
        }
        Value::Object(members)
    }
}
