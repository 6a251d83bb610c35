//! What the API tells a user interface: what the viewer can do, what a job runs, what a project has left.

use serde_json::{Value, json};

use super::permissions::Reached::By;
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees the limits: the ways to them.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[("limits", "{ limits { maxDepth } }")],
    types: &[
        ("Limits", By("{ limits { FIELD } }")),
        ("ProjectQuota", By("query($detection: ID!) { project(id: $detection) { quota { FIELD } } }")),
        ("JobSpec", By("query($ended: ID!) { job(id: $ended) { spec { FIELD } } }")),
        ("EnvVar", By("query($ended: ID!) { job(id: $ended) { spec { env { FIELD } } } }")),
        ("JobResources", By("query($ended: ID!) { job(id: $ended) { spec { resources { FIELD } } } }")),
    ],
};

/// An answer with one line for each person who asks.
async fn told(world: &World, people: &[&str], query: &str, of: impl Fn(&Value) -> Value) -> String {
    let mut lines = Vec::new();
    for person in people {
        let answer = world.ask(person, query, json!({})).await;
        assert!(answer.get("errors").is_none(), "{person}: {answer}");
        lines.push(format!("{person:<6} {}", of(&answer["data"])));
    }
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_is_told_what_they_can_do_in_a_project() {
    let world = World::new().await;
    let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { viewerCanSubmitJob viewerCanCreateConfigFile
        configFiles(first: 1) { nodes { viewerCanUpdate } } group { viewerRole viewerCanCreateProject } } } }";
    let seen = told(&world, &["ada", "maya", "admin"], query, |data| {
        let project = &data["projects"]["nodes"][0];
        let (file, group) = (&project["configFiles"]["nodes"][0], &project["group"]);
        json!([
            project["viewerCanSubmitJob"],
            project["viewerCanCreateConfigFile"],
            file["viewerCanUpdate"],
            group["viewerRole"],
            group["viewerCanCreateProject"]
        ])
    });
    insta::assert_snapshot!(seen.await, @r#"
    ada    [true,false,false,"MEMBER",false]
    maya   [true,true,true,"MANAGER",true]
    admin  [true,true,true,null,true]
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_can_be_cancelled_until_it_has_finished() {
    let world = World::new().await;
    let set = "UPDATE jobs SET phase = 'RUNNING', finished_at = NULL WHERE name = 'train-large-batch';
        UPDATE jobs SET submitted_by = (SELECT id FROM users WHERE username = 'maya') WHERE name = 'train-large-batch';";
    sql(&world.url, set).await;
    let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { jobs(filter: { search: \"train\" }) { nodes { name viewerCanCancel } } } } }";
    let seen = told(&world, &["ada", "maya", "admin"], query, |data| {
        let jobs = data["projects"]["nodes"][0]["jobs"]["nodes"].as_array().unwrap();
        let mut jobs: Vec<_> = jobs.iter().map(|job| format!("{} {}", job["name"], job["viewerCanCancel"])).collect();
        jobs.sort();
        json!(jobs.join(", "))
    });
    insta::assert_snapshot!(seen.await, @r#"
    ada    "\"train-large-batch\" false, \"train-resnet\" false"
    maya   "\"train-large-batch\" true, \"train-resnet\" false"
    admin  "\"train-large-batch\" true, \"train-resnet\" false"
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_viewer_can_do_takes_no_statement_of_its_own() {
    let world = World::new().await;
    for (without, with) in [
        ("{ jobs(first: 100) { nodes { id } } }", "{ jobs(first: 100) { nodes { id viewerCanCancel } } }"),
        (
            "{ projects { nodes { id jobs { nodes { id } } } } }",
            "{ projects { nodes { viewerCanSubmitJob jobs { nodes { viewerCanCancel } } } } }",
        ),
        (
            "{ projects { nodes { configFiles { nodes { id } } } } }",
            "{ projects { nodes { configFiles { nodes { viewerCanUpdate } } } } }",
        ),
        ("{ configFiles { nodes { id } } }", "{ configFiles { nodes { viewerCanUpdate } } }"),
        ("{ groups { nodes { id } } }", "{ groups { nodes { viewerRole viewerCanCreateProject } } }"),
    ] {
        for person in ["maya", "admin"] {
            let caller = world.caller(person).await;
            let expected = world.statements(caller.clone(), without).await;
            assert_eq!(world.statements(caller, with).await, expected, "{person}: {with}");
        }
    }
}

const SUBMIT: &str = "mutation($input: SubmitJobInput!) { submitJob(input: $input) { job { id taskCount spec {
    image command args workingDir env { name value } resources { cpu memory gpu cpuLimit memoryLimit }
    replicas minAvailable activeDeadlineSeconds ttlSecondsAfterFinished retries isComplete } } } }";

async fn detection(world: &World) -> Value {
    let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    world.ask("admin", query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_spec_of_a_job_is_what_it_was_submitted_with_and_submits_the_same_again() {
    let world = World::new().await;
    let spec = json!({
        "image": "python:3.12", "command": ["python"], "args": ["-c", "print(1)"], "workingDir": "/work",
        "env": [{ "name": "SEED", "value": "7" }, { "name": "EMPTY", "value": "" }],
        "resources": { "cpu": "500m", "memory": "1Gi", "gpu": 1, "cpuLimit": "2", "memoryLimit": "2Gi" },
        "replicas": 3, "minAvailable": 2, "activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 30, "retries": 2,
    });
    let project = detection(&world).await;
    let mut submitted = spec.clone();
    for _ in 0..2 {
        let input = json!({ "input": { "projectId": project, "source": { "spec": submitted } } });
        let answer = world.ask("ada", SUBMIT, input).await;
        let job = &answer["data"]["submitJob"]["job"];
        assert_eq!(job["taskCount"], 3, "{answer}");
        let mut told = job["spec"].clone();
        assert_eq!(told["isComplete"], true, "{answer}");
        told.as_object_mut().unwrap().remove("isComplete");
        assert_eq!(told, spec);
        submitted = told;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spec_that_does_not_tell_all_says_so() {
    let world = World::new().await;
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: two}\nspec:\n  containers:\n  - {name: main, image: 'python:3.12', env: [{name: A, value: b}, {name: S, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}\n  - {name: other, image: 'busybox:1.37'}\n";
    let input = json!({ "input": { "projectId": detection(&world).await, "name": "two.yaml", "yaml": yaml, "message": "two" } });
    let create = "mutation($input: CreateConfigFileInput!) { createConfigFile(input: $input) { commit { id } } }";
    let commit = world.ask("maya", create, input).await["data"]["createConfigFile"]["commit"]["id"].clone();
    let input = json!({ "input": { "projectId": detection(&world).await, "source": { "commitId": commit } } });
    let answer = world.ask("ada", SUBMIT, input).await;
    let spec = &answer["data"]["submitJob"]["job"]["spec"];
    assert_eq!(spec["isComplete"], false, "{answer}");
    assert_eq!(spec["env"], json!([{ "name": "A", "value": "b" }, { "name": "S", "value": null }]));
    assert_eq!((&spec["image"], &spec["replicas"]), (&json!("python:3.12"), &json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quota_of_a_project_tells_running_and_waiting_jobs_apart() {
    let world = World::new().await;
    let set = "DELETE FROM project_quotas; INSERT INTO project_quotas (project_id, gpu, memory_bytes)
            SELECT id, 8, 10737418240 FROM projects WHERE name = 'detection';
        UPDATE jobs SET phase = 'RUNNING', finished_at = NULL, gpu = 2, cpu_millis = 1500, memory_bytes = 1073741824
            WHERE name = 'train-resnet';
        UPDATE jobs SET phase = 'QUEUED', started_at = NULL, finished_at = NULL, gpu = 8, cpu_millis = 0, memory_bytes = 0
            WHERE name = 'train-large-batch';";
    sql(&world.url, set).await;
    let query =
        "{ projects(filter: { names: [\"detection\"] }) { nodes { quota { resource limit used reserved left } } } }";
    let answer = world.ask("ada", query, json!({})).await;
    let lines = answer["data"]["projects"]["nodes"][0]["quota"].as_array().unwrap().iter();
    let lines: Vec<_> = lines
        .map(|line| {
            format!("{} {} {} {} {}", line["resource"], line["limit"], line["used"], line["reserved"], line["left"])
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "GPU" "8" "2" "8" "-2"
    "CPU" null "1500m" "0" null
    "MEMORY" "10Gi" "1Gi" "0" "9Gi"
    "JOBS" null "1" "1" null
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_membership_is_found_by_its_id_by_who_sees_the_group() {
    let world = World::new().await;
    let list = "{ groups(filter: { names: [\"vision\"] }) { nodes { members { nodes { id user { username } } } } } }";
    let answer = world.ask("maya", list, json!({})).await;
    let member = &answer["data"]["groups"]["nodes"][0]["members"]["nodes"][0];
    let node = "query($id: ID!) { node(id: $id) { id ... on Membership { role user { username } } } }";
    let found = world.ask("ada", node, json!({ "id": member["id"] })).await;
    assert_eq!(found["data"]["node"]["user"], member["user"], "{found}");
    let hidden = world.ask("ben", node, json!({ "id": member["id"] })).await;
    assert_eq!(hidden["data"]["node"], Value::Null, "{hidden}");
}

/// The names in the list that a query has at a path.
async fn names(world: &World, person: &str, query: &str, path: &str) -> String {
    let answer = world.ask(person, query, json!({})).await;
    let Some(nodes) = answer["data"].pointer(path).and_then(Value::as_array) else { return errors(&answer) };
    let name = |node: &Value| node["name"].as_str().or(node["username"].as_str()).unwrap_or_default().to_owned();
    nodes.iter().map(name).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_searched_by_the_beginnings_of_their_words() {
    let world = World::new().await;
    for (query, path, expected) in [
        ("{ jobs(filter: { search: \"LARGE tr\" }) { nodes { name } } }", "/jobs/nodes", "train-large-batch"),
        ("{ jobs(filter: { search: \"arge\" }) { nodes { name } } }", "/jobs/nodes", ""),
        ("{ groups(filter: { search: \"vis\" }) { nodes { name } } }", "/groups/nodes", "vision"),
        ("{ projects(filter: { search: \"det\" }) { nodes { name } } }", "/projects/nodes", "detection"),
        ("{ configFiles(filter: { search: \"train ya\" }) { nodes { name } } }", "/configFiles/nodes", "train.yaml"),
        ("{ users(filter: { search: \"may\" }) { nodes { username } } }", "/users/nodes", "maya"),
    ] {
        assert_eq!(names(&world, "admin", query, path).await, expected, "{query}");
    }
    let refused =
        names(&world, "admin", "{ jobs(filter: { search: \"--\" }) { nodes { name } } }", "/jobs/nodes").await;
    insta::assert_snapshot!(refused, @r#"BAD_USER_INPUT filter.search: "--" cannot be searched for: it must have a letter or a digit"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_filtered_by_queue_config_file_name_and_time() {
    let world = World::new().await;
    let everything = names(&world, "admin", "{ jobs { nodes { name } } }", "/jobs/nodes").await;
    let set = "UPDATE jobs SET queue = 'special', submitted_at = '2020-01-02T00:00:00Z' WHERE name = 'train-resnet'";
    sql(&world.url, set).await;
    let only = |filter: &str| format!("{{ jobs(filter: {{ {filter} }}) {{ nodes {{ name }} }} }}");
    for filter in [
        "queues: [\"special\"]",
        "names: [\"train-resnet\"]",
        "submittedAt: { to: \"2020-01-03T00:00:00Z\" }",
        "submittedAt: { from: \"2020-01-02T00:00:00Z\", to: \"2020-01-02T00:00:01Z\" }",
        "queues: [\"special\"], finishedAt: { from: \"2020-01-02T00:00:00Z\" }",
    ] {
        assert_eq!(names(&world, "admin", &only(filter), "/jobs/nodes").await, "train-resnet", "{filter}");
    }
    let none = names(&world, "admin", &only("submittedAt: { to: \"2020-01-02T00:00:00Z\" }"), "/jobs/nodes").await;
    assert_eq!(none, "");
    let made = "UPDATE jobs SET config_commit_id = (SELECT config_commits.id FROM config_commits JOIN config_files
        ON config_files.id = config_file_id WHERE name = 'train.yaml' LIMIT 1) WHERE name = 'train-resnet'";
    sql(&world.url, made).await;
    let files = world.ask("admin", "{ configFiles { nodes { id name } } }", json!({})).await;
    let train =
        files["data"]["configFiles"]["nodes"].as_array().unwrap().iter().find(|file| file["name"] == "train.yaml");
    let of_file = only(&format!("configFileId: {}", train.unwrap()["id"]));
    let found = names(&world, "admin", &of_file, "/jobs/nodes").await;
    assert!(found.contains("train-resnet") && found.len() < everything.len(), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_lists_are_filtered_and_sorted_like_those_at_the_root() {
    let world = World::new().await;
    let below = |list: &str| {
        format!("{{ projects(filter: {{ names: [\"detection\"] }}) {{ nodes {{ {list} {{ nodes {{ name }} }} }} }} }}")
    };
    let jobs = "/projects/nodes/0/jobs/nodes";
    let newest = names(&world, "maya", &below("jobs"), jobs).await;
    let oldest = names(&world, "maya", &below("jobs(orderBy: { field: SUBMITTED_AT, direction: ASC })"), jobs).await;
    assert_eq!(oldest.split(' ').rev().collect::<Vec<_>>().join(" "), newest);
    let found = names(
        &world,
        "maya",
        &below(
            "jobs(filter: { search: \"large\", phases: [RUNNING, SUCCEEDED, FAILED, CANCELLED, QUEUED, SUBMITTED] })",
        ),
        jobs,
    )
    .await;
    assert_eq!(found, "train-large-batch");
    let both = names(&world, "maya", &below("jobs(phases: [QUEUED], filter: { phases: [QUEUED] })"), jobs).await;
    insta::assert_snapshot!(both, @"BAD_USER_INPUT phases: phases and filter.phases cannot both be given; use the filter");
    let files = "/projects/nodes/0/configFiles/nodes";
    let by_name = names(&world, "maya", &below("configFiles"), files).await;
    let turned = names(&world, "maya", &below("configFiles(orderBy: { field: NAME, direction: DESC })"), files).await;
    assert_eq!(turned.split(' ').rev().collect::<Vec<_>>().join(" "), by_name);
    let projects = "{ groups { nodes { projects(filter: { search: \"det\" }, orderBy: { field: CREATED_AT }) { nodes { name } } } } }";
    let mut found = Vec::new();
    for group in 0..2 {
        found.push(names(&world, "maya", projects, &format!("/groups/nodes/{group}/projects/nodes")).await);
    }
    assert_eq!(found, ["", "detection"]);
    let managers = "{ groups(filter: { names: [\"vision\"] }) { nodes { members(filter: { roles: [MANAGER], search: \"ma\" }) { nodes { user { username } } } } } }";
    let answer = world.ask("maya", managers, json!({})).await;
    let members = answer["data"]["groups"]["nodes"][0]["members"]["nodes"].clone();
    assert_eq!(members, json!([{ "user": { "username": "maya" } }]), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_a_nested_list_join_in_every_order() {
    let world = World::new().await;
    super::more_groups(&world, 2).await;
    let admin = world.caller("admin").await;
    for order in ["NAME, direction: DESC", "CREATED_AT, direction: ASC", "CREATED_AT, direction: DESC"] {
        let list = |page: &str| {
            format!(
                "query($after: String) {{ groups {{ nodes {{ projects({page}, orderBy: {{ field: {order} }}) {{ nodes {{ name }} pageInfo {{ endCursor }} }} }} }} }}"
            )
        };
        let all = world.ask_as(admin.clone(), &list("first: 100, after: $after"), json!({})).await;
        for (index, group) in all["data"]["groups"]["nodes"].as_array().unwrap().iter().enumerate() {
            let all = group["projects"]["nodes"].as_array().unwrap();
            let (mut joined, mut after) = (Vec::new(), Value::Null);
            for _ in 0..=all.len() {
                let page =
                    world.ask_as(admin.clone(), &list("first: 1, after: $after"), json!({ "after": after })).await;
                let page = &page["data"]["groups"]["nodes"][index]["projects"];
                joined.extend(page["nodes"].as_array().unwrap().clone());
                after = page["pageInfo"]["endCursor"].clone();
                if after.is_null() {
                    break;
                }
            }
            assert_eq!(&joined, all, "{order}");
        }
    }
}
