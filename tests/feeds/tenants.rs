//! Open subscriptions when the members, the limits and the projects of a group change.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{JOB, Socket, Stage};
use crate::support::session::Session;

const VISION: &str =
    "{ groups(filter: { names: [\"vision\"] }) { nodes { id members { nodes { id user { username } } } } } }";

async fn vision(who: &Session) -> Value {
    who.ask(VISION, json!({})).await["groups"]["nodes"][0].clone()
}

/// The ID of somebody's membership in vision.
async fn membership(who: &Session, username: &str) -> Value {
    let group = vision(who).await;
    let members = group["members"]["nodes"].as_array().unwrap();
    members.iter().find(|member| member["user"]["username"] == username).unwrap()["id"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_from_a_group_hears_no_more_of_it() {
    let stage = Stage::set().await;
    let (admin, ada) = (stage.log_in("admin").await, stage.log_in("ada").await);
    let (group, membership) = (vision(&admin).await["id"].clone(), membership(&admin, "ada").await);
    let mut socket = Socket::open(&ada).await;
    socket.subscribe("all", json!({}), None).await;
    socket.subscribe("named", json!({ "groupId": group }), None).await;
    let remove = "mutation($id: ID!) { removeGroupMember(input: { membershipId: $id }) { membershipId } }";
    let (_, told) = tokio::join!(admin.ask(remove, json!({ "id": membership })), socket.word());
    assert_eq!((&told["type"], &told["id"]), (&json!("error"), &json!("named")), "{told}");
    assert_eq!(told["payload"][0]["extensions"]["code"], "NOT_FOUND", "{told}");
    // The other one goes on, and has nothing to tell although it has come as far.
    let seq = stage.tell(JOB, "QUEUED", "RUNNING").await;
    socket.until_pinged("all", seq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_added_to_a_group_hears_of_it_from_then_on() {
    let stage = Stage::set().await;
    let (admin, ben) = (stage.log_in("admin").await, stage.log_in("ben").await);
    let group = vision(&admin).await["id"].clone();
    let mut socket = Socket::open(&ben).await;
    socket.subscribe("all", json!({}), None).await;
    let before = stage.tell(JOB, "SUBMITTED", "QUEUED").await;
    socket.until_pinged("all", before).await;
    let add =
        "mutation($id: ID!) { addGroupMembers(input: { groupId: $id, usernames: [\"ben\"] }) { results { outcome } } }";
    // The change of his rights and the event come to him each in its own way.
    let happens = async {
        let added = admin.ask(add, json!({ "id": group })).await;
        assert_eq!(added["addGroupMembers"]["results"][0]["outcome"], "ADDED");
        loop {
            stage.tell(JOB, "QUEUED", "RUNNING").await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let told = tokio::select! {
        () = happens => Value::Null,
        told = socket.word() => told,
    };
    assert_eq!(told["payload"]["data"]["jobEvents"]["phase"], "RUNNING", "{told}");
}

const USAGE: &str =
    "subscription($id: ID!) { quotaUsage(projectId: $id) { resources { resource limit used reserved } } }";

/// The line of a resource in a message.
fn line(told: &Value, resource: &str) -> String {
    let lines = told["payload"]["data"]["quotaUsage"]["resources"].as_array().unwrap_or_else(|| panic!("{told}"));
    let line = lines.iter().find(|line| line["resource"] == resource).unwrap();
    ["limit", "used", "reserved"].map(|part| line[part].as_str().unwrap_or("-").to_owned()).join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_usage_of_a_project_comes_first_and_again_after_each_change_until_the_project_is_gone() {
    let stage = Stage::set().await;
    let (admin, ada) = (stage.log_in("admin").await, stage.log_in("ada").await);
    let id = json!({ "id": ada.project().await });
    let mut socket = Socket::open(&ada).await;
    socket.subscribe_to("1", USAGE, id.clone()).await;
    assert_eq!(line(&socket.word().await, "JOBS"), "- 0 0");

    stage.execute("UPDATE jobs SET phase = 'RUNNING', finished_at = NULL WHERE name = 'train-large-batch'").await;
    stage.tell(JOB, "QUEUED", "RUNNING").await;
    assert_eq!(line(&socket.word().await, "JOBS"), "- 1 0");

    let set =
        "mutation($id: ID!) { setProjectLimits(input: { projectId: $id, concurrentJobs: 4 }) { project { id } } }";
    admin.ask(set, id.clone()).await;
    assert_eq!(line(&socket.word().await, "JOBS"), "4 1 0");

    stage.execute("UPDATE jobs SET phase = 'FAILED', finished_at = now() WHERE name = 'train-large-batch'").await;
    stage.tell(JOB, "RUNNING", "FAILED").await;
    assert_eq!(line(&socket.word().await, "JOBS"), "4 0 0");

    let delete =
        "mutation($id: ID!) { deleteProject(input: { projectId: $id, confirmName: \"detection\" }) { projectId } }";
    admin.ask(delete, id).await;
    let told = socket.word().await;
    assert_eq!(told["payload"][0]["extensions"]["code"], "NOT_FOUND", "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_of_a_project_ends_when_the_project_is_deleted() {
    let stage = Stage::set().await;
    let admin = stage.log_in("admin").await;
    let project = admin.ask("{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }", json!({})).await;
    let id = json!({ "id": project["projects"]["nodes"][0]["id"] });
    let mut socket = Socket::open(&admin).await;
    socket.subscribe("all", json!({}), None).await;
    socket.subscribe("named", json!({ "projectId": id["id"] }), None).await;
    stage.execute("UPDATE jobs SET phase = 'FAILED', finished_at = now() WHERE finished_at IS NULL").await;
    let delete =
        "mutation($id: ID!) { deleteProject(input: { projectId: $id, confirmName: \"detection\" }) { projectId } }";
    let (_, told) = tokio::join!(admin.ask(delete, id), socket.word());
    assert_eq!((&told["type"], &told["id"]), (&json!("error"), &json!("named")), "{told}");
    let extensions = &told["payload"][0]["extensions"];
    assert_eq!(
        (&extensions["code"], &extensions["field"]),
        (&json!("NOT_FOUND"), &json!("filter.projectId")),
        "{told}"
    );
}
