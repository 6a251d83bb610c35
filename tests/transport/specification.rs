//! The rules of the GraphQL specification for operations, over every transport.

use platform::http::HttpSettings;
use serde_json::json;

use super::toy::{Answer, Server};
use super::websocket::Client;

const SSE: (&str, &str) = ("accept", "text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

async fn subscribe(query: &str) -> Answer {
    Server::start().await.post(query, &[SSE]).await
}

#[tokio::test]
async fn the_root_field_of_a_subscription_may_stand_in_fragments() {
    let plain = subscribe("subscription { tick(to: 2) }").await;
    for query in [
        "subscription { ...T } fragment T on Ticks { tick(to: 2) }",
        "subscription { ... on Ticks { tick(to: 2) } }",
        "subscription { ... { ... { tick(to: 2) } } }",
        "subscription { tick(to: 2) tick(to: 2) ...T } fragment T on Ticks { tick(to: 2) }",
    ] {
        assert_eq!(subscribe(query).await.body(), plain.body(), "{query}");
    }
    let server = Server::with(HttpSettings::default()).await;
    let mut socket = Client::ready(&server).await;
    let query = "subscription($to: Int!) { ...T } fragment T on Ticks { n: tick(to: $to) }";
    socket.send("1", json!({ "query": query, "variables": { "to": 1.0 } })).await;
    let heard = socket.hear().await;
    assert!(heard.contains(r#"{"data":{"n":1}}"#), "{heard}");
}

#[tokio::test]
async fn a_subscription_with_another_root_is_one_error_and_no_event() {
    for (query, message) in [
        ("subscription { a: tick(to: 1) b: tick(to: 1) }", "A subscription must select only one top level field."),
        (
            "subscription { tick(to: 1) ...T } fragment T on Ticks { b: tick(to: 1) }",
            "A subscription must select only one top level field.",
        ),
        ("subscription { __typename }", "A subscription must not select \\\"__typename\\\" as its top level field."),
        (
            "subscription { tick(to: 1) @include(if: true) }",
            "A subscription must not use \\\"@include\\\" on what it selects at the top level.",
        ),
        (
            "subscription { ... @skip(if: false) { tick(to: 1) } }",
            "A subscription must not use \\\"@skip\\\" on what it selects at the top level.",
        ),
    ] {
        let answer = subscribe(query).await;
        let body = answer.body();
        assert!(body.starts_with("event: next\ndata: {\"errors\":["), "{query}: {body}");
        assert!(body.contains(message) && body.matches("\"message\"").count() == 1, "{query}: {body}");
        assert!(body.contains("GRAPHQL_VALIDATION_FAILED") && !body.contains("\"data\""), "{query}: {body}");
    }
}

#[tokio::test]
async fn what_is_no_graphql_is_told_in_a_sentence() {
    let answer = Server::start().await.post("{ hello(", &[]).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"errors":[{"message":"Syntax error: expected a name, found the end of the document","locations":[{"line":1,"column":9}],"extensions":{"code":"GRAPHQL_PARSE_FAILED","requestId":"ID","retryable":false}}]}"#);
    let answer = Server::start().await.post("{ hello nope nope @aa @aa }", &[]).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"errors":[{"message":"Cannot query field \"nope\" on type \"Query\".","locations":[{"line":1,"column":9},{"line":1,"column":14}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","requestId":"ID","retryable":false}},{"message":"Unknown directive \"@aa\".","locations":[{"line":1,"column":19},{"line":1,"column":23}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","requestId":"ID","retryable":false}}]}"#);
}

#[tokio::test]
async fn a_variable_that_was_left_out_is_the_default_of_what_it_stands_for() {
    let server = Server::start().await;
    let ask = async |variables: serde_json::Value| {
        let query = "query($name: String) { hello(name: $name) }";
        let body = json!({ "query": query, "variables": variables }).to_string();
        server.send("POST", "/graphql", &[JSON], body).await.body().to_owned()
    };
    assert_eq!(ask(json!({})).await, r#"{"data":{"hello":"hello world"}}"#);
    assert_eq!(ask(json!({ "name": "you" })).await, r#"{"data":{"hello":"hello you"}}"#);
}

#[tokio::test]
async fn numbers_are_whole_however_they_are_written() {
    let server = Server::start().await;
    let ask = async |number: &str| {
        let body = format!(
            r#"{{"query":"query($n: Int!) {{ rooms(first: $n) {{ number }} }}","variables":{{"n":{number}}}}}"#
        );
        server.send("POST", "/graphql", &[JSON], body).await.told()
    };
    for number in ["1", "1.0", "1e0", "10e-1"] {
        assert_eq!(ask(number).await, r#"200 application/json {"data":{"rooms":[{"number":0}]}}"#, "{number}");
    }
    insta::assert_snapshot!(ask("1.5").await, @r#"200 application/json {"errors":[{"message":"first was 1.5; it must be a whole number","extensions":{"code":"BAD_USER_INPUT","field":"first","requestId":"ID","retryable":false,"variable":"n"}}]}"#);
}
