//! Directives and arguments (specification, sections 5.4 and 5.7).

use async_graphql::parser::types::{Directive, DirectiveLocation};
use async_graphql::{Name, Pos, Positioned};
use async_graphql_value::Value;

use super::types::Inputs;
use super::{Scope, Validator, repeated};

type Arguments = [(Positioned<Name>, Positioned<Value>)];

impl<'a> Validator<'a> {
    pub(super) fn directives(
        &mut self,
        directives: &'a [Positioned<Directive>],
        location: DirectiveLocation,
        scope: &mut Scope<'a>,
    ) {
        for Positioned { pos, node: directive } in directives {
            let name = &directive.name.node;
            let Some(rule) = self.types.directive(name) else {
                let likely = self.likely(name, self.types.directive_names().map(Name::as_str));
                self.fault(format!("Unknown directive \"@{name}\".{likely}"), [*pos]);
                continue;
            };
            if !rule.locations.contains(&location) {
                self.fault(format!("Directive \"@{name}\" cannot be used on {}.", shown(location)), [*pos]);
            }
            self.arguments(&directive.arguments, &rule.arguments, &format!("directive \"@{name}\""), *pos, scope);
        }
        let names = directives.iter().map(|directive| (&directive.node.name.node, directive.pos));
        // None is repeatable: the library writes no such definition.
        for (name, first, again) in repeated(names) {
            if self.types.directive(name).is_some() {
                self.fault(format!("Directive \"@{name}\" can be used only once here."), [first, again]);
            }
        }
    }

    /// Checks the arguments of a field or a directive, which is named `of`.
    pub(super) fn arguments(
        &mut self,
        given: &'a Arguments,
        rules: &'a Inputs,
        of: &str,
        pos: Pos,
        scope: &mut Scope<'a>,
    ) {
        for (name, value) in given {
            match rules.get(&name.node) {
                Some(rule) => self.within(&name.node, |this| {
                    this.value(&value.node, &rule.ty, rule.has_default, value.pos, scope);
                }),
                None => {
                    let likely = self.likely(&name.node, rules.keys().map(Name::as_str));
                    let message = format!("Unknown argument \"{}\" on {of}.{likely}", name.node);
                    self.within(&name.node, |this| this.value_fault(message, name.pos));
                }
            }
        }
        for (name, first, again) in repeated(given.iter().map(|(name, _)| (&name.node, name.pos))) {
            self.fault(format!("There can be only one argument named \"{name}\"."), [first, again]);
        }
        let is_missing = |name: &Name| !given.iter().any(|(given, _)| given.node == *name);
        for (name, rule) in rules.iter().filter(|(name, rule)| rule.is_required() && is_missing(name)) {
            let message = format!("Argument \"{name}\" of type \"{}\" is required on {of}.", rule.ty);
            self.within(name, |this| this.value_fault(message, pos));
        }
    }
}

fn shown(location: DirectiveLocation) -> &'static str {
    match location {
        DirectiveLocation::Query => "a query",
        DirectiveLocation::Mutation => "a mutation",
        DirectiveLocation::Subscription => "a subscription",
        DirectiveLocation::Field => "a field",
        DirectiveLocation::FragmentDefinition => "a fragment definition",
        DirectiveLocation::FragmentSpread => "a fragment spread",
        DirectiveLocation::InlineFragment => "an inline fragment",
        DirectiveLocation::VariableDefinition => "a variable definition",
        DirectiveLocation::Schema
        | DirectiveLocation::Scalar
        | DirectiveLocation::Object
        | DirectiveLocation::FieldDefinition
        | DirectiveLocation::ArgumentDefinition
        | DirectiveLocation::Interface
        | DirectiveLocation::Union
        | DirectiveLocation::Enum
        | DirectiveLocation::EnumValue
        | DirectiveLocation::InputObject
        | DirectiveLocation::InputFieldDefinition => "a part of a schema",
    }
}
