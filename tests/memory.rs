//! Peak memory of a single request: the real binary's peak resident memory compared with that before the request.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::support::dev::Dev;

/// More than one request of the permitted size may take.
const ALLOWED_MIB: f64 = 64.0;

const PREVIEW: &str = "query($i: SubmitJobInput!) { previewJob(input: $i) { admitted manifests
    verdicts { rule outcome problems { message } } } }";
const CREATE: &str = "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { commit { id } } }";

struct Stage {
    dev: Dev,
    token: String,
    project: String,
    /// What each request took, for who reads the test's output.
    figures: Vec<String>,
}

impl Stage {
    async fn start() -> Self {
        let dev = Dev::start("memory", "embedded").await.unwrap();
        let token = dev.log_in("maya").await;
        let project = dev.project(&token, "detection").await;
        Self { dev, token, project, figures: Vec::new() }
    }

    fn status(&self, line: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.dev.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>().unwrap() / 1024.0
    }

    /// Sends a body and takes the answer, whatever it is; no more than is allowed may be held meanwhile. The status and
    /// the first characters of the answer.
    async fn send(&mut self, what: &str, body: String) -> String {
        self.send_as(what, body, "application/json").await
    }

    async fn send_as(&mut self, what: &str, body: String, accept: &str) -> String {
        // What the request before has left is given back soon.
        tokio::time::sleep(Duration::from_millis(500)).await;
        fs::write(format!("/proc/{}/clear_refs", self.dev.child.id().unwrap()), "5").unwrap();
        let (before, sent) = (self.status("VmHWM:"), body.len());
        let url = self.dev.ready["graphqlUrl"].as_str().unwrap();
        let request = reqwest::Client::new().post(url).bearer_auth(&self.token).header("accept", accept);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        let status = answer.status();
        // A stream that goes on is left after what comes at once.
        let text = tokio::time::timeout(Duration::from_secs(20), answer.text())
            .await
            .map_or_else(|_| String::new(), Result::unwrap);
        let took = self.status("VmHWM:") - before;
        let told: String = text.chars().take(300).collect();
        self.figures.push(format!(
            "{took:6.1} MiB over {before:.1}: {what} ({sent} bytes sent, {} received, {status}) {told}",
            text.len()
        ));
        assert!(took < ALLOWED_MIB, "{}", self.figures.join("\n"));
        format!("{status} {told}")
    }

    async fn ask(&mut self, what: &str, query: &str, variables: Value) -> String {
        self.send(what, json!({ "query": query, "variables": variables }).to_string()).await
    }

    async fn preview(&mut self, what: &str, mut input: Value) -> String {
        input["projectId"] = json!(self.project);
        self.ask(what, PREVIEW, json!({ "i": input })).await
    }

    async fn commit(&mut self, what: &str, yaml: &str) -> Option<String> {
        let name = format!("file-{}.yaml", self.figures.len());
        let input = json!({ "projectId": self.project, "name": name, "yaml": yaml, "message": "large" });
        let told = self.ask(what, CREATE, json!({ "i": input })).await;
        let id = told.find("commit_").map(|at| told[at..].chars().take_while(|c| *c != '"').collect());
        id.filter(|_| !told.contains("errors"))
    }

