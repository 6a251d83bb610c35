//! The yardstick: pgbench sends the statements of an operation by hand, for the same random keys, from as many clients.

use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::CONNECTIONS;
use crate::load::Workload;
use crate::server::Bench;

/// Operations a second.
pub async fn run(bench: &Bench, workload: &Workload, time: Duration) -> anyhow::Result<f64> {
    let script = tempfile::NamedTempFile::new()?;
    std::fs::write(script.path(), workload.sql)?;
    let clients = CONNECTIONS.to_string();
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "--protocol=prepared", "--client", &clients, "--jobs=1", "--time"])
        .arg(time.as_secs().max(1).to_string())
        .arg("--file")
        .arg(script.path())
        .arg(bench.database_url())
        .output()
        .await
        .context("pgbench cannot be run; it comes with PostgreSQL's client programs")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let line = said.lines().find_map(|line| line.strip_prefix("tps = ")).with_context(|| format!("no tps: {said}"))?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}
