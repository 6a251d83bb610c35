//! Exports of the audit log to the object store: written by a real server, which is killed or loses its store in the middle.

use std::io::Read;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::proxy::Proxy;
use crate::support::s3::{S3, files_in};
use crate::support::serve::{Serve, eventually};
use crate::support::session::{Session, http_client};

const EXPORT: &str = "mutation($i: ExportAuditInput!) { exportAudit(input: $i) { export { id state filter } } }";
const SEEN: &str =
    "query($id: ID!) { auditExport(id: $id) { state entries size message finishedAt expiresAt requestedBy { username }
    download { url expiresAt } } }";

/// Entries that make a file of several parts, whatever they are compressed to: each has eight kilobytes that nothing repeats.
const MANY: &str = "
    INSERT INTO audit_log (id, action, at, detail)
    SELECT gen_random_uuid(), 'made', '2026-11-01T00:00:00Z'::timestamptz + n * interval '1 millisecond',
           jsonb_build_object('noise', (SELECT string_agg(md5(random()::text || n || m), '') FROM generate_series(1, 256) m))
      FROM generate_series(1, 4000) n";

async fn request(admin: &Session, filter: Value) -> String {
    let data = admin.ask(EXPORT, json!({ "i": { "filter": filter } })).await;
    data["exportAudit"]["export"]["id"].as_str().unwrap_or_else(|| panic!("{data}")).to_owned()
}

async fn seen(admin: &Session, id: &str) -> Value {
    admin.ask(SEEN, json!({ "id": id })).await["auditExport"].clone()
}

async fn until(admin: &Session, id: &str, state: &str) -> Value {
    eventually(state, || async { seen(admin, id).await["state"] == state }).await;
    seen(admin, id).await
}

