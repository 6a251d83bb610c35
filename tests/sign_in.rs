//! Login over HTTP: long passwords, addresses behind proxies, and manipulated tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::database;
use crate::support::serve::{JWT_SECRET, Serve};
use crate::support::session::http_client;

const LOGIN: &str = "mutation($i: LoginInput!) { login(input: $i) { accessToken } }";

/// The code of the first error of a log-in, or `OK`; `headers` come with it.
async fn log_in(serve: &Serve, headers: &[(&str, &str)], username: &str, password: &str) -> String {
    let body = json!({ "query": LOGIN, "variables": { "i": { "username": username, "password": password } } });
    let request = http_client().post(format!("{}/graphql", serve.url().unwrap())).json(&body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    match answer["errors"][0]["extensions"]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => answer["data"]["login"]["accessToken"].as_str().map_or("?", |_| "OK").to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_of_72_bytes_that_another_bcrypt_hashed_logs_in_and_a_longer_one_is_wrong() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let hash = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
    let update = format!("UPDATE users SET password_hash = '{hash}' WHERE username = 'ada'");
    database::execute(&serve.database_url, &update).await.unwrap();
    let password = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    assert_eq!(log_in(&serve, &[], "ada", password).await, "OK");
    assert_eq!(log_in(&serve, &[], "ada", &format!("{password}0")).await, "UNAUTHENTICATED");
    assert_eq!(log_in(&serve, &[], "ada", &"é".repeat(1000)).await, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_trusted_proxy_each_client_has_its_own_log_ins_and_a_network_of_64_bits_is_one_client() {
    let mut serve = Serve::prepare()
        .await
        .with("TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")
        .with("RATE_LIMIT_LOGINS_PER_ADDRESS", "2")
        .with("RATE_LIMIT_LOGINS_PER_NAME", "0")
        .with("BCRYPT_COST", "10");
    serve.run().await;
    let from = |name: &'static str, value: String| {
        let serve = &serve;
        async move { log_in(serve, &[(name, &value)], "nobody", "a wrong password").await }
    };
    for client in 1..=4 {
        let code = from("x-forwarded-for", format!("203.0.113.9, 192.0.2.{client}, 10.1.1.1")).await;
        assert_eq!(code, "UNAUTHENTICATED", "client {client}");
    }
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(from("forwarded", "for=\"192.0.2.9:4711\"".to_owned()).await);
    }
    assert_eq!(codes, ["UNAUTHENTICATED", "UNAUTHENTICATED", "RATE_LIMITED"]);
    let mut codes = Vec::new();
    for host in 1..=3 {
        codes.push(from("x-forwarded-for", format!("2001:db8:0:7:{host}::1")).await);
    }
    assert_eq!(codes, ["UNAUTHENTICATED", "UNAUTHENTICATED", "RATE_LIMITED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_trusted_proxy_cannot_choose_an_address() {
    let mut serve = Serve::prepare()
        .await
        .with("TRUSTED_PROXIES", "10.0.0.0/8")
        .with("RATE_LIMIT_LOGINS_PER_ADDRESS", "2")
        .with("RATE_LIMIT_LOGINS_PER_NAME", "0")
        .with("BCRYPT_COST", "10");
    serve.run().await;
    let mut codes = Vec::new();
    for client in 1..=3 {
        let address = format!("192.0.2.{client}");
        codes.push(log_in(&serve, &[("x-forwarded-for", &address)], "nobody", "a wrong password").await);
    }
    assert_eq!(codes, ["UNAUTHENTICATED", "UNAUTHENTICATED", "RATE_LIMITED"]);
}

/// The token with its header and claims changed, signed anew with the server's own key.
pub fn forged(token: &str, change: impl Fn(&mut Value, &mut Value)) -> String {
    let part = |nth: usize| URL_SAFE_NO_PAD.decode(token.split('.').nth(nth).unwrap()).unwrap();
    let mut header: Value = serde_json::from_slice(&part(0)).unwrap();
    let mut claims: Value = serde_json::from_slice(&part(1)).unwrap();
    change(&mut header, &mut claims);
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encoded(&header), encoded(&claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(JWT_SECRET.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_a_future_nbf_or_any_crit_is_refused_though_it_is_signed() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let viewer = |tokens: Vec<String>| {
        let request = http_client().post(&maya.graphql_url).json(&json!({ "query": "{ viewer { id } }" }));
        tokens.iter().fold(request, |request, token| request.bearer_auth(token)).send()
    };
    let later = chrono::Utc::now().timestamp() + 600;
    let same = forged(&maya.token, |_, _| {});
    assert_eq!(viewer(vec![same.clone()]).await.unwrap().status(), 200);
    for refused in [
        forged(&maya.token, |_, claims| claims["nbf"] = later.into()),
        forged(&maya.token, |_, claims| claims["iat"] = later.into()),
        forged(&maya.token, |header, _| header["crit"] = json!(["unheard-of"])),
        forged(&maya.token, |header, _| header["b64"] = false.into()),
        forged(&maya.token, |header, _| header["typ"] = "JWE".into()),
    ] {
        let answer = viewer(vec![refused.clone()]).await.unwrap();
        assert_eq!(answer.status(), 401, "{refused}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{body}");
    }
    assert_eq!(viewer(vec![same.clone(), same]).await.unwrap().status(), 400, "two Authorization headers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_services_verify_tokens_with_the_published_keys() {
    let mut serve =
        Serve::prepare().await.with("JWT_ALGORITHM", "EdDSA").with("JWT_ISSUER", "https://platform.example");
    serve.run().await;
    let maya = serve.log_in("maya").await;
    let answer = http_client().get(format!("{}/.well-known/jwks.json", serve.url().unwrap())).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/jwk-set+json");
    let keys: Value = answer.json().await.unwrap();
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&json!("OKP"), &json!("Ed25519"), &json!("sig")), "{keys}");
    let key = jsonwebtoken::DecodingKey::from_jwk(&serde_json::from_value(key.clone()).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    validation.set_issuer(&["https://platform.example"]);
    validation.set_audience(&["platform-api"]);
    let claims = jsonwebtoken::decode::<Value>(&maya.token, &key, &validation).unwrap().claims;
    assert!(claims["sub"].as_str().unwrap().starts_with("user_"), "{claims}");
    maya.ask("{ viewer { id } }", json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_public_keys_the_set_is_empty() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let url = format!("{}/.well-known/jwks.json", serve.url().unwrap());
    let keys: Value = http_client().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(keys, json!({ "keys": [] }));
}
