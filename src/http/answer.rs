//! A GraphQL response over HTTP: when it has `data`, the format of errors, and the HTTP status.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::{Pos, Response, ServerError, Value};
use axum::body::{Body, Bytes};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeStruct, Serializer};

use crate::error::ApiError;
use crate::graphql::errors::{RequestId, graphql_error};
use crate::graphql::executable::was_executed;
use crate::graphql::limits::{Limit, Refusal};
use crate::graphql::scalars::{RAW_VALUE_TOKEN, json_text};
use crate::http::negotiate::MediaType;
use crate::http::service::{Answer, Frame};

/// The response as JSON.
pub fn serialize(response: &Response) -> String {
    to_json(&Wire(response))
}

/// The response to an operation with its headers.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its maximum size in bytes.
    pub allowed: usize,
}

impl Answered {
    /// The HTTP status that goes with it.
    pub fn status(&self, media_type: MediaType) -> StatusCode {
        match &self.answer {
            Answer::Own { response, .. } => status(response, media_type),
            Answer::Shared(_) => StatusCode::OK,
        }
    }

    /// The response as JSON.
    pub fn payload(&self) -> Cow<'_, str> {
        match &self.answer {
            Answer::Own { response, .. } => within(response, self.allowed).into(),
            Answer::Shared(shared) => (&*shared.payload).into(),
        }
    }

    /// The response as the body of an HTTP response, without copying it.
    pub fn body(&self) -> Body {
        match &self.answer {
            Answer::Own { response, .. } => within(response, self.allowed).into(),
            Answer::Shared(shared) => Bytes::from_owner(Text(Arc::clone(&shared.payload))).into(),
        }
    }

    /// The response as the only frame of a stream.
    pub fn frame(&self) -> Frame {
        match &self.answer {
            Answer::Own { response, .. } if was_executed(response) => {
                Frame::Next { payload: within(response, self.allowed).into(), cursor: None }
            }
            Answer::Own { response, .. } => Frame::from_response(response, None),
            Answer::Shared(shared) => Frame::Next { payload: Arc::clone(&shared.payload), cursor: None },
        }
    }
}

impl From<Response> for Answered {
    fn from(mut response: Response) -> Self {
        let headers = std::mem::take(&mut response.http_headers);
        Self { answer: response.into(), headers, allowed: usize::MAX }
    }
}

/// The response as JSON, or an error if it is too large. Large values are rejected before they are read
/// (`graphql::limits::AnswerBytes`); this is for responses with many small ones.
fn within(response: &Response, allowed: usize) -> String {
    serialize_within(response, allowed).unwrap_or_else(|actual| {
        let refused = Refusal::Exceeded { limit: Limit::AnswerBytes, allowed: allowed as u64, actual: actual as u64 };
        let error = graphql_error(refused.into(), None).into_server_error(Pos::default());
        let refused = Response::from_errors(vec![error]).without_locations();
        // It was executed, so there is a `data` entry.
        to_json(&serde_json::json!({ "errors": refused.errors, "data": null }))
    })
}

/// The response as JSON.
///
/// # Errors
/// It is larger than `allowed`; contains its size in bytes.
pub fn serialize_within(response: &Response, allowed: usize) -> Result<String, usize> {
    let mut json = Bounded { json: Vec::with_capacity(ROOM), written: 0, allowed };
    match serde_json::to_writer(&mut json, &Wire(response)) {
        Ok(()) if json.written > allowed => Err(json.written),
        Ok(()) => Ok(text(json.json)),
        Err(error) => Ok(unserializable(&error.to_string())),
    }
}

/// Keeps what is written up to a number of bytes, and counts what is beyond.
struct Bounded {
    json: Vec<u8>,
    written: usize,
    allowed: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.written = self.written.saturating_add(bytes.len());
        if self.written <= self.allowed {
            self.json.extend_from_slice(bytes);
        } else {
            self.json = Vec::new();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Text(Arc<str>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Errors as a JSON array.
pub fn serialize_errors(errors: &[ServerError]) -> String {
    to_json(errors)
}

/// Room for a small response, so that it is not moved repeatedly as it grows.
const ROOM: usize = 2 << 10;

/// GraphQL values have string keys and no type whose serialization can fail, so this cannot fail; if it did, the client
/// would get an error.
fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    let mut json = Vec::with_capacity(ROOM);
    match serde_json::to_writer(&mut json, value) {
        Ok(()) => text(json),
        Err(error) => unserializable(&error.to_string()),
    }
}

fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).unwrap_or_else(|error| unserializable(&error.to_string()))
}

fn unserializable(error: &str) -> String {
    tracing::error!(error, "failed to serialize a response");
    r#"{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL","retryable":false}}]}"#.to_owned()
}

struct Wire<'a>(&'a Response);

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Response { data, extensions, errors, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        if !errors.is_empty() {
            map.serialize_entry("errors", errors)?;
        }
        if was_executed(self.0) {
            map.serialize_entry("data", &Data(data))?;
        }
        if !extensions.is_empty() {
            map.serialize_entry("extensions", extensions)?;
        }
        map.end()
    }
}

