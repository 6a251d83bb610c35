//! The two subprotocols of a WebSocket, how one of them is selected, and the messages of each.

use std::fmt;

use serde_json::{Map, Value};

use super::{legacy, message};

/// What a WebSocket speaks. Both protocols have the same commands, so [`super::protocol`] handles both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubProtocol {
    /// `graphql-transport-ws`, the protocol of the library graphql-ws.
    Transport,
    /// `graphql-ws`, the older protocol of subscriptions-transport-ws.
    Legacy,
    /// The client offered both. The handshake selected `graphql-transport-ws`, but Python's gql looks for the selection
    /// in a header with capital letters and speaks the older one if a server or a proxy writes it in lowercase. So the
    /// first message that only one of the two has decides, and until then only messages that both have are sent.
    Either,
}

impl SubProtocol {
    /// The names for the handshake, the preferred one first.
    pub const NAMES: [&str; 2] = [Self::TRANSPORT, Self::LEGACY];

    const TRANSPORT: &str = "graphql-transport-ws";
    const LEGACY: &str = "graphql-ws";

    /// The subprotocol for a client that offers these; `None` if it offers neither.
    pub fn choose<'o>(offered: impl Iterator<Item = &'o str>) -> Option<Self> {
        offered.fold(None, |chosen, name| match (chosen, name) {
            (None | Some(Self::Transport), Self::TRANSPORT) => Some(Self::Transport),
            (None | Some(Self::Legacy), Self::LEGACY) => Some(Self::Legacy),
            (Some(_), Self::TRANSPORT | Self::LEGACY) => Some(Self::Either),
            _ => chosen,
        })
    }

    /// The subprotocol after a client message of this type.
    pub(super) fn decided_by(self, kind: &str) -> Self {
        match (self, kind) {
            (Self::Either, "subscribe" | "complete" | "ping" | "pong") => Self::Transport,
            (Self::Either, "start" | "stop" | "connection_terminate") => Self::Legacy,
            _ => self,
        }
    }

    /// The acknowledgement. In the older protocol it is immediately followed by a keep-alive.
    pub(super) fn acknowledgement(self, payload: &Value) -> Vec<String> {
        let ack = message::ack(payload);
        match self {
            Self::Transport | Self::Either => vec![ack],
            Self::Legacy => vec![ack, legacy::keep_alive(None)],
        }
    }

    /// The keep-alive message for acknowledged clients, with where each operation can be resumed from now on.
    pub(super) fn keep_alive(self, cursors: Map<String, Value>) -> Option<String> {
        let payload = (!cursors.is_empty()).then(|| serde_json::json!({ "cursors": cursors }));
        match self {
            Self::Transport => Some(message::ping(payload.as_ref())),
            Self::Legacy => Some(legacy::keep_alive(payload.as_ref())),
            Self::Either => None,
        }
    }

    /// What is sent before a WebSocket is closed for good, if the protocol has a message for it: to a client that was
    /// not acknowledged, or whose message was invalid.
    pub(super) fn refusal(self, reason: &str) -> Option<String> {
        (self == Self::Legacy).then(|| legacy::connection_error(reason))
    }

    /// Where each operation can be resumed when the server shuts down. Clients ignore a `ping` with an unknown payload;
    /// the older protocol has no place for it.
    pub(super) fn draining(self, retry_after_ms: u64, cursors: Map<String, Value>) -> Option<String> {
        let hint = || serde_json::json!({ "draining": true, "retryAfterMs": retry_after_ms, "cursors": cursors });
        (self == Self::Transport).then(|| message::ping(Some(&hint())))
    }

    /// An event of an operation, or its result.
    pub(super) fn next(self, id: &str, payload: &str) -> String {
        message::spliced(if self == Self::Legacy { "data" } else { "next" }, id, payload)
    }

    /// An operation was never executed, or has failed: these errors, a JSON array, say why.
    pub(super) fn error(self, id: &str, errors: &str) -> String {
        match self {
            Self::Legacy => message::spliced("error", id, &legacy::one_error(errors)),
            Self::Transport | Self::Either => message::spliced("error", id, errors),
        }
    }
}

impl fmt::Display for SubProtocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport => formatter.write_str(Self::TRANSPORT),
            Self::Legacy => formatter.write_str(Self::LEGACY),
            Self::Either => write!(formatter, "{} or {}", Self::TRANSPORT, Self::LEGACY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_offers_both_may_speak_either() {
        let chosen = |offer: &str| SubProtocol::choose(offer.split(", "));
        assert_eq!(chosen("graphql-transport-ws"), Some(SubProtocol::Transport));
        assert_eq!(chosen("graphql-ws"), Some(SubProtocol::Legacy));
        assert_eq!(chosen("graphql-ws, graphql-transport-ws"), Some(SubProtocol::Either));
        assert_eq!(chosen("graphql-transport-ws, graphql-ws"), Some(SubProtocol::Either));
        assert_eq!(chosen("mqtt, graphql-ws, graphql-ws"), Some(SubProtocol::Legacy));
        assert_eq!(chosen("mqtt"), None);
    }

    #[test]
    fn what_both_protocols_have_decides_nothing() {
        assert_eq!(SubProtocol::Either.decided_by("connection_init"), SubProtocol::Either);
        assert_eq!(SubProtocol::Either.decided_by("subscribe"), SubProtocol::Transport);
        assert_eq!(SubProtocol::Either.decided_by("start"), SubProtocol::Legacy);
        assert_eq!(SubProtocol::Transport.decided_by("start"), SubProtocol::Transport);
    }
}
