//! The state machine of a WebSocket, the same for both subprotocols: events in, actions out, without I/O or a clock.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::message::{self, ClientMessage};
use super::sub_protocol::SubProtocol;
use crate::graphql::context::Standing;
use crate::http::params::Params;
use crate::http::service::Frame;

/// Why a WebSocket is closed, with the close code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// 4400.
    BadMessage(String),
    /// 4401: an operation before the acknowledgement.
    Unauthorized,
    /// 4403: the credentials are rejected, or no longer valid.
    Forbidden(String),
    /// 4408: no `connection_init` in time.
    InitTimeout,
    /// 4409.
    IdInUse(String),
    /// 4429.
    SecondInit,
    /// 4500.
    InternalError,
    /// 1012: the server is shutting down; reconnect after this many milliseconds.
    Restart {
        /// When to reconnect.
        retry_after_ms: u64,
    },
    /// 1013: this user has too many WebSockets.
    TooManySockets(usize),
    /// 1001: the peer has not answered two pings.
    Dead,
    /// 1000: requested by the client.
    Terminated,
}

impl Close {
    /// The close code.
    pub const fn code(&self) -> u16 {
        match self {
            Self::BadMessage(_) => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden(_) => 4403,
            Self::InitTimeout => 4408,
            Self::IdInUse(_) => 4409,
            Self::SecondInit => 4429,
            Self::InternalError => 4500,
            Self::Restart { .. } => 1012,
            Self::TooManySockets(_) => 1013,
            Self::Dead => 1001,
            Self::Terminated => 1000,
        }
    }

    /// The reason, at most the 123 bytes that fit into a close frame.
    pub fn reason(&self) -> String {
        let mut reason = match self {
            Self::BadMessage(reason) | Self::Forbidden(reason) => reason.clone(),
            Self::Unauthorized => "Unauthorized".to_owned(),
            Self::InitTimeout => "Connection initialisation timeout".to_owned(),
            Self::IdInUse(id) => format!("Subscriber for {id} already exists"),
            Self::SecondInit => "Too many initialisation requests".to_owned(),
            Self::InternalError => "Internal server error".to_owned(),
            Self::Restart { retry_after_ms } => format!(r#"{{"retryAfterMs":{retry_after_ms}}}"#),
            Self::TooManySockets(allowed) => format!("Too many sockets: at most {allowed} per user"),
            Self::Dead => "No response to two pings".to_owned(),
            Self::Terminated => String::new(),
        };
        reason.truncate(reason.floor_char_boundary(123));
        reason
    }
}

/// A run of an operation. A client may end an operation and immediately reuse its ID: what the old run still sends has
/// the old ticket and is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// An event.
#[derive(Debug)]
pub enum Event {
    /// A text message arrived.
    Text(String),
    /// A binary message arrived, which the protocol does not have.
    Binary,
    /// A control frame arrived (a pong): the peer is alive.
    Alive,
    /// The credentials are valid.
    Accepted {
        /// The payload of the acknowledgement.
        ack: Value,
    },
    /// They are not.
    Refused(Close),
    /// The timeout for `connection_init` has passed.
    InitTimeout,
    /// A ping is due.
    PingDue,
    /// An operation sends a frame.
    Frame(Ticket, Frame),
    /// An operation has ended.
    Ended(Ticket),
    /// An operation ended because of a bug.
    Broken,
    /// The session of the caller has ended.
    Revoked(&'static str),
    /// The server drains, and it is the turn of this WebSocket.
    Drained {
        /// When to reconnect.
        retry_after_ms: u64,
    },
}

/// An action.
#[derive(Debug)]
pub enum Action {
    /// Send a text message.
    Send(String),
    /// Send a WebSocket ping.
    Ping,
    /// Authenticate, and respond with [`Event::Accepted`] or [`Event::Refused`].
    Authenticate(Map<String, Value>),
    /// Authenticate again with these credentials, and respond with [`Event::Refused`] if they are not valid.
    Renew(String),
    /// Start an operation.
    Start(Ticket, Box<Params>),
    /// Stop an operation that the client has ended.
    Stop(Ticket),
    /// Close the WebSocket; nothing follows.
    Close(Close),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opened,
    Authenticating,
    Ready,
    Closed,
}

#[derive(Debug)]
struct Operation {
    id: Arc<str>,
    /// Where the client can resume.
    cursor: Option<Arc<str>>,
    standing: Option<Standing>,
}

impl Operation {
    /// Everything up to this cursor was sent, or is not for the client.
    fn cursor(&mut self) -> Option<&str> {
        if let Some(moved) = self.standing.as_ref().and_then(Standing::cursor)
            && self.cursor.as_deref() != Some(moved.as_str())
        {
            self.cursor = Some(moved.into());
        }
        self.cursor.as_deref()
    }
}

/// A WebSocket, from when it is opened until it is closed.
#[derive(Debug)]
pub struct Protocol {
    spoken: SubProtocol,
    phase: Phase,
    max_operations: usize,
    operations: HashMap<Ticket, Operation>,
    tickets: HashMap<Arc<str>, Ticket>,
    /// Operations that arrived before the acknowledgement, which only the older protocol allows.
    waiting: Vec<(Ticket, Box<Params>)>,
    next_ticket: u64,
    unanswered_pings: u8,
}

/// The number of pings that may stay unanswered before the peer is considered dead.
const MAX_UNANSWERED_PINGS: u8 = 2;

impl Protocol {
    /// A WebSocket that was just opened and may have this many concurrent operations.
    pub fn new(spoken: SubProtocol, max_operations: usize) -> Self {
        Self {
            spoken,
            phase: Phase::Opened,
            max_operations,
            operations: HashMap::new(),
            tickets: HashMap::new(),
            waiting: Vec::new(),
            next_ticket: 0,
            unanswered_pings: 0,
        }
    }