/// The lines of the file behind a link.
async fn lines(url: &str) -> Vec<Value> {
    let answer = http_client().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let bytes = answer.bytes().await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_ref()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn with_folder() -> (Serve, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let mut serve = Serve::prepare().await.with("OBJECTS_DIR", &path);
    serve.run().await;
    (serve, folder)
}

async fn with_bucket(s3: &S3, endpoint: &str) -> Serve {
    let mut serve = Serve::prepare().await;
    for (name, value) in s3.variables() {
        serve = serve.with(name, if name == "MINIO_ENDPOINT" { endpoint } else { &value });
    }
    serve.run().await;
    serve
}

/// What `/ready` says of the object store.
async fn readiness(serve: &Serve) -> Option<Value> {
    let answer = http_client().get(format!("{}/ready", serve.url().unwrap())).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    body["checks"].as_array().unwrap().iter().find(|check| check["name"] == "objects").cloned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_a_file_of_the_entries_that_the_filter_selects() {
    let (serve, _folder) = with_folder().await;
    let admin = serve.log_in("admin").await;
    for name in ["one", "two"] {
        admin
            .ask(&format!("mutation {{ createGroup(input: {{ name: \"{name}\" }}) {{ group {{ id }} }} }}"), json!({}))
            .await;
    }
    let id = request(&admin, json!({ "actions": ["createGroup"] })).await;
    let done = until(&admin, &id, "COMPLETED").await;
    assert_eq!((done["entries"].as_i64(), &done["message"]), (Some(2), &Value::Null), "{done}");
    assert_eq!(done["requestedBy"]["username"], "admin");
    let url = format!("{}{}", serve.url().unwrap(), done["download"]["url"].as_str().unwrap());
    let found = lines(&url).await;
    let names: Vec<_> = found.iter().map(|line| (&line["action"], &line["actor"], &line["detail"]["name"])).collect();
    assert_eq!(json!(names), json!([["createGroup", "admin", "one"], ["createGroup", "admin", "two"]]));
    let recorded = admin
        .ask(
            "{ auditLog(filter: { actions: [\"exportAudit\"] }) { nodes { subjectId actor { username } detail } } }",
            json!({}),
        )
        .await;
    let entry = &recorded["auditLog"]["nodes"][0];
    assert_eq!((&entry["subjectId"], &entry["actor"]["username"]), (&json!(id), &json!("admin")));
    assert_eq!(entry["detail"]["filter"]["actions"], json!(["createGroup"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_a_file_can_be_resumed_and_neither_changed_nor_used_for_another_file() {
    let (serve, folder) = with_folder().await;
    let admin = serve.log_in("admin").await;
    let id = request(&admin, json!({})).await;
    let done = until(&admin, &id, "COMPLETED").await;
    let url = format!("{}{}", serve.url().unwrap(), done["download"]["url"].as_str().unwrap());
    let get = async |url: &str, range: Option<&str>| {
        let request = http_client().get(url);
        let request = range.into_iter().fold(request, |request, range| request.header("range", range));
        request.header("accept-encoding", "gzip").send().await.unwrap()
    };
    let whole = get(&url, None).await;
    let headers = whole.headers().clone();
    for (name, value) in [
        ("content-type", "application/gzip"),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-store"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert!(!headers.contains_key("content-encoding"), "it is compressed already");
    assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"audit-log-20"));
    let whole = whole.bytes().await.unwrap();
    assert_eq!(headers["content-length"].to_str().unwrap(), whole.len().to_string());
    let rest = get(&url, Some("bytes=10-")).await;
    assert_eq!(
        (rest.status().as_u16(), rest.headers()["content-range"].to_str().unwrap().to_owned()),
        (206, format!("bytes 10-{}/{}", whole.len() - 1, whole.len()))
    );
    assert_eq!(rest.bytes().await.unwrap(), whole.slice(10..));
    assert_eq!(get(&url, Some("bytes=99999999-")).await.status(), 416);
    let (before, file) = url.rsplit_once("/exports/").unwrap();
    for forged in [
        format!("{before}/exports/audit/other.gz"),
        format!("{before}x/exports/{file}"),
        format!("{before}/exports/..%2f..%2fsecret"),
        format!("{}/objects/exports/{file}", serve.url().unwrap()),
        format!("{}/objects/99999999999-AAAA/exports/{file}", serve.url().unwrap()),
    ] {
        assert_eq!(get(&forged, None).await.status(), 403, "{forged}");
    }
    for file in files_in(folder.path()) {
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    assert_eq!(get(&url, None).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_platform_admins_request_and_see_exports() {
    let (serve, _folder) = with_folder().await;
    let (admin, maya) = (serve.log_in("admin").await, serve.log_in("maya").await);
    let id = request(&admin, json!({})).await;
    for (query, variables) in [(EXPORT, json!({ "i": {} })), (SEEN, json!({ "id": id }))] {
        let body = json!({ "query": query, "variables": variables });
        let answer = http_client().post(&maya.graphql_url).bearer_auth(&maya.token).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_is_the_same_export_and_a_bad_filter_is_refused_with_its_fields() {
    let (serve, _folder) = with_folder().await;
    let admin = serve.log_in("admin").await;
    let send = async |input: Value| {
        let body = json!({ "query": EXPORT, "variables": { "i": input } });
        let answer = http_client().post(&admin.graphql_url).bearer_auth(&admin.token).json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()
    };
    let first = send(json!({ "idempotencyKey": "november" })).await;
    let again = send(json!({ "idempotencyKey": "november" })).await;
    let id = |answer: &Value| answer["data"]["exportAudit"]["export"]["id"].as_str().map(str::to_owned);
    assert!(id(&first).is_some() && id(&first) == id(&again), "{first} {again}");
    let bad = send(json!({ "filter": { "actorId": "x", "projectId": "group_1" } })).await;
    let fields: Vec<_> = bad["errors"].as_array().unwrap().iter().map(|error| &error["extensions"]["field"]).collect();
    assert_eq!(json!(fields), json!(["input.filter.actorId", "input.filter.projectId"]), "{bad}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_an_export_begins_again_and_leaves_no_parts() {
    let s3 = S3::start().await;
    let mut serve = with_bucket(&s3, &s3.address.to_string()).await;
    serve.execute(MANY).await;
    let admin = serve.log_in("admin").await;
    let id = request(&admin, json!({ "actions": ["made"] })).await;
    eventually("a part is there", || async { !s3.unfinished().is_empty() }).await;
    serve.kill().await;
    assert_eq!((s3.unfinished().len(), s3.keys().len()), (1, 0));
    // Its lease would run out in half a minute.
    serve.execute("UPDATE audit_exports SET next_attempt_at = now()").await;
    serve.run().await;
    let admin = serve.log_in("admin").await;
    let done = until(&admin, &id, "COMPLETED").await;
    assert_eq!(done["entries"], 4000);
    let found = lines(done["download"]["url"].as_str().unwrap()).await;
    assert_eq!(found.len(), 4000);
    let times: Vec<DateTime<Utc>> = found.iter().map(|line| line["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted(), "oldest first");
    assert_eq!((s3.unfinished().len(), s3.keys().len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_an_export_to_a_folder_leaves_no_half_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let mut serve = Serve::prepare().await.with("OBJECTS_DIR", &path);
    serve.run().await;
    serve.execute(MANY).await;
    let admin = serve.log_in("admin").await;
    let id = request(&admin, json!({ "actions": ["made"] })).await;
    let written = || files_in(folder.path()).into_iter().filter(|file| file.contains(&id)).collect::<Vec<_>>();
    eventually("a part is there", || async { !written().is_empty() }).await;
    serve.kill().await;
    assert!(written()[0].ends_with(".gz#1"), "{:?}", written());
    serve.execute("UPDATE audit_exports SET next_attempt_at = now()").await;
    serve.run().await;
    let admin = serve.log_in("admin").await;
    assert_eq!(until(&admin, &id, "COMPLETED").await["entries"], 4000);
    assert!(written().len() == 1 && written()[0].contains("/2/audit-log-"), "{:?}", written());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_lease_is_lost_spoils_nothing() {
    let s3 = S3::start().await;
    let serve = with_bucket(&s3, &s3.address.to_string()).await;
    serve.execute(MANY).await;
    let admin = serve.log_in("admin").await;
    let id = request(&admin, json!({ "actions": ["made"] })).await;
    eventually("a part is there", || async { !s3.unfinished().is_empty() }).await;
    // As if another replica had claimed it, and had died.
    serve.execute("UPDATE audit_exports SET worker = gen_random_uuid(), attempts = 2, next_attempt_at = now() + interval '8 seconds'").await;
    let done = until(&admin, &id, "COMPLETED").await;
    assert_eq!(lines(done["download"]["url"].as_str().unwrap()).await.len(), 4000);
    eventually("only its file is there", || async { s3.keys().len() == 1 && s3.unfinished().is_empty() }).await;
    assert!(s3.keys()[0].contains("/3/"), "{:?}", s3.keys());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_an_export_waits_and_the_server_is_ready() {
    let s3 = S3::start().await;
    let proxy = Proxy::before(s3.address).await;
    let serve = with_bucket(&s3, &proxy.address().to_string()).await;
    eventually("the store was asked", || async { readiness(&serve).await.unwrap()["detail"] == "works" }).await;
    proxy.cut();
    let admin = serve.log_in("admin").await;
    let id = request(&admin, json!({})).await;
    eventually("it says why it waits", || async { seen(&admin, &id).await["message"] != Value::Null }).await;
    let waiting = seen(&admin, &id).await;
    assert_eq!(waiting["message"], "The object store does not work at the moment. It is tried again.", "{waiting}");
    let told = readiness(&serve).await.unwrap();
    assert_eq!(
        (&told["healthy"], &told["detail"]),
        (&json!(true), &json!("the object store does not work at the moment; exports wait"))
    );
    proxy.restore();
    assert_eq!(until(&admin, &id, "COMPLETED").await["message"], Value::Null);
    let metrics =
        http_client().get(format!("{}/metrics", serve.url().unwrap())).send().await.unwrap().text().await.unwrap();
    for name in ["platform_objects_up", "platform_objects_failures_total", "platform_audit_exports_total"] {
        assert!(metrics.contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_wrong_key_an_export_fails_with_the_reason_and_without_the_key() {
    let s3 = S3::start().await;
    let mut serve = Serve::prepare().await;
    for (name, value) in s3.variables() {
        serve = serve.with(name, if name == "MINIO_SECRET_KEY" { "a-wrong-secret" } else { &value });
    }
    serve.run().await;
    let admin = serve.log_in("admin").await;
    let failed = until(&admin, &request(&admin, json!({})).await, "FAILED").await;
    assert_eq!(failed["message"], "The object store does not accept the platform's credentials.");
    assert_eq!(failed["download"], Value::Null);
    assert!(failed["finishedAt"].is_string() && failed["expiresAt"].is_string());
    assert!(!serve.log().contains("a-wrong-secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_and_downloads_that_are_cut_off_do_not_spoil_a_file() {
    let s3 = S3::start().await;
    let serve = with_bucket(&s3, &s3.address.to_string()).await;
    serve.execute(MANY).await;
    s3.faults.cut_parts.store(3, Ordering::SeqCst);
    let admin = serve.log_in("admin").await;
    let done = until(&admin, &request(&admin, json!({ "actions": ["made"] })).await, "COMPLETED").await;
    assert_eq!(lines(done["download"]["url"].as_str().unwrap()).await.len(), 4000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_removed_with_its_file_when_it_has_expired() {
    let (mut serve, folder) = with_folder().await;
    let admin = serve.log_in("admin").await;
    let id = request(&admin, json!({})).await;
    until(&admin, &id, "COMPLETED").await;
    assert_eq!(files_in(folder.path()).len(), 1);
    serve.execute("UPDATE audit_exports SET expires_at = now() - interval '1 second'").await;
    // It looks at the start, and every minute.
    serve.kill().await;
    serve.run().await;
    eventually("the file is removed", || async { files_in(folder.path()).is_empty() }).await;
    let admin = serve.log_in("admin").await;
    let left = admin.ask("{ auditExports { totalCount } }", json!({})).await;
    assert_eq!(left["auditExports"]["totalCount"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_object_store_exports_are_refused_and_everything_else_works() {
    let mut serve = Serve::prepare().await;
    serve.run().await;
    let admin = serve.log_in("admin").await;
    let body = json!({ "query": EXPORT, "variables": { "i": {} } });
    let answer = http_client().post(&admin.graphql_url).bearer_auth(&admin.token).json(&body).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(answer["errors"][0]["message"], "the operator of this platform has not configured an object store");
    assert_eq!(readiness(&serve).await, None);
}
