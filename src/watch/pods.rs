//! The watch of task pods: exit codes, signals, evictions, image pulls, and which have vanished while nobody looked.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Event as ClusterEvent, Pod};
use kube::runtime::watcher::Event;
use kube::{Api, ResourceExt};

use super::batch::Sink;
use super::source;
use crate::cluster::Cluster;
use crate::cluster::pods::{FAILED_MOUNT, TaskPod};
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::jobs::life::{Observation, Seen};
use crate::jobs::model::observed;

const RETRY: Duration = Duration::from_millis(500);

/// Follows the pods of all jobs. After a restart or a 410 the list is compared with the table: pods that the table has and
/// the list has not are gone. That is told before what the list has, so that a pod that took another's place is not taken
/// for a second one.
pub(super) async fn follow(db: Db, cluster: Cluster, sink: Sink) {
    let mut events = pin!(source::events::<Pod>(&cluster, "Pod").await);
    let (mut expected, mut listed) = (HashMap::new(), Vec::new());
    while let Some(event) = events.next().await {
        let told: Vec<TaskPod> = match event {
            Event::Init => {
                (expected, listed) = (in_cluster(&db).await, Vec::new());
                Vec::new()
            }
            Event::InitApply(pod) => {
                if let Some(pod) = TaskPod::read(&pod) {
                    expected.remove(pod.uid.as_deref().unwrap_or_default());
                    listed.push(TaskPod { listed: true, ..pod });
                }
                Vec::new()
            }
            Event::InitDone => {
                let gone = std::mem::take(&mut expected).into_values();
                gone.chain(std::mem::take(&mut listed)).collect()
            }
            Event::Apply(pod) => TaskPod::read(&pod).into_iter().collect(),
            Event::Delete(pod) => TaskPod::read(&pod).map(|pod| TaskPod { gone: true, ..pod }).into_iter().collect(),
        };
        for pod in told {
            if !sink.put(Observation { job: pod.job, seen: Seen::Pod(pod) }).await {
                return;
            }
        }
    }
}

/// Follows what kubelets say of volumes that cannot be mounted: the pod's status does not tell.
pub(super) async fn follow_mounts(cluster: Cluster, sink: Sink) {
    let selector = format!("reason={FAILED_MOUNT},involvedObject.kind=Pod");
    let mut events = pin!(source::events_where::<ClusterEvent>(&cluster, "Event", &selector).await);
    while let Some(event) = events.next().await {
        let (Event::Apply(event) | Event::InitApply(event)) = event else { continue };
        let Some(pod) = troubled(&cluster, &event).await else { continue };
        if !sink.put(Observation { job: pod.job, seen: Seen::Pod(pod) }).await {
            return;
        }
    }
}

/// The pod that an event is about, with what the event says, while it waits for nothing else.
async fn troubled(cluster: &Cluster, event: &ClusterEvent) -> Option<TaskPod> {
    let about = &event.involved_object;
    let pods = Api::<Pod>::namespaced(cluster.client(), about.namespace.as_deref()?);
    let found = match cluster.call(pods.get_opt(about.name.as_deref()?)).await {
        Ok(found) => found.filter(|pod| pod.uid() == about.uid)?,
        Err(error) => {
            tracing::debug!(%error, "a pod that an event is about could not be read");
            return None;
        }
    };
    let pod = TaskPod::read(&found)?;
    pod.is_being_created().then(|| TaskPod {
        troubled: true,
        reason: Some(FAILED_MOUNT.to_owned()),
        message: event.message.clone(),
        ..pod
    })
}

/// The pods that the table has and that have not ended, by their uid, each as one that is gone.
async fn in_cluster(db: &Db) -> HashMap<String, TaskPod> {
    loop {
        match read(db).await {
            Ok(expected) => return expected,
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "the watch waits for the database");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn read(db: &Db) -> Result<HashMap<String, TaskPod>, ApiError> {
    let pods = observed::pods_in_cluster(&mut *db.connection().await?).await?;
    Ok(pods.into_iter().filter_map(|pod| Some((pod.uid.clone()?, pod))).collect())
}
