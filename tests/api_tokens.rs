//! API tokens over HTTP: on every transport, on every replica, in the audit log, and nowhere that they must not be.

use serde_json::{Value, json};

use crate::support::serve::{Serve, eventually};
use crate::support::session::{Session, http_client};
use crate::support::subscription::Subscription;

const CREATE: &str = "mutation($i: CreateApiTokenInput!) { createApiToken(input: $i) { secret apiToken { id } } }";
const REVOKE: &str = "mutation($id: ID!) { revokeApiToken(input: { id: $id }) { apiToken { id } } }";
const EVENTS: &str = "subscription { jobEvents { cursor } }";

async fn running() -> Serve {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    serve
}

/// The secret and the ID of a new token.
async fn token(session: &Session, name: &str, scope: &str, project: &Value) -> (String, String) {
    let input = json!({ "name": name, "scope": scope, "projectId": project, "expiresInDays": 1 });
    let created = session.ask(CREATE, json!({ "i": input })).await["createApiToken"].clone();
    (created["secret"].as_str().unwrap().to_owned(), created["apiToken"]["id"].as_str().unwrap().to_owned())
}

async fn ask(serve: &Serve, secret: &str, query: &str, variables: Value) -> Value {
    let request = http_client().post(format!("{}/graphql", serve.url().unwrap())).bearer_auth(secret);
    request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap().json().await.unwrap()
}

/// The code, the reason and the message of the first error, or the data.
fn in_short(answer: &Value) -> String {
    match &answer["errors"][0] {
        Value::Null => answer["data"].to_string(),
        error => format!("{} {} {}", error["extensions"]["code"], error["extensions"]["reason"], error["message"]),
    }
}

fn socket_url(serve: &Serve) -> String {
    format!("{}/graphql", serve.url().unwrap()).replace("http://", "ws://")
}

