//! Fields and fragments within selection sets (specification, sections 5.3 and 5.5.2).

use async_graphql::parser::types::{DirectiveLocation, Field, Selection, SelectionSet};
use async_graphql::{Name, Pos, Positioned};

use super::types::named;
use super::{Scope, Validator, likely};

impl<'a> Validator<'a> {
    /// Checks the selections on the composite type `on`.
    pub(super) fn selection_set(&mut self, set: &'a SelectionSet, on: &'a Name, scope: &mut Scope<'a>) {
        scope.level += 1;
        scope.deepest = scope.deepest.max(scope.level);
        self.selections(set, on, scope);
        scope.level -= 1;
    }

    fn selections(&mut self, set: &'a SelectionSet, on: &'a Name, scope: &mut Scope<'a>) {
        let is_sure = |selection: &Selection| {
            let conditional = |name: &str| matches!(name, "skip" | "include");
            matches!(selection, Selection::Field(_))
                && !selection.directives().iter().any(|directive| conditional(&directive.node.name.node))
        };
        self.may_select_nothing |= !set.items.iter().any(|selection| is_sure(&selection.node));
        for Positioned { pos, node: selection } in &set.items {
            match selection {
                Selection::Field(field) => self.field(field, on, scope),
                Selection::InlineFragment(Positioned { node: fragment, .. }) => {
                    self.directives(&fragment.directives, DirectiveLocation::InlineFragment, scope);
                    let inner = match &fragment.type_condition {
                        None => on,
                        Some(condition) => {
                            let condition = &condition.node.on;
                            if !self.is_condition(condition, None) {
                                continue;
                            }
                            self.can_be_spread(None, &condition.node, on, *pos);
                            &condition.node
                        }
                    };
                    self.selection_set(&fragment.selection_set.node, inner, scope);
                }
                Selection::FragmentSpread(Positioned { node: spread, .. }) => {
                    self.directives(&spread.directives, DirectiveLocation::FragmentSpread, scope);
                    let name = &spread.fragment_name.node;
                    scope.spreads.push((name, spread.fragment_name.pos, scope.level));
                    match self.document.fragments.get(name) {
                        None => {
                            let names = self.document.fragments.keys().map(Name::as_str);
                            let likely = self.likely(name, names);
                            self.fault(format!("Unknown fragment \"{name}\".{likely}"), [spread.fragment_name.pos]);
                        }
                        Some(fragment) => {
                            let condition = &fragment.node.type_condition.node.on.node;
                            if self.types.is_composite(condition) {
                                self.can_be_spread(Some(name), condition, on, *pos);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Reports a fragment that can never apply.
    fn can_be_spread(&mut self, fragment: Option<&Name>, condition: &Name, on: &Name, pos: Pos) {
        if self.types.overlap(condition, on) {
            return;
        }
        let what = fragment.map_or_else(|| "This fragment".to_owned(), |name| format!("Fragment \"{name}\""));
        let message =
            format!("{what} cannot be spread here: an object of type \"{on}\" is never of type \"{condition}\".");
        self.fault(message, [pos]);
    }

    fn field(&mut self, field: &'a Positioned<Field>, on: &'a Name, scope: &mut Scope<'a>) {
        let Positioned { pos, node: field } = field;
        self.directives(&field.directives, DirectiveLocation::Field, scope);
        let name = &field.name.node;
        let Some(rule) = self.types.field(on, name) else {
            let likely = self.likely_field(name, on);
            return self.fault(format!("Cannot query field \"{name}\" on type \"{on}\".{likely}"), [*pos]);
        };
        self.arguments(&field.arguments, &rule.arguments, &format!("field \"{on}.{name}\""), *pos, scope);
        let (returned, set) = (named(&rule.ty), &field.selection_set);
        match (self.types.is_composite(returned), set.node.items.is_empty()) {
            (true, false) => self.selection_set(&set.node, returned, scope),
            (false, true) => {}
            (true, true) => {
                let message = format!("Field \"{name}\" of type \"{}\" must have a selection of subfields.", rule.ty);
                self.fault(message, [*pos]);
            }
            (false, false) => {
                let message = format!("Field \"{name}\" of type \"{}\" has no subfields to select.", rule.ty);
                self.fault(message, [set.pos]);
            }
        }
    }

    fn likely_field(&self, name: &str, on: &Name) -> String {
        if !self.types.is_object(on) {
            let mut having: Vec<&str> = self.types.type_names().map(Name::as_str).collect();
            having.retain(|other| self.types.is_object(other) && self.types.covers(on, other));
            having.retain(|other| self.types.field(other, name).is_some());
            having.sort_unstable();
            having.truncate(3);
            if !having.is_empty() {
                return likely::one_of(having).replacen("Did you mean", "Did you mean to use an inline fragment on", 1);
            }
        }
        let fields = self.types.fields(on).into_iter().flatten().map(|(name, _)| name.as_str());
        self.likely(name, fields)
    }
}