    /// Processes an event and returns the actions, in order.
    pub fn on(&mut self, event: Event) -> Vec<Action> {
        if self.phase == Phase::Closed {
            return Vec::new();
        }
        match event {
            Event::Text(text) => {
                self.unanswered_pings = 0;
                match ClientMessage::parse(&text, self.spoken) {
                    Ok((message, spoken)) => {
                        self.spoken = spoken;
                        self.on_message(message)
                    }
                    Err(reason) => self.close(Close::BadMessage(reason)),
                }
            }
            Event::Binary => self.close(Close::BadMessage("Invalid message: binary".to_owned())),
            Event::Alive => {
                self.unanswered_pings = 0;
                Vec::new()
            }
            Event::Accepted { ack } if self.phase == Phase::Authenticating => self.on_accepted(&ack),
            Event::Accepted { .. } => Vec::new(),
            Event::Refused(close) => self.close(close),
            Event::InitTimeout if self.phase == Phase::Opened => self.close(Close::InitTimeout),
            Event::InitTimeout => Vec::new(),
            Event::PingDue => self.on_ping_due(),
            Event::Frame(ticket, frame) => self.on_frame(ticket, frame),
            Event::Ended(ticket) => match self.forget(ticket) {
                Some(operation) => vec![Action::Send(message::complete(&operation.id))],
                None => Vec::new(),
            },
            Event::Broken => self.close(Close::InternalError),
            Event::Revoked(reason) => self.close(Close::Forbidden(reason.to_owned())),
            Event::Drained { retry_after_ms } => self.on_drained(retry_after_ms),
        }
    }

    /// Whether the message of the client would be answered with more than an acknowledgement.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Whether the WebSocket is closed.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn on_accepted(&mut self, ack: &Value) -> Vec<Action> {
        self.phase = Phase::Ready;
        let said = self.spoken.acknowledgement(ack).into_iter().map(Action::Send);
        let waited = std::mem::take(&mut self.waiting).into_iter();
        said.chain(waited.map(|(ticket, params)| Action::Start(ticket, params))).collect()
    }

    fn on_message(&mut self, message: ClientMessage) -> Vec<Action> {
        match (message, self.phase) {
            (ClientMessage::Init(payload), Phase::Opened) => {
                self.phase = Phase::Authenticating;
                vec![Action::Authenticate(payload)]
            }
            (ClientMessage::Init(_), _) => self.close(Close::SecondInit),
            (ClientMessage::Ping(payload), _) => self.on_ping(payload),
            (ClientMessage::Pong, _) => Vec::new(),
            (ClientMessage::Subscribe { id, params }, Phase::Ready) => self.subscribe(id, params),
            // subscriptions-transport-ws starts its operations immediately after its connection_init.
            (ClientMessage::Subscribe { id, params }, Phase::Authenticating) if self.spoken == SubProtocol::Legacy => {
                self.subscribe(id, params)
            }
            (ClientMessage::Subscribe { .. }, _) => self.close(Close::Unauthorized),
            (ClientMessage::Complete { id }, _) => self.stop(&id),
            (ClientMessage::Terminate, _) => self.close(Close::Terminated),
        }
    }

    /// A ping can contain a new access token, for a WebSocket that ends when the one it has expires. It is not sent back.
    fn on_ping(&self, mut payload: Option<Map<String, Value>>) -> Vec<Action> {
        let authorization = match (self.phase, payload.as_mut()) {
            (Phase::Ready, Some(payload)) => payload.remove("authorization"),
            _ => None,
        };
        let pong = Action::Send(message::pong(payload));
        match authorization {
            Some(Value::String(authorization)) => vec![Action::Renew(authorization), pong],
            Some(_) | None => vec![pong],
        }
    }

    /// An operation may have ended while the client's message was on its way, so an unknown ID is not an error.
    fn stop(&mut self, id: &str) -> Vec<Action> {
        let Some(ticket) = self.tickets.get(id).copied() else { return Vec::new() };
        self.forget(ticket);
        match self.spoken {
            SubProtocol::Transport | SubProtocol::Either => vec![Action::Stop(ticket)],
            // Clients of the older protocol may wait for it.
            SubProtocol::Legacy => vec![Action::Stop(ticket), Action::Send(message::complete(id))],
        }
    }

