//! The messages of a WebSocket: those of clients in either subprotocol, parsed strictly, and those of the server in
//! `graphql-transport-ws`.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::sub_protocol::SubProtocol;
use crate::http::params::Params;

/// The maximum length of an operation ID, because every event contains it.
const MAX_ID_BYTES: usize = 256;

/// A message of the client.
#[derive(Debug)]
pub enum ClientMessage {
    /// `connection_init`.
    Init(Map<String, Value>),
    /// `ping`, with a payload that it wants to receive back.
    Ping(Option<Map<String, Value>>),
    /// `pong`.
    Pong,
    /// `subscribe`, or the older `start`.
    Subscribe {
        /// The ID of the operation on this WebSocket.
        id: String,
        /// The operation.
        params: Box<Params>,
    },
    /// `complete`, or the older `stop`: ends this operation.
    Complete {
        /// The ID of the operation on this WebSocket.
        id: String,
    },
    /// The older `connection_terminate`: ends the connection.
    Terminate,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    payload: Option<Value>,
}

impl ClientMessage {
    /// Parses a message and returns the subprotocol that is spoken from then on, or what is wrong: the reason of a
    /// close with 4400.
    pub fn parse(text: &str, spoken: SubProtocol) -> Result<(Self, SubProtocol), String> {
        let envelope: Envelope =
            serde_json::from_str(text).map_err(|_| "Invalid message: not a JSON object with a type".to_owned())?;
        let spoken = spoken.decided_by(&envelope.kind);
        Self::read(envelope, spoken).map(|message| (message, spoken))
    }

    fn read(envelope: Envelope, spoken: SubProtocol) -> Result<Self, String> {
        use SubProtocol::{Legacy, Transport};
        match (spoken, envelope.kind.as_str()) {
            (_, "connection_init") => Ok(Self::Init(object(envelope.payload, "connection_init")?.unwrap_or_default())),
            (Transport, "ping") => Ok(Self::Ping(object(envelope.payload, "ping")?)),
            (Transport, "pong") => object(envelope.payload, "pong").map(|_| Self::Pong),
            (Transport, "subscribe") | (Legacy, "start") => {
                let id = operation_id(envelope.id)?;
                let kind = envelope.kind;
                let payload = envelope.payload.ok_or_else(|| format!("Invalid message: {kind} without payload"))?;
                let params = Params::from_json(payload).map_err(|error| format!("Invalid message: {error}"))?;
                Ok(Self::Subscribe { id, params: Box::new(params) })
            }
            (Transport, "complete") | (Legacy, "stop") => operation_id(envelope.id).map(|id| Self::Complete { id }),
            (Legacy, "connection_terminate") => Ok(Self::Terminate),
            (_, kind) => {
                let kind: String = kind.chars().take(40).collect();
                Err(format!("Invalid message: unknown type {kind:?}; this WebSocket uses {spoken}"))
            }
        }
    }
}

fn operation_id(id: Option<Value>) -> Result<String, String> {
    match id {
        Some(Value::String(id)) if id.is_empty() => Err("Invalid message: empty id".to_owned()),
        Some(Value::String(id)) if id.len() > MAX_ID_BYTES => {
            Err(format!("Invalid message: id of {} bytes, at most {MAX_ID_BYTES}", id.len()))
        }
        Some(Value::String(id)) => Ok(id),
        _ => Err("Invalid message: id must be a string".to_owned()),
    }
}

fn object(payload: Option<Value>, kind: &str) -> Result<Option<Map<String, Value>>, String> {
    match payload {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(format!("Invalid message: payload of {kind} must be an object")),
    }
}

