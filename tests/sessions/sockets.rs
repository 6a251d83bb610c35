//! WebSockets and event streams, which last as long as their session.

use serde_json::{Value, json};

use super::{REFRESH, VIEWER, bearer, expiring, post, refresh_token, running, two_sessions};
use crate::support::serve::Serve;
use crate::support::session::{Session, http_client};
use crate::support::subscription::Subscription;

const EVENTS: &str = "subscription { jobEvents { cursor } }";

/// The seconds that a token or a session has left: enough to use it on a busy machine, and to wait for its end.
const LEFT: i64 = 8;

/// A socket with a subscription, whose token expires in a moment.
async fn socket(ada: &Session) -> Subscription {
    let url = ada.graphql_url.replace("http://", "ws://");
    Subscription::begin(&url, &expiring(&ada.token, LEFT), EVENTS, json!({})).await
}

/// The data of a query over the socket, once the token has expired; `None` if the socket is closed.
async fn viewer_after_expiry(socket: &mut Subscription) -> Option<Value> {
    wait_for_the_end().await;
    answer(socket, "q", VIEWER, json!({})).await
}

async fn wait_for_the_end() {
    tokio::time::sleep(std::time::Duration::from_secs(LEFT.unsigned_abs() + 1)).await;
}

/// Leaves all sessions a moment.
async fn end_sessions_soon(serve: &Serve) {
    serve.execute(&format!("UPDATE sessions SET expires_at = now() + interval '{LEFT} seconds'")).await;
}

