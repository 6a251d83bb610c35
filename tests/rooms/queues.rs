//! Queues: what they tell, who pauses and resumes them, and who may submit to which.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql, with_source};

/// Who sees what of queues: the ways to them. One of them is paused.
pub const ROWS: Rows = Rows {
    setup: "INSERT INTO queue_pauses (queue, note, paused_by) SELECT 'default-batch', 'repair', id FROM users WHERE username = 'admin';",
    operations: &[
        ("queues", "{ queues { name } }"),
        ("queue", "{ queue(name: \"default-batch\") { name } }"),
        (
            "pauseQueue",
            "mutation { pauseQueue(input: { name: \"configfile-job\", note: \"repair\" }) { queue { name } } }",
        ),
        ("resumeQueue", "mutation { resumeQueue(input: { name: \"default-batch\" }) { queue { name } } }"),
    ],
    types: &[
        ("Queue", By("{ queue(name: \"default-batch\") { FIELD } }")),
        ("PauseQueuePayload", Below("pauseQueue")),
        ("ResumeQueuePayload", Below("resumeQueue")),
    ],
};

const PAUSE: &str = "mutation($i: PauseQueueInput!) { pauseQueue(input: $i) { queue { name pauseNote } } }";
const RESUME: &str = "mutation($n: String!) { resumeQueue(input: { name: $n }) { queue { name pauseNote } } }";
const QUEUE: &str = "query($n: String!) { queue(name: $n) { name depth running gpusRequested gpusInUse maxConcurrent
    ttlSeconds pausedAt pausedBy { username } pauseNote viewerCanSubmit viewerCanPause } }";

async fn project(world: &World, person: &str) -> Value {
    let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    world.ask(person, query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone()
}

async fn submit(world: &World, person: &str, fields: Value) -> Value {
    let mut given = json!({ "spec": { "image": "python:3.12" } });
    given.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let query = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id queue } preview { warnings } } }";
    world.ask(person, query, json!({ "i": with_source(project(world, person).await, given) })).await
}

