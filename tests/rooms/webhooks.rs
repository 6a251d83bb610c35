//! Webhooks as their users set them: which URLs are accepted, who sees them, and what is recorded. That they are sent is tested in
//! tests/webhooks.rs.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what of webhooks: the ways to them.
pub const ROWS: Rows = Rows {
    setup: "
        INSERT INTO webhooks (user_id, url, secret, set_at)
        SELECT id, 'https://hooks.example.com/a', 'x', now() FROM users;",
    operations: &[
        ("setWebhook", "mutation { setWebhook(input: { url: \"https://hooks.example.com/b\" }) { webhook { host } } }"),
        ("removeWebhook", "mutation { removeWebhook(input: {}) { host } }"),
        ("testWebhook", "mutation { testWebhook(input: {}) { webhook { host } } }"),
    ],
    types: &[
        ("Webhook", By("query($ada: ID!) { user(id: $ada) { settings { webhook { FIELD } } } }")),
        ("SetWebhookPayload", Below("setWebhook")),
        ("RemoveWebhookPayload", Below("removeWebhook")),
        ("TestWebhookPayload", Below("testWebhook")),
    ],
};

const SET: &str =
    "mutation($i: SetWebhookInput!) { setWebhook(input: $i) { secret webhook { url host failures disabledAt
    notifications { jobEnded roleChanged } } } }";
const SEEN: &str = "{ viewer { settings { webhookHosts webhook { url host } } } }";

