//! Login, session refresh and logout, and when they are rejected.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::auth::principal::Caller;
use serde_json::json;

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{LOGIN, World, errors, sql};

/// Who sees what of people and sessions: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[
        ("viewer", "{ viewer { id } }"),
        ("user", "query($ada: ID!) { user(id: $ada) { id } }"),
        ("users", "{ users { nodes { id } } }"),
        ("login", "mutation { login(input: { username: \"ada\", password: \"vision-member\" }) { expiresAt } }"),
        ("refreshSession", "mutation { refreshSession(input: { refreshToken: \"none\" }) { expiresAt } }"),
        ("logout", "mutation { logout { ended } }"),
        ("signInProviders", "{ signInProviders { key } }"),
        ("completeSignIn", "mutation { completeSignIn(input: { code: \"none\" }) { expiresAt } }"),
        ("loginWithIdToken", "mutation { loginWithIdToken(input: { idToken: \"none\" }) { expiresAt } }"),
        ("startDeviceLogin", "mutation { startDeviceLogin(input: {}) { userCode } }"),
        ("finishDeviceLogin", "mutation { finishDeviceLogin(input: { deviceCode: \"none\" }) { state } }"),
        (
            "linkIdentity",
            "mutation($ada: ID!) { linkIdentity(input: { userId: $ada, subject: \"x\" }) { user { id } } }",
        ),
        (
            "unlinkIdentity",
            "mutation($ada: ID!) { unlinkIdentity(input: { userId: $ada, subject: \"x\" }) { user { id } } }",
        ),
    ],
    types: &[
        ("User", By("query($ada: ID!) { user(id: $ada) { FIELD } }")),
        ("UserConnection", By("{ users(filter: { usernames: [\"ada\"] }) { FIELD } }")),
        ("UserEdge", By("{ users(filter: { usernames: [\"ada\"] }) { edges { FIELD } } }")),
        ("SessionPayload", Below("login")),
        ("LogoutPayload", Below("logout")),
        ("SignInProvider", Below("signInProviders")),
        ("StartDeviceLoginPayload", Below("startDeviceLogin")),
        ("FinishDeviceLoginPayload", Below("finishDeviceLogin")),
        ("IdentityPayload", Below("linkIdentity")),
    ],
};

const REFRESH: &str =
    "mutation($token: String!) { refreshSession(input: { refreshToken: $token }) { accessToken refreshToken } }";

