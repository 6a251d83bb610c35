//! What the transports need of the program behind them: authentication, execution, and the end of sessions.
//!
//! The transports know HTTP, WebSocket and the wire formats of GraphQL and nothing of the domain; [`GraphqlService`] is
//! the whole interface between the two, so every transport is tested with a toy schema.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, Response, Value};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, Code};
use crate::graphql::context::Standing;
use crate::graphql::errors::RequestId;
use crate::graphql::executable::{Executed, was_executed};
use crate::graphql::limits::{CallerLimits, CostTable, Deadline, Prepared, Principal};
use crate::http::answer;
use crate::objects::Store;
use crate::trail::Credential;

/// Runs GraphQL operations for a transport.
///
/// A clone is a cheap handle to the same service.
pub trait GraphqlService: Clone + Send + Sync + 'static {
    /// The caller; an anonymous caller is one too.
    type Caller: Clone + Send + Sync + 'static;

    /// Authenticates the sender of a request. Without credentials it is the anonymous caller; an invalid `Authorization`
    /// is an error.
    fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        peer: &Peer,
    ) -> impl Future<Output = Result<Self::Caller, ApiError>> + Send;

    /// Authenticates the sender of this operation, whose credentials were `rejected`: nobody may be prevented from logging
    /// in, refreshing a session or logging out by the expired token that a client sends with every request. `None` if
    /// the rejection stands; an error says better what is wrong.
    fn authenticate_anyway(
        &self,
        _credentials: &Credentials<'_>,
        _operation: &Prepared,
    ) -> impl Future<Output = Option<Result<Self::Caller, ApiError>>> + Send {
        std::future::ready(None)
    }

    /// The session cookie of a request, if sessions are stored in cookies.
    fn cookie<'h>(&self, _headers: &'h HeaderMap) -> Option<&'h str> {
        None
    }

    /// Whether both callers have the same session or the same API token, so that the credentials of one can replace those of the other.
    fn is_same_session(&self, one: &Self::Caller, other: &Self::Caller) -> bool;

    /// The principal that WebSockets, operations and cost points are counted for. `None`: by address.
    fn principal(&self, caller: &Self::Caller) -> Option<Principal>;

    /// The limits of this caller.
    fn limits(&self, caller: &Self::Caller) -> Arc<CallerLimits>;

    /// The costs of the fields in the schema.
    fn costs(&self) -> Arc<CostTable>;

    /// Runs a query or a mutation. The request is already parsed, `prepared`, and within [`Self::limits`].
    fn execute(
        &self,
        caller: &Self::Caller,
        request: Request,
        prepared: &Prepared,
        meta: RequestMeta,
    ) -> impl Future<Output = Answer> + Send;

    /// Starts a subscription, which ends when its stream ends or is dropped.
    fn subscribe(
        &self,
        caller: &Self::Caller,
        request: Request,
        prepared: Prepared,
        meta: RequestMeta,
    ) -> BoxStream<'static, Frame>;

    /// The current position of the event log, as a cursor that the caller can subscribe after; `None` if they must not
    /// know it or it is unknown.
    fn event_cursor(&self, _caller: &Self::Caller) -> impl Future<Output = Option<Arc<str>>> + Send {
        std::future::ready(None)
    }

    /// Resolves when the credentials of the caller expire, if that ends WebSockets and event streams.
    fn expired(&self, _caller: &Self::Caller) -> impl Future<Output = ()> + Send + 'static {
        std::future::pending()
    }

    /// Resolves when the session of the caller ends, or their credentials [expire](Self::expired); never for an
    /// anonymous one.
    fn revoked(&self, caller: &Self::Caller) -> impl Future<Output = Revocation> + Send + 'static;

    /// Takes a step of a sign-in with a provider, and returns where the browser goes next.
    fn sign_in(
        &self,
        _step: SignInStep,
        _request: SignInRequest<'_>,
    ) -> impl Future<Output = Result<Redirection, ApiError>> + Send {
        std::future::ready(Err(ApiError::new(Code::NotFound, "this server has no sign-in providers")))
    }

    /// The state of every dependency that the server needs, checked now.
    fn readiness(&self) -> impl Future<Output = Vec<ReadinessCheck>> + Send;

    /// The metrics in Prometheus' text format.
    fn render_metrics(&self) -> String;

    /// The answer to a request for `/files/<ticket>/...`: the files of a storage claim.
    fn files(
        &self,
        _request: http::Request<axum::body::Body>,
    ) -> impl Future<Output = axum::response::Response> + Send {
        std::future::ready(axum::response::IntoResponse::into_response(http::StatusCode::NOT_FOUND))
    }

    /// The entries of the audit log in this span, as lines of JSON, for a caller who may export them. The stream is read
    /// as fast as the client takes it. `None` if the service has no audit log.
    fn audit_log(
        &self,
        _caller: &Self::Caller,
        _span: Span,
        _meta: &RequestMeta,
    ) -> impl Future<Output = Result<Option<Lines>, ApiError>> + Send {
        std::future::ready(Ok(None))
    }

    /// The store of the objects that links to this server lead to, if there is one.
    fn objects(&self) -> Option<&Store> {
        None
    }

    /// The schema in SDL, with or without what is deprecated.
    fn sdl(&self, deprecated: Deprecated) -> Arc<str>;

    /// The public keys that verify access tokens, as a JSON Web Key Set (RFC 7517): none if there are none.
    fn public_keys(&self) -> serde_json::Value;

    /// The configuration of the playground, served as `/playground/config.json`; `None` disables the page.
    fn playground(&self) -> Option<serde_json::Value>;
}

