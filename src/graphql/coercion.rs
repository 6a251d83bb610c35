//! Coerces the values of variables, as an operation declares them (specification, section 6.1.2, Coercing Variable
//! Values).
//!
//! JSON has a single number type, so `1.0` and `1e1` are whole numbers. It has no IDs or enum values, and a single item
//! may stand for a list. If an object has a duplicate key, the last one counts, as in most JSON parsers.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{BaseType, Type, VariableDefinition};
use async_graphql::{Name, Number, Positioned, Value, Variables};

use super::names::shown;
use super::validation::{InputRule, Inputs, Scalar, TypeRule, TypeSystem, did_you_mean};
use crate::error::{ApiError, ApiErrors};

/// The maximum number of problems that are reported.
const PROBLEMS_TOLD: usize = 50;

/// The value of each variable that has one: given or by default.
///
/// # Errors
/// `BAD_USER_INPUT` for each value that does not match the declared type of its variable, with its path:
/// `variables.input.name`.
pub fn coerce(
    types: &TypeSystem,
    declared: &[Positioned<VariableDefinition>],
    mut given: Variables,
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
            (None, None) => {
                coercion.refuse(format!("Variable \"${name}\" of required type \"{ty}\" was not provided."))
            }
        };
        if let Some(value) = value {
            coerced.insert(name.clone(), value);
        }
    }
    let problems = coercion.problems;
    if problems.is_empty() { Ok(coerced) } else { Err(ApiErrors(problems)) }
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
    /// The first problems.
    problems: Vec<ApiError>,
    /// The number of all problems.
    found: usize,
}

impl Coercion<'_> {
    /// The value as a `ty`; otherwise records what is wrong with it.
    fn value(&mut self, value: Value, ty: &Type) -> Option<Value> {
        if value == Value::Null {
            return match ty.nullable {
                true => Some(Value::Null),
                false => self.invalid(&Value::Null, format!("a value of the non-null type \"{ty}\" must not be null")),
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
                Some(TypeRule::Scalar(scalar)) => self.scalar(value, *scalar),
                Some(TypeRule::Enum(values)) => self.enum_value(value, name, values),
                Some(TypeRule::Input { fields, one_of }) => match value {
                    Value::Object(given) => self.input_object(given, name, fields, *one_of),
                    other => self.invalid(&other, format!("expected an object of type \"{name}\"")),
                },
                // Validation rejects such a variable.
                Some(TypeRule::Composite { .. }) | None => {
                    self.invalid(&value, format!("\"{name}\" is not an input type"))
                }
            },
        }
    }

    fn within(&mut self, at: impl ToString, value: Value, ty: &Type) -> Option<Value> {
        self.path.push(cut(&at.to_string()));
        let value = self.value(value, ty);
        self.path.pop();
        value
    }

    fn scalar(&mut self, value: Value, scalar: Scalar) -> Option<Value> {
        match (scalar, value) {
            (Scalar::Custom, value)
            | (Scalar::String | Scalar::Id, value @ Value::String(_))
            | (Scalar::Boolean, value @ Value::Boolean(_))
            | (Scalar::Float, value @ Value::Number(_)) => Some(value),
            (Scalar::Int, Value::Number(number)) => match whole(&number) {
                Some(whole) => match i32::try_from(whole) {
                    Ok(whole) => Some(Value::Number(whole.into())),
                    Err(_) => {
                        self.invalid(&Value::Number(number), "an Int has at most 32 bits: -2147483648 to 2147483647")
                    }
                },
                None => self.invalid(&Value::Number(number), "an Int must be a whole number of at most 32 bits"),
            },
            (Scalar::Id, Value::Number(number)) if !number.is_f64() => Some(Value::String(number.to_string())),
            (Scalar::Id, Value::Number(number)) => match whole(&number) {
                Some(whole) => Some(Value::String(whole.to_string())),
                None => self.invalid(&Value::Number(number), "an ID must be a string or a whole number"),
            },
            (Scalar::Int, value) => self.invalid(&value, "an Int must be a whole number"),
            (Scalar::Float, value) => self.invalid(&value, "a Float must be a number"),
            (Scalar::String, value) => self.invalid(&value, "a String must be a string"),
            (Scalar::Boolean, value) => self.invalid(&value, "a Boolean must be true or false"),
            (Scalar::Id, value) => self.invalid(&value, "an ID must be a string or a whole number"),
        }
    }

    fn enum_value(&mut self, value: Value, name: &Name, values: &[Name]) -> Option<Value> {
        match &value {
            Value::String(text) if values.iter().any(|known| known == text) => Some(value),
            Value::String(text) => {
                let likely = did_you_mean(text, values.iter().map(Name::as_str));
                let problem = format!("{} does not exist in enum \"{name}\"", shown(text));
                self.invalid_likely(&value, problem, &likely)
            }
            _ => self.invalid(&value, format!("a value of enum \"{name}\" must be a string")),
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
                    self.invalid(&Value::Null, format!("field \"{field}\" of type \"{name}\" must not be null"));
                }
                Some(value) => {
                    if let Some(value) = self.within(field, value, ty) {
                        coerced.insert(field.clone(), value);
                    }
                }
                None if ty.nullable || *has_default => {}
                None => {
                    self.path.push(field.to_string());
                    self.problem(format!("field \"{field}\" of required type \"{ty}\" was not provided"), "");
                    self.path.pop();
                }
            }
        }
        for field in given.keys() {
            let likely = did_you_mean(field, fields.keys().map(Name::as_str));
            self.path.push(cut(field));
            self.problem(format!("field {} is not defined by type \"{name}\"", shown(field)), &likely);
            self.path.pop();
        }
        if one_of && count != 1 {
            self.problem(format!("exactly one field must be given of type \"{name}\""), "");
        }
        (self.found == before).then_some(Value::Object(coerced))
    }

    fn invalid(&mut self, value: &Value, problem: impl std::fmt::Display) -> Option<Value> {
        self.invalid_likely(value, problem, "")
    }

    fn invalid_likely(&mut self, value: &Value, problem: impl std::fmt::Display, likely: &str) -> Option<Value> {
        let text = value.to_string();
        let start: String = text.chars().take(80).collect();
        let more = if start.len() < text.len() { "…" } else { "" };
        self.problem(format!("{problem}, found {start}{more}"), likely)
    }

    /// Records a problem at the current path.
    fn problem(&mut self, problem: impl std::fmt::Display, likely: &str) -> Option<Value> {
        let place = match self.path.as_slice() {
            [] => String::new(),
            path => format!(" at \"{}\"", path.join(".")),
        };
        self.refuse(format!("Variable \"${}\" got an invalid value{place}: {problem}.{likely}", self.variable))
    }

    fn refuse(&mut self, message: String) -> Option<Value> {
        self.found += 1;
        if self.found > PROBLEMS_TOLD {
            return None;
        }
        let mut field = format!("variables.{}", self.variable);
        for step in &self.path {
            field.push('.');
            field.push_str(step);
        }
        self.problems.push(ApiError::bad_input(field, message));
        None
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
