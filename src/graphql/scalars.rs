//! The custom scalars of the API.

use async_graphql::{InputValueResult, Name, Scalar, ScalarType, Value};

use super::names::shown;

/// A resource quantity in Kubernetes notation: a number with an optional suffix, such as `"500m"` (half a CPU), `"2"`,
/// `"1.5Gi"` (binary: Ki, Mi, Gi, Ti, Pi, Ei) or `"10G"` (decimal: k, M, G, T, P, E). It is stored as written and
/// compared by value: `"1Gi"` equals `"1024Mi"`. Whole numbers can also be written without quotes: `cpu: 2`.
///
/// Nothing is rejected here: an invalid quantity is reported like any other problem of its field, where quantities are
/// validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity(pub String);

/// A resource quantity in Kubernetes notation: a number with an optional suffix, such as `"500m"` (half a CPU), `"2"`,
/// `"1.5Gi"` (binary: Ki, Mi, Gi, Ti, Pi, Ei) or `"10G"` (decimal: k, M, G, T, P, E). It is stored as written and
/// compared by value: `"1Gi"` equals `"1024Mi"`. Whole numbers can also be written without quotes: `cpu: 2`.
#[Scalar(
    name = "Quantity",
    specified_by_url = "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"
)]
impl ScalarType for Quantity {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            // `cpu: 2` is what people write first. Anything else is no quantity, and is reported as such at its field.
            other => Ok(Self(other.to_string())),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// An opaque position in a feed: in the event log (`jobEvents`, `eventCursor`), such as `"ZTQyMTc"`, or in the log of a task
/// (`jobLogs`). Keep the latest cursor you received and pass it unchanged in `after` to resume: you receive everything
/// after that position, and nothing twice. It is not the cursor of a connection, which is a `String`: each is rejected
/// where the other is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCursor(pub String);

/// An opaque position in a feed: in the event log (`jobEvents`, `eventCursor`), such as `"ZTQyMTc"`, or in the log of a task
/// (`jobLogs`). Keep the latest cursor you received and pass it unchanged in `after` to resume: you receive everything
/// after that position, and nothing twice. It is not the cursor of a connection, which is a `String`: each is rejected
/// where the other is expected.
#[Scalar(
    name = "FeedCursor",
    specified_by_url = "https://html.spec.whatwg.org/multipage/server-sent-events.html#concept-event-stream-last-event-id"
)]
impl ScalarType for FeedCursor {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            // No cursor, and refused as such by its feed.
            other => Ok(Self(other.to_string())),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// Why a value is not a `scalar`, phrased to follow the name of its field; `None` if it is one, or if only a resolver can
/// tell. Where it is used, the value is checked with everything else that depends on it.
pub fn misfit(scalar: &str, value: &Value) -> Option<String> {
    match (scalar, value) {
        (_, Value::Null) => return None,
        ("FeedCursor", Value::String(_)) => return None,
        ("FeedCursor", other) => return Some(format!("was {}; it must be a string", shown(&other.to_string()))),
        ("Quantity", _) => {}
        _ => return None,
    }
    let Quantity(text) = Quantity::parse(value.clone()).ok()?;
    let allowed = "a number, optionally followed by a suffix such as m, k, M, G, Ki, Mi or Gi (500m, 1.5, 10Gi)";
    text.parse::<crate::quantity::Quantity>().err()?;
    Some(format!("was {}, which is not a quantity: it must be {allowed}", shown(&text)))
}

/// Why a text is no ID at all, phrased to follow the name of its field.
pub fn misfit_id(text: &str) -> Option<String> {
    let what = "which is not an ID: it must be a prefix, an underscore and 26 characters";
    crate::ids::split(text).is_none().then(|| format!("was {}, {what}", shown(text)))
}

/// The key by which the serializer of a response recognizes a text that is already JSON.
pub const RAW_VALUE_TOKEN: &str = "$serde_json::private::RawValue";

/// A JSON value, such as a Kubernetes object. It is kept as the text of the response: as a tree of values it would take many times as
/// much memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// A text that is valid JSON.
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

/// A JSON value, such as a Kubernetes object. It is not encoded as a string, so it needs no parsing, and it takes no
/// selection set.
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