/// A step of a sign-in with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInStep {
    /// The browser wants to go to the provider.
    Start,
    /// It has come back.
    Callback,
}

/// A request of a browser that signs in.
#[derive(Debug)]
pub struct SignInRequest<'a> {
    /// The query string.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// Who sent it.
    pub peer: Peer,
    /// Returned as `X-Request-Id`.
    pub request_id: &'a RequestId,
}

/// Where a browser goes next.
#[derive(Debug)]
pub struct Redirection {
    /// The URL.
    pub location: String,
    /// Values of `Set-Cookie`.
    pub cookies: Vec<HeaderValue>,
}

/// Lines of JSON.
pub type Lines = BoxStream<'static, Result<Bytes, ApiError>>;

/// A span of time: from the first moment, which is included, to the second, which is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The first moment; by default, there is none.
    pub from: Option<DateTime<Utc>>,
    /// The moment after the last; by default, the present.
    pub to: Option<DateTime<Utc>>,
}

/// What a request says about its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// Nothing.
    Nothing,
    /// The value of the `Authorization` header, or of the same key in the payload of `connection_init`.
    Authorization(Cow<'a, str>),
    /// The session cookie.
    Cookie(Cow<'a, str>),
}

impl Credentials<'_> {
    /// The kind, for the audit log.
    pub const fn kind(&self) -> Option<Credential> {
        match self {
            Self::Nothing => None,
            Self::Authorization(_) => Some(Credential::Session),
            Self::Cookie(_) => Some(Credential::Cookie),
        }
    }

    /// The same, for longer than the request.
    pub fn into_owned(self) -> Credentials<'static> {
        match self {
            Self::Nothing => Credentials::Nothing,
            Self::Authorization(text) => Credentials::Authorization(text.into_owned().into()),
            Self::Cookie(text) => Credentials::Cookie(text.into_owned().into()),
        }
    }
}

/// The peer of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Its `User-Agent`, truncated to 200 characters.
    pub user_agent: Option<Arc<str>>,
}

/// The transport of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One request, one response.
    Http,
    /// `graphql-transport-ws`.
    WebSocket,
    /// Server-sent events, one connection per operation.
    Sse,
    /// Apollo's multipart subscriptions.
    Multipart,
}

impl Transport {
    /// The name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::Multipart => "multipart",
        }
    }
}

/// What a request contains besides the operation.
#[derive(Debug, Clone)]
pub struct RequestMeta {
    /// Returned to the client as `X-Request-Id` and in every error.
    pub request_id: RequestId,
    /// Who sent it.
    pub peer: Peer,
    /// How it came.
    pub transport: Transport,
    /// When a query or mutation must be answered; subscriptions have no deadline.
    pub deadline: Option<Deadline>,
    /// The last cursor of an SSE client (`Last-Event-ID`): the subscription resumes after it unless it has an `after`
    /// argument.
    pub resume_after: Option<Arc<str>>,
    /// W3C trace context, as the client sent it.
    pub traceparent: Option<Arc<str>>,
    /// Whether responses should contain the cost: the header `GraphQL-Cost: report`.
    pub tells_cost: bool,
    /// The session cookie, if the response can set a new one.
    pub cookie: Option<Arc<str>>,
    /// The kind of the credentials, whether they are valid or not.
    pub credential: Option<Credential>,
}

