//! A running `platform dev`, queried over HTTP and watched over WebSockets like a client does.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, http::HeaderValue};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::session::{Session, http_client};
use super::skip::skip;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running `platform dev`, gone with the test.
pub struct Dev {
    pub child: Child,
    cluster: String,
    folder: tempfile::TempDir,
    pub ready: Value,
    http: reqwest::Client,
}

impl Dev {
    /// Starts against `cluster` for the suite `what`; `None` where the real one is asked for and not there.
    pub async fn start(what: &str, cluster: &str) -> Option<Self> {
        Self::start_with(what, cluster, &[]).await
    }

    /// The same, with these variables in its environment.
    pub async fn start_with(what: &str, cluster: &str, variables: &[(&str, &str)]) -> Option<Self> {
        if cluster == "real" && std::env::var_os("KUBEBUILDER_ASSETS").is_none() {
            skip(what, "set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver");
            return None;
        }
        // A second install is refused, and it is the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let (child, ready) = spawn(&folder.path().join("data"), cluster, variables).await;
        Some(Self { child, cluster: cluster.to_owned(), folder, ready, http: reqwest::Client::new() })
    }

    /// Starts against the embedded cluster, with these variables in its environment.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, ready) = spawn(&folder.path().join("data"), "embedded", variables).await;
        Self { child, cluster: "embedded".to_owned(), folder, ready, http: http_client() }
    }

    pub async fn ask(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let url = self.ready["graphqlUrl"].as_str().unwrap();
        let mut request = self.http.post(url).json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The answer's data, of an operation without errors.
    pub async fn data(&self, token: &str, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(Some(token), query, variables).await;
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"].take()
    }

    /// The job that `query` asks for, when this is true of it.
    pub async fn job_when(
        &self,
        token: &str,
        query: &str,
        job: impl serde::Serialize,
        is_so: impl Fn(&Value) -> bool,
    ) -> Value {
        let waiting = async {
            loop {
                let found = self.data(token, query, json!({ "id": job })).await["job"].take();
                if is_so(&found) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{}", self.log()))
    }

    pub async fn log_in(&self, username: &str) -> String {
        let users = self.ready["users"].as_array().unwrap();
        let user = users.iter().find(|user| user["username"] == username).unwrap();
        let query = "mutation($u: String!, $p: String!) { login(input: {username: $u, password: $p}) { accessToken } }";
        let answer = self.ask(None, query, json!({ "u": username, "p": user["password"] })).await;
        answer["data"]["login"]["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub async fn project(&self, token: &str, name: &str) -> String {
        let answer = self.ask(Some(token), "{ projects { nodes { id name } } }", json!({})).await;
        let nodes = answer["data"]["projects"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        nodes.iter().find(|node| node["name"] == name).unwrap_or_else(|| panic!("{answer}"))["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Submits the YAML as a config file's first commit; the job's id.
    pub async fn submit_yaml(&self, token: &str, name: &str, yaml: &str, queue: &str) -> String {
        let project = self.project(token, "detection").await;
        let create = "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { commit { id } } }";
        let input = json!({ "projectId": project, "name": name, "yaml": yaml, "message": "try" });
        let answer = self.ask(Some(token), create, json!({ "i": input })).await;
        let commit = answer["data"]["createConfigFile"]["commit"]["id"].clone();
        assert!(commit.is_string(), "{answer}");
        let submit = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id phase } } }";
        let input = json!({ "projectId": project, "source": { "commitId": commit }, "queue": queue });
        let answer = self.ask(Some(token), submit, json!({ "i": input })).await;
        let job = &answer["data"]["submitJob"]["job"];
        // The worker is rung by the commit: the cluster may have the job before the answer is put together.
        assert!(job["phase"] == "SUBMITTED" || job["phase"] == "QUEUED", "{answer}");
        job["id"].as_str().unwrap().to_owned()
    }

    /// Submits a small job from a spec; its id.
    pub async fn submit_spec(&self, token: &str, project: &str) -> String {
        let project = self.project(token, project).await;
        let submit = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id } } }";
        let input = json!({ "projectId": project, "source": { "spec": { "image": "busybox" } } });
        let answer = self.ask(Some(token), submit, json!({ "i": input })).await;
        answer["data"]["submitJob"]["job"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Runs a statement on the server's database.
    pub async fn sql(&self, statement: &str) {
        let url = self.ready["databaseUrl"].as_str().unwrap();
        let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(driver);
        client.batch_execute(statement).await.unwrap();
    }

    /// A WebSocket of whoever has `token`.
    pub async fn socket(&self, token: &str) -> Socket {
        let mut request = self.ready["wsUrl"].as_str().unwrap().into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (mut stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
        stream.send(Message::text(init.to_string())).await.unwrap();
        let answer = timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap();
        assert!(answer.to_text().unwrap().contains("connection_ack"), "{answer:?}");
        Socket { stream }
    }

    /// A subscription on a WebSocket of its own.
    pub async fn subscribe(&self, token: &str, query: &str, variables: Value) -> Socket {
        let mut socket = self.socket(token).await;
        socket.subscribe(query, variables).await;
        socket
    }

    /// A counter of the server.
    pub async fn counter(&self, name: &str) -> u64 {
        let url = self.ready["graphqlUrl"].as_str().unwrap().replace("/graphql", "/metrics");
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Somebody of the demo tenant, logged in.
    pub async fn session(&self, username: &str) -> Session {
        Session::log_in(self.ready["graphqlUrl"].as_str().unwrap(), username).await
    }

    /// Where it keeps everything.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Ends the process with SIGKILL.
    pub async fn kill(&mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }

    /// Starts it again over the data that it left.
    pub async fn start_again(&mut self) {
        self.start_again_with(&[]).await;
    }

    /// The same, with these variables in its environment.
    pub async fn start_again_with(&mut self, variables: &[(&str, &str)]) {
        (self.child, self.ready) = spawn(&self.data_dir(), &self.cluster, variables).await;
    }

    /// The end of what the server has said so far.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.data_dir().with_extension("log")).unwrap_or_default();
        log.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    pub async fn stop(mut self) {
        self.kill().await;
    }
}

fn log(data_dir: &std::path::Path) -> Stdio {
    std::fs::File::options().create(true).append(true).open(data_dir.with_extension("log")).unwrap().into()
}

async fn spawn(data_dir: &std::path::Path, cluster: &str, variables: &[(&str, &str)]) -> (Child, Value) {
    let ready_file = data_dir.with_extension("ready");
    let _ = std::fs::remove_file(&ready_file);
    let child = Command::new(env!("CARGO_BIN_EXE_platform"))
        .args(["dev", "--port", "0", "--speed", "10", "--cluster", cluster, "--data-dir"])
        .arg(data_dir)
        .arg("--ready-file")
        .arg(&ready_file)
        .envs(variables.iter().copied())
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

/// A Pod that the pretend kubelet plays as the annotations say.
pub fn pod(annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: try\n  annotations: {annotations}\nspec:\n  containers:\n  - name: main\n    image: python:3.12\n"
    )
}

/// A WebSocket with one subscription.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub async fn subscribe(&mut self, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": payload });
        self.stream.send(Message::text(subscribe.to_string())).await.unwrap();
    }

    /// The next payload, or how the subscription or the socket ended.
    pub async fn next(&mut self) -> Result<Value, String> {
        loop {
            let message = timeout(PATIENCE, self.stream.next()).await.map_err(|_| "nothing came".to_owned())?;
            let text = match message.ok_or("the socket ended")?.map_err(|error| error.to_string())? {
                Message::Text(text) => text,
                Message::Close(Some(frame)) => return Err(format!("closed with {}: {}", frame.code, frame.reason)),
                Message::Close(None) => return Err("closed".to_owned()),
                _ => continue,
            };
            let mut message: Value = serde_json::from_str(&text).unwrap();
            match message["type"].as_str() {
                Some("next") => return Ok(message["payload"].take()),
                Some("error") => return Err(format!("error: {}", message["payload"])),
                Some("complete") => return Err("complete".to_owned()),
                _ => {}
            }
        }
    }
}
