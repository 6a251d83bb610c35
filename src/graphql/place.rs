//! Where in an operation a variable is used: the path of the input that its value is for, such as `input.source.spec.image`.
//! Problems with the value are reported there, like those with a value that is part of the document.

use std::collections::HashSet;

use async_graphql::parser::types::{Directive, ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value;

/// The path of the first argument, in the order of the document, in which this operation uses the variable; `None` if it
/// does not use it. An argument of a directive starts with its name: `@include.if`.
pub fn of_variable(document: &ExecutableDocument, operation: &OperationDefinition, name: &str) -> Option<String> {
    let mut search = Search { document, name, seen: HashSet::new() };
    search.in_directives(&operation.directives).or_else(|| search.in_set(&operation.selection_set.node))
}

/// The name of an input field in a message: the last name of its path, and the indexes after it.
pub fn label(path: &str) -> &str {
    let is_index = |step: &str| step.bytes().all(|byte| byte.is_ascii_digit());
    let mut start = path.len();
    for step in path.rsplit('.') {
        start = start.saturating_sub(step.len());
        if !is_index(step) {
            break;
        }
        start = start.saturating_sub(1);
    }
    path.get(start..).unwrap_or(path)
}

struct Search<'a> {
    document: &'a ExecutableDocument,
    name: &'a str,
    /// The fragments that have been searched.
    seen: HashSet<&'a Name>,
}

impl<'a> Search<'a> {
    fn in_set(&mut self, set: &'a SelectionSet) -> Option<String> {
        set.items.iter().find_map(|selection| {
            let selection = &selection.node;
            let found = match selection {
                Selection::Field(field) => self.in_arguments(&field.node.arguments),
                Selection::InlineFragment(_) | Selection::FragmentSpread(_) => None,
            };
            found.or_else(|| self.in_directives(selection.directives())).or_else(|| match selection {
                Selection::Field(field) => self.in_set(&field.node.selection_set.node),
                Selection::InlineFragment(fragment) => self.in_set(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let (name, fragment) = self.document.fragments.get_key_value(&spread.node.fragment_name.node)?;
                    let is_new = self.seen.insert(name);
                    is_new.then(|| self.in_set(&fragment.node.selection_set.node)).flatten()
                }
            })
        })
    }

    fn in_directives(&self, directives: &[Positioned<Directive>]) -> Option<String> {
        directives.iter().find_map(|directive| {
            let path = self.in_arguments(&directive.node.arguments)?;
            Some(format!("@{}.{path}", directive.node.name.node))
        })
    }

    fn in_arguments(&self, arguments: &[(Positioned<Name>, Positioned<Value>)]) -> Option<String> {
        arguments.iter().find_map(|(name, value)| Some(format!("{}{}", name.node, self.in_value(&value.node)?)))
    }

    /// The rest of the path within a value.
    fn in_value(&self, value: &Value) -> Option<String> {
        match value {
            Value::Variable(name) => (name == self.name).then(String::new),
            Value::List(items) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(index, item)| Some(format!(".{index}{}", self.in_value(item)?)))
            }
            Value::Object(fields) => {
                fields.iter().find_map(|(name, value)| Some(format!(".{name}{}", self.in_value(value)?)))
            }
            Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Boolean(_)
            | Value::Binary(_)
            | Value::Enum(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    fn place(query: &str) -> Option<String> {
        let document = parse_query(query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        of_variable(&document, &operation.node, "v")
    }

    #[test]
    fn it_is_the_first_argument_that_the_variable_is_used_in() {
        let found = |query: &str| place(query).unwrap();
        assert_eq!(found("query($v: I) { a(b: 1, input: $v) c(d: $v) }"), "input");
        assert_eq!(found("query($v: I) { a { ... { b(in: {c: [1, {d: $v}]}) } } }"), "in.c.1.d");
        assert_eq!(found("query($v: I) { ...F } fragment F on T { a { ...F } b(c: $v) }"), "c");
        assert_eq!(found("query($v: I) { a @include(if: $v) { b } }"), "@include.if");
        assert_eq!(place("query($v: I) { a(b: $w, c: V) }"), None);
    }

    #[test]
    fn a_field_is_called_by_its_last_name_and_the_indexes_after_it() {
        for (path, named) in [
            ("input.source.spec.image", "image"),
            ("ids.3", "ids.3"),
            ("in.a.0.1", "a.0.1"),
            ("first", "first"),
            ("@include.if", "if"),
            ("7", "7"),
        ] {
            assert_eq!(label(path), named);
        }
    }
}
