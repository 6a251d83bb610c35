//! Jobs that are run again, and jobs whose priority changes before they are sent.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql, with_source};

/// Who may run jobs again and change their priority, and a job that waits: the ways to them.
pub const ROWS: Rows = Rows {
    setup: "INSERT INTO jobs (id, project_id, submitted_by, name, queue, priority, executor, phase, manifest, namespace, object_name, next_attempt_at)
        SELECT gen_random_uuid(), project_id, submitted_by, 'waits', queue, 0, executor, 'QUEUED', manifest, namespace, 'waits', NULL
          FROM jobs WHERE name = 'train-resnet';",
    operations: &[
        ("retryJob", "mutation($ended: ID!) { retryJob(input: { id: $ended }) { job { id } } }"),
        ("setJobPriority", "mutation($running: ID!) { setJobPriority(input: { id: $running, priority: 0 }) { job { id } } }"),
    ],
    types: &[
        (
            "JobQueuePosition",
            By("query($detection: ID!) { jobs(first: 1, filter: { projectId: $detection, phases: [QUEUED] }) { nodes { queuePosition { FIELD } } } }"),
        ),
        ("RetryJobPayload", Below("retryJob")),
        ("SetJobPriorityPayload", Below("setJobPriority")),
    ],
};

const RETRY: &str = "mutation($i: RetryJobInput!) { retryJob(input: $i) { job { id phase retriedFrom { id } } } }";
const PRIORITY: &str = "mutation($i: SetJobPriorityInput!) { setJobPriority(input: $i) { job { priority } } }";

/// Submits a job of the project detection; its ID.
async fn submit(world: &World, person: &str, fields: Value) -> Value {
    let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    let project = world.ask(person, query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone();
    let mut given = json!({ "spec": { "image": "python:3.12" } });
    given.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let query = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }";
    let answer = world.ask(person, query, json!({ "i": with_source(project, given) })).await;
    assert_eq!(errors(&answer), "");
    answer["data"]["submitJob"]["job"]["id"].clone()
}

/// The jobs that have not ended fail.
async fn fail(world: &World) {
    let failed = "UPDATE jobs SET phase = 'FAILED', reason = 'Failed', finished_at = now() WHERE phase = 'SUBMITTED'";
    sql(&world.url, failed).await;
}

async fn retry(world: &World, person: &str, job: &Value) -> Value {
    world.ask(person, RETRY, json!({ "i": { "id": job } })).await
}

