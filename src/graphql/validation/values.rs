//! Values in a document (specification, section 5.6).

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{BaseType, Type};
use async_graphql::{Name, Number, Pos};
use async_graphql_value::{ConstValue, Value};

use super::types::{InputRule, Inputs, Scalar, TypeRule};
use super::{Scope, Usage, Validator};

/// The kind of a value in a document, as seen by a scalar.
enum Literal<'v> {
    Number(&'v Number),
    String,
    Boolean,
    Other,
}

impl<'a> Validator<'a> {
    /// Checks a value where a `ty` is expected.
    pub(super) fn value<'v>(
        &mut self,
        value: &'v Value,
        ty: &'v Type,
        has_default: bool,
        pos: Pos,
        scope: &mut Scope<'v>,
    ) where
        'a: 'v,
    {
        match (value, &ty.base) {
            (Value::Variable(name), _) => {
                let field = self.at.join(".");
                scope.variables.push(Usage { name, pos, expected: Some(ty), has_default, one_of: false, field });
            }
            (Value::Null, _) if ty.nullable => {}
            (Value::Null, _) => self.unexpected(ty, value, pos),
            (Value::List(items), BaseType::List(item)) => {
                for (index, value) in items.iter().enumerate() {
                    self.within(index, |this| this.value(value, item, false, pos, scope));
                }
            }
            // A single item is coerced to a list.
            (_, BaseType::List(item)) => self.value(value, item, false, pos, scope),
            (_, BaseType::Named(name)) => match self.types.rule(name) {
                Some(TypeRule::Input { fields, one_of }) => match value {
                    Value::Object(given) => self.input_object(given, (name, fields, *one_of), pos, scope),
                    _ => self.unexpected(ty, value, pos),
                },
                Some(TypeRule::Enum(values)) => self.enum_value(value, name, ty, values, pos),
                Some(TypeRule::Scalar(scalar)) => {
                    if !scalar.takes(&Literal::of(value)) {
                        self.unexpected(ty, value, pos);
                    }
                    within_scalar(value, pos, scope);
                }
                Some(TypeRule::Composite { .. }) | None => self.unexpected(ty, value, pos),
            },
        }
    }

    fn input_object<'v>(
        &mut self,
        given: &'v IndexMap<Name, Value>,
        (name, fields, one_of): (&Name, &'a Inputs, bool),
        pos: Pos,
        scope: &mut Scope<'v>,
    ) where
        'a: 'v,
    {
        for (field, value) in given {
            let Some(rule) = fields.get(field) else {
                let likely = self.likely_input(field, fields);
                let message = format!("Field \"{field}\" is not defined by type \"{name}\".{likely}");
                self.within(field, |this| this.value_fault(message, pos));
                continue;
            };
            match value {
                Value::Variable(name) => self.within(field, |this| {
                    let InputRule { ty, has_default } = rule;
                    let field = this.at.join(".");
                    let usage = Usage { name, pos, expected: Some(ty), has_default: *has_default, one_of, field };
                    scope.variables.push(usage);
                }),
                _ => self.within(field, |this| this.value(value, &rule.ty, rule.has_default, pos, scope)),
            }
        }
        for (field, rule) in fields.iter().filter(|(field, rule)| rule.is_required() && !given.contains_key(*field)) {
            let message = format!("Field \"{field}\" of type \"{}\" is required by type \"{name}\".", rule.ty);
            self.within(field, |this| this.value_fault(message, pos));
        }
        if one_of && given.len() != 1 {
            self.value_fault(format!("Exactly one field must be given of type \"{name}\"."), pos);
        }
        if one_of && let Some((field, _)) = given.iter().find(|(_, value)| **value == Value::Null) {
            let message = format!("Field \"{field}\" of type \"{name}\" must not be null.");
            self.within(field, |this| this.value_fault(message, pos));
        }
    }

    fn enum_value(&mut self, value: &Value, name: &Name, ty: &Type, values: &[Name], pos: Pos) {
        match value {
            Value::Enum(given) if values.contains(given) => {}
            Value::Enum(given) => {
                let likely = self.likely(given, values.iter().map(Name::as_str));
                self.value_fault(format!("Value \"{given}\" does not exist in enum \"{name}\".{likely}"), pos);
            }
            _ => self.unexpected(ty, value, pos),
        }
    }

    fn unexpected(&mut self, ty: &Type, value: &Value, pos: Pos) {
        let shown = value.to_string();
        let start: String = shown.chars().take(80).collect();
        let more = if start.len() < shown.len() { "…" } else { "" };
        self.value_fault(format!("Expected a value of type \"{ty}\", found {start}{more}."), pos);
    }

    /// Checks a default value, which contains no variables.
    pub(super) fn constant(&mut self, value: &ConstValue, ty: &Type, pos: Pos) {
        let value = value.clone().into_value();
        self.value(&value, ty, false, pos, &mut Scope::default());
    }
}

/// Records the variables within a value whose format only a resolver knows.
fn within_scalar<'a>(value: &'a Value, pos: Pos, scope: &mut Scope<'a>) {
    match value {
        Value::Variable(name) => {
            let field = String::new();
            scope.variables.push(Usage { name, pos, expected: None, has_default: false, one_of: false, field });
        }
        Value::List(items) => items.iter().for_each(|item| within_scalar(item, pos, scope)),
        Value::Object(fields) => fields.values().for_each(|field| within_scalar(field, pos, scope)),
        _ => {}
    }
}

impl<'v> Literal<'v> {
    fn of(value: &'v Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(number),
            Value::String(_) => Self::String,
            Value::Boolean(_) => Self::Boolean,
            _ => Self::Other,
        }
    }
}

impl Scalar {
    fn takes(self, literal: &Literal<'_>) -> bool {
        match (self, literal) {
            (Self::Custom, _)
            | (Self::String | Self::Id, Literal::String)
            | (Self::Boolean, Literal::Boolean)
            | (Self::Float, Literal::Number(_)) => true,
            (Self::Int, Literal::Number(number)) => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            // A whole number of more than 64 bits is kept as a float.
            (Self::Id, Literal::Number(number)) => {
                !number.is_f64() || number.as_f64().is_some_and(|number| number.abs() >= 2_f64.powi(63))
            }
            _ => false,
        }
    }
}
