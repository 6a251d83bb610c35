//! Trusted documents and automatic persisted queries, over every transport.

use std::sync::Arc;

use platform::config::TrustedDocumentsMode;
use platform::http::documents::Manifest;
use platform::http::{DocumentSettings, HttpSettings};
use serde_json::{Value, json};

use super::toy::{Answer, Server};
use super::websocket::Client;

const HELLO: &str = "{ hello }";
/// Its SHA-256.
const HELLO_HASH: &str = "001c3174e099bd72b729d0c0a529ba9f5a740c446e2a6e1d71b283cb84ec3065";
const TICK: &str = "subscription { tick(to: 1) }";

async fn server(mode: TrustedDocumentsMode) -> Server {
    let file = json!({ "hello": HELLO, "tick": TICK }).to_string();
    let trusted = Arc::new(Manifest::parse(file.as_bytes(), &super::toy::costs()).unwrap());
    let documents = DocumentSettings { trusted, mode, ..DocumentSettings::default() };
    Server::with(HttpSettings { documents, ..HttpSettings::default() }).await
}

async fn post(server: &Server, body: Value) -> Answer {
    server.send("POST", "/graphql", &[("content-type", "application/json")], body.to_string()).await
}

fn persisted(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

#[tokio::test]
async fn a_trusted_document_is_named_by_its_id_or_its_hash_over_every_transport() {
    let server = server(TrustedDocumentsMode::Allow).await;
    let hello = r#"{"data":{"hello":"hello world"}}"#;
    for id in ["hello".to_owned(), HELLO_HASH.to_owned(), format!("sha256:{HELLO_HASH}")] {
        assert_eq!(post(&server, json!({ "documentId": id })).await.body(), hello);
    }
    assert_eq!(post(&server, json!({ "extensions": persisted(HELLO_HASH) })).await.body(), hello);
    let answer = server.send("GET", "/graphql?documentId=hello", &[("x-graphql-csrf", "1")], "").await;
    assert_eq!(answer.body(), hello);
    let mut socket = Client::ready(&server).await;
    socket.send("1", json!({ "documentId": "tick" })).await;
    assert!(socket.hear().await.contains(r#""tick":1"#));
    let headers = [("content-type", "application/json"), ("accept", "text/event-stream")];
    let stream = server.send("POST", "/graphql", &headers, json!({ "documentId": "tick" }).to_string()).await;
    assert!(stream.body().contains(r#""tick":1"#), "{}", stream.body());
    // Other operations run as well.
    assert_eq!(
        post(&server, json!({ "query": "{ hello(name: \"you\") }" })).await.body(),
        r#"{"data":{"hello":"hello you"}}"#
    );
}

#[tokio::test]
async fn an_unknown_document_is_told_apart() {
    let server = server(TrustedDocumentsMode::Allow).await;
    insta::assert_snapshot!(post(&server, json!({ "documentId": "bye" })).await.told(), @r#"200 application/json {"errors":[{"message":"\"bye\" is not among the trusted documents of this server","extensions":{"code":"NOT_FOUND","field":"documentId","requestId":"ID","retryable":false}}]}"#);
    insta::assert_snapshot!(post(&server, json!({ "documentId": "hello", "query": HELLO })).await.told(), @r#"200 application/json {"errors":[{"message":"send documentId or query, not both","extensions":{"code":"BAD_USER_INPUT","field":"documentId","requestId":"ID","retryable":false}}]}"#);
    let off = self::server(TrustedDocumentsMode::Off).await;
    assert!(post(&off, json!({ "documentId": "hello" })).await.body().contains("NOT_FOUND"));
}

#[tokio::test]
async fn in_mode_only_nothing_else_runs() {
    let server = server(TrustedDocumentsMode::Only).await;
    for query in ["{ hello(name: \"you\") }", "{ __schema { types { name } } }", "{ __typename }"] {
        let answer = post(&server, json!({ "query": query })).await;
        insta::allow_duplicates!(
            insta::assert_snapshot!(answer.told(), @r#"200 application/json {"errors":[{"message":"this server only runs trusted documents","extensions":{"code":"FORBIDDEN","requestId":"ID","retryable":false}}]}"#)
        );
    }
    assert_eq!(post(&server, json!({ "documentId": "hello" })).await.body(), r#"{"data":{"hello":"hello world"}}"#);
    // The text of a listed operation is that operation.
    assert_eq!(post(&server, json!({ "query": HELLO })).await.body(), r#"{"data":{"hello":"hello world"}}"#);
    let unknown = post(&server, json!({ "extensions": persisted(&"a".repeat(64)) })).await;
    assert!(unknown.body().contains(r#""message":"PersistedQueryNotSupported""#), "{}", unknown.body());
    let mut socket = Client::ready(&server).await;
    socket.subscribe("1", "subscription { tick(to: 2) }").await;
    assert!(socket.hear().await.contains("FORBIDDEN"));
}

#[tokio::test]
async fn a_text_is_sent_once_and_then_named_by_its_hash() {
    let server = Server::start().await;
    let asked = || async { post(&server, json!({ "extensions": persisted(HELLO_HASH) })).await };
    insta::assert_snapshot!(asked().await.told(), @r#"200 application/json {"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND","requestId":"ID","retryable":false}}]}"#);
    let sent = post(&server, json!({ "query": HELLO, "extensions": persisted(HELLO_HASH) })).await;
    assert_eq!(sent.body(), r#"{"data":{"hello":"hello world"}}"#);
    assert_eq!(asked().await.body(), r#"{"data":{"hello":"hello world"}}"#);
    let path = format!(
        "/graphql?extensions=%7B%22persistedQuery%22%3A%7B%22version%22%3A1%2C%22sha256Hash%22%3A%22{HELLO_HASH}%22%7D%7D"
    );
    assert_eq!(
        server.send("GET", &path, &[("apollo-require-preflight", "1")], "").await.body(),
        r#"{"data":{"hello":"hello world"}}"#
    );
    assert_eq!(server.send("GET", &path, &[], "").await.status, 403);
    let mut socket = Client::ready(&server).await;
    socket.send("1", json!({ "extensions": persisted(HELLO_HASH) })).await;
    assert!(socket.hear().await.contains("hello world"));
}

#[tokio::test]
async fn a_hash_that_is_not_the_texts_is_refused_and_not_kept() {
    let server = Server::start().await;
    let answer = post(&server, json!({ "query": "{ dear }", "extensions": persisted(HELLO_HASH) })).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"errors":[{"message":"provided sha does not match query","extensions":{"code":"BAD_USER_INPUT","field":"extensions.persistedQuery.sha256Hash","requestId":"ID","retryable":false}}]}"#);
    let asked = post(&server, json!({ "extensions": persisted(HELLO_HASH) })).await;
    assert!(asked.body().contains("PERSISTED_QUERY_NOT_FOUND"));
}

#[tokio::test]
async fn persisted_queries_can_be_switched_off() {
    let documents = DocumentSettings { persisted_queries: false, ..DocumentSettings::default() };
    let server = Server::with(HttpSettings { documents, ..HttpSettings::default() }).await;
    let with_text = post(&server, json!({ "query": HELLO, "extensions": persisted(HELLO_HASH) })).await;
    assert_eq!(with_text.body(), r#"{"data":{"hello":"hello world"}}"#);
    let answer = post(&server, json!({ "extensions": persisted(HELLO_HASH) })).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"errors":[{"message":"PersistedQueryNotSupported","extensions":{"code":"PERSISTED_QUERY_NOT_SUPPORTED","requestId":"ID","retryable":false}}]}"#);
}
