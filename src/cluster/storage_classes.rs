//! The storage classes of the cluster, read in the background, so that nobody who asks about them waits for the cluster.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::client::Cluster;
use super::error::ClusterError;

/// The interval at which the classes are read.
const REFRESH: Duration = Duration::from_secs(15);
/// The interval at which an unreachable cluster is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// <https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass>
const IS_DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// A storage class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// The name.
    pub name: String,
    /// The storage driver.
    pub provisioner: String,
    /// Whether claims that name no class get it.
    pub is_default: bool,
    /// Whether its claims can be made larger.
    pub expands: bool,
    /// Whether a volume is only created when a pod needs it.
    pub waits_for_consumer: bool,
    /// Whether a volume is deleted with its claim.
    pub deletes: bool,
}

impl Class {
    fn read(class: &StorageClass) -> Self {
        Self {
            name: class.name_any(),
            provisioner: class.provisioner.clone(),
            is_default: class.annotations().get(IS_DEFAULT).is_some_and(|value| value == "true"),
            expands: class.allow_volume_expansion == Some(true),
            waits_for_consumer: class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"),
            deletes: class.reclaim_policy.as_deref() != Some("Retain"),
        }
    }
}

/// The storage classes as last read; unknown until then. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Classes(Arc<ArcSwapOption<Vec<Class>>>);

impl Classes {
    /// The classes, by name; `None` if they were never read.
    pub fn all(&self) -> Option<Arc<Vec<Class>>> {
        self.0.load_full()
    }

    /// The classes, read now if they never were.
    ///
    /// # Errors
    /// The cluster's.
    pub async fn known(&self, cluster: &Cluster) -> Result<Arc<Vec<Class>>, ClusterError> {
        match self.all() {
            Some(classes) => Ok(classes),
            None => self.refresh(cluster).await,
        }
    }

    /// The classes, read now.
    ///
    /// # Errors
    /// The cluster's.
    pub async fn refresh(&self, cluster: &Cluster) -> Result<Arc<Vec<Class>>, ClusterError> {
        let found = cluster.call(Api::<StorageClass>::all(cluster.client()).list(&ListParams::default())).await?;
        let mut classes: Vec<Class> = found.items.iter().map(Class::read).collect();
        classes.sort_by(|one, other| one.name.cmp(&other.name));
        let classes = Arc::new(classes);
        self.0.store(Some(Arc::clone(&classes)));
        Ok(classes)
    }

    /// Keeps reading the classes for as long as the server runs.
    pub async fn keep(self, cluster: Cluster) {
        loop {
            let pause = match self.refresh(&cluster).await {
                Ok(_) => REFRESH,
                Err(error) => {
                    tracing::debug!(%error, "the storage classes could not be read");
                    RETRY
                }
            };
            tokio::time::sleep(pause).await;
        }
    }
}
