//! GraphQL over WebSocket at the path of the endpoint: the subprotocol `graphql-transport-ws`, and the older
//! `graphql-ws` for clients that know no other.

mod identity;
mod legacy;
mod message;
pub mod protocol;
mod socket;
pub mod sub_protocol;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use http::request::Parts;
use http::{Method, StatusCode, header};

use crate::http::credentials::credentials;
use crate::http::endpoint::Endpoint;
use crate::http::service::{Credentials, GraphqlService, RequestMeta};
use crate::http::threads;
use sub_protocol::SubProtocol;

/// The size of the read buffer of a WebSocket; most are idle, so it is small.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// How much may wait to be written before the task of the WebSocket stops taking events.
const MAX_WRITE_BUFFER_BYTES: usize = 4 << 20;

/// Whether this request asks for a WebSocket, by the upgrade of HTTP/1.1 or the extended CONNECT of HTTP/2.
pub fn is_upgrade(parts: &Parts) -> bool {
    let upgrade =
        parts.headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    upgrade || parts.method == Method::CONNECT
}

/// Responds to the upgrade. A client that offers none of the subprotocols gets a close with 4406, because a browser
/// does not show its page any other rejection.
pub async fn upgrade<S: GraphqlService>(endpoint: Endpoint<S>, mut parts: Parts, meta: RequestMeta) -> Response {
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let credentials = match credentials(&endpoint, &parts).map(Credentials::into_owned) {
        Ok(credentials) => credentials,
        Err(message) => return (StatusCode::BAD_REQUEST, format!("{message}\n")).into_response(),
    };
    let max_message = endpoint.settings().socket.max_message_bytes;
    let mut upgrade = upgrade
        .protocols(SubProtocol::NAMES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(max_message)
        .max_frame_size(max_message);
    let offered = upgrade.requested_protocols().filter_map(|name| name.to_str().ok());
    let spoken = SubProtocol::choose(offered);
    // A browser gives up a WebSocket whose subprotocol is not accepted, and would never see the close.
    let offered = upgrade.requested_protocols().next().cloned();
    if let (None, Some(offered)) = (spoken, offered) {
        upgrade.set_selected_protocol(offered);
    }
    // The WebSocket is counted from here, so that a drain waits for it and its thread gets no more than its share.
    let sockets = endpoint.lifecycle().sockets().clone();
    let counted = (sockets.token(), threads::seat());
    upgrade.on_upgrade(move |websocket| {
        // In its own task: that of the upgrade is larger than an idle WebSocket has to be.
        if let Some(spoken) = spoken {
            let served = socket::serve(endpoint, spoken, websocket, meta, credentials);
            sockets.spawn(served.map(|()| drop(counted)));
        } else {
            sockets.spawn(socket::refuse_sub_protocol(websocket).map(|()| drop(counted)));
        }
        std::future::ready(())
    })
}
