//! `platform dev`: a database, a cluster, demo data and the server, all in one process and all gone with it.

mod folder;
mod ready;

use std::{path::PathBuf, str::FromStr, time::Duration};

use anyhow::Context;
use clap::{Args, ValueEnum};
use folder::DevFolder;
use ready::Ready;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{self, App},
    config::{BcryptCost, Config, DatabaseConfig, DevParts, LogConfig, LogFormat},
    db::{Db, migrations},
    dev::{
        cluster::{
            ClusterKind, DevCluster,
            sim::{SimOptions, Speed},
        },
        postgres::{self, EmbeddedPostgres},
        seed::{self, SeededUser},
    },
    error::{ApiErrors, Code},
    tasks::Tasks,
    users::service::NewAdmin,
};

/// The variable that names the folder with etcd and kube-apiserver, by the envtest convention.
const ASSETS: &str = "KUBEBUILDER_ASSETS";
/// How long the connections of a migration get to close.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `platform dev` can be told.
#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// Port to serve on; 0 takes a free one
    #[arg(long, default_value = "8080")]
    port: u16,
    /// Folder that keeps the data from one run to the next
    #[arg(long, value_name = "FOLDER", default_value = ".platform")]
    data_dir: PathBuf,
    /// Keep nothing
    #[arg(long, conflicts_with = "data_dir")]
    ephemeral: bool,
    /// How much faster than life pods run
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    speed: Speed,
    /// What is there at the first start
    #[arg(long, value_name = "WHAT", default_value = "demo")]
    seed: Seed,
    /// File to write when all is up: JSON with URLs, kubeconfig and accounts
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// The cluster: embedded, real (etcd and kube-apiserver from KUBEBUILDER_ASSETS) or a kubeconfig file
    #[arg(long, value_name = "CLUSTER", default_value = "embedded")]
    cluster: Cluster,
    /// What to log, as a tracing filter
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

/// What is in the database at the first start.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Seed {
    /// People, groups, projects, configurations and past jobs
    Demo,
    /// One administrator
    Empty,
    /// Enough rows to measure with
    Bench,
}

/// Where the pods run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cluster {
    Embedded,
    Real,
    Kubeconfig(PathBuf),
}

impl FromStr for Cluster {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "embedded" => Ok(Self::Embedded),
            "real" => Ok(Self::Real),
            path if PathBuf::from(path).is_file() => Ok(Self::Kubeconfig(path.into())),
            _ => Err("embedded, real or the path of a kubeconfig".to_owned()),
        }
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    text.parse().map_err(|_| "a number above 0, such as 1, 2.5 or 100".to_owned())
}

impl DevArgs {
    /// What the log looks like: lines, for a person in front of a terminal.
    pub(super) fn log(&self) -> LogConfig {
        LogConfig { format: LogFormat::Text, filter: self.log.clone() }
    }

    fn folder(&self) -> anyhow::Result<DevFolder> {
        if self.ephemeral { DevFolder::ephemeral() } else { DevFolder::kept(&self.data_dir) }
    }

    fn cluster(&self) -> anyhow::Result<ClusterKind> {
        Ok(match &self.cluster {
            Cluster::Embedded => ClusterKind::Embedded { keep: !self.ephemeral },
            Cluster::Kubeconfig(path) => ClusterKind::Kubeconfig(path.clone()),
            Cluster::Real => ClusterKind::Real {
                assets: std::env::var_os(ASSETS)
                    .context(
                        "KUBEBUILDER_ASSETS is not set; --cluster real needs a folder with etcd and kube-apiserver",
                    )?
                    .into(),
            },
        })
    }
}

/// The parts beneath the server.
struct Ground {
    folder: DevFolder,
    postgres: EmbeddedPostgres,
    cluster: DevCluster,
}

/// Runs everything until `stop`, then stops it in the order in which one part needs the other.
pub(super) async fn run(arguments: DevArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let Some(ground) = stop.run_until_cancelled(Ground::start(&arguments)).await.transpose()? else { return Ok(()) };
    let served = serve(&arguments, &ground, stop).await;
    let stopped = ground.shutdown().await;
    served.and(stopped)
}

