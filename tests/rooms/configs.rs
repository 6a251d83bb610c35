//! Config files: making them from YAML, good and bad, and reading their versions.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors};

/// Who sees what of config files: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[
        ("configFile", "query($train: ID!) { configFile(id: $train) { id } }"),
        ("configFiles", "{ configFiles { nodes { id } } }"),
        (
            "createConfigFile",
            "mutation($detection: ID!) { createConfigFile(input: { projectId: $detection, name: \"new\", yaml: \"{apiVersion: v1, kind: ConfigMap}\" }) { commit { id } } }",
        ),
        (
            "updateConfigFile",
            "mutation($train: ID!, $commit: ID!) { updateConfigFile(input: { id: $train, parentId: $commit, yaml: \"{apiVersion: v1, kind: ConfigMap}\" }) { commit { id } } }",
        ),
        ("deleteConfigFile", "mutation($train: ID!) { deleteConfigFile(input: { id: $train }) { configFileId } }"),
    ],
    types: &[
        ("ConfigFile", By("query($train: ID!) { configFile(id: $train) { FIELD } }")),
        ("ConfigCommit", By("query($commit: ID!) { node(id: $commit) { ... on ConfigCommit { FIELD } } }")),
        ("ConfigFileConnection", By("{ configFiles(filter: { names: [\"train.yaml\"] }) { FIELD } }")),
        ("ConfigFileEdge", By("{ configFiles(filter: { names: [\"train.yaml\"] }) { edges { FIELD } } }")),
        ("ConfigCommitConnection", By("query($train: ID!) { configFile(id: $train) { commits { FIELD } } }")),
        ("ConfigCommitEdge", By("query($train: ID!) { configFile(id: $train) { commits { edges { FIELD } } } }")),
        ("CreateConfigFilePayload", Below("createConfigFile")),
        ("UpdateConfigFilePayload", Below("updateConfigFile")),
        ("DeleteConfigFilePayload", Below("deleteConfigFile")),
    ],
};

const CREATE: &str = "mutation($input: CreateConfigFileInput!) { createConfigFile(input: $input) {
    configFile { name head { id } commits { totalCount } } commit { id kinds yaml sha256 message parent { id } author { username } } } }";
const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: one\nspec:\n  containers: [{name: main, image: alpine:3.20}]\n";

