//! A Kubernetes cluster in one process, for a laptop and for tests: an API server that `kubectl` and any client library
//! can talk to, and simulators that play what a cluster has beside it. No container runs: a pod's annotations say how long
//! it runs and how it ends. Only file servers do, each on the folder that stands for its volume.
//!
//! | module | subject |
//! |---|---|
//! | [`api`] | the API server: objects, watches, validation, admission |
//! | [`sim`] | nodes, kubelet, schedulers and controllers, as clients of an API server |
//! | [`real`] | etcd and kube-apiserver in place of [`api`], from a folder of binaries |
//! | `files` | the file server that a container may be |
//! | [`lock`] | the lock of a folder |
//!
//! ```
//! use dev_cluster::{DevCluster, Options};
//! use k8s_openapi::api::core::v1::Node;
//! use kube::{Api, api::ListParams};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = DevCluster::start(Options::default()).await?;
//! let nodes = Api::<Node>::all(cluster.client()).list(&ListParams::default()).await?;
//! assert_eq!(nodes.items.len(), 2);
//! cluster.shutdown().await;
//! # Ok(())
//! # }
//! ```

pub mod api;
mod files;
pub mod lock;
mod quota;
pub mod real;
pub mod sim;

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};

use api::{EmbeddedApi, StartError};
use cluster_resources::crd::definitions;
use lock::FolderLock;
use real::{ControlPlane, RealError};
use sim::{SimError, SimOptions, Simulators};
use tempfile::TempDir;

const FIELD_MANAGER: &str = "dev-cluster";
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);

/// Which cluster to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClusterKind {
    /// The API server of [`api`] with the simulators.
    #[default]
    Embedded,
    /// etcd and kube-apiserver from a folder of binaries (`KUBEBUILDER_ASSETS`), with the simulators.
    Real {
        /// The folder.
        assets: PathBuf,
    },
    /// A cluster that is there already. It has nodes and controllers of its own, so nothing is simulated or installed in it.
    Kubeconfig(PathBuf),
}

/// How a cluster is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which cluster it is.
    pub kind: ClusterKind,
    /// The folder that keeps what is in the cluster from one run to the next, for one process at a time. Without one it is
    /// all gone when the cluster stops.
    pub folder: Option<PathBuf>,
    /// The loopback port of the embedded API server; 0 takes a free one. A real one always does.
    pub port: u16,
    /// The nodes that are simulated, and how fast.
    pub simulators: SimOptions,
}

