//! What a Go server cannot read into its types, though the schema has nothing against it.

use super::error::{FieldError, Reason};
use super::node::{Node, Type};
use serde_json::Value;

/// Refuses `5.0` and `1e3` where a whole number is meant.
pub(super) fn whole_numbers(node: &Node, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Number(number) if number.is_f64() && node.kind == Some(Type::Integer) => {
            let detail = format!("{path} in body must be of type integer: \"number\"");
            errors.push(FieldError::showing(path, Reason::TypeInvalid, value, detail));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let Some(node) = node.properties.get(name).or(node.additional.as_ref()) else { continue };
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                whole_numbers(node, value, &path, errors);
            }
        }
        Value::Array(entries) => {
            let Some(node) = &node.items else { return };
            for (index, entry) in entries.iter().enumerate() {
                whole_numbers(node, entry, &format!("{path}[{index}]"), errors);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
