//! Values and types in a document (specification, sections 2.9 and 2.12).

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::parser::types::{BaseType, Type};
use async_graphql::{Name, Number, Positioned, ServerError};
use async_graphql_value::{ConstValue, Value};

use super::error;
use super::parser::Parser;
use super::token::Token;
use crate::error::Code;
use crate::graphql::errors::coded;

impl Parser<'_> {
    pub(super) fn variable(&mut self) -> Result<Positioned<Name>, ServerError> {
        let pos = self.pos;
        self.require("$")?;
        Ok(Positioned::new(self.name()?.node, pos))
    }

    /// A value; with `constant` one without variables.
    pub(super) fn value(&mut self, constant: bool) -> Result<Positioned<Value>, ServerError> {
        let pos = self.pos;
        let value = match &self.token {
            Token::Punctuator("[") => {
                self.advance()?;
                let mut items = Vec::new();
                while !self.skip("]")? {
                    items.push(self.value(constant)?.node);
                }
                Value::List(items)
            }
            Token::Punctuator("{") => self.object(constant)?,
            Token::Punctuator("$") => {
                let variable = self.variable()?;
                if constant {
                    let name = &variable.node;
                    return Err(error(pos, format_args!("unexpected variable \"${name}\" in a constant value")));
                }
                Value::Variable(variable.node)
            }
            Token::Int(text) | Token::Float(text) => {
                let number = number(text);
                let shown = self.token.to_string();
                self.advance()?;
                match number {
                    Some(number) => Value::Number(number),
                    None => {
                        let message = format!("Expected a number of at most 64 bits, found {shown}.");
                        self.faults.push(coded(Code::GraphqlValidationFailed, message, [pos]));
                        Value::Null
                    }
                }
            }
            Token::String(_) => {
                let Token::String(text) = self.advance()? else { return Err(self.unexpected()) };
                Value::String(text)
            }
            Token::Name(name) => {
                let value = match *name {
                    "true" => Value::Boolean(true),
                    "false" => Value::Boolean(false),
                    "null" => Value::Null,
                    name => Value::Enum(Name::new(name)),
                };
                self.advance()?;
                value
            }
            Token::Punctuator(_) | Token::End => return Err(self.expected("a value")),
        };
        Ok(Positioned::new(value, pos))
    }

    pub(super) fn const_value(&mut self) -> Result<Positioned<ConstValue>, ServerError> {
        let value = self.value(true)?;
        // There is no variable in it.
        Ok(Positioned::new(value.node.into_const().unwrap_or_default(), value.pos))
    }

    fn object(&mut self, constant: bool) -> Result<Value, ServerError> {
        self.require("{")?;
        let mut fields = IndexMap::new();
        let mut places = std::collections::HashMap::new();
        while !self.skip("}")? {
            let name = self.name()?;
            self.require(":")?;
            let value = self.value(constant)?;
            let first = *places.entry(name.node.clone()).or_insert(name.pos);
            match fields.entry(name.node) {
                Entry::Vacant(place) => drop(place.insert(value.node)),
                Entry::Occupied(taken) => {
                    let message = format!("There can be only one input field named \"{}\".", taken.key());
                    self.faults.push(coded(Code::GraphqlValidationFailed, message, [first, name.pos]));
                }
            }
        }
        Ok(Value::Object(fields))
    }

    pub(super) fn type_reference(&mut self) -> Result<Positioned<Type>, ServerError> {
        let pos = self.pos;
        let base = if self.skip("[")? {
            let item = self.type_reference()?.node;
            self.require("]")?;
            BaseType::List(Box::new(item))
        } else {
            BaseType::Named(self.name()?.node)
        };
        Ok(Positioned::new(Type { base, nullable: !self.skip("!")? }, pos))
    }
}

/// The number of `text`; `None` if it is too large even for a float.
fn number(text: &str) -> Option<Number> {
    match text {
        // As an Int; the library treats it as a float.
        "-0" => Some(0.into()),
        text => text.parse().ok(),
    }
}
