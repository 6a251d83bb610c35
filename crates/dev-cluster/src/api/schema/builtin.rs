//! Built-in kinds as compiled schemas: their definitions refer to each other by name.

use super::node::{Definitions, Node};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Definitions by name, each read once.
pub(super) struct Library<'a> {
    definitions: &'a Map<String, Value>,
    read: HashMap<String, Arc<Node>>,
    reading: HashSet<String>,
}

impl<'a> Library<'a> {
    pub(super) fn new(definitions: &'a Map<String, Value>) -> Self {
        Library { definitions, read: HashMap::new(), reading: HashSet::new() }
    }
}

impl Definitions for Library<'_> {
    fn definition(&mut self, name: &str) -> Option<Arc<Node>> {
        if let Some(node) = self.read.get(name) {
            return Some(node.clone());
        }
        // A schema that contains itself (a JSON schema does) is checked to its first recursion.
        if !self.reading.insert(name.to_owned()) {
            return None;
        }
        let definition = self.definitions.get(name);
        let node = match definition {
            Some(definition) if !is_open(definition) => Node::read(definition, self),
            _ => Arc::new(Node::anything()),
        };
        self.reading.remove(name);
        self.read.insert(name.to_owned(), node.clone());
        Some(node)
    }
}

/// Whether a definition says nothing of its contents: raw JSON, or a number that may be written as text.
fn is_open(definition: &Value) -> bool {
    let says = |key: &str| definition.get(key).is_some();
    let is_scalar = definition.get("type").is_some_and(|kind| kind != "object" && kind != "array");
    !says("properties") && !says("additionalProperties") && !says("items") && !is_scalar
}
