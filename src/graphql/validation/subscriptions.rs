//! A subscription has one root field (specification, section 5.2.4.1, Single Root Field), whatever its variables are.

use std::collections::HashSet;

use async_graphql::parser::types::{Directive, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Pos, Positioned};

use super::Validator;

/// The root selections of a subscription.
#[derive(Default)]
struct Root<'a> {
    /// Fields, by response name.
    fields: Vec<(&'a Name, &'a Name, Pos)>,
    conditions: Vec<(&'a Name, Pos)>,
    seen: HashSet<&'a Name>,
}

impl<'a> Validator<'a> {
    pub(super) fn subscriptions(&mut self) {
        for (name, operation) in self.document.operations.iter() {
            if operation.node.ty != OperationType::Subscription {
                continue;
            }
            let what = name.map_or_else(|| "A subscription".to_owned(), |name| format!("Subscription \"{name}\""));
            let mut root = Root::default();
            self.root(&operation.node.selection_set.node, &mut root);
            for (directive, pos) in &root.conditions {
                self.fault(
                    format!("{what} must not use \"@{directive}\" on what it selects at the top level."),
                    [*pos],
                );
            }
            let first = root.fields.first().map(|(key, ..)| *key);
            let others: Vec<Pos> =
                root.fields.iter().filter(|(key, ..)| Some(*key) != first).map(|field| field.2).collect();
            if !others.is_empty() {
                self.fault(format!("{what} must select only one top level field."), others);
            } else if let Some((_, field, pos)) = root.fields.iter().find(|(_, field, _)| field.starts_with("__")) {
                self.fault(format!("{what} must not select \"{field}\" as its top level field."), [*pos]);
            }
        }
    }

    fn root(&self, set: &'a SelectionSet, root: &mut Root<'a>) {
        for selection in &set.items {
            root.note(selection.node.directives());
            match &selection.node {
                Selection::Field(field) => {
                    let (key, name) = (&field.node.response_key().node, &field.node.name.node);
                    root.fields.push((key, name, field.pos));
                }
                Selection::InlineFragment(fragment) => self.root(&fragment.node.selection_set.node, root),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && root.seen.insert(name)
                    {
                        self.root(&fragment.node.selection_set.node, root);
                    }
                }
            }
        }
    }
}

impl<'a> Root<'a> {
    fn note(&mut self, directives: &'a [Positioned<Directive>]) {
        let names = directives.iter().map(|directive| (&directive.node.name.node, directive.pos));
        self.conditions.extend(names.filter(|(name, _)| matches!(name.as_str(), "skip" | "include")));
    }
}
