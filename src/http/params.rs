//! The parameters of a GraphQL request, parsed strictly: a parameter of the wrong type is rejected, not ignored.

use async_graphql::{Request, Variables};
use serde_json::{Map, Value};

/// The parameters are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParams {
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// It has too many values: each takes many times the memory of its text.
    #[error("the limit \"values in the body\" is exceeded: it has {actual}, at most {allowed} are allowed")]
    TooManyValues {
        /// The number of all problems.
        actual: usize,
        /// The maximum.
        allowed: usize,
    },
    /// It is JSON, but not an object.
    #[error("a GraphQL request must be a JSON object")]
    NotAnObject,
    /// There is nothing to execute.
    #[error("\"query\" is missing: send a query, a documentId or the hash of a persisted query")]
    NoQuery,
    /// A parameter has the wrong type.
    #[error("\"{parameter}\" must be {expected}")]
    WrongType {
        /// The parameter.
        parameter: &'static str,
        /// The expected type.
        expected: &'static str,
    },
    /// A list of requests, but batching is disabled.
    #[error("batching is disabled: send one operation per request")]
    BatchOff,
    /// The batch is empty.
    #[error("the batch is empty")]
    BatchEmpty,
    /// The batch is too large.
    #[error("the batch has {actual} operations, at most {allowed} are allowed")]
    BatchTooLarge {
        /// The number of all problems.
        actual: usize,
        /// The maximum.
        allowed: usize,
    },
}

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params {
    query: Option<String>,
    document_id: Option<String>,
    persisted_query: Option<String>,
    operation_name: Option<String>,
    variables: Map<String, Value>,
    extensions: Map<String, Value>,
}

/// The maximum number of values in a body: numbers, strings, lists and objects.
const MAX_VALUES: usize = 20_000;

/// One request, or several in a list.
#[derive(Debug)]
pub enum Body {
    /// One.
    Single(Box<Params>),
    /// Several.
    Batch(Vec<Params>),
}

impl Body {
    /// Parses the body of a POST; a batch may have `batch_limit` operations, 0 disables batching.
    pub fn parse(bytes: &[u8], batch_limit: usize) -> Result<Self, InvalidParams> {
        let actual = values(bytes);
        if actual > MAX_VALUES {
            return Err(InvalidParams::TooManyValues { actual, allowed: MAX_VALUES });
        }
        let value = serde_json::from_slice(bytes).map_err(|error| InvalidParams::NotJson(error.to_string()))?;
        match value {
            Value::Array(_) if batch_limit == 0 => Err(InvalidParams::BatchOff),
            Value::Array(list) if list.is_empty() => Err(InvalidParams::BatchEmpty),
            Value::Array(list) if list.len() > batch_limit => {
                Err(InvalidParams::BatchTooLarge { actual: list.len(), allowed: batch_limit })
            }
            Value::Array(list) => list.into_iter().map(Params::from_json).collect::<Result<_, _>>().map(Self::Batch),
            value => Params::from_json(value).map(Box::new).map(Self::Single),
        }
    }
}

impl Params {
    /// Parses the parameters of a JSON object.
    pub fn from_json(value: Value) -> Result<Self, InvalidParams> {
        let Value::Object(mut map) = value else { return Err(InvalidParams::NotAnObject) };
        let mut params = Self {
            query: text(&mut map, "query")?,
            document_id: text(&mut map, "documentId")?,
            persisted_query: None,
            operation_name: text(&mut map, "operationName")?,
            variables: object(map.remove("variables"), "variables")?,
            extensions: object(map.remove("extensions"), "extensions")?,
        };
        if let Some(persisted) = params.extensions.remove("persistedQuery") {
            params.persisted_query = Some(hash(&persisted)?);
        }
        if params.query.is_none() && params.document_id.is_none() && params.persisted_query.is_none() {
            return Err(InvalidParams::NoQuery);
        }
        Ok(params)
    }

    /// Parses the parameters of a query string, in which `variables` and `extensions` are JSON.
    pub fn from_query_string(query: &str) -> Result<Self, InvalidParams> {
        let mut params = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = match name.as_ref() {
                "variables" | "extensions" if value.is_empty() => Value::Null,
                // What is not JSON stays a string, which is then rejected as the wrong type.
                "variables" | "extensions" => {
                    serde_json::from_str(&value).unwrap_or_else(|_| Value::String(value.into_owned()))
                }
                "operationName" | "documentId" if value.is_empty() => Value::Null,
                _ => Value::String(value.into_owned()),
            };
            params.insert(name.into_owned(), value);
        }
        Self::from_json(Value::Object(params))
    }

    /// The text of the document, if the request contains it.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The ID of a trusted document.
    pub fn document_id(&self) -> Option<&str> {
        self.document_id.as_deref()
    }

    /// The SHA-256 of a text that a client has sent before, or sends along (Apollo's automatic persisted queries).
    pub fn persisted_query(&self) -> Option<&str> {
        self.persisted_query.as_deref()
    }

    /// The name of the operation to execute.
    pub fn operation_name(&self) -> Option<&str> {
        self.operation_name.as_deref()
    }

    /// Whether the response should contain the cost: `"extensions": {"cost": true}`.
    pub fn wants_cost(&self) -> bool {
        self.extensions.get("cost") == Some(&Value::Bool(true))
    }

    /// The request for the schema. Its document is set by the code that parsed it, so it has no text.
    pub fn into_request(self) -> Request {
        let mut request = Request::new("").variables(Variables::from_json(Value::Object(self.variables)));
        request.operation_name = self.operation_name;
        for (name, value) in self.extensions {
            // Every JSON value is a GraphQL constant.
            if let Ok(value) = async_graphql::Value::from_json(value) {
                request.extensions.insert(name, value);
            }
        }
        request
    }
}

