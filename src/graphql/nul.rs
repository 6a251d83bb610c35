//! Finds U+0000 in the input of clients. PostgreSQL cannot store it and Kubernetes does not accept it, so it is
//! rejected before it fails a statement that other requests may share.

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Value, Variables};

use crate::error::ApiError;

/// Rejects a U+0000 in a variable or in a literal of the document. `place_of` is the path of the input that a variable is
/// for.
///
/// # Errors
/// `BAD_USER_INPUT` with the path to the first one: `input.name`.
pub fn refuse(
    variables: &Variables,
    text: &str,
    document: &ExecutableDocument,
    place_of: impl Fn(&str) -> String,
) -> Result<(), ApiError> {
    let in_variables = || {
        let mut variables = variables.iter();
        variables.find_map(|(name, value)| in_const(value).map(|path| format!("{}{path}", place_of(name))))
    };
    // Most documents contain no escape, so most are not searched.
    let may_have_one = text.bytes().any(|byte| matches!(byte, 0 | b'\\'));
    match in_variables().or_else(|| may_have_one.then(|| in_document(document, &place_of)).flatten()) {
        None => Ok(()),
        Some(path) => Err(ApiError::bad_input(path, "strings cannot contain the character U+0000 (NUL)")),
    }
}

/// The path within `value` to a string with a U+0000.
fn in_const(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::List(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| in_const(item).map(|path| format!(".{index}{path}")))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            if name.contains('\0') { Some(String::new()) } else { in_const(value).map(|path| format!(".{name}{path}")) }
        }),
        Value::Null | Value::Number(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => None,
    }
}

fn in_document(document: &ExecutableDocument, place_of: &impl Fn(&str) -> String) -> Option<String> {
    let defaults = document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
    let mut defaults =
        defaults.filter_map(|variable| variable.node.default_value.as_ref().map(|value| (variable, value)));
    let in_default = defaults.find_map(|(variable, value)| {
        in_const(&value.node).map(|path| format!("{}{path}", place_of(&variable.node.name.node)))
    });
    let mut operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let mut fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    in_default.or_else(|| operations.find_map(in_selection_set)).or_else(|| fragments.find_map(in_selection_set))
}

fn in_selection_set(set: &SelectionSet) -> Option<String> {
    set.items.iter().find_map(|selection| match &selection.node {
        Selection::Field(field) => {
            let mut arguments = field.node.arguments.iter();
            let found = arguments.find_map(|(name, value)| {
                // The value of a variable was checked with the variables.
                let literal = value.node.clone().into_const_with::<()>(|_| Ok(Value::Null)).ok()?;
                in_const(&literal).map(|path| format!("{}{path}", name.node))
            });
            found.or_else(|| in_selection_set(&field.node.selection_set.node))
        }
        Selection::InlineFragment(fragment) => in_selection_set(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use serde_json::json;

    fn field(query: &str, variables: serde_json::Value) -> Option<String> {
        let variables = Variables::from_json(variables);
        refuse(&variables, query, &parse_query(query).unwrap(), |variable| format!("of.{variable}"))
            .err()
            .and_then(|error| error.field.as_deref().map(str::to_owned))
    }

    #[test]
    fn it_is_found_in_variables_wherever_it_stands() {
        let found = |variables| field("query($input: I) { a(input: $input) }", variables).unwrap();
        assert_eq!(found(json!({ "input": { "name": "a\0" } })), "of.input.name");
        assert_eq!(found(json!({ "input": { "names": ["a", ["\0"]] } })), "of.input.names.1.0");
        assert_eq!(found(json!({ "input": { "a\0": 1 } })), "of.input");
    }

    #[test]
    fn it_is_found_in_literals_wherever_they_stand() {
        let found = |query| field(query, json!({})).unwrap();
        assert_eq!(found(r#"{ a { b(name: "\u0000") } }"#), "name");
        assert_eq!(found(r#"{ a { ... on T { b(input: {names: ["x", "\u0000"]}) } } }"#), "input.names.1");
        assert_eq!(found(r#"{ ...F } fragment F on T { b(name: "\u0000") }"#), "name");
        assert_eq!(found(r#"query($v: String = "\u0000") { b(name: $v) }"#), "of.v");
    }

    #[test]
    fn other_text_passes() {
        let query = r#"query($v: String = "\\u0000") { a(b: "\u0001", c: "\\0", d: $v, e: 0) }"#;
        assert_eq!(field(query, json!({ "v": "\\u0000", "n": 0, "list": [null, true] })), None);
    }
}