async fn job(world: &World, person: &str, id: &Value, fields: &str) -> Value {
    let query = format!("query($id: ID!) {{ job(id: $id) {{ {fields} }} }}");
    let answer = world.ask(person, &query, json!({ "id": id })).await;
    assert_eq!(errors(&answer), "");
    answer["data"]["job"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_has_failed_is_run_again_as_a_new_job_with_the_same_tasks() {
    let world = World::new().await;
    let spec = json!({ "image": "python:3.12", "command": ["python", "train.py"], "replicas": 3, "minAvailable": 2,
        "env": [{ "name": "SEED", "value": "7" }], "resources": { "cpu": "2", "memory": "1Gi", "gpu": 1 },
        "activeDeadlineSeconds": 600, "ttlSecondsAfterFinished": 60, "retries": 2 });
    let fields = json!({ "name": "train", "queue": "configfile-job", "priority": 7, "spec": spec });
    let first = submit(&world, "maya", fields).await;
    fail(&world).await;
    let answer = retry(&world, "ada", &first).await;
    assert_eq!(errors(&answer), "");
    let again = answer["data"]["retryJob"]["job"].clone();
    assert_eq!((&again["phase"], &again["retriedFrom"]["id"]), (&json!("SUBMITTED"), &first), "{again}");

    let fields = "name queue priority attempts retriesLeft taskCount spec { image command minAvailable
        activeDeadlineSeconds ttlSecondsAfterFinished retries } events { nodes { kind } } submittedBy { username }";
    let seen = [job(&world, "ada", &first, fields).await, job(&world, "ada", &again["id"], fields).await];
    insta::assert_snapshot!(seen.each_ref().map(Value::to_string).join("\n"), @r#"
    {"name":"train","queue":"configfile-job","priority":7,"attempts":1,"retriesLeft":2,"taskCount":3,"spec":{"image":"python:3.12","command":["python","train.py"],"minAvailable":2,"activeDeadlineSeconds":600,"ttlSecondsAfterFinished":60,"retries":2},"events":{"nodes":[{"kind":"SUBMITTED"}]},"submittedBy":{"username":"maya"}}
    {"name":"train","queue":"configfile-job","priority":7,"attempts":1,"retriesLeft":2,"taskCount":3,"spec":{"image":"python:3.12","command":["python","train.py"],"minAvailable":2,"activeDeadlineSeconds":600,"ttlSecondsAfterFinished":60,"retries":2},"events":{"nodes":[{"kind":"SUBMITTED"}]},"submittedBy":{"username":"ada"}}
    "#);

    // The object is the same, too, except for what says whose it is.
    let (first_id, again_id) = (first.as_str().unwrap(), again["id"].as_str().unwrap());
    let user = async |id: &Value| job(&world, "ada", id, "submittedBy { id }").await["submittedBy"]["id"].clone();
    let users = [user(&first).await, user(&again["id"]).await];
    let mut manifests = Vec::new();
    for (id, user) in [(first_id, &users[0]), (again_id, &users[1])] {
        let manifest = job(&world, "ada", &json!(id), "manifest").await["manifest"].to_string();
        let own = [id.replace('_', "-"), id.to_owned(), user.as_str().unwrap().to_owned()];
        assert!(manifest.contains(&own[0]), "{manifest}");
        manifests.push(own.iter().fold(manifest, |manifest, own| manifest.replace(own, "OWN")));
    }
    assert_eq!(manifests[0], manifests[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_retries_of_a_job_are_a_list_and_each_has_its_own() {
    let world = World::new().await;
    let first = submit(&world, "ada", json!({})).await;
    let mut latest = Value::Null;
    for _ in 0..3 {
        fail(&world).await;
        latest = retry(&world, "ada", &first).await["data"]["retryJob"]["job"]["id"].clone();
    }
    fail(&world).await;
    let of_latest = retry(&world, "ada", &latest).await["data"]["retryJob"]["job"]["id"].clone();
    let fields = "retries(first: 2) { totalCount nodes { id retriedFrom { id } } pageInfo { hasNextPage } }";
    let retries = job(&world, "ada", &first, fields).await["retries"].clone();
    assert_eq!((&retries["totalCount"], &retries["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)), "{retries}");
    assert!(retries["nodes"].as_array().unwrap().iter().all(|job| job["retriedFrom"]["id"] == first), "{retries}");
    let retries = job(&world, "ada", &latest, "retries { nodes { id } }").await["retries"].clone();
    assert_eq!(retries, json!({ "nodes": [{ "id": of_latest }] }));
    assert_eq!(job(&world, "ada", &first, "retriedFrom { id }").await["retriedFrom"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_is_checked_like_a_submit_and_its_problems_are_about_the_job() {
    let world = World::new().await;
    let first = submit(&world, "ada", json!({ "spec": { "image": "python:3.12", "resources": { "gpu": 2 } } })).await;
    let mut told = vec![errors(&retry(&world, "ada", &first).await)];
    fail(&world).await;
    for person in ["anonymous", "ben"] {
        told.push(errors(&retry(&world, person, &first).await).replace(first.as_str().unwrap(), "JOB"));
    }
    let quota = "INSERT INTO project_quotas (project_id, gpu, max_run_seconds) SELECT id, 1, 60 FROM projects WHERE name = 'detection'";
    sql(&world.url, quota).await;
    told.push(errors(&retry(&world, "ada", &first).await));
    sql(&world.url, "DELETE FROM project_quotas; UPDATE jobs SET queue = 'configfile-interactive'").await;
    told.push(errors(&retry(&world, "ada", &first).await));
    sql(&world.url, "UPDATE jobs SET queue = 'gone'").await;
    told.push(errors(&retry(&world, "ada", &first).await));
    sql(&world.url, "UPDATE jobs SET queue = 'default-batch'; UPDATE projects SET archived_at = now()").await;
    told.push(errors(&retry(&world, "ada", &first).await));
    insta::assert_snapshot!(told.join("\n"), @r#"
    CONFLICT input.id: the job is SUBMITTED; only a job that has finished can be retried
    UNAUTHENTICATED -: authentication is required: send the accessToken of the login mutation as "Authorization: Bearer <token>"
    NOT_FOUND input.id: job "JOB" not found
    QUOTA_EXCEEDED -: the project's limit is 1 GPUs; it uses 0 and this job requests 2
    FORBIDDEN input.id: only managers and admins of the group can submit to the queue configfile-interactive; you can submit to configfile-job, default-batch
    BAD_USER_INPUT input.id: there is no queue "gone": the cluster has no such queue; it has configfile-interactive, configfile-job, default-batch
    CONFLICT input.id: the project is archived; restore it first
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_needs_access_to_the_claims_of_the_job() {
    let world = World::new().await;
    let claim = "INSERT INTO storage_claims (id, project_id, group_id, namespace, name, display_name, access_mode, size, size_bytes, sent_bytes, phase, default_access)
        SELECT gen_random_uuid(), id, group_id, namespace, 'data', 'data', 'READ_WRITE_MANY', '1Gi', 1073741824, 1073741824, 'BOUND', 'READ' FROM projects WHERE name = 'detection'";
    sql(&world.url, claim).await;
    let mounts = json!([{ "claim": "data", "path": "/data", "readOnly": true }]);
    let first = submit(&world, "ada", json!({ "spec": { "image": "python:3.12", "mounts": mounts } })).await;
    fail(&world).await;
    let again = retry(&world, "ada", &first).await;
    assert_eq!(errors(&again), "");
    sql(&world.url, "UPDATE storage_claims SET default_access = 'NONE' WHERE name = 'data'").await;
    insta::assert_snapshot!(errors(&retry(&world, "ada", &first).await), @r#"BAD_USER_INPUT input.id: tasks[0].spec.volumes[0] names the claim "data", to which you have no access; its keepers can grant it"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_gives_the_same_retry_again() {
    let world = World::new().await;
    let (first, other) = (submit(&world, "ada", json!({})).await, submit(&world, "ada", json!({})).await);
    fail(&world).await;
    let again =
        async |job: &Value| world.ask("ada", RETRY, json!({ "i": { "id": job, "idempotencyKey": "once" } })).await;
    let (one, two) = (again(&first).await, again(&first).await);
    assert!(one["data"]["retryJob"]["job"]["id"].is_string(), "{one}");
    assert_eq!(one, two);
    insta::assert_snapshot!(errors(&again(&other).await), @"CONFLICT input.idempotencyKey: this idempotencyKey was already used with a different input");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_is_audited_as_one_and_told_as_a_submit() {
    let world = World::new().await;
    let first = submit(&world, "ada", json!({})).await;
    fail(&world).await;
    retry(&world, "ada", &first).await;
    let log = r#"{ auditLog(first: 1, filter: { actions: ["retryJob"] }) { nodes { action detail } } }"#;
    let log = world.ask("admin", log, json!({})).await.to_string();
    assert!(log.contains("\"action\":\"retryJob\"") && log.contains(first.as_str().unwrap()), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_job_knows_how_many_jobs_and_gpus_are_ahead_of_it() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for (gpu, priority) in [(1, 0), (2, 0), (4, 5), (8, 0)] {
        let spec = json!({ "image": "python:3.12", "resources": { "gpu": gpu } });
        ids.push(submit(&world, "ada", json!({ "spec": spec, "priority": priority })).await);
    }
    sql(&world.url, "UPDATE jobs SET phase = 'QUEUED' WHERE phase = 'SUBMITTED' AND gpu <= 2").await;
    let mut lines = Vec::new();
    for id in &ids {
        lines.push(job(&world, "ada", id, "phase queuePosition { jobsAhead gpusAhead }").await.to_string());
    }
    // Those in the cluster come first; then the one with the higher priority.
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"phase":"QUEUED","queuePosition":{"jobsAhead":0,"gpusAhead":0}}
    {"phase":"QUEUED","queuePosition":{"jobsAhead":1,"gpusAhead":1}}
    {"phase":"SUBMITTED","queuePosition":{"jobsAhead":2,"gpusAhead":3}}
    {"phase":"SUBMITTED","queuePosition":{"jobsAhead":3,"gpusAhead":7}}
    "#);
    sql(&world.url, "UPDATE jobs SET phase = 'RUNNING' WHERE gpu = 1").await;
    assert_eq!(job(&world, "ada", &ids[0], "queuePosition { jobsAhead }").await["queuePosition"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_priority_of_a_job_can_be_set_until_it_is_sent() {
    let world = World::new().await;
    let id = submit(&world, "ada", json!({})).await;
    let set = async |person: &str, priority: i32| {
        world.ask(person, PRIORITY, json!({ "i": { "id": id, "priority": priority } })).await
    };
    for (person, priority) in [("ada", 10), ("ada", 10), ("maya", 20)] {
        let answer = set(person, priority).await;
        assert_eq!(answer["data"]["setJobPriority"]["job"]["priority"], priority, "{answer}");
    }
    let events = job(&world, "ada", &id, "events { nodes { kind phase } }").await["events"].clone();
    insta::assert_snapshot!(events, @r#"{"nodes":[{"kind":"SUBMITTED","phase":"SUBMITTED"},{"kind":"PRIORITY_CHANGED","phase":"SUBMITTED"},{"kind":"PRIORITY_CHANGED","phase":"SUBMITTED"}]}"#);
    let mut told = vec![errors(&set("ada", 1001).await), errors(&set("ada", -1).await)];
    told.push(errors(&set("ben", 5).await).replace(id.as_str().unwrap(), "JOB"));
    sql(&world.url, "INSERT INTO group_members (group_id, user_id, role) SELECT groups.id, users.id, 'MEMBER' FROM groups, users WHERE name = 'vision' AND username = 'ben'").await;
    told.push(errors(&set("ben", 5).await));
    sql(&world.url, "UPDATE jobs SET phase = 'QUEUED' WHERE phase = 'SUBMITTED'").await;
    told.push(errors(&set("ada", 5).await));
    insta::assert_snapshot!(told.join("\n"), @r#"
    BAD_USER_INPUT input.priority: priority was 1001; it must be between 0 and 1000
    BAD_USER_INPUT input.priority: priority was -1; it must be between 0 and 1000
    NOT_FOUND input.id: job "JOB" not found
    FORBIDDEN input.id: only the user who submitted a job, and managers and admins of its group, can set its priority
    CONFLICT input.id: the job is QUEUED; only the priority of a SUBMITTED job can be set
    "#);
}
