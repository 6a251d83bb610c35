//! The benchmark behind `make bench`: the release server over the `bench` seed, beside pgbench on the same database.
//!
//! Everything is on, as in production: authentication, permissions, limits, metrics. Load generator, server and
//! PostgreSQL share the machine, so figures compare within one run only. Prints Markdown tables.

mod fan_out;
mod load;
mod pgbench;
mod server;
mod wire;

use std::time::Duration;

use anyhow::Context;

use load::{Measured, Workload};
use server::Bench;

/// Connections of both load generators.
const CONNECTIONS: usize = 32;

fn main() -> anyhow::Result<()> {
    // The clients leave the other cores to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    // `cargo bench` hands every benchmark a --bench; what else is there picks a part.
    let only: Option<String> = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| part.contains(only));
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let time = Duration::from_secs(seconds);
    let bench = Bench::start().await?;
    let token = bench.log_in("admin").await?;
    if wanted("queries") {
        println!("\n| operation | API ops/s | p50 | p99 | server CPU/op | SQL/op | pgbench ops/s | ratio |");
        println!("|---|--:|--:|--:|--:|--:|--:|--:|");
        for workload in load::workloads() {
            let ours = load::run(&bench, &token, &workload, time).await.context(workload.name)?;
            let theirs = pgbench::run(&bench, &workload, time).await.context(workload.name)?;
            println!("{}", row(&workload, &ours, theirs));
        }
    }
    if wanted("submits") {
        println!("\n| operation | API ops/s | p50 | p99 | server CPU/op | SQL/op |");
        println!("|---|--:|--:|--:|--:|--:|");
        for workload in load::submits() {
            // Each makes work for the cluster, which is pretended on the same machine.
            let ours = load::run(&bench, &token, &workload, time / 3).await.context(workload.name)?;
            println!("{}", without_peer(&workload, &ours));
        }
    }
    if wanted("fan-out") {
        fan_out::run(&bench, &token).await?;
    }
    bench.stop().await
}

/// A row of what pgbench has no like of.
fn without_peer(workload: &Workload, ours: &Measured) -> String {
    let Measured { per_second, p50, p99, cpu, statements } = ours;
    let (name, cpu) = (workload.name, cpu.as_secs_f64() * 1e6);
    format!("| {name} | {per_second:.0} | {p50:.1?} | {p99:.1?} | {cpu:.0} us | {statements:.2} |")
}

fn row(workload: &Workload, ours: &Measured, theirs: f64) -> String {
    let Measured { per_second, p50, p99, cpu, statements } = ours;
    let (name, ratio) = (workload.name, per_second / theirs * 100.0);
    format!(
        "| {name} | {per_second:.0} | {p50:.1?} | {p99:.1?} | {:.0} us | {statements:.2} | {theirs:.0} | {ratio:.0} % |",
        cpu.as_secs_f64() * 1e6,
    )
}