/// Why the cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The embedded API server.
    #[error(transparent)]
    Embedded(#[from] StartError),
    /// Its folder could not be created, locked or written to.
    #[error("cannot use the cluster's folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another process has a cluster in the same folder.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// etcd or kube-apiserver.
    #[error(transparent)]
    Real(#[from] RealError),
    /// The simulators.
    #[error(transparent)]
    Simulators(#[from] SimError),
    /// The kubeconfig does not load.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The cluster does not answer, or refuses.
    #[error("cluster: {0}")]
    Client(#[from] kube::Error),
    /// A definition was accepted and did not come into force.
    #[error("custom resource definition {0} did not come into force")]
    NotEstablished(String),
}

enum Server {
    Embedded {
        api: EmbeddedApi,
        /// Keeps other processes out of the folder.
        _lock: FolderLock,
    },
    Real(ControlPlane),
    External,
}

/// The folder of a running cluster.
struct Folder {
    path: PathBuf,
    /// Removes a folder that is not kept.
    _temporary: Option<TempDir>,
}

impl Folder {
    fn open(wanted: Option<PathBuf>) -> Result<Self, ClusterError> {
        let (path, temporary) = match wanted {
            Some(path) => (path, None),
            None => {
                let made = tempfile::Builder::new().prefix("dev-cluster-").tempdir();
                let made = made.map_err(|source| ClusterError::Folder { path: std::env::temp_dir(), source })?;
                (made.path().to_owned(), Some(made))
            }
        };
        std::fs::create_dir_all(&path).map_err(|source| ClusterError::Folder { path: path.clone(), source })?;
        Ok(Self { path, _temporary: temporary })
    }

    fn is_kept(&self) -> bool {
        self._temporary.is_none()
    }
}

/// A running cluster; it ends with [`DevCluster::shutdown`], and with the process.
pub struct DevCluster {
    kubeconfig: PathBuf,
    client: Client,
    server: Server,
    simulators: Option<Simulators>,
    folder: Option<Folder>,
}

impl DevCluster {
    /// Starts a cluster with the custom resources and the simulators in it.
    ///
    /// # Errors
    ///
    /// The folder cannot be used, the port is taken, a binary of a real cluster is missing or fails, or the cluster of a
    /// kubeconfig does not answer.
    pub async fn start(options: Options) -> Result<Self, ClusterError> {
        let Options { kind, folder, port, simulators } = options;
        let mut cluster = match kind {
            ClusterKind::Embedded => Self::embedded(Folder::open(folder)?, port).await?,
            ClusterKind::Real { assets } => {
                let folder = Folder::open(folder)?;
                let control_plane = ControlPlane::start(&assets, &folder.path).await?;
                Self {
                    kubeconfig: control_plane.kubeconfig().to_owned(),
                    client: control_plane.client(),
                    server: Server::Real(control_plane),
                    simulators: None,
                    folder: Some(folder),
                }
            }
            ClusterKind::Kubeconfig(path) => {
                let client = connect(&path).await?;
                return Ok(Self { kubeconfig: path, client, server: Server::External, simulators: None, folder: None });
            }
        };
        let volumes = cluster.volumes().unwrap_or_default();
        match simulate(&cluster.client, simulators, volumes).await {
            Ok(simulators) => {
                cluster.simulators = Some(simulators);
                Ok(cluster)
            }
            Err(error) => {
                cluster.shutdown().await;
                Err(error)
            }
        }
    }

    async fn embedded(folder: Folder, port: u16) -> Result<Self, ClusterError> {
        let failed = |source| ClusterError::Folder { path: folder.path.clone(), source };
        let lock = FolderLock::take(&folder.path.join("lock")).map_err(failed)?;
        let lock = lock.ok_or_else(|| ClusterError::InUse(folder.path.clone()))?;
        let objects = folder.is_kept().then(|| folder.path.join("objects"));
        let api = EmbeddedApi::start(api::Options { folder: objects, port, ..api::Options::default() }).await?;
        let kubeconfig = folder.path.join("kubeconfig");
        std::fs::write(&kubeconfig, api.kubeconfig()).map_err(failed)?;
        let client = connect(&kubeconfig).await?;
        let server = Server::Embedded { api, _lock: lock };
        Ok(Self { kubeconfig, client, server, simulators: None, folder: Some(folder) })
    }

    /// The kubeconfig for `kubectl` and other clients.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The folder with the folders of the volumes: each is below that of its driver, under its handle. `None` for a cluster
    /// that was there already.
    pub fn volumes(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.path.join("volumes"))
    }

    /// A client as the administrator.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Where etcd answers, if there is one of ours.
    pub fn etcd_url(&self) -> Option<&str> {
        match &self.server {
            Server::Real(control_plane) => Some(control_plane.etcd_url()),
            Server::Embedded { .. } | Server::External => None,
        }
    }

    /// Makes the embedded API server forget its history, as etcd does when it is compacted.
    pub fn compact_embedded(&self) {
        match &self.server {
            Server::Embedded { api, .. } => api.compact(),
            Server::Real(_) | Server::External => {}
        }
    }

    /// Stops the simulators, then the server, and waits for both.
    pub async fn shutdown(self) {
        if let Some(simulators) = self.simulators {
            simulators.shutdown().await;
        }
        match self.server {
            Server::Embedded { api, .. } => api.shutdown().await,
            Server::Real(control_plane) => control_plane.shutdown().await,
            Server::External => {}
        }
    }
}

async fn connect(kubeconfig: &Path) -> Result<Client, ClusterError> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

async fn simulate(client: &Client, options: SimOptions, volumes: PathBuf) -> Result<Simulators, ClusterError> {
    install(client, &definitions()).await?;
    Ok(Simulators::start(client.clone(), options, volumes).await?)
}

/// Applies definitions and waits until the server serves them.
async fn install(client: &Client, definitions: &[CustomResourceDefinition]) -> Result<(), ClusterError> {
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    for definition in definitions {
        let name = definition.name_any();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(&name, &params, &Patch::Apply(definition)).await?;
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        match tokio::time::timeout(ESTABLISHED_WITHIN, established).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return Err(ClusterError::NotEstablished(name)),
        }
    }
    Ok(())
}
