//! A client with a session: GraphQL over HTTP, and what it submits.

use serde_json::{Value, json};

use super::subscription::Subscription;

/// A person of the demo tenant and the server they talk to.
pub struct Session {
    pub graphql_url: String,
    pub token: String,
    http: reqwest::Client,
}

/// The password of a person of the demo tenant.
pub fn password_of(username: &str) -> &'static str {
    match username {
        "admin" => "platform-admin",
        "maya" => "vision-manager",
        "ada" => "vision-member",
        "ben" => "language-member",
        // People whom tests add with Ada's password.
        "eve" | "gwen" => "vision-member",
        other => panic!("{other} is not in the demo tenant"),
    }
}

/// An HTTP client.
pub fn http_client() -> reqwest::Client {
    static PROVIDER: std::sync::Once = std::sync::Once::new();
    // Another test may have been first.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    reqwest::Client::new()
}

impl Session {
    pub async fn log_in(graphql_url: &str, username: &str) -> Self {
        let nobody = Self { graphql_url: graphql_url.to_owned(), token: String::new(), http: http_client() };
        let query = "mutation($u: String!, $p: String!) { login(input: {username: $u, password: $p}) { accessToken } }";
        let data = nobody.ask(query, json!({ "u": username, "p": password_of(username) })).await;
        Self { token: text(&data["login"]["accessToken"]), ..nobody }
    }

    /// The data of the answer, which must have no errors.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let mut request = self.http.post(&self.graphql_url).json(&json!({ "query": query, "variables": variables }));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"].clone()
    }

    /// The id of the project `detection`.
    pub async fn project(&self) -> String {
        let data = self.ask("{ projects { nodes { id name } } }", json!({})).await;
        let projects = data["projects"]["nodes"].as_array().unwrap();
        text(&projects.iter().find(|project| project["name"] == "detection").unwrap()["id"])
    }

    /// Makes a config file in `detection` with this as its first version; the commit's id.
    pub async fn commit(&self, name: &str, yaml: &str) -> String {
        let query = "mutation($i: CreateConfigFileInput!) { createConfigFile(input: $i) { commit { id } } }";
        let input = json!({ "projectId": self.project().await, "name": name, "yaml": yaml, "message": "try" });
        text(&self.ask(query, json!({ "i": input })).await["createConfigFile"]["commit"]["id"])
    }

    /// Submits a commit to a queue; the job's id.
    pub async fn submit(&self, commit: &str, queue: &str) -> String {
        self.submit_with(commit, queue, json!({})).await
    }

    /// Submits a commit to a queue with overrides; the job's id.
    pub async fn submit_with(&self, commit: &str, queue: &str, overrides: Value) -> String {
        let query = "mutation($i: SubmitJobInput!) { submitJob(input: $i) { job { id phase } } }";
        let project = self.project().await;
        let input =
            json!({ "projectId": project, "source": { "commitId": commit }, "queue": queue, "overrides": overrides });
        let data = self.ask(query, json!({ "i": input })).await;
        let job = &data["submitJob"]["job"];
        // The worker is rung by the commit: the cluster may have the job before the answer is put together.
        assert!(["SUBMITTED", "QUEUED"].contains(&job["phase"].as_str().unwrap()), "{data}");
        text(&job["id"])
    }

    /// A cursor before everything that is still to come: the last event of the demo seed.
    pub async fn present(&self) -> String {
        let data = self.ask("{ jobs(first: 1) { nodes { events(last: 1) { nodes { cursor } } } } }", json!({})).await;
        text(&data["jobs"]["nodes"][0]["events"]["nodes"][0]["cursor"])
    }

    /// Subscribes to these jobs' events, or to all that can be seen.
    pub async fn events(&self, jobs: Option<&[String]>, after: Option<&str>) -> Subscription {
        self.follow(json!({ "jobIds": jobs }), after).await
    }

    /// Subscribes to the events of jobs that a filter selects.
    pub async fn follow(&self, filter: Value, after: Option<&str>) -> Subscription {
        let url = self.graphql_url.replacen("http", "ws", 1);
        let query = "subscription($f: JobEventFilter, $a: FeedCursor) {
            jobEvents(filter: $f, after: $a) { cursor kind phase reason job { id preemptions } }
        }";
        Subscription::begin(&url, &self.token, query, json!({ "f": filter, "a": after })).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text was expected: {value}")).to_owned()
}
