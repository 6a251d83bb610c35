//! `platform dev`: a database, a cluster, demo data and the server in a single process; all of them stop with it.

mod folder;
mod ready;

use std::{path::PathBuf, str::FromStr, time::Duration};

use anyhow::Context;
use clap::{Args, ValueEnum};
use dev_cluster::sim::{SimOptions, Speed};
use dev_cluster::{ClusterKind, DevCluster};
use folder::DevFolder;
use ready::Ready;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{self, App},
    config::{
        BcryptCost, Config, DatabaseConfig, DevParts, LogConfig,
        dev::{DevSettings, HELP},
    },
    db::{Db, migrations},
    dev::{
        postgres::{self, EmbeddedPostgres},
        seed::{self, SeededUser},
    },
    error::{ApiErrors, Code},
    tasks::Tasks,
    users::service::NewAdmin,
};

/// The variable with the directory of etcd and kube-apiserver, by the envtest convention.
const ASSETS: &str = "KUBEBUILDER_ASSETS";
/// How long the connections of a migration get to close.
const PATIENCE: Duration = Duration::from_secs(5);

/// The arguments of `platform dev`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct DevArgs {
    /// Directory where data is kept between runs
    #[arg(long, value_name = "FOLDER", default_value = ".platform")]
    data_dir: PathBuf,
    /// Discard all data on exit
    #[arg(long, conflicts_with = "data_dir")]
    ephemeral: bool,
    /// Factor by which simulated pods run faster than real time
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    speed: Speed,
    /// Data to load on the first start
    #[arg(long, value_name = "WHAT", default_value = "demo")]
    seed: Seed,
    /// File to write when everything is running: JSON with URLs, kubeconfig and accounts
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Cluster to use: embedded, real (etcd and kube-apiserver from KUBEBUILDER_ASSETS) or the path of a kubeconfig file
    #[arg(long, value_name = "CLUSTER", default_value = "embedded")]
    cluster: Cluster,
    /// The settings of `platform serve`.
    #[command(flatten)]
    settings: DevSettings,
}

/// What the database contains on the first start.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Seed {
    /// Users, groups, projects, config files and past jobs
    Demo,
    /// A single administrator
    Empty,
    /// A large amount of data for benchmarks
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
    text.parse().map_err(|_| "a number greater than 0, such as 1, 2.5 or 100".to_owned())
}

impl DevArgs {
    /// The log: by default lines, for a person at a terminal.
    pub(super) fn log(&self) -> LogConfig {
        self.settings.log.config()
    }

    fn folder(&self) -> anyhow::Result<DevFolder> {
        if self.ephemeral { DevFolder::ephemeral() } else { DevFolder::kept(&self.data_dir) }
    }

    fn cluster(&self) -> anyhow::Result<ClusterKind> {
        Ok(match &self.cluster {
            Cluster::Embedded => ClusterKind::Embedded,
            Cluster::Kubeconfig(path) => ClusterKind::Kubeconfig(path.clone()),
            Cluster::Real => ClusterKind::Real {
                assets: std::env::var_os(ASSETS)
                    .context(
                        "KUBEBUILDER_ASSETS is not set; --cluster real requires a directory with etcd and kube-apiserver",
                    )?
                    .into(),
            },
        })
    }
}

/// What the server depends on.
struct Ground {
    folder: DevFolder,
    postgres: EmbeddedPostgres,
    cluster: DevCluster,
}

/// Runs everything until `stop`, then stops the parts in the order of their dependencies.
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
        let of_cluster = dev_cluster::Options {
            kind: arguments.cluster()?,
            folder: (!folder.is_ephemeral()).then(|| folder.path().join("cluster")),
            port: 0,
            simulators: SimOptions { speed: arguments.speed, ..SimOptions::default() },
        };
        let (postgres, cluster) = tokio::join!(EmbeddedPostgres::start(options), DevCluster::start(of_cluster));
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

/// Migrates, seeds, serves and announces itself; returns when the server has stopped.
async fn serve(arguments: &DevArgs, ground: &Ground, stop: CancellationToken) -> anyhow::Result<()> {
    let database_url = ground.postgres.url();
    let settings = &arguments.settings;
    let parts = DevParts {
        database_url: database_url.parse().map_err(anyhow::Error::msg)?,
        kubeconfig: ground.cluster.kubeconfig().to_owned(),
        port: settings.http.port,
        jwt_keys: settings.jwt_keys(ground.folder.jwt_secret()?)?,
    };
    let config = Config::of_dev(parts, settings)?;
    let config = Config { objects: config.objects.clone().or_in(ground.folder.path().join("objects")), ..config };
    let listener = TcpListener::bind(config.http.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another --port, or 0 for a free one", config.http.listen)
    })?;
    if settings.is_exposed() {
        let address = config.http.listen.ip();
        tracing::warn!(%address, "LISTEN_ADDR lets other machines log in with the demo accounts");
    }
    migrate(&config.database).await?;
    let users = arguments.seed.plant(&config.database).await?;
    let ready = Ready::new(listener.local_addr()?, database_url, ground.cluster.kubeconfig(), users);
    let tasks = Tasks::default();
    let app = App::builder(config, &tasks).demo_users(serde_json::to_value(&ready.users)?).build().await?;
    // The listener is bound: clients that connect from now on get a response.
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
    /// Creates the seed data that does not exist yet, and returns the accounts to log in with.
    async fn plant(self, config: &DatabaseConfig) -> anyhow::Result<Vec<SeededUser>> {
        Ok(match self {
            Self::Demo => seed::demo(&config.primary).await?,
            Self::Bench => seed::bench(&config.primary).await?,
            Self::Empty => vec![only_admin(config).await?],
        })
    }
}

/// The only account of an empty environment.
async fn only_admin(config: &DatabaseConfig) -> anyhow::Result<SeededUser> {
    let user = SeededUser { username: "admin", password: "empty-environment", role: "platform admin" };
    let admin = NewAdmin {
        username: user.username.to_owned(),
        display_name: None,
        email: None,
        password: user.password.to_owned().into(),
    };
    match app::admin_create(config, BcryptCost::CHEAPEST, admin).await {
        Ok(_) => Ok(user),
        // It exists since an earlier start.
        Err(error) if is_conflict(&error) => Ok(user),
        Err(error) => Err(error),
    }
}

fn is_conflict(error: &anyhow::Error) -> bool {
    let told = error.downcast_ref::<ApiErrors>();
    told.is_some_and(|told| told.0.iter().all(|error| error.code == Code::Conflict))
}
