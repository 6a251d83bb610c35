//! What `platform dev` takes from its environment, and which pages may call it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, client::IntoClientRequest as _, http::HeaderValue};

use crate::support::dev::Dev;
use crate::support::session::http_client;

#[tokio::test]
async fn the_settings_of_serve_apply_and_those_of_its_own_parts_are_ignored() {
    let dev = Dev::with(&[
        ("ACCESS_TOKEN_MINUTES", "1"),
        ("MAX_DEPTH", "3"),
        ("JWT_SECRET", "Zq7-secret-0123456789-abcdefghijklmnop"),
        ("PORT", "1"),
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing"),
        ("DB_PORT", "none"),
        ("KUBECONFIG", "/nowhere"),
        ("FLASH_SCHED_ENABLED", "false"),
    ])
    .await;
    let token = dev.log_in("ada").await;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    let deep = "{ projects { nodes { group { name } } } }";
    let answer = dev.ask(Some(&token), deep, json!({})).await;
    insta::assert_snapshot!(answer["errors"][0]["message"].as_str().unwrap(), @r#"the operation exceeds the limit "depth": it has 4, at most 3 are allowed"#);
}

#[tokio::test]
async fn pages_of_this_machine_may_call_it_from_any_port_and_open_sockets() {
    let dev = Dev::with(&[("ALLOWED_ORIGINS", "https://app.example.com")]).await;
    let url = dev.ready["graphqlUrl"].as_str().unwrap();
    let allowed = async |origin: &str| {
        let request = http_client().request(reqwest::Method::OPTIONS, url).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let answer =
            request.header("access-control-request-headers", "content-type,authorization").send().await.unwrap();
        answer.headers().get("access-control-allow-origin").is_some_and(|allowed| allowed == origin)
    };
    let gets = async |origin: &str| {
        let request = http_client().get(format!("{url}?query=%7B__typename%7D")).header("origin", origin);
        let request = request.header("sec-fetch-mode", "cors").header("sec-fetch-site", "same-site");
        request.send().await.unwrap().status() == 200
    };
    let opens = async |origin: &str| {
        let mut request = dev.ready["wsUrl"].as_str().unwrap().into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        headers.insert("origin", HeaderValue::from_str(origin).unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok(_) => true,
            Err(Error::Http(answer)) => {
                assert_eq!(answer.status(), 403);
                false
            }
            Err(error) => panic!("{error}"),
        }
    };
    for (origin, expected) in [
        ("http://localhost:5173", true),
        ("http://127.0.0.1:4200", true),
        ("http://[::1]:3000", true),
        ("https://app.example.com", true),
        ("https://evil.example.com", false),
        ("http://localhost.evil.example.com:5173", false),
    ] {
        let found = (allowed(origin).await, gets(origin).await, opens(origin).await);
        assert_eq!(found, (expected, expected, expected), "{origin}");
    }
}
