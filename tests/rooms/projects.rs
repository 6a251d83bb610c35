//! Projects: creating them, and who can see them.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

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
        (
            "updateProject",
            "mutation($detection: ID!) { updateProject(input: { projectId: $detection, description: \"new\" }) { project { id } } }",
        ),
        (
            "archiveProject",
            "mutation($detection: ID!) { archiveProject(input: { projectId: $detection }) { project { id } } }",
        ),
        (
            "restoreProject",
            "mutation($detection: ID!) { restoreProject(input: { projectId: $detection }) { project { id } } }",
        ),
        (
            "deleteProject",
            "mutation($detection: ID!) { deleteProject(input: { projectId: $detection, confirmName: \"detection\" }) { projectId } }",
        ),
    ],
    types: &[
        ("Project", By("query($detection: ID!) { project(id: $detection) { FIELD } }")),
        ("ProjectConnection", By("{ projects(filter: { names: [\"detection\"] }) { FIELD } }")),
        ("ProjectEdge", By("{ projects(filter: { names: [\"detection\"] }) { edges { FIELD } } }")),
        ("CreateProjectPayload", Below("createProject")),
        ("UpdateProjectPayload", Below("updateProject")),
        ("ArchiveProjectPayload", Below("archiveProject")),
        ("RestoreProjectPayload", Below("restoreProject")),
        ("DeleteProjectPayload", Below("deleteProject")),
        ("ProjectDeletion", By("query($detection: ID!) { project(id: $detection) { deletionPreview { FIELD } } }")),
        (
            "JobPhaseCount",
            By("query($detection: ID!) { project(id: $detection) { deletionPreview { jobs { FIELD } } } }"),
        ),
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

async fn project_id(world: &World, name: &str) -> Value {
    let query = format!("{{ projects(filter: {{ names: [\"{name}\"] }}) {{ nodes {{ id }} }} }}");
    world.ask("admin", &query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone()
}

const ARCHIVE: &str = "mutation($id: ID!) { archiveProject(input: { projectId: $id }) { project { state archivedAt viewerCanSubmitJob } } }";
const RESTORE: &str = "mutation($id: ID!) { restoreProject(input: { projectId: $id }) { project { state archivedAt viewerCanSubmitJob } } }";
const DELETE: &str =
    "mutation($id: ID!, $name: String!) { deleteProject(input: { projectId: $id, confirmName: $name }) { projectId } }";
const SUBMIT: &str = "mutation($id: ID!) { submitJob(input: { projectId: $id, source: { spec: { image: \"python:3.12\" } } }) { job { id } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_renames_a_project_and_what_is_omitted_stays() {
    let world = World::new().await;
    let update = "mutation($id: ID!, $name: String) { updateProject(input: { projectId: $id, name: $name }) { project { name description } } }";
    let detection = project_id(&world, "detection").await;
    let answer = world.ask("maya", update, json!({ "id": detection, "name": "boxes" })).await;
    insta::assert_snapshot!(answer["data"]["updateProject"], @r#"{"project":{"name":"boxes","description":"Boxes around things."}}"#);
    let taken = world.ask("maya", update, json!({ "id": detection, "name": "segmentation" })).await;
    insta::assert_snapshot!(errors(&taken), @r#"CONFLICT input.name: a project named "segmentation" already exists in this group"#);
    let refused = world.ask("ada", update, json!({ "id": detection, "name": "mine" })).await;
    insta::assert_snapshot!(errors(&refused), @"FORBIDDEN input.projectId: only managers and admins of the group can change its projects");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_archived_project_no_work_begins_until_it_is_restored() {
    let world = World::new().await;
    let id = json!({ "id": project_id(&world, "detection").await });
    let answer = world.ask("maya", ARCHIVE, id.clone()).await;
    let project = &answer["data"]["archiveProject"]["project"];
    assert!(project["archivedAt"].is_string(), "{answer}");
    assert_eq!((&project["state"], &project["viewerCanSubmitJob"]), (&json!("ARCHIVED"), &json!(false)));
    let config = "mutation($id: ID!) { createConfigFile(input: { projectId: $id, name: \"a.yaml\", message: \"a\",
        yaml: \"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\" }) { configFile { id } } }";
    for work in [SUBMIT, config] {
        let refused = world.ask("maya", work, id.clone()).await;
        assert_eq!(
            errors(&refused),
            "CONFLICT input.projectId: the project is archived; restore it first",
            "{refused}"
        );
    }
    let preview =
        "query($id: ID!) { previewJob(input: { projectId: $id, source: { spec: { image: \"python:3.12\" } } }) {
        admitted verdicts { rule problems { message } } } }";
    let preview = &world.ask("maya", preview, id.clone()).await["data"]["previewJob"];
    let verdict = preview["verdicts"].as_array().unwrap().iter().find(|verdict| verdict["rule"] == "PROJECT").unwrap();
    insta::assert_snapshot!(verdict, @r#"{"rule":"PROJECT","problems":[{"message":"the project is archived; restore it first"}]}"#);
    assert_eq!(preview["admitted"], false);
    let answer = world.ask("maya", RESTORE, id.clone()).await;
    insta::assert_snapshot!(answer["data"]["restoreProject"], @r#"{"project":{"state":"ACTIVE","archivedAt":null,"viewerCanSubmitJob":true}}"#);
    for work in [SUBMIT, config] {
        assert_eq!(errors(&world.ask("maya", work, id.clone()).await), "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_are_listed_by_their_state() {
    let world = World::new().await;
    world.ask("maya", ARCHIVE, json!({ "id": project_id(&world, "detection").await })).await;
    let list = |state: &str| format!("{{ projects(filter: {{ state: {state} }}) {{ nodes {{ name }} totalCount }} }}");
    let archived = world.ask("ada", &list("ARCHIVED"), json!({})).await;
    insta::assert_snapshot!(archived["data"]["projects"], @r#"{"nodes":[{"name":"detection"}],"totalCount":1}"#);
    let active = world.ask("ada", &list("ACTIVE"), json!({})).await;
    insta::assert_snapshot!(active["data"]["projects"], @r#"{"nodes":[{"name":"segmentation"}],"totalCount":1}"#);
    let all = world.ask("ada", "{ projects { totalCount } }", json!({})).await;
    assert_eq!(all["data"]["projects"]["totalCount"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_deleted_by_its_name_with_what_the_preview_showed() {
    let world = World::new().await;
    let running = "UPDATE jobs SET phase = 'RUNNING', finished_at = NULL WHERE name = 'train-large-batch'";
    sql(&world.url, &format!("{running}; UPDATE group_members SET role = 'ADMIN' FROM users WHERE users.id = user_id AND username = 'ada'")).await;
    let detection = project_id(&world, "detection").await;
    let preview =
        "query($id: ID!) { project(id: $id) { deletionPreview { jobs { phase count } unfinishedJobs configFiles } } }";
    let shown = world.ask("ada", preview, json!({ "id": detection })).await;
    insta::assert_snapshot!(shown["data"]["project"]["deletionPreview"], @r#"{"jobs":[{"phase":"RUNNING","count":1},{"phase":"SUCCEEDED","count":1}],"unfinishedJobs":1,"configFiles":2}"#);
    let delete =
        async |who: &str, name: &str| errors(&world.ask(who, DELETE, json!({ "id": detection, "name": name })).await);
    insta::assert_snapshot!(delete("maya", "detection").await, @"FORBIDDEN input.projectId: only admins of the group can delete its projects");
    insta::assert_snapshot!(delete("ada", "Detection").await, @r#"BAD_USER_INPUT input.confirmName: "Detection" is not the name "detection""#);
    insta::assert_snapshot!(delete("ada", "detection").await, @"CONFLICT input.projectId: the project has 1 job that has not finished; cancel them and wait until they have ended");
    sql(&world.url, "UPDATE jobs SET phase = 'CANCELLED', finished_at = now() WHERE name = 'train-large-batch'").await;
    assert_eq!(delete("ada", "detection").await, "");
    let left = world
        .ask("ada", "{ projects { nodes { name } } jobs { nodes { name } } configFiles { totalCount } }", json!({}))
        .await;
    insta::assert_snapshot!(left["data"], @r#"{"projects":{"nodes":[{"name":"segmentation"}]},"jobs":{"nodes":[{"name":"outline-cells"}]},"configFiles":{"totalCount":0}}"#);
    // The namespace goes later, and whoever removes it finds it here.
    let due = "DO $$ BEGIN ASSERT (SELECT count(*) FROM project_namespaces WHERE removing AND namespace LIKE 'proj-%') = 1; END $$";
    sql(&world.url, due).await;
}
