//! The lengths of the lists in the input of an operation: IDs, phases, arguments of a program.

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Value, Variables};

/// The number of items of input lists that together cost a point.
const ITEMS_A_POINT: u64 = 10;

/// The lists in the variables and the literals of an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct InputLists {
    /// The number of items in the longest list.
    pub longest: u64,
    items: u64,
}

impl InputLists {
    /// Those in variables.
    pub fn of_variables(variables: &Variables) -> Self {
        variables.values().map(Self::of_value).fold(Self::default(), Self::and)
    }

    /// Those in the text of a document.
    pub fn of_document(document: &ExecutableDocument) -> Self {
        let operations = document.operations.iter().map(|(_, operation)| &operation.node);
        let defaults = operations.clone().flat_map(|operation| &operation.variable_definitions);
        let defaults = defaults.filter_map(|variable| variable.node.default_value.as_ref());
        let defaults = defaults.map(|value| Self::of_value(&value.node));
        let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
        let selections = operations.map(|operation| &operation.selection_set.node).chain(fragments);
        defaults.chain(selections.map(Self::of_selection)).fold(Self::default(), Self::and)
    }

    /// The points for all of them.
    pub fn cost(self) -> u64 {
        self.items / ITEMS_A_POINT
    }

    /// Both combined.
    pub fn and(self, other: Self) -> Self {
        Self { longest: self.longest.max(other.longest), items: self.items.saturating_add(other.items) }
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::List(items) => {
                let this = Self { longest: items.len() as u64, items: items.len() as u64 };
                items.iter().map(Self::of_value).fold(this, Self::and)
            }
            Value::Object(fields) => fields.values().map(Self::of_value).fold(Self::default(), Self::and),
            Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Boolean(_)
            | Value::Binary(_)
            | Value::Enum(_) => Self::default(),
        }
    }

    fn of_selection(set: &SelectionSet) -> Self {
        let of_item = |selection: &Selection| match selection {
            Selection::Field(field) => {
                // The value of a variable is counted with the variables.
                let literals = field
                    .node
                    .arguments
                    .iter()
                    .filter_map(|(_, value)| value.node.clone().into_const_with::<()>(|_| Ok(Value::Null)).ok());
                let below = Self::of_selection(&field.node.selection_set.node);
                literals.map(|literal| Self::of_value(&literal)).fold(below, Self::and)
            }
            Selection::InlineFragment(fragment) => Self::of_selection(&fragment.node.selection_set.node),
            Selection::FragmentSpread(_) => Self::default(),
        };
        set.items.iter().map(|selection| of_item(&selection.node)).fold(Self::default(), Self::and)
    }
}
