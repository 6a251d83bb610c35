//! The stock server in a process of its own, which is this program once more: its processor time is then nobody else's.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use platform::tasks::Tasks;
use tokio::process::{Child, Command};

use crate::server::Target;
use crate::stock;
use crate::wire::Connection;

/// Tells this program to be the server: over which database, and where.
const DATABASE: &str = "BENCH_STOCK_DATABASE_URL";
const ADDRESS: &str = "BENCH_STOCK_ADDRESS";

/// As many connections to the database as `platform serve` has by default.
const CONNECTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(15);

const PATIENCE: Duration = Duration::from_secs(30);

/// The order to be the server.
pub struct Order {
    database: String,
    address: String,
}

impl Order {
    /// The order that the environment has for this process, if there is one.
    pub fn of_environment() -> Option<Self> {
        Some(Self { database: std::env::var(DATABASE).ok()?, address: std::env::var(ADDRESS).ok()? })
    }

    /// Serves until the process is killed, on the runtime that `#[tokio::main]` makes.
    pub fn serve(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let tasks = Tasks::default();
            let url = self.database.parse().map_err(anyhow::Error::msg)?;
            let parts = stock::parts(url, CONNECTIONS, &tasks).await?;
            let listener = tokio::net::TcpListener::bind(&self.address).await?;
            axum::serve(listener, stock::router(stock::Stock::new(parts))).await?;
            Ok(())
        })
    }
}

/// The running process; it ends when this is stopped or dropped.
pub struct Stock {
    child: Child,
    target: Target,
}

impl Stock {
    /// Starts it over the database at this URL.
    pub async fn start(database_url: &str) -> anyhow::Result<Self> {
        let address: SocketAddr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.env(DATABASE, database_url).env(ADDRESS, address.to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        let process = child.id().context("the stock server has ended")?;
        let up = async {
            while Connection::open(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, up).await.context("the stock server did not get ready")?;
        Ok(Self { child, target: Target { address, process } })
    }

    /// What is measured of it.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// Ends it.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}
