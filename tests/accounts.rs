//! Accounts over HTTP: registration, where people log in from, and what reaches the sockets of another replica.

use serde_json::{Value, json};

use crate::support::serve::Serve;
use crate::support::session::{Session, http_client, password_of};
use crate::support::subscription::Subscription;

const FRESH: &str = "a fresh start 7";
const LOGIN: &str =
    "mutation($u: String!, $p: String!) { login(input: { username: $u, password: $p }) { accessToken } }";
const REGISTER: &str = "mutation($u: String!, $p: String!) { register(input: { username: $u, password: $p }) { state session { accessToken } } }";

async fn running(variables: &[(&'static str, &str)]) -> Serve {
    let mut serve = Serve::prepare().await;
    for (name, value) in variables {
        serve = serve.with(name, value);
    }
    serve.run().await;
    serve
}

async fn ask(serve: &Serve, headers: &[(&str, &str)], query: &str, variables: Value) -> Value {
    let request = http_client().post(format!("{}/graphql", serve.url().unwrap()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap().json().await.unwrap()
}

/// The code, the reason and the message of the first error, or the data.
fn in_short(answer: &Value) -> String {
    match &answer["errors"][0] {
        Value::Null => answer["data"].to_string(),
        error => format!("{} {} {}", error["extensions"]["code"], error["extensions"]["reason"], error["message"]),
    }
}

fn of(username: &str, password: &str) -> Value {
    json!({ "u": username, "p": password })
}

async fn id_of(admin: &Session, username: &str) -> String {
    let query = "query($n: [String!]) { users(filter: { usernames: $n }) { nodes { id } } }";
    let data = admin.ask(query, json!({ "n": [username] })).await;
    data["users"]["nodes"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_registers_unless_the_operator_wants_it() {
    let serve = running(&[]).await;
    insta::assert_snapshot!(in_short(&ask(&serve, &[], "{ registration }", json!({})).await), @r#"{"registration":"CLOSED"}"#);
    insta::assert_snapshot!(in_short(&ask(&serve, &[], REGISTER, of("zoe", FRESH)).await), @r#""FORBIDDEN" null "registration is closed; ask a platform admin for an account""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_approval_a_newcomer_waits_until_an_admin_lets_them_in() {
    let serve = running(&[("REGISTRATION", "approval")]).await;
    // A token that has expired is in nobody's way.
    let expired = [("authorization", "Bearer nonsense")];
    insta::assert_snapshot!(in_short(&ask(&serve, &expired, REGISTER, of("zoe", FRESH)).await), @r#"{"register":{"state":"WAITING","session":null}}"#);
    insta::assert_snapshot!(in_short(&ask(&serve, &[], LOGIN, of("zoe", FRESH)).await), @r#""UNAUTHENTICATED" "ACCOUNT_WAITING" "the account waits for the approval of a platform admin; try again later""#);
    insta::assert_snapshot!(in_short(&ask(&serve, &[], LOGIN, of("zoe", "guessed")).await), @r#""UNAUTHENTICATED" "WRONG_CREDENTIALS" "the username or the password is incorrect""#);

    let admin = serve.log_in("admin").await;
    let waiting = admin
        .ask("{ users(filter: { states: [WAITING] }) { nodes { id username viewerCanEnable } } }", json!({}))
        .await;
    let zoe = &waiting["users"]["nodes"][0];
    assert_eq!((&zoe["username"], &zoe["viewerCanEnable"]), (&json!("zoe"), &json!(true)), "{waiting}");
    admin
        .ask("mutation($id: ID!) { enableUser(input: { id: $id }) { user { state } } }", json!({ "id": zoe["id"] }))
        .await;
    let told = in_short(&ask(&serve, &[], LOGIN, of("zoe", FRESH)).await);
    assert!(told.starts_with("{\"login\":{\"accessToken\":"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_and_links_are_limited_by_the_address_of_the_client() {
    let serve = running(&[
        ("REGISTRATION", "open"),
        ("TRUSTED_PROXIES", "127.0.0.0/8"),
        ("RATE_LIMIT_REGISTRATIONS", "2"),
        ("RATE_LIMIT_LOGINS_PER_ADDRESS", "2"),
        ("BCRYPT_COST", "10"),
    ])
    .await;
    let reset =
        "mutation($u: String!, $p: String!) { resetPassword(input: { token: $u, newPassword: $p }) { username } }";
    for query in [REGISTER, reset] {
        let mut codes = Vec::new();
        for (client, name) in
            [("192.0.2.1", "one"), ("192.0.2.1", "two"), ("192.0.2.1", "three"), ("192.0.2.2", "four")]
        {
            let answer = ask(&serve, &[("x-forwarded-for", client)], query, of(name, FRESH)).await;
            codes.push(answer["errors"][0]["extensions"]["code"].as_str() == Some("RATE_LIMITED"));
        }
        assert_eq!(codes, [false, false, true, false], "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_says_where_it_is_used_from() {
    let serve = running(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    let headers = [("x-forwarded-for", "2001:db8::7"), ("user-agent", firefox)];
    let answer = ask(&serve, &headers, LOGIN, of("ada", password_of("ada"))).await;
    let token = format!("Bearer {}", answer["data"]["login"]["accessToken"].as_str().unwrap());
    let query = "{ viewer { sessions { nodes { device address isCurrent } } } }";
    insta::assert_snapshot!(in_short(&ask(&serve, &[("authorization", &token)], query, json!({})).await), @r#"{"viewer":{"sessions":{"nodes":[{"device":"Firefox on Linux","address":"2001:db8::7","isCurrent":true}]}}}"#);
}

/// Two replicas: servers with the same database and the same key.
async fn replicas() -> [Serve; 2] {
    let one = running(&[]).await;
    let mut other = Serve::prepare().await.with("DATABASE_URL", one.database_url.expose());
    other.run().await;
    [one, other]
}

/// A socket of the session on a server.
async fn socket(serve: &Serve, token: &str) -> Subscription {
    let url = format!("{}/graphql", serve.url().unwrap()).replace("http://", "ws://");
    Subscription::begin(&url, token, "subscription { jobEvents { cursor } }", json!({})).await
}

/// How the server closes the socket.
async fn close(socket: &mut Subscription) -> String {
    while socket.hear().await.is_some() {}
    let closed = socket.closed.take().unwrap();
    format!("{} {}", u16::from(closed.code), closed.reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_a_session_closes_its_sockets_on_the_other_replica() {
    let [one, other] = replicas().await;
    let admin = one.log_in("admin").await;
    let ada = id_of(&admin, "ada").await;
    let disable = "mutation($id: ID!) { disableUser(input: { id: $id }) { user { state } } }";
    let enable = disable.replace("disable", "enable");
    let delete = "mutation($id: ID!) { deleteUser(input: { id: $id, username: \"ada\" }) { user { state } } }";
    let sessions = "query($id: ID!) { user(id: $id) { sessions { nodes { id } } } }";
    let end = "mutation($id: ID!) { endSession(input: { id: $id }) { session { id } } }";
    let change = format!(
        "mutation {{ changePassword(input: {{ currentPassword: \"vision-member\", newPassword: \"{FRESH}\" }}) {{ endedSessions }} }}"
    );
    let back = "mutation($id: ID!) { createPasswordReset(input: { userId: $id }) { passwordLink { token } } }";

    for way in ["disable", "end", "everywhere", "reset", "change", "delete"] {
        let elsewhere = one.log_in("ada").await;
        let here = one.log_in("ada").await;
        let mut closing = socket(&other, &elsewhere.token).await;
        let id = json!({ "id": ada });
        match way {
            "disable" => {
                admin.ask(disable, id.clone()).await;
                admin.ask(&enable, id).await;
            }
            "end" => {
                let found = here.ask("{ viewer { sessions { nodes { id isCurrent } } } }", json!({})).await;
                let nodes = found["viewer"]["sessions"]["nodes"].as_array().unwrap().clone();
                assert!(nodes.iter().any(|session| session["isCurrent"] == true), "{found}");
                for session in nodes.iter().filter(|session| session["isCurrent"] == false) {
                    here.ask(end, json!({ "id": session["id"] })).await;
                }
                assert_eq!(here.ask(sessions, id).await["user"]["sessions"]["nodes"].as_array().unwrap().len(), 1);
            }
            "everywhere" => drop(here.ask("mutation { logoutEverywhere { endedSessions } }", json!({})).await),
            "reset" => {
                let link = admin.ask(back, id).await;
                let token = &link["createPasswordReset"]["passwordLink"]["token"];
                let reset = "mutation($t: String!, $p: String!) { resetPassword(input: { token: $t, newPassword: $p }) { username } }";
                let told = in_short(&ask(&one, &[], reset, json!({ "t": token, "p": FRESH })).await);
                assert_eq!(told, r#"{"resetPassword":{"username":"ada"}}"#);
                let hash = "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE username = 'spare') WHERE username = 'ada'";
                one.execute(hash).await;
            }
            "change" => {
                let mut staying = socket(&other, &here.token).await;
                here.ask(&change, json!({})).await;
                assert!(close(&mut closing).await.starts_with("4403 SESSION_ENDED"), "{way}");
                staying.say(json!({ "type": "ping" })).await;
                while staying.hear().await.unwrap_or_else(|| panic!("{:?}", staying.closed))["type"] != "pong" {}
                let hash = "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE username = 'spare') WHERE username = 'ada'";
                one.execute(hash).await;
                continue;
            }
            _ => drop(admin.ask(delete, id).await),
        }
        let closed = close(&mut closing).await;
        assert!(closed.starts_with("4403 SESSION_ENDED"), "{way}: {closed}");
        // However it ended, it is not accepted anywhere.
        let token = format!("Bearer {}", elsewhere.token);
        let told = in_short(&ask(&other, &[("authorization", &token)], "{ viewer { id } }", json!({})).await);
        assert!(told.starts_with(r#""UNAUTHENTICATED" "SESSION_ENDED""#), "{way}: {told}");
        if way == "disable" {
            let copy = "INSERT INTO users (id, username, display_name, password_hash) SELECT gen_random_uuid(), 'spare', '', password_hash FROM users WHERE username = 'ada'";
            one.execute(copy).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_platform_role_is_felt_on_an_open_socket_of_the_other_replica() {
    let [one, other] = replicas().await;
    let admin = one.log_in("admin").await;
    let ben = one.log_in("ben").await;
    let mut open = socket(&other, &ben.token).await;
    let update = "mutation($i: UpdateUserInput!) { updateUser(input: $i) { user { platformRole } } }";
    let id = id_of(&admin, "ben").await;
    let mut seen = Vec::new();
    for role in ["ADMIN", "USER"] {
        admin.ask(update, json!({ "i": { "id": id, "platformRole": role } })).await;
        // A second later at the latest, by whatever way it is heard of.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let query = "{ groups { totalCount } }";
        open.say(json!({ "id": role, "type": "subscribe", "payload": { "query": query } })).await;
        let answer = loop {
            let message = open.hear().await.unwrap_or_else(|| panic!("{:?}", open.closed));
            if message["type"] == "next" && message["id"] == role {
                break message;
            }
        };
        seen.push(answer["payload"]["data"]["groups"]["totalCount"].as_i64().unwrap());
    }
    assert_eq!(seen, [2, 1]);
}
