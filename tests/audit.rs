//! The audit log over HTTP: what is recorded of a request, of what was refused and of a flood of it, the feed, the export,
//! and its partitions over a year.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use platform::audit::model::partitions;
use platform::config::DatabaseConfig;
use platform::db::Db;
use platform::tasks::Tasks;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::support::database;
use crate::support::serve::Serve;
use crate::support::session::{Session, http_client};
use crate::support::subscription::Subscription;

const ENTRIES: &str = "query($filter: AuditFilter) { auditLog(first: 100, filter: $filter, orderBy: { field: AT }) { nodes {
    action outcome actor { username } subjectKind group { name } detail times address userAgent credential requestId } } }";

/// The answer to an operation that is sent with these headers.
async fn send(url: &str, token: &str, headers: &[(&str, &str)], query: &str, variables: Value) -> Value {
    let request = http_client().post(url).json(&json!({ "query": query, "variables": variables }));
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap().json().await.unwrap()
}

async fn entries(admin: &Session, filter: Value) -> Vec<Value> {
    admin.ask(ENTRIES, json!({ "filter": filter })).await["auditLog"]["nodes"].as_array().unwrap().clone()
}

/// How long the tests wait for what is recorded a moment later.
const PATIENCE: Duration = Duration::from_secs(30);

/// The entries once there are `count` of them: refused attempts are written a moment later.
async fn refused(admin: &Session, count: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "there are not {count} refused attempts");
        let found = entries(admin, json!({ "outcome": "REFUSED" })).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const LOGIN: &str =
    "mutation($u: String!, $p: String!) { login(input: { username: $u, password: $p }) { accessToken } }";