async fn set(world: &World, who: &str, input: Value) -> Value {
    world.ask(who, SET, json!({ "i": input })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_is_shown_once_and_a_new_one_is_made_with_each_url() {
    let world = World::new().await;
    let first = set(&world, "ada", json!({ "url": "https://hooks.example.com/a?key=1" })).await;
    let secret = first["data"]["setWebhook"]["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{first}");
    insta::assert_snapshot!(first["data"]["setWebhook"]["webhook"], @r#"{"url":"https://hooks.example.com/a?key=1","host":"hooks.example.com","failures":0,"disabledAt":null,"notifications":{"jobEnded":true,"roleChanged":true}}"#);
    let muted = set(&world, "ada", json!({ "notifications": { "jobEnded": false } })).await;
    insta::assert_snapshot!(muted["data"]["setWebhook"], @r#"{"secret":null,"webhook":{"url":"https://hooks.example.com/a?key=1","host":"hooks.example.com","failures":0,"disabledAt":null,"notifications":{"jobEnded":false,"roleChanged":true}}}"#);
    let again = set(&world, "ada", json!({ "url": "https://hooks.example.com/a?key=1" })).await;
    assert_ne!(again["data"]["setWebhook"]["secret"], secret);
    assert_eq!(again["data"]["setWebhook"]["webhook"]["notifications"]["jobEnded"], false);
    let log = world.ask("admin", "{ auditLog(filter: { actions: [\"setWebhook\"] }, orderBy: { field: AT }) { nodes { detail changes { field before after } } } }", json!({})).await;
    let log = log["data"]["auditLog"]["nodes"].to_string();
    assert!(!log.contains("whsec_") && !log.contains("key=1"), "{log}");
    insta::assert_snapshot!(log, @r#"[{"detail":{},"changes":[{"field":"host","before":null,"after":"hooks.example.com"},{"field":"secret","before":"[removed]","after":"[removed]"}]},{"detail":{},"changes":[{"field":"muted","before":[],"after":["JOB_ENDED"]}]},{"detail":{},"changes":[{"field":"secret","before":"[removed]","after":"[removed]"}]}]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_urls_of_allowed_hosts_are_accepted() {
    let world = World::new().await;
    let refused = async |url: &str| errors(&set(&world, "ada", json!({ "url": url })).await);
    insta::assert_snapshot!(refused("https://evil.example/").await, @"FORBIDDEN input.url: the operator of this platform does not allow webhooks to https://evil.example");
    insta::assert_snapshot!(refused("https://hooks.example.com:8443/").await, @"FORBIDDEN input.url: the operator of this platform does not allow webhooks to https://hooks.example.com:8443");
    insta::assert_snapshot!(refused("http://hooks.example.com/").await, @"FORBIDDEN input.url: the operator of this platform does not allow webhooks to http://hooks.example.com");
    insta::assert_snapshot!(refused("https://me@hooks.example.com/").await, @"BAD_USER_INPUT input.url: the URL contains a username or a password; leave them out");
    insta::assert_snapshot!(refused("https://169.254.169.254/latest").await, @"FORBIDDEN input.url: the operator of this platform does not allow webhooks to https://169.254.169.254");
    insta::assert_snapshot!(refused("hooks").await, @"BAD_USER_INPUT input.url: the URL is not valid; it must be such as https://hooks.example.com/path");
    insta::assert_snapshot!(errors(&set(&world, "ada", json!({ "notifications": {} })).await), @"BAD_USER_INPUT input.url: you have no webhook yet, so a URL is needed");
    let seen = world.ask("ada", SEEN, json!({})).await;
    insta::assert_snapshot!(seen["data"]["viewer"]["settings"], @r#"{"webhookHosts":["hooks.example.com"],"webhook":null}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_is_seen_by_its_user_only_and_goes_with_the_webhook() {
    let world = World::new().await;
    set(&world, "ada", json!({ "url": "https://hooks.example.com/secret" })).await;
    let users = "{ users(filter: { usernames: [\"ada\"] }) { nodes { settings { webhook { url host } } } } }";
    for (who, seen) in [
        ("ada", json!({ "webhook": { "url": "https://hooks.example.com/secret", "host": "hooks.example.com" } })),
        ("admin", json!({ "webhook": { "url": null, "host": "hooks.example.com" } })),
        ("maya", Value::Null),
    ] {
        let answer = world.ask(who, users, json!({})).await;
        assert_eq!(answer["data"]["users"]["nodes"][0]["settings"], seen, "{who}");
    }
    let remove = "mutation($h: String) { removeWebhook(input: { host: $h }) { host } }";
    insta::assert_snapshot!(errors(&world.ask("ada", remove, json!({ "h": "other.example" })).await), @"CONFLICT input.host: the host of your webhook is hooks.example.com");
    let removed = world.ask("ada", remove, json!({})).await;
    assert_eq!(removed["data"]["removeWebhook"]["host"], "hooks.example.com", "{removed}");
    assert_eq!(world.ask("ada", remove, json!({})).await["data"]["removeWebhook"]["host"], Value::Null);
    insta::assert_snapshot!(errors(&world.ask("ada", "mutation { testWebhook(input: {}) { webhook { host } } }", json!({})).await), @"CONFLICT -: you have no webhook");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_wanted_is_not_put_into_the_outbox() {
    let world = World::new().await;
    let url = json!({ "url": "https://hooks.example.com/", "notifications": { "roleChanged": false } });
    set(&world, "ada", url).await;
    set(&world, "ben", json!({ "url": "https://hooks.example.com/" })).await;
    let groups = world
        .ask("admin", "{ groups(filter: { names: [\"language\", \"vision\"] }) { nodes { id } } }", json!({}))
        .await;
    let add = "mutation($g: ID!) { addGroupMembers(input: { groupId: $g, usernames: [\"ben\", \"ada\"] }) { results { outcome } } }";
    for group in groups["data"]["groups"]["nodes"].as_array().unwrap() {
        let added = world.ask("admin", add, json!({ "g": group["id"] })).await;
        assert!(added["errors"].is_null(), "{added}");
    }
    let (client, connection) = tokio_postgres::connect(world.url.expose(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let waiting = "SELECT username FROM webhook_deliveries d JOIN users ON users.id = user_id JOIN notifications n ON n.id = d.id";
    let rows = client.query(waiting, &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["ben"]);
    // What waits goes with the webhook, and a disabled one gets nothing.
    world.ask("ben", "mutation { removeWebhook(input: {}) { host } }", json!({})).await;
    assert!(client.query(waiting, &[]).await.unwrap().is_empty());
    sql(&world.url, "UPDATE webhooks SET disabled_at = now()").await;
    insta::assert_snapshot!(errors(&world.ask("ada", "mutation { testWebhook(input: {}) { webhook { host } } }", json!({})).await), @"CONFLICT -: the webhook is disabled; set its URL again to enable it");
}
