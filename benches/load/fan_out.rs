//! One job feed, a thousand WebSocket subscribers: what an event costs each of them, and what an idle one takes.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use diesel_async::AsyncConnection;
use futures::future::try_join_all;
use futures::{SinkExt, StreamExt};
use platform::config::{DatabaseConfig, DatabaseUrl};
use platform::db::Db;
use platform::events::model::append;
use platform::ids::JobId;
use platform::jobs::event::{JobEvent, about};
use platform::jobs::model;
use platform::jobs::phase::{JobEventKind, JobPhase};
use platform::tasks::Tasks;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use uuid::Uuid;

use crate::server::Bench;

const SUBSCRIBERS: usize = 1_000;
const WARM_UP: usize = 20;
const EVENTS: usize = 100;
/// Between two events.
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(60);

/// What nobody else subscribes with is executed for its subscriber alone.
fn unlike_all_others(number: usize) -> String {
    format!("{QUERY} # {number}")
}

const QUERY: &str = "subscription($filter: JobEventFilter) { jobEvents(filter: $filter) { cursor at kind phase job { id name phase project { name } } } }";

type Socket = WebSocketStream<TcpStream>;

/// The job that everything happens to.
fn job() -> JobId {
    numbered(1)
}

fn numbered(number: u64) -> JobId {
    JobId::from_uuid(Uuid::from_u64_pair(0x019b_75e1_b800_7000, 0x9006_0000_0000_0000 | number))
}

