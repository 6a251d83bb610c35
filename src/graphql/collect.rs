//! An operation as it is executed with certain variables (specification, sections 6.3.2, Collecting Fields, and 6.4.1,
//! Coercing Field Arguments).
//!
//! The executor executes a field as often as it is selected, even a mutation; it does not look into fragments for the
//! root field of a subscription; and it treats a variable that was not given, and an object with an empty selection, as
//! null. It is therefore given a selection in which each field occurs once, with everything that is selected below it,
//! and which does not contain skipped parts.

use std::collections::HashSet;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, InlineFragment, OperationDefinition, Selection,
    SelectionSet, TypeCondition,
};
use async_graphql::{Name, Pos, Positioned, Value as ConstValue, Variables};
use async_graphql_value::Value;

use super::validation::TypeSystem;

/// The response name of a placeholder that is selected if nothing else is: without any field the executor treats an
/// object as null. `graphql::shape` removes it from the response.
pub(super) const NOTHING: &str = "__nothing";

/// The maximum number of merged fields. Fragments may expand exponentially; what is beyond is executed as written.
const MOST_FIELDS: usize = 20_000;

/// A document that only contains this operation, as it is executed with these coerced variables.
pub fn collect(
    types: &TypeSystem,
    document: &ExecutableDocument,
    (name, operation): (Option<&Name>, &Positioned<OperationDefinition>),
    variables: &Variables,
) -> ExecutableDocument {
    let mut collection = Collection { types, document, variables, left: MOST_FIELDS };
    let written = &operation.node.selection_set;
    let selection_set = match types.root(operation.node.ty) {
        Some(root) => collection.selection_set(&[&written.node], root, written.pos),
        None => written.clone(),
    };
    let definition = OperationDefinition {
        ty: operation.node.ty,
        variable_definitions: operation.node.variable_definitions.clone(),
        directives: Vec::new(),
        selection_set,
    };
    let definition = Positioned::new(definition, operation.pos);
    let operations = match name {
        Some(name) => DocumentOperations::Multiple([(name.clone(), definition)].into()),
        None => DocumentOperations::Single(definition),
    };
    let fragments = if collection.left == 0 { document.fragments.clone() } else { Default::default() };
    ExecutableDocument { operations, fragments }
}

struct Collection<'a> {
    types: &'a TypeSystem,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    left: usize,
}

/// The selection on an object, in order.
#[derive(Default)]
struct Collected<'a> {
    /// By response name.
    fields: IndexMap<&'a Name, Vec<&'a Positioned<Field>>>,
    /// By the narrower type that the object must have.
    narrower: IndexMap<&'a Name, Vec<&'a SelectionSet>>,
    spread: HashSet<&'a Name>,
}

impl<'a> Collection<'a> {
    /// The merged selection of all these sets on an object of type `on`.
    fn selection_set(&mut self, sets: &[&'a SelectionSet], on: &'a Name, pos: Pos) -> Positioned<SelectionSet> {
        if self.left == 0 {
            let items = sets.iter().flat_map(|set| &set.items).cloned().collect();
            return Positioned::new(SelectionSet { items }, pos);
        }
        let mut collected = Collected::default();
        sets.iter().for_each(|set| self.collect_from(set, on, &mut collected));
        self.left = self.left.saturating_sub(collected.fields.len());
        let mut items = Vec::with_capacity(collected.fields.len() + collected.narrower.len() + 1);
        if collected.fields.is_empty() {
            items.push(nothing(pos));
        }
        for fields in collected.fields.into_values() {
            items.extend(self.field(&fields, on));
        }
        for (narrower, sets) in collected.narrower {
            let condition = TypeCondition { on: Positioned::new(narrower.clone(), pos) };
            let fragment = InlineFragment {
                type_condition: Some(Positioned::new(condition, pos)),
                directives: Vec::new(),
                selection_set: self.selection_set(&sets, narrower, pos),
            };
            items.push(Positioned::new(Selection::InlineFragment(Positioned::new(fragment, pos)), pos));
        }
        Positioned::new(SelectionSet { items }, pos)
    }

    fn collect_from(&self, set: &'a SelectionSet, on: &'a Name, collected: &mut Collected<'a>) {
        for selection in set.items.iter().map(|selection| &selection.node) {
            if !self.is_selected(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    collected.fields.entry(&field.node.response_key().node).or_default().push(field);
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    self.fragment(condition, &fragment.node.selection_set.node, on, collected);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && collected.spread.insert(name)
                    {
                        let condition = Some(&fragment.node.type_condition.node.on.node);
                        self.fragment(condition, &fragment.node.selection_set.node, on, collected);
                    }
                }
            }
        }
    }

