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
        let mut begun = Self::open(url, &[], json!({ "authorization": format!("Bearer {token}") })).await.unwrap();
        // Who subscribes before it is acknowledged is closed with 4401.
        let acknowledged = begun.hear().await.unwrap_or_else(|| panic!("closed with {:?}", begun.closed));
        assert_eq!(acknowledged["type"], "connection_ack", "{acknowledged}");
        begun.acknowledged = acknowledged["payload"].clone();
        let payload = json!({ "query": query, "variables": variables });
        begun.say(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
        begun
    }

    /// A socket that was opened with these headers and this `connection_init`, which has not been answered yet; or the
    /// status of the response if it cannot be opened.
    pub async fn open(url: &str, headers: &[(&'static str, &str)], init: Value) -> Result<Self, u16> {
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let socket = match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(refused)) => return Err(refused.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        let mut opened = Self { socket, acknowledged: Value::Null, closed: None };
        opened.say(json!({ "type": "connection_init", "payload": init })).await;
        Ok(opened)
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

    /// Sends a message of the sub-protocol.
    pub async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Sends a message on a socket that may be closed already.
    pub async fn try_say(&mut self, message: Value) {
        drop(self.socket.send(Message::text(message.to_string())).await);
    }

    /// The next message of the sub-protocol; `None` when the connection is over.
    pub async fn hear(&mut self) -> Option<Value> {
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
