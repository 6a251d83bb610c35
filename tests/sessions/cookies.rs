//! Sessions in cookies: `COOKIE_SESSIONS=true`.

use serde_json::{Value, json};

use super::{LOGIN, REFRESH, Told, VIEWER, bearer, login_of, post, running, told};
use crate::support::serve::Serve;
use crate::support::session::http_client;
use crate::support::subscription::Subscription;

const EXTEND: &str = "mutation { refreshSession(input: {}) { expiresAt refreshExpiresAt user { username } } }";
const LOGOUT: &str = "mutation { logout { ended } }";

async fn with_cookies() -> Serve {
    running(&[("COOKIE_SESSIONS", "true"), ("ALLOWED_ORIGINS", "https://app.example.com")]).await
}

async fn log_in(serve: &Serve, headers: &[(&str, &str)]) -> Told {
    post(serve, headers, json!({ "query": LOGIN, "variables": login_of("ada") })).await
}

/// The cookie that a browser would send from now on.
fn cookie(told: &Told) -> String {
    told.cookie.as_ref().unwrap().split("; ").next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_sets_a_cookie_that_no_script_can_read_and_no_other_site_can_send() {
    let serve = with_cookies().await;
    let session = log_in(&serve, &[]).await;
    let set = session.cookie.clone().unwrap();
    let (value, attributes) = set.split_once("; ").unwrap();
    assert!(value.starts_with("__Host-platform-session=ey"), "{value}");
    let age: i64 = attributes.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    assert!((2_591_000..=2_592_000).contains(&age), "thirty days: {age}");
    insta::assert_snapshot!(attributes.replace(&age.to_string(), "AGE"), @"Path=/; Max-Age=AGE; Secure; HttpOnly; SameSite=Strict");

    let cookie = cookie(&session);
    insta::assert_snapshot!(told(&serve, &[("cookie", &format!("theme=dark; {cookie}"))], VIEWER, json!({})).await, @r#"200 {"viewer":{"username":"ada"}}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_extends_its_session_and_its_tokens_are_not_shown() {
    let serve = with_cookies().await;
    let first = cookie(&log_in(&serve, &[]).await);
    serve.execute("UPDATE sessions SET expires_at = now() + interval '1 hour'").await;

    let extended = post(&serve, &[("cookie", &first)], json!({ "query": EXTEND })).await;
    let session = &extended.body["data"]["refreshSession"];
    assert_eq!(session["user"]["username"], "ada", "{}", extended.body);
    assert_eq!(session["expiresAt"].as_str().unwrap()[..19], session["refreshExpiresAt"].as_str().unwrap()[..19]);
    let second = cookie(&extended);
    insta::assert_snapshot!(told(&serve, &[("cookie", &second)], VIEWER, json!({})).await, @r#"200 {"viewer":{"username":"ada"}}"#);
    // Another tab still has the first one.
    insta::assert_snapshot!(told(&serve, &[("cookie", &first)], VIEWER, json!({})).await, @r#"200 {"viewer":{"username":"ada"}}"#);

    let curious = post(&serve, &[("cookie", &second)], json!({ "query": REFRESH })).await;
    let error = &curious.body["errors"][0];
    insta::assert_snapshot!(format!("{} {}", error["extensions"]["code"], error["message"]), @r#""FORBIDDEN" "the session was extended with its cookie, so its tokens are not shown; select only the other fields""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logout_deletes_the_cookie_and_a_cookie_whose_session_has_ended_locks_nobody_out() {
    let serve = with_cookies().await;
    let dead = cookie(&log_in(&serve, &[]).await);
    let answer = post(&serve, &[("cookie", &dead)], json!({ "query": LOGOUT })).await;
    insta::assert_snapshot!(answer.in_short(), @r#"200 {"logout":{"ended":true}}"#);
    insta::assert_snapshot!(answer.cookie.unwrap(), @"__Host-platform-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");

    let with = async |query: &str| told(&serve, &[("cookie", &dead)], query, json!({})).await;
    insta::assert_snapshot!(with(VIEWER).await, @r#"200 [] UNAUTHENTICATED "SESSION_ENDED""#);
    insta::assert_snapshot!(with("{ __typename }").await, @r#"200 {"__typename":"Query"}"#);
    insta::assert_snapshot!(with(EXTEND).await, @r#"200 [] UNAUTHENTICATED "SESSION_ENDED""#);
    // A script cannot delete it, so logout does even now.
    let answer = post(&serve, &[("cookie", &dead)], json!({ "query": LOGOUT })).await;
    insta::assert_snapshot!(answer.in_short(), @r#"200 [] UNAUTHENTICATED "SESSION_ENDED""#);
    assert!(answer.cookie.unwrap().contains("Max-Age=0"));

    let session = log_in(&serve, &[("cookie", &dead)]).await;
    insta::assert_snapshot!(told(&serve, &[("cookie", &cookie(&session))], VIEWER, json!({})).await, @r#"200 {"viewer":{"username":"ada"}}"#);
    insta::assert_snapshot!(told(&serve, &[("cookie", "__Host-platform-session=nonsense")], VIEWER, json!({})).await, @r#"200 [] UNAUTHENTICATED "TOKEN_INVALID""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_is_no_access_token_and_an_access_token_no_cookie() {
    let serve = with_cookies().await;
    let session = log_in(&serve, &[]).await;
    let access = session.body["data"]["login"]["accessToken"].as_str().unwrap().to_owned();
    let in_cookie = cookie(&session).split_once('=').unwrap().1.to_owned();
    insta::assert_snapshot!(told(&serve, &[("authorization", &bearer(&in_cookie))], VIEWER, json!({})).await, @r#"401 [Bearer realm="platform", error="invalid_token"] UNAUTHENTICATED "TOKEN_INVALID""#);
    let disguised = format!("__Host-platform-session={access}");
    insta::assert_snapshot!(told(&serve, &[("cookie", &disguised)], VIEWER, json!({})).await, @r#"200 [] UNAUTHENTICATED "TOKEN_INVALID""#);
    insta::assert_snapshot!(told(&serve, &[("cookie", &disguised)], EXTEND, json!({})).await, @r#"200 [] UNAUTHENTICATED "TOKEN_INVALID""#);
    // A token of the request is what counts.
    let ben = serve.log_in("ben").await;
    let both = [("cookie", cookie(&session)), ("authorization", bearer(&ben.token))];
    let both = both.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
    insta::assert_snapshot!(told(&serve, &both, VIEWER, json!({})).await, @r#"200 {"viewer":{"username":"ben"}}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_counts_for_our_own_pages_and_the_listed_ones() {
    let serve = with_cookies().await;
    let cookie = cookie(&log_in(&serve, &[]).await);
    let host = serve.url().unwrap().replace("http://", "");
    let url = format!("ws://{host}/graphql");
    let own = format!("http://{host}");
    for (origin, expected) in [
        (own.as_str(), "ada"),
        ("https://app.example.com", "ada"),
        ("http://app.example.com", "403"),
        ("https://evil.example.com", "403"),
        ("null", "403"),
    ] {
        let posted = post(&serve, &[("cookie", &cookie), ("origin", origin)], json!({ "query": VIEWER })).await;
        let recognized = posted.body["data"]["viewer"]["username"] == "ada";
        assert_eq!(recognized, expected == "ada", "a POST of {origin}");
        let who = match Subscription::open(&url, &[("cookie", &cookie), ("origin", origin)], json!({})).await {
            Err(status) => status.to_string(),
            Ok(mut socket) => {
                assert_eq!(socket.hear().await.unwrap()["type"], "connection_ack", "{origin}");
                socket.say(json!({ "id": "1", "type": "subscribe", "payload": { "query": VIEWER } })).await;
                let answer = socket.hear().await.unwrap();
                answer["payload"]["data"]["viewer"]["username"].as_str().unwrap_or("nobody").to_owned()
            }
        };
        assert_eq!(who, expected, "a socket of {origin}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_source_sends_the_cookie_of_its_own_site() {
    let serve = with_cookies().await;
    let cookie = cookie(&log_in(&serve, &[]).await);
    let url = format!("{}/graphql?query={}", serve.url().unwrap(), "subscription{jobEvents{cursor}}");
    let open = async |site: &str, origin: Option<&str>| {
        let request = http_client().get(&url).header("accept", "text/event-stream").header("cookie", &cookie);
        let request = request.header("sec-fetch-mode", "cors").header("sec-fetch-site", site);
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        let mut answer = request.send().await.unwrap();
        let first = answer.chunk().await.unwrap().unwrap_or_default();
        (answer.status().as_u16(), String::from_utf8_lossy(&first).starts_with("id: "))
    };
    assert_eq!(open("same-origin", None).await, (200, true));
    assert_eq!(open("same-site", Some("https://app.example.com")).await, (200, true));
    assert_eq!(open("cross-site", Some("https://evil.example.com")).await, (403, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listed_pages_may_send_and_receive_cookies_and_others_may_not() {
    let serve = with_cookies().await;
    let allowed = async |origin: &str| {
        let url = format!("{}/graphql", serve.url().unwrap());
        let request = http_client().request("OPTIONS".parse().unwrap(), url).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let answer = request.header("access-control-request-headers", "content-type").send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        format!("{} {}", header("access-control-allow-origin"), header("access-control-allow-credentials"))
    };
    insta::assert_snapshot!(allowed("https://app.example.com").await, @"https://app.example.com true");
    insta::assert_snapshot!(allowed("https://evil.example.com").await, @"- true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_setting_no_cookie_is_set_or_read() {
    let serve = running(&[]).await;
    let session = log_in(&serve, &[]).await;
    assert_eq!(session.cookie, None);
    let access: &Value = &session.body["data"]["login"]["accessToken"];
    let cookie = format!("__Host-platform-session={}", access.as_str().unwrap());
    insta::assert_snapshot!(told(&serve, &[("cookie", &cookie)], VIEWER, json!({})).await, @r#"200 [] UNAUTHENTICATED "NO_TOKEN""#);
    insta::assert_snapshot!(told(&serve, &[("cookie", &cookie)], EXTEND, json!({})).await, @r#"200 [] UNAUTHENTICATED "NO_TOKEN""#);
}
