//! What a project uses of its limits, and who of its people uses how much.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::permissions::Reached::By;
use super::permissions::Rows;
use super::{World, errors, sql};

/// Who sees what a project uses.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[
        ("quotaUsage", "query($detection: ID!) { quotaUsage(projectId: $detection) { project { id } } }"),
        ("quotaUsage", "subscription($detection: ID!) { quotaUsage(projectId: $detection) { project { id } } }"),
    ],
    types: &[
        ("QuotaUsage", By("query($detection: ID!) { quotaUsage(projectId: $detection) { FIELD } }")),
        ("PersonQuota", By("query($detection: ID!) { quotaUsage(projectId: $detection) { people { FIELD } } }")),
    ],
};

const USAGE: &str = "query($id: ID!) { quotaUsage(projectId: $id) {
    resources { resource limit used reserved left }
    people { user { username } resources { resource limit used reserved left } } } }";

async fn detection(world: &World) -> Value {
    let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    world.ask("admin", query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone()
}

fn lines(resources: &Value) -> String {
    let mut lines = String::new();
    for line in resources.as_array().unwrap() {
        let parts = ["limit", "used", "reserved", "left"].map(|part| line[part].as_str().unwrap_or("-").to_owned());
        writeln!(lines, "  {}: {}", line["resource"].as_str().unwrap(), parts.join(" ")).unwrap();
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_project_uses_is_the_sum_of_what_its_people_use() {
    let world = World::new().await;
    let set = "UPDATE jobs SET phase = 'RUNNING', finished_at = NULL, gpu = 2, cpu_millis = 1500, memory_bytes = 1073741824
            WHERE name = 'train-resnet';
        UPDATE jobs SET phase = 'QUEUED', started_at = NULL, finished_at = NULL, gpu = 4, cpu_millis = 500, memory_bytes = 0,
            submitted_by = (SELECT id FROM users WHERE username = 'maya') WHERE name = 'train-large-batch';
        DELETE FROM project_quotas;
        INSERT INTO project_quotas (project_id, gpu, queued_jobs, concurrent_jobs_per_user)
            SELECT id, 8, 5, 3 FROM projects WHERE name = 'detection';";
    sql(&world.url, set).await;
    let answer = world.ask("ada", USAGE, json!({ "id": detection(&world).await })).await;
    let usage = &answer["data"]["quotaUsage"];
    let mut told = format!("project\n{}", lines(&usage["resources"]));
    let mut people = usage["people"].as_array().unwrap().clone();
    people.sort_by_key(|person| person["user"]["username"].to_string());
    for person in &people {
        write!(told, "{}\n{}", person["user"]["username"].as_str().unwrap(), lines(&person["resources"])).unwrap();
    }
    insta::assert_snapshot!(told, @r"
    project
      GPU: 8 2 4 2
      CPU: - 1500m 500m -
      MEMORY: - 1Gi 0 -
      JOBS: - 1 1 -
      QUEUED_JOBS: 5 0 1 4
    ada
      GPU: - 2 0 -
      CPU: - 1500m 0 -
      MEMORY: - 1Gi 0 -
      USER_JOBS: 3 1 0 2
    maya
      GPU: - 0 4 -
      CPU: - 0 500m -
      MEMORY: - 0 0 -
      USER_JOBS: 3 0 1 2
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_learns_nothing_of_a_project_s_usage() {
    let world = World::new().await;
    let id = json!({ "id": detection(&world).await });
    let refused = world.ask("ben", USAGE, id.clone()).await;
    assert!(errors(&refused).starts_with("NOT_FOUND projectId: project"), "{refused}");
    let subscription = "subscription($id: ID!) { quotaUsage(projectId: $id) { project { name } } }";
    let refused = world.first_of("ben", subscription, id.clone()).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "NOT_FOUND", "{refused}");
    let first = world.first_of("ada", subscription, id).await;
    assert_eq!(first["data"]["quotaUsage"]["project"]["name"], "detection", "{first}");
}