    fn fragment(
        &self,
        condition: Option<&'a Name>,
        set: &'a SelectionSet,
        on: &'a Name,
        collected: &mut Collected<'a>,
    ) {
        match condition {
            Some(condition) if !self.types.covers(condition, on) => {
                if self.types.overlap(condition, on) {
                    collected.narrower.entry(condition).or_default().push(set);
                }
            }
            Some(_) | None => self.collect_from(set, on, collected),
        }
    }

    /// A single field with the merged selections of all of these, which are the same field.
    fn field(&mut self, fields: &[&'a Positioned<Field>], on: &'a Name) -> Option<Positioned<Selection>> {
        let Positioned { pos, node: first } = fields.first()?;
        let arguments = first.arguments.iter().filter_map(|(name, value)| {
            let given = self.given(&value.node)?;
            Some((name.clone(), Positioned::new(given, value.pos)))
        });
        let arguments = arguments.collect();
        let sets: Vec<&SelectionSet> = fields.iter().map(|field| &field.node.selection_set.node).collect();
        let place = first.selection_set.pos;
        let returned = self.types.returned(on, &first.name.node);
        let selection_set = match returned.filter(|_| sets.iter().any(|set| !set.items.is_empty())) {
            Some(returned) => self.selection_set(&sets, returned, place),
            None => first.selection_set.clone(),
        };
        let others = |directive: &&Positioned<Directive>| !is_condition(&directive.node);
        let field = Field {
            alias: first.alias.clone(),
            name: first.name.clone(),
            arguments,
            directives: first.directives.iter().filter(others).cloned().collect(),
            selection_set,
        };
        Some(Positioned::new(Selection::Field(Positioned::new(field, *pos)), *pos))
    }

    /// The value without variables that were not given; `None` if it is such a variable itself.
    fn given(&self, value: &Value) -> Option<Value> {
        Some(match value {
            Value::Variable(name) => return self.variables.contains_key(name).then(|| value.clone()),
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.given(item).unwrap_or(Value::Null)).collect())
            }
            Value::Object(fields) => {
                let given = fields.iter().filter_map(|(name, value)| Some((name.clone(), self.given(value)?)));
                Value::Object(given.collect())
            }
            other => other.clone(),
        })
    }

    fn is_selected(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().map(|directive| &directive.node).filter(|directive| is_condition(directive)).all(
            |directive| {
                let given = directive.get_argument("if").map(|value| &value.node);
                let holds = match given {
                    Some(Value::Boolean(holds)) => *holds,
                    Some(Value::Variable(name)) => self.variables.get(name) == Some(&ConstValue::Boolean(true)),
                    // Validation has rejected it.
                    _ => false,
                };
                holds == (directive.name.node == "include")
            },
        )
    }
}

fn nothing(pos: Pos) -> Positioned<Selection> {
    let field = Field {
        alias: Some(Positioned::new(Name::new(NOTHING), pos)),
        name: Positioned::new(Name::new("__typename"), pos),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet::default(), pos),
    };
    Positioned::new(Selection::Field(Positioned::new(field, pos)), pos)
}

fn is_condition(directive: &Directive) -> bool {
    matches!(directive.name.node.as_str(), "skip" | "include")
}

#[cfg(test)]
#[path = "collect_tests.rs"]
mod tests;