/// A value of an answer. The library copies and parses a text that is JSON already before it lets it through.
struct Data<'a>(&'a Value);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::List(items) => serializer.collect_seq(items.iter().map(Data)),
            Value::Object(fields) => match json_text(self.0) {
                Some(json) => {
                    let mut raw = serializer.serialize_struct(RAW_VALUE_TOKEN, 1)?;
                    raw.serialize_field(RAW_VALUE_TOKEN, json)?;
                    raw.end()
                }
                None => serializer.collect_map(fields.iter().map(|(name, value)| (name.as_str(), Data(value)))),
            },
            value => value.serialize(serializer),
        }
    }
}

/// The response to a request that was rejected before it was executed.
pub fn refusal(cause: ApiError, request: &RequestId) -> Response {
    refusals(vec![cause], request)
}

/// The response to a request that was rejected before it was executed, for several reasons.
pub fn refusals(causes: Vec<ApiError>, request: &RequestId) -> Response {
    let errors = causes.into_iter().map(|cause| graphql_error(cause, Some(request)).into_server_error(Pos::default()));
    Response::from_errors(errors.collect()).without_locations()
}

/// The only frame of a subscription that was rejected before it was executed.
pub fn refused_frame(cause: ApiError, request: &RequestId) -> Frame {
    Frame::Refused { errors: serialize_errors(&refusal(cause, request).errors).into() }
}

trait WithoutLocations {
    fn without_locations(self) -> Self;
}

impl WithoutLocations for Response {
    /// A request that was rejected as a whole has no position in the document.
    fn without_locations(mut self) -> Self {
        self.errors.iter_mut().for_each(|error| error.locations.clear());
        self
    }
}

/// The code of the first error, if there is one.
pub fn code(response: &Response) -> Option<&str> {
    match response.errors.first()?.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// The HTTP status of the response to a well-formed request.
///
/// `application/json` is also the media type of responses from proxies and error pages, so with it, every response of
/// the schema is 200 (as GraphQL over HTTP recommends). With `application/graphql-response+json`, a request that was
/// never executed is 4xx or 5xx. Authentication and rate limits concern HTTP, whatever the media type: 401 and 429.
pub fn status(response: &Response, media_type: MediaType) -> StatusCode {
    if was_executed(response) {
        return StatusCode::OK;
    }
    match (code(response), media_type) {
        (Some("UNAUTHENTICATED"), _) => StatusCode::UNAUTHORIZED,
        (Some("RATE_LIMITED"), _) => StatusCode::TOO_MANY_REQUESTS,
        // Apollo's protocol: the client then sends the text.
        (Some("PERSISTED_QUERY_NOT_FOUND" | "PERSISTED_QUERY_NOT_SUPPORTED"), _) => StatusCode::OK,
        (_, MediaType::Json) => StatusCode::OK,
        (Some("FORBIDDEN"), _) => StatusCode::FORBIDDEN,
        (Some("TIMEOUT"), _) => StatusCode::GATEWAY_TIMEOUT,
        (Some("DATABASE_UNAVAILABLE" | "CLUSTER_UNAVAILABLE"), _) => StatusCode::SERVICE_UNAVAILABLE,
        (Some("INTERNAL"), _) => StatusCode::INTERNAL_SERVER_ERROR,
        (_, MediaType::GraphqlResponse) => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use async_graphql::PathSegment;

    #[test]
    fn an_answer_that_is_too_large_is_told_as_an_error_with_both_numbers() {
        let answered = Answered::from(Response::new(Value::String("x".repeat(3_000))));
        assert_eq!(answered.payload().len(), 3_011);
        let answered = Answered { allowed: 3_010, ..answered };
        insta::assert_snapshot!(
            answered.payload(),
            @r#"{"errors":[{"message":"the operation exceeds the limit \"bytes of the response\": it has 3011, at most 3010 are allowed","extensions":{"code":"QUERY_TOO_COMPLEX","retryable":false}}],"data":null}"#
        );
    }

    #[test]
    fn a_request_that_never_ran_has_no_data_entry() {
        let response = refusal(ApiError::bad_input("input.name", "too long"), &RequestId("r1".into()));
        insta::assert_snapshot!(
            serialize(&response),
            @r#"{"errors":[{"message":"too long","extensions":{"code":"BAD_USER_INPUT","field":"input.name","requestId":"r1","retryable":false}}]}"#
        );
    }

    #[test]
    fn an_error_that_reached_the_root_keeps_data_null() {
        let mut error = ServerError::new("gone", None);
        error.path.push(PathSegment::Field("viewer".into()));
        let response = Response::from_errors(vec![error]);
        insta::assert_snapshot!(serialize(&response), @r#"{"errors":[{"message":"gone","path":["viewer"]}],"data":null}"#);
        assert_eq!(status(&response, MediaType::GraphqlResponse), StatusCode::OK);
    }

    #[test]
    fn the_status_of_a_refusal_depends_on_the_media_type() {
        let status_of =
            |code, media_type| status(&refusal(ApiError::new(code, "no"), &RequestId("r".into())), media_type).as_u16();
        assert_eq!(status_of(Code::BadUserInput, MediaType::GraphqlResponse), 400);
        assert_eq!(status_of(Code::BadUserInput, MediaType::Json), 200);
        assert_eq!(status_of(Code::Unauthenticated, MediaType::Json), 401);
        assert_eq!(status_of(Code::DatabaseUnavailable, MediaType::GraphqlResponse), 503);
    }

    #[test]
    fn a_null_answer_without_errors_is_an_answer() {
        let response = Response::new(Value::Null);
        insta::assert_snapshot!(serialize(&response), @r#"{"data":null}"#);
    }
}
