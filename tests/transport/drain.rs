//! Shutdown: running operations finish, open connections are told when to reconnect, and nothing new is started.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::Request;
use platform::graphql::limits::CallerLimits;
use platform::http::{HttpSettings, Lifecycle, router};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::toy::{Server, client, endpoint};
use super::websocket::Client;

async fn server() -> Server {
    Server::with(HttpSettings { drain: Duration::from_secs(2), ..HttpSettings::default() }).await
}

#[tokio::test]
async fn a_running_operation_is_answered() {
    let mut server = server().await;
    let shutdown = server.shutdown.clone();
    let (answer, ()) = tokio::join!(server.post("{ slow(milliseconds: 500) }", &[]), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        shutdown.cancel();
    });
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"data":{"slow":500}}"#);
    (&mut server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn while_the_server_drains_ready_fails_with_the_reason_and_health_stays() {
    let mut server = server().await;
    let slow = server.post("{ slow(milliseconds: 1000) }", &[]);
    let probes = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.shutdown.cancel();
        // Each on a connection of its own, as a kubelet's probes are.
        let health = server.send("GET", "/health", &[], "").await;
        let ready = server.send("GET", "/ready", &[], "").await;
        let refused = server.post("{ hello }", &[]).await;
        (health.status, ready.told(), refused.status)
    };
    let (answer, (health, ready, refused)) = tokio::join!(slow, probes);
    assert_eq!((health, refused), (200, 503));
    insta::assert_snapshot!(ready, @r#"503 application/json {"ready":false,"draining":true,"checks":[{"name":"toy","healthy":true,"tookMs":0}],"reason":"the server is draining: it finishes running requests and accepts no new ones"}"#);
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"data":{"slow":1000}}"#);
    (&mut server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_socket_hears_its_cursors_and_is_closed_with_1012() {
    let mut server = server().await;
    let mut client = Client::ready(&server).await;
    client.subscribe("s", "subscription { tick(to: 1, stay: true) }").await;
    client.hear().await;
    server.shutdown.cancel();
    let hint: serde_json::Value = serde_json::from_str(&client.hear().await).unwrap();
    assert_eq!((hint["type"].as_str(), hint["payload"]["cursors"]["s"].as_str()), (Some("ping"), Some("1")));
    let close = client.hear().await;
    assert!(close.starts_with(r#"close 1012 {"retryAfterMs":"#), "{close}");
    (&mut server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn nothing_new_begins_on_an_open_connection() {
    let server = server().await;
    let client = client();
    let slow = client.post(server.url("/graphql")).header("content-type", "application/json");
    let slow = slow.body(r#"{"query":"{ slow(milliseconds: 300) }"}"#).send();
    let mut socket = Client::ready(&server).await;
    server.shutdown.cancel();
    socket.subscribe("1", "{ hello }").await;
    let heard = socket.hear().await;
    assert!(heard.contains("restarting") || heard.contains("draining"), "{heard}");
    drop(slow);
}

#[tokio::test]
async fn a_stream_of_events_ends_with_a_retry_and_no_complete() {
    let server = server().await;
    let shutdown = server.shutdown.clone();
    let (answer, ()) = tokio::join!(
        server.post("subscription { tick(to: 1, stay: true) }", &[("accept", "text/event-stream")]),
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            shutdown.cancel();
        }
    );
    let body = answer.body();
    assert!(body.contains("id: 1\n") && body.contains("retry: ") && !body.contains("event: complete"), "{body}");
}

#[tokio::test]
async fn an_operation_of_a_socket_is_answered_before_the_socket_is_closed() {
    let mut server = Server::with(HttpSettings { drain: Duration::from_secs(5), ..HttpSettings::default() }).await;
    let mut client = Client::ready(&server).await;
    client.subscribe("slow", "{ slow(milliseconds: 600) }").await;
    client.subscribe("quick", "{ hello }").await;
    // Both have begun when the second is answered.
    assert!(client.hear().await.contains(r#""id":"quick""#));
    client.hear().await;
    server.shutdown.cancel();
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"next","id":"slow","payload":{"data":{"slow":600}}}"#);
    insta::assert_snapshot!(client.hear().await, @r#"{"type":"complete","id":"slow"}"#);
    assert!(client.hear().await.contains(r#""draining":true"#));
    assert!(client.hear().await.starts_with("close 1012 "));
    (&mut server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn parts_end_with_an_error_that_says_to_come_again() {
    let server = server().await;
    let shutdown = server.shutdown.clone();
    let parts = [("accept", r#"multipart/mixed;boundary="graphql";subscriptionSpec="1.0""#)];
    let (answer, ()) = tokio::join!(server.post("subscription { tick(to: 1, stay: true) }", &parts), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        shutdown.cancel();
    });
    let body = answer.body();
    assert!(body.contains(r#"{"payload":null,"errors":[{"message":"the server is restarting"#), "{body}");
    assert!(body.ends_with("\r\n--graphql--\r\n"), "{body}");
}

#[tokio::test]
async fn a_draining_server_is_not_ready_and_says_when_to_come_again() {
    let draining = CancellationToken::new();
    draining.cancel();
    let lifecycle = Lifecycle::new(draining, Duration::from_secs(20));
    let router = router(endpoint(HttpSettings::default(), CallerLimits::default(), CallerLimits::default(), lifecycle));
    let ready = router.clone().oneshot(Request::get("/ready").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(ready.status(), 503);
    let body = to_bytes(ready.into_body(), 1_000).await.unwrap();
    assert!(body.starts_with(br#"{"ready":false,"draining":true"#), "{body:?}");
    let health = router.clone().oneshot(Request::get("/health").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(health.status(), 200);
    let refused = router.oneshot(Request::post("/graphql").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &http::HeaderValue::from(1)));
}
