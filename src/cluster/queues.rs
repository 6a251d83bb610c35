//! What a cluster must have before jobs are sent to it: priority classes and, for the Flash scheduler, the custom
//! resource definitions and the three queues.
//!
//! Missing objects are created and existing ones are never overwritten: an operator's change stays, and [`Queues`]
//! reads it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::Cluster;
use super::crd::{ClusterResourceQueue, ClusterResourceQueueSpec, definitions};
use super::error::ClusterError;
use crate::config::{QueueRole, QueueRoles};

/// A queue that every cluster has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// The name of the queue and of its priority class.
    pub name: &'static str,
    /// Higher values go first.
    pub priority: i32,
    /// Whether its running jobs may be preempted for a higher queue.
    pub preemptible: bool,
}

/// The queues, highest priority first.
pub const QUEUES: [Queue; 3] = [
    Queue { name: "configfile-interactive", priority: 10_000, preemptible: false },
    Queue { name: "configfile-job", priority: 5_000, preemptible: false },
    Queue { name: "default-batch", priority: 100, preemptible: true },
];

/// Interval at which the queues are read.
const REFRESH: Duration = Duration::from_secs(15);
/// Interval at which an unreachable cluster is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The properties of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Higher values go first.
    pub priority: i64,
    /// Whether its running jobs may be preempted for a higher queue.
    pub preemptible: bool,
    /// How many of its jobs run at a time at most; 0 for no limit.
    pub max_concurrent: i64,
    /// After how many seconds the scheduler removes jobs that have ended; 0 if it does not.
    pub ttl_seconds: i64,
}

/// No queue has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cluster has no such queue; it has {}", .known.join(", "))]
pub struct UnknownQueue {
    /// The existing names.
    pub known: Vec<String>,
}

/// The cluster's queues as last read; until the first read, the three that every cluster has.
#[derive(Debug, Clone)]
pub struct Queues {
    known: Arc<ArcSwap<BTreeMap<String, Traits>>>,
    roles: Arc<QueueRoles>,
}

impl Queues {
    /// The queues, and who may submit to them.
    pub fn new(roles: QueueRoles) -> Self {
        let own = QUEUES.map(|queue| (queue.name.to_owned(), traits(&spec(queue))));
        Self { known: Arc::new(ArcSwap::from_pointee(BTreeMap::from(own))), roles: Arc::new(roles) }
    }

    /// The least role that the configuration requires of those who submit to the queue.
    pub fn role(&self, name: &str) -> QueueRole {
        self.roles.of(name)
    }

    /// The queue of that name.
    ///
    /// # Errors
    /// The existing names, if none of them matches.
    pub fn lookup(&self, name: &str) -> Result<Traits, UnknownQueue> {
        let queues = self.known.load();
        queues.get(name).copied().ok_or_else(|| UnknownQueue { known: queues.keys().cloned().collect() })
    }

    /// All queues, in the order of their names.
    pub fn all(&self) -> Vec<(String, Traits)> {
        self.known.load().iter().map(|(name, traits)| (name.clone(), *traits)).collect()
    }

    /// Creates what the cluster must have, then keeps reading its queues for as long as the server runs. Without
    /// `with_scheduler` the cluster need not have queues: then they are the three that every cluster has.
    pub async fn keep(self, cluster: Cluster, with_scheduler: bool) {
        while let Err(error) = if with_scheduler { ensure(&cluster).await } else { ensure_classes(&cluster).await } {
            tracing::warn!(%error, "the cluster's queues could not be created or updated; trying again");
            tokio::time::sleep(RETRY).await;
        }
        loop {
            match self.refresh(&cluster).await {
                Ok(()) => {}
                Err(error) => tracing::debug!(%error, "the cluster's queues could not be read"),
            }
            tokio::time::sleep(REFRESH).await;
        }
    }

    async fn refresh(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        let api = Api::<ClusterResourceQueue>::all(cluster.client());
        let found = match cluster.call(api.list(&ListParams::default())).await {
            Err(ClusterError::KindMissing(_)) => return Ok(()),
            answer => answer?,
        };
        if found.items.is_empty() {
            return Ok(());
        }
        self.known.store(Arc::new(found.iter().map(|queue| (queue.name_any(), traits(&queue.spec))).collect()));
        Ok(())
    }
}

/// Creates what is missing in a cluster with the Flash scheduler. Idempotent.
///
/// # Errors
/// The cluster's.
pub async fn ensure(cluster: &Cluster) -> Result<(), ClusterError> {
    let client = cluster.client();
    for definition in definitions() {
        create(cluster, &Api::<CustomResourceDefinition>::all(client.clone()), &definition).await?;
    }
    ensure_classes(cluster).await?;
    for queue in QUEUES {
        create(cluster, &Api::<ClusterResourceQueue>::all(client.clone()), &resource(queue)).await?;
    }
    Ok(())
}

/// Creates the priority classes that are missing: every pod names the one of its queue. Idempotent.
///
/// # Errors
/// The cluster's.
pub async fn ensure_classes(cluster: &Cluster) -> Result<(), ClusterError> {
    for queue in QUEUES {
        create(cluster, &Api::<PriorityClass>::all(cluster.client()), &priority_class(queue)).await?;
    }
    Ok(())
}

async fn create<K>(cluster: &Cluster, api: &Api<K>, object: &K) -> Result<(), ClusterError>
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug + Sync,
{
    match cluster.call(api.create(&PostParams::default(), object)).await {
        Ok(_) | Err(ClusterError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn priority_class(queue: Queue) -> PriorityClass {
    PriorityClass {
        metadata: ObjectMeta { name: Some(queue.name.to_owned()), ..ObjectMeta::default() },
        value: Some(queue.priority),
        description: Some(format!("Pods of jobs in the queue {}", queue.name)),
        // The Flash scheduler decides which pods are preempted; the priority class must not. Without it, the class
        // decides which of the waiting pods is placed first.
        preemption_policy: Some("Never".to_owned()),
        ..PriorityClass::default()
    }
}

fn spec(queue: Queue) -> ClusterResourceQueueSpec {
    ClusterResourceQueueSpec {
        priority: i64::from(queue.priority),
        is_preemptible: queue.preemptible,
        max_concurrent: 0,
        ttl_seconds: 0,
    }
}

const fn traits(spec: &ClusterResourceQueueSpec) -> Traits {
    Traits {
        priority: spec.priority,
        preemptible: spec.is_preemptible,
        max_concurrent: spec.max_concurrent,
        ttl_seconds: spec.ttl_seconds,
    }
}

fn resource(queue: Queue) -> ClusterResourceQueue {
    ClusterResourceQueue::new(queue.name, spec(queue))
}
