//! The twelve probes that scanners of GraphQL servers send.

use serde_json::json;

use super::production::Production;

#[tokio::test]
async fn alias_overloading() {
    let aliases: String = (0..101).map(|n| format!("a{n}: __typename ")).collect();
    let answer = Production::server().await.ask(&format!("{{ viewer {{ {aliases} }} }}"), json!({})).await;
    assert_eq!(answer.codes(), ["QUERY_TOO_COMPLEX"]);
    assert!(answer.body.contains("aliases") && answer.body.contains("101"), "{}", answer.body);
}

#[tokio::test]
async fn array_batching() {
    let batch = serde_json::to_string(&vec![json!({ "query": "{ __typename }" }); 10]).unwrap();
    let answer = Production::server().await.post(&batch, &[]).await;
    assert_eq!((answer.status, answer.codes()), (400, vec!["BAD_USER_INPUT".to_owned()]));
    assert!(answer.body.contains("batching is disabled"), "{}", answer.body);
}

#[tokio::test]
async fn directive_overloading() {
    let server = Production::server().await;
    for directives in ["@aa".repeat(500), "@include(if: true)".repeat(500)] {
        let answer = server.ask(&format!("{{ __typename {directives} }}"), json!({})).await;
        assert_eq!(answer.codes(), ["QUERY_TOO_COMPLEX"]);
        assert!(answer.body.contains("directives"), "{}", answer.body);
    }
}

#[tokio::test]
async fn circular_introspection() {
    let query =
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }";
    let answer = Production::server().await.ask(query, json!({})).await;
    assert_eq!(answer.codes(), ["FORBIDDEN"]);
    assert!(answer.json()["data"].is_null(), "{}", answer.body);
}

#[tokio::test]
async fn field_suggestions() {
    let server = Production::server().await;
    for misspelt in [
        "{ viewr { id } }",
        "{ viewer { usernam } }",
        "{ jobs(frist: 1) { nodes { id } } }",
        "{ jobs(filter: { min: true }) { nodes { id } } }",
        "{ jobs(filter: { phases: [RUNING] }) { nodes { id } } }",
        "query($f: JobFiltr) { jobs(filter: $f) { nodes { id } } }",
        "{ node(id: \"x\") { ... on Jbo { id } } }",
        "{ viewer @includ(if: true) { id } }",
        "{ ...Fragmen } fragment Fragment on Query { viewer { id } }",
    ] {
        let answer = server.ask(misspelt, json!({})).await;
        assert!(!answer.codes().is_empty() && !answer.body.contains("id you mean"), "{}", answer.body);
    }
}

#[tokio::test]
async fn mutations_by_get() {
    let path = "/graphql?query=mutation%7B__typename%7D";
    let answer = Production::server().await.send("GET", path, &[("x-graphql-csrf", "1")], "").await;
    assert_eq!((answer.status, &answer.headers["allow"]), (405, &"POST".parse().unwrap()));
}

#[tokio::test]
async fn posts_that_a_form_can_send() {
    let server = Production::server().await;
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", "query=mutation%7B__typename%7D"),
        ("text/plain", r#"{"query":"mutation{__typename}"}"#),
        (
            "multipart/form-data; boundary=b",
            "--b\r\ncontent-disposition: form-data; name=operations\r\n\r\n{}\r\n--b--",
        ),
    ] {
        let answer = server.send("POST", "/graphql", &[("content-type", content_type)], body).await;
        assert_eq!((answer.status, answer.codes()), (415, vec!["BAD_USER_INPUT".to_owned()]), "{content_type}");
    }
}

#[tokio::test]
async fn queries_by_get_without_a_preflight() {
    let server = Production::server().await;
    let path = "/graphql?query=%7B__typename%7D";
    assert_eq!(server.send("GET", path, &[], "").await.status, 403);
    let foreign =
        [("origin", "https://evil.example.com"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "cross-site")];
    let answer = server.send("GET", path, &foreign, "").await;
    assert_eq!((answer.status, answer.headers.get("access-control-allow-origin")), (403, None));
}

#[tokio::test]
async fn an_ide_in_production() {
    let server = Production::server().await;
    for path in ["/", "/index.html", "/playground/config.json", "/graphiql", "/playground", "/altair", "/voyager"] {
        let answer = server.send("GET", path, &[("accept", "text/html")], "").await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
    let answer = server.send("GET", "/graphql", &[("accept", "text/html")], "").await;
    assert!(answer.status >= 400 && !answer.body.contains("<html"), "{}", answer.body);
}

#[tokio::test]
async fn introspection_in_production() {
    let server = Production::server().await;
    for query in [
        "{ __schema { queryType { name } } }",
        "{ __type(name: \"User\") { fields { name } } }",
        "query { ...S } fragment S on Query { __schema { types { name } } }",
        "{ ... on Query { s: __schema { types { name } } } }",
    ] {
        let answer = server.ask(query, json!({})).await;
        assert_eq!(answer.codes(), ["FORBIDDEN"], "{}", answer.body);
    }
    assert_eq!(server.send("GET", "/schema.graphql", &[], "").await.status, 404);
    // Clients need this one.
    assert_eq!(server.ask("{ __typename }", json!({})).await.body, r#"{"data":{"__typename":"Query"}}"#);
}

#[tokio::test]
async fn tracing_mode() {
    let server = Production::server().await;
    let asked = [("x-apollo-tracing", "1"), ("apollo-query-plan-experimental", "1"), ("x-graphql-debug", "1")];
    let body = r#"{"query":"{ __typename }","extensions":{"tracing":true}}"#;
    let answer = server.post(body, &asked).await;
    assert_eq!(answer.body, r#"{"data":{"__typename":"Query"}}"#);
}

#[tokio::test]
async fn errors_that_tell_too_much() {
    let server = Production::server().await;
    let mut told = String::new();
    for body in [
        "",
        "{",
        "null",
        r#"{"query":"{"}"#,
        r#"{"query":"{ viewer { id"}"#,
        r#"{"query":"query($v: Int!) { jobs(first: $v) { nodes { id } } }","variables":{"v":"x"}}"#,
        r#"{"query":"{ node(id: \"' OR 1=1 --\") { id } }"}"#,
        r#"{"query":"{ viewer { id } }","operationName":"Nothing"}"#,
        r#"{"query":"{ users(filter: { usernames: [\"\u0000\"] }) { nodes { id } } }"}"#,
        r#"{"query":"mutation { login(input: { username: \"\u0000\", password: \"\u0000\" }) { accessToken } }"}"#,
    ] {
        told += &server.post(body, &[]).await.body;
        told += &server.post(body, &[("authorization", &server.member())]).await.body;
        told += &server.post(body, &[("authorization", "Bearer x.y.z")]).await.body;
    }
    let words = "panicked|stack|backtrace|src/|\\.rs|diesel|postgres|tokio|async-graphql|SELECT|WHERE|INTERNAL|DbError";
    let found = regex::Regex::new(words).unwrap().find(&told).map(|found| found.as_str().to_owned());
    assert_eq!(found, None, "{told}");
}
