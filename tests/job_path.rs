//! The whole path of a job through the real binary: submitted over HTTP, watched over a WebSocket, run by the cluster.
//!
//! The same scenarios run against the embedded cluster and against a real etcd and kube-apiserver.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, http::HeaderValue};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running `platform dev`, gone with the test.
struct Dev {
    child: Child,
    folder: tempfile::TempDir,
    ready: Value,
    http: reqwest::Client,
}

impl Dev {
    /// Starts against `cluster`; `None` where the real one is asked for and not there.
    async fn start(cluster: &str) -> Option<Self> {
        if cluster == "real" && std::env::var_os("KUBEBUILDER_ASSETS").is_none() {
            super::cluster_contract::arena::skip(
                "job_path",
                "set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver",
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (child, ready) = spawn(&folder.path().join("data"), cluster).await;
        Some(Self { child, folder, ready, http: reqwest::Client::new() })
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn ask(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let url = self.ready["graphqlUrl"].as_str().unwrap();
        let mut request = self.http.post(url).json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn log_in(&self, username: &str) -> String {
        let users = self.ready["users"].as_array().unwrap();
        let user = users.iter().find(|user| user["username"] == username).unwrap();
        let query = "mutation($u: String!, $p: String!) { login(input: {username: $u, password: $p}) { accessToken } }";
        let answer = self.ask(None, query, json!({ "u": username, "p": user["password"] })).await;
        answer["data"]["login"]["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn project(&self, token: &str, name: &str) -> String {
        let answer = self.ask(Some(token), "{ projects { nodes { id name } } }", json!({})).await;
        let nodes = answer["data"]["projects"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        nodes.iter().find(|node| node["name"] == name).unwrap_or_else(|| panic!("{answer}"))["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Submits the YAML as a config file's first commit; the job's id.
    async fn submit_yaml(&self, token: &str, name: &str, yaml: &str, queue: &str) -> String {
        let project = self.project(token, "detection").await;
        let create = "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { commit { id } } }";
        let input = json!({ "projectId": project, "name": name, "yaml": yaml, "message": "try" });
        let answer = self.ask(Some(token), create, json!({ "i": input })).await;
        let commit = answer["data"]["createConfigFile"]["commit"]["id"].clone();
        assert!(commit.is_string(), "{answer}");
        let submit = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id phase } } }";
        let input = json!({ "projectId": project, "commitId": commit, "queue": queue });
        let answer = self.ask(Some(token), submit, json!({ "i": input })).await;
        let job = &answer["data"]["submitJob"]["job"];
        // The worker is rung by the commit: the cluster may have the job before the answer is put together.
        assert!(job["phase"] == "SUBMITTED" || job["phase"] == "QUEUED", "{answer}");
        job["id"].as_str().unwrap().to_owned()
    }

    /// The phases of a job's events over a WebSocket after `after`, until `last`; and the cursor of the last.
    async fn phases_until(&self, token: &str, job: &str, after: Option<String>, last: &str) -> (Vec<String>, String) {
        let mut request = self.ready["wsUrl"].as_str().unwrap().into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
        socket.send(Message::text(init.to_string())).await.unwrap();
        let query =
            "subscription($f: JobEventFilter, $a: Cursor) { jobEvents(filter: $f, after: $a) { cursor kind phase } }";
        let variables = json!({ "f": { "jobIds": [job] }, "a": after });
        let subscribe =
            json!({ "id": "1", "type": "subscribe", "payload": { "query": query, "variables": variables } });
        socket.send(Message::text(subscribe.to_string())).await.unwrap();
        let mut phases: Vec<String> = Vec::new();
        loop {
            let message = timeout(PATIENCE, socket.next()).await.unwrap_or_else(|_| panic!("waiting after {phases:?}"));
            let message = message.unwrap_or_else(|| panic!("the socket ended after {phases:?}: {}", self.log()));
            let text = match message.unwrap() {
                Message::Text(text) => text,
                Message::Close(frame) => {
                    panic!("the socket was closed with {frame:?} after {phases:?}: {}", self.log())
                }
                _ => continue,
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["type"] != "next" {
                assert_ne!(message["type"], "error", "{message}");
                continue;
            }
            let event = &message["payload"]["data"]["jobEvents"];
            let phase = event["phase"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned();
            if phases.last() != Some(&phase) {
                phases.push(phase.clone());
            }
            if phase == last {
                return (phases, event["cursor"].as_str().unwrap().to_owned());
            }
        }
    }

    /// The end of what the server has said so far.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.data_dir().with_extension("log")).unwrap_or_default();
        log.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    async fn stop(mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }
}

fn log(data_dir: &std::path::Path) -> Stdio {
    std::fs::File::options().create(true).append(true).open(data_dir.with_extension("log")).unwrap().into()
}

async fn spawn(data_dir: &std::path::Path, cluster: &str) -> (Child, Value) {
    let ready_file = data_dir.with_extension("ready");
    let _ = std::fs::remove_file(&ready_file);
    let child = Command::new(env!("CARGO_BIN_EXE_platform"))
        .args(["dev", "--port", "0", "--speed", "10", "--cluster", cluster, "--data-dir"])
        .arg(data_dir)
        .arg("--ready-file")
        .arg(&ready_file)
        .stdout(log(data_dir))
        .stderr(log(data_dir))
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ready = timeout(PATIENCE, async {
        loop {
            match std::fs::read(&ready_file) {
                Ok(bytes) => return serde_json::from_slice(&bytes).unwrap(),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    })
    .await
    .expect("platform dev is up in time");
    (child, ready)
}

/// The cursor before everything: the demo seed's first event.
async fn beginning(dev: &Dev, token: &str) -> Option<String> {
    let query = "{ jobs(last: 1) { nodes { events(first: 1) { nodes { cursor } } } } }";
    let answer = dev.ask(Some(token), query, json!({})).await;
    answer["data"]["jobs"]["nodes"][0]["events"]["nodes"][0]["cursor"].as_str().map(str::to_owned)
}

fn pod(annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: try\n  annotations: {annotations}\nspec:\n  containers:\n  - name: main\n    image: python:3.12\n"
    )
}

async fn succeeds_fails_and_is_cancelled(cluster: &str) {
    let Some(dev) = Dev::start(cluster).await else { return };
    let token = dev.log_in("maya").await;
    let start = beginning(&dev, &token).await;

    let good = dev.submit_yaml(&token, "good", &pod(r#"{sim.platform/duration: "5s"}"#), "configfile-job").await;
    let (phases, _) = dev.phases_until(&token, &good, start.clone(), "SUCCEEDED").await;
    assert_eq!(phases, ["SUBMITTED", "QUEUED", "RUNNING", "SUCCEEDED"]);

    let bad = dev.submit_yaml(&token, "bad", &pod(r#"{sim.platform/exit-code: "3"}"#), "configfile-job").await;
    let (phases, _) = dev.phases_until(&token, &bad, start.clone(), "FAILED").await;
    assert_eq!(phases, ["SUBMITTED", "QUEUED", "RUNNING", "FAILED"]);
    let answer =
        dev.ask(Some(&token), "query($id: ID!) { job(id: $id) { tasks { exitCode } } }", json!({ "id": bad })).await;
    assert_eq!(answer["data"]["job"]["tasks"], json!([{ "exitCode": 3 }]), "{answer}");

    let long = dev.submit_yaml(&token, "long", &pod(r#"{sim.platform/duration: "1h"}"#), "configfile-job").await;
    let (_, running) = dev.phases_until(&token, &long, start, "RUNNING").await;
    let cancel = "mutation($id: ID!) { cancelJob(input: {id: $id, reason: \"enough\"}) { job { cancelRequestedAt } } }";
    let answer = dev.ask(Some(&token), cancel, json!({ "id": long })).await;
    assert!(answer["errors"].is_null(), "{answer}");
    // Resumed from the cursor of RUNNING: nothing before it comes again.
    let (phases, _) = dev.phases_until(&token, &long, Some(running), "CANCELLED").await;
    assert_eq!(phases, ["RUNNING", "CANCELLED"]);
    dev.stop().await;
}

#[tokio::test]
async fn embedded_a_job_succeeds_fails_and_is_cancelled() {
    succeeds_fails_and_is_cancelled("embedded").await;
}

#[tokio::test]
async fn real_a_job_succeeds_fails_and_is_cancelled() {
    succeeds_fails_and_is_cancelled("real").await;
}

#[tokio::test]
async fn a_killed_server_finds_its_jobs_again_and_tells_each_event_once() {
    let Some(mut dev) = Dev::start("real").await else { return };
    let token = dev.log_in("maya").await;
    let start = beginning(&dev, &token).await;
    let job = dev.submit_yaml(&token, "survivor", &pod(r#"{sim.platform/duration: "60s"}"#), "configfile-job").await;
    // SIGKILL right after the commit: the object may or may not have been created.
    dev.child.start_kill().unwrap();
    dev.child.wait().await.unwrap();
    let (child, ready) = spawn(&dev.data_dir(), "real").await;
    (dev.child, dev.ready) = (child, ready);
    let token = dev.log_in("maya").await;
    let (phases, _) = dev.phases_until(&token, &job, start, "SUCCEEDED").await;
    assert_eq!(phases, ["SUBMITTED", "QUEUED", "RUNNING", "SUCCEEDED"]);
    dev.stop().await;
}
