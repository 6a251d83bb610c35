//! Coerces the values of variables, as an operation declares them (specification, section 6.1.2, Coercing Variable
//! Values).
//!
//! JSON has a single number type, so `1.0` and `1e1` are whole numbers. It has no IDs or enum values, and a single item
//! may stand for a list. If an object has a duplicate key, the last one counts, as in most JSON parsers.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{BaseType, Type, VariableDefinition};
use async_graphql::{Name, Number, Positioned, Value, Variables};

use super::names::shown;
use super::validation::{InputRule, Inputs, Scalar, TypeRule, TypeSystem, did_you_mean, input_field};
use super::{place, scalars};
use crate::error::{ApiError, ApiErrors};

/// The maximum number of problems that are reported.
const PROBLEMS_TOLD: usize = 50;

/// The value of each variable that has one: given or by default. `place_of` is the path of the input that a variable is
/// for.
///
/// # Errors
/// `BAD_USER_INPUT` for each value that does not match the declared type of its variable, with its path: `input.name`.
/// With them, values are reported that a scalar does not accept; alone, those are reported where they are used.
pub fn coerce(
    types: &TypeSystem,
    declared: &[Positioned<VariableDefinition>],
    mut given: Variables,
    place_of: impl Fn(&str) -> String,
) -> Result<Variables, ApiErrors> {
    let mut coercion = Coercion { types, variable: Name::new(""), path: Vec::new(), problems: Vec::new(), found: 0 };
    let mut coerced = Variables::default();
    for definition in declared.iter().map(|definition| &definition.node) {
        let (name, ty) = (&definition.name.node, &definition.var_type.node);
        coercion.variable = name.clone();
        let value = match (given.remove(name), &definition.default_value) {
            (Some(value), _) => coercion.value(value, ty),
            // Checked by validation.
            (None, Some(default)) => Some(as_list(default.node.clone(), ty)),
            (None, None) if ty.nullable => continue,
            (None, None) => coercion.refuse(format!("is required (variable ${name}: {ty})")),
        };
        if let Some(value) = value {
            coerced.insert(name.clone(), value);
        }
    }
    if coercion.found == 0 {
        return Ok(coerced);
    }
    Err(ApiErrors(coercion.problems.into_iter().map(|problem| problem.told(&place_of)).collect()))
}

/// What is wrong with a value.
struct Problem {
    variable: Name,
    /// The path within the variable.
    path: Vec<String>,
    /// A sentence that follows the name of the field.
    what: String,
}

impl Problem {
    fn told(self, place_of: impl Fn(&str) -> String) -> ApiError {
        let mut field = place_of(&self.variable);
        for step in &self.path {
            field.push('.');
            field.push_str(step);
        }
        let message = format!("{} {}", place::label(&field), self.what);
        ApiError::bad_input(field, message).in_variable(&self.variable)
    }
}

/// A value that may stand for a list of one item, as a list.
fn as_list(value: Value, ty: &Type) -> Value {
    match (&ty.base, value) {
        (_, Value::Null) => Value::Null,
        (BaseType::List(item), Value::List(items)) => {
            Value::List(items.into_iter().map(|value| as_list(value, item)).collect())
        }
        (BaseType::List(item), value) => Value::List(vec![as_list(value, item)]),
        (BaseType::Named(_), value) => value,
    }
}

/// The values of one operation's variables.
struct Coercion<'a> {
    types: &'a TypeSystem,
    variable: Name,
    /// The current position in the value: fields and list indexes.
    path: Vec<String>,
    /// The first problems, including values that a scalar does not accept.
    problems: Vec<Problem>,
    /// The number of all values that do not match their type.
    found: usize,
}

