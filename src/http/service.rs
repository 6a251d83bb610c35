//! What the transports need of the program behind them: who speaks, how an operation runs, when a session ends.
//!
//! The transports know HTTP, WebSocket and GraphQL's wire formats and nothing of the domain; [`GraphqlService`] is
//! the whole seam between the two, so every transport is tested against a toy schema.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, Response};
use futures::stream::BoxStream;
use serde::Serialize;

use crate::error::ApiError;
use crate::graphql::errors::RequestId;
use crate::graphql::executable::{Executed, was_executed};
use crate::graphql::limits::{CallerLimits, CostTable, Deadline, Prepared, Principal};
use crate::http::answer;

/// Runs GraphQL operations for a transport.
///
/// A clone is a handle: cheap, and to the same service.
pub trait GraphqlService: Clone + Send + Sync + 'static {
    /// Who speaks; an anonymous caller is one too.
    type Caller: Clone + Send + Sync + 'static;

    /// Finds out who speaks from the value of the `Authorization` header, or of the same key in the payload of
    /// `connection_init`. `None` is the anonymous caller; credentials that are there and wrong are an error.
    fn authenticate(
        &self,
        credentials: Option<&str>,
        peer: &Peer,
    ) -> impl Future<Output = Result<Self::Caller, ApiError>> + Send;

    /// Whom sockets, operations and cost points are counted for. `None`: by address.
    fn principal(&self, caller: &Self::Caller) -> Option<Principal>;

    /// How large an operation of this caller may be, and how much they may do.
    fn limits(&self, caller: &Self::Caller) -> Arc<CallerLimits>;

    /// What the schema's fields cost.
    fn costs(&self) -> Arc<CostTable>;

    /// Runs a query or a mutation. The request is parsed already, `prepared`, and within [`Self::limits`].
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

    /// Where the event log stands now, as a cursor that the caller may subscribe after; `None` if they may not know or
    /// nobody knows.
    fn event_cursor(&self, _caller: &Self::Caller) -> impl Future<Output = Option<Arc<str>>> + Send {
        std::future::ready(None)
    }

    /// Resolves when the caller may speak no longer; never for an anonymous one.
    fn revoked(&self, caller: &Self::Caller) -> impl Future<Output = Revocation> + Send + 'static;

    /// Every part the server cannot work without, checked now.
    fn readiness(&self) -> impl Future<Output = Vec<ReadinessCheck>> + Send;

    /// The metrics in Prometheus' text format.
    fn render_metrics(&self) -> String;

    /// The schema in GraphQL's schema language, with or without what is deprecated.
    fn sdl(&self, deprecated: Deprecated) -> Arc<str>;

    /// What the playground page should know, served as `/playground/config.json`; `None` switches the page off.
    fn playground(&self) -> Option<serde_json::Value>;
}

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Its `User-Agent`, cut at 200 characters.
    pub user_agent: Option<Arc<str>>,
}

/// How an operation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One request, one answer.
    Http,
    /// `graphql-transport-ws`.
    WebSocket,
    /// Server-sent events, one connection an operation.
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

/// What a request brought besides the operation.
#[derive(Debug, Clone)]
pub struct RequestMeta {
    /// Told to the client as `X-Request-Id` and in every error.
    pub request_id: RequestId,
    /// Who sent it.
    pub peer: Peer,
    /// How it came.
    pub transport: Transport,
    /// When a query or mutation has to be answered; subscriptions have none.
    pub deadline: Option<Deadline>,
    /// The cursor an SSE client saw last (`Last-Event-ID`): the subscription resumes after it unless it says `after:`.
    pub resume_after: Option<Arc<str>>,
    /// W3C trace context, as the client sent it.
    pub traceparent: Option<Arc<str>>,
    /// Whether answers are to say what they cost: the header `GraphQL-Cost: report`.
    pub tells_cost: bool,
}

/// What a query or a mutation came to.
#[derive(Debug)]
pub enum Answer {
    /// For its sender.
    Own {
        /// The response of the schema.
        response: Box<Response>,
        /// What it cost, in points; `None` to have that counted by what is in it.
        cost: Option<u64>,
    },
    /// For several who asked the same. It has no errors.
    Shared(Arc<SharedAnswer>),
}

/// What several are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedAnswer {
    /// `{"data": …}` as JSON.
    pub payload: Arc<str>,
    /// What it cost, in points.
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
    /// The subscription has begun. The client is told no event by this.
    Begun {
        /// Where a subscriber that is cut off before its first event may resume.
        cursor: Arc<str>,
    },
    /// An event: the serialized execution result, shared by all who get the same.
    Next {
        /// `{"data": …}` as JSON.
        payload: Arc<str>,
        /// Where a subscriber that saw this one may resume.
        cursor: Option<Arc<str>>,
    },
    /// The operation never ran; nothing follows.
    Refused {
        /// The errors as a JSON array.
        errors: Arc<str>,
    },
}

impl Frame {
    /// The frame for a response of the schema: a refusal when the operation was never executed.
    pub fn from_response(response: &Response, cursor: Option<Arc<str>>) -> Self {
        if was_executed(response) {
            Self::Next { payload: answer::serialize(response).into(), cursor }
        } else {
            Self::Refused { errors: answer::serialize_errors(&response.errors).into() }
        }
    }
}

/// Why a caller may speak no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Logged out, disabled or deleted.
    SessionEnded,
    /// The access token is past its time; a fresh one may connect again.
    TokenExpired,
}

impl Revocation {
    /// The reason a socket is closed with.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SessionEnded => "Forbidden: the session has ended",
            Self::TokenExpired => "Forbidden: the access token has expired",
        }
    }
}

/// One part the server depends on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadinessCheck {
    /// The part: `database`, `migrations`, `cluster`, `watch`.
    pub name: &'static str,
    /// Whether it works.
    pub healthy: bool,
    /// What is wrong, or a number worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long the check took.
    #[serde(serialize_with = "as_milliseconds", rename = "tookMs")]
    pub took: Duration,
}

fn as_milliseconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(took.as_millis())
}

/// Whether the printed schema has its deprecated parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deprecated {
    /// With them.
    Included,
    /// Without: `?remove_deprecated=true`.
    Removed,
}
