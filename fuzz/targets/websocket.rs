//! The state machine of a WebSocket compared with an independent model of the protocol: the responses to known messages
//! are predicted, and the responses to arbitrary bytes follow the rules.

use std::collections::BTreeMap;

use platform::http::Frame;
use platform::http::ws::protocol::{Action, Close, Event, Protocol, Ticket};
use platform::http::ws::sub_protocol::SubProtocol;
use serde_json::{Value, json};

const MAX_OPERATIONS: usize = 3;

/// A longer life of a socket shows nothing that a shorter one does not.
const MAX_BYTES: usize = 300;

/// Both sub-protocols live through the same steps.
pub fn check(bytes: &[u8]) {
    live(Model::new(SubProtocol::Transport), bytes);
    live(Model::new(SubProtocol::Legacy), bytes);
}

/// Bytes are read as steps: an opcode, and what the step needs.
fn live(mut model: Model, bytes: &[u8]) {
    let mut bytes = bytes.iter().copied().take(MAX_BYTES);
    while let Some(opcode) = bytes.next() {
        let mut small = || bytes.next().unwrap_or_default() % 4;
        match opcode % 14 {
            0 => model.say(&json!({ "type": "connection_init", "payload": { "authorization": "t" } })),
            1 | 2 => model.say(&json!({ "type": model.start, "id": id(small()), "payload": { "query": "{ a }" } })),
            3 => model.say(&json!({ "type": model.stop, "id": id(small()) })),
            4 => model.say(&json!({ "type": "ping", "payload": { "n": small() } })),
            5 => model.say(&json!({ "type": "pong" })),
            6 => model.accept(),
            7 => model.frame(small(), Frame::Next { payload: "{}".into(), cursor: Some("c".into()) }),
            8 => {
                let (number, errors) = (small(), "[]".into());
                let failed = Frame::Failed { errors, cursor: None, retryable: true };
                model.frame(number, if number == 3 { failed } else { Frame::Refused { errors: "[]".into() } });
            }
            9 => model.end(small()),
            10 => model.ping_due(),
            11 => model.alive(),
            12 => {
                let length = usize::from(bytes.next().unwrap_or_default());
                let text: Vec<u8> = bytes.by_ref().take(length).collect();
                model.any(Event::Text(String::from_utf8_lossy(&text).into_owned()));
            }
            _ => model.any(match small() {
                0 => Event::Binary,
                1 => Event::InitTimeout,
                2 => Event::Drained { retry_after_ms: 1 },
                _ => Event::Refused(Close::Forbidden("no".repeat(200))),
            }),
        }
        model.agree();
    }
}

fn id(number: u8) -> String {
    ["1", "two", "\"3\"", "\u{1f600}"][usize::from(number % 4)].to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Opened,
    Authenticating,
    Ready,
    Closed,
}

struct Model {
    socket: Protocol,
    legacy: bool,
    start: &'static str,
    stop: &'static str,
    phase: Phase,
    open: BTreeMap<String, Ticket>,
    /// Operations that came before the acknowledgement, in their order.
    waiting: Vec<String>,
    /// Operations that are over: what they still say is dropped.
    over: Vec<Ticket>,
    last_ticket: Option<Ticket>,
    unanswered: u8,
}

impl Model {
    fn new(spoken: SubProtocol) -> Self {
        let legacy = spoken == SubProtocol::Legacy;
        Self {
            socket: Protocol::new(spoken, MAX_OPERATIONS),
            legacy,
            start: if legacy { "start" } else { "subscribe" },
            stop: if legacy { "stop" } else { "complete" },
            phase: Phase::default(),
            open: BTreeMap::new(),
            waiting: Vec::new(),
            over: Vec::new(),
            last_ticket: None,
            unanswered: 0,
        }
    }