async fn create(world: &World, who: &str, name: &str, yaml: &str) -> Value {
    let answer =
        world.ask("admin", "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }", json!({})).await;
    let project = &answer["data"]["projects"]["nodes"][0]["id"];
    let input = json!({ "projectId": project, "name": name, "yaml": yaml, "message": "first" });
    world.ask(who, CREATE, json!({ "input": input })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_makes_a_config_file_and_its_first_version_is_its_head() {
    let world = World::new().await;
    let answer = create(&world, "maya", "one.yaml", POD).await;
    let made = &answer["data"]["createConfigFile"];
    assert_eq!(made["configFile"]["head"]["id"], made["commit"]["id"]);
    assert_eq!(made["configFile"]["commits"]["totalCount"], 1);
    assert_eq!(made["commit"]["yaml"], POD);
    assert_eq!(made["commit"]["kinds"], json!(["POD"]));
    assert_eq!(made["commit"]["parent"], Value::Null);
    assert_eq!(made["commit"]["author"]["username"], "maya");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_files_with_the_same_yaml_share_it() {
    let world = World::new().await;
    let first = create(&world, "maya", "one.yaml", POD).await;
    let second = create(&world, "maya", "two.yaml", POD).await;
    let hash = |answer: &Value| answer["data"]["createConfigFile"]["commit"]["sha256"].clone();
    assert_eq!(hash(&first), hash(&second));
    assert_eq!(hash(&first).as_str().unwrap().len(), 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn yaml_that_does_not_parse_is_told_with_its_place() {
    let world = World::new().await;
    let answer = create(&world, "maya", "Bad Name", "apiVersion: v1\nkind: [Pod\n").await;
    let told = errors(&answer);
    assert!(told.contains("BAD_USER_INPUT input.name: \"Bad Name\" is not a valid name"), "{told}");
    assert!(told.contains("BAD_USER_INPUT input.yaml: the YAML cannot be read: line "), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_not_allowed_is_refused() {
    let world = World::new().await;
    let answer = create(&world, "maya", "secret.yaml", "apiVersion: v1\nkind: Secret\n").await;
    insta::assert_snapshot!(errors(&answer), @r#"BAD_USER_INPUT input.yaml: document 1: line 2, column 1: the kind "Secret" is not allowed; the allowed kinds are Pod, Service, Deployment, ConfigMap, Ingress, Job, CronJob, FlashJob, Workflow, PersistentVolumeClaim"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_megabytes_are_refused_with_the_limit() {
    let world = World::new().await;
    let answer = create(&world, "maya", "large.yaml", &"a".repeat(10_000_000)).await;
    insta::assert_snapshot!(errors(&answer), @"BAD_USER_INPUT input.yaml: the YAML has 10000000 bytes; at most 1048576 are allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_taken_once_and_a_member_may_not_make_files() {
    let world = World::new().await;
    let answer = create(&world, "maya", "train.yaml", POD).await;
    insta::assert_snapshot!(errors(&answer), @r#"CONFLICT input.name: a config file named "train.yaml" already exists in this project"#);
    let answer = create(&world, "ada", "mine.yaml", POD).await;
    insta::assert_snapshot!(errors(&answer), @"FORBIDDEN input.projectId: only managers and admins of the group can create config files");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_found_by_its_id_by_those_who_see_its_project() {
    let world = World::new().await;
    let answer = create(&world, "maya", "one.yaml", POD).await;
    let id = &answer["data"]["createConfigFile"]["commit"]["id"];
    let node = "query($id: ID!) { node(id: $id) { id ... on ConfigCommit { message } } }";
    let found = world.ask("ada", node, json!({ "id": id })).await;
    assert_eq!(found["data"]["node"], json!({ "id": id, "message": "first" }));
    let hidden = world.ask("ben", node, json!({ "id": id })).await;
    assert_eq!(hidden["data"]["node"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_field_and_what_is_no_string_is_told_when_the_file_is_made() {
    let world = World::new().await;
    let yaml =
        format!("{POD}  restartpolicy: Never\n").replace("image: alpine:3.20", "image: a, comand: [b], args: [yes]");
    let answer = create(&world, "maya", "typo.yaml", &yaml).await;
    insta::assert_snapshot!(errors(&answer).replace("BAD_USER", "\nBAD_USER"), @r#"

    BAD_USER_INPUT input.yaml: document 1, Pod/one: line 6, column 39: spec.containers[0].comand is not a field of a container; did you mean "command"?

    BAD_USER_INPUT input.yaml: document 1, Pod/one: line 6, column 59: spec.containers[0].args[0] was true (written yes); it must be a string: put it in quotes

    BAD_USER_INPUT input.yaml: document 1, Pod/one: line 7, column 3: spec.restartpolicy is not a field of a pod spec; did you mean "restartPolicy"?
    "#);
    let octal = "  volumes: [{name: c, configMap: {name: x, defaultMode: 0644}}]\n";
    let answer = create(&world, "maya", "octal.yaml", &format!("{POD}{octal}")).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_saved_is_admitted_as_it_was_read() {
    let world = World::new().await;
    let preview = async |name: &str, yaml: &str| {
        let answer = create(&world, "maya", name, yaml).await;
        let commit = &answer["data"]["createConfigFile"]["commit"]["id"];
        assert!(commit.is_string(), "{answer}");
        let project =
            world.ask("admin", "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }", json!({})).await;
        let input =
            json!({ "projectId": project["data"]["projects"]["nodes"][0]["id"], "source": { "commitId": commit } });
        let query = "mutation($i: SubmitJobInput!) { previewJob(input: $i) { preview { admitted manifests verdicts { rule problems { message } } } } }";
        let answer = world.ask("maya", query, json!({ "i": input })).await;
        let preview = answer["data"]["previewJob"]["preview"].clone();
        assert_eq!(preview["admitted"], true, "{answer}");
        preview["manifests"][0]["spec"]["tasks"].clone()
    };
    let template = "template: {spec: {containers: [{name: main, image: python:3.12, args: ['yes']}], volumes: [{name: s, emptyDir: {}}, {name: c, configMap: {name: x, defaultMode: 0644}}]}}";
    let indexed = format!(
        "apiVersion: batch/v1\nkind: Job\nspec: {{completionMode: Indexed, completions: 2, parallelism: 2, {template}}}"
    );
    let tasks = preview("indexed.yaml", &indexed).await;
    assert_eq!(tasks[1]["spec"]["volumes"][1]["configMap"]["defaultMode"], 420);
    assert_eq!(tasks[1]["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"], "1");
    assert_eq!(tasks[1]["spec"]["containers"][0]["env"], json!([{ "name": "JOB_COMPLETION_INDEX", "value": "1" }]));
    let gang = format!(
        "apiVersion: scheduling.flash-sched.io/v1alpha1\nkind: FlashJob\nspec:\n  minAvailable: 128\n  tasks:\n  - &w {{spec: {{containers: [{{name: main, image: python:3.12}}]}}}}\n{}",
        "  - *w\n".repeat(127)
    );
    assert_eq!(preview("gang.yaml", &gang).await.as_array().unwrap().len(), 128);
}
