//! The end of a server: what runs is finished, what stays is told when to come back, nothing new begins.

use std::time::Duration;

use platform::http::HttpSettings;

use super::toy::{Server, client};
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