    async fn sql(&self, statement: &str) {
        let (sql, driver) =
            tokio_postgres::connect(self.dev.ready["databaseUrl"].as_str().unwrap(), NoTls).await.unwrap();
        tokio::spawn(driver);
        sql.batch_execute(statement).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_many_large_tasks_is_looked_at_without_building_them() {
    let mut stage = Stage::start().await;
    for replicas in [1, 16, 256] {
        let spec = json!({ "image": "a", "replicas": replicas, "args": ["x".repeat(1_900_000)] });
        let told = stage
            .preview(&format!("a spec of {replicas} tasks of 1.9 MB"), json!({ "source": { "spec": spec } }))
            .await;
        assert!(told.contains(r#""admitted":false"#), "{told}");
    }
    let spec = json!({ "image": "a", "replicas": 256, "args": ["x".repeat(5_000)] });
    let told = stage.preview("a job of 1.4 MB with its manifest", json!({ "source": { "spec": spec } })).await;
    assert!(told.contains(r#""admitted":true"#), "{told}");

    let tasks: Vec<_> = (0..256)
        .map(|n| format!("{{spec: {{containers: [{{name: a, image: b, args: [\"{n}{}\"]}}]}}}}", "x".repeat(3_900)))
        .collect();
    let yaml = format!(
        "apiVersion: scheduling.flash-sched.io/v1alpha1\nkind: FlashJob\nmetadata: {{name: a}}\nspec: {{minAvailable: 1, tasks: [{}]}}\n",
        tasks.join(", ")
    );
    let commit = stage.commit("a commit of 1 MiB with 256 tasks", &yaml).await.unwrap();
    let told = stage.preview("its preview", json!({ "source": { "commitId": commit } })).await;
    assert!(told.contains(r#""admitted":true"#), "{told}");
    let overrides = json!({ "args": ["x".repeat(1_900_000)], "image": "b" });
    let told = stage
        .preview("with 1.9 MB for each task", json!({ "source": { "commitId": commit }, "overrides": overrides }))
        .await;
    assert!(told.contains(r#""admitted":false"#), "{told}");

    let aliased =
        |fields: &str| (0..20).map(|n| format!("p{n}: previewJob(input: $i) {{ {fields} }} ")).collect::<String>();
    let query = format!("query($i: SubmitJobInput!) {{ {} }}", aliased("admitted manifests"));
    let input = json!({ "projectId": stage.project, "source": { "spec": spec } });
    let told = stage.ask("20 previews of 1.4 MB", &query, json!({ "i": input })).await;
    assert!(told.contains("bytes of the response"), "{told}");
    let spec = json!({ "image": "a", "replicas": 256, "args": ["x".repeat(1_900_000)] });
    let input = json!({ "projectId": stage.project, "source": { "spec": spec } });
    for query in [
        format!("query($i: SubmitJobInput!) {{ {} }}", aliased("admitted")),
        format!("mutation($i: SubmitJobInput!) {{ {} }}", aliased("preview { admitted }")),
    ] {
        let told = stage.ask("20 previews of 1.9 MB each", &query, json!({ "i": input })).await;
        assert!(told.contains(r#""admitted":false"#), "{told}");
    }
    println!("{}", stage.figures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_is_not_held_many_times_over() {
    let mut stage = Stage::start().await;
    stage.send("2 MiB less a little that is no JSON", "x".repeat(2_000_000)).await;
    stage
        .send(
            "a query of 2 MiB",
            json!({ "query": format!("{{ node(id: \"{}\") {{ id }} }}", "x".repeat(2_000_000)) }).to_string(),
        )
        .await;
    stage
        .send(
            "a query of a million fields",
            json!({ "query": format!("{{ {} }}", "a ".repeat(1_000_000)) }).to_string(),
        )
        .await;
    for (what, value) in [("numbers", "0"), ("lists", "[]"), ("objects", "{\"a\":0}")] {
        let values = vec![value; 2_000_000 / (value.len() + 1)].join(",");
        let body =
            format!("{{\"query\":\"query($a: [Int!]) {{ viewer {{ id }} }}\",\"variables\":{{\"a\":[{values}]}}}}");
        let told = stage.send(&format!("2 MB of {what}"), body).await;
        assert!(told.contains("values in the body"), "{told}");
    }
    let env: Vec<_> = (0..5_000).map(|n| json!({ "name": format!("A{n}"), "value": "x".repeat(300) })).collect();
    let told = stage.preview("5000 variables", json!({ "source": { "spec": { "image": "a", "env": env } } })).await;
    assert!(told.contains("it has 5000, at most 1000 are allowed"), "{told}");
    let env: Vec<_> = (0..1_000).map(|n| json!({ "name": format!("A{n}"), "value": "\u{1}".repeat(300) })).collect();
    stage.preview("1000 variables", json!({ "source": { "spec": { "image": "a", "env": env } } })).await;
    println!("{}", stage.figures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_large_objects_is_refused_before_they_are_read() {
    let mut stage = Stage::start().await;
    stage
        .sql(
            "INSERT INTO jobs (id, project_id, submitted_by, name, queue, priority, executor, phase, manifest, tasks,
                               namespace, object_name, next_attempt_at, submitted_at, started_at, finished_at)
             SELECT gen_random_uuid(), project_id, submitted_by, 'large', queue, priority, executor, phase,
                    jsonb_set(manifest, '{spec,tasks,0,spec,containers,0,args}', jsonb_build_array(repeat('x', 1400000))),
                    tasks, namespace, 'large-' || n, NULL, now(), started_at, finished_at
               FROM (SELECT * FROM jobs WHERE finished_at IS NOT NULL LIMIT 1) AS job, generate_series(1, 100) AS n",
        )
        .await;
    let query = "query($n: Int) { jobs(first: $n) { nodes { name manifest } } }";
    let told = stage.ask("100 manifests of 1.4 MB", query, json!({ "n": 100 })).await;
    assert!(told.contains("bytes of the response") && told.contains("at most 8388608 are allowed"), "{told}");
    let told = stage.ask("5 manifests of 1.4 MB", query, json!({ "n": 5 })).await;
    assert!(told.starts_with("200 OK {\"data\""), "{told}");
    let told =
        stage.ask("the tasks of 100 large jobs", "{ jobs(first: 100) { nodes { tasks { state } } } }", json!({})).await;
    assert!(told.starts_with("200 OK {\"data\""), "{told}");

    let yaml =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{a: \"{}\"}}\n", "x".repeat(1_000_000));
    for n in 0..20 {
        stage.commit("a file of 1 MB", &format!("{yaml}# {n}\n")).await.unwrap();
    }
    let files = |fields: &str| {
        format!(
            "{{ projects(first: 5) {{ nodes {{ configFiles(first: 30) {{ nodes {{ head {{ {fields} }} }} }} }} }} }}"
        )
    };
    let told = stage.ask("20 files of 1 MB", &files("yaml"), json!({})).await;
    assert!(told.contains("bytes of the response"), "{told}");
    let told = stage.ask("the kinds of 20 files of 1 MB", &files("kinds"), json!({})).await;
    assert!(told.starts_with("200 OK {\"data\""), "{told}");
    println!("{}", stage.figures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_names_very_many_jobs_is_refused_with_both_numbers() {
    let mut stage = Stage::start().await;
    let told = stage.dev.ask(Some(&stage.token), "{ jobs(first: 1) { nodes { id } } }", json!({})).await;
    let job = told["data"]["jobs"]["nodes"][0]["id"].clone();
    let query = "subscription($ids: [ID!]!) { jobEvents(filter: { jobIds: $ids }) { cursor } }";
    let body = |count| json!({ "query": query, "variables": { "ids": vec![job.clone(); count] } }).to_string();
    let told = stage.send_as("5000 jobs", body(5_000), "text/event-stream").await;
    assert!(told.contains("it has 5000, at most 1000 are allowed"), "{told}");
    println!("{}", stage.figures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_file_of_very_many_parts_is_read_within_bounds() {
    let mut stage = Stage::start().await;
    let entries: Vec<_> = (0..50_000).map(|n| format!("a{n}: b")).collect();
    stage
        .commit(
            "50000 entries",
            &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{{}}}\n", entries.join(", ")),
        )
        .await;
    println!("{}", stage.figures.join("\n"));
}
