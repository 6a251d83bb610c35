//! A server that only answers, over the demo tenant, with pings every tenth of a second. The test writes the event log.

use std::num::NonZeroU32;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use platform::app::App;
use platform::events::{History, Seq, retention};
use platform::http::{Endpoint, HttpSettings, Lifecycle, SocketSettings, Threads, router, serve};
use platform::jobs::event::JobEvent;
use platform::tasks::Tasks;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_postgres::NoTls;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

use crate::support::proxy::Proxy;
use crate::support::session::Session;
use crate::support::{app, database};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// A job of the demo tenant: Ada's, of the group vision.
pub const JOB: &str = "train-large-batch";

pub struct Stage {
    pub app: App,
    pub database: Proxy,
    sql: tokio_postgres::Client,
    address: String,
    shutdown: CancellationToken,
    _tasks: Tasks,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Stage {
    pub async fn set() -> Self {
        let (tasks, url) = (Tasks::default(), database::demo().await);
        let proxy = Proxy::before(database::address_of(&url)).await;
        let app = app::answering(database::through(&url, proxy.address()), &tasks, |_| {}).await.unwrap();
        let (sql, driver) = tokio_postgres::connect(url.expose(), NoTls).await.unwrap();
        tokio::spawn(driver);
        let socket = SocketSettings { ping_every: Duration::from_millis(100), ..SocketSettings::default() };
        let settings = HttpSettings { socket, drain: Duration::from_secs(1), ..HttpSettings::default() };
        let shutdown = CancellationToken::new();
        let lifecycle = Lifecycle::new(shutdown.clone(), settings.drain);
        let routes = router(Endpoint::new(app.clone(), settings.clone(), lifecycle.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let threads = Threads::start(NonZeroU32::MIN).unwrap();
        let stop = shutdown.clone();
        tokio::spawn(async move {
            serve(listener, routes, &threads, lifecycle, stop, settings).await.unwrap();
            threads.join().await;
        });
        Self { app, database: proxy, sql, address, shutdown, _tasks: tasks }
    }

    pub fn drain(&self) {
        self.shutdown.cancel();
    }

    pub async fn log_in(&self, username: &str) -> Session {
        Session::log_in(&format!("http://{}/graphql", self.address), username).await
    }

    pub async fn execute(&self, statements: &str) {
        self.sql.batch_execute(statements).await.unwrap();
    }

    pub async fn number(&self, expression: &str) -> i64 {
        self.sql.query_one(&format!("SELECT ({expression})::bigint"), &[]).await.unwrap().get(0)
    }

    /// The number of an event of the job that goes from a phase into another, as the watch writes it.
    pub async fn tell(&self, job: &str, from: &str, to: &str) -> Seq {
        let statement = format!(
            "INSERT INTO events (kind, subject, project, \"group\", person, payload)
             SELECT 'job', jobs.id, projects.id, projects.group_id, jobs.submitted_by, jsonb_build_object(
                 'kind', 'PHASE_CHANGED', 'phase', '{to}', 'previousPhase', '{from}', 'job', jsonb_strip_nulls(jsonb_build_object(
                     'name', jobs.name, 'queue', jobs.queue, 'submittedAt', jobs.submitted_at, 'finishedAt', jobs.finished_at,
                     'configFile', (SELECT config_file_id FROM config_commits WHERE id = jobs.config_commit_id))))
             FROM jobs JOIN projects ON projects.id = jobs.project_id WHERE jobs.name = '{job}'
             RETURNING seq"
        );
        let seq = self.sql.query_one(&statement, &[]).await.unwrap().get(0);
        self.execute("NOTIFY platform_events").await;
        Seq(seq)
    }

    /// What retention does when all events that there are have become too old, `batch` at a time.
    pub async fn grow_old(&self, batch: i64) {
        let kept: Vec<_> = History::of::<JobEvent>().into_iter().collect();
        let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
        retention::forget(&self.app.db, later, &kept, batch).await.unwrap();
    }

    /// The cursor of everything that has happened so far.
    pub async fn present(&self, who: &Session) -> String {
        who.ask("{ eventCursor }", json!({})).await["eventCursor"].as_str().unwrap().to_owned()
    }

    /// A server-sent stream, or one in parts.
    pub async fn stream(&self, who: &Session, accept: &str, query: &str, after: Option<&str>) -> Streamed {
        let client = crate::support::session::http_client();
        let request = client.post(&who.graphql_url).bearer_auth(&who.token).header("accept", accept);
        let request = request.json(&json!({ "query": query, "variables": { "after": after } }));
        Streamed { response: request.send().await.unwrap(), text: String::new() }
    }
}

/// A response as it comes.
pub struct Streamed {
    response: reqwest::Response,
    pub text: String,
}

impl Streamed {
    /// The text so far, when there is this in it.
    pub async fn until(&mut self, part: &str) -> &str {
        while !self.text.contains(part) {
            let chunk = timeout(PATIENCE, self.response.chunk()).await.unwrap_or_else(|_| panic!("{}", self.text));
            let chunk = chunk.unwrap().unwrap_or_else(|| panic!("ended: {}", self.text));
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        &self.text
    }

    /// All of it.
    pub async fn whole(mut self) -> String {
        while let Some(chunk) = timeout(PATIENCE, self.response.chunk()).await.unwrap().unwrap() {
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        self.text
    }
}

/// A `graphql-transport-ws` client that answers pings and hears everything.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn open(who: &Session) -> Self {
        let mut request = who.graphql_url.replacen("http", "ws", 1).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let mut socket = Self(socket);
        let payload = json!({ "authorization": format!("Bearer {}", who.token) });
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    pub async fn subscribe(&mut self, id: &str, filter: Value, after: Option<&str>) {
        let query = "subscription($filter: JobEventFilter, $after: FeedCursor) {
            jobEvents(filter: $filter, after: $after) { cursor phase previousPhase job { name } } }";
        self.subscribe_to(id, query, json!({ "filter": filter, "after": after })).await;
    }

    pub async fn subscribe_to(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.say(json!({ "type": "subscribe", "id": id, "payload": payload })).await;
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("something is said").unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => {
                    return json!({ "type": "close", "code": frame.map(|frame| u16::from(frame.code)) });
                }
                _ => {}
            }
        }
    }

    /// The next message that is no ping.
    pub async fn word(&mut self) -> Value {
        loop {
            let message = self.hear().await;
            if message["type"] != "ping" {
                return message;
            }
        }
    }

    /// Listens until a ping says that this operation has come so far.
    pub async fn until_pinged(&mut self, id: &str, least: Seq) -> Seq {
        loop {
            let message = self.hear().await;
            assert_eq!(message["type"], "ping", "{message}");
            if let Some(seq) = message["payload"]["cursors"][id].as_str().map(|text| Seq::from_cursor(text).unwrap())
                && seq >= least
            {
                return seq;
            }
        }
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }
}
