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
    let keys = match workload.keys {
        Some(keys) => known(bench, keys).await?,
        None => Vec::new(),
    };
    let output = Command::new("pgbench")
        .args(keys.iter().flat_map(|key| ["--define", key]))
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

/// The columns of the only row of `query`, as pgbench's variables.
async fn known(bench: &Bench, query: &str) -> anyhow::Result<Vec<String>> {
    let (client, connection) = tokio_postgres::connect(bench.database_url(), tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let row = client.query_one(query, &[]).await?;
    let values = row.columns().iter().enumerate().map(|(index, column)| {
        let value: String = row.try_get(index)?;
        anyhow::Ok(format!("{}={value}", column.name()))
    });
    let values = values.collect();
    drop(client);
    connection.await??;
    values
}
