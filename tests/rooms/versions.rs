//! New versions of config files, and deleting config files.

use serde_json::{Value, json};

use super::{World, errors, sql};

/// A config file of the project detection, made by Maya.
struct File {
    world: World,
    project: Value,
    id: Value,
    first: Value,
}

const UPDATE: &str = "mutation($i: UpdateConfigFileInput!) { updateConfigFile(input: $i) {
    configFile { id name head { id } commits { totalCount } } commit { id yaml message parent { id } author { username } } } }";
const DELETE: &str = "mutation($id: ID!) { deleteConfigFile(input: { id: $id }) { configFileId } }";

fn pod(image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: one}}\nspec: {{containers: [{{name: main, image: {image}}}]}}\n"
    )
}

impl File {
    async fn new() -> Self {
        let world = World::new().await;
        let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
        let project = world.ask("maya", query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone();
        let create =
            "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { configFile { id } commit { id } } }";
        let input = json!({ "projectId": project, "name": "one.yaml", "yaml": pod("alpine:3.20") });
        let made = world.ask("maya", create, json!({ "i": input })).await["data"]["createConfigFile"].clone();
        Self { world, project, id: made["configFile"]["id"].clone(), first: made["commit"]["id"].clone() }
    }

    async fn update(&self, who: &str, parent: &Value, fields: Value) -> Value {
        let mut input = json!({ "id": self.id, "parentId": parent });
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.world.ask(who, UPDATE, json!({ "i": input })).await
    }

    /// The response with the IDs of versions as words.
    fn told(&self, answer: &Value, head: &Value) -> String {
        let told = errors(answer).replace(self.first.as_str().unwrap(), "FIRST");
        told.replace(head.as_str().unwrap_or("-"), "HEAD")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_is_a_new_version_whose_parent_is_the_one_before() {
    let file = File::new().await;
    let answer = file.update("maya", &file.first, json!({ "yaml": pod("alpine:3.21"), "message": "newer" })).await;
    let made = &answer["data"]["updateConfigFile"];
    assert_eq!(made["configFile"]["head"]["id"], made["commit"]["id"], "{answer}");
    assert_eq!(made["configFile"]["commits"]["totalCount"], 2);
    assert_eq!((&made["commit"]["yaml"], &made["commit"]["message"]), (&json!(pod("alpine:3.21")), &json!("newer")));
    assert_eq!((&made["commit"]["parent"]["id"], &made["commit"]["author"]["username"]), (&file.first, &json!("maya")));
    let restored = file.update("maya", &made["commit"]["id"], json!({ "yaml": pod("alpine:3.20") })).await;
    assert_eq!(restored["data"]["updateConfigFile"]["configFile"]["commits"]["totalCount"], 3, "{restored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_updates_of_the_same_version_one_is_a_conflict_that_names_the_latest() {
    let file = File::new().await;
    let (yamls, parent) = ([pod("alpine:3.21"), pod("alpine:3.22")], &file.first);
    let [one, two] = yamls.map(|yaml| file.update("maya", parent, json!({ "yaml": yaml })));
    let (one, two) = tokio::join!(one, two);
    let (made, refused) = if one["errors"].is_null() { (one, two) } else { (two, one) };
    let head = &made["data"]["updateConfigFile"]["commit"]["id"];
    assert!(head.is_string(), "{made}");
    insta::assert_snapshot!(file.told(&refused, head), @"CONFLICT input.parentId: FIRST is no longer the latest version of the config file; the latest one is HEAD");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_yaml_is_no_new_version_and_a_repeated_update_is_made_once() {
    let file = File::new().await;
    let same = file.update("maya", &file.first, json!({ "yaml": pod("alpine:3.20"), "message": "again" })).await;
    assert_eq!(same["data"]["updateConfigFile"]["commit"]["id"], file.first, "{same}");
    let fields = || json!({ "yaml": pod("alpine:3.21"), "message": "newer" });
    let made = file.update("maya", &file.first, fields()).await;
    let again = file.update("maya", &file.first, fields()).await;
    assert_eq!(again["data"], made["data"], "{again}");
    assert_eq!(again["data"]["updateConfigFile"]["configFile"]["commits"]["totalCount"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_file_is_renamed_without_a_new_version() {
    let file = File::new().await;
    let renamed = file.update("maya", &file.first, json!({ "name": "two.yaml" })).await;
    let made = &renamed["data"]["updateConfigFile"];
    assert_eq!((&made["configFile"]["name"], &made["commit"]["id"]), (&json!("two.yaml"), &file.first), "{renamed}");
    let taken = file.update("maya", &file.first, json!({ "name": "train.yaml" })).await;
    insta::assert_snapshot!(errors(&taken), @r#"CONFLICT input.name: a config file named "train.yaml" already exists in this project"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_invalid_field_of_an_update_is_reported() {
    let file = File::new().await;
    let fields = json!({ "yaml": "apiVersion: v1\nkind: Secret\n", "name": "No Name" });
    let told = errors(&file.update("maya", &json!("commit_x"), fields).await);
    assert!(told.contains("BAD_USER_INPUT input.parentId"), "{told}");
    assert!(told.contains("BAD_USER_INPUT input.name"), "{told}");
    assert!(told.contains("BAD_USER_INPUT input.yaml: document 1: line 2, column 1: the kind \"Secret\""), "{told}");
    let other = file
        .world
        .ask("maya", "{ configFiles(filter: { names: [\"train.yaml\"] }) { nodes { head { id } } } }", json!({}))
        .await;
    let other = &other["data"]["configFiles"]["nodes"][0]["head"]["id"];
    let told = file.update("maya", other, json!({ "yaml": pod("alpine:3.21") })).await;
    insta::assert_snapshot!(file.told(&told, other), @"BAD_USER_INPUT input.parentId: HEAD is not a version of the config file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_and_archived_projects_cannot_change_config_files() {
    let file = File::new().await;
    let refused = file.update("ada", &file.first, json!({ "yaml": pod("alpine:3.21") })).await;
    insta::assert_snapshot!(errors(&refused), @"FORBIDDEN input.id: only managers and admins of the group can change config files");
    let refused = file.world.ask("ada", DELETE, json!({ "id": file.id })).await;
    insta::assert_snapshot!(errors(&refused), @"FORBIDDEN input.id: only managers and admins of the group can delete config files");
    let query = "query($id: ID!) { configFile(id: $id) { viewerCanUpdate viewerCanDelete } }";
    let seen =
        async |who: &str| file.world.ask(who, query, json!({ "id": file.id })).await["data"]["configFile"].clone();
    assert_eq!(seen("ada").await, json!({ "viewerCanUpdate": false, "viewerCanDelete": false }));
    assert_eq!(seen("maya").await, json!({ "viewerCanUpdate": true, "viewerCanDelete": true }));
    sql(&file.world.url, "UPDATE projects SET archived_at = now() WHERE name = 'detection'").await;
    let refused = file.update("maya", &file.first, json!({ "yaml": pod("alpine:3.21") })).await;
    insta::assert_snapshot!(errors(&refused), @"CONFLICT input.id: the project is archived; restore it first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_config_file_is_only_shown_by_the_jobs_that_were_made_from_it() {
    let file = File::new().await;
    let submit = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }";
    let input = json!({ "projectId": file.project, "source": { "commitId": file.first } });
    let job = file.world.ask("maya", submit, json!({ "i": input })).await["data"]["submitJob"]["job"]["id"].clone();
    let deleted = file.world.ask("maya", DELETE, json!({ "id": file.id })).await;
    assert_eq!(deleted["data"]["deleteConfigFile"]["configFileId"], file.id, "{deleted}");

    let query = "query($job: ID!) { job(id: $job) { manifest commit { id yaml configFile { name deletedAt viewerCanUpdate } } } }";
    let answer = file.world.ask("ada", query, json!({ "job": job })).await;
    let shown = &answer["data"]["job"];
    assert_eq!(
        (&shown["commit"]["id"], &shown["commit"]["yaml"]),
        (&file.first, &json!(pod("alpine:3.20"))),
        "{answer}"
    );
    assert!(shown["commit"]["configFile"]["deletedAt"].is_string() && shown["manifest"].is_object(), "{answer}");
    assert_eq!(shown["commit"]["configFile"]["viewerCanUpdate"], false);

    let all = "query($p: ID!, $file: ID!, $commit: ID!) {
        configFiles(filter: { names: [\"one.yaml\"] }) { totalCount nodes { id } }
        project(id: $p) { configFiles(filter: { names: [\"one.yaml\"] }) { totalCount } deletionPreview { configFiles } }
        nodes(ids: [$file, $commit]) { id } configFile(id: $file) { id } }";
    let answer = file.world.ask("maya", all, json!({ "p": file.project, "file": file.id, "commit": file.first })).await;
    let seen = &answer["data"];
    assert_eq!(seen["configFiles"], json!({ "totalCount": 0, "nodes": [] }), "{answer}");
    assert_eq!(seen["project"]["configFiles"]["totalCount"], 0);
    assert_eq!((&seen["nodes"], &seen["configFile"]), (&json!([null, null]), &Value::Null));

    let input = json!({ "projectId": file.project, "source": { "commitId": file.first } });
    let told = file.told(&file.world.ask("maya", submit, json!({ "i": input })).await, &file.first);
    insta::assert_snapshot!(told, @r#"NOT_FOUND input.source.commitId: commit "FIRST" not found"#);
    let again = file.world.ask("maya", DELETE, json!({ "id": file.id })).await;
    assert!(errors(&again).starts_with("NOT_FOUND input.id: "), "{again}");
    let create = "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { configFile { id } } }";
    let input = json!({ "projectId": file.project, "name": "one.yaml", "yaml": pod("alpine:3.20") });
    let reused = file.world.ask("maya", create, json!({ "i": input })).await;
    assert!(reused["errors"].is_null(), "{reused}");
}
