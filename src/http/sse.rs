//! Server-sent events, in the distinct connections mode of `graphql-sse`: `next` and `complete`. The ID of an event is
//! its cursor, which a browser sends back as `Last-Event-ID` when it reconnects. A stream starts with the ID of its
//! starting position, so that a client that is disconnected before the first event resumes there, and each heartbeat has
//! the ID of the position that the stream has reached without an event. A stream that the client should resume ends
//! without `complete`.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use http::header;

use crate::http::answer;
use crate::http::endpoint::Endpoint;
use crate::http::service::{Frame, GraphqlService};
use crate::http::streaming::{self, Beat, Streamed, beating};

/// The operation as a stream of events.
pub(super) fn answer<S: GraphqlService>(endpoint: &Endpoint<S>, streamed: Streamed) -> Response {
    let retry_ms = endpoint.lifecycle().retry_after().as_millis();
    let beats = beating(endpoint, streamed).map(move |beat| match beat {
        Beat::Frame(frame) => event(&frame),
        Beat::Idle(Some(cursor)) => format!("id: {cursor}\n\n"),
        Beat::Idle(None) => ":\n\n".to_owned(),
        Beat::Broken => format!("{}{COMPLETE}", event(&streaming::broken())),
        Beat::Expired => format!("{}{COMPLETE}", event(&streaming::expired())),
        Beat::Finished => COMPLETE.to_owned(),
        // A comment, for whoever reads the stream: to its client this is a lost connection, which it resumes.
        Beat::Failed { errors, cursor } => format!(": {errors}\n{}", resume(retry_ms, cursor)),
        Beat::Drained(cursor) => resume(retry_ms, cursor),
    });
    response(Body::from_stream(beats.map(|text| Ok::<_, Infallible>(Bytes::from(text)))))
}

/// A rejected operation is a stream of its errors, because an `EventSource` does not show its page the status.
pub(super) fn refusal(response: &async_graphql::Response) -> Response {
    let text = format!("event: next\ndata: {}\n\n{COMPLETE}", answer::serialize(response));
    self::response(Body::from(text))
}

/// The end of a stream that the client resumes after this cursor, or after the last ID: there is no `complete`.
fn resume(retry_ms: u128, cursor: Option<Arc<str>>) -> String {
    let id = cursor.map(|cursor| format!("id: {cursor}\n")).unwrap_or_default();
    format!("retry: {retry_ms}\n{id}\n")
}

const COMPLETE: &str = "event: complete\ndata:\n\n";

fn event(frame: &Frame) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail. The payload is a single line: JSON escapes what would break it.
    let _ = match frame {
        // Dispatches no event, and sets what a browser sends as `Last-Event-ID`.
        Frame::Begun { cursor, .. } => write!(text, "id: {cursor}\n\n"),
        Frame::Next { payload, cursor: Some(cursor) } => {
            write!(text, "event: next\nid: {cursor}\ndata: {payload}\n\n")
        }
        Frame::Next { payload, cursor: None } => write!(text, "event: next\ndata: {payload}\n\n"),
        Frame::Refused { errors } | Frame::Failed { errors, .. } => {
            write!(text, "event: next\ndata: {{\"errors\":{errors}}}\n\n")
        }
    };
    text
}

fn response(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_cursor_as_id() {
        let frame = Frame::Next { payload: r#"{"data":1}"#.into(), cursor: Some("c1".into()) };
        insta::assert_snapshot!(event(&frame), @r#"
        event: next
        id: c1
        data: {"data":1}
        "#);
    }

    #[test]
    fn a_stream_begins_with_where_it_can_be_resumed() {
        assert_eq!(event(&Frame::Begun { cursor: "c0".into(), standing: None }), "id: c0\n\n");
    }

    #[test]
    fn a_stream_that_can_be_resumed_ends_with_when_and_where() {
        insta::assert_snapshot!(resume(900, Some("c7".into())), @r"
        retry: 900
        id: c7
        ");
        assert_eq!(resume(900, None), "retry: 900\n\n");
    }
}
