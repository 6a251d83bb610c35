//! The scalars of the API that are not GraphQL's own.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use crate::error::Code;
use crate::quantity::Quantity as Amount;

/// An amount of a resource as Kubernetes writes it: a number with an optional suffix, such as `"500m"` (half a CPU),
/// `"2"`, `"1.5Gi"` (binary: Ki, Mi, Gi, Ti, Pi, Ei) or `"10G"` (decimal: k, M, G, T, P, E). It is kept as written and
/// compared by value: `"1Gi"` equals `"1024Mi"`. A whole number may also be written without quotes: `cpu: 2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity(pub Amount);

/// An amount of a resource as Kubernetes writes it: a number with an optional suffix, such as `"500m"` (half a CPU),
/// `"2"`, `"1.5Gi"` (binary: Ki, Mi, Gi, Ti, Pi, Ei) or `"10G"` (decimal: k, M, G, T, P, E). It is kept as written and
/// compared by value: `"1Gi"` equals `"1024Mi"`. A whole number may also be written without quotes: `cpu: 2`.
#[Scalar(
    name = "Quantity",
    specified_by_url = "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"
)]
impl ScalarType for Quantity {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match value {
            Value::String(text) => text,
            // `cpu: 2` is what people write first.
            Value::Number(number) => number.to_string(),
            other => return Err(InputValueError::expected_type(other)),
        };
        text.parse()
            .map(Self)
            .map_err(|error| InputValueError::custom(error).with_extension("code", Code::BadUserInput.as_str()))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A place in a feed or a log to resume from, such as `"ZTQyMTc"`: everything after it, nothing twice. Opaque: keep the
/// newest one that you were given, and send it as it is in `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A place in a feed or a log to resume from, such as `"ZTQyMTc"`: everything after it, nothing twice. Opaque: keep the
/// newest one that you were given, and send it as it is in `after`.
#[Scalar(name = "Cursor", specified_by_url = "https://relay.dev/graphql/connections.htm#sec-Cursor")]
impl ScalarType for Cursor {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A Kubernetes object shown as it is, as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

/// A Kubernetes object shown as it is: a JSON value and not a text, so it has no selection and needs no parsing.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}
