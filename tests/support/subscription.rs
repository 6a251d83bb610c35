//! A subscription over its own WebSocket, as in a `graphql-transport-ws` client.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longer than a job waits anywhere, a dead worker's claim included.
const PATIENCE: Duration = Duration::from_secs(90);

/// A subscription that was accepted.
pub struct Subscription {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The payload of the acknowledgement.
    pub acknowledged: Value,
    /// How the server closed the socket, once it has.
    pub closed: Option<CloseFrame>,
}

/// A job's event, as far as tests ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    pub cursor: String,
    pub job: String,
    pub kind: String,
    pub phase: String,
    pub reason: Option<String>,
    pub preemptions: i64,
}

impl Subscription {
    pub async fn begin(url: &str, token: &str, query: &str, variables: Value) -> Self {
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let mut begun = Self { socket, acknowledged: Value::Null, closed: None };
        begun
            .say(json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } }))
            .await;
        // Who subscribes before it is acknowledged is closed with 4401.
        let acknowledged = begun.hear().await.unwrap_or_else(|| panic!("closed with {:?}", begun.closed));
        assert_eq!(acknowledged["type"], "connection_ack", "{acknowledged}");
        begun.acknowledged = acknowledged["payload"].clone();
        let payload = json!({ "query": query, "variables": variables });
        begun.say(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
        begun
    }

    /// The next event; `None` when the connection is over.
    pub async fn next(&mut self) -> Option<JobEvent> {
        loop {
            let message = self.hear().await?;
            if message["type"] == "ping" {
                continue;
            }
            let event = &message["payload"]["data"]["jobEvents"];
            assert!(message["type"] == "next" && event.is_object(), "{message}");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            return Some(JobEvent {
                cursor: text(&event["cursor"]),
                job: text(&event["job"]["id"]),
                kind: text(&event["kind"]),
                phase: text(&event["phase"]),
                reason: event["reason"].as_str().map(str::to_owned),
                preemptions: event["job"]["preemptions"].as_i64().unwrap(),
            });
        }
    }

    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("the server says something in time") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => self.closed = frame,
                Some(Ok(_)) => {}
                None | Some(Err(Error::ConnectionClosed | Error::Io(_) | Error::Protocol(_))) => return None,
                Some(Err(error)) => panic!("{error}"),
            }
        }
    }
}
