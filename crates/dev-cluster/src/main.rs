//! `dev-cluster`: the cluster by itself, until it is told to stop.

mod kubeconfig;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dev_cluster::sim::{SimOptions, Speed};
use dev_cluster::{ClusterKind, DevCluster, Options};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use kubeconfig::Written;

type Failure = Box<dyn std::error::Error>;

/// Start a Kubernetes cluster in one process, for a laptop and for tests
///
/// The API server answers kubectl and every client library on a loopback port. Nothing really runs: nodes, scheduler, kubelet
/// and controllers are simulated, and annotations of a pod (sim.platform/duration, sim.platform/exit-code and others) say
/// how long it runs and how it ends. Anybody on this machine may do everything in the cluster.
#[derive(Debug, Parser)]
#[command(name = "dev-cluster", version)]
struct Arguments {
    /// Port of the API server; 0 takes a free one
    #[arg(long, default_value = "0", conflicts_with = "real")]
    port: u16,
    /// File to write a kubeconfig to when the cluster is ready; it is removed when the cluster stops
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Folder that keeps the cluster from one run to the next; without it, everything is gone at the end
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// How much faster than life pods run: at 10, a pod of 30 seconds takes 3
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    speed: Speed,
    /// Number of nodes
    #[arg(long, value_name = "NUMBER", default_value = "2")]
    nodes: u32,
    /// GPUs of each node
    #[arg(long, value_name = "NUMBER", default_value = "8")]
    gpus_per_node: u32,
    /// CPUs of each node
    #[arg(long, value_name = "NUMBER", default_value = "64")]
    cpus_per_node: u32,
    /// Memory of each node, in GiB
    #[arg(long, value_name = "GIB", default_value = "256")]
    memory_per_node: u32,
    /// Use the etcd and kube-apiserver in the folder KUBEBUILDER_ASSETS; only the rest is simulated
    #[arg(long, requires = "assets")]
    real: bool,
    /// Folder with etcd and kube-apiserver, for --real
    #[arg(long, value_name = "FOLDER", env = "KUBEBUILDER_ASSETS")]
    assets: Option<OsString>,
    /// What to log to stderr, as a tracing filter such as info or dev_cluster=debug
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "warn,kube_client=off")]
    log: String,
}

impl Arguments {
    fn options(&self) -> Options {
        let kind = match (self.real, &self.assets) {
            (true, Some(assets)) => ClusterKind::Real { assets: assets.into() },
            _ => ClusterKind::Embedded,
        };
        let simulators = SimOptions {
            speed: self.speed,
            gpu_nodes: self.nodes,
            gpus_per_node: self.gpus_per_node,
            node_cpus: self.cpus_per_node,
            node_memory_gib: self.memory_per_node,
            ..SimOptions::default()
        };
        Options { kind, folder: self.data_dir.clone(), port: self.port, simulators }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dev-cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&arguments.log).map_err(|error| format!("--log {:?}: {error}", arguments.log))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::pin!(stop);
    let cluster = tokio::select! {
        cluster = DevCluster::start(arguments.options()) => cluster?,
        () = &mut stop => return Ok(()),
    };
    let outcome = match tell(&cluster, arguments.kubeconfig.as_deref()) {
        Ok(_written) => {
            stop.await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    cluster.shutdown().await;
    outcome
}

/// Writes the kubeconfig where it is wanted and says how to use it.
fn tell(cluster: &DevCluster, wanted: Option<&std::path::Path>) -> Result<Option<Written>, Failure> {
    let written = wanted.map(|path| Written::new(path, cluster.kubeconfig())).transpose()?;
    let path = wanted.unwrap_or(cluster.kubeconfig());
    let path = std::path::absolute(path)?;
    println!("The cluster is ready. Its kubeconfig is {}", path.display());
    println!("  kubectl --kubeconfig {} get nodes", kubeconfig::quoted(&path));
    println!("Press Ctrl-C to stop it.");
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let ours = Arguments::parse_from(["dev-cluster"]).options().simulators;
        assert_eq!(format!("{ours:?}"), format!("{:?}", SimOptions::default()));
    }
}
