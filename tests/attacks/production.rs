//! A server in production configuration, with a database that contains the demo tenant. Its cluster is unavailable,
//! because no attack needs it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use platform::app::App;
use platform::config::settings::ServeSettings;
use platform::config::{Config, DatabaseUrl};
use platform::tasks::Tasks;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::support::database;
use crate::support::session::{http_client, password_of};

/// `platform serve`'s own reading of its settings.
#[derive(Parser)]
struct Serve {
    #[command(flatten)]
    settings: ServeSettings,
}

/// The server that all attacks share: they are harmless, so they do not disturb one another.
pub struct Production {
    address: SocketAddr,
    database: DatabaseUrl,
    member: String,
}

/// The answer to an attack.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The code of every error.
    pub fn codes(&self) -> Vec<String> {
        let answer = self.json();
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("-").to_owned()).collect()
    }
}

impl Production {
    /// Starts it with the first attack.
    pub async fn server() -> &'static Self {
        static SERVER: OnceCell<Production> = OnceCell::const_new();
        SERVER
            .get_or_init(|| async {
                let (tell, told) = tokio::sync::oneshot::channel();
                // It outlives the runtime of the test that comes first.
                std::thread::spawn(|| {
                    tokio::runtime::Runtime::new().unwrap().block_on(async {
                        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                        let (tasks, database) = (Tasks::default(), database::demo().await);
                        let app = App::builder(config(&database), &tasks).build().await.unwrap();
                        tell.send((listener.local_addr().unwrap(), database)).unwrap();
                        app.serve(listener, CancellationToken::new()).await.unwrap();
                    });
                });
                let (address, database) = told.await.unwrap();
                let mut server = Self { address, database, member: String::new() };
                let login = "mutation($i: LoginInput!) { login(input: $i) { accessToken } }";
                let input = json!({ "i": { "username": "ada", "password": password_of("ada") } });
                let answer = server.post(&json!({ "query": login, "variables": input }).to_string(), &[]).await.json();
                server.member = format!("Bearer {}", answer["data"]["login"]["accessToken"].as_str().unwrap());
                server
            })
            .await
    }

    /// The credentials of a member.
    pub fn member(&self) -> String {
        self.member.clone()
    }

    /// Runs statements on its database.
    pub async fn execute(&self, statements: &str) {
        database::execute(&self.database, statements).await.unwrap();
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let url = format!("http://{}{path}", self.address);
        let mut request = http_client().request(method.parse().unwrap(), url).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.timeout(Duration::from_secs(40)).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    pub async fn post(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("POST", "/graphql", &[&[("content-type", "application/json")], headers].concat(), body).await
    }

    /// An operation of a member.
    pub async fn ask(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.post(&body, &[("authorization", &self.member)]).await
    }
}

fn config(database: &DatabaseUrl) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, KUBECONFIG_OF_NOBODY).unwrap();
    // The suites that share it take longer than a token is valid by default.
    let serve = Serve::try_parse_from([
        "serve",
        "--playground=false",
        "--introspection=false",
        "--executor-mode=scheduler",
        "--flash-sched-enabled=true",
        "--jwt-secret=Zq7-secret-0123456789-abcdefghijklmnop",
        "--access-token-minutes=1440",
        "--log=off",
        &format!("--database-url={}", database.expose()),
        &format!("--kubeconfig={}", kubeconfig.display()),
    ]);
    let config = Config::try_from(serve.unwrap().settings).unwrap();
    // It is read when the server starts.
    std::mem::forget(folder);
    config
}

const KUBECONFIG_OF_NOBODY: &str = "
apiVersion: v1
kind: Config
current-context: nobody
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
clusters: [{name: nobody, cluster: {server: 'http://127.0.0.1:9'}}]
users: [{name: nobody, user: {}}]
";
