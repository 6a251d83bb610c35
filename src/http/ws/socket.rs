//! Drives a WebSocket: feeds the state machine with events and executes its actions. Everything of a WebSocket,
//! including its operations, runs in one task, so an idle subscriber is small and a slow reader only slows down itself.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::future::{self, BoxFuture};
use futures::stream::{self, AbortHandle, BoxStream, FuturesUnordered, SelectAll};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::identity::{self, Authenticated, Identity};
use super::protocol::{Action, Close, Event, Protocol, Ticket};
use super::sub_protocol::SubProtocol;
use crate::error::{ApiError, Code};
use crate::http::answer;
use crate::http::endpoint::{Endpoint, Panicked};
use crate::http::operation::Kind;
use crate::http::params::Params;
use crate::http::service::{Credentials, Frame, GraphqlService, RequestMeta, Revocation};
use crate::http::telemetry::{Ongoing, Telemetry};

/// The number of events that are processed before they are written.
const BURST: usize = 64;

/// How long the server waits for the peer's part of the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a draining WebSocket checks whether its last operation is done.
const DRAIN_STEP: Duration = Duration::from_millis(50);

/// Closes a WebSocket whose client speaks another subprotocol.
pub(super) async fn refuse_sub_protocol(mut socket: WebSocket) {
    let reason = format!("Subprotocol not acceptable: offer {}", SubProtocol::Either);
    close(&mut socket, 4406, reason).await;
}

async fn close(socket: &mut WebSocket, code: u16, reason: String) {
    Telemetry::socket_closed(code);
    let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    // A peer that is gone needs no close.
    let _ = timeout(CLOSE_TIMEOUT, socket.send(frame)).await;
}

/// Serves a WebSocket until either end closes it. The returned future is as large as every idle WebSocket.
pub(super) fn serve<S: GraphqlService>(
    endpoint: Endpoint<S>,
    spoken: SubProtocol,
    websocket: WebSocket,
    meta: RequestMeta,
    credentials: Credentials<'static>,
) -> impl Future<Output = ()> + Send + 'static {
    let counted = Ongoing::socket();
    let settings = &endpoint.settings().socket;
    let signals = FuturesUnordered::new();
    signals.push(after(settings.init_timeout, Signal::InitTimeout));
    signals.push(after(settings.ping_every, Signal::PingDue));
    signals.push(drained(endpoint.clone()).map(|()| Signal::DrainDue).boxed());
    let mut socket = Socket {
        protocol: Protocol::new(spoken, settings.max_operations),
        websocket,
        operations: SelectAll::new(),
        running: HashMap::new(),
        finite: HashSet::new(),
        signals,
        identity: None,
        credentials,
        endpoint,
        meta,
    };
    async move {
        let _counted = counted;
        socket.run().await;
    }
}

/// A rare event of a WebSocket. Only those that are signaled are polled.
enum Signal<C> {
    Authenticated(Authenticated<C>),
    Renewed(Result<C, Close>),
    /// `None` if it is no longer waited for.
    Revoked(Option<Revocation>),
    InitTimeout,
    PingDue,
    DrainDue,
}

fn after<C: Send + 'static>(pause: Duration, signal: Signal<C>) -> BoxFuture<'static, Signal<C>> {
    let signalled = async move {
        tokio::time::sleep(pause).await;
        signal
    };
    signalled.boxed()
}

/// Resolves when the server drains and it is the turn of this WebSocket.
fn drained<S: GraphqlService>(endpoint: Endpoint<S>) -> BoxFuture<'static, ()> {
    async move {
        endpoint.lifecycle().draining().cancelled().await;
        tokio::time::sleep(endpoint.lifecycle().own_share()).await;
    }
    .boxed()
}

enum Flow {
    Open,
    Closed,
}

/// The frames of an operation.
enum Said {
    Frame(Ticket, Result<Frame, Panicked>),
    Ended(Ticket),
}

impl Said {
    fn into_event(self) -> Event {
        match self {
            Self::Frame(ticket, Ok(frame)) => Event::Frame(ticket, frame),
            Self::Frame(_, Err(Panicked)) => Event::Broken,
            Self::Ended(ticket) => Event::Ended(ticket),
        }
    }
}

struct Socket<S: GraphqlService> {
    protocol: Protocol,
    websocket: WebSocket,
    operations: SelectAll<Pin<Box<stream::Abortable<BoxStream<'static, Said>>>>>,
    running: HashMap<Ticket, AbortHandle>,
    /// The number of queries and mutations among them: a drain waits for these.
    finite: HashSet<Ticket>,
    signals: FuturesUnordered<BoxFuture<'static, Signal<S::Caller>>>,
    identity: Option<Identity<S::Caller>>,
    /// Those of the upgrade, until the `connection_init`.
    credentials: Credentials<'static>,
    endpoint: Endpoint<S>,
    meta: RequestMeta,
}

