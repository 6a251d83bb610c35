//! Variables where they are used (specification, sections 5.8.3 to 5.8.5).

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{BaseType, OperationDefinition, Type, VariableDefinition};
use async_graphql::{Name, Positioned, Value};

use super::fragments::reach;
use super::{Scope, Scopes, Usage, Validator};

/// The number of variable usages that are checked per document: each operation checks all fragments that it uses.
const MOST_LOOKS: usize = 1_000_000;

impl<'a> Validator<'a> {
    pub(super) fn variables(&mut self, scopes: &Scopes<'a>) {
        let by_name: HashMap<&Name, &Scope<'a>> =
            scopes.fragments.iter().map(|(name, _, scope)| (*name, scope)).collect();
        let mut looks = 0_usize;
        for (name, operation, scope) in &scopes.operations {
            let mut used = HashSet::new();
            reach(scope, &by_name, &mut used);
            let fragments = used.iter().filter_map(|name| by_name.get(name).copied());
            let usages: Vec<&Usage<'a>> =
                std::iter::once(scope).chain(fragments).flat_map(|scope| &scope.variables).collect();
            looks = looks.saturating_add(usages.len()).saturating_add(used.len());
            if looks > MOST_LOOKS {
                return self.too_complex("uses of variables", MOST_LOOKS);
            }
            self.usages(*name, operation, &usages);
        }
    }

    fn usages(
        &mut self,
        operation_name: Option<&Name>,
        operation: &'a Positioned<OperationDefinition>,
        usages: &[&Usage<'a>],
    ) {
        let of = operation_name.map_or_else(|| "the operation".to_owned(), |name| format!("operation \"{name}\""));
        let definitions =
            operation.node.variable_definitions.iter().map(|definition| (&definition.node.name.node, definition));
        let definitions: HashMap<&Name, &Positioned<VariableDefinition>> = definitions.collect();
        let mut used = HashSet::new();
        for usage in usages {
            let name = usage.name;
            used.insert(name);
            let Some(definition) = definitions.get(name) else {
                self.fault(format!("Variable \"${name}\" is not defined by {of}."), [usage.pos]);
                continue;
            };
            let ty = &definition.node.var_type.node;
            if usage.one_of && ty.nullable {
                let message = format!(
                    "Variable \"${name}\" of type \"{ty}\" must not be nullable here: exactly one field of the input object is given."
                );
                self.usage_fault(message, definition.pos, usage);
            }
            if let Some(expected) = usage.expected
                && !may_stand(&definition.node, usage, expected)
            {
                let message =
                    format!("Variable \"${name}\" of type \"{ty}\" is used where \"{expected}\" is expected.");
                self.usage_fault(message, definition.pos, usage);
            }
        }
        for definition in operation.node.variable_definitions.iter().filter(|one| !used.contains(&one.node.name.node)) {
            self.fault(format!("Variable \"${}\" is never used in {of}.", definition.node.name.node), [definition.pos]);
        }
    }
}

/// `IsVariableUsageAllowed` of the specification.
fn may_stand(definition: &VariableDefinition, usage: &Usage<'_>, expected: &Type) -> bool {
    let ty = &definition.var_type.node;
    if expected.nullable || !ty.nullable {
        return fits(ty, expected);
    }
    let default = definition.default_value.as_ref().map(|default| &default.node);
    let is_never_null = usage.has_default || default.is_some_and(|default| *default != Value::Null);
    is_never_null && base_fits(&ty.base, &expected.base)
}

/// `AreTypesCompatible` of the specification.
fn fits(ty: &Type, expected: &Type) -> bool {
    (expected.nullable || !ty.nullable) && base_fits(&ty.base, &expected.base)
}

fn base_fits(base: &BaseType, expected: &BaseType) -> bool {
    match (base, expected) {
        (BaseType::Named(name), BaseType::Named(expected)) => name == expected,
        (BaseType::List(item), BaseType::List(expected)) => fits(item, expected),
        (BaseType::Named(_), BaseType::List(_)) | (BaseType::List(_), BaseType::Named(_)) => false,
    }
}
