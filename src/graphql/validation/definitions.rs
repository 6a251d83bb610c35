//! Operations, their variables, and fragments (specification, sections 5.2, 5.5.1 and 5.8).

use async_graphql::parser::types::{
    DirectiveLocation, FragmentDefinition, OperationDefinition, OperationType, VariableDefinition,
};
use async_graphql::{Name, Positioned};

use super::types::{TypeRule, named};
use super::{Scope, Scopes, Validator, field_of, repeated};
use crate::graphql::place;

impl<'a> Validator<'a> {
    /// Checks each definition by itself.
    pub(super) fn definitions(&mut self) -> Scopes<'a> {
        let document = self.document;
        let mut operations: Vec<_> = document.operations.iter().collect();
        operations.sort_by_key(|(_, operation)| (operation.pos.line, operation.pos.column));
        let mut fragments: Vec<_> = document.fragments.iter().collect();
        fragments.sort_by_key(|(_, fragment)| (fragment.pos.line, fragment.pos.column));
        let operations = operations.into_iter().map(|(name, operation)| (name, operation, self.operation(operation)));
        let operations = operations.collect();
        let fragments = fragments.into_iter().map(|(name, fragment)| (name, fragment, self.fragment(name, fragment)));
        Scopes { operations, fragments: fragments.collect() }
    }

    fn operation(&mut self, operation: &'a Positioned<OperationDefinition>) -> Scope<'a> {
        let mut scope = Scope::default();
        let (pos, operation) = (operation.pos, &operation.node);
        let location = match operation.ty {
            OperationType::Query => DirectiveLocation::Query,
            OperationType::Mutation => DirectiveLocation::Mutation,
            OperationType::Subscription => DirectiveLocation::Subscription,
        };
        let names = operation.variable_definitions.iter().map(|variable| (&variable.node.name.node, variable.pos));
        for (name, first, again) in repeated(names) {
            self.fault(format!("There can be only one variable named \"${name}\"."), [first, again]);
        }
        for variable in &operation.variable_definitions {
            self.variable_definition(&variable.node, operation, &mut scope);
        }
        self.directives(&operation.directives, location, &mut scope);
        match self.types.root(operation.ty) {
            Some(root) => self.selection_set(&operation.selection_set.node, root, &mut scope),
            None => {
                let what = match operation.ty {
                    OperationType::Query => "queries",
                    OperationType::Mutation => "mutations",
                    OperationType::Subscription => "subscriptions",
                };
                self.fault(format!("The schema has no {what}."), [pos]);
            }
        }
        scope
    }

    fn variable_definition(
        &mut self,
        variable: &'a VariableDefinition,
        operation: &OperationDefinition,
        scope: &mut Scope<'a>,
    ) {
        let ty = &variable.var_type;
        let name = named(&ty.node);
        match self.types.rule(name) {
            None => self.unknown_type(name, ty.pos),
            Some(TypeRule::Composite { .. }) => {
                let variable = &variable.name.node;
                self.fault(
                    format!("Variable \"${variable}\" cannot be of type \"{}\", which is not an input type.", ty.node),
                    [ty.pos],
                );
            }
            Some(TypeRule::Scalar(_) | TypeRule::Enum(_) | TypeRule::Input { .. }) => {
                if let Some(default) = &variable.default_value {
                    let before = self.faults.len();
                    self.constant(&default.node, &ty.node, default.pos);
                    self.move_to_use(before, &variable.name.node, operation);
                }
            }
        }
        self.directives(&variable.directives, DirectiveLocation::VariableDefinition, scope);
    }

    /// The faults of a default value are in the field that the variable is used for.
    fn move_to_use(&mut self, first: usize, variable: &Name, operation: &OperationDefinition) {
        let Some(faults) = self.faults.get_mut(first..).filter(|faults| !faults.is_empty()) else { return };
        let used = place::of_variable(self.document, operation, variable);
        let used = used.unwrap_or_else(|| format!("variables.{variable}"));
        for fault in faults {
            let field = match field_of(fault) {
                Some(inside) if !inside.is_empty() => format!("{used}.{inside}"),
                _ => used.clone(),
            };
            fault.extensions.get_or_insert_default().set("field", field);
        }
    }

    fn fragment(&mut self, name: &'a Name, fragment: &'a Positioned<FragmentDefinition>) -> Scope<'a> {
        let mut scope = Scope::default();
        let fragment = &fragment.node;
        self.directives(&fragment.directives, DirectiveLocation::FragmentDefinition, &mut scope);
        let on = &fragment.type_condition.node.on;
        if self.is_condition(on, Some(name)) {
            self.selection_set(&fragment.selection_set.node, &on.node, &mut scope);
        }
        scope
    }

    /// Whether a fragment is possible on this type; if not, that is reported.
    pub(super) fn is_condition(&mut self, on: &'a Positioned<Name>, fragment: Option<&Name>) -> bool {
        match self.types.rule(&on.node) {
            None => self.unknown_type(&on.node, on.pos),
            Some(TypeRule::Composite { .. }) => return true,
            Some(_) => {
                let what = fragment.map_or_else(|| "A fragment".to_owned(), |name| format!("Fragment \"{name}\""));
                let message =
                    format!("{what} cannot be on \"{}\", which is not an object, an interface or a union.", on.node);
                self.fault(message, [on.pos]);
            }
        }
        false
    }

    fn unknown_type(&mut self, name: &Name, pos: async_graphql::Pos) {
        let likely = self.likely(name, self.types.type_names().map(Name::as_str));
        self.fault(format!("Unknown type \"{name}\".{likely}"), [pos]);
    }
}
