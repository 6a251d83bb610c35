//! Submitting jobs: which inputs are rejected with which messages, and what a preview reports beforehand.

use serde_json::{Value, json};

use super::permissions::Reached::{Below, By};
use super::permissions::Rows;
use super::{World, errors, sql, with_source};

/// Who sees what of jobs: the ways to it.
pub const ROWS: Rows = Rows {
    setup: "",
    operations: &[
        ("job", "query($ended: ID!) { job(id: $ended) { id } }"),
        ("jobs", "{ jobs { nodes { id } } }"),
        (
            "submitJob",
            "mutation($detection: ID!) { submitJob(input: { projectId: $detection, source: { spec: { image: \"python:3.12\" } } }) { job { id } } }",
        ),
        (
            "previewJob",
            "query($detection: ID!) { previewJob(input: { projectId: $detection, source: { spec: { image: \"python:3.12\" } } }) { admitted } }",
        ),
        (
            "previewJob",
            "mutation($detection: ID!) { previewJob(input: { projectId: $detection, source: { spec: { image: \"python:3.12\" } } }) { preview { admitted } } }",
        ),
        ("cancelJob", "mutation($running: ID!) { cancelJob(input: { id: $running }) { job { id } } }"),
        (
            "jobEvents",
            "subscription($ended: ID!, $start: FeedCursor!) { jobEvents(filter: { jobIds: [$ended] }, after: $start) { cursor } }",
        ),
        ("jobLogs", "subscription($ended: ID!) { jobLogs(jobId: $ended) { cursor } }"),
    ],
    types: &[
        ("Job", By("query($ended: ID!) { job(id: $ended) { FIELD } }")),
        ("JobTask", By("query($ended: ID!) { job(id: $ended) { tasks { FIELD } } }")),
        ("JobEvent", By("query($ended: ID!) { job(id: $ended) { events(first: 1) { nodes { FIELD } } } }")),
        ("JobConnection", By("query($detection: ID!) { jobs(first: 1, filter: { projectId: $detection }) { FIELD } }")),
        (
            "JobEdge",
            By("query($detection: ID!) { jobs(first: 1, filter: { projectId: $detection }) { edges { FIELD } } }"),
        ),
        ("JobEventConnection", By("query($ended: ID!) { job(id: $ended) { events(first: 1) { FIELD } } }")),
        ("JobEventEdge", By("query($ended: ID!) { job(id: $ended) { events(first: 1) { edges { FIELD } } } }")),
        ("SubmitJobPayload", Below("submitJob")),
        ("PreviewJobPayload", Below("previewJob")),
        ("JobPreview", Below("previewJob")),
        ("QuotaLine", Below("previewJob")),
        ("AdmissionVerdict", Below("previewJob")),
        ("AdmissionProblem", Below("previewJob")),
        ("CancelJobPayload", Below("cancelJob")),
        ("LogChunk", Below("jobLogs")),
        ("LogLine", Below("jobLogs")),
    ],
};

const SUBMIT: &str = "mutation($input: SubmitJobInput!) { submitJob(input: $input) { job { id name phase }
    preview { admitted verdicts { rule outcome problems { field message } } manifests quota { resource limit used requested left } } } }";
const PREVIEW: &str = "query($input: SubmitJobInput!) { previewJob(input: $input) {
    admitted verdicts { rule outcome problems { field message } } manifests quota { resource limit used requested left } } }";

async fn project(world: &World) -> Value {
    let query = "{ projects(filter: { names: [\"detection\"] }) { nodes { id } } }";
    world.ask("admin", query, json!({})).await["data"]["projects"]["nodes"][0]["id"].clone()
}

/// An input for the project `detection` with these fields besides.
async fn input(world: &World, fields: Value) -> Value {
    json!({ "input": with_source(project(world).await, fields) })
}

