//! GraphQL over HTTP: methods, media types, statuses, limits, and the well-known attacks.

use std::time::Duration;

use platform::graphql::limits::{CallerLimits, OperationLimits};
use platform::http::HttpSettings;

use super::toy::{Server, client};

const GRAPHQL_JSON: (&str, &str) = ("accept", "application/graphql-response+json");

#[tokio::test]
async fn a_query_by_post_answers_in_the_media_type_asked_for() {
    let server = Server::start().await;
    let answer = server.post("{ hello }", &[]).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"data":{"hello":"hello world"}}"#);
    assert_eq!(answer.header("cache-control"), "private, no-store");
    assert!(answer.header("server-timing").starts_with("total;dur="));
    let answer = server.post("{ hello }", &[GRAPHQL_JSON]).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/graphql-response+json {"data":{"hello":"hello world"}}"#);
}

#[tokio::test]
async fn nothing_acceptable_is_406() {
    let answer = Server::start().await.post("{ hello }", &[("accept", "text/html")]).await;
    assert_eq!(answer.status, 406);
}

#[tokio::test]
async fn a_document_that_does_not_parse_is_400_or_200_by_media_type() {
    let server = Server::start().await;
    assert_eq!(server.post("{", &[]).await.status, 200);
    let answer = server.post("{ nothing }", &[GRAPHQL_JSON]).await;
    insta::assert_snapshot!(answer.told(), @r#"400 application/graphql-response+json {"errors":[{"message":"Cannot query field \"nothing\" on type \"Query\".","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","requestId":"ID","retryable":false}}]}"#);
}

#[tokio::test]
async fn a_query_by_get_needs_a_header_that_a_foreign_page_cannot_send() {
    let server = Server::start().await;
    let path = "/graphql?query=%7Bhello%7D";
    let answer = server.send("GET", path, &[], "").await;
    insta::assert_snapshot!(answer.told(), @r#"403 application/json {"errors":[{"message":"a GET request requires the header x-graphql-csrf (with any value), so that pages of other sites cannot send it","extensions":{"code":"BAD_USER_INPUT","requestId":"ID","retryable":false}}]}"#);
    let answer = server.send("GET", path, &[("x-graphql-csrf", "1")], "").await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"data":{"hello":"hello world"}}"#);
}

#[tokio::test]
async fn a_mutation_by_get_is_405_and_says_what_is_allowed() {
    let server = Server::start().await;
    let path = "/graphql?query=mutation%7Badd(a:1,b:2)%7D";
    let answer = server.send("GET", path, &[("x-graphql-csrf", "1")], "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    let answer = server.send("PUT", "/graphql", &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST"));
}

