//! The cluster behind `platform dev`: the embedded API server or a real one, and the simulators that play its nodes.

mod amount;
pub mod api;
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

use crate::cluster::crd::definitions;
use api::{EmbeddedApi, Options, StartError};
use real::{ControlPlane, RealError};
use sim::{SimError, SimOptions, Simulators};

const FIELD_MANAGER: &str = "platform-dev";
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);

/// Which cluster to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterKind {
    /// The API server of [`api`] with the simulators.
    Embedded {
        /// Whether what is in it is kept from one run to the next.
        keep: bool,
    },
    /// etcd and kube-apiserver from a folder of binaries (`KUBEBUILDER_ASSETS`), with the simulators.
    Real {
        /// The folder.
        assets: PathBuf,
    },
    /// A cluster that is there already. It has nodes and controllers of its own, so nothing is simulated or installed in it.
    Kubeconfig(PathBuf),
}

/// Why the cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The embedded API server.
    #[error(transparent)]
    Embedded(#[from] StartError),
    /// Its folder or its kubeconfig.
    #[error("cannot write the kubeconfig: {0}")]
    Write(#[source] std::io::Error),
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
    Embedded(EmbeddedApi),
    Real(ControlPlane),
    External,
}

/// A running cluster; it ends with [`DevCluster::shutdown`], and with the process.
pub struct DevCluster {
    kubeconfig: PathBuf,
    client: Client,
    server: Server,
    simulators: Option<Simulators>,
}

impl DevCluster {
    /// Starts the cluster in `data_dir`, which keeps its state from one run to the next, with the custom resources and the
    /// simulators in it.
    pub async fn start(kind: ClusterKind, data_dir: &Path, options: SimOptions) -> Result<Self, ClusterError> {
        let (server, kubeconfig, client) = match kind {
            ClusterKind::Embedded { keep } => {
                let folder = keep.then(|| data_dir.join("objects"));
                let server = EmbeddedApi::start(Options { folder, ..Options::default() }).await?;
                let path = data_dir.join("kubeconfig");
                std::fs::create_dir_all(data_dir).map_err(ClusterError::Write)?;
                std::fs::write(&path, server.kubeconfig()).map_err(ClusterError::Write)?;
                let client = connect(&path).await?;
                (Server::Embedded(server), path, client)
            }
            ClusterKind::Real { assets } => {
                let control_plane = ControlPlane::start(&assets, data_dir).await?;
                let (kubeconfig, client) = (control_plane.kubeconfig().to_owned(), control_plane.client());
                (Server::Real(control_plane), kubeconfig, client)
            }
            ClusterKind::Kubeconfig(path) => {
                let client = connect(&path).await?;
                (Server::External, path, client)
            }
        };
        let mut cluster = Self { kubeconfig, client, server, simulators: None };
        if matches!(cluster.server, Server::External) {
            return Ok(cluster);
        }
        match simulate(&cluster.client, options).await {
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

    /// The kubeconfig for `kubectl` and for the platform.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client as the administrator.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Where etcd answers, if there is one of ours.
    pub fn etcd_url(&self) -> Option<&str> {
        match &self.server {
            Server::Real(control_plane) => Some(control_plane.etcd_url()),
            Server::Embedded(_) | Server::External => None,
        }
    }

    /// Makes the embedded API server forget its history, as etcd does when it is compacted.
    pub fn compact_embedded(&self) {
        match &self.server {
            Server::Embedded(server) => server.compact(),
            Server::Real(_) | Server::External => {}
        }
    }

    /// Stops the simulators, then the server, and waits for both.
    pub async fn shutdown(self) {
        if let Some(simulators) = self.simulators {
            simulators.shutdown().await;
        }
        match self.server {
            Server::Embedded(server) => server.shutdown().await,
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

async fn simulate(client: &Client, options: SimOptions) -> Result<Simulators, ClusterError> {
    install(client, &definitions()).await?;
    Ok(Simulators::start(client.clone(), options).await?)
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
