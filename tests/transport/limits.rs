//! All limits as seen by clients: rejections over HTTP and WebSocket, cost points, concurrency.

use std::num::NonZeroU32;
use std::time::Duration;

use platform::graphql::limits::{CallerLimits, OperationLimits, Rate};
use platform::http::HttpSettings;
use serde_json::Value;

use super::toy::{Answer, Server};
use super::websocket::Client;

const GOOD: (&str, &str) = ("authorization", "Bearer good");

fn rate(points_per_second: u32, burst: u32) -> Option<Rate> {
    let number = |number| NonZeroU32::new(number).unwrap();
    Some(Rate { points_per_second: number(points_per_second), burst: number(burst) })
}

async fn server(limits: CallerLimits) -> Server {
    Server::by_role(HttpSettings::default(), limits.clone(), limits).await
}

fn first_error(answer: &Answer) -> Value {
    let body: Value = serde_json::from_str(&answer.body()).unwrap();
    body["errors"][0].clone()
}

#[tokio::test]
async fn every_refusal_names_the_limit_what_the_operation_has_and_what_is_allowed() {
    let limits = OperationLimits {
        depth: 2,
        tokens: 60,
        aliases: 2,
        directives: 2,
        root_fields: 4,
        fields: 40,
        nodes: 30,
        cost: 50,
        page_size: 20,
        list_items: 30,
        answer_bytes: 100_000,
        introspection: true,
    };
    let server = Server::limited(HttpSettings::default(), limits).await;
    let cases = [
        ("{ a { b { c } } }", "depth", 3, 2),
        (
            "{ hello(name: \"\") hello(name: \"\") hello(name: \"\") hello(name: \"\") hello(name: \"\") hello(name: \"\") \
          hello(name: \"\") hello(name: \"\") hello(name: \"\") hello(name: \"\") }",
            "tokens",
            62,
            60,
        ),
        ("{ a: hello b: hello c: hello }", "aliases", 3, 2),
        ("{ hello @a @b @c }", "directives", 3, 2),
        ("{ hello hello hello hello hello }", "root fields", 5, 4),
        ("{ rooms(first: 21) { number } }", "page size", 21, 20),
        (
            "{ rooms(first: 20) { number } a: rooms(first: 20) { number } b: rooms { number } }",
            "nodes in the response",
            50,
            30,
        ),
        ("{ rooms(first: 15) { number number } }", "fields in the response", 45, 40),
        ("{ dear }", "cost", 500, 50),
    ];
    for (query, limit, actual, allowed) in cases {
        let message =
            format!("the operation exceeds the limit \"{limit}\": it has {actual}, at most {allowed} are allowed");
        let answer = server.post(query, &[("accept", "application/graphql-response+json")]).await;
        let error = first_error(&answer);
        assert_eq!((answer.status, error["message"].as_str().unwrap()), (400, message.as_str()), "{query}");
        assert_eq!(error["extensions"]["code"], "QUERY_TOO_COMPLEX");
        let mut socket = Client::ready(&server).await;
        socket.subscribe("1", query).await;
        let heard: Value = serde_json::from_str(&socket.hear().await).unwrap();
        assert_eq!((&heard["type"], &heard["payload"][0]["message"]), (&"error".into(), &message.into()));
    }
}

