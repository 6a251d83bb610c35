//! Answers in the order of the selection, as the specification asks for (section 7.2.2, Serialized Map Ordering):
//! the executor puts fields in the order in which they were ready.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Request, Value};

/// Deeper than any operation that is let through; a fragment that contains itself ends here.
const DEEPEST: usize = 64;

/// The order of the fields of one operation's answer.
#[derive(Debug, Default)]
pub struct FieldOrder(IndexMap<Name, FieldOrder>);

impl FieldOrder {
    /// The order of the operation that `request` runs; nothing for a request that cannot be run.
    pub fn of(request: &mut Request) -> Self {
        let name = request.operation_name.clone();
        let mut order = Self::default();
        let Ok(document) = request.parsed_query() else { return order };
        let operation = match (&document.operations, name) {
            (DocumentOperations::Single(operation), _) => Some(operation),
            (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name.as_str()),
            (DocumentOperations::Multiple(_), None) => None,
        };
        if let Some(operation) = operation {
            order.add(&operation.node.selection_set.node, document, 0);
        }
        order
    }

    fn add(&mut self, set: &SelectionSet, document: &ExecutableDocument, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.clone();
                    self.0.entry(key).or_default().add(&field.node.selection_set.node, document, depth + 1);
                }
                Selection::InlineFragment(fragment) => {
                    self.add(&fragment.node.selection_set.node, document, depth + 1);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(&fragment.node.selection_set.node, document, depth + 1);
                    }
                }
            }
        }
    }

    /// Puts `value`'s fields into this order.
    pub fn apply(&self, value: &mut Value) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.apply(item)),
            // A scalar that is an object has an order of its own.
            Value::Object(fields) if self.0.keys().eq(fields.keys()) => {
                fields.values_mut().zip(self.0.values()).for_each(|(field, order)| order.apply(field));
            }
            Value::Object(fields) if !self.0.is_empty() => {
                let mut ordered = IndexMap::with_capacity(fields.len());
                for (key, order) in &self.0 {
                    if let Some(mut field) = fields.swap_remove(key) {
                        order.apply(&mut field);
                        ordered.insert(key.clone(), field);
                    }
                }
                ordered.append(fields);
                *fields = ordered;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(query: &str, answer: serde_json::Value) -> String {
        let mut value = Value::from_json(answer).unwrap();
        FieldOrder::of(&mut Request::new(query)).apply(&mut value);
        serde_json::to_string(&value).unwrap()
    }

    #[test]
    fn fields_come_in_the_order_they_were_asked_for() {
        let query = "{ b: x { d c ...F ... { a } } a } fragment F on T { e }";
        let answer = serde_json::json!({"a": 1, "b": [{"a": 1, "c": 2, "e": 3, "d": {"z": 1, "y": 2}}]});
        assert_eq!(ordered(query, answer), r#"{"b":[{"d":{"z":1,"y":2},"c":2,"e":3,"a":1}],"a":1}"#);
    }

    #[test]
    fn a_fragment_that_contains_itself_ends() {
        assert_eq!(ordered("{ ...F } fragment F on T { a ...F }", serde_json::json!({"a": 1})), r#"{"a":1}"#);
    }
}