/// Measures equal subscribers, then some with a filter each, then some that share nothing.
pub async fn run(bench: &Bench, token: &str) -> anyhow::Result<()> {
    println!(
        "\n| {SUBSCRIBERS} subscribers of one job | deliveries | server CPU/delivery | p50 | p99 | memory of an idle one: first half | second half |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let equal = |_| json!({ "jobIds": [job().to_string()] });
    let distinct = |number: usize| json!({ "jobIds": [job().to_string(), numbered(number as u64 + 2).to_string()] });
    let alike = |_| QUERY.to_owned();
    // A few warm up what is allocated once.
    measure(bench, token, WARM_UP, alike, equal).await?;
    let first = measure(bench, token, SUBSCRIBERS, alike, equal).await?;
    println!("{}", first.row("equal", true));
    // From here on the server takes again what it has been given back.
    println!("{}", measure(bench, token, SUBSCRIBERS, alike, distinct).await?.row("a filter each", false));
    let unshared = measure(bench, token, SUBSCRIBERS, unlike_all_others, equal).await?;
    println!("{}", unshared.row("a document each (nothing shared)", false));
    Ok(())
}

struct Measured {
    deliveries: u32,
    cpu: Duration,
    p50: Duration,
    p99: Duration,
    /// What each of the first and of the second half of the subscribers added to the server's memory, in bytes. The
    /// first half also bring what every thread keeps ready to the size that many need.
    memory: [u64; 2],
}

impl Measured {
    fn row(&self, name: &str, memory_is_fresh: bool) -> String {
        let Self { deliveries, cpu, p50, p99, memory } = self;
        let cpu = cpu.as_secs_f64() * 1e6;
        let [first, second] = memory.map(|bytes| match memory_is_fresh {
            true => format!("{:.1} KiB", bytes as f64 / 1024.0),
            false => "-".to_owned(),
        });
        format!("| {name} | {deliveries} | {cpu:.1} us | {p50:.1?} | {p99:.1?} | {first} | {second} |")
    }
}

async fn measure(
    bench: &Bench,
    token: &str,
    subscribers: usize,
    query: impl Fn(usize) -> String,
    filter: impl Fn(usize) -> Value,
) -> anyhow::Result<Measured> {
    let mut sockets = Vec::with_capacity(subscribers);
    let (mut memory, mut before) = ([0; 2], bench.memory()?);
    let half = subscribers / 2;
    for (each, numbers) in memory.iter_mut().zip([0..half, half..subscribers]) {
        let (beginning, many) = (sockets.len(), numbers.len() as u64);
        for number in numbers {
            sockets.push(subscribe(bench, token, &query(number), filter(number)).await?);
        }
        // A subscription has begun when the server has taken it up; its answer to a ping behind it says so.
        let begun = try_join_all(sockets[beginning..].iter_mut().map(settle));
        tokio::time::timeout(PATIENCE, begun).await??;
        let after = bench.memory()?;
        *each = after.saturating_sub(before) / many;
        before = after;
    }
    let cpu = bench.cpu()?;
    let readers = tokio::spawn(try_join_all(sockets.into_iter().map(move |socket| read(socket, EVENTS))));
    tell(bench, EVENTS).await?;
    let lags = tokio::time::timeout(PATIENCE, readers).await.context("events are missing")???;
    let cpu = bench.cpu()? - cpu;
    let mut lags = lags.concat();
    lags.sort_unstable();
    let deliveries = u32::try_from(lags.len())?;
    Ok(Measured {
        deliveries,
        cpu: cpu / deliveries,
        p50: lags[lags.len() / 2],
        p99: lags[lags.len() * 99 / 100],
        memory,
    })
}

async fn subscribe(bench: &Bench, token: &str, query: &str, filter: Value) -> anyhow::Result<Socket> {
    let stream = TcpStream::connect(bench.address()).await?;
    let mut request = format!("ws://{}/graphql", bench.address()).into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
    socket.send(Message::text(init.to_string())).await?;
    let answer = text(&mut socket).await?;
    ensure!(answer.contains("connection_ack"), "{answer}");
    let payload = json!({ "query": query, "variables": { "filter": filter } });
    socket.send(Message::text(json!({ "id": "1", "type": "subscribe", "payload": payload }).to_string())).await?;
    Ok(socket)
}

async fn settle(socket: &mut Socket) -> anyhow::Result<()> {
    socket.send(Message::text(r#"{"type":"ping"}"#)).await?;
    let answer = text(socket).await?;
    ensure!(answer.contains("pong"), "{answer}");
    // The feed joins the bus a moment after the operation was taken up.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}

async fn text(socket: &mut Socket) -> anyhow::Result<String> {
    loop {
        if let Message::Text(text) = socket.next().await.context("the socket ended")?? {
            return Ok(text.as_str().to_owned());
        }
    }
}

/// How long each event took from its row to here.
async fn read(mut socket: Socket, events: usize) -> anyhow::Result<Vec<Duration>> {
    let mut lags = Vec::with_capacity(events);
    while lags.len() < events {
        let text = text(&mut socket).await?;
        let Some((_, rest)) = text.split_once("\"at\":\"") else {
            ensure!(!text.contains("errors") && !text.contains("complete"), "{text}");
            continue;
        };
        let at: DateTime<Utc> = rest.split('"').next().unwrap_or_default().parse()?;
        lags.push((Utc::now() - at).to_std().unwrap_or_default());
    }
    Ok(lags)
}

async fn tell(bench: &Bench, events: usize) -> anyhow::Result<()> {
    let tasks = Tasks::default();
    let url: DatabaseUrl = bench.database_url().parse().map_err(anyhow::Error::msg)?;
    let db = Db::new(&DatabaseConfig::for_dev(url), &tasks)?;
    let mut conn = db.connection().await?;
    let (found, group) = model::find(&mut conn, job()).await?.context("the job is not seeded")?;
    let event = JobEvent {
        kind: JobEventKind::Waiting,
        phase: JobPhase::Succeeded,
        previous_phase: None,
        reason: Some("Measured".into()),
        message: None,
        job: None,
    };
    let event = [(about(found.id, found.project_id, group, found.submitted_by), event)];
    let mut next = Instant::now();
    for _ in 0..events {
        conn.transaction(async |conn| append(conn, &event).await).await?;
        next += PAUSE;
        tokio::time::sleep_until(next.into()).await;
    }
    Ok(())
}
