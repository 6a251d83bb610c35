//! Who may do what: every field and mutation of these rooms, asked as everybody, compared with the committed matrix.

use std::fmt::Write;

use serde_json::{Value, json};

use super::World;

/// Anonymous, a stranger to the group, a member, a manager, the platform admin.
const ACTORS: [&str; 5] = ["anonymous", "ben", "ada", "maya", "admin"];

/// An operation for each field of a root type, about things of the group vision.
fn operation(field: &str) -> Option<&'static str> {
    Some(match field {
        "viewer" => "{ viewer { id } }",
        "user" => "query($ada: ID!) { user(id: $ada) { id } }",
        "users" => "{ users { nodes { id } } }",
        "group" => "query($vision: ID!) { group(id: $vision) { id } }",
        "groups" => "{ groups { nodes { id } } }",
        "project" => "query($detection: ID!) { project(id: $detection) { id } }",
        "projects" => "{ projects { nodes { id } } }",
        "configFile" => "query($train: ID!) { configFile(id: $train) { id } }",
        "configFiles" => "{ configFiles { nodes { id } } }",
        "job" => "query($trained: ID!) { job(id: $trained) { id } }",
        "jobs" => "{ jobs { nodes { id } } }",
        "node" => "query($detection: ID!) { node(id: $detection) { id } }",
        "nodes" => "query($detection: ID!) { nodes(ids: [$detection]) { id } }",
        "rateLimit" => "{ rateLimit { remaining } }",
        "submitJob" => {
            "mutation($detection: ID!) { submitJob(input: { projectId: $detection, spec: { image: \"python:3.12\" } }) { job { id } } }"
        }
        "cancelJob" => "mutation($trained: ID!) { cancelJob(input: { id: $trained }) { job { id } } }",
        "login" => "mutation { login(input: { username: \"ada\", password: \"vision-member\" }) { expiresAt } }",
        "refreshSession" => "mutation { refreshSession(input: { refreshToken: \"none\" }) { expiresAt } }",
        "logout" => "mutation { logout { ended } }",
        "createGroup" => "mutation { createGroup(input: { name: \"new\" }) { group { id } } }",
        "createProject" => {
            "mutation($vision: ID!) { createProject(input: { groupId: $vision, name: \"new\" }) { project { id } } }"
        }
        "createConfigFile" => {
            "mutation($detection: ID!) { createConfigFile(input: { projectId: $detection, name: \"new\", yaml: \"{apiVersion: v1, kind: Pod}\" }) { commit { id } } }"
        }
        _ => return None,
    })
}

async fn ids(world: &World) -> Value {
    let query = "{ users(filter: { usernames: [\"ada\"] }) { nodes { id } } groups(filter: { names: [\"vision\"] }) { nodes { id } }
        projects(filter: { names: [\"detection\"] }) { nodes { id } } configFiles(filter: { names: [\"train.yaml\"] }) { nodes { id } } jobs(filter: { phases: [SUCCEEDED] }, last: 1) { nodes { id project { name } } } }";
    let answer = world.ask("admin", query, json!({})).await;
    let id = |list: &str| answer["data"][list]["nodes"][0]["id"].clone();
    json!({ "ada": id("users"), "vision": id("groups"), "detection": id("projects"), "train": id("configFiles"), "trained": id("jobs") })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_and_mutation_answers_as_the_matrix_says() {
    let world = World::new().await;
    let ids = ids(&world).await;
    let mut matrix = format!("{:<17}", "");
    ACTORS.iter().for_each(|actor| write!(matrix, "{actor:<16}").unwrap());
    for root in ["Query", "Mutation"] {
        for field in world.fields_of(root).await {
            let operation =
                operation(&field).unwrap_or_else(|| panic!("{root}.{field} has no operation here: who may do it?"));
            write!(matrix, "\n{field:<17}").unwrap();
            for actor in ACTORS {
                // What one actor makes is in nobody else's way.
                let fresh = if root == "Mutation" { Some(World::new().await) } else { None };
                let answer = fresh.as_ref().unwrap_or(&world).ask(actor, operation, ids.clone()).await;
                let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("ok");
                write!(matrix, "{code:<16}").unwrap();
            }
        }
    }
    let matrix: Vec<&str> = matrix.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(matrix.join("\n"));
}