impl Coercion<'_> {
    /// The value as a `ty`; otherwise records what is wrong with it.
    fn value(&mut self, value: Value, ty: &Type) -> Option<Value> {
        if value == Value::Null {
            return match ty.nullable {
                true => Some(Value::Null),
                false => self.refuse("was null; a value is required"),
            };
        }
        match (&ty.base, value) {
            (BaseType::List(item), Value::List(items)) => {
                let items = items.into_iter().enumerate();
                let items: Vec<_> = items.map(|(index, value)| self.within(index, value, item)).collect();
                items.into_iter().collect::<Option<_>>().map(Value::List)
            }
            (BaseType::List(item), value) => Some(Value::List(vec![self.value(value, item)?])),
            (BaseType::Named(name), value) => match self.types.rule(name) {
                Some(TypeRule::Scalar(scalar)) => self.scalar(value, *scalar, name),
                Some(TypeRule::Enum(values)) => self.enum_value(value, name, values),
                Some(TypeRule::Input { fields, one_of }) => match value {
                    Value::Object(given) => self.input_object(given, name, fields, *one_of),
                    other => self.invalid(&other, format!("it must be an object ({name})")),
                },
                // Validation rejects such a variable.
                Some(TypeRule::Composite { .. }) | None => self.refuse(format!("cannot be a {name}")),
            },
        }
    }

    fn within(&mut self, at: impl ToString, value: Value, ty: &Type) -> Option<Value> {
        self.path.push(cut(&at.to_string()));
        let value = self.value(value, ty);
        self.path.pop();
        value
    }

    fn scalar(&mut self, value: Value, scalar: Scalar, name: &Name) -> Option<Value> {
        match (scalar, value) {
            (Scalar::Custom, value) => {
                self.misfit(scalars::misfit(name, &value));
                Some(value)
            }
            (Scalar::Id, Value::String(text)) => {
                self.misfit(scalars::misfit_id(&text));
                Some(Value::String(text))
            }
            (Scalar::String, value @ Value::String(_))
            | (Scalar::Boolean, value @ Value::Boolean(_))
            | (Scalar::Float, value @ Value::Number(_)) => Some(value),
            (Scalar::Int, Value::Number(number)) => match whole(&number).map(i32::try_from) {
                Some(Ok(whole)) => Some(Value::Number(whole.into())),
                None if number.as_f64().is_some_and(|float| float.fract() != 0.0) => {
                    self.invalid(&Value::Number(number), "it must be a whole number")
                }
                Some(Err(_)) | None => {
                    let allowed = format!("it must be a whole number between {} and {}", i32::MIN, i32::MAX);
                    self.invalid(&Value::Number(number), allowed)
                }
            },
            (Scalar::Id, Value::Number(number)) if !number.is_f64() => Some(Value::String(number.to_string())),
            (Scalar::Id, Value::Number(number)) => match whole(&number) {
                Some(whole) => Some(Value::String(whole.to_string())),
                None => self.invalid(&Value::Number(number), "it must be an ID: a string"),
            },
            (Scalar::Int, value) => self.invalid(&value, "it must be a whole number"),
            (Scalar::Float, value) => self.invalid(&value, "it must be a number"),
            (Scalar::String, value) => self.invalid(&value, "it must be a string"),
            (Scalar::Boolean, value) => self.invalid(&value, "it must be true or false"),
            (Scalar::Id, value) => self.invalid(&value, "it must be an ID: a string"),
        }
    }

    fn enum_value(&mut self, value: Value, name: &Name, values: &[Name]) -> Option<Value> {
        match &value {
            Value::String(text) if values.iter().any(|known| known == text) => Some(value),
            Value::String(text) => {
                let likely = did_you_mean(text, values.iter().map(Name::as_str));
                self.refuse_likely(format!("was {}, which is not a value of {name}", shown(text)), &likely)
            }
            _ => self.invalid(&value, format!("it must be a value of {name}: a string")),
        }
    }

    fn input_object(
        &mut self,
        mut given: IndexMap<Name, Value>,
        name: &Name,
        fields: &Inputs,
        one_of: bool,
    ) -> Option<Value> {
        let before = self.found;
        let count = given.len();
        let mut coerced = IndexMap::with_capacity(count);
        for (field, InputRule { ty, has_default }) in fields {
            match given.swap_remove(field) {
                Some(Value::Null) if one_of => {
                    self.path.push(field.to_string());
                    self.refuse("was null; a value is required");
                    self.path.pop();
                }
                Some(value) => {
                    if let Some(value) = self.within(field, value, ty) {
                        coerced.insert(field.clone(), value);
                    }
                }
                None if ty.nullable || *has_default => {}
                None => {
                    self.path.push(field.to_string());
                    self.refuse(format!("is required ({ty})"));
                    self.path.pop();
                }
            }
        }
        for field in given.keys() {
            let likely = input_field(self.types, field, fields);
            self.path.push(cut(field));
            self.refuse_likely(format!("is not a field of {name}"), &likely);
            self.path.pop();
        }
        if one_of && count != 1 {
            self.refuse(format!("has {count} fields; exactly one field of {name} must be given"));
        }
        (self.found == before).then_some(Value::Object(coerced))
    }

    /// Records what `value` was, and what is allowed.
    fn invalid(&mut self, value: &Value, allowed: impl std::fmt::Display) -> Option<Value> {
        if *value == Value::String(String::new()) {
            return self.refuse(format!("was empty; {allowed}"));
        }
        let text = value.to_string();
        let start: String = text.chars().take(80).collect();
        let more = if start.len() < text.len() { "…" } else { "" };
        self.refuse(format!("was {start}{more}; {allowed}"))
    }

    fn refuse_likely(&mut self, what: String, likely: &str) -> Option<Value> {
        match likely {
            "" => self.refuse(what),
            likely => self.refuse(format!("{what}.{likely}")),
        }
    }

    /// Records that the value at the current path does not match its type.
    fn refuse(&mut self, what: impl Into<String>) -> Option<Value> {
        self.found += 1;
        self.note(what.into());
        None
    }

    /// Records a value that matches its type, but that its scalar does not accept.
    fn misfit(&mut self, what: Option<String>) {
        what.into_iter().for_each(|what| self.note(what));
    }

    fn note(&mut self, what: String) {
        if self.problems.len() < PROBLEMS_TOLD {
            self.problems.push(Problem { variable: self.variable.clone(), path: self.path.clone(), what });
        }
    }
}

/// A step of a path, whose name may come from a client.
fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}

/// The number, if it is a whole number of at most 64 bits; `1e3` is.
fn whole(number: &Number) -> Option<i64> {
    /// From here on, not every whole number can be represented exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        // In this range the conversion is exact.
        (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
    })
}

#[cfg(test)]
#[path = "coercion_tests.rs"]
mod tests;