async fn answer(socket: &mut Subscription, id: &str, query: &str, variables: Value) -> Option<Value> {
    let payload = json!({ "query": query, "variables": variables });
    socket.try_say(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    loop {
        let message = socket.hear().await?;
        if message["id"] == id && message["type"] != "complete" {
            return Some(message["payload"].clone());
        }
    }
}

/// How the server closes the socket.
async fn close(socket: &mut Subscription) -> String {
    while socket.hear().await.is_some() {}
    let closed = socket.closed.take().unwrap();
    format!("{} {}", u16::from(closed.code), closed.reason)
}

fn is_ada() -> Option<Value> {
    Some(json!({ "data": { "viewer": { "username": "ada" } } }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_outlives_its_access_token_and_ends_with_its_session() {
    let serve = running(&[]).await;
    let ada = serve.log_in("ada").await;
    let mut socket = socket(&ada).await;
    assert_eq!(viewer_after_expiry(&mut socket).await, is_ada());
    ada.ask("mutation { logout { ended } }", json!({})).await;
    insta::assert_snapshot!(close(&mut socket).await, @"4403 SESSION_ENDED: the session has ended; log in again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_account_ends_a_socket_whose_token_has_expired() {
    let serve = running(&[]).await;
    let mut socket = socket(&serve.log_in("ada").await).await;
    assert_eq!(viewer_after_expiry(&mut socket).await, is_ada());
    serve.execute("UPDATE users SET disabled_at = now() WHERE username = 'ada'").await;
    insta::assert_snapshot!(close(&mut socket).await, @"4403 SESSION_ENDED: the session has ended; log in again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_nobody_refreshes_ends_its_socket_and_its_stream() {
    let serve = running(&[]).await;
    let ada = serve.log_in("ada").await;
    end_sessions_soon(&serve).await;
    let mut socket = socket(&ada).await;
    let stream = stream(&ada, &ada.token).await;
    insta::assert_snapshot!(close(&mut socket).await, @"4403 SESSION_ENDED: the session has ended; log in again");
    insta::assert_snapshot!(stream.await, @r#"event: next "SESSION_ENDED" "the session of this access token has ended; log in again"
event: complete null null"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_refreshed_keeps_its_socket() {
    let serve = running(&[]).await;
    let token = refresh_token(&serve, "ada").await;
    let access = post(&serve, &[], json!({ "query": REFRESH, "variables": { "t": token } })).await.body;
    let tokens = &access["data"]["refreshSession"];
    end_sessions_soon(&serve).await;
    let url = format!("{}/graphql", serve.url().unwrap()).replace("http://", "ws://");
    let mut socket = Subscription::begin(&url, tokens["accessToken"].as_str().unwrap(), EVENTS, json!({})).await;
    post(&serve, &[], json!({ "query": REFRESH, "variables": { "t": tokens["refreshToken"] } })).await;
    wait_for_the_end().await;
    assert_eq!(answer(&mut socket, "q", VIEWER, json!({})).await, is_ada());
}

/// The rest of an event stream from its first byte on, as soon as it has ended.
async fn stream(ada: &Session, token: &str) -> impl Future<Output = String> + use<> {
    let request = http_client().post(&ada.graphql_url).bearer_auth(token).header("accept", "text/event-stream");
    let answer = request.json(&json!({ "query": EVENTS })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    async move {
        let text = answer.text().await.unwrap();
        let events = text.split("\n\n").filter(|event| event.starts_with("event:"));
        let errors = events.map(|event| {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or("null");
            let data: Value = serde_json::from_str(data).unwrap();
            let error = &data["errors"][0];
            format!("{} {} {}", event.lines().next().unwrap(), error["extensions"]["reason"], error["message"])
        });
        errors.collect::<Vec<_>>().join("\n")
    }
}

async fn strict() -> Serve {
    running(&[("SOCKETS_END_WITH_TOKEN", "true")]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_operator_wants_it_sockets_and_streams_end_with_their_token() {
    let serve = strict().await;
    let ada = serve.log_in("ada").await;
    let mut socket = socket(&ada).await;
    let stream = stream(&ada, &expiring(&ada.token, LEFT)).await;
    insta::assert_snapshot!(close(&mut socket).await, @"4403 TOKEN_EXPIRED: the access token has expired; get a new one with refreshSession");
    insta::assert_snapshot!(stream.await, @r#"event: next "TOKEN_EXPIRED" "the access token has expired; get a new one with refreshSession, and subscribe again"
event: complete null null"#);

    let request = http_client().post(&ada.graphql_url).bearer_auth(expiring(&ada.token, LEFT));
    let request = request.header("accept", "multipart/mixed;subscriptionSpec=1.0").json(&json!({ "query": EVENTS }));
    let parts = request.send().await.unwrap().text().await.unwrap();
    assert!(parts.contains(r#""reason":"TOKEN_EXPIRED""#) && parts.ends_with("--graphql--\r\n"), "{parts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_with_a_new_token_keeps_a_socket_that_would_end() {
    let serve = strict().await;
    let ada = serve.log_in("ada").await;
    let mut socket = socket(&ada).await;
    socket.say(json!({ "type": "ping", "payload": { "authorization": bearer(&ada.token), "n": 1 } })).await;
    let pong = loop {
        let message = socket.hear().await.unwrap();
        if message["type"] == "pong" {
            break message;
        }
    };
    assert_eq!(pong, json!({ "type": "pong", "payload": { "n": 1 } }), "the token is not sent back");
    assert_eq!(viewer_after_expiry(&mut socket).await, is_ada());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_with_the_token_of_another_session_or_user_or_of_none_closes_the_socket() {
    let serve = strict().await;
    let [ada, elsewhere] = two_sessions(&serve, "ada").await;
    let refused = async |token: &str| {
        let url = ada.graphql_url.replace("http://", "ws://");
        let mut socket = Subscription::begin(&url, &ada.token, EVENTS, json!({})).await;
        socket.say(json!({ "type": "ping", "payload": { "authorization": bearer(token) } })).await;
        close(&mut socket).await
    };
    insta::assert_snapshot!(refused(&elsewhere.token).await, @"4403 TOKEN_INVALID: a ping must have a token of the session that connected");
    insta::assert_snapshot!(refused(&serve.log_in("ben").await.token).await, @"4403 TOKEN_INVALID: a ping must have a token of the session that connected");
    insta::assert_snapshot!(refused("nonsense").await, @"4403 TOKEN_INVALID: the access token is invalid; log in again");
    insta::assert_snapshot!(refused(&expiring(&ada.token, -100)).await.split(" at ").next().unwrap(), @"4403 TOKEN_EXPIRED: the access token expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_close_of_a_socket_that_is_not_accepted_tells_the_reason() {
    let serve = running(&[]).await;
    let ada = serve.log_in("ada").await;
    let url = ada.graphql_url.replace("http://", "ws://");
    let refused = async |token: &str| {
        let init = json!({ "authorization": bearer(token) });
        close(&mut Subscription::open(&url, &[], init).await.unwrap()).await
    };
    insta::assert_snapshot!(refused("nonsense").await, @"4403 TOKEN_INVALID: the access token is invalid; log in again");
    insta::assert_snapshot!(refused(&expiring(&ada.token, -100)).await.split(" at ").next().unwrap(), @"4403 TOKEN_EXPIRED: the access token expired");
    ada.ask("mutation { logout { ended } }", json!({})).await;
    insta::assert_snapshot!(refused(&ada.token).await, @"4403 SESSION_ENDED: the session of this access token has ended; log in again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_can_be_refreshed_over_a_socket_without_a_valid_token() {
    let serve = running(&[]).await;
    let ada = serve.log_in("ada").await;
    let variables = json!({ "t": refresh_token(&serve, "ada").await });
    let url = ada.graphql_url.replace("http://", "ws://");
    // The upgrade has an expired token, which a client can ignore.
    let expired = bearer(&expiring(&ada.token, -100));
    let mut nobody =
        Subscription::open(&url, &[("authorization", &expired)], json!({ "authorization": null })).await.unwrap();
    assert_eq!(nobody.hear().await.unwrap()["type"], "connection_ack");
    let data = answer(&mut nobody, "r", REFRESH, variables).await.unwrap();
    assert_eq!(data["data"]["refreshSession"]["user"]["username"], "ada", "{data}");
    let unknown = answer(&mut nobody, "v", VIEWER, json!({})).await.unwrap();
    assert_eq!(unknown["errors"][0]["extensions"]["reason"], "NO_TOKEN", "{unknown}");
}
