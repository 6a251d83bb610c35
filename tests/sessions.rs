//! Sessions as a frontend meets them: tokens that expire while it works, lost responses, several tabs.

mod cookies;
mod sockets;

use chrono::Utc;
use platform::auth::Authenticator;
use platform::config::JwtKeys;
use platform::tasks::Tasks;
use platform::trail::Origin;
use serde_json::{Value, json};

use crate::sign_in::forged;
use crate::support::serve::Serve;
use crate::support::session::{Session, http_client, password_of};
use crate::support::{app, database};

const LOGIN: &str = "mutation($u: String!, $p: String!) {
    login(input: { username: $u, password: $p }) { accessToken refreshToken expiresAt refreshExpiresAt user { username } }
}";
const REFRESH: &str = "mutation($t: String) { refreshSession(input: { refreshToken: $t }) { accessToken refreshToken user { username } } }";
const VIEWER: &str = "{ viewer { username } }";

/// A response as a client reads it.
struct Told {
    status: u16,
    challenge: String,
    cookie: Option<String>,
    body: Value,
}

impl Told {
    /// The status with the challenge, if there is one, and the code and reason of the first error, or the data.
    fn in_short(&self) -> String {
        let Self { status, challenge, .. } = self;
        match &self.body["errors"][0]["extensions"] {
            Value::Null => format!("{status} {}", self.body["data"]),
            error => format!("{status} [{challenge}] {} {}", error["code"].as_str().unwrap(), error["reason"]),
        }
    }
}

