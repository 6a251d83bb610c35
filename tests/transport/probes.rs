//! The endpoints for operators and browsers besides GraphQL.

use platform::config::AllowedOrigins;
use platform::graphql::limits::{CallerLimits, OperationLimits};
use platform::http::HttpSettings;

use super::toy::Server;

#[tokio::test]
async fn health_ready_metrics_and_schema_answer() {
    let server = Server::start().await;
    assert_eq!(server.send("GET", "/health", &[], "").await.status, 200);
    let ready = server.send("GET", "/ready", &[], "").await;
    insta::assert_snapshot!(ready.told(), @r#"200 application/json {"ready":true,"draining":false,"checks":[{"name":"toy","healthy":true,"tookMs":0}]}"#);
    assert_eq!(server.send("GET", "/metrics", &[], "").await.status, 200);
    let schema = server.send("GET", "/schema.graphql", &[], "").await;
    assert!(schema.body().contains("type Query"));
}

#[tokio::test]
async fn the_schema_is_there_for_whom_introspection_is() {
    let closed = CallerLimits {
        operation: OperationLimits { introspection: false, ..OperationLimits::default() },
        ..CallerLimits::default()
    };
    let server = Server::by_role(HttpSettings::default(), closed, CallerLimits::default()).await;
    let answer = server.send("GET", "/schema.graphql", &[], "").await;
    insta::assert_snapshot!(answer.told(), @"404 text/plain introspection is disabled for you on this server");
    let good = [("authorization", "Bearer good")];
    assert_eq!(server.send("GET", "/schema.graphql", &good, "").await.status, 200);
    assert_eq!(server.send("GET", "/schema.graphql", &[("authorization", "Bearer bad")], "").await.status, 401);
}

#[tokio::test]
async fn the_schema_is_served_without_what_is_deprecated_to_who_wants_it_so() {
    let server = Server::start().await;
    let all = server.send("GET", "/schema.graphql?remove_deprecated=false", &[], "").await.body();
    let current = server.send("GET", "/schema.graphql?remove_deprecated=true", &[], "").await.body();
    assert!(all.contains("greet: String! @deprecated") && all.contains("hello("));
    assert!(!current.contains("greet") && current.contains("hello("));
}

#[tokio::test]
async fn the_page_is_served_with_a_policy_or_says_how_to_build_it() {
    let server = Server::start().await;
    let page = server.send("GET", "/", &[], "").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.body().contains("npm run build") || page.header("content-security-policy").contains("default-src 'self'")
    );
    let config = server.send("GET", "/playground/config.json", &[], "").await;
    insta::assert_snapshot!(config.told(), @r#"200 application/json {"endpoint":"/graphql"}"#);
    assert_eq!(server.send("GET", "/../Cargo.toml", &[], "").await.status, 404);
}

#[tokio::test]
async fn only_the_origins_named_may_call_from_a_page() {
    let allowed_origins = AllowedOrigins::Listed(vec!["https://app.example.com".to_owned()]);
    let server = Server::with(HttpSettings { allowed_origins, ..HttpSettings::default() }).await;
    let preflight = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,authorization"),
        ];
        server.send("OPTIONS", "/graphql", &headers, "").await.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(preflight("https://app.example.com").await, "https://app.example.com");
    assert_eq!(preflight("https://evil.example.com").await, "");
    let answer = server.post("{ hello }", &[("origin", "https://app.example.com")]).await;
    let readable = answer.header("access-control-expose-headers");
    for name in ["x-request-id", "retry-after", "ratelimit", "ratelimit-policy", "ratelimit-remaining"] {
        assert!(readable.split(',').any(|exposed| exposed == name), "{name} in {readable}");
    }
}