/// The number of values in a JSON text, counted without parsing it: one, and one for each comma and opening bracket.
fn values(json: &[u8]) -> usize {
    let (mut values, mut in_text, mut escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    values
}

fn text(map: &mut Map<String, Value>, parameter: &'static str) -> Result<Option<String>, InvalidParams> {
    match map.remove(parameter) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(InvalidParams::WrongType { parameter, expected: "a string" }),
    }
}

/// The format of Apollo's client: `{"version": 1, "sha256Hash": "…"}`.
fn hash(persisted: &Value) -> Result<String, InvalidParams> {
    let version = persisted.get("version").and_then(Value::as_u64);
    match (version, persisted.get("sha256Hash")) {
        (Some(1), Some(Value::String(hash))) => Ok(hash.clone()),
        _ => Err(InvalidParams::WrongType {
            parameter: "extensions.persistedQuery",
            expected: "{\"version\": 1, \"sha256Hash\": \"…\"}",
        }),
    }
}

fn object(value: Option<Value>, parameter: &'static str) -> Result<Map<String, Value>, InvalidParams> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(InvalidParams::WrongType { parameter, expected: "an object" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn refused(value: Value) -> String {
        Params::from_json(value).unwrap_err().to_string()
    }

    #[test]
    fn every_parameter_has_its_type() {
        insta::assert_snapshot!(refused(json!({})), @r#""query" is missing: send a query, a documentId or the hash of a persisted query"#);
        insta::assert_snapshot!(refused(json!({"documentId": 7})), @r#""documentId" must be a string"#);
        insta::assert_snapshot!(
            refused(json!({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "x"}}})),
            @r#""extensions.persistedQuery" must be {"version": 1, "sha256Hash": "…"}"#
        );
        insta::assert_snapshot!(refused(json!([])), @"a GraphQL request must be a JSON object");
        insta::assert_snapshot!(refused(json!({"query": 7})), @r#""query" must be a string"#);
        insta::assert_snapshot!(refused(json!({"query": "{a}", "variables": "x"})), @r#""variables" must be an object"#);
        insta::assert_snapshot!(refused(json!({"query": "{a}", "operationName": false})), @r#""operationName" must be a string"#);
        insta::assert_snapshot!(refused(json!({"query": "{a}", "extensions": []})), @r#""extensions" must be an object"#);
    }

    #[test]
    fn a_body_of_very_many_values_is_refused_before_it_is_read() {
        assert_eq!(values(br#"{"a": [1, 2, {}], "b": "x,[{\",", "c": null}"#), 8);
        let body = format!(r#"{{"query": "{{a}}", "variables": {{"a": [{}0]}}}}"#, "0,".repeat(30_000));
        insta::assert_snapshot!(Body::parse(body.as_bytes(), 0).unwrap_err(), @r#"the limit "values in the body" is exceeded: it has 30005, at most 20000 are allowed"#);
    }

    #[test]
    fn null_is_the_same_as_nothing() {
        let params = Params::from_json(json!({"query": "{a}", "variables": null, "operationName": null})).unwrap();
        assert_eq!(params, Params::from_json(json!({"query": "{a}"})).unwrap());
    }

    #[test]
    fn a_batch_is_off_by_default_and_bounded_when_on() {
        let batch = br#"[{"query":"{a}"},{"query":"{b}"}]"#;
        insta::assert_snapshot!(Body::parse(batch, 0).unwrap_err(), @"batching is disabled: send one operation per request");
        insta::assert_snapshot!(Body::parse(batch, 1).unwrap_err(), @"the batch has 2 operations, at most 1 are allowed");
        assert!(matches!(Body::parse(batch, 2), Ok(Body::Batch(list)) if list.len() == 2));
    }

    #[test]
    fn a_query_string_carries_variables_as_json() {
        let params = Params::from_query_string("query=%7Ba%7D&variables=%7B%22n%22%3A1%7D").unwrap();
        assert_eq!(params, Params::from_json(json!({"query": "{a}", "variables": {"n": 1}})).unwrap());
        let error = Params::from_query_string("query=%7Ba%7D&variables=nonsense").unwrap_err();
        insta::assert_snapshot!(error, @r#""variables" must be an object"#);
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Body::parse(&bytes, 3);
        }
    }
}
