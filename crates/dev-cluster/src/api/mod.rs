//! The embedded Kubernetes API server: the part of a kube-apiserver that `kubectl`, kube-rs and Go clients meet, in
//! memory, on loopback. It is for a laptop and for tests.
//!
//! | module | subject |
//! |---|---|
//! | `serve`, `operations`, `request`, `encoding`, `protobuf` | HTTP: from a path and a verb to an operation and its answer |
//! | `store`, `persist`, `list`, `watch`, `selector`, `versions` | objects, revisions, reading |
//! | `write`, `kinds`, `admission`, `validation`, `managed`, `strategic` | what happens to an object before it is stored |
//! | `catalog`, `definitions`, `discovery` | which resources there are |
//! | [`schema`], [`openapi`], [`table`] | structural schemas, the OpenAPI documents, server-side Tables |
//! | [`trial`] | the judgement without the server |
//! | `subresources`, `logs`, `tunnel`, `reviews` | what is not an object |
//!
//! As with a kube-apiserver that runs alone, nothing here collects garbage, empties namespaces or runs pods: that is the
//! work of controllers, which are clients.

mod admission;
mod catalog;
mod cluster;
mod definitions;
mod discovery;
mod encoding;
mod kinds;
mod list;
mod logs;
mod managed;
mod object;
pub mod openapi;
mod operations;
mod persist;
mod protobuf;
mod request;
mod reviews;
pub mod schema;
mod seed;
mod selector;
mod serve;
mod status;
mod store;
mod strategic;
mod subresources;
pub mod table;
pub mod trial;
mod tunnel;
mod validation;
mod versions;
mod watch;
mod write;

use cluster::Cluster;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How the server is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The loopback port; 0 takes a free one.
    pub port: u16,
    /// How many revisions can be asked for; what is older is 410 Gone.
    pub history: usize,
    /// The bearer token that requests must carry; without one everybody on the machine may do everything.
    pub token: Option<String>,
    /// The folder that the objects are kept in over a restart; without one they are gone with the server.
    pub folder: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options { port: 0, history: 16_384, token: None, folder: None }
    }
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or may not be used.
    #[error("the embedded API server cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The folder of the objects is there and cannot be read or written.
    #[error("the embedded cluster's folder {} cannot be used: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A running API server. Dropping it stops it without waiting; [`EmbeddedApi::shutdown`] waits.
#[derive(Debug)]
pub struct EmbeddedApi {
    address: SocketAddr,
    token: Option<String>,
    cluster: Arc<Cluster>,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl EmbeddedApi {
    /// Starts a server; it answers when this returns.
    pub async fn start(options: Options) -> Result<EmbeddedApi, StartError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let stop = CancellationToken::new();
        let cluster = Arc::new(Cluster::new(options.history, stop.clone()));
        if let Some(path) = &options.folder {
            let unusable = |source| StartError::Folder { path: path.clone(), source };
            persist::load(&cluster.store, path).map_err(unusable)?;
        }
        seed::plant(&cluster);
        let keeper = options.folder.map(|path| tokio::spawn(persist::keep(cluster.clone(), path)));
        let server =
            serve::Server { cluster: cluster.clone(), address: address.to_string(), token: options.token.clone() };
        let router = serve::router(Arc::new(server));
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
        tracing::info!(%address, "embedded Kubernetes API server: for a laptop and for tests");
        Ok(EmbeddedApi { address, token: options.token, cluster, stop, server, keeper })
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> String {
        let user = match &self.token {
            Some(token) => format!("{{token: {token:?}}}"),
            None => "{}".to_owned(),
        };
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: dev-cluster\nclusters:\n- name: dev-cluster\n  cluster: {{server: {:?}}}\nusers:\n- name: admin\n  user: {user}\ncontexts:\n- name: dev-cluster\n  context: {{cluster: dev-cluster, user: admin, namespace: default}}\n",
            self.base_url()
        )
    }

    /// Forgets every revision before the current one: asking for one of them is 410 Gone. Running watches go on.
    pub fn compact(&self) {
        self.cluster.store.compact();
    }

    /// Ends the watches and log streams, finishes the requests that run, and stops.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        match (&mut self.server).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the embedded API server ended with an error"),
            Err(error) => tracing::warn!(%error, "the embedded API server's task failed"),
        }
        self.cluster.tunnels.close();
        self.cluster.tunnels.wait().await;
        if let Some(keeper) = self.keeper.take()
            && let Err(error) = keeper.await
        {
            tracing::warn!(%error, "the task that keeps the embedded cluster's folder failed");
        }
    }
}

impl Drop for EmbeddedApi {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
