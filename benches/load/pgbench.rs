//! The yardstick: pgbench sends the statements of an operation by hand, for the same random keys, from as many clients.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::CONNECTIONS;
use crate::server::Bench;

/// The statements of an operation.
pub struct Yardstick {
    pub sql: &'static str,
    /// Keys that they have to know beforehand: the rows of one statement cannot be handed on to the next.
    pub known: Option<Known>,
}

/// Keys for each of some numbers, one of which each execution takes at random: `:name_{n}` in the statements is the
/// column `name` of the row that `keys` gives for this number.
pub struct Known {
    pub numbers: RangeInclusive<u32>,
    pub keys: &'static str,
}

/// Operations a second.
pub async fn run(bench: &Bench, yardstick: &Yardstick, time: Duration) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let (numbers, keys) = match &yardstick.known {
        Some(known) => (known.numbers.clone(), keys(bench, known).await?),
        None => (0..=0, Vec::new()),
    };
    let clients = CONNECTIONS.to_string();
    let mut command = Command::new("pgbench");
    command
        .args(keys.iter().flat_map(|key| ["--define", key]))
        .args(["--no-vacuum", "--protocol=prepared", "--client", &clients, "--jobs=1", "--time"])
        .arg(time.as_secs().max(1).to_string());
    // Of several scripts pgbench takes one at random each time.
    for number in numbers {
        let script = folder.path().join(format!("{number}.sql"));
        std::fs::write(&script, yardstick.sql.replace("{n}", &number.to_string()))?;
        command.arg("--file").arg(script);
    }
    let output = command
        .arg(bench.database_url())
        .output()
        .await
        .context("pgbench cannot be run; it comes with PostgreSQL's client programs")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let line = said.lines().find_map(|line| line.strip_prefix("tps = ")).with_context(|| format!("no tps: {said}"))?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

/// The keys as pgbench's variables.
async fn keys(bench: &Bench, known: &Known) -> anyhow::Result<Vec<String>> {
    let (client, connection) = tokio_postgres::connect(bench.database_url(), tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let mut variables = Vec::new();
    for number in known.numbers.clone() {
        let row = client.query_one(known.keys, &[&i32::try_from(number)?]).await?;
        for (index, column) in row.columns().iter().enumerate() {
            let value: String = row.try_get(index)?;
            variables.push(format!("{}_{number}={value}", column.name()));
        }
    }
    drop(client);
    connection.await??;
    Ok(variables)
}
