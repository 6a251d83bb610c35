//! The scalars of the API that are not GraphQL's own.

use async_graphql::{InputValueError, InputValueResult, Name, Scalar, ScalarType, Value};

/// An amount of a resource as Kubernetes writes it: a number with an optional suffix, such as `"500m"` (half a CPU),
/// `"2"`, `"1.5Gi"` (binary: Ki, Mi, Gi, Ti, Pi, Ei) or `"10G"` (decimal: k, M, G, T, P, E). It is kept as written and
/// compared by value: `"1Gi"` equals `"1024Mi"`. A whole number may also be written without quotes: `cpu: 2`.
///
/// The text is not read here: one that is no amount is a problem of its field among the others, told where amounts are
/// checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity(pub String);

/// An amount of a resource as Kubernetes writes it: a number with an optional suffix, such as `"500m"` (half a CPU),
/// `"2"`, `"1.5Gi"` (binary: Ki, Mi, Gi, Ti, Pi, Ei) or `"10G"` (decimal: k, M, G, T, P, E). It is kept as written and
/// compared by value: `"1Gi"` equals `"1024Mi"`. A whole number may also be written without quotes: `cpu: 2`.
#[Scalar(
    name = "Quantity",
    specified_by_url = "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"
)]
impl ScalarType for Quantity {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            // `cpu: 2` is what people write first.
            Value::Number(number) => Ok(Self(number.to_string())),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
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

/// The key by which an answer's serializer knows that a text is JSON already.
pub const RAW_VALUE_TOKEN: &str = "$serde_json::private::RawValue";

/// A Kubernetes object shown as it is, as JSON. It is kept as the text that it is answered as: as a tree of values it
/// would take many times as much memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// A text that is JSON.
    pub fn of_text(text: String) -> Self {
        Self(text)
    }
}

/// The text of a value that is [`Json`].
pub fn json_text(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) if fields.len() == 1 => match fields.get(RAW_VALUE_TOKEN) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// A Kubernetes object shown as it is: a JSON value and not a text, so it has no selection and needs no parsing.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?.to_string()))
    }

    fn to_value(&self) -> Value {
        let text = Value::String(self.0.clone());
        Value::Object([(Name::new(RAW_VALUE_TOKEN), text)].into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_answered_as_the_text_that_it_is() {
        let json = Json::of_text(r#"{"b":[1.50,"<"],"a":null}"#.to_owned());
        assert_eq!(json_text(&json.to_value()), Some(json.0.as_str()));
        assert_eq!(serde_json::to_string(&json.to_value()).unwrap(), r#"{"b":[1.50,"<"],"a":null}"#);
    }
}
