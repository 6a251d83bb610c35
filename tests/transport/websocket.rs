//! GraphQL over WebSocket, as a client sees it on the wire.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use hyper_util::rt::{TokioExecutor, TokioIo};
use platform::graphql::limits::CallerLimits;
use platform::http::{HttpSettings, SocketSettings};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::toy::Server;

const INIT: &str = r#"{"type":"connection_init"}"#;

/// A client of the sub-protocol.
pub struct Client<S = TcpStream>(WebSocketStream<S>);

impl Client {
    pub async fn connect(server: &Server) -> Self {
        Self::offering(server, "graphql-transport-ws").await
    }

    pub async fn offering(server: &Server, sub_protocol: &str) -> Self {
        let mut request = format!("ws://{}/graphql", server.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", sub_protocol.parse().unwrap());
        let stream = TcpStream::connect(server.address).await.unwrap();
        let config = None;
        match tokio_tungstenite::client_async_with_config(request, stream, config).await {
            Ok((socket, _)) => Self(socket),
            Err(error) => panic!("no socket: {error}"),
        }
    }

    pub async fn ready(server: &Server) -> Self {
        let mut client = Self::connect(server).await;
        client.say(INIT).await;
        assert!(client.hear().await.starts_with(r#"{"type":"connection_ack""#));
        client
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(id, serde_json::json!({ "query": query })).await;
    }

    /// Subscribes with these parameters.
    pub async fn send(&mut self, id: &str, payload: serde_json::Value) {
        let message = serde_json::json!({ "type": "subscribe", "id": id, "payload": payload });
        self.say(&message.to_string()).await;
    }

    /// The next message, or `close CODE REASON`.
    pub async fn hear(&mut self) -> String {
        let heard = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return text.to_string(),
                    Some(Ok(Message::Close(Some(frame)))) => {
                        return format!("close {} {}", u16::from(frame.code), frame.reason);
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => return format!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap()
    }
}

async fn server(socket: SocketSettings) -> Server {
    Server::with(HttpSettings { socket, ..HttpSettings::default() }).await
}

#[test]
fn times_and_sizes_are_those_that_clients_are_told() {
    let SocketSettings { init_timeout, ping_every, max_message_bytes, .. } = SocketSettings::default();
    assert_eq!((init_timeout.as_secs(), ping_every.as_secs(), max_message_bytes), (3, 15, 64 << 10));
}

#[tokio::test]
async fn a_subscription_runs_to_its_end() {
    let server = Server::start().await;
    let mut client = Client::ready(&server).await;
    client.subscribe("s", "subscription { tick(to: 2) }").await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"next","id":"s","payload":{"data":{"tick":1}}}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"next","id":"s","payload":{"data":{"tick":2}}}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"complete","id":"s"}"#);
}

#[tokio::test]
async fn queries_and_mutations_go_over_the_socket_too() {
    let server = Server::start().await;
    let mut client = Client::ready(&server).await;
    client.subscribe("m", "mutation { add(a: 1, b: 2) }").await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"next","id":"m","payload":{"data":{"add":3}}}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"complete","id":"m"}"#);
}