    /// A message of which the protocol says what follows.
    fn say(&mut self, message: &Value) {
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let (kind, id) = (text("type"), text("id"));
        let runs = self.open.contains_key(&id) || self.waiting.contains(&id);
        let full = self.open.len() + self.waiting.len() == MAX_OPERATIONS;
        let waits = self.legacy && self.phase == Phase::Authenticating;
        let expected = match (kind.as_str(), self.phase) {
            (_, Phase::Closed) => String::new(),
            ("connection_init", Phase::Opened) => "authenticate".to_owned(),
            ("connection_init", _) => self.closing(4429),
            ("start", Phase::Ready) if runs => "stop, start".to_owned(),
            ("start", Phase::Authenticating) if runs => "stop".to_owned(),
            ("subscribe", Phase::Ready) if runs => self.closing(4409),
            ("start" | "subscribe", phase) if full && (phase == Phase::Ready || waits) => format!("error {id}"),
            ("start" | "subscribe", Phase::Ready) => "start".to_owned(),
            ("start", Phase::Authenticating) => String::new(),
            ("start" | "subscribe", _) => self.closing(4401),
            ("stop", _) if runs => format!("stop, complete {id}"),
            ("complete", _) if runs => "stop".to_owned(),
            ("ping", _) if !self.legacy => "pong".to_owned(),
            ("ping" | "pong", _) if self.legacy => self.closing(4400),
            _ => String::new(),
        };
        self.unanswered = 0;
        let actions = self.socket.on(Event::Text(message.to_string()));
        self.compare(&actions, &expected);
        if self.phase == Phase::Closed {
            return;
        }
        if kind == "connection_init" {
            self.phase = Phase::Authenticating;
        } else if kind == self.stop || (kind == self.start && expected.contains("stop")) {
            self.over.extend(self.open.remove(&id));
            self.waiting.retain(|waiting| *waiting != id);
        }
        if let Some(Action::Start(ticket, params)) = actions.last() {
            assert_eq!(params.query(), Some("{ a }"));
            self.started(id, *ticket);
        } else if kind == self.start && waits && !expected.starts_with("error") {
            self.waiting.push(id);
        }
    }

    fn started(&mut self, id: String, ticket: Ticket) {
        assert!(self.last_ticket < Some(ticket), "a ticket was given twice");
        self.last_ticket = Some(ticket);
        self.open.insert(id, ticket);
    }

    fn accept(&mut self) {
        let expected = match (self.phase, self.legacy) {
            (Phase::Authenticating, false) => "connection_ack".to_owned(),
            (Phase::Authenticating, true) => "connection_ack, ka".to_owned() + &", start".repeat(self.waiting.len()),
            _ => String::new(),
        };
        let actions = self.socket.on(Event::Accepted { ack: json!({}) });
        self.compare(&actions, &expected);
        if self.phase == Phase::Authenticating {
            self.phase = Phase::Ready;
            let starts = actions.iter().filter_map(|action| match action {
                Action::Start(ticket, _) => Some(*ticket),
                _ => None,
            });
            for (id, ticket) in std::mem::take(&mut self.waiting).into_iter().zip(starts) {
                self.started(id, ticket);
            }
        }
    }

    /// The number-th operation, of those that run and then of those that are over.
    fn ticket(&self, number: u8) -> Option<(Option<String>, Ticket)> {
        let running = self.open.iter().map(|(id, ticket)| (Some(id.clone()), *ticket));
        running.chain(self.over.iter().map(|ticket| (None, *ticket))).nth(usize::from(number))
    }

    fn frame(&mut self, number: u8, frame: Frame) {
        let Some((id, ticket)) = self.ticket(number) else { return };
        let refused = matches!(frame, Frame::Refused { .. } | Frame::Failed { .. });
        let expected = match &id {
            Some(id) if refused => format!("error {id}, stop"),
            Some(id) if self.legacy => format!("data {id}"),
            Some(id) => format!("next {id}"),
            None => String::new(),
        };
        let actions = self.socket.on(Event::Frame(ticket, frame));
        self.compare(&actions, &expected);
        if let (Some(id), true) = (id, refused) {
            self.over.extend(self.open.remove(&id));
        }
    }

    fn end(&mut self, number: u8) {
        let Some((id, ticket)) = self.ticket(number) else { return };
        let expected = id.as_ref().map(|id| format!("complete {id}")).unwrap_or_default();
        let actions = self.socket.on(Event::Ended(ticket));
        self.compare(&actions, &expected);
        if let Some(id) = id {
            self.over.extend(self.open.remove(&id));
        }
    }