const CREATE: &str = "mutation { createGroup(input: { name: \"robots\" }) { group { id } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_says_who_did_what_from_which_client_in_which_request() {
    let mut serve = Serve::prepare().await.with("TRUSTED_PROXIES", "127.0.0.0/8");
    serve.run().await;
    let admin = serve.log_in("admin").await;
    let headers = [("x-forwarded-for", "203.0.113.7"), ("user-agent", "tests/1"), ("x-request-id", "req-1")];
    let answer = send(&admin.graphql_url, &admin.token, &headers, CREATE, json!({})).await;
    assert!(answer["errors"].is_null(), "{answer}");
    let found = entries(&admin, json!({ "actions": ["createGroup"] })).await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&found).unwrap(), @r#"
    [
      {
        "action": "createGroup",
        "outcome": "DONE",
        "actor": {
          "username": "admin"
        },
        "subjectKind": "group",
        "group": {
          "name": "robots"
        },
        "detail": {
          "name": "robots"
        },
        "times": 1,
        "address": "203.0.113.7",
        "userAgent": "tests/1",
        "credential": "SESSION",
        "requestId": "req-1"
      }
    ]
    "#);
    let found = entries(&admin, json!({ "actions": ["login"] })).await;
    assert_eq!(found[0]["actor"]["username"], "admin");
    assert_eq!(found[0]["subjectKind"], "session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_recorded_too_and_a_flood_of_it_is_few_entries() {
    let mut serve = Serve::prepare().await.with("RATE_LIMIT_LOGINS_PER_NAME", "0").with("BCRYPT_COST", "10");
    serve.run().await;
    let (admin, ada) = (serve.log_in("admin").await, serve.log_in("ada").await);
    let ben = serve.log_in("ben").await;
    let url = &admin.graphql_url;
    let headers = [("x-request-id", "r"), ("user-agent", "u")];
    send(url, &ada.token, &headers, CREATE, json!({})).await;
    refused(&admin, 1).await;
    // Of another group: it does not exist for Ben.
    let vision = admin.ask("{ groups(filter: { names: [\"vision\"] }) { nodes { id } } }", json!({})).await;
    let vision = vision["groups"]["nodes"][0]["id"].clone();
    let create = "mutation($g: ID!) { createProject(input: { groupId: $g, name: \"p\" }) { project { id } } }";
    send(url, &ben.token, &headers, create, json!({ "g": vision })).await;
    refused(&admin, 2).await;
    send(url, "", &headers, LOGIN, json!({ "u": "ada", "p": "guess" })).await;
    refused(&admin, 3).await;
    send(url, "", &headers, LOGIN, json!({ "u": "my-password-in-the-wrong-field", "p": "x" })).await;
    let found = refused(&admin, 4).await;
    let told: Vec<_> = found
        .iter()
        .map(|entry| {
            let who = entry["actor"]["username"].as_str().unwrap_or("nobody");
            format!("{who} {} {} {} {}", entry["action"], entry["subjectKind"], entry["group"]["name"], entry["detail"])
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    ada "createGroup" null null {"code":"FORBIDDEN"}
    ben "createProject" "group" "vision" {"code":"NOT_FOUND"}
    nobody "login" "user" null {"code":"UNAUTHENTICATED"}
    nobody "login" null null {"code":"UNAUTHENTICATED"}
    "#);
    assert!(!serde_json::to_string(&found).unwrap().contains("wrong-field"));

    // A query that is denied is no attempt to change anything.
    let denied =
        send(url, &ben.token, &headers, "query($g: ID!) { group(id: $g) { id } }", json!({ "g": vision })).await;
    assert_eq!(denied["errors"][0]["extensions"]["code"], "NOT_FOUND");
    let many: String =
        (0..20).map(|n| format!("m{n}: createGroup(input: {{ name: \"x\" }}) {{ group {{ id }} }} ")).collect();
    for _ in 0..15 {
        let answer = send(url, &ada.token, &headers, &format!("mutation {{ {} }}", &many), json!({})).await;
        assert_eq!(answer["errors"].as_array().unwrap().len(), 20, "{answer}");
    }
    let (mut times, began) = (0, Instant::now());
    while times < 301 {
        assert!(began.elapsed() < PATIENCE, "{times} attempts are recorded");
        let found = entries(&admin, json!({ "outcome": "REFUSED", "actions": ["createGroup"] })).await;
        times = found.iter().map(|entry| entry["times"].as_i64().unwrap()).sum();
        assert!(found.len() < 60 && times <= 301, "{} entries for {times} attempts", found.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_is_recorded_and_the_second_use_of_its_token_with_the_end_of_its_session() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let admin = serve.log_in("admin").await;
    let login = LOGIN.replace("accessToken", "refreshToken");
    let answer = send(&admin.graphql_url, "", &[], &login, json!({ "u": "ada", "p": "vision-member" })).await;
    let token = answer["data"]["login"]["refreshToken"].clone();
    let refresh = "mutation($t: String!) { refreshSession(input: { refreshToken: $t }) { expiresAt } }";
    for _ in 0..2 {
        send(&admin.graphql_url, "", &[], refresh, json!({ "t": token })).await;
        serve
            .execute("UPDATE sessions SET used_at = ARRAY(SELECT at - interval '1 minute' FROM unnest(used_at) at)")
            .await;
    }
    let found = entries(&admin, json!({ "actions": ["refreshSession"] })).await;
    assert_eq!(
        (found.len(), &found[1]["outcome"], &found[1]["subjectKind"]),
        (2, &json!("REFUSED"), &json!("session"))
    );
    assert_eq!(found[1]["detail"]["reason"], "REFRESH_TOKEN_REUSED");
    assert_eq!((&found[0]["outcome"], &found[0]["subjectKind"]), (&json!("DONE"), &json!("session")), "the first use");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_tells_each_entry_once_and_resumes_after_any_of_them() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let admin = serve.log_in("admin").await;
    let start = admin.ask("{ eventCursor }", json!({})).await["eventCursor"].clone();
    for name in ["one", "two", "three"] {
        let create = format!("mutation {{ createGroup(input: {{ name: \"{name}\" }}) {{ group {{ id }} }} }}");
        admin.ask(&create, json!({})).await;
    }
    let query =
        "subscription($after: FeedCursor) { auditEvents(after: $after, filter: { actions: [\"createGroup\"] }) {
        cursor entry { action actor { username } detail } } }";
    let url = admin.graphql_url.replacen("http", "ws", 1);
    let mut after = start;
    for name in ["one", "two", "three"] {
        let mut feed = Subscription::begin(&url, &admin.token, query, json!({ "after": after })).await;
        let told = loop {
            let word = feed.hear().await.unwrap();
            if word["type"] == "next" {
                break word["payload"]["data"]["auditEvents"].clone();
            }
        };
        assert_eq!(
            told["entry"],
            json!({ "action": "createGroup", "actor": { "username": "admin" }, "detail": { "name": name } })
        );
        after = told["cursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_exported_line_by_line_to_platform_admins_only() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let (admin, ada) = (serve.log_in("admin").await, serve.log_in("ada").await);
    serve
        .execute(
            "INSERT INTO audit_log (id, at, action, subject) SELECT gen_random_uuid(), '2020-01-01T00:00:00Z'::timestamptz + (n / 3) * interval '1 second', 'old', n::text
             FROM generate_series(1, 2500) n",
        )
        .await;
    let url = format!("{}/audit.ndjson", serve.url().unwrap());
    let get = async |token: &str, query: &str| {
        let request = http_client().get(format!("{url}{query}"));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = get(&admin.token, "?to=2021-01-01T00:00:00Z").await;
    assert_eq!(status, 200, "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2500);
    let subjects: std::collections::BTreeSet<_> =
        lines.iter().map(|line| line["subjectId"].as_str().unwrap()).collect();
    assert_eq!(subjects.len(), 2500, "each once");
    assert!(lines.is_sorted_by_key(|line| line["at"].as_str().unwrap().to_owned()), "oldest first");
    let (_, text) = get(&admin.token, "?from=2020-01-01T00:00:10Z&to=2020-01-01T00:00:11Z").await;
    assert_eq!(text.lines().count(), 3);
    // The export of the log is in the log.
    let (_, text) = get(&admin.token, "?from=2026-01-01T00:00:00Z").await;
    let exports = text.lines().filter(|line| line.contains("\"action\":\"exportAuditLog\"")).count();
    assert!(exports >= 2, "{text}");
    let (status, text) = get(&ada.token, "").await;
    insta::assert_snapshot!(format!("{status} {text}"), @"403 only platform admins can export the audit log");
    let (status, text) = get("", "").await;
    insta::assert_snapshot!(format!("{status} {text}"), @r#"401 authentication is required: send the accessToken of the login mutation as "Authorization: Bearer <token>""#);
    let (status, text) = get(&admin.token, "?from=yesterday").await;
    insta::assert_snapshot!(format!("{status} {text}"), @"400 the query is not valid: from and to must be times with a time zone, such as 2026-11-01T00:00:00Z");
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_year_every_entry_is_kept_for_its_time_and_no_partition_for_much_longer() {
    let url = database::empty().await;
    let tasks = Tasks::default();
    let db = Db::new(&DatabaseConfig::for_dev(url.clone()), &tasks).unwrap();
    let (sql, driver) = tokio_postgres::connect(url.expose(), NoTls).await.unwrap();
    tokio::spawn(driver);
    let count =
        async |from: &str| sql.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await.unwrap().get::<_, i64>(0);
    let retention = Duration::from_secs(30 * 24 * 3600);
    let start = Utc::now();
    let mut conn = db.connection().await.unwrap();
    for day in 0..366 {
        let now = start + TimeDelta::days(day);
        // The server is down in the second month and the third.
        if !(45..110).contains(&day) {
            partitions::keep(&mut conn, now, retention).await.unwrap();
            assert_eq!(count("audit_log_other").await, 0, "day {day}: every entry has a partition");
        }
        let insert = "INSERT INTO audit_log (id, at, action) VALUES (gen_random_uuid(), $1, 'day')";
        sql.execute(insert, &[&now]).await.unwrap();
        let kept = count(&format!("audit_log WHERE at > '{}'", (now - TimeDelta::days(30)).to_rfc3339())).await;
        assert_eq!(kept, (day + 1).min(30), "day {day}");
        let partitions = count("pg_inherits WHERE inhparent = 'audit_log'::regclass").await;
        assert!(partitions <= 8, "day {day}: {partitions}");
        assert!(count("audit_log").await <= 62 + 65, "day {day}");
    }
    let last = start + TimeDelta::days(366);
    let once_more = partitions::keep(&mut conn, last, retention).await.unwrap();
    assert!(once_more.made.len() <= 1, "{once_more:?}");
    assert_eq!(partitions::keep(&mut conn, last, retention).await.unwrap(), partitions::Upkeep::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_without_a_partition_is_kept_and_moved_when_there_is_one() {
    let url = database::empty().await;
    let db = Db::new(&DatabaseConfig::for_dev(url.clone()), &Tasks::default()).unwrap();
    let (sql, driver) = tokio_postgres::connect(url.expose(), NoTls).await.unwrap();
    tokio::spawn(driver);
    let insert = "INSERT INTO audit_log (id, at, action) VALUES (gen_random_uuid(), $1, 'later')";
    let late = at("2098-03-14T15:00:00Z");
    sql.execute(insert, &[&late]).await.unwrap();
    let place = "SELECT tableoid::regclass::text FROM audit_log WHERE action = 'later'";
    let place = async || sql.query_one(place, &[]).await.unwrap().get::<_, String>(0);
    assert_eq!(place().await, "audit_log_other");
    let mut conn = db.connection().await.unwrap();
    let upkeep = partitions::keep(&mut conn, late, Duration::from_secs(30 * 24 * 3600)).await.unwrap();
    assert_eq!(place().await, "audit_log_2098_03");
    // Not one for each month of the years between.
    insta::assert_snapshot!(upkeep.made.join(" "), @"audit_log_2098_02 audit_log_2098_03 audit_log_2098_04 audit_log_2098_05 audit_log_2098_06");
}