#[tokio::test]
async fn what_a_form_can_send_is_refused() {
    let server = Server::start().await;
    let body = r#"{"query":"mutation { add(a: 1, b: 2) }"}"#;
    for content_type in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
        assert_eq!(server.send("POST", "/graphql", &[("content-type", content_type)], body).await.status, 415);
    }
    assert_eq!(server.send("POST", "/graphql", &[], body).await.status, 415);
    let latin = [("content-type", "application/json; charset=latin1")];
    assert_eq!(server.send("POST", "/graphql", &latin, body).await.status, 415);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_and_names_the_limit() {
    let server = Server::with(HttpSettings { max_body_bytes: 1_024, ..HttpSettings::default() }).await;
    let answer = server.post(&"a".repeat(2_000), &[]).await;
    insta::assert_snapshot!(answer.told(), @r#"413 application/json {"errors":[{"message":"the limit \"body bytes\" is exceeded: it has 2012, at most 1024 are allowed","extensions":{"code":"BAD_USER_INPUT","requestId":"ID","retryable":false}}]}"#);
}

#[tokio::test]
async fn batches_are_off_until_switched_on_and_then_bounded() {
    let json = [("content-type", "application/json")];
    let batch = r#"[{"query":"{hello}"},{"query":"{nothing}"}]"#;
    let answer = Server::start().await.send("POST", "/graphql", &json, batch).await;
    assert_eq!(answer.status, 400);
    let server = Server::with(HttpSettings { max_batch: 2, ..HttpSettings::default() }).await;
    let answer = server.send("POST", "/graphql", &json, batch).await;
    assert!(answer.body().starts_with(r#"[{"data":{"hello":"hello world"}},{"errors":["#), "{}", answer.body());
    let answer = server.send("POST", "/graphql", &json, r#"[{"query":"{a}"},{"query":"{a}"},{"query":"{a}"}]"#).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn wrong_credentials_are_401_whatever_the_media_type() {
    let answer = Server::start().await.post("{ hello }", &[("authorization", "Bearer bad")]).await;
    insta::assert_snapshot!(answer.told(), @r#"401 application/json {"errors":[{"message":"the access token is not valid","extensions":{"code":"UNAUTHENTICATED","reason":"TOKEN_INVALID","requestId":"ID","retryable":false}}]}"#);
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"platform\", error=\"invalid_token\"");
}

#[tokio::test]
async fn a_sane_request_id_is_given_back_and_stands_in_errors() {
    let server = Server::start().await;
    let answer = server.post("{ nothing }", &[("x-request-id", "trace-7")]).await;
    assert_eq!(answer.header("x-request-id"), "trace-7");
    assert!(!server.post("{ hello }", &[]).await.header("x-request-id").is_empty());
}

#[tokio::test]
async fn what_is_late_is_null_and_the_rest_is_answered() {
    let limits = CallerLimits { timeout: Duration::from_millis(100), ..CallerLimits::default() };
    let server = Server::by_role(HttpSettings::default(), limits.clone(), limits).await;
    let answer = server.post("{ hello slow(milliseconds: 20000) }", &[]).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"errors":[{"message":"the operation exceeded its deadline of 100 ms before this was ready","path":["slow"],"extensions":{"code":"TIMEOUT","requestId":"ID","retryable":true}}],"data":{"hello":"hello world","slow":null}}"#);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_that_tells_its_request_id_and_nothing_else() {
    let answer = Server::start().await.post("{ panics }", &[]).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"errors":[{"message":"internal error; the server log has the details under this requestId","extensions":{"code":"INTERNAL","requestId":"ID","retryable":false}}]}"#);
}

#[tokio::test]
async fn a_misspelt_field_gets_no_suggestion_where_introspection_is_off() {
    let limits = OperationLimits { introspection: false, ..OperationLimits::default() };
    let answer = Server::limited(HttpSettings::default(), limits).await.post("{ helo }", &[]).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"errors":[{"message":"Cannot query field \"helo\" on type \"Query\".","locations":[{"line":1,"column":3}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","requestId":"ID","retryable":false}}]}"#);
    let answer = Server::start().await.post("{ helo }", &[]).await;
    assert!(answer.body().contains(r#"Did you mean \"hello\"?"#), "{}", answer.body());
}

#[tokio::test]
async fn introspection_is_refused_where_the_operator_says_so() {
    let limits = OperationLimits { introspection: false, ..OperationLimits::default() };
    let server = Server::limited(HttpSettings::default(), limits).await;
    let answer = server.post("{ __schema { types { name } } }", &[]).await;
    insta::assert_snapshot!(answer.told(), @r#"200 application/json {"errors":[{"message":"introspection is disabled for you on this server","extensions":{"code":"FORBIDDEN","requestId":"ID","retryable":false}}]}"#);
}

#[tokio::test]
async fn there_is_no_tracing_mode_for_clients() {
    let answer = Server::start().await.post("{ hello }", &[("x-apollo-tracing", "1")]).await;
    assert!(!answer.body().contains("tracing") && !answer.body().contains("extensions"), "{}", answer.body());
}

#[tokio::test]
async fn a_long_answer_is_compressed_as_the_client_can_read_it() {
    let server = Server::start().await;
    // The third is what `fetch` of Node 20 sends, which cannot decode zstd.
    for (accepted, encoding) in [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("zstd, br, gzip, deflate", "br"),
        ("zstd, gzip", "gzip"),
        ("gzip;q=0.5, zstd", "zstd"),
    ] {
        let body = r#"{"query":"{ long }"}"#;
        let response = client()
            .post(server.url("/graphql"))
            .header("content-type", "application/json")
            .header("accept-encoding", accepted)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
        assert!(response.bytes().await.unwrap().len() < 2_000);
    }
}

#[tokio::test]
async fn a_subscription_in_one_piece_is_406_and_says_what_to_use() {
    let answer = Server::start().await.post("subscription { tick(to: 1) }", &[]).await;
    assert_eq!(answer.status, 406);
    assert!(answer.body().contains("graphql-transport-ws"));
}
