//! Typed IDs as the GraphQL scalar `ID`: an argument of the wrong kind is rejected before a resolver runs.

use std::borrow::Cow;

use async_graphql::registry::Registry;
use async_graphql::{ID, InputType, InputValueError, InputValueResult, Value};

use crate::error::Code;
use crate::ids::{Id, Kind};

impl<K: Kind> InputType for Id<K> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let text = match value.unwrap_or_default() {
            Value::String(text) => text,
            // An ID may be written as a number (specification, section 3.5.5), although none of ours is one.
            Value::Number(number) => number.to_string(),
            other => return Err(InputValueError::expected_type(other)),
        };
        text.parse().map_err(|error: crate::ids::InvalidId| refused(&error.to_string()))
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

fn refused<T: InputType>(message: &str) -> InputValueError<T> {
    InputValueError::custom(message).with_extension("code", Code::BadUserInput.as_str())
}
