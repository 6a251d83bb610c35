//! Subscriptions as parts of one `multipart/mixed` response, by Apollo's protocol (`subscriptionSpec=1.0`): each part
//! is `{"payload": …}`, `{}` is the heartbeat, and `payload: null` with errors means that the stream itself failed.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use http::header;

use crate::http::endpoint::Endpoint;
use crate::http::service::{Frame, GraphqlService};
use crate::http::streaming::{Beat, EXPIRED, Streamed, beating};

const FIRST_BOUNDARY: &str = "--graphql";
/// Turns the preceding boundary into the last.
const END: &str = "--\r\n";

/// The subscription as parts.
pub(super) fn answer<S: GraphqlService>(endpoint: &Endpoint<S>, Streamed { frames, expired }: Streamed) -> Response {
    let frames = frames.filter(|frame| std::future::ready(!matches!(frame, Ok(Frame::Begun { .. })))).boxed();
    let parts = beating(endpoint, Streamed { frames, expired }).map(|beat| match beat {
        // The protocol has no place for it.
        Beat::Frame(Frame::Begun { .. }) | Beat::Idle => part("{}"),
        Beat::Frame(Frame::Next { payload, .. }) => part(&format!(r#"{{"payload":{payload}}}"#)),
        Beat::Frame(Frame::Refused { errors }) => part(&format!(r#"{{"payload":{{"errors":{errors}}}}}"#)),
        Beat::Finished => END.to_owned(),
        Beat::Broken => end(r#"{"message":"internal error","extensions":{"code":"INTERNAL","retryable":false}}"#),
        Beat::Expired => end(EXPIRED),
        Beat::Drained => {
            end(r#"{"message":"the server is restarting; subscribe again","extensions":{"code":"RATE_LIMITED","retryable":true}}"#)
        }
    });
    let body = stream::once(std::future::ready(FIRST_BOUNDARY.to_owned())).chain(parts);
    let headers = [
        (header::CONTENT_TYPE, r#"multipart/mixed; boundary="graphql"; subscriptionSpec="1.0""#),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
    ];
    (headers, Body::from_stream(body.map(|text| Ok::<_, Infallible>(Bytes::from(text))))).into_response()
}

/// The boundary after a part is sent with it, so that a client can process the part immediately.
fn part(json: &str) -> String {
    format!("\r\nContent-Type: application/json\r\n\r\n{json}\r\n--graphql")
}

/// The last part: the stream itself failed.
fn end(error: &str) -> String {
    let last = part(&format!(r#"{{"payload":null,"errors":[{error}]}}"#));
    format!("{last}{END}")
}
