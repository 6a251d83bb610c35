//! The benchmark behind `make bench`: the release server with the `bench` seed, compared with a server built from stock
//! crates (`tests/reference`) and with pgbench on the same database.
//!
//! Everything is on, as in production: authentication, permissions, limits, metrics. Load generator, server and
//! PostgreSQL share the machine, so figures compare within one run only. Prints Markdown tables.

mod fan_out;
mod load;
mod pgbench;
mod server;
#[path = "../../tests/reference/stock/mod.rs"]
mod stock;
mod stock_server;
mod wire;

use std::time::Duration;

use anyhow::Context;

use load::{Measured, Workload};
use server::Bench;

/// As the server has it, for the stock one runs in this program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections of both load generators.
const CONNECTIONS: usize = 32;

fn main() -> anyhow::Result<()> {
    if let Some(order) = stock_server::Order::of_environment() {
        return order.serve();
    }
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
    let target = bench.target()?;
    let tokens = bench.tokens(target, CONNECTIONS).await?;
    if wanted("queries") {
        let stock = stock_server::Stock::start(bench.database_url()).await?;
        let stock_tokens = bench.tokens(stock.target(), CONNECTIONS).await?;
        println!(
            "\n| operation | API ops/s | p50 | p99 | server CPU/op | SQL/op | stock ops/s | stock CPU/op | pgbench ops/s | ratio |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        let with_peer = load::workloads().map(|(workload, yardstick)| (workload, Some(yardstick)));
        for (workload, yardstick) in with_peer.into_iter().chain([(load::shared(), None)]) {
            let ours = load::run(target, &tokens, &workload, time).await.context(workload.name)?;
            let stock = load::run(stock.target(), &stock_tokens, &workload, time).await.context("the stock server")?;
            let theirs = match &yardstick {
                Some(yardstick) => Some(pgbench::run(&bench, yardstick, time).await.context(workload.name)?),
                None => None,
            };
            println!("{}", row(&workload, &ours, &stock, theirs));
        }
        stock.stop().await?;
    }
    if wanted("submits") {
        println!("\n| operation | API ops/s | p50 | p99 | server CPU/op | SQL/op |");
        println!("|---|--:|--:|--:|--:|--:|");
        for workload in load::submits() {
            // Each makes work for the cluster, which is pretended on the same machine.
            let ours = load::run(target, &tokens, &workload, time / 3).await.context(workload.name)?;
            println!("{}", without_peer(&workload, &ours));
        }
    }
    if wanted("fan-out") {
        fan_out::run(&bench, &tokens[0]).await?;
    }
    bench.stop().await
}

/// A row of what pgbench has no like of.
fn without_peer(workload: &Workload, ours: &Measured) -> String {
    let Measured { per_second, p50, p99, cpu, statements } = ours;
    let (name, cpu, statements) = (workload.name, cpu.as_secs_f64() * 1e6, statements.unwrap_or_default());
    format!("| {name} | {per_second:.0} | {p50:.1?} | {p99:.1?} | {cpu:.0} us | {statements:.2} |")
}

/// A row beside the stock server and, where it can do the like, pgbench.
fn row(workload: &Workload, ours: &Measured, stock: &Measured, theirs: Option<f64>) -> String {
    let (alone, stock_cpu) = (without_peer(workload, ours), stock.cpu.as_secs_f64() * 1e6);
    let yardstick = match theirs {
        Some(theirs) => format!("{theirs:.0} | {:.0} %", ours.per_second / theirs * 100.0),
        None => "- | -".to_owned(),
    };
    format!("{alone} {:.0} | {stock_cpu:.0} us | {yardstick} |", stock.per_second)
}
