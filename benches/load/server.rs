//! The server under measurement: `platform serve` beside a `platform dev` that owns the database and the cluster.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::wire::Connection;

/// How long either process may take until it answers.
const PATIENCE: Duration = Duration::from_secs(180);
/// Linux counts a process's time in hundredths of a second, whatever the kernel's own tick.
const TICK: Duration = Duration::from_millis(10);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    database_url: String,
    kubeconfig: String,
}

/// The password of everybody in the `bench` seed, whose first users are platform admins.
const PASSWORD: &str = "bench-password";
const LOG_IN: &str = "mutation($input: LoginInput!) { login(input: $input) { accessToken } }";

/// Both processes; they end when this is stopped or dropped.
pub struct Bench {
    dev: Child,
    serve: Child,
    ready: Ready,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// Starts and seeds everything.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let ready_file = folder.path().join("ready.json");
        let dev = platform(folder.path(), "dev")?
            .args(["dev", "--ephemeral", "--port", "0", "--seed", "bench", "--ready-file"])
            .arg(&ready_file)
            .spawn()?;
        let ready = tokio::time::timeout(PATIENCE, async {
            loop {
                match std::fs::read(&ready_file) {
                    Ok(file) => return serde_json::from_slice::<Ready>(&file),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        let ready = ready.await.context("platform dev did not get ready")??;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let serve = platform(folder.path(), "serve")?
            .arg("serve")
            .env("DATABASE_URL", &ready.database_url)
            .env("KUBECONFIG", &ready.kubeconfig)
            .env("LISTEN_ADDR", "127.0.0.1")
            .env("PORT", address.port().to_string())
            .env("JWT_SECRET", "a secret of the benchmark that is forgotten when it ends")
            .env("EXECUTOR_MODE", "scheduler")
            .env("FLASH_SCHED_ENABLED", "true")
            .env("LOG_FORMAT", "text")
            // A few principals are all the load: their limits stay on, but out of the way.
            .env("RATE_LIMIT_POINTS_PER_SECOND", u32::MAX.to_string())
            .env("RATE_LIMIT_BURST_POINTS", u32::MAX.to_string())
            .env("MAX_SOCKETS_PER_USER", "10000")
            .env("MAX_SUBSCRIPTIONS", "10000")
            .spawn()?;
        let bench = Self { dev, serve, ready, address, _folder: folder };
        tokio::time::timeout(PATIENCE, async {
            while !bench.is_ready().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .context("platform serve did not get ready")?;
        Ok(bench)
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(self.address).await else { return false };
        connection.get("/ready").await.is_ok_and(|(status, _)| status == 200)
    }

    /// Where the server listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The database of both.
    pub fn database_url(&self) -> &str {
        &self.ready.database_url
    }

    /// Access tokens of one of the servers for this many users, each of whom may see everything.
    pub async fn tokens(&self, target: Target, users: usize) -> anyhow::Result<Vec<String>> {
        let mut connection = Connection::open(target.address).await?;
        let mut tokens = Vec::with_capacity(users);
        for number in 1..=users {
            let input = json!({ "username": format!("bench-{number:03}"), "password": PASSWORD });
            let request = json!({ "query": LOG_IN, "variables": { "input": input } });
            let answer: Value = serde_json::from_str(connection.post("", &request.to_string()).await?)?;
            let token = answer["data"]["login"]["accessToken"].as_str();
            tokens.push(token.with_context(|| format!("no token: {answer}"))?.to_owned());
        }
        Ok(tokens)
    }

    /// The server, as what is measured.
    pub fn target(&self) -> anyhow::Result<Target> {
        Ok(Target { address: self.address, process: self.serve.id().context("the server has ended")? })
    }

    /// The processor time that the server has used.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        self.target()?.cpu()
    }

    /// The memory that the server has in use, in bytes.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(self.proc("status")?)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        Ok(format!("/proc/{}/{file}", self.serve.id().context("the server has ended")?))
    }

    /// Ends both.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.serve.kill().await?;
        // It looks after its own PostgreSQL, so it is asked rather than killed.
        let dev = self.dev.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(dev) = dev {
            rustix::process::kill_process(dev, rustix::process::Signal::TERM)?;
        }
        self.dev.wait().await?;
        Ok(())
    }
}

/// A server under load.
#[derive(Clone, Copy)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// The id of its process.
    pub process: u32,
}

impl Target {
    /// The value of a counter, its labels added up; none of a server without metrics.
    pub async fn counter(&self, name: &str) -> anyhow::Result<Option<f64>> {
        let mut connection = Connection::open(self.address).await?;
        let (200, text) = connection.get("/metrics").await? else { return Ok(None) };
        let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next());
        Ok(Some(values.filter_map(|value| value.parse::<f64>().ok()).sum()))
    }

    /// The processor time that it has used.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process))?;
        // proc(5): utime and stime are the 14th and 15th field; the 2nd, in parentheses, may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')').context("no process name")?.1.split_whitespace().collect();
        let ticks = fields[11].parse::<u32>()? + fields[12].parse::<u32>()?;
        Ok(TICK * ticks)
    }
}

fn platform(folder: &Path, name: &str) -> anyhow::Result<Command> {
    let log = std::fs::File::create(folder.join(name).with_extension("log"))?;
    // The server may be one of another version, to be compared over the same database.
    let other = std::env::var_os("BENCH_SERVER").filter(|_| name == "serve");
    let mut command = Command::new(other.unwrap_or_else(|| env!("CARGO_BIN_EXE_platform").into()));
    command.stdout(Stdio::null()).stderr(log).kill_on_drop(true).env("RUST_LOG", "warn").current_dir(folder);
    Ok(command)
}
