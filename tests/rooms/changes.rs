//! What every mutation records: an entry in the audit log in the transaction of the change, and the use of its
//! idempotency key.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::NoTls;

use super::{World, errors, sql};

async fn query(world: &World, statement: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(world.url.expose(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query(statement, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Who did what to which kind of thing, in order.
async fn audited(world: &World) -> String {
    let entries = "SELECT concat_ws(' ', username, action, split_part(subject, '_', 1),
                          detail - 'group' - 'project')
                   FROM audit_log JOIN users ON users.id = actor_id WHERE action <> 'login' ORDER BY audit_log.id";
    query(world, entries).await.join("\n")
}

async fn done(world: &World, username: &str, mutation: &str, variables: Value) -> Value {
    let answer = world.ask(username, mutation, variables).await;
    assert!(answer["errors"].is_null(), "{answer}");
    answer["data"].clone()
}

async fn id_of(world: &World, statement: &str) -> Value {
    let answer = world.ask("admin", statement, json!({})).await;
    answer["data"]["found"]["nodes"][0]["id"].clone()
}

async fn detection(world: &World) -> Value {
    id_of(world, r#"{ found: projects(filter: { names: ["detection"] }) { nodes { id } } }"#).await
}

const CANCEL: &str = "mutation($id: ID!) { cancelJob(input: { id: $id, reason: \"enough\" }) { job { id } } }";
const SUBMIT: &str = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mutation_leaves_one_entry_that_says_who_did_what() {
    let world = World::new().await;
    let project = detection(&world).await;
    let vision = id_of(&world, r#"{ found: groups(filter: { names: ["vision"] }) { nodes { id } } }"#).await;
    done(&world, "admin", r#"mutation { createGroup(input: { name: "robots" }) { group { id } } }"#, json!({})).await;
    let create = "mutation($i: CreateProjectInput!) { createProject(input: $i) { project { id } } }";
    done(&world, "maya", create, json!({ "i": { "groupId": vision, "name": "arms" } })).await;
    let create =
        "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { commit { id configFile { id } } } }";
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    let made = json!({ "i": { "projectId": project, "name": "c.yaml", "yaml": yaml } });
    let made = done(&world, "maya", create, made).await["createConfigFile"]["commit"].take();
    let file = &made["configFile"]["id"];
    let update = "mutation($i: UpdateConfigFileInput!) { updateConfigFile(input: $i) { commit { id } } }";
    let input = json!({ "id": file, "parentId": made["id"], "name": "d.yaml", "yaml": format!("{yaml}data: {{}}\n") });
    done(&world, "maya", update, json!({ "i": input })).await;
    let delete = "mutation($id: ID!) { deleteConfigFile(input: { id: $id }) { configFileId } }";
    done(&world, "maya", delete, json!({ "id": file })).await;
    let input = json!({ "i": { "projectId": project, "source": { "spec": { "image": "python:3.12" } } } });
    let job = done(&world, "ada", SUBMIT, input).await["submitJob"]["job"]["id"].take();
    done(&world, "ada", CANCEL, json!({ "id": job })).await;
    done(&world, "ada", "mutation { logout { ended } }", json!({})).await;
    insta::assert_snapshot!(audited(&world).await, @r#"
    admin createGroup group {"name": "robots"}
    maya createProject project {"name": "arms"}
    maya createConfigFile config {"name": "c.yaml"}
    maya updateConfigFile config {"name": "d.yaml"}
    maya deleteConfigFile config {"name": "d.yaml"}
    ada submitJob job {"queue": "default-batch"}
    ada cancelJob job {"reason": "enough"}
    ada logout session {}
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_or_was_done_before_leaves_no_entry() {
    let world = World::new().await;
    let refused =
        world.ask("ada", r#"mutation { createGroup(input: { name: "robots" }) { group { id } } }"#, json!({})).await;
    assert!(errors(&refused).starts_with("FORBIDDEN"), "{refused}");
    let taken =
        world.ask("admin", r#"mutation { createGroup(input: { name: "vision" }) { group { id } } }"#, json!({})).await;
    assert!(errors(&taken).starts_with("CONFLICT input.name"), "{taken}");
    let project = detection(&world).await;
    let input = json!({ "i": { "projectId": project, "idempotencyKey": "k", "source": { "spec": { "image": "python:3.12" } } } });
    let mut job = Value::Null;
    for _ in 0..2 {
        job = done(&world, "ada", SUBMIT, input.clone()).await["submitJob"]["job"]["id"].take();
    }
    for _ in 0..2 {
        done(&world, "ada", CANCEL, json!({ "id": job })).await;
    }
    let told = "SELECT payload ->> 'kind' FROM events WHERE kind = 'job' AND payload ->> 'kind' = 'CANCEL_REQUESTED'";
    assert_eq!(query(&world, told).await.len(), 1);
    insta::assert_snapshot!(audited(&world).await, @r#"
    ada submitJob job {"queue": "default-batch"}
    ada cancelJob job {"reason": "enough"}
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_cannot_be_audited_is_not_made() {
    let world = World::new().await;
    let admin = world.caller("admin").await;
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
                  CREATE TRIGGER refuse BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse()";
    sql(&world.url, refuse).await;
    let create = r#"mutation { createGroup(input: { name: "robots" }) { group { id } } }"#;
    let answer = world.ask_as(admin.clone(), create, json!({})).await;
    assert!(errors(&answer).starts_with("INTERNAL"), "{answer}");
    assert!(query(&world, "SELECT name FROM groups WHERE name = 'robots'").await.is_empty());
    // The connection that was in the middle of it is good again.
    let answer = world.ask_as(admin, "{ groups { totalCount } }", json!({})).await;
    assert!(answer["errors"].is_null(), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_the_same_input_however_it_is_written_and_is_forgotten_after_a_day() {
    let world = World::new().await;
    let project = detection(&world).await;
    let submit = async |fields: &str| {
        let mutation = format!(
            r#"mutation($p: ID!) {{ submitJob(input: {{ projectId: $p, idempotencyKey: "k", {fields} }}) {{ job {{ id }} }} }}"#
        );
        done(&world, "ada", &mutation, json!({ "p": project })).await["submitJob"]["job"]["id"].take()
    };
    let first =
        submit(r#"name: "train", queue: null, source: { spec: { image: "python:3.12", command: ["a"] } }"#).await;
    assert_eq!(submit(r#"source: { spec: { command: ["a"], image: "python:3.12" } }, name: "train""#).await, first);

    sql(&world.url, "UPDATE idempotency_keys SET created_at = now() - interval '23 hours'").await;
    let forgetting = tokio::spawn(platform::change::forget_old_keys(world.db.clone()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(query(&world, "SELECT key FROM idempotency_keys").await, ["k"]);
    forgetting.abort();

    sql(&world.url, "UPDATE idempotency_keys SET created_at = now() - interval '25 hours'").await;
    let forgetting = tokio::spawn(platform::change::forget_old_keys(world.db.clone()));
    let forgotten = async { while !query(&world, "SELECT key FROM idempotency_keys").await.is_empty() {} };
    tokio::time::timeout(Duration::from_secs(20), forgotten).await.unwrap();
    forgetting.abort();
    assert_ne!(submit(r#"name: "train", source: { spec: { image: "python:3.12", command: ["a"] } }"#).await, first);
}

/// The fields that the last entry of an action says were changed, each with its values before and after.
async fn changed(world: &World, action: &str) -> String {
    let query = "query($a: String!) { auditLog(first: 1, filter: { actions: [$a] }) { nodes { changes { field before after } } } }";
    let answer = world.ask("admin", query, json!({ "a": action })).await;
    let changes = answer["data"]["auditLog"]["nodes"][0]["changes"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let line =
        |change: &Value| format!("{}: {} -> {}", change["field"].as_str().unwrap(), change["before"], change["after"]);
    format!("{action}\n{}", changes.iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mutation_of_something_that_exists_records_its_values_before_and_after() {
    let world = World::new().await;
    let project = detection(&world).await;
    let vision = id_of(&world, r#"{ found: groups(filter: { names: ["vision"] }) { nodes { id } } }"#).await;
    let ada = id_of(&world, r#"{ found: users(filter: { usernames: ["ada"] }) { nodes { id } } }"#).await;
    let members = "query($g: ID!) { group(id: $g) { members(filter: { search: \"ada\" }) { nodes { id } } } }";
    let membership = world.ask("admin", members, json!({ "g": vision })).await;
    let membership = membership["data"]["group"]["members"]["nodes"][0]["id"].clone();
    sql(&world.url, "DELETE FROM project_quotas").await;
    let ids = json!({ "p": project, "g": vision, "u": ada, "m": membership });
    let mut lines = Vec::new();
    for (who, action, fields) in [
        ("admin", "updateGroup", "groupId: $g, description: \"eyes\""),
        ("admin", "setGroupLimits", "groupId: $g, maxMembers: 9"),
        ("admin", "setGroupRole", "membershipId: $m, role: MANAGER"),
        ("maya", "updateProject", "projectId: $p, name: \"found\""),
        ("maya", "setProjectLimits", "projectId: $p, cpu: \"1\", queuedJobs: 3"),
        (
            "maya",
            "setProjectSchedule",
            "projectId: $p, timeZone: \"Etc/UTC\", windows: [{ weekday: MONDAY, from: \"08:00\", to: \"18:00\" }]",
        ),
        ("maya", "archiveProject", "projectId: $p"),
        ("admin", "updateUser", "id: $u, displayName: \"A. Hart\", platformRole: ADMIN"),
        ("ada", "updateUserSettings", "theme: DARK, notifications: { jobEnded: false }"),
        ("ada", "changePassword", "currentPassword: \"vision-member\", newPassword: \"a fresh start 7\""),
        ("admin", "removeGroupMember", "membershipId: $m"),
        ("admin", "disableUser", "id: $u"),
        ("admin", "enableUser", "id: $u"),
        ("admin", "deleteUser", "id: $u, username: \"ada\""),
    ] {
        let declared: Vec<_> =
            ["p", "g", "u", "m"].into_iter().filter(|name| fields.contains(&format!("${name}"))).collect();
        let parameters = declared.iter().map(|name| format!("${name}: ID!")).collect::<Vec<_>>().join(", ");
        let parameters = if parameters.is_empty() { parameters } else { format!("({parameters})") };
        let mutation = format!("mutation{parameters} {{ {action}(input: {{ {fields} }}) {{ __typename }} }}");
        let variables: serde_json::Map<_, _> =
            declared.iter().map(|name| ((*name).to_owned(), ids[*name].clone())).collect();
        done(&world, who, &mutation, variables.into()).await;
        lines.push(changed(&world, action).await);
    }
    let time = regex::Regex::new(r#""20\d\d-[^"]*""#).unwrap();
    insta::assert_snapshot!(time.replace_all(&lines.join("\n"), "TIME"), @r#"
    updateGroup
    description: "Detects and segments things in pictures." -> "eyes"
    setGroupLimits
    maxMembers: null -> 9
    setGroupRole
    role: "MEMBER" -> "MANAGER"
    updateProject
    name: "detection" -> "found"
    setProjectLimits
    cpuMillis: null -> 1000
    queuedJobs: null -> 3
    setProjectSchedule
    schedule: null -> {"outside":"WAIT","windows":["Mon 08:00-18:00"],"timeZone":"Etc/UTC"}
    archiveProject
    archivedAt: null -> TIME
    updateUser
    displayName: "Ada Hart" -> "A. Hart"
    platformRole: "USER" -> "ADMIN"
    updateUserSettings
    muted: [] -> ["JOB_ENDED"]
    theme: "SYSTEM" -> "DARK"
    changePassword
    password: "[removed]" -> "[removed]"
    removeGroupMember
    role: "MANAGER" -> null
    disableUser
    state: "ACTIVE" -> "DISABLED"
    enableUser
    state: "DISABLED" -> "ACTIVE"
    deleteUser
    state: "ACTIVE" -> "DELETED"
    "#);
}