    fn ping_due(&mut self) {
        let expected = match self.phase {
            Phase::Closed => String::new(),
            _ if self.unanswered == 2 => self.closing(1001),
            Phase::Ready if self.legacy => "frame-ping, ka".to_owned(),
            Phase::Ready => "frame-ping, ping".to_owned(),
            _ => "frame-ping".to_owned(),
        };
        self.unanswered += 1;
        let actions = self.socket.on(Event::PingDue);
        self.compare(&actions, &expected);
    }

    fn alive(&mut self) {
        self.unanswered = 0;
        let actions = self.socket.on(Event::Alive);
        self.compare(&actions, "");
    }

    /// Anything: what follows keeps the rules, and the model takes it over.
    fn any(&mut self, event: Event) {
        if matches!(event, Event::Text(_)) {
            // What waits there has no ticket yet that could be taken over.
            if self.legacy && self.phase == Phase::Authenticating {
                return;
            }
            self.unanswered = 0;
        }
        let was_closed = self.phase == Phase::Closed;
        let actions = self.socket.on(event);
        assert!(!was_closed || actions.is_empty(), "{actions:?} after the close");
        for (place, action) in actions.iter().enumerate() {
            match action {
                Action::Send(text) => drop(words(text)),
                Action::Ping => {}
                Action::Renew(_) => assert_eq!(self.phase, Phase::Ready),
                Action::Authenticate(_) => {
                    assert_eq!(self.phase, Phase::Opened);
                    self.phase = Phase::Authenticating;
                }
                Action::Start(ticket, _) => {
                    assert_eq!(self.phase, Phase::Ready);
                    assert!(self.last_ticket < Some(*ticket) && self.open.len() < MAX_OPERATIONS);
                    // Its id was in the text; the next step needs a socket of which all is known.
                    let _ = self.socket.on(Event::Ended(*ticket));
                    self.last_ticket = Some(*ticket);
                }
                Action::Stop(ticket) => {
                    let before = self.open.len();
                    self.open.retain(|_, open| open != ticket);
                    if self.open.len() == before {
                        assert!(self.waiting.pop().is_some(), "{ticket:?} did not run");
                    } else {
                        self.over.push(*ticket);
                    }
                }
                Action::Close(close) => {
                    assert_eq!(place + 1, actions.len(), "{actions:?}");
                    assert!(close.reason().len() <= 123 && self.open.is_empty() && self.waiting.is_empty());
                    self.phase = Phase::Closed;
                }
            }
        }
    }

    /// What a close is foretold as: every operation is stopped first, and the older protocol has a word for why.
    fn closing(&self, code: u16) -> String {
        let stops = "stop, ".repeat(self.open.len() + self.waiting.len());
        let told = self.legacy && (self.phase != Phase::Ready || code == 4400);
        format!("{stops}{}close {code}", if told { "connection_error, " } else { "" })
    }

    fn compare(&mut self, actions: &[Action], expected: &str) {
        let said: Vec<String> = actions
            .iter()
            .map(|action| match action {
                Action::Send(text) => words(text),
                Action::Ping => "frame-ping".to_owned(),
                Action::Authenticate(_) => "authenticate".to_owned(),
                Action::Renew(_) => "renew".to_owned(),
                Action::Start(..) => "start".to_owned(),
                Action::Stop(_) => "stop".to_owned(),
                Action::Close(close) => format!("close {}", close.code()),
            })
            .collect();
        assert_eq!(said.join(", "), expected, "in {:?}", self.phase);
        if expected.contains("close ") {
            self.phase = Phase::Closed;
            self.over.extend(std::mem::take(&mut self.open).into_values());
            self.waiting.clear();
        }
    }

    fn agree(&self) {
        assert_eq!(self.socket.is_closed(), self.phase == Phase::Closed);
        assert_eq!(self.socket.is_ready(), self.phase == Phase::Ready);
    }
}

/// The type and the id of a message, which must be one.
fn words(text: &str) -> String {
    let message: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let kind = message["type"].as_str().unwrap_or_else(|| panic!("no type: {text}"));
    match message["id"].as_str() {
        Some(id) => format!("{kind} {id}"),
        None => kind.to_owned(),
    }
}