/// The errors of submitting this, and that nothing was written.
async fn refused(world: &World, who: &str, fields: Value) -> String {
    let before = jobs(world).await;
    let answer = world.ask(who, SUBMIT, input(world, fields).await).await;
    assert_eq!(jobs(world).await, before, "{answer}");
    let mut told: Vec<String> = errors(&answer).lines().map(str::to_owned).collect();
    told.sort();
    told.join("\n")
}

async fn jobs(world: &World) -> Value {
    world.ask("admin", "{ jobs { totalCount } }", json!({})).await["data"]["jobs"]["totalCount"].clone()
}

/// The commit of a new file with this YAML.
async fn commit(world: &World, name: &str, yaml: &str) -> Value {
    let create = "mutation($input: CreateConfigFileInput!) { createConfigFile(input: $input) { commit { id } } }";
    let fields = json!({ "name": name, "yaml": yaml, "message": "first" });
    let answer = world.ask("maya", create, input(world, fields).await).await;
    assert_eq!(errors(&answer), "");
    answer["data"]["createConfigFile"]["commit"]["id"].clone()
}

/// The rules that did not pass, one line each.
fn verdicts(preview: &Value) -> String {
    let mut lines = String::new();
    for verdict in preview["verdicts"].as_array().unwrap_or_else(|| panic!("{preview}")) {
        // These tests have no cluster that could be asked.
        if verdict["rule"] == "CLUSTER" {
            assert_eq!(verdict["outcome"], "SKIPPED", "{verdict}");
            continue;
        }
        if verdict["outcome"] != "PASSED" {
            lines += &format!("{} {}\n", verdict["rule"].as_str().unwrap(), verdict["outcome"].as_str().unwrap());
        }
        for problem in verdict["problems"].as_array().unwrap() {
            let field = problem["field"].as_str().unwrap_or("-");
            lines += &format!("  {field}: {}\n", problem["message"].as_str().unwrap());
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_the_verdicts_the_manifest_and_what_is_left_and_changes_nothing() {
    let world = World::new().await;
    sql(&world.url, "INSERT INTO project_quotas (project_id, gpu) SELECT id, 8 FROM projects WHERE name = 'detection'")
        .await;
    let before = jobs(&world).await;
    let spec = json!({ "image": "python:3.12", "replicas": 2, "resources": { "gpu": 1, "memory": "1Gi" } });
    let answer = world.ask("ada", PREVIEW, input(&world, json!({ "name": "train", "spec": spec })).await).await;
    let preview = &answer["data"]["previewJob"];
    assert_eq!((&preview["admitted"], verdicts(preview)), (&json!(true), String::new()), "{answer}");
    assert_eq!(preview["verdicts"].as_array().unwrap().len(), 17);
    let manifest = &preview["manifests"][0];
    assert_eq!((&manifest["kind"], &manifest["spec"]["minAvailable"]), (&json!("FlashJob"), &json!(2)));
    assert_eq!(manifest["spec"]["tasks"][1]["spec"]["schedulerName"], "flash-scheduler");
    insta::assert_snapshot!(
        preview["quota"].as_array().unwrap().iter().map(|line| format!("{line}\n")).collect::<String>(),
        @r#"
    {"resource":"GPU","limit":"8","used":"0","requested":"2","left":"6"}
    {"resource":"CPU","limit":null,"used":"0","requested":"200m","left":null}
    {"resource":"MEMORY","limit":null,"used":"0","requested":"2Gi","left":null}
    {"resource":"JOBS","limit":null,"used":"0","requested":"1","left":null}
    "#
    );
    assert_eq!(jobs(&world).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_tells_each_rule_that_fails_and_why() {
    let world = World::new().await;
    let fields = json!({
        "name": "Train", "priority": -1, "queue": "fast", "idempotencyKey": "",
        "spec": {
            "image": "python:", "env": [{ "name": "1A", "value": "" }, { "name": "PLATFORM_X", "value": "" }],
            "workingDir": "relative", "replicas": -2, "minAvailable": 0, "retries": 11, "activeDeadlineSeconds": 0,
            "resources": { "cpu": "2", "cpuLimit": "1", "gpu": -1 }, "mounts": [{ "claim": "data", "path": "/a/../b" }],
        },
    });
    let answer = world.ask("ada", PREVIEW, input(&world, fields.clone()).await).await;
    let preview = &answer["data"]["previewJob"];
    assert_eq!((&preview["admitted"], &preview["manifests"]), (&json!(false), &json!([])));
    insta::assert_snapshot!(verdicts(preview), @r#"
    IDEMPOTENCY_KEY FAILED
      input.idempotencyKey: idempotencyKey has 0 characters; it must have 1 to 200
    NAME FAILED
      input.name: "Train" is not a valid name: lower-case letters, digits and '-' are allowed, and it must begin and end with a letter or a digit (for example my-name or 123-abc)
    PRIORITY FAILED
      input.priority: priority was -1; it must be between 0 and 1000
    QUEUE FAILED
      input.queue: there is no queue "fast": the cluster has no such queue; it has configfile-interactive, configfile-job, default-batch
    IMAGE FAILED
      input.source.spec.image: image was "python:", which is not an image reference: the tag "" must be 1 to 128 letters, digits, '_', '.' or '-', and not begin with '.' or '-'
    CONTAINER FAILED
      input.source.spec.workingDir: workingDir was "relative"; it must be an absolute path without ".."
      input.source.spec.env.0.name: env.0.name was "1A"; it must be letters, digits, '_', '-' and '.', not beginning with a digit or with ".."
      input.source.spec.env.1.name: env.1.name was "PLATFORM_X"; names that begin with PLATFORM_ are the platform's own
    RESOURCES FAILED
      input.source.spec.resources.gpu: gpu was -1; it must be between 0 and 64 for one task
      input.source.spec.resources.cpuLimit: cpuLimit was 1; it may not be less than the request, which is 2
    MOUNTS FAILED
      input.source.spec.mounts.0.claim: storage claim "data" not found
      input.source.spec.mounts.0.path: mounts.0.path was "/a/../b"; it must be an absolute path without ".."
    GANG FAILED
      input.source.spec.replicas: replicas was -2; it must be between 1 and 256
      input.source.spec.minAvailable: minAvailable was 0; it must be 1, the number of tasks
    LIFETIME FAILED
      input.source.spec.activeDeadlineSeconds: activeDeadlineSeconds was 0; it must be between 1 and 2147483647
      input.source.spec.retries: retries was 11; it must be between 0 and 10
    QUOTA SKIPPED
    "#);
    // What the preview shows is what the submit refuses with.
    let told = refused(&world, "ada", fields).await;
    let shown =
        preview["verdicts"].as_array().unwrap().iter().flat_map(|verdict| verdict["problems"].as_array().unwrap());
    for problem in shown {
        assert!(told.contains(problem["message"].as_str().unwrap()), "{problem} is not in {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submit_tells_what_the_query_and_the_deprecated_mutation_preview() {
    let world = World::new().await;
    let given = input(&world, json!({ "spec": { "image": "python:3.12" } })).await;
    let mutation = PREVIEW
        .replace("query(", "mutation(")
        .replace("{ previewJob(input: $input) {", "{ previewJob(input: $input) { preview {");
    let mutation = format!("{mutation} }}");
    let preview = world.ask("ada", PREVIEW, given.clone()).await["data"]["previewJob"].take();
    let mut deprecated = world.ask("ada", &mutation, given.clone()).await["data"]["previewJob"]["preview"].take();
    // Each has an ID of its own.
    deprecated["manifests"] = preview["manifests"].clone();
    assert_eq!(deprecated, preview);
    let submitted = world.ask("ada", SUBMIT, given).await["data"]["submitJob"]["preview"].take();
    assert_eq!((&submitted["admitted"], &submitted["quota"]), (&preview["admitted"], &preview["quota"]));
    // Only a preview asks the cluster.
    let of_server = |preview: &Value| {
        let verdicts = preview["verdicts"].as_array().unwrap().iter();
        verdicts.filter(|verdict| verdict["rule"] != "CLUSTER").cloned().collect::<Vec<_>>()
    };
    assert_eq!(of_server(&submitted), of_server(&preview));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_too_large_for_its_project_is_shown_and_refused_with_the_numbers() {
    let world = World::new().await;
    let quota = "INSERT INTO project_quotas (project_id, gpu, concurrent_jobs) SELECT id, 2, 0 FROM projects WHERE name = 'detection'";
    sql(&world.url, quota).await;
    let fields = json!({ "spec": { "image": "python:3.12", "replicas": 3, "resources": { "gpu": 1 } } });
    let answer = world.ask("ada", PREVIEW, input(&world, fields.clone()).await).await;
    let preview = &answer["data"]["previewJob"];
    insta::assert_snapshot!(verdicts(preview), @r"
    QUOTA FAILED
      -: the project's limit is 2 GPUs; it uses 0 and this job requests 3
      -: the project's limit is 0 unfinished jobs; it uses 0 and this job requests 1
    ");
    assert_eq!((&preview["quota"][0]["left"], &preview["manifests"][0]["kind"]), (&json!("-1"), &json!("FlashJob")));
    insta::assert_snapshot!(refused(&world, "ada", fields).await, @r"
    QUOTA_EXCEEDED -: the project's limit is 0 unfinished jobs; it uses 0 and this job requests 1
    QUOTA_EXCEEDED -: the project's limit is 2 GPUs; it uses 0 and this job requests 3
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_the_cluster_would_not_keep_is_refused_with_its_size_from_whatever_source() {
    let world = World::new().await;
    let fields = json!({ "spec": { "image": "python:3.12", "args": ["x".repeat(20_000)], "replicas": 256 } });
    let answer = world.ask("ada", PREVIEW, input(&world, fields.clone()).await).await;
    let preview = &answer["data"]["previewJob"];
    assert_eq!((&preview["admitted"], &preview["manifests"]), (&json!(false), &json!([])), "{answer}");
    let told = "input.source.spec: the job with its 256 tasks would be an object of 5251452 bytes; the cluster accepts at most 1500000";
    assert_eq!(verdicts(preview), format!("SIZE FAILED\n  {told}\n"));
    assert_eq!(refused(&world, "ada", fields).await, format!("BAD_USER_INPUT {told}"));

    // One task of a commit, made many and large by the overrides; and 200 different tasks, each made larger.
    let pod = |name: &str| format!("{{spec: {{containers: [{{name: {name}, image: a}}]}}}}");
    let different: Vec<_> = (0..200).map(|index| pod(&format!("c{index}"))).collect();
    let gang = format!(
        "apiVersion: scheduling.flash-sched.io/v1alpha1\nkind: FlashJob\nspec: {{minAvailable: 1, tasks: [{}]}}\n",
        different.join(", ")
    );
    for (name, yaml, overrides) in [
        (
            "pod.yaml",
            "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: b}]}\n".to_owned(),
            json!({ "replicas": 256, "args": ["<".repeat(1_000)] }),
        ),
        ("gang.yaml", gang, json!({ "args": ["x".repeat(20_000)] })),
    ] {
        let commit = commit(&world, name, &yaml).await;
        let fields = json!({ "commitId": commit, "overrides": overrides });
        let answer = world.ask("ada", PREVIEW, input(&world, fields).await).await;
        let told = verdicts(&answer["data"]["previewJob"]);
        assert!(told.starts_with("SIZE FAILED") && told.contains("1500000"), "{told}{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_many_equal_tasks_is_kept_once_and_shown_with_all_of_them() {
    let world = World::new().await;
    let spec = json!({ "image": "python:3.12", "args": ["x".repeat(4_000)], "replicas": 200 });
    let answer = world.ask("ada", SUBMIT, input(&world, json!({ "spec": spec })).await).await;
    let id = &answer["data"]["submitJob"]["job"]["id"];
    let kept = "DO $$ BEGIN ASSERT (SELECT task_counts = '{200}' AND octet_length(manifest::text) < 10000
                AND manifest_bytes > 800000 FROM jobs ORDER BY submitted_at DESC LIMIT 1); END $$";
    sql(&world.url, kept).await;
    let query = "query($id: ID!) { job(id: $id) { manifest } }";
    let answer = world.ask("ada", query, json!({ "id": id })).await;
    let manifest = &answer["data"]["job"]["manifest"];
    let tasks = manifest["spec"]["tasks"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!((tasks.len(), &manifest["spec"]["minAvailable"]), (200, &json!(200)));
    assert!(tasks.iter().all(|task| *task == tasks[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_an_image_is_refused_with_what_is_allowed() {
    let world = World::new().await;
    let mut told = String::new();
    for image in ["", "Python:3.12", "python:3.12:1", "python@sha256:12", "-a/b", "a b", "https://example.org/x"] {
        told += &refused(&world, "ada", json!({ "spec": { "image": image } })).await;
        told.push('\n');
    }
    insta::assert_snapshot!(told, @r#"
    BAD_USER_INPUT input.source.spec.image: image was "", which is not an image reference: it is empty; an image such as alpine:3.20 or registry.example.org/team/tool@sha256:… is expected
    BAD_USER_INPUT input.source.spec.image: image was "Python:3.12", which is not an image reference: the name "Python" must be lower case
    BAD_USER_INPUT input.source.spec.image: image was "python:3.12:1", which is not an image reference: the part "python:3.12" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'
    BAD_USER_INPUT input.source.spec.image: image was "python@sha256:12", which is not an image reference: the digest "sha256:12" must be an algorithm and a hexadecimal hash, such as sha256: followed by 64 digits
    BAD_USER_INPUT input.source.spec.image: image was "-a/b", which is not an image reference: the part "-a" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'
    BAD_USER_INPUT input.source.spec.image: image was "a b", which is not an image reference: the part "a b" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'
    BAD_USER_INPUT input.source.spec.image: image was "https://example.org/x", which is not an image reference: the registry "https:" must be a host name or address with an optional port, such as registry.example.org:5000
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_out_of_range_are_refused_with_the_range() {
    let world = World::new().await;
    let spec = |field: &str, value: i64| json!({ "spec": { "image": "python:3.12", field: value } });
    insta::assert_snapshot!(refused(&world, "ada", spec("replicas", -1)).await, @"BAD_USER_INPUT input.source.spec.replicas: replicas was -1; it must be between 1 and 256");
    insta::assert_snapshot!(refused(&world, "ada", spec("replicas", 257)).await, @"BAD_USER_INPUT input.source.spec.replicas: replicas was 257; it must be between 1 and 256");
    insta::assert_snapshot!(refused(&world, "ada", spec("minAvailable", 2)).await, @"BAD_USER_INPUT input.source.spec.minAvailable: minAvailable was 2; it must be 1, the number of tasks");
    insta::assert_snapshot!(refused(&world, "ada", spec("retries", -1)).await, @"BAD_USER_INPUT input.source.spec.retries: retries was -1; it must be between 0 and 10");
    insta::assert_snapshot!(refused(&world, "ada", spec("activeDeadlineSeconds", 0)).await, @"BAD_USER_INPUT input.source.spec.activeDeadlineSeconds: activeDeadlineSeconds was 0; it must be between 1 and 2147483647");
    insta::assert_snapshot!(refused(&world, "ada", spec("ttlSecondsAfterFinished", -1)).await, @"BAD_USER_INPUT input.source.spec.ttlSecondsAfterFinished: ttlSecondsAfterFinished was -1; it must be between 0 and 2147483647");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_with_capitals_or_of_300_characters_is_refused_with_what_is_allowed() {
    let world = World::new().await;
    let named = |name: &str| json!({ "name": name, "spec": { "image": "python:3.12" } });
    insta::assert_snapshot!(refused(&world, "ada", named("Train")).await, @r#"BAD_USER_INPUT input.name: "Train" is not a valid name: lower-case letters, digits and '-' are allowed, and it must begin and end with a letter or a digit (for example my-name or 123-abc)"#);
    insta::assert_snapshot!(refused(&world, "ada", named(&"a".repeat(300))).await, @r#"BAD_USER_INPUT input.name: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…" has 300 characters; at most 63 are allowed"#);
    insta::assert_snapshot!(refused(&world, "ada", named("")).await, @"BAD_USER_INPUT input.name: a name is required: lower-case letters, digits and '-' are allowed, and it must begin and end with a letter or a digit (for example my-name or 123-abc)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_not_yours_is_not_there() {
    let world = World::new().await;
    let id = project(&world).await;
    let told = refused(&world, "ben", json!({ "spec": { "image": "python:3.12" } })).await;
    insta::assert_snapshot!(told.replace(id.as_str().unwrap(), "<project>"), @r#"NOT_FOUND input.projectId: project "<project>" not found"#);
    let answer = world.ask("ben", PREVIEW, input(&world, json!({ "spec": { "image": "python:3.12" } })).await).await;
    assert!(errors(&answer).starts_with("NOT_FOUND input.projectId: "), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_gives_the_first_answer_again_even_when_there_is_no_room_any_more() {
    let world = World::new().await;
    let quota =
        "INSERT INTO project_quotas (project_id, concurrent_jobs) SELECT id, 1 FROM projects WHERE name = 'detection'";
    sql(&world.url, quota).await;
    let fields = json!({ "idempotencyKey": "once", "spec": { "image": "python:3.12" } });
    let submit = async || world.ask("ada", SUBMIT, input(&world, fields.clone()).await).await;
    let (first, second) = (submit().await, submit().await);
    assert!(first["data"]["submitJob"]["job"]["id"].is_string(), "{first}");
    assert_eq!(first["data"]["submitJob"]["job"]["id"], second["data"]["submitJob"]["job"]["id"], "{second}");
    let other = json!({ "idempotencyKey": "once", "spec": { "image": "python:3.13" } });
    insta::assert_snapshot!(refused(&world, "ada", other).await, @"CONFLICT input.idempotencyKey: this idempotencyKey was already used with a different input");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waits_says_for_what_and_how_many_are_ahead() {
    let world = World::new().await;
    for _ in 0..4 {
        let answer = world.ask("ada", SUBMIT, input(&world, json!({ "spec": { "image": "python:3.12" } })).await).await;
        assert!(answer["errors"].is_null(), "{answer}");
    }
    let told = async || {
        let query = "{ jobs(filter: { phases: [SUBMITTED, QUEUED, RUNNING] }, orderBy: { field: SUBMITTED_AT, direction: ASC }) { nodes { pendingReason } } }";
        let answer = world.ask("ada", query, json!({})).await;
        let jobs = answer["data"]["jobs"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        jobs.iter().map(|job| format!("{}\n", job["pendingReason"].as_str().unwrap_or("-"))).collect::<String>()
    };
    assert_eq!(told().await, "It is being sent to the cluster.\n".repeat(4));
    sql(&world.url, "UPDATE jobs SET phase = 'QUEUED' WHERE phase = 'SUBMITTED'").await;
    let last = "(SELECT id FROM jobs WHERE phase = 'QUEUED' ORDER BY submitted_at DESC LIMIT 1)";
    sql(&world.url, &format!("UPDATE jobs SET pending_reason = 'Gang short by 1 of 2.' WHERE id = {last}")).await;
    insta::assert_snapshot!(told().await, @"
    It is first in the queue default-batch.
    It is waiting in the queue default-batch behind 1 other job.
    It is waiting in the queue default-batch behind 2 other jobs.
    Gang short by 1 of 2.
    ");
}