/// The result of a query or a mutation.
#[derive(Debug)]
pub enum Answer {
    /// For its sender.
    Own {
        /// The response of the schema.
        response: Box<Response>,
        /// Its cost in points; `None` to have it computed from the data.
        cost: Option<u64>,
    },
    /// For several callers with the same request. It has no errors.
    Shared(Arc<SharedAnswer>),
}

/// The shared response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedAnswer {
    /// `{"data": …}` as JSON.
    pub payload: Arc<str>,
    /// The cost in points.
    pub cost: u64,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self::Own { response: Box::new(response), cost: None }
    }
}

impl From<Executed> for Answer {
    fn from(Executed { response, cost }: Executed) -> Self {
        Self::Own { response: Box::new(response), cost: Some(cost) }
    }
}

/// One message of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The subscription has started. The client receives no event for this.
    Begun {
        /// Where a subscriber that is disconnected before its first event can resume.
        cursor: Arc<str>,
        /// How to find out where it can resume later, while no event is sent; `None` if that does not move.
        standing: Option<Standing>,
    },
    /// An event: the serialized execution result, shared by all subscribers that receive the same.
    Next {
        /// `{"data": …}` as JSON.
        payload: Arc<str>,
        /// Where a subscriber that received this one can resume.
        cursor: Option<Arc<str>>,
    },
    /// The operation was never executed; nothing follows.
    Refused {
        /// The errors as a JSON array.
        errors: Arc<str>,
    },
    /// The subscription failed; nothing follows.
    Failed {
        /// The errors as a JSON array.
        errors: Arc<str>,
        /// Where it can resume, if it can.
        cursor: Option<Arc<str>>,
        /// Whether subscribing again can help.
        retryable: bool,
    },
}

impl Frame {
    /// The frame for a response of the schema: a rejection if the operation was never executed.
    pub fn from_response(response: &Response, cursor: Option<Arc<str>>) -> Self {
        if was_executed(response) {
            Self::Next { payload: answer::serialize(response).into(), cursor }
        } else {
            Self::Refused { errors: answer::serialize_errors(&response.errors).into() }
        }
    }

    /// The last frame of a subscription that ends with the errors of this response.
    pub fn failed(response: &Response, cursor: Option<Arc<str>>) -> Self {
        let may_succeed = |error: &async_graphql::ServerError| {
            let said = error.extensions.as_ref().and_then(|extensions| extensions.get("retryable"));
            said == Some(&Value::Boolean(true))
        };
        let retryable = response.errors.iter().all(may_succeed);
        Self::Failed { errors: answer::serialize_errors(&response.errors).into(), cursor, retryable }
    }
}

/// Why the session of a caller ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Logged out, disabled or deleted.
    SessionEnded,
    /// The API token was revoked or has expired, or its user is disabled or deleted.
    ApiTokenEnded,
    /// The access token has expired; the client can reconnect with a new one.
    TokenExpired,
}

impl Revocation {
    /// The reason for closing a WebSocket.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SessionEnded => "SESSION_ENDED: the session has ended; log in again",
            Self::ApiTokenEnded => "TOKEN_REVOKED: the API token was revoked or has expired",
            Self::TokenExpired => "TOKEN_EXPIRED: the access token has expired; get a new one with refreshSession",
        }
    }
}

/// A dependency of the server.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadinessCheck {
    /// The name: `database`, `migrations`, `cluster`, `watch`.
    pub name: &'static str,
    /// Whether it works.
    pub healthy: bool,
    /// What is wrong, or a useful number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long the check took.
    #[serde(serialize_with = "as_milliseconds", rename = "tookMs")]
    pub took: Duration,
}

fn as_milliseconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(took.as_millis())
}

/// Whether the printed schema contains what is deprecated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deprecated {
    /// With them.
    Included,
    /// Without: `?remove_deprecated=true`.
    Removed,
}