/// How the server closes the socket.
async fn close(socket: &mut Subscription) -> String {
    while socket.hear().await.is_some() {}
    let closed = socket.closed.take().unwrap();
    format!("{} {}", u16::from(closed.code), closed.reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_accepted_wherever_an_access_token_is() {
    let serve = running().await;
    let admin = serve.log_in("admin").await;
    let (secret, _) = token(&admin, "everywhere", "ADMIN", &Value::Null).await;
    let url = serve.url().unwrap();
    let viewer = "{ viewer { username } }";
    insta::assert_snapshot!(in_short(&ask(&serve, &secret, viewer, json!({})).await), @r#"{"viewer":{"username":"admin"}}"#);
    let get = http_client()
        .get(format!("{url}/graphql"))
        .query(&[("query", viewer)])
        .header("x-graphql-csrf", "1")
        .bearer_auth(&secret);
    insta::assert_snapshot!(get.send().await.unwrap().text().await.unwrap(), @r#"{"data":{"viewer":{"username":"admin"}}}"#);
    // The header wins over whatever cookie there is.
    let cookie = http_client().post(format!("{url}/graphql")).bearer_auth(&secret).header("cookie", "session=x");
    let cookie = cookie.json(&json!({ "query": viewer })).send().await.unwrap();
    assert_eq!(cookie.text().await.unwrap(), r#"{"data":{"viewer":{"username":"admin"}}}"#);
    for accept in ["text/event-stream", r#"multipart/mixed;boundary="graphql";subscriptionSpec="1.0""#] {
        let stream = http_client().post(format!("{url}/graphql")).bearer_auth(&secret).header("accept", accept);
        let stream = stream.json(&json!({ "query": EVENTS })).send().await.unwrap();
        assert_eq!(stream.status(), 200, "{accept}");
        assert!(stream.headers()["content-type"].to_str().unwrap().starts_with(&accept[..9]), "{accept}");
    }
    let mut socket = Subscription::begin(&socket_url(&serve), &secret, EVENTS, json!({})).await;
    socket.say(json!({ "type": "ping" })).await;
    while socket.hear().await.unwrap_or_else(|| panic!("{:?}", socket.closed))["type"] != "pong" {}
    let export = http_client().get(format!("{url}/audit.ndjson")).bearer_auth(&secret).send().await.unwrap();
    assert_eq!(export.status(), 200);
    let lines = export.text().await.unwrap();
    assert!(lines.contains("\"action\":\"createApiToken\""), "{lines}");
    assert!(!lines.contains(&secret) && !lines.contains("plat_"), "{lines}");
    // A READ token of the same person may not export.
    let (read, _) = token(&admin, "read", "READ", &Value::Null).await;
    let export = http_client().get(format!("{url}/audit.ndjson")).bearer_auth(&read).send().await.unwrap();
    assert_eq!(
        (export.status().as_u16(), export.text().await.unwrap().as_str()),
        (403, "the API token has the scope READ, and this needs the scope ADMIN\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_in_the_documentation_works() {
    let serve = running().await;
    let (secret, _) = token(&serve.log_in("maya").await, "curl", "READ", &Value::Null).await;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/accounts.md")).unwrap();
    let lines =
        page.lines().skip_while(|line| !line.starts_with("    curl ")).take_while(|line| line.starts_with("    "));
    let example = lines.collect::<Vec<_>>().join("\n");
    let url = format!("{}/graphql", serve.url().unwrap());
    let mut command = tokio::process::Command::new("bash");
    let said = command.args(["-c", &example]).env("API", url).env("PLATFORM_TOKEN", &secret).output().await.unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    insta::assert_snapshot!(said, @r#"{"data":{"viewer":{"username":"maya"}}}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_cannot_do_is_said_clearly() {
    let serve = running().await;
    let (secret, _) = token(&serve.log_in("ada").await, "ci", "SUBMIT", &Value::Null).await;
    let refresh = "mutation($t: String!) { refreshSession(input: { refreshToken: $t }) { expiresAt } }";
    let mut told = Vec::new();
    told.push(in_short(&ask(&serve, &secret, refresh, json!({ "t": secret })).await));
    told.push(in_short(&ask(&serve, &secret, "mutation { logout { ended } }", json!({})).await));
    let input = json!({ "name": "another", "scope": "READ", "expiresInDays": 1 });
    told.push(in_short(&ask(&serve, &secret, CREATE, json!({ "i": input })).await));
    told.push(in_short(&ask(&serve, &format!("{secret}0"), "{ viewer { id } }", json!({})).await));
    told.push(in_short(&ask(&serve, &secret[..40], "mutation { logout { ended } }", json!({})).await));
    serve.execute("UPDATE api_tokens SET expires_at = '2026-01-01T00:00:00Z'").await;
    eventually("the expiry is heard of", || async {
        in_short(&ask(&serve, &secret, "{ viewer { id } }", json!({})).await).contains("expired")
    })
    .await;
    told.push(in_short(&ask(&serve, &secret, "{ viewer { id } }", json!({})).await));
    assert!(told.iter().all(|told| !told.contains(&secret[5..20])), "{told:?}");
    insta::assert_snapshot!(told.join("\n"), @r#"
    "UNAUTHENTICATED" "TOKEN_INVALID" "this is an API token, which is not refreshed: it is valid until it expires or is revoked"
    "FORBIDDEN" null "this cannot be done with an API token; log in instead"
    "FORBIDDEN" null "this cannot be done with an API token; log in instead"
    "UNAUTHENTICATED" "TOKEN_INVALID" "the API token is mistyped: its checksum is wrong"
    "UNAUTHENTICATED" "TOKEN_INVALID" "the API token is mistyped: its checksum is wrong"
    "UNAUTHENTICATED" "TOKEN_EXPIRED" "the API token expired at 2026-01-01T00:00:00Z; create another one with createApiToken"
    "#);
    assert!(!serve.log().contains(&secret[5..40]), "the log has the secret");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_a_token_closes_its_sockets_on_the_other_replica() {
    let one = running().await;
    let mut other = Serve::prepare().await.with("DATABASE_URL", one.database_url.expose());
    other.run().await;
    let (admin, maya) = (one.log_in("admin").await, one.log_in("maya").await);
    one.execute("INSERT INTO projects (id, group_id, name, namespace) SELECT gen_random_uuid(), id, 'fleeting', 'fleeting' FROM groups WHERE name = 'vision'").await;
    let project = "{ projects(filter: { names: [\"fleeting\"] }) { nodes { id } } }";
    let project = maya.ask(project, json!({})).await["projects"]["nodes"][0]["id"].clone();
    let id = admin.ask("{ users(filter: { usernames: [\"maya\"] }) { nodes { id } } }", json!({})).await;
    let id = json!({ "id": id["users"]["nodes"][0]["id"] });
    for way in ["revoke", "revoked by an admin", "expire", "delete the project"] {
        let (secret, token) = token(&maya, way, "READ", &project).await;
        let mut closing = Subscription::begin(&socket_url(&other), &secret, EVENTS, json!({})).await;
        closing.say(json!({ "type": "ping" })).await;
        while closing.hear().await.unwrap_or_else(|| panic!("{way}: {:?}", closing.closed))["type"] != "pong" {}
        match way {
            "revoke" => drop(maya.ask(REVOKE, json!({ "id": token })).await),
            "revoked by an admin" => drop(admin.ask(REVOKE, json!({ "id": token })).await),
            "expire" => one.execute("UPDATE api_tokens SET expires_at = now() WHERE name = 'expire'").await,
            _ => one.execute("DELETE FROM projects WHERE name = 'fleeting'").await,
        }
        assert_eq!(close(&mut closing).await, "4403 TOKEN_REVOKED: the API token was revoked or has expired", "{way}");
        let told = in_short(&ask(&other, &secret, "{ viewer { id } }", json!({})).await);
        assert!(told.starts_with(r#""UNAUTHENTICATED" "TOKEN_"#), "{way}: {told}");
    }
    let (secret, _) = token(&maya, "disable", "READ", &Value::Null).await;
    let mut closing = Subscription::begin(&socket_url(&other), &secret, EVENTS, json!({})).await;
    let disable = "mutation($id: ID!) { disableUser(input: { id: $id }) { user { state } } }";
    admin.ask(disable, id.clone()).await;
    assert!(close(&mut closing).await.starts_with("4403 TOKEN_REVOKED"));
    admin.ask(&disable.replace("disable", "enable"), id).await;
    insta::assert_snapshot!(in_short(&ask(&other, &secret, "{ viewer { username } }", json!({})).await), @r#"{"viewer":{"username":"maya"}}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_with_a_token_is_in_the_audit_log_with_the_token() {
    let serve = running().await;
    let (admin, maya) = (serve.log_in("admin").await, serve.log_in("maya").await);
    let (secret, id) = token(&maya, "ci", "MANAGE", &Value::Null).await;
    let project = json!({ "p": maya.project().await });
    let update = "mutation($p: ID!) { updateProject(input: { projectId: $p, description: \"by a script\" }) { project { id } } }";
    assert!(ask(&serve, &secret, update, project.clone()).await["errors"].is_null());
    let delete =
        update.replace("updateProject", "setProjectLimits").replace("description: \"by a script\"", "gpu: 9999");
    let refused = ask(&serve, &secret, &delete, project).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
    let query = "{ auditLog(first: 50, orderBy: { field: AT }) { nodes { action outcome credential apiTokenId } } }";
    let entries = async || {
        let data = admin.ask(query, json!({})).await;
        let nodes = data["auditLog"]["nodes"].as_array().unwrap().clone();
        nodes.into_iter().filter(|node| node["action"] != "login").collect::<Vec<_>>()
    };
    eventually("the refusal is written", || async {
        entries().await.iter().any(|entry| entry["outcome"] == "REFUSED")
    })
    .await;
    let told: Vec<String> = entries().await.iter().map(|entry| entry.to_string().replace(&id, "TOKEN")).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    {"action":"createApiToken","outcome":"DONE","credential":"SESSION","apiTokenId":null}
    {"action":"updateProject","outcome":"DONE","credential":"API_TOKEN","apiTokenId":"TOKEN"}
    {"action":"setGpuLimit","outcome":"REFUSED","credential":"API_TOKEN","apiTokenId":"TOKEN"}
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_by_a_token_for_a_project_hears_of_nothing_else() {
    let serve = running().await;
    let maya = serve.log_in("maya").await;
    let other = maya.ask("{ projects(filter: { names: [\"segmentation\"] }) { nodes { id } } }", json!({})).await;
    let (here, _) = token(&maya, "here", "READ", &json!(maya.project().await)).await;
    let (there, _) = token(&maya, "there", "READ", &other["projects"]["nodes"][0]["id"]).await;
    let query = "subscription { jobEvents { job { name } } }";
    let mut sockets = Vec::new();
    for secret in [&here, &there, &maya.token] {
        let mut socket = Subscription::begin(&socket_url(&serve), secret, query, json!({})).await;
        // The same operation, by the same person, is executed once for all who may see the same.
        socket.say(json!({ "id": "2", "type": "subscribe", "payload": { "query": "{ viewer { username } }" } })).await;
        while socket.hear().await.unwrap()["id"] != "2" {}
        sockets.push(socket);
    }
    let yaml =
        "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: 'alpine:3.20'}]}}";
    let commit = maya.commit("pod.yaml", yaml).await;
    maya.submit(&commit, "default-batch").await;
    for (index, hears) in [(2, true), (0, true), (1, false)] {
        let socket = &mut sockets[index];
        // A query that is asked after the event was told to the others.
        socket.say(json!({ "id": "3", "type": "subscribe", "payload": { "query": "{ jobs { totalCount } }" } })).await;
        let mut heard = false;
        loop {
            let message = socket.hear().await.unwrap_or_else(|| panic!("{:?}", socket.closed));
            if message["id"] == "1" && message["type"] == "next" {
                heard = true;
                if hears {
                    break;
                }
            }
            if message["id"] == "3" && message["type"] == "next" && !hears {
                // The one of the demo, which is in the project of the token.
                assert_eq!(message["payload"]["data"]["jobs"]["totalCount"], 1, "{message}");
                break;
            }
        }
        assert_eq!(heard, hears, "{index}");
    }
}
