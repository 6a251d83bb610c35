//! Subscriptions over plain HTTP: server-sent events and multipart.

use std::time::Duration;

use platform::http::{HttpSettings, SocketSettings};

use super::toy::{Server, client};

const SSE: (&str, &str) = ("accept", "text/event-stream");
const MULTIPART: (&str, &str) =
    ("accept", r#"multipart/mixed; boundary="graphql"; subscriptionSpec="1.0", application/json"#);

#[tokio::test]
async fn events_come_with_their_cursor_as_id() {
    let answer = Server::start().await.post("subscription { tick(to: 2) }", &[SSE]).await;
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    insta::assert_snapshot!(answer.body(), @r#"
    event: next
    id: 1
    data: {"data":{"tick":1}}

    event: next
    id: 2
    data: {"data":{"tick":2}}

    event: complete
    data:
    "#);
}

#[tokio::test]
async fn the_last_event_id_resumes_the_subscription() {
    let answer = Server::start().await.post("subscription { tick(to: 3) }", &[SSE, ("last-event-id", "2")]).await;
    insta::assert_snapshot!(answer.body(), @r#"
    event: next
    id: 3
    data: {"data":{"tick":3}}

    event: complete
    data:
    "#);
}

#[tokio::test]
async fn a_query_is_a_stream_of_one() {
    let answer = Server::start().await.post("{ hello }", &[SSE]).await;
    insta::assert_snapshot!(answer.body(), @r#"
    event: next
    data: {"data":{"hello":"hello world"}}

    event: complete
    data:
    "#);
}

#[tokio::test]
async fn a_refused_operation_is_told_in_the_stream() {
    let answer = Server::start().await.post("subscription {", &[SSE]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body().starts_with("event: next\ndata: {\"errors\":["), "{}", answer.body());
    assert!(answer.body().ends_with("event: complete\ndata:\n\n"));
}

#[tokio::test]
async fn a_subscription_by_get_works_as_event_source_sends_it() {
    let headers = [SSE, ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];
    let path = "/graphql?query=subscription%7Btick(to:1)%7D";
    let answer = Server::start().await.send("GET", path, &headers, "").await;
    assert!(answer.body().contains("id: 1\n"), "{}", answer.told());
}

#[tokio::test]
async fn parts_follow_the_multipart_protocol() {
    let answer = Server::start().await.post("subscription { tick(to: 2) }", &[MULTIPART]).await;
    assert_eq!(answer.header("content-type"), r#"multipart/mixed; boundary="graphql"; subscriptionSpec="1.0""#);
    insta::assert_snapshot!(answer.body().replace("\r\n", "\n"), @r#"
    --graphql
    Content-Type: application/json

    {"payload":{"data":{"tick":1}}}
    --graphql
    Content-Type: application/json

    {"payload":{"data":{"tick":2}}}
    --graphql--
    "#);
}

#[tokio::test]
async fn a_silent_stream_beats() {
    let socket = SocketSettings { ping_every: Duration::from_millis(50), ..SocketSettings::default() };
    let server = Server::with(HttpSettings { socket, ..HttpSettings::default() }).await;
    let mut response = client()
        .post(server.url("/graphql"))
        .header("content-type", "application/json")
        .header(MULTIPART.0, MULTIPART.1)
        .body(r#"{"query":"subscription { tick(to: 0, stay: true) }"}"#)
        .send()
        .await
        .unwrap();
    let mut heard = String::new();
    while !heard.contains("{}") {
        heard.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
    }
}

#[tokio::test]
async fn streams_are_not_compressed_and_not_kept() {
    let server = Server::start().await;
    for accept in [SSE, MULTIPART] {
        let headers = [accept, ("accept-encoding", "gzip, br, zstd")];
        let answer = server.post("subscription { tick(to: 2000) }", &headers).await;
        assert_eq!(answer.header("content-encoding"), "", "{accept:?}");
        assert_eq!(answer.header("cache-control"), "no-cache, no-transform");
        assert!(answer.body().contains(r#"{"tick":2000}"#));
    }
}

#[tokio::test]
async fn a_defect_ends_the_stream_and_tells_nothing_of_itself() {
    let server = Server::start().await;
    let query = "subscription { breaks }";
    insta::assert_snapshot!(server.post(query, &[SSE]).await.body(), @r#"
    event: next
    data: {"errors":[{"message":"internal error","extensions":{"code":"INTERNAL","retryable":false}}]}

    event: complete
    data:
    "#);
    insta::assert_snapshot!(server.post(query, &[MULTIPART]).await.body().replace("\r\n", "\n"), @r#"
    --graphql
    Content-Type: application/json

    {"payload":null,"errors":[{"message":"internal error","extensions":{"code":"INTERNAL","retryable":false}}]}
    --graphql--
    "#);
}

#[tokio::test]
async fn a_refused_operation_is_one_answer_to_who_asks_for_parts() {
    let answer = Server::start().await.post("subscription { nothing(", &[MULTIPART]).await;
    assert!(answer.told().starts_with(r#"200 application/json {"errors":["#), "{}", answer.told());
}

#[tokio::test]
async fn a_query_is_one_answer_to_who_asks_for_parts() {
    let answer = Server::start().await.post("{ hello }", &[MULTIPART]).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"data":{"hello":"hello world"}}"#);
}
