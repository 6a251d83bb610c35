//! Projects: creating them, and who can see them.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors};

/// Who sees what of projects: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[
        ("project", "query($detection: ID!) { project(id: $detection) { id } }"),
        ("projects", "{ projects { nodes { id } } }"),
        (
            "createProject",
            "mutation($vision: ID!) { createProject(input: { groupId: $vision, name: \"new\" }) { project { id } } }",
        ),
    ],
    types: &[
        ("Project", By("query($detection: ID!) { project(id: $detection) { FIELD } }")),
        ("ProjectConnection", By("{ projects(filter: { names: [\"detection\"] }) { FIELD } }")),
        ("ProjectEdge", By("{ projects(filter: { names: [\"detection\"] }) { edges { FIELD } } }")),
        ("CreateProjectPayload", Below("createProject")),
    ],
};

const CREATE: &str = "mutation($input: CreateProjectInput!) { createProject(input: $input) { project { id name namespace group { name } } } }";

async fn group_id(world: &World, name: &str) -> Value {
    let query = format!("{{ groups(filter: {{ names: [\"{name}\"] }}) {{ nodes {{ id }} }} }}");
    let answer = world.ask("admin", &query, json!({})).await;
    answer["data"]["groups"]["nodes"][0]["id"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_makes_a_project_with_a_namespace_that_follows_from_its_id() {
    let world = World::new().await;
    let input = json!({ "input": { "groupId": group_id(&world, "vision").await, "name": "tracking" } });
    let answer = world.ask("maya", CREATE, input).await;
    let project = &answer["data"]["createProject"]["project"];
    assert_eq!(project["group"]["name"], "vision");
    let id = project["id"].as_str().unwrap().strip_prefix("project_").unwrap();
    assert_eq!(project["namespace"], format!("proj-{id}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_may_not_and_a_stranger_is_told_that_there_is_no_such_group() {
    let world = World::new().await;
    let group = group_id(&world, "vision").await;
    let input = json!({ "input": { "groupId": group, "name": "tracking" } });
    let answer = world.ask("ada", CREATE, input.clone()).await;
    insta::assert_snapshot!(errors(&answer), @"FORBIDDEN input.groupId: only managers and admins of the group can create projects in it");
    let answer = world.ask("ben", CREATE, input).await;
    insta::assert_snapshot!(errors(&answer).replace(group.as_str().unwrap(), "<group>"), @r#"NOT_FOUND input.groupId: group "<group>" not found"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_taken_in_its_group_only() {
    let world = World::new().await;
    let create = async |group: &str| {
        let input = json!({ "input": { "groupId": group_id(&world, group).await, "name": "detection" } });
        errors(&world.ask("admin", CREATE, input).await)
    };
    assert_eq!(create("language").await, "");
    insta::assert_snapshot!(create("vision").await, @r#"CONFLICT input.name: a project named "detection" already exists in this group"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_another_kind_is_refused_before_anything_happens() {
    let world = World::new().await;
    let input = json!({ "input": { "groupId": "user_01h455vb4pex5vsknk084sn02q", "name": "tracking" } });
    let answer = world.ask("admin", CREATE, input).await;
    let message = errors(&answer);
    assert!(message.contains("is not a group id"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_are_found_by_group_and_name() {
    let world = World::new().await;
    let query = "query($group: ID) { projects(filter: { groupId: $group }, orderBy: { field: NAME, direction: DESC }) { nodes { name } } }";
    let answer = world.ask("maya", query, json!({ "group": group_id(&world, "vision").await })).await;
    insta::assert_snapshot!(answer["data"]["projects"], @r#"{"nodes":[{"name":"segmentation"},{"name":"detection"}]}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mutation_of_an_operation_shows_what_the_ones_before_it_changed() {
    let world = World::new().await;
    let group = group_id(&world, "vision").await;
    let made = |alias: &str, name: &str| {
        format!(
            "{alias}: createProject(input: {{ groupId: $group, name: \"{name}\" }}) {{
                project {{ name group {{ projects {{ totalCount nodes {{ name }} }} }} }}
            }}"
        )
    };
    let query = format!("mutation($group: ID!) {{ {} {} }}", made("first", "one-more"), made("second", "and-another"));
    let answer = world.ask("maya", &query, json!({ "group": group })).await;
    for (alias, names) in [("first", vec!["one-more"]), ("second", vec!["one-more", "and-another"])] {
        let projects = &answer["data"][alias]["project"]["group"]["projects"];
        let nodes = projects["nodes"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let shown = |name: &&str| nodes.iter().any(|node| node["name"] == **name);
        assert!(names.iter().all(shown), "{alias} shows {projects}");
        assert_eq!(projects["totalCount"], nodes.len(), "{alias}");
    }
}