impl<S: GraphqlService> Socket<S> {
    /// State that is only needed while processing an event is boxed, so that an idle WebSocket has no room for it.
    async fn run(&mut self) {
        let patience = self.endpoint.settings().socket.write_timeout;
        loop {
            let event = tokio::select! {
                message = self.websocket.next() => match message {
                    Some(Ok(Message::Text(text))) => Event::Text(text.as_str().to_owned()),
                    Some(Ok(Message::Binary(_))) => Event::Binary,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Event::Alive,
                    Some(Ok(Message::Close(_))) => return self.answer_close().boxed().await,
                    None => return,
                    Some(Err(error)) => return self.on_read_error(error).boxed().await,
                },
                Some(said) = self.operations.next() => said.into_event(),
                Some(signal) = self.signals.next() => match self.on_signal(signal) {
                    Some(event) => event,
                    None => continue,
                },
            };
            match timeout(patience, self.apply_burst(event).boxed()).await {
                Ok(Ok(Flow::Open)) => {}
                // The other half of the handshake, so that our close frame is not lost because of a reset.
                Ok(Ok(Flow::Closed)) => {
                    let source = &mut self.websocket;
                    let _ = timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = source.next().await {} }).await;
                    return;
                }
                Ok(Err(_)) => return,
                Err(_) => {
                    tracing::info!(request_id = %self.meta.request_id.0, "dropped a WebSocket that left its messages unread");
                    Telemetry::socket_closed(1006);
                    return;
                }
            }
        }
    }

    /// Processes an event and all others that are already there, and flushes.
    async fn apply_burst(&mut self, first: Event) -> Result<Flow, axum::Error> {
        if let Flow::Closed = self.apply(first).await? {
            return Ok(Flow::Closed);
        }
        for _ in 0..BURST {
            let Some(Some(said)) = self.operations.next().now_or_never() else { break };
            if let Flow::Closed = self.apply(said.into_event()).await? {
                return Ok(Flow::Closed);
            }
        }
        self.websocket.flush().await?;
        Ok(Flow::Open)
    }

    async fn apply(&mut self, event: Event) -> Result<Flow, axum::Error> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            if let Event::Ended(ticket) = &event {
                self.forget(*ticket);
            }
            for action in self.protocol.on(event) {
                match action {
                    Action::Send(text) => self.websocket.feed(Message::Text(Utf8Bytes::from(text))).await?,
                    Action::Ping => self.websocket.feed(Message::Ping(bytes::Bytes::new())).await?,
                    Action::Authenticate(payload) => self.authenticate(&payload),
                    Action::Renew(authorization) => self.renew(authorization),
                    // Boxed, so that a WebSocket is not always as large as when it starts an operation.
                    Action::Start(ticket, params) => events.extend(Box::pin(self.start(ticket, *params)).await),
                    Action::Stop(ticket) => self.forget(ticket),
                    Action::Close(reason) => {
                        close(&mut self.websocket, reason.code(), reason.reason()).await;
                        return Ok(Flow::Closed);
                    }
                }
            }
        }
        Ok(Flow::Open)
    }

    fn forget(&mut self, ticket: Ticket) {
        self.finite.remove(&ticket);
        if let Some(handle) = self.running.remove(&ticket) {
            handle.abort();
        }
    }

    fn authenticate(&mut self, payload: &Map<String, Value>) {
        let credentials = identity::said(payload, std::mem::replace(&mut self.credentials, Credentials::Nothing));
        let authenticated = identity::identify(self.endpoint.clone(), credentials, self.meta.clone());
        self.signals.push(authenticated.map(Signal::Authenticated).boxed());
    }

    /// Checks a new access token of the caller, one at a time: if a client sends two at once, either will do.
    fn renew(&mut self, authorization: String) {
        let Some(identity) = &mut self.identity else { return };
        if !std::mem::replace(&mut identity.renewing, true) {
            let before = identity.caller.clone();
            let renewed = identity::renew(self.endpoint.clone(), before, authorization, self.meta.clone());
            self.signals.push(renewed.map(Signal::Renewed).boxed());
        }
    }

    /// Waits for the end of the caller's session.
    fn watch(&mut self) {
        let Some(identity) = &mut self.identity else { return };
        let (revoked, watched) = future::abortable(self.endpoint.service().revoked(&identity.caller));
        if let Some(before) = identity.watched.replace(watched) {
            before.abort();
        }
        self.signals.push(revoked.map(|revocation| Signal::Revoked(revocation.ok())).boxed());
    }

    /// The immediate result of a signal, if there is one.
    fn on_signal(&mut self, signal: Signal<S::Caller>) -> Option<Event> {
        match signal {
            Signal::Authenticated(outcome) => Some(self.on_authenticated(outcome)),
            Signal::Renewed(Ok(caller)) => {
                if let Some(identity) = &mut self.identity {
                    (identity.caller, identity.renewing) = (caller, false);
                }
                self.watch();
                None
            }
            Signal::Renewed(Err(close)) => Some(Event::Refused(close)),
            Signal::Revoked(revocation) => revocation.map(|revocation| Event::Revoked(revocation.reason())),
            Signal::InitTimeout => Some(Event::InitTimeout),
            Signal::PingDue => {
                self.signals.push(after(self.endpoint.settings().socket.ping_every, Signal::PingDue));
                Some(Event::PingDue)
            }
            Signal::DrainDue => {
                let event = self.on_drain();
                if event.is_none() {
                    self.signals.push(after(DRAIN_STEP, Signal::DrainDue));
                }
                event
            }
        }
    }

    fn on_authenticated(&mut self, outcome: Authenticated<S::Caller>) -> Event {
        match outcome {
            Ok(mut identity) => {
                let mut ack = self.acknowledgement(&identity.caller);
                if let Some(cursor) = identity.cursor.take() {
                    ack["cursor"] = cursor.as_ref().into();
                }
                self.identity = Some(identity);
                self.watch();
                Event::Accepted { ack }
            }
            Err(close) => Event::Refused(close),
        }
    }

    fn acknowledgement(&self, caller: &S::Caller) -> Value {
        let (limits, socket) = (self.endpoint.service().limits(caller), &self.endpoint.settings().socket);
        json!({
            "serverTime": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "limits": {
                "maxOperations": socket.max_operations,
                "maxMessageBytes": socket.max_message_bytes,
                "maxDepth": limits.operation.depth,
                "maxCost": limits.operation.cost,
                "maxSubscriptions": limits.subscriptions,
                "pingSeconds": socket.ping_every.as_secs(),
            },
            "resume": { "supported": true, "argument": "after" },
        })
    }

    /// Starts an operation, or immediately returns why not.
    async fn start(&mut self, ticket: Ticket, params: Params) -> Option<Event> {
        let mut meta = self.meta.clone();
        meta.request_id = super::super::request_id::fresh();
        let refused = |frame| Some(Event::Frame(ticket, frame));
        let Some(identity) = &self.identity else { return Some(Event::Broken) };
        meta.credential = identity.credential;
        if self.endpoint.lifecycle().is_draining() {
            let cause = ApiError::new(Code::RateLimited, "the server is restarting; connect again in a moment");
            return refused(answer::refused_frame(cause, &meta.request_id));
        }
        let operation = match self.endpoint.prepare(&identity.caller, params, &meta).await {
            Ok(operation) => operation,
            Err(response) => return refused(Frame::from_response(&response, None)),
        };
        if operation.kind != Kind::Subscription {
            self.finite.insert(ticket);
        }
        let said = self
            .endpoint
            .stream(&identity.caller, operation, meta)
            .map(move |frame| Said::Frame(ticket, frame))
            .chain(stream::once(async move { Said::Ended(ticket) }))
            .boxed();
        let (said, handle) = stream::abortable(said);
        self.running.insert(ticket, handle);
        self.operations.push(Box::pin(said));
        None
    }

    /// It is the turn of this WebSocket to close, but not before its queries and mutations are answered.
    fn on_drain(&mut self) -> Option<Event> {
        if !self.finite.is_empty() {
            return None;
        }
        let again = self.endpoint.lifecycle().retry_after();
        Some(Event::Drained { retry_after_ms: u64::try_from(again.as_millis()).unwrap_or(1_000) })
    }

    /// The other half of a closing handshake that the peer started: without it, the peer reports an abnormal closure
    /// (1006).
    async fn answer_close(&mut self) {
        // A peer that does not wait for it does not need it.
        let _ = timeout(CLOSE_TIMEOUT, futures::SinkExt::close(&mut self.websocket)).await;
    }

    /// Tells the peer what it did wrong, if it is still there; any other error means that it is gone.
    async fn on_read_error(&mut self, error: axum::Error) {
        tracing::debug!(request_id = %self.meta.request_id.0, %error, "a WebSocket failed");
        // RFC 6455, section 7.4.1. The type of the error belongs to a crate below axum.
        let said = error.to_string().to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if has(&["protocol error"]) {
            close(&mut self.websocket, 1002, "Protocol error".to_owned()).await;
        } else if has(&["utf-8"]) {
            close(&mut self.websocket, 1007, "Not UTF-8".to_owned()).await;
        } else if has(&["too long", "too large", "too big"]) {
            let allowed = self.endpoint.settings().socket.max_message_bytes;
            close(&mut self.websocket, 1009, format!("Message too large: at most {allowed} bytes")).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    /// The size of what `start` returns, without starting it.
    fn returned<A, B, C, D, E, F>(_start: fn(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_socket_is_small() {
        let bytes = returned(serve::<App>);
        assert!(bytes <= 1280, "each of thousands of sockets would take {bytes} bytes");
    }
}
