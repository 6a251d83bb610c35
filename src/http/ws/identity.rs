//! The caller of a WebSocket: authenticated by its `connection_init`, and again by a ping with a new access token.

use std::sync::Arc;

use futures::stream::AbortHandle;
use serde_json::{Map, Value};

use super::protocol::Close;
use crate::error::ApiError;
use crate::graphql::limits::Admission;
use crate::http::endpoint::Endpoint;
use crate::http::service::{Credentials, GraphqlService, RequestMeta};
use crate::trail::Credential;

/// The caller.
pub(super) struct Identity<C> {
    pub caller: C,
    /// The kind of its credentials.
    pub credential: Option<Credential>,
    /// The position of the event log when the caller was authenticated.
    pub cursor: Option<Arc<str>>,
    /// Stops waiting for the end of the caller's session.
    pub watched: Option<AbortHandle>,
    /// Whether a new access token is being checked.
    pub renewing: bool,
    _counted: Admission,
}

/// The caller, or how the WebSocket is closed.
pub(super) type Authenticated<C> = Result<Identity<C>, Close>;

/// The credentials in the payload of `connection_init`; those of the upgrade if it has none. With null, a client can
/// connect without a session although its browser sends a cookie.
pub(super) fn said(payload: &Map<String, Value>, upgrade: Credentials<'static>) -> Credentials<'static> {
    match ["authorization", "Authorization"].iter().find_map(|key| payload.get(*key)) {
        Some(Value::String(text)) => Credentials::Authorization(text.clone().into()),
        Some(Value::Null) => Credentials::Nothing,
        Some(_) | None => upgrade,
    }
}

/// Authenticates the caller, and counts the WebSocket.
pub(super) async fn identify<S: GraphqlService>(
    endpoint: Endpoint<S>,
    credentials: Credentials<'static>,
    meta: RequestMeta,
) -> Authenticated<S::Caller> {
    let service = endpoint.service();
    let caller = service.authenticate(&credentials, &meta.peer).await.map_err(|error| refusal(&endpoint, &error))?;
    let limits = service.limits(&caller);
    let account = endpoint.account(&caller, &meta);
    let counted = account.open_socket(&limits).map_err(|_| Close::TooManySockets(limits.sockets))?;
    let cursor = service.event_cursor(&caller).await;
    Ok(Identity { caller, credential: credentials.kind(), cursor, watched: None, renewing: false, _counted: counted })
}

/// The same caller with a new access token.
pub(super) async fn renew<S: GraphqlService>(
    endpoint: Endpoint<S>,
    before: S::Caller,
    authorization: String,
    meta: RequestMeta,
) -> Result<S::Caller, Close> {
    let (service, credentials) = (endpoint.service(), Credentials::Authorization(authorization.into()));
    let caller = service.authenticate(&credentials, &meta.peer).await.map_err(|error| refusal(&endpoint, &error))?;
    if service.is_same_session(&before, &caller) {
        Ok(caller)
    } else {
        Err(Close::Forbidden("TOKEN_INVALID: a ping must have a token of the session that connected".to_owned()))
    }
}

/// How a WebSocket is closed whose credentials are rejected, or cannot be checked.
fn refusal<S: GraphqlService>(endpoint: &Endpoint<S>, error: &ApiError) -> Close {
    if error.code.is_retryable() {
        let again = endpoint.lifecycle().retry_after();
        return Close::Restart { retry_after_ms: u64::try_from(again.as_millis()).unwrap_or(1_000) };
    }
    let reason = error.reason.map_or("Forbidden", |reason| reason.as_str());
    Close::Forbidden(format!("{reason}: {error}"))
}
