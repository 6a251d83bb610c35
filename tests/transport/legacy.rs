//! The older subprotocol `graphql-ws`, as seen by a client of subscriptions-transport-ws: limits, session expiry and
//! draining are the same as in the other one.

use std::time::Duration;

use platform::graphql::limits::CallerLimits;
use platform::http::{HttpSettings, SocketSettings};

use super::toy::Server;
use super::websocket::Client;

const BOTH: &str = "graphql-ws, graphql-transport-ws";
const INIT: &str = r#"{"type":"connection_init"}"#;
const ACK: &str = r#"{"type":"connection_ack""#;
const KA: &str = r#"{"type":"ka"}"#;

fn start(id: &str, query: &str) -> String {
    serde_json::json!({ "type": "start", "id": id, "payload": { "query": query } }).to_string()
}

async fn connect(server: &Server) -> Client {
    Client::offering(server, "graphql-ws").await
}

async fn ready(server: &Server) -> Client {
    let mut client = connect(server).await;
    client.say(INIT).await;
    assert!(client.hear().await.starts_with(ACK));
    assert_eq!(client.hear().await, KA);
    client
}

#[tokio::test]
async fn a_subscription_runs_to_its_end() {
    let server = Server::start().await;
    let mut client = ready(&server).await;
    client.say(&start("s", "subscription { tick(to: 2) }")).await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"data","id":"s","payload":{"data":{"tick":1}}}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"data","id":"s","payload":{"data":{"tick":2}}}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"complete","id":"s"}"#);
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_the_acknowledgement_is_served() {
    let server = Server::start().await;
    let mut client = connect(&server).await;
    client.say(r#"{"type":"connection_init","payload":{"authorization":"Bearer good"}}"#).await;
    client.say(&start("1", "mutation { add(a: 1, b: 2) }")).await;
    assert!(client.hear().await.starts_with(ACK));
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"ka"}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"data","id":"1","payload":{"data":{"add":3}}}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"complete","id":"1"}"#);
}

#[tokio::test]
async fn a_request_error_is_one_error_object_and_the_socket_lives() {
    let server = Server::start().await;
    let mut client = ready(&server).await;
    client.say(&start("1", "subscription { nothing }")).await;
    let heard = client.hear().await;
    assert!(heard.starts_with(r#"{"type":"error","id":"1","payload":{"message":"Cannot query field"#), "{heard}");
    client.say(&start("1", "{ hello }")).await;
    assert!(client.hear().await.contains("hello world"));
}

#[tokio::test]
async fn a_stopped_subscription_says_no_more_and_its_place_is_free() {
    let socket = SocketSettings { max_operations: 1, ..SocketSettings::default() };
    let server = Server::with(HttpSettings { socket, ..HttpSettings::default() }).await;
    let mut client = ready(&server).await;
    client.say(&start("1", "subscription { tick(to: 1, stay: true) }")).await;
    client.hear().await;
    client.say(&start("2", "{ hello }")).await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"error","id":"2","payload":{"message":"the limit \"operations per socket\" is reached: at most 1 are allowed","extensions":{"code":"RATE_LIMITED","retryable":true}}}"#);
    client.say(r#"{"type":"stop","id":"1"}"#).await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"complete","id":"1"}"#);
    client.say(&start("2", "{ hello }")).await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"data","id":"2","payload":{"data":{"hello":"hello world"}}}"#);
}

#[tokio::test]
async fn refused_credentials_are_told_before_the_close() {
    let server = Server::start().await;
    let mut client = connect(&server).await;
    client.say(r#"{"type":"connection_init","payload":{"Authorization":"Bearer bad"}}"#).await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"connection_error","payload":{"message":"TOKEN_INVALID: the access token is not valid"}}"#);
    insta::assert_snapshot!(client.hear().await, @"close 4403 TOKEN_INVALID: the access token is not valid");
}

#[tokio::test]
async fn a_user_has_so_many_sockets_whatever_they_speak() {
    let limits = CallerLimits { sockets: 1, ..CallerLimits::default() };
    let server = Server::by_role(HttpSettings::default(), limits.clone(), limits).await;
    let _newer = Client::ready(&server).await;
    let mut client = connect(&server).await;
    client.say(INIT).await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"connection_error","payload":{"message":"Too many sockets: at most 1 per user"}}"#);
    insta::assert_snapshot!(client.hear().await, @"close 1013 Too many sockets: at most 1 per user");
}

#[tokio::test]
async fn a_session_that_ends_closes_the_socket() {
    let server = Server::start().await;
    let mut client = connect(&server).await;
    client.say(r#"{"type":"connection_init","payload":{"authorization":"Bearer short"}}"#).await;
    client.hear().await;
    client.hear().await;
    insta::assert_snapshot!(client.hear().await, @"close 4403 SESSION_ENDED: the session has ended; log in again");
}

#[tokio::test]
async fn signs_of_life_come_at_intervals() {
    let socket = SocketSettings { ping_every: Duration::from_millis(50), ..SocketSettings::default() };
    let server = Server::with(HttpSettings { socket, ..HttpSettings::default() }).await;
    let mut client = ready(&server).await;
    for _ in 0..3 {
        assert_eq!(client.hear().await, KA);
    }
}

#[tokio::test]
async fn a_client_may_end_the_connection() {
    let server = Server::start().await;
    let mut client = ready(&server).await;
    client.say(r#"{"type":"connection_terminate"}"#).await;
    insta::assert_snapshot!(client.hear().await, @"close 1000 ");
}

#[tokio::test]
async fn a_drain_answers_what_runs_and_closes_with_1012() {
    let mut server = Server::with(HttpSettings { drain: Duration::from_secs(5), ..HttpSettings::default() }).await;
    let mut client = ready(&server).await;
    client.say(&start("events", "subscription { tick(to: 1, stay: true) }")).await;
    client.hear().await;
    client.say(&start("slow", "{ slow(milliseconds: 400) }")).await;
    client.say(&start("quick", "{ hello }")).await;
    assert!(client.hear().await.contains(r#""id":"quick""#));
    client.hear().await;
    server.shutdown.cancel();
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"data","id":"slow","payload":{"data":{"slow":400}}}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"complete","id":"slow"}"#);
    let close = client.hear().await;
    assert!(close.starts_with(r#"close 1012 {"retryAfterMs":"#), "{close}");
    (&mut server.served).await.unwrap().unwrap();
}

/// The handshake names the newer protocol; what the client then speaks is what it hears.
#[tokio::test]
async fn a_client_that_offers_both_may_speak_the_one_it_was_not_told() {
    let server = Server::start().await;
    let mut client = Client::offering(&server, BOTH).await;
    client.say(INIT).await;
    assert!(client.hear().await.starts_with(ACK));
    client.say(&start("1", "{ hello }")).await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"data","id":"1","payload":{"data":{"hello":"hello world"}}}"#);
    let mut client = Client::offering(&server, BOTH).await;
    client.say(INIT).await;
    assert!(client.hear().await.starts_with(ACK));
    client.subscribe("1", "{ hello }").await;
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"next","id":"1","payload":{"data":{"hello":"hello world"}}}"#);
}