#[tokio::test]
async fn a_slow_query_does_not_hold_up_the_others() {
    let server = Server::start().await;
    let mut client = Client::ready(&server).await;
    client.subscribe("slow", "{ slow(milliseconds: 300) }").await;
    client.subscribe("quick", "{ hello }").await;
    assert!(client.hear().await.contains(r#""id":"quick""#));
}

#[tokio::test]
async fn the_acknowledgement_tells_time_limits_and_resume() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.say(r#"{"type":"connection_init","payload":{"authorization":"Bearer good"}}"#).await;
    let ack: serde_json::Value = serde_json::from_str(&client.hear().await).unwrap();
    assert_eq!(ack["payload"]["resume"]["argument"], "after");
    assert_eq!(ack["payload"]["limits"]["maxMessageBytes"], 65_536);
    assert!(ack["payload"]["serverTime"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_request_error_is_an_error_message_and_the_socket_lives() {
    let server = Server::start().await;
    let mut client = Client::ready(&server).await;
    client.subscribe("1", "subscription { nothing }").await;
    let heard = client.hear().await;
    assert!(heard.starts_with(r#"{"type":"error","id":"1","payload":[{"message":"Cannot query field"#), "{heard}");
    client.subscribe("1", "{ hello }").await;
    assert!(client.hear().await.contains("hello world"));
}

#[tokio::test]
async fn every_breach_closes_with_its_code() {
    let server = Server::start().await;
    let mut client = Client::offering(&server, "mqtt").await;
    insta::assert_snapshot!(client.hear().await, @"close 4406 Subprotocol not acceptable: offer graphql-transport-ws or graphql-ws");
    let mut client = Client::connect(&server).await;
    client.say("nonsense").await;
    insta::assert_snapshot!(client.hear().await, @"close 4400 Invalid message: not a JSON object with a type");
    let mut client = Client::connect(&server).await;
    client.subscribe("1", "{ hello }").await;
    insta::assert_snapshot!(client.hear().await, @"close 4401 Unauthorized");
    let mut client = Client::connect(&server).await;
    client.say(r#"{"type":"connection_init","payload":{"Authorization":"Bearer bad"}}"#).await;
    insta::assert_snapshot!(client.hear().await, @"close 4403 TOKEN_INVALID: the access token is not valid");
    let mut client = Client::ready(&server).await;
    client.say(INIT).await;
    insta::assert_snapshot!(client.hear().await, @"close 4429 Too many initialisation requests");
    let mut client = Client::ready(&server).await;
    client.subscribe("1", "subscription { tick(to: 0, stay: true) }").await;
    client.subscribe("1", "{ hello }").await;
    insta::assert_snapshot!(client.hear().await, @"close 4409 Subscriber for 1 already exists");
    let mut client = Client::ready(&server).await;
    client.subscribe("1", "subscription { breaks }").await;
    insta::assert_snapshot!(client.hear().await, @"close 4500 Internal server error");
}

#[tokio::test]
async fn a_client_that_never_says_hello_is_closed() {
    let settings = SocketSettings { init_timeout: Duration::from_millis(50), ..SocketSettings::default() };
    let server = server(settings).await;
    let mut client = Client::connect(&server).await;
    insta::assert_snapshot!(client.hear().await, @"close 4408 Connection initialisation timeout");
}

#[tokio::test]
async fn a_session_that_ends_closes_the_socket() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client.say(r#"{"type":"connection_init","payload":{"authorization":"Bearer short"}}"#).await;
    client.hear().await;
    insta::assert_snapshot!(client.hear().await, @"close 4403 SESSION_ENDED: the session has ended; log in again");
}

#[tokio::test]
async fn the_server_pings_and_answers_pings() {
    let server = server(SocketSettings { ping_every: Duration::from_millis(100), ..SocketSettings::default() }).await;
    let mut client = Client::ready(&server).await;
    client.say(r#"{"type":"ping","payload":{"n":1}}"#).await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"pong","payload":{"n":1}}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"ping"}"#);
}

#[tokio::test]
async fn a_message_over_the_limit_closes_the_socket() {
    let server = Server::start().await;
    let mut client = Client::ready(&server).await;
    client.say(&"x".repeat(70 << 10)).await;
    insta::assert_snapshot!(client.hear().await, @"close 1009 Message too large: at most 65536 bytes");
}

#[tokio::test]
async fn a_user_has_so_many_sockets_and_no_more() {
    let limits = CallerLimits { sockets: 1, ..CallerLimits::default() };
    let server = Server::by_role(HttpSettings::default(), limits.clone(), limits).await;
    let first = Client::ready(&server).await;
    let mut second = Client::connect(&server).await;
    second.say(INIT).await;
    insta::assert_snapshot!(second.hear().await, @"close 1013 Too many sockets: at most 1 per user");
    drop(first);
    tokio::time::sleep(Duration::from_millis(200)).await;
    Client::ready(&server).await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_dropped_and_the_server_lives() {
    let server =
        server(SocketSettings { write_timeout: Duration::from_millis(200), ..SocketSettings::default() }).await;
    let mut lazy = Client::ready(&server).await;
    lazy.subscribe("1", "subscription { tick(to: 2000000) }").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut eager = Client::ready(&server).await;
    eager.subscribe("1", "{ hello }").await;
    assert!(eager.hear().await.contains("hello world"));
}

/// A socket that is a stream of an HTTP/2 connection: an extended CONNECT (RFC 8441).
async fn over_http2(server: &Server) -> Client<TokioIo<hyper::upgrade::Upgraded>> {
    let stream = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut requests, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let connect = || {
        http::Request::builder()
            .method(http::Method::CONNECT)
            .uri(format!("http://{}/graphql", server.address))
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "graphql-transport-ws")
            .extension(hyper::ext::Protocol::from_static("websocket"))
            .body(axum::body::Body::empty())
            .unwrap()
    };
    let answer = loop {
        // The server has to say first that it knows extended CONNECT.
        match requests.send_request(connect()).await {
            Ok(answer) => break answer,
            Err(error) if error.is_user() => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error:?}"),
        }
    };
    assert_eq!((answer.version(), answer.status()), (http::Version::HTTP_2, http::StatusCode::OK));
    assert_eq!(answer.headers()["sec-websocket-protocol"], "graphql-transport-ws");
    let stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    Client(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
}

#[tokio::test]
async fn a_socket_over_http_2_speaks_the_same_protocol() {
    let server = Server::start().await;
    let mut client = over_http2(&server).await;
    client.say(INIT).await;
    assert!(client.hear().await.starts_with(r#"{"type":"connection_ack""#));
    client.subscribe("a", "{ hello }").await;
    assert_eq!(client.hear().await, r#"{"type":"next","id":"a","payload":{"data":{"hello":"hello world"}}}"#);
    assert_eq!(client.hear().await, r#"{"type":"complete","id":"a"}"#);
    client.say("what").await;
    assert!(client.hear().await.starts_with("close 4400 "));
}