impl Ground {
    async fn start(arguments: &DevArgs) -> anyhow::Result<Self> {
        let folder = arguments.folder()?;
        let options = match folder.is_ephemeral() {
            true => postgres::Options::ephemeral(),
            false => postgres::Options::kept(folder.path()),
        };
        let kind = arguments.cluster()?;
        let simulators = SimOptions { speed: arguments.speed, ..SimOptions::default() };
        let cluster_dir = folder.path().join("cluster");
        tokio::fs::create_dir_all(&cluster_dir).await?;
        let (postgres, cluster) =
            tokio::join!(EmbeddedPostgres::start(options), DevCluster::start(kind, &cluster_dir, simulators));
        match (postgres, cluster) {
            (Ok(postgres), Ok(cluster)) => Ok(Self { folder, postgres, cluster }),
            (Ok(postgres), Err(error)) => {
                postgres.shutdown().await?;
                Err(error.into())
            }
            (Err(error), Ok(cluster)) => {
                cluster.shutdown().await;
                Err(error.into())
            }
            (Err(error), Err(_)) => Err(error.into()),
        }
    }

    async fn shutdown(self) -> anyhow::Result<()> {
        self.cluster.shutdown().await;
        self.postgres.shutdown().await?;
        drop(self.folder);
        Ok(())
    }
}

/// Migrates, seeds, serves, tells; returns when the server has stopped.
async fn serve(arguments: &DevArgs, ground: &Ground, stop: CancellationToken) -> anyhow::Result<()> {
    let database_url = ground.postgres.url();
    let config = Config::for_dev(DevParts {
        database_url: database_url.parse().map_err(anyhow::Error::msg)?,
        kubeconfig: ground.cluster.kubeconfig().to_owned(),
        port: arguments.port,
        jwt_keys: ground.folder.jwt_keys()?,
    });
    let listener = TcpListener::bind(config.http.listen)
        .await
        .with_context(|| format!("--port {} cannot be served on; give another one, or 0 for any", arguments.port))?;
    migrate(&config.database).await?;
    let users = arguments.seed.plant(&config.database).await?;
    let ready = Ready::new(listener.local_addr()?, database_url, ground.cluster.kubeconfig(), users);
    let tasks = Tasks::default();
    let app = App::builder(config, &tasks).demo_users(serde_json::to_value(&ready.users)?).build().await?;
    // The listener is bound: who connects from here on is answered.
    println!("{ready}");
    if let Some(path) = &arguments.ready_file {
        ready.write(path).with_context(|| format!("--ready-file {}", path.display()))?;
    }
    app.serve(listener, stop).await
}

async fn migrate(config: &DatabaseConfig) -> anyhow::Result<()> {
    let tasks = Tasks::default();
    migrations::run(&Db::new(config, &tasks)?).await?;
    tasks.shutdown(PATIENCE).await;
    Ok(())
}

impl Seed {
    /// Plants what is not there yet; returns whom one can log in as.
    async fn plant(self, config: &DatabaseConfig) -> anyhow::Result<Vec<SeededUser>> {
        Ok(match self {
            Self::Demo => seed::demo(&config.primary).await?,
            Self::Bench => seed::bench(&config.primary).await?,
            Self::Empty => vec![only_admin(config).await?],
        })
    }
}

/// The one account of an empty environment.
async fn only_admin(config: &DatabaseConfig) -> anyhow::Result<SeededUser> {
    let user = SeededUser { username: "admin", password: "platform-admin", role: "platform admin" };
    let admin = NewAdmin {
        username: user.username.to_owned(),
        display_name: None,
        email: None,
        password: user.password.to_owned().into(),
    };
    match app::admin_create(config, BcryptCost::CHEAPEST, admin).await {
        Ok(_) => Ok(user),
        // It is there from an earlier start.
        Err(error) if is_conflict(&error) => Ok(user),
        Err(error) => Err(error),
    }
}

fn is_conflict(error: &anyhow::Error) -> bool {
    let told = error.downcast_ref::<ApiErrors>();
    told.is_some_and(|told| told.0.iter().all(|error| error.code == Code::Conflict))
}