async fn preview(world: &World, person: &str, fields: Value) -> Value {
    let mut given = json!({ "spec": { "image": "python:3.12" } });
    given.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let query = "query($i: SubmitJobInput!) { previewJob(input: $i) {
        admitted warnings verdicts { rule outcome problems { field message } } } }";
    world.ask(person, query, json!({ "i": with_source(project(world, person).await, given) })).await["data"]
        ["previewJob"]
        .clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queues_come_with_the_highest_priority_first() {
    let world = World::new().await;
    let answer = world.ask("ada", "{ queues { name priority preemptible } }", json!({})).await;
    insta::assert_snapshot!(answer["data"]["queues"], @r#"[{"name":"configfile-interactive","priority":10000,"preemptible":false},{"name":"configfile-job","priority":5000,"preemptible":false},{"name":"default-batch","priority":100,"preemptible":true}]"#);
    let refused = world.ask("anonymous", "{ queues { name } }", json!({})).await;
    assert!(errors(&refused).starts_with("UNAUTHENTICATED"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_counts_the_jobs_and_gpus_of_all_projects() {
    let world = World::new().await;
    sql(&world.url, "UPDATE jobs SET queue = 'configfile-job', gpu = 100").await;
    for gpu in [1, 2, 4] {
        let spec = json!({ "spec": { "image": "python:3.12", "resources": { "gpu": gpu } } });
        let answer = submit(&world, "maya", spec).await;
        assert_eq!(errors(&answer), "");
    }
    // The one with two GPUs runs; the other two wait.
    sql(&world.url, "UPDATE jobs SET phase = 'RUNNING' WHERE gpu = 2; UPDATE jobs SET phase = 'QUEUED' WHERE gpu = 4")
        .await;
    // Ben is in none of the groups that they belong to.
    let answer = world.ask("ben", QUEUE, json!({ "n": "default-batch" })).await;
    insta::assert_snapshot!(answer["data"]["queue"], @r#"{"name":"default-batch","depth":2,"running":1,"gpusRequested":5,"gpusInUse":2,"maxConcurrent":null,"ttlSeconds":null,"pausedAt":null,"pausedBy":null,"pauseNote":null,"viewerCanSubmit":true,"viewerCanPause":false}"#);
    let none = world.ask("ben", QUEUE, json!({ "n": "none" })).await;
    insta::assert_snapshot!(errors(&none), @r#"NOT_FOUND name: the cluster has no queue "none""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn platform_admins_pause_and_resume_queues_and_each_change_is_audited_once() {
    let world = World::new().await;
    let pause = async |person: &str, note: &str| {
        world.ask(person, PAUSE, json!({ "i": { "name": "default-batch", "note": note } })).await
    };
    for person in ["anonymous", "maya"] {
        let refused = [pause(person, "repair").await, world.ask(person, RESUME, json!({ "n": "default-batch" })).await];
        insta::allow_duplicates! {
            let codes: Vec<_> = refused.iter().map(|answer| errors(answer).split(' ').next().unwrap().to_owned()).collect();
            let expected = if person == "maya" { "FORBIDDEN" } else { "UNAUTHENTICATED" };
            assert_eq!(codes, [expected, expected]);
        }
    }
    for (note, shown) in [("repair", "repair"), (" repair ", "repair"), ("until noon", "until noon")] {
        assert_eq!(pause("admin", note).await["data"]["pauseQueue"]["queue"]["pauseNote"], shown);
    }
    let seen = world.ask("admin", QUEUE, json!({ "n": "default-batch" })).await["data"]["queue"].clone();
    assert_eq!(seen["pausedBy"]["username"], "admin", "{seen}");
    assert_eq!(seen["viewerCanPause"], true, "{seen}");
    let seen = world.ask("ada", QUEUE, json!({ "n": "default-batch" })).await["data"]["queue"].clone();
    assert_eq!(seen["pausedBy"], Value::Null, "who it was is not for everybody: {seen}");
    assert_eq!(seen["pauseNote"], "until noon", "{seen}");
    for _ in 0..2 {
        let resumed = world.ask("admin", RESUME, json!({ "n": "default-batch" })).await;
        assert_eq!(resumed["data"]["resumeQueue"]["queue"]["pauseNote"], Value::Null, "{resumed}");
    }
    let log = r#"{ auditLog(filter: { actions: ["pauseQueue", "resumeQueue"] }, first: 10) { nodes { action detail changes { field before after } } } }"#;
    let log = world.ask("admin", log, json!({})).await;
    let lines: Vec<String> = log["data"]["auditLog"]["nodes"]
        .as_array()
        .unwrap_or_else(|| panic!("{log}"))
        .iter()
        .map(Value::to_string)
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"action":"resumeQueue","detail":{"queue":"default-batch"},"changes":[{"field":"pauseNote","before":"until noon","after":null}]}
    {"action":"pauseQueue","detail":{"note":"until noon","queue":"default-batch"},"changes":[{"field":"pauseNote","before":"repair","after":"until noon"}]}
    {"action":"pauseQueue","detail":{"note":"repair","queue":"default-batch"},"changes":[{"field":"pauseNote","before":null,"after":"repair"}]}
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_paused_is_refused_with_the_reason() {
    let world = World::new().await;
    let pause = async |name: &str, note: &str| {
        errors(&world.ask("admin", PAUSE, json!({ "i": { "name": name, "note": note } })).await)
    };
    let long = "x".repeat(501);
    let refused = [pause("none", " ").await, pause("default-batch", &long).await, pause("a\0b", "x").await].join("\n");
    insta::assert_snapshot!(refused, @r#"
    NOT_FOUND input.name: the cluster has no queue "none"
    BAD_USER_INPUT input.note: the note is empty; it must have 1 to 500 characters
    BAD_USER_INPUT input.note: the text has 501 characters; at most 500 are allowed
    NOT_FOUND input.name: the cluster has no queue "a\0b"
    "#);
    let resume = async |name: &str| errors(&world.ask("admin", RESUME, json!({ "n": name })).await);
    insta::assert_snapshot!([resume("none").await, resume("a\0b").await].join("\n"), @r#"
    NOT_FOUND input.name: the cluster has no queue "none"
    NOT_FOUND input.name: the cluster has no queue "a\0b"
    "#);
    // A queue that the cluster has no more can still be resumed.
    let gone =
        "INSERT INTO queue_pauses (queue, note, paused_by) SELECT 'gone', 'x', id FROM users WHERE username = 'admin'";
    sql(&world.url, gone).await;
    let resumed = world.ask("admin", RESUME, json!({ "n": "gone" })).await;
    assert_eq!(resumed["data"], json!({ "resumeQueue": { "queue": null } }), "{resumed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_and_a_submit_to_a_paused_queue_warn_and_are_accepted() {
    let world = World::new().await;
    world.ask("admin", PAUSE, json!({ "i": { "name": "default-batch", "note": "Back at noon." } })).await;
    let previewed = preview(&world, "ada", json!({})).await;
    assert_eq!(previewed["warnings"], json!(["The job would wait: the queue default-batch is paused: Back at noon."]));
    assert_eq!(previewed["admitted"], true, "{previewed}");
    let submitted = submit(&world, "ada", json!({})).await;
    assert!(submitted["data"]["submitJob"]["job"]["id"].is_string(), "{submitted}");
    assert_eq!(preview(&world, "ada", json!({ "queue": "configfile-job" })).await["warnings"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_with_the_highest_priority_is_for_managers() {
    let world = World::new().await;
    let refused = submit(&world, "ada", json!({ "queue": "configfile-interactive" })).await;
    insta::assert_snapshot!(errors(&refused), @"FORBIDDEN input.queue: only managers and admins of the group can submit to the queue configfile-interactive; you can submit to configfile-job, default-batch");
    let verdicts = preview(&world, "ada", json!({ "queue": "configfile-interactive" })).await["verdicts"].clone();
    let queue = verdicts.as_array().unwrap().iter().find(|verdict| verdict["rule"] == "QUEUE").unwrap().clone();
    insta::assert_snapshot!(queue, @r#"{"rule":"QUEUE","outcome":"FAILED","problems":[{"field":"input.queue","message":"only managers and admins of the group can submit to the queue configfile-interactive; you can submit to configfile-job, default-batch"}]}"#);
    for person in ["maya", "admin"] {
        let accepted = submit(&world, person, json!({ "queue": "configfile-interactive" })).await;
        assert_eq!(accepted["data"]["submitJob"]["job"]["queue"], "configfile-interactive", "{accepted}");
    }
    let mut lines = String::new();
    for person in ["ada", "maya", "ben", "admin"] {
        let answer = world.ask(person, "{ queues { name viewerCanSubmit } }", json!({})).await;
        let queues = answer["data"]["queues"].as_array().unwrap().clone();
        let open: Vec<_> =
            queues.iter().filter(|queue| queue["viewerCanSubmit"] == true).map(|queue| &queue["name"]).collect();
        lines += &format!("{person}: {}\n", json!(open));
    }
    insta::assert_snapshot!(lines, @r#"
    ada: ["configfile-job","default-batch"]
    maya: ["configfile-interactive","configfile-job","default-batch"]
    ben: ["configfile-job","default-batch"]
    admin: ["configfile-interactive","configfile-job","default-batch"]
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_queues_are_counted_in_one_statement() {
    let world = World::new().await;
    for queue in ["default-batch", "configfile-job"] {
        world.ask("admin", PAUSE, json!({ "i": { "name": queue, "note": "repair" } })).await;
    }
    let admin = world.caller("admin").await;
    let counts = "{ queues { depth running gpusRequested gpusInUse } }";
    assert_eq!(world.statements(admin.clone(), counts).await, 1);
    let all = "{ queues { depth running pausedAt pauseNote pausedBy { username } viewerCanSubmit } }";
    assert_eq!(world.statements(admin, all).await, 3, "the counts, the pauses, and who paused them");
}