#[tokio::test]
async fn cost_is_told_to_who_asks_by_a_header_or_in_the_request() {
    let server = Server::start().await;
    let query = "{ rooms(first: 9) { number } }";
    let asked = server.post("{ rooms(first: 1) { number } }", &[("graphql-cost", "report")]).await;
    insta::assert_snapshot!(asked.told(), @r#"200 application/json {"data":{"rooms":[{"number":0}]},"extensions":{"cost":{"requested":1,"actual":1}}}"#);
    assert!(!server.post(query, &[]).await.body().contains("extensions"));
    let mut socket = Client::ready(&server).await;
    socket.send("1", serde_json::json!({ "query": query, "extensions": { "cost": true } })).await;
    let heard: Value = serde_json::from_str(&socket.hear().await).unwrap();
    assert_eq!(heard["payload"]["extensions"]["cost"], serde_json::json!({ "requested": 9, "actual": 5 }));
}

#[tokio::test]
async fn who_spends_all_points_is_told_when_to_come_back() {
    let server = server(CallerLimits { rate: rate(1, 1_000), ..CallerLimits::default() }).await;
    assert_eq!(server.post("{ dear }", &[]).await.status, 200);
    assert_eq!(server.post("{ dear }", &[]).await.status, 200);
    let refused = server.post("{ dear }", &[]).await;
    let error = first_error(&refused);
    assert_eq!((refused.status, &error["extensions"]["code"]), (429, &"RATE_LIMITED".into()));
    assert_eq!(error["extensions"]["retryable"], true);
    insta::assert_snapshot!(error["message"].as_str().unwrap(), @r#"the limit "cost points" is reached: the operation costs 500; you can accumulate 1000 and regain 1 per second"#);
    let wait = error["extensions"]["retryAfterMs"].as_u64().unwrap();
    assert!((400_000..=500_001).contains(&wait), "{wait}");
    assert_eq!(refused.header("retry-after"), wait.div_ceil(1_000).to_string());
    // Somebody else has points of their own.
    assert_eq!(server.post("{ dear }", &[GOOD]).await.status, 200);
}

#[tokio::test]
async fn points_are_the_same_over_every_transport() {
    let server = server(CallerLimits { rate: rate(1, 1_000), ..CallerLimits::default() }).await;
    server.post("{ a: dear b: dear }", &[]).await;
    let mut socket = Client::ready(&server).await;
    socket.subscribe("1", "{ dear }").await;
    let heard = socket.hear().await;
    assert!(
        heard.starts_with(r#"{"type":"error","id":"1","payload":[{"message":"the limit \"cost points\""#),
        "{heard}"
    );
    assert!(heard.contains(r#""retryAfterMs":"#), "{heard}");
    for accept in ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"] {
        let answer = server.post("{ dear }", &[("accept", accept)]).await;
        assert!(answer.body().contains("RATE_LIMITED"), "{accept}: {}", answer.body());
        assert!(!answer.header("retry-after").is_empty(), "{accept}");
    }
}

#[tokio::test]
async fn headers_say_what_is_left_and_what_was_not_needed_is_given_back() {
    let server = server(CallerLimits { rate: rate(1, 1_000), ..CallerLimits::default() }).await;
    let answer = server.post("{ rooms(first: 100) { number } }", &[]).await;
    assert_eq!(answer.header("ratelimit-limit"), "1000");
    assert_eq!(answer.header("ratelimit-remaining"), "995");
    assert_eq!(answer.header("ratelimit-reset"), "5");
    assert_eq!(answer.header("ratelimit"), r#""cost-points";r=995;t=5"#);
    assert_eq!(answer.header("ratelimit-policy"), r#""cost-points";q=1000;w=1000"#);
    let stream = server.post("subscription { tick(to: 1) }", &[("accept", "text/event-stream")]).await;
    assert!(!stream.header("ratelimit").is_empty());
    let nothing = Server::start().await.post("{ hello }", &[]).await;
    assert_eq!(nothing.header("ratelimit"), "");
}

#[tokio::test]
async fn the_rate_limit_field_tells_the_points_and_costs_the_minimum() {
    let server = server(CallerLimits { rate: rate(1, 1_000), ..CallerLimits::default() }).await;
    let answer = server.post("{ rateLimit { cost limit remaining resetAt } dear }", &[GOOD]).await;
    let body: Value = serde_json::from_str(&answer.body()).unwrap();
    let told = &body["data"]["rateLimit"];
    assert_eq!((&told["cost"], &told["limit"], &told["remaining"]), (&500.into(), &1000.into(), &500.into()));
    let reset = chrono::DateTime::parse_from_rfc3339(told["resetAt"].as_str().unwrap()).unwrap();
    assert!(reset > chrono::Utc::now() + chrono::TimeDelta::seconds(400));
    let answer = server.post("{ rateLimit { cost } }", &[GOOD]).await;
    insta::assert_snapshot!(answer.body(), @r#"{"data":{"rateLimit":{"cost":1}}}"#);
    let answer = Server::start().await.post("{ rateLimit { cost } }", &[]).await;
    insta::assert_snapshot!(answer.body(), @r#"{"data":{"rateLimit":null}}"#);
}

#[tokio::test]
async fn subscriptions_are_counted_over_sockets_and_http() {
    let server = server(CallerLimits { subscriptions: 2, ..CallerLimits::default() }).await;
    let mut first = Client::ready(&server).await;
    first.subscribe("1", "subscription { tick(to: 1, stay: true) }").await;
    first.hear().await;
    let mut second = Client::ready(&server).await;
    second.subscribe("1", "subscription { tick(to: 1, stay: true) }").await;
    second.hear().await;
    second.subscribe("2", "subscription { tick(to: 1, stay: true) }").await;
    let heard = second.hear().await;
    assert!(
        heard.contains(
            r#"the limit \"concurrent subscriptions\" is reached: at most 2 subscriptions are allowed at the same time"#
        ),
        "{heard}"
    );
    assert!(heard.contains(r#""code":"RATE_LIMITED""#) && heard.contains(r#""retryable":true"#), "{heard}");
    let refused = server.post("subscription { tick(to: 1) }", &[("accept", "text/event-stream")]).await;
    assert!(refused.body().contains("concurrent subscriptions"), "{}", refused.body());
    // Queries have a count of their own, and one that ended makes room.
    second.subscribe("3", "{ hello }").await;
    assert!(second.hear().await.contains("hello world"));
    assert!(second.hear().await.contains("complete"));
    second.say(r#"{"type":"complete","id":"1"}"#).await;
    second.subscribe("4", "subscription { tick(to: 1) }").await;
    assert!(second.hear().await.contains(r#""tick":1"#));
}

#[tokio::test]
async fn operations_at_once_are_counted_over_sockets_and_http() {
    let server = server(CallerLimits { operations: 1, ..CallerLimits::default() }).await;
    let mut socket = Client::ready(&server).await;
    socket.subscribe("slow", "{ slow(milliseconds: 60000) }").await;
    // The socket's own task has begun the slow one before it answers a ping that was sent after it.
    socket.say(r#"{"type":"ping"}"#).await;
    assert!(socket.hear().await.contains("pong"));
    let answer = server.post("{ hello }", &[]).await;
    assert_eq!(answer.status, 429);
    insta::assert_snapshot!(first_error(&answer)["message"].as_str().unwrap(), @r#"the limit "concurrent operations" is reached: at most 1 queries and mutations are allowed at the same time"#);
    assert_eq!(server.post("{ hello }", &[GOOD]).await.status, 200);
}

#[tokio::test]
async fn limits_depend_on_the_role() {
    let small = CallerLimits {
        operation: OperationLimits { cost: 100, ..OperationLimits::default() },
        ..CallerLimits::default()
    };
    let server = Server::by_role(HttpSettings::default(), small, CallerLimits::default()).await;
    assert_eq!(first_error(&server.post("{ dear }", &[]).await)["extensions"]["code"], "QUERY_TOO_COMPLEX");
    insta::assert_snapshot!(server.post("{ dear }", &[GOOD]).await.body(), @r#"{"data":{"dear":true}}"#);
}

#[tokio::test]
async fn each_operation_of_a_batch_is_charged() {
    let limits = CallerLimits { rate: rate(1, 1_000), ..CallerLimits::default() };
    let settings = HttpSettings { max_batch: 3, ..HttpSettings::default() };
    let server = Server::by_role(settings, limits.clone(), limits).await;
    let json = [("content-type", "application/json")];
    let batch = r#"[{"query":"{dear}"},{"query":"{dear}"},{"query":"{dear}"}]"#;
    let answer = server.send("POST", "/graphql", &json, batch).await;
    let body: Value = serde_json::from_str(&answer.body()).unwrap();
    assert_eq!(body[1]["data"]["dear"], true);
    assert_eq!(body[2]["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    assert_eq!(answer.header("ratelimit-remaining"), "0");
    let answer = server
        .send("POST", "/graphql", &json, r#"[{"query":"{a}"},{"query":"{a}"},{"query":"{a}"},{"query":"{a}"}]"#)
        .await;
    insta::assert_snapshot!(first_error(&answer)["message"].as_str().unwrap(), @"the batch has 4 operations, at most 3 are allowed");
}

#[tokio::test]
async fn what_is_late_is_null_over_the_socket_too() {
    let server = server(CallerLimits { timeout: Duration::from_millis(100), ..CallerLimits::default() }).await;
    let mut socket = Client::ready(&server).await;
    socket.subscribe("1", "{ hello slow(milliseconds: 60000) }").await;
    let heard: Value = serde_json::from_str(&socket.hear().await).unwrap();
    assert_eq!(heard["payload"]["data"], serde_json::json!({ "hello": "hello world", "slow": null }));
    assert_eq!(heard["payload"]["errors"][0]["extensions"]["code"], "TIMEOUT");
    socket.hear().await;
    socket.subscribe("2", "{ hello }").await;
    assert!(socket.hear().await.contains("hello world"));
}
