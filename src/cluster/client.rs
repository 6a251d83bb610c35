//! The client of one cluster: made from a kubeconfig or the pod's own account.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::error::ClusterError;
use crate::config::ClusterConfig;
use crate::db::error_chain;

/// Timeout of one call; watches and logs have none.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);

/// The cluster that jobs are sent to. Clones share connections.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
}

impl Cluster {
    /// Reads the configuration; the cluster itself may be unreachable.
    ///
    /// # Errors
    /// [`ClusterError::Unconfigured`] if there is neither a kubeconfig nor a service account of the pod.
    pub async fn new(config: &ClusterConfig) -> Result<Self, ClusterError> {
        let unusable = |error: &dyn std::error::Error| ClusterError::Unconfigured(error_chain(error));
        let mut settings = match &config.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path).map_err(|error| unusable(&error))?;
                kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                    .await
                    .map_err(|error| unusable(&error))?
            }
            None => kube::Config::infer().await.map_err(|error| unusable(&error))?,
        };
        settings.connect_timeout = Some(CONNECT);
        let client = kube::Client::try_from(settings).map_err(|error| unusable(&error))?;
        Ok(Self { client })
    }

    /// The client itself, for watches and logs.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Waits for `call`, at most as long as one call may take.
    ///
    /// # Errors
    /// Those of the call; [`ClusterError::Away`] on timeout.
    pub async fn call<T>(&self, call: impl Future<Output = Result<T, kube::Error>> + Send) -> Result<T, ClusterError> {
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(ClusterError::Away(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    /// The object of this name; `None` if there is none.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn find<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        self.call(Api::<K>::namespaced(self.client(), namespace).get_opt(name)).await
    }

    /// The uid of the object of this name, without the rest of it; `None` if there is none.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn uid_of<K>(&self, namespace: &str, name: &str) -> Result<Option<String>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let found = self.call(Api::<K>::namespaced(self.client(), namespace).get_metadata_opt(name)).await?;
        Ok(found.and_then(|found| found.metadata.uid))
    }

    /// The version of the API server, as `major.minor`.
    ///
    /// # Errors
    /// [`ClusterError::Away`] if it does not answer.
    pub async fn version(&self) -> Result<String, ClusterError> {
        let info = self.call(self.client.apiserver_version()).await?;
        Ok(info.git_version)
    }
}
