//! File sessions: who may open the files of a claim, what they are told, and when a session ends by itself.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what of file sessions: Ada has one.
pub const ROWS: Rows = Rows {
    setup: "
        INSERT INTO sessions (id, user_id, refresh_hash, family_hash, expires_at)
        SELECT '00000000-0000-0000-0000-00000000f11e'::uuid, id, '\\x01', '\\x01', now() + interval '1 day' FROM users
         WHERE username = 'ada';
        INSERT INTO file_sessions (id, claim_id, user_id, session_id, ticket_hash, cookie_hash, expires_at)
        SELECT '00000000-0000-0000-0000-000000000001'::uuid, '00000000-0000-0000-0000-000000000001'::uuid, id,
               '00000000-0000-0000-0000-00000000f11e'::uuid, '\\x01', '\\x01', now() + interval '1 day' FROM users
         WHERE username = 'ada';
        INSERT INTO file_pods (claim_id, namespace, claim_name, read_only, message)
        VALUES ('00000000-0000-0000-0000-000000000001'::uuid, 'proj-1', 'data', false, 'The pod is being started.');",
    operations: &[
        ("openFiles", "mutation($claim: ID!) { openFiles(input: { claimId: $claim }) { fileSession { id } } }"),
        ("closeFiles", "mutation($opened: ID!) { closeFiles(input: { id: $opened }) { fileSessionId } }"),
    ],
    types: &[
        ("FileSession", By("query($opened: ID!) { node(id: $opened) { ... on FileSession { FIELD } } }")),
        ("OpenFilesPayload", Below("openFiles")),
        ("CloseFilesPayload", Below("closeFiles")),
    ],
};

const OPEN: &str = "mutation($id: ID!) { openFiles(input: { claimId: $id }) { fileSession { id url access phase message
    user { username } claim { name } } } }";
const CLOSE: &str = "mutation($id: ID!) { closeFiles(input: { id: $id }) { fileSessionId } }";
const LIST: &str = "{ viewer { fileSessions { id url access claim { name } } } }";