/// `connection_ack`.
pub fn ack(payload: &Value) -> String {
    format!(r#"{{"type":"connection_ack","payload":{payload}}}"#)
}

/// `ping`, whose payload clients ignore unless they know it.
pub fn ping(payload: Option<&Value>) -> String {
    with_payload("ping", payload)
}

/// `pong`, with the payload of the ping.
pub fn pong(payload: Option<Map<String, Value>>) -> String {
    with_payload("pong", payload.map(Value::Object).as_ref())
}

pub(super) fn with_payload(kind: &str, payload: Option<&Value>) -> String {
    payload.map_or_else(
        || format!(r#"{{"type":"{kind}"}}"#),
        |payload| format!(r#"{{"type":"{kind}","payload":{payload}}}"#),
    )
}

/// `complete`.
pub fn complete(id: &str) -> String {
    let mut text = String::with_capacity(id.len() + 32);
    text.push_str(r#"{"type":"complete","id":"#);
    push_quoted(&mut text, id);
    text.push('}');
    text
}

/// A message of an operation: the payload of an event is shared, and only the frame around it is written for each
/// subscriber.
pub fn spliced(kind: &str, id: &str, payload: &str) -> String {
    let mut text = String::with_capacity(payload.len() + id.len() + 40);
    let _ = write!(text, r#"{{"type":"{kind}","id":"#);
    push_quoted(&mut text, id);
    text.push_str(r#","payload":"#);
    text.push_str(payload);
    text.push('}');
    text
}

/// The IDs of real clients (numbers, UUIDs) need no escaping, so they are copied as they are.
fn push_quoted(text: &mut String, id: &str) {
    if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        text.push('"');
        text.push_str(id);
        text.push('"');
    } else {
        text.push_str(&Value::from(id).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> String {
        ClientMessage::parse(text, SubProtocol::Transport).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_said() {
        insta::assert_snapshot!(refused("hello"), @"Invalid message: not a JSON object with a type");
        insta::assert_snapshot!(refused(r#"{"type":"shout"}"#), @r#"Invalid message: unknown type "shout"; this WebSocket uses graphql-transport-ws"#);
        insta::assert_snapshot!(refused(r#"{"type":"subscribe","payload":{"query":"{a}"}}"#), @"Invalid message: id must be a string");
        insta::assert_snapshot!(refused(r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#), @"Invalid message: empty id");
        insta::assert_snapshot!(refused(r#"{"type":"subscribe","id":"1"}"#), @"Invalid message: subscribe without payload");
        insta::assert_snapshot!(refused(r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#), @r#"Invalid message: "query" must be a string"#);
        insta::assert_snapshot!(refused(r#"{"type":"ping","payload":[]}"#), @"Invalid message: payload of ping must be an object");
    }

    #[test]
    fn each_protocol_has_words_that_the_other_has_not() {
        let said = |text: &str, spoken| ClientMessage::parse(text, spoken).unwrap_err();
        let start = r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#;
        insta::assert_snapshot!(said(start, SubProtocol::Transport), @r#"Invalid message: unknown type "start"; this WebSocket uses graphql-transport-ws"#);
        insta::assert_snapshot!(said(r#"{"type":"ping"}"#, SubProtocol::Legacy), @r#"Invalid message: unknown type "ping"; this WebSocket uses graphql-ws"#);
        insta::assert_snapshot!(said(r#"{"type":"shout"}"#, SubProtocol::Either), @r#"Invalid message: unknown type "shout"; this WebSocket uses graphql-transport-ws or graphql-ws"#);
        insta::assert_snapshot!(said(r#"{"type":"start","id":"1"}"#, SubProtocol::Either), @"Invalid message: start without payload");
    }

    #[test]
    fn an_event_is_spliced_around_the_shared_payload() {
        insta::assert_snapshot!(spliced("next", "1", r#"{"data":{"a":1}}"#), @r#"{"type":"next","id":"1","payload":{"data":{"a":1}}}"#);
        insta::assert_snapshot!(complete("a\"b"), @r#"{"type":"complete","id":"a\"b"}"#);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            for spoken in [SubProtocol::Transport, SubProtocol::Legacy, SubProtocol::Either] {
                let _ = ClientMessage::parse(&text, spoken);
            }
        }

        #[test]
        fn any_id_comes_back_as_it_was(id in any::<String>()) {
            let message: Value = serde_json::from_str(&spliced("next", &id, "null")).unwrap();
            prop_assert_eq!(message["id"].as_str(), Some(id.as_str()));
        }
    }
}