async fn refused(world: &World, token: &str) -> String {
    world.authenticator.authenticate(Some(&format!("Bearer {token}"))).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_password_gives_tokens_that_say_who_it_is() {
    let world = World::new().await;
    let answer = world.ask("ada", "{ viewer { username displayName platformRole email } }", json!({})).await;
    insta::assert_snapshot!(answer["data"], @r#"{"viewer":{"username":"ada","displayName":"Ada Hart","platformRole":"USER","email":null}}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let world = World::new().await;
    for username in ["ada", "nobody"] {
        let input = json!({ "input": { "username": username, "password": "guessed" } });
        let answer = world.ask_as(Caller::Anonymous, LOGIN, input).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(errors(&answer), @"UNAUTHENTICATED -: the username or the password is incorrect");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sixth_wrong_password_in_a_minute_is_not_even_checked() {
    let world = World::new().await;
    let input = json!({ "input": { "username": "ada", "password": "guessed" } });
    for _ in 0..5 {
        world.ask_as(Caller::Anonymous, LOGIN, input.clone()).await;
    }
    let answer = world.ask_as(Caller::Anonymous, LOGIN, input).await;
    insta::assert_snapshot!(errors(&answer), @"RATE_LIMITED -: RATE_LIMIT_LOGINS_PER_NAME: too many login attempts; a username is allowed 5 per minute");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_refused_with_what_to_do() {
    let world = World::with_access_token_life(Duration::ZERO).await;
    let (token, _) = world.log_in("ada").await;
    let message = refused(&world, &token).await;
    assert!(message.starts_with("the access token expired at "), "{message}");
    assert!(message.ends_with("; get a new one with refreshSession"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_that_is_used_again_after_half_a_minute_ends_the_session() {
    let world = World::new().await;
    let (access, first) = world.log_in("ada").await;
    let answer = world.ask_as(Caller::Anonymous, REFRESH, json!({ "token": first })).await;
    let second = answer["data"]["refreshSession"]["refreshToken"].as_str().unwrap().to_owned();
    let answer = world.ask_as(Caller::Anonymous, REFRESH, json!({ "token": second })).await;
    let third = answer["data"]["refreshSession"]["refreshToken"].as_str().unwrap().to_owned();
    sql(&world.url, "UPDATE sessions SET used_at = ARRAY[used_at[1], used_at[2] - interval '31 seconds']").await;

    let answer = world.ask_as(Caller::Anonymous, REFRESH, json!({ "token": first })).await;
    insta::assert_snapshot!(errors(&answer), @"UNAUTHENTICATED -: the refresh token was used before, so its session has ended; log in again");
    let answer = world.ask_as(Caller::Anonymous, REFRESH, json!({ "token": third })).await;
    insta::assert_snapshot!(errors(&answer), @"UNAUTHENTICATED -: the session of the refresh token has ended; log in again");
    insta::assert_snapshot!(refused(&world, &access).await, @"the session of this access token has ended; log in again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_refresh_within_half_a_minute_has_the_same_response() {
    let world = World::new().await;
    let (_, first) = world.log_in("ada").await;
    let query = REFRESH.replace("accessToken", "accessToken expiresAt refreshExpiresAt");
    let refresh = async |token: &str| world.ask_as(Caller::Anonymous, &query, json!({ "token": token })).await;
    let (one, other) = tokio::join!(refresh(&first), refresh(&first));
    assert_eq!(errors(&one), "");
    assert_eq!(one, other, "two tabs at once");
    assert_eq!(refresh(&first).await, one, "a response that was lost");

    let next = refresh(one["data"]["refreshSession"]["refreshToken"].as_str().unwrap()).await;
    assert_eq!(refresh(&first).await, next, "a tab that is behind catches up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_of_a_session_contains_none_of_its_tokens() {
    let world = World::new().await;
    let (access, first) = world.log_in("ada").await;
    let answer = world.ask_as(Caller::Anonymous, REFRESH, json!({ "token": first })).await;
    let second = answer["data"]["refreshSession"]["refreshToken"].as_str().unwrap();
    let (client, driver) = tokio_postgres::connect(world.url.expose(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    let row: String = client.query_one("SELECT sessions::text FROM sessions", &[]).await.unwrap().get(0);
    for token in [first.as_str(), second] {
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
        // The first part is the ID of the session.
        for part in bytes[16..].chunks(16) {
            let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(!row.contains(&hex), "{row}");
        }
        assert!(!row.contains(token));
    }
    assert!(!row.contains(&access));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_person_cannot_refresh() {
    let world = World::new().await;
    let (_, token) = world.log_in("ada").await;
    sql(&world.url, "UPDATE users SET disabled_at = now() WHERE username = 'ada'").await;
    let answer = world.ask_as(Caller::Anonymous, REFRESH, json!({ "token": token })).await;
    insta::assert_snapshot!(errors(&answer), @"UNAUTHENTICATED -: the session of the refresh token has ended; log in again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logging_out_ends_the_access_token_at_once() {
    let world = World::new().await;
    let (token, _) = world.log_in("ada").await;
    let caller = world.authenticator.authenticate(Some(&format!("Bearer {token}"))).await.unwrap();
    let answer = world.ask_as(caller, "mutation { logout { ended } }", json!({})).await;
    assert_eq!(answer["data"]["logout"]["ended"], true);
    insta::assert_snapshot!(refused(&world, &token).await, @"the session of this access token has ended; log in again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_person_is_refused_with_a_token_that_is_still_young() {
    let world = World::new().await;
    let (token, _) = world.log_in("ada").await;
    sql(&world.url, "UPDATE users SET disabled_at = now() WHERE username = 'ada'").await;
    insta::assert_snapshot!(refused(&world, &token).await, @"the session of this access token has ended; log in again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_hears_within_a_second_that_its_session_has_ended() {
    let world = World::new().await;
    let caller = world.caller("ada").await;
    let Caller::Known(ada) = caller.clone() else { panic!("ada has logged in") };
    let revoked = tokio::spawn(world.authenticator.clone().revoked(ada));
    world.ask_as(caller, "mutation { logout { ended } }", json!({})).await;
    tokio::time::timeout(Duration::from_secs(1), revoked).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_a_bearer_token_is_refused_and_nothing_is_anonymous() {
    let world = World::new().await;
    assert!(matches!(world.authenticator.authenticate(None).await.unwrap(), Caller::Anonymous));
    for header in ["", "Bearer", "Bearer ", "Basic YWRhOmFkYQ==", "Bearer a.b.c"] {
        let error = world.authenticator.authenticate(Some(header)).await.unwrap_err();
        assert_eq!(error.code.as_str(), "UNAUTHENTICATED", "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_below_a_login_is_shown_to_whoever_logged_in_and_nothing_else_is() {
    let world = World::new().await;
    let query = "mutation {
        ada: login(input: { username: \"ada\", password: \"vision-member\" }) { user { username memberships { nodes { group { name } } } } }
        ben: login(input: { username: \"ben\", password: \"language-member\" }) { user { username memberships { nodes { group { name } } } } }
        createGroup(input: { name: \"mine\" }) { group { id } }
    }";
    let answer = world.ask_as(Caller::Anonymous, query, json!({})).await;
    let told = errors(&answer);
    assert!(told.starts_with("UNAUTHENTICATED -: authentication is required"), "{told}");

    let logins = query.replace("createGroup(input: { name: \"mine\" }) { group { id } }", "");
    let answer = world.ask_as(Caller::Anonymous, &logins, json!({})).await;
    let user = |name: &str, group: &str| json!({ "user": { "username": name, "memberships": { "nodes": [{ "group": { "name": group } }] } } });
    assert_eq!(answer["data"], json!({ "ada": user("ada", "vision"), "ben": user("ben", "language") }));
}