/// The claim `data` of the project detection, which grants READ to members; its ID.
async fn claim(world: &World) -> Value {
    let project = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    let project = world.ask("admin", project, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone();
    let create = "mutation($i: CreatePvcInput!) { createPvc(input: $i) { pvc { id } } }";
    let input = json!({ "projectId": project, "name": "data", "size": "1Gi", "defaultAccess": "READ" });
    let answer = world.ask("maya", create, json!({ "i": input })).await;
    answer["data"]["createPvc"]["pvc"]["id"].clone()
}

async fn open(world: &World, who: &str, claim: &Value) -> Value {
    world.ask(who, OPEN, json!({ "id": claim })).await
}

async fn opened(world: &World, who: &str, claim: &Value) -> Value {
    let answer = open(world, who, claim).await;
    assert!(answer["errors"].is_null(), "{answer}");
    answer["data"]["openFiles"]["fileSession"]["id"].clone()
}

async fn list(world: &World, who: &str) -> Vec<Value> {
    let answer = world.ask(who, LIST, json!({})).await;
    answer["data"]["viewer"]["fileSessions"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_read_a_claim_opens_its_files_and_is_told_the_url_once() {
    let world = World::new().await;
    let claim = claim(&world).await;
    let mut answer = open(&world, "ada", &claim).await["data"]["openFiles"]["fileSession"].take();
    let id = answer["id"].take();
    let url = answer["url"].take().as_str().unwrap().to_owned();
    assert!(url.starts_with("/files/") && url.ends_with('/') && url.len() == 34, "{url}");
    insta::assert_snapshot!(answer, @r#"{"id":null,"url":null,"access":"READ","phase":"STARTING","message":null,"user":{"username":"ada"},"claim":{"name":"data"}}"#);
    let listed = list(&world, "ada").await;
    assert_eq!(listed, [json!({ "id": id, "url": null, "access": "READ", "claim": { "name": "data" } })]);
    let answer = open(&world, "maya", &claim).await;
    assert_eq!(answer["data"]["openFiles"]["fileSession"]["access"], "READ", "{answer}");
    let permit = "mutation($id: ID!) { setStoragePermissions(input: { pvcId: $id, permissions: [{ username: \"ada\", access: WRITE }] }) { pvc { id } } }";
    world.ask("maya", permit, json!({ "id": claim })).await;
    assert_eq!(list(&world, "ada").await[0]["access"], "WRITE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_read_a_claim_cannot_open_its_files() {
    let world = World::new().await;
    let claim = claim(&world).await;
    let told = errors(&open(&world, "ben", &claim).await);
    assert!(told.starts_with("NOT_FOUND input.claimId"), "{told}");
    let update = "mutation($id: ID!) { updatePvc(input: { id: $id, defaultAccess: NONE }) { pvc { id } } }";
    world.ask("maya", update, json!({ "id": claim })).await;
    insta::assert_snapshot!(errors(&open(&world, "ada", &claim).await), @"FORBIDDEN input.claimId: you have no access to this storage claim; its keepers can grant it");
    insta::assert_snapshot!(errors(&open(&world, "ada", &json!("pvc_1")).await), @r#"BAD_USER_INPUT input.claimId: "pvc_1" is not a pvc id: it must be "pvc_" followed by 26 characters of 0-9 a-z without i, l, o, u"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_that_may_only_read_opens_files_to_read() {
    let world = World::new().await;
    let claim = claim(&world).await;
    let create = "mutation($s: ApiTokenScope!) { createApiToken(input: { name: \"files\", scope: $s, expiresInDays: 1 }) { secret } }";
    let answer = world.ask("admin", create, json!({ "s": "READ" })).await;
    let secret = answer["data"]["createApiToken"]["secret"].as_str().unwrap();
    assert_eq!(open(&world, secret, &claim).await["data"]["openFiles"]["fileSession"]["access"], "READ");
    assert_eq!(open(&world, "admin", &claim).await["data"]["openFiles"]["fileSession"]["access"], "WRITE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_somebody_else_does_not_exist() {
    let world = World::new().await;
    let claim = claim(&world).await;
    let id = opened(&world, "ada", &claim).await;
    let told = errors(&world.ask("maya", CLOSE, json!({ "id": id })).await);
    assert!(told.starts_with("NOT_FOUND input.id: "), "{told}");
    assert_eq!(list(&world, "maya").await, Vec::<Value>::new());
    let closed = world.ask("ada", CLOSE, json!({ "id": id })).await;
    assert_eq!(closed["data"]["closeFiles"]["fileSessionId"], id);
    assert_eq!(list(&world, "ada").await, Vec::<Value>::new());
    let told = errors(&world.ask("ada", CLOSE, json!({ "id": id })).await);
    assert!(told.starts_with("NOT_FOUND input.id: "), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_has_more_than_twenty_sessions() {
    let world = World::new().await;
    let claim = claim(&world).await;
    for _ in 0..20 {
        opened(&world, "ada", &claim).await;
    }
    insta::assert_snapshot!(errors(&open(&world, "ada", &claim).await), @"QUOTA_EXCEEDED -: you have 20 file sessions; close one with closeFiles");
    assert_eq!(list(&world, "ada").await.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_says_who_opened_what() {
    let world = World::new().await;
    let claim = claim(&world).await;
    let id = opened(&world, "ada", &claim).await;
    world.ask("ada", CLOSE, json!({ "id": id })).await;
    let query = "query($id: ID!) { auditLog(filter: { subjectId: $id, actions: [\"openFiles\", \"closeFiles\"] }) {
        nodes { action actor { username } subjectId detail } } }";
    let mut answer = world.ask("admin", query, json!({ "id": claim })).await["data"]["auditLog"]["nodes"].take();
    for entry in answer.as_array_mut().unwrap() {
        assert_eq!(entry["subjectId"].take(), claim);
        assert_eq!(entry["detail"]["fileSession"].take(), id);
    }
    insta::assert_snapshot!(answer, @r#"[{"action":"closeFiles","actor":{"username":"ada"},"subjectId":null,"detail":{"fileSession":null}},{"action":"openFiles","actor":{"username":"ada"},"subjectId":null,"detail":{"access":"READ","fileSession":null}}]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_goes_ends_its_sessions_and_is_not_kept_by_the_pod_that_shows_it() {
    let world = World::new().await;
    let claim = claim(&world).await;
    opened(&world, "ada", &claim).await;
    let suffix = claim.as_str().unwrap().trim_start_matches("pvc_");
    let mounted = format!(
        "INSERT INTO storage_mounts (claim_id, pod_uid, pod, read_only, since)
         SELECT id, 'u1', 'files-{suffix}', false, now() FROM storage_claims WHERE name = 'data'"
    );
    sql(&world.url, &mounted).await;
    let query = "query($id: ID!) { pvc(id: $id) { mounts { pod showsFiles } } }";
    let answer = world.ask("ada", query, json!({ "id": claim })).await;
    assert_eq!(answer["data"]["pvc"]["mounts"][0]["showsFiles"], true, "{answer}");
    let delete = "mutation($id: ID!) { deletePvc(input: { id: $id, confirmName: \"data\" }) { pvcId } }";
    let answer = world.ask("maya", delete, json!({ "id": claim })).await;
    assert!(answer["errors"].is_null(), "{answer}");
    assert_eq!(list(&world, "ada").await, Vec::<Value>::new());
    insta::assert_snapshot!(errors(&open(&world, "ada", &claim).await), @r#"CONFLICT input.claimId: "data" is a claim that is being deleted"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_for_a_single_pod_is_not_opened_while_another_pod_has_it() {
    let world = World::new().await;
    let claim = claim(&world).await;
    let mounted = "UPDATE storage_claims SET access_mode = 'READ_WRITE_ONCE_POD', phase = 'BOUND' WHERE name = 'data';
        INSERT INTO storage_mounts (claim_id, pod_uid, pod, read_only, since)
        SELECT id, 'u1', 'train-0', false, now() FROM storage_claims WHERE name = 'data'";
    sql(&world.url, mounted).await;
    insta::assert_snapshot!(errors(&open(&world, "ada", &claim).await), @r#"CONFLICT input.claimId: only one pod at a time can mount the claim, and the pod "train-0" does; wait until it has ended"#);
    sql(&world.url, "DELETE FROM storage_mounts").await;
    opened(&world, "ada", &claim).await;
}
