//! Subscriptions as parts of one `multipart/mixed` response, by Apollo's protocol (`subscriptionSpec=1.0`): each part
//! is `{"payload": …}`, `{}` is the heartbeat, and `payload: null` with errors means that the stream itself failed, and
//! can be resumed after `extensions.cursor` if the error is retryable.
//!
//! The heartbeat has no room for a cursor. Apollo Client ignores a part only if it is exactly `{}`, and delivers any other
//! as an event without data; Apollo iOS ends with an error at a part without `payload`, and at a part with another header
//! than `Content-Type`. A client with a rare filter uses server-sent events or a WebSocket, or asks for `eventCursor`.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use http::header;
use serde_json::json;

use crate::error::Code;
use crate::http::endpoint::Endpoint;
use crate::http::service::{Frame, GraphqlService};
use crate::http::streaming::{Beat, EXPIRED, Streamed, beating};

const FIRST_BOUNDARY: &str = "--graphql";
/// Turns the preceding boundary into the last.
const END: &str = "--\r\n";

/// The subscription as parts.
pub(super) fn answer<S: GraphqlService>(endpoint: &Endpoint<S>, streamed: Streamed) -> Response {
    let parts = beating(endpoint, streamed).filter_map(|beat| std::future::ready(written(beat)));
    let body = stream::once(std::future::ready(FIRST_BOUNDARY.to_owned())).chain(parts);
    let headers = [
        (header::CONTENT_TYPE, r#"multipart/mixed; boundary="graphql"; subscriptionSpec="1.0""#),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
    ];
    (headers, Body::from_stream(body.map(|text| Ok::<_, Infallible>(Bytes::from(text))))).into_response()
}

/// A beat as text; `None` if the protocol has no place for it.
fn written(beat: Beat) -> Option<String> {
    Some(match beat {
        Beat::Frame(Frame::Begun { .. }) => return None,
        Beat::Frame(Frame::Next { payload, .. }) => part(&format!(r#"{{"payload":{payload}}}"#)),
        Beat::Frame(Frame::Refused { errors } | Frame::Failed { errors, .. }) => {
            part(&format!(r#"{{"payload":{{"errors":{errors}}}}}"#))
        }
        Beat::Idle(_) => part("{}"),
        Beat::Finished => END.to_owned(),
        Beat::Broken => end(r#"[{"message":"internal error","extensions":{"code":"INTERNAL","retryable":false}}]"#),
        Beat::Expired => end(&format!("[{EXPIRED}]")),
        Beat::Failed { errors, .. } => end(&errors),
        Beat::Drained(cursor) => {
            let mut extensions = json!({ "code": Code::RateLimited.as_str(), "retryable": true });
            if let Some(cursor) = cursor {
                extensions["cursor"] = cursor.as_ref().into();
            }
            let message = "the server is restarting; subscribe again";
            end(&json!([{ "message": message, "extensions": extensions }]).to_string())
        }
    })
}

/// The boundary after a part is sent with it, so that a client can process the part immediately.
fn part(json: &str) -> String {
    format!("\r\nContent-Type: application/json\r\n\r\n{json}\r\n--graphql")
}

/// The last part: the stream itself failed.
fn end(errors: &str) -> String {
    let last = part(&format!(r#"{{"payload":null,"errors":{errors}}}"#));
    format!("{last}{END}")
}