async fn post(serve: &Serve, headers: &[(&str, &str)], body: Value) -> Told {
    let request = http_client().post(format!("{}/graphql", serve.url().unwrap()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = request.json(&body).send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (challenge, cookie) = (header("www-authenticate").unwrap_or_default(), header("set-cookie"));
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    Told { status, challenge, cookie, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

async fn told(serve: &Serve, headers: &[(&str, &str)], query: &str, variables: Value) -> String {
    post(serve, headers, json!({ "query": query, "variables": variables })).await.in_short()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The token, valid until this many seconds from now.
fn expiring(token: &str, seconds: i64) -> String {
    let now = Utc::now().timestamp();
    forged(token, |_, claims| (claims["iat"], claims["exp"]) = ((now - 1_000).into(), (now + seconds).into()))
}

fn login_of(username: &str) -> Value {
    json!({ "u": username, "p": password_of(username) })
}

async fn refresh_token(serve: &Serve, username: &str) -> String {
    let body = json!({ "query": LOGIN, "variables": login_of(username) });
    post(serve, &[], body).await.body["data"]["login"]["refreshToken"].as_str().unwrap().to_owned()
}

async fn running(variables: &[(&'static str, &str)]) -> Serve {
    let mut serve = Serve::prepare().await;
    for (name, value) in variables {
        serve = serve.with(name, value);
    }
    serve.run().await;
    serve
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unauthenticated_client_is_told_why() {
    let serve = running(&[]).await;
    let ada = serve.log_in("ada").await;
    let with = async |authorization: &str| told(&serve, &[("authorization", authorization)], VIEWER, json!({})).await;

    insta::assert_snapshot!(told(&serve, &[], VIEWER, json!({})).await, @r#"200 [] UNAUTHENTICATED "NO_TOKEN""#);
    insta::assert_snapshot!(told(&serve, &[], "{ eventCursor }", json!({})).await, @r#"200 [] UNAUTHENTICATED "NO_TOKEN""#);
    insta::assert_snapshot!(with("Bearer nonsense").await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_INVALID""#);
    insta::assert_snapshot!(with("Basic YWRhOmFkYQ==").await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_INVALID""#);
    insta::assert_snapshot!(with(&bearer(&expiring(&ada.token, -100))).await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_EXPIRED""#);
    ada.ask("mutation { logout { ended } }", json!({})).await;
    insta::assert_snapshot!(with(&bearer(&ada.token)).await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "SESSION_ENDED""#);
    let wrong = json!({ "u": "ada", "p": "guessed" });
    insta::assert_snapshot!(told(&serve, &[], LOGIN, wrong).await, @r#"200 [] UNAUTHENTICATED "WRONG_CREDENTIALS""#);
    insta::assert_snapshot!(told(&serve, &[], REFRESH, json!({ "t": "nonsense" })).await, @r#"200 [] UNAUTHENTICATED "TOKEN_INVALID""#);
    insta::assert_snapshot!(told(&serve, &[], REFRESH, json!({})).await, @r#"200 [] UNAUTHENTICATED "NO_TOKEN""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_and_refresh_session_ignore_the_access_token_of_the_request() {
    let serve = running(&[]).await;
    let ada = serve.log_in("ada").await;
    let old = bearer(&expiring(&ada.token, -100));
    for headers in [
        &[("authorization", old.as_str())][..],
        &[("authorization", "Bearer nonsense")],
        &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
    ] {
        let answer = post(&serve, headers, json!({ "query": LOGIN, "variables": login_of("ada") })).await;
        let session = &answer.body["data"]["login"];
        assert_eq!((answer.status, &session["user"]["username"]), (200, &json!("ada")), "{}", answer.body);
        let answer = told(&serve, headers, REFRESH, json!({ "t": session["refreshToken"] })).await;
        assert!(answer.starts_with("200 {\"refreshSession\""), "{answer}");
    }
    // However they are written.
    for query in [
        "mutation($t: String) { __typename again: refreshSession(input: { refreshToken: $t }) { user { username } } }",
        "mutation($t: String) { ...F } fragment F on Mutation { ... on Mutation { refreshSession(input: { refreshToken: $t }) { user { username } } } }",
    ] {
        let variables = json!({ "t": refresh_token(&serve, "ada").await });
        let answer = told(&serve, &[("authorization", &old)], query, variables).await;
        assert!(answer.starts_with("200 {") && answer.contains("\"ada\""), "{answer}");
    }
    let variables = json!({ "t": refresh_token(&serve, "ada").await });
    let streamed = [("authorization", old.as_str()), ("accept", "text/event-stream")];
    let answer = post(&serve, &streamed, json!({ "query": REFRESH, "variables": variables })).await;
    let answer = answer.body.as_str().unwrap().to_owned();
    assert!(answer.starts_with("event: next\ndata: {\"data\":{\"refreshSession\""), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_does_more_than_start_a_session_needs_a_valid_token() {
    let serve = running(&[]).await;
    let old = bearer(&expiring(&serve.log_in("ada").await.token, -100));
    let expired = async |query: &str| told(&serve, &[("authorization", &old)], query, login_of("ada")).await;
    let beside = "mutation($u: String!, $p: String!) { login(input: { username: $u, password: $p }) { expiresAt } createGroup(input: { name: \"mine\" }) { group { id } } }";
    insta::assert_snapshot!(expired(beside).await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_EXPIRED""#);
    insta::assert_snapshot!(expired(&beside.replace("createGroup(input: { name: \"mine\" }) { group { id } }", "logout { ended }")).await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_EXPIRED""#);
    // A client that sends a token wants to be recognized, even where nobody has to be.
    insta::assert_snapshot!(expired("{ __typename }").await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_EXPIRED""#);
    insta::assert_snapshot!(expired("{ nonsense }").await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_EXPIRED""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_batch_each_operation_is_looked_at_by_itself() {
    let serve = running(&[("MAX_BATCH", "4")]).await;
    let old = bearer(&expiring(&serve.log_in("ada").await.token, -100));
    let refresh = json!({ "query": REFRESH, "variables": { "t": refresh_token(&serve, "ada").await } });
    let (login, viewer) = (json!({ "query": LOGIN, "variables": login_of("ben") }), json!({ "query": VIEWER }));

    let headers = [("authorization", old.as_str())];
    let answer = post(&serve, &headers, json!([refresh, viewer, login])).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body[0]["data"]["refreshSession"]["user"]["username"], "ada");
    assert_eq!(answer.body[1]["errors"][0]["extensions"]["reason"], "TOKEN_EXPIRED");
    assert_eq!(answer.body[2]["data"]["login"]["user"]["username"], "ben");
    let answer = post(&serve, &headers, json!([viewer, viewer])).await;
    insta::assert_snapshot!(answer.in_short(), @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_EXPIRED""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_can_log_out_with_an_expired_token() {
    let serve = running(&[]).await;
    let ada = serve.log_in("ada").await;
    let old = bearer(&expiring(&ada.token, -100));
    let logout = async || told(&serve, &[("authorization", &old)], "mutation { logout { ended } }", json!({})).await;
    insta::assert_snapshot!(logout().await, @r#"200 {"logout":{"ended":true}}"#);
    let answer = told(&serve, &[("authorization", &bearer(&ada.token))], VIEWER, json!({})).await;
    insta::assert_snapshot!(answer, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "SESSION_ENDED""#);
    insta::assert_snapshot!(logout().await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "SESSION_ENDED""#);
    let viewer = told(&serve, &[("authorization", &old)], VIEWER, json!({})).await;
    insta::assert_snapshot!(viewer, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_EXPIRED""#);
    // In a batch, each operation has its own answer.
    let batch = json!([{ "query": "mutation { logout { ended } }" }, { "query": LOGIN, "variables": login_of("ben") }]);
    let serve = running(&[("MAX_BATCH", "4")]).await;
    let ada = serve.log_in("ada").await;
    let old = bearer(&expiring(&ada.token, -100));
    ada.ask("mutation { logout { ended } }", json!({})).await;
    let answer = post(&serve, &[("authorization", &old)], batch).await;
    assert_eq!(answer.body[0]["errors"][0]["extensions"]["reason"], "SESSION_ENDED", "{}", answer.body);
    assert_eq!(answer.body[1]["data"]["login"]["user"]["username"], "ben");
}

/// Two replicas of one server.
async fn replicas(tasks: &Tasks) -> [Authenticator; 2] {
    let (url, keys) = (database::demo().await, JwtKeys::random());
    let replica = async || {
        let app = app::answering(url.clone(), tasks, |config| config.auth.jwt_keys = keys.clone()).await.unwrap();
        app.authenticator.clone()
    };
    [replica().await, replica().await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_refresh_at_the_same_time_on_two_replicas_has_the_same_result() {
    let tasks = Tasks::default();
    let [one, other] = replicas(&tasks).await;
    let credentials = platform::auth::Credentials {
        username: "ada".to_owned(),
        password: password_of("ada").to_owned().into(),
        address: None,
        origin: Origin::default(),
    };
    let mut token = one.log_in(credentials).await.unwrap().tokens.unwrap().refresh.encode();
    for _ in 0..5 {
        let asked =
            [&one, &other, &one, &other, &one, &other].map(|replica| replica.refresh(&token, Origin::default()));
        let sessions = futures::future::try_join_all(asked).await.unwrap();
        let all = sessions.into_iter().map(|session| {
            let tokens = session.tokens.unwrap();
            (tokens.access, tokens.refresh.encode(), session.expires_at, session.refresh_expires_at)
        });
        let all: Vec<_> = all.collect();
        assert!(all.iter().all(|each| *each == all[0]), "{all:?}");
        token = all[0].1.clone();
    }
}

/// A person in two places.
async fn two_sessions(serve: &Serve, username: &str) -> [Session; 2] {
    [serve.log_in(username).await, serve.log_in(username).await]
}
