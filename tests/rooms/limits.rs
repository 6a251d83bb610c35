//! The limits of a project: who sets them, and that a job beyond one is refused with the numbers.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees and sets limits.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[(
        "setProjectLimits",
        "mutation($detection: ID!) { setProjectLimits(input: { projectId: $detection, queuedJobs: 50 }) { project { id } } }",
    )],
    types: &[
        ("SetProjectLimitsPayload", Below("setProjectLimits")),
        ("ProjectLimits", By("query($detection: ID!) { project(id: $detection) { limits { FIELD } } }")),
    ],
};

const SET: &str = "mutation($input: SetProjectLimitsInput!) { setProjectLimits(input: $input) { project { limits {
    gpu cpu memory storage concurrentJobs queuedJobs concurrentJobsPerUser queuedJobsPerUser maxRunSeconds } } } }";
const SUBMIT: &str = "mutation($input: SubmitJobInput!) { submitJob(input: $input) { job { id } } }";
const PREVIEW: &str = "query($input: SubmitJobInput!) { previewJob(input: $input) { admitted
    verdicts { rule outcome problems { field message } } quota { resource limit used requested left } } }";

async fn detection(world: &World) -> Value {
    let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    world.ask("admin", query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone()
}

async fn set(world: &World, who: &str, mut limits: Value) -> Value {
    limits["projectId"] = detection(world).await;
    world.ask(who, SET, json!({ "input": limits })).await
}

fn job(project: &Value, spec: Value) -> Value {
    let mut spec = spec;
    spec["image"] = "python:3.12".into();
    json!({ "input": { "projectId": project, "source": { "spec": spec } } })
}

async fn submit(world: &World, who: &str, spec: Value) -> String {
    errors(&world.ask(who, SUBMIT, job(&detection(world).await, spec)).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_set_kept_when_omitted_and_removed_by_null() {
    let world = World::new().await;
    let limits =
        json!({ "cpu": "1500m", "memory": "10Gi", "storage": "1Ti", "concurrentJobs": 5, "maxRunSeconds": 3600 });
    let answer = set(&world, "maya", limits).await;
    insta::assert_snapshot!(answer["data"]["setProjectLimits"]["project"]["limits"], @r#"{"gpu":null,"cpu":"1500m","memory":"10Gi","storage":"1Ti","concurrentJobs":5,"queuedJobs":null,"concurrentJobsPerUser":null,"queuedJobsPerUser":null,"maxRunSeconds":3600}"#);
    let answer = set(&world, "admin", json!({ "gpu": 8, "memory": null })).await;
    insta::assert_snapshot!(answer["data"]["setProjectLimits"]["project"]["limits"], @r#"{"gpu":8,"cpu":"1500m","memory":null,"storage":"1Ti","concurrentJobs":5,"queuedJobs":null,"concurrentJobsPerUser":null,"queuedJobsPerUser":null,"maxRunSeconds":3600}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gpus_are_limited_by_platform_admins_and_the_rest_by_managers() {
    let world = World::new().await;
    let refused = [
        errors(&set(&world, "ada", json!({ "queuedJobs": 1 })).await),
        errors(&set(&world, "maya", json!({ "queuedJobs": 1, "gpu": 64 })).await),
        errors(&set(&world, "maya", json!({ "gpu": null })).await),
    ];
    insta::assert_snapshot!(refused.join("\n"), @r"
    FORBIDDEN input.projectId: only managers and admins of the group can set the limits of its projects
    FORBIDDEN input.gpu: only platform admins can set the GPU limit of a project
    FORBIDDEN input.gpu: only platform admins can set the GPU limit of a project
    ");
    assert_eq!(errors(&set(&world, "maya", json!({ "queuedJobs": 1 })).await), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_limit_that_makes_no_sense_is_told_at_once() {
    let world = World::new().await;
    let answer = set(&world, "admin", json!({ "gpu": -1, "maxRunSeconds": 0, "cpu": "-2", "memory": "1e30" })).await;
    insta::assert_snapshot!(errors(&answer), @r#"
    BAD_USER_INPUT input.gpu: gpu was -1; it must be at least 0
    BAD_USER_INPUT input.maxRunSeconds: maxRunSeconds was 0; it must be at least 1
    BAD_USER_INPUT input.cpu: "-2" is negative; a limit must be at least 0
    BAD_USER_INPUT input.memory: "1e30" is too large for a limit
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_beyond_a_limit_of_jobs_is_refused_by_submit_and_shown_by_preview() {
    let world = World::new().await;
    set(&world, "maya", json!({ "queuedJobs": 3, "concurrentJobsPerUser": 2, "queuedJobsPerUser": 1 })).await;
    assert_eq!(submit(&world, "ada", json!({})).await, "");
    insta::assert_snapshot!(submit(&world, "ada", json!({})).await, @"QUOTA_EXCEEDED -: the project's limit is 1 jobs per user that have not started; you have 1 and this job requests 1");
    assert_eq!(submit(&world, "maya", json!({})).await, "", "another user has a limit of their own");
    sql(&world.url, "UPDATE jobs SET phase = 'RUNNING', started_at = now() WHERE phase = 'SUBMITTED'").await;
    assert_eq!(submit(&world, "ada", json!({})).await, "");
    let answer = world.ask("ada", PREVIEW, job(&detection(&world).await, json!({}))).await;
    let preview = &answer["data"]["previewJob"];
    assert_eq!(preview["admitted"], false, "{answer}");
    let lines: Vec<_> = preview["quota"].as_array().unwrap().iter().skip(3).map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"resource":"JOBS","limit":null,"used":"3","requested":"1","left":null}
    {"resource":"QUEUED_JOBS","limit":"3","used":"1","requested":"1","left":"1"}
    {"resource":"USER_JOBS","limit":"2","used":"2","requested":"1","left":"-1"}
    {"resource":"USER_QUEUED_JOBS","limit":"1","used":"1","requested":"1","left":"-1"}
    "#);
    let failed = preview["verdicts"].as_array().unwrap().iter().find(|verdict| verdict["rule"] == "QUOTA").unwrap();
    assert_eq!((&failed["outcome"], failed["problems"].as_array().unwrap().len()), (&json!("FAILED"), 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_jobs_that_are_submitted_at_once_one_gets_the_last_place() {
    let world = World::new().await;
    set(&world, "maya", json!({ "concurrentJobsPerUser": 1 })).await;
    let (project, ada) = (detection(&world).await, world.caller("ada").await);
    let submit = || world.ask_as(ada.clone(), SUBMIT, job(&project, json!({})));
    let (one, other) = tokio::join!(submit(), submit());
    assert!(errors(&one).is_empty() != errors(&other).is_empty(), "{one} {other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_runs_no_longer_than_the_project_allows() {
    let world = World::new().await;
    set(&world, "maya", json!({ "maxRunSeconds": 3600 })).await;
    insta::assert_snapshot!(submit(&world, "ada", json!({ "activeDeadlineSeconds": 7200 })).await, @"BAD_USER_INPUT input.source.spec: activeDeadlineSeconds is 7200; the project allows jobs to run for at most 3600 s");
    assert_eq!(submit(&world, "ada", json!({ "activeDeadlineSeconds": 60 })).await, "");
    assert_eq!(submit(&world, "ada", json!({})).await, "");
    let kept = "DO $$ BEGIN ASSERT (SELECT array_agg(deadline_seconds ORDER BY id) FROM jobs WHERE phase = 'SUBMITTED') = '{60,3600}'; END $$";
    sql(&world.url, kept).await;
}