    fn subscribe(&mut self, id: String, params: Box<Params>) -> Vec<Action> {
        let mut actions = Vec::with_capacity(1);
        match self.tickets.get(id.as_str()).copied() {
            // Like subscriptions-transport-ws: the new operation replaces the old one.
            Some(ticket) if self.spoken == SubProtocol::Legacy => {
                self.forget(ticket);
                actions.push(Action::Stop(ticket));
            }
            Some(_) => return self.close(Close::IdInUse(id)),
            None => {}
        }
        if self.operations.len() >= self.max_operations {
            return vec![Action::Send(self.spoken.error(&id, &too_many(self.max_operations)))];
        }
        let (id, ticket) = (Arc::<str>::from(id), Ticket(self.next_ticket));
        self.next_ticket += 1;
        self.tickets.insert(Arc::clone(&id), ticket);
        self.operations.insert(ticket, Operation { id, cursor: None, standing: None });
        if self.phase == Phase::Ready {
            actions.push(Action::Start(ticket, params));
        } else {
            self.waiting.push((ticket, params));
        }
        actions
    }

    fn on_frame(&mut self, ticket: Ticket, frame: Frame) -> Vec<Action> {
        match frame {
            Frame::Begun { cursor, standing } => {
                if let Some(operation) = self.operations.get_mut(&ticket) {
                    (operation.cursor, operation.standing) = (Some(cursor), standing);
                }
                Vec::new()
            }
            Frame::Next { payload, cursor } => match self.operations.get_mut(&ticket) {
                Some(operation) => {
                    operation.cursor = cursor.or(operation.cursor.take());
                    vec![Action::Send(self.spoken.next(&operation.id, &payload))]
                }
                None => Vec::new(),
            },
            // Not `next` and `complete`: to a client, that is a subscription that has done what it was for.
            Frame::Refused { errors } | Frame::Failed { errors, .. } => match self.forget(ticket) {
                Some(operation) => vec![Action::Send(self.spoken.error(&operation.id, &errors)), Action::Stop(ticket)],
                None => Vec::new(),
            },
        }
    }

    fn on_ping_due(&mut self) -> Vec<Action> {
        if self.unanswered_pings >= MAX_UNANSWERED_PINGS {
            return self.close(Close::Dead);
        }
        self.unanswered_pings += 1;
        // Browsers answer WebSocket pings themselves; proxies and GraphQL clients rely on those of the protocol.
        let keep_alive = if self.phase == Phase::Ready { self.spoken.keep_alive(self.cursors()) } else { None };
        [Action::Ping].into_iter().chain(keep_alive.map(Action::Send)).collect()
    }

    /// A `complete` would tell a client that its subscription is over for good, and it would not reconnect. So the
    /// cursors are sent in another message, and the close makes the client retry.
    fn on_drained(&mut self, retry_after_ms: u64) -> Vec<Action> {
        let mut actions = Vec::with_capacity(2);
        if self.phase == Phase::Ready {
            actions.extend(self.spoken.draining(retry_after_ms, self.cursors()).map(Action::Send));
        }
        actions.extend(self.close(Close::Restart { retry_after_ms }));
        actions
    }

    /// Where each operation that can be resumed can be resumed from now on.
    fn cursors(&mut self) -> Map<String, Value> {
        let operations = self.operations.values_mut();
        operations.filter_map(|operation| Some((operation.id.to_string(), operation.cursor()?.into()))).collect()
    }

    fn forget(&mut self, ticket: Ticket) -> Option<Operation> {
        let operation = self.operations.remove(&ticket)?;
        self.tickets.remove(&operation.id);
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
        Some(operation)
    }

    fn close(&mut self, close: Close) -> Vec<Action> {
        let refused = match &close {
            Close::Terminated => false,
            Close::BadMessage(_) => true,
            _ => self.phase != Phase::Ready,
        };
        let told = if refused { self.spoken.refusal(&close.reason()) } else { None };
        self.phase = Phase::Closed;
        self.tickets.clear();
        self.waiting.clear();
        let mut running: Vec<Ticket> = self.operations.drain().map(|(ticket, _)| ticket).collect();
        running.sort_unstable();
        let stopped = running.into_iter().map(Action::Stop);
        stopped.chain(told.map(Action::Send)).chain([Action::Close(close)]).collect()
    }
}

fn too_many(allowed: usize) -> String {
    serde_json::json!([{
        "message": format!("the limit \"operations per socket\" is reached: at most {allowed} are allowed"),
        "extensions": { "code": "RATE_LIMITED", "retryable": true },
    }])
    .to_string()
}

#[cfg(test)]
#[path = "legacy_tests.rs"]
mod legacy_tests;
#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
