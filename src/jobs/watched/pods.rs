//! What the pods of tasks report: exit codes, signals, evictions, image pulls, and which ones disappeared unobserved.

use std::collections::HashMap;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use k8s_openapi::api::core::v1::{Event, Pod};

use crate::cluster::Cluster;
use crate::cluster::names::JOB_LABEL;
use crate::cluster::pods::{FAILED_MOUNT, OwnerKind, TaskPod};
use crate::executor::ExecutorMode;
use crate::jobs::life::{Observation, Seen};
use crate::jobs::model::observed;
use crate::reconcile::{Selector, Watched};

fn observation((executor, pod): (ExecutorMode, TaskPod)) -> Observation {
    Observation { job: pod.job, executor, seen: Seen::Pod(pod) }
}

/// The pod of a task, and how jobs are run that have such pods.
fn read(pod: &Pod) -> Option<(ExecutorMode, TaskPod)> {
    let (kind, pod) = TaskPod::read_with_kind(pod)?;
    let executor = match kind {
        OwnerKind::FlashJob => ExecutorMode::Scheduler,
        OwnerKind::Job => ExecutorMode::Local,
    };
    Some((executor, pod))
}

/// The pods of all jobs. Pods that are in the table but not in a list no longer exist. They are reported before the
/// contents of the list, so that a replacement pod is not taken for a second one.
pub(super) enum Pods {}

impl Watched for Pods {
    type Object = Pod;
    type Observation = Observation;
    /// Its uid.
    type Key = String;
    /// As a pod that no longer exists.
    type Expected = (ExecutorMode, TaskPod);
    const KIND: &'static str = "Pod";
    const VANISHED_FIRST: bool = true;

    fn selector() -> Selector {
        Selector::Labels(JOB_LABEL.to_owned())
    }

    fn key(pod: &Pod) -> Option<String> {
        TaskPod::read(pod)?.uid
    }

    async fn seen(_: &Cluster, pod: Pod, listed: bool) -> Option<Observation> {
        read(&pod).map(|(executor, pod)| observation((executor, TaskPod { listed, ..pod })))
    }

    fn deleted(pod: Pod) -> Option<Observation> {
        read(&pod).map(|(executor, pod)| observation((executor, TaskPod { gone: true, ..pod })))
    }

    async fn expected(conn: &mut AsyncPgConnection) -> QueryResult<HashMap<String, Self::Expected>> {
        let pods = observed::pods_in_cluster(conn).await?;
        Ok(pods.into_iter().filter_map(|(executor, pod)| Some((pod.uid.clone()?, (executor, pod)))).collect())
    }

    async fn vanished(_: &Cluster, pod: Self::Expected) -> Option<Observation> {
        Some(observation(pod))
    }
}

/// Events of kubelets about volumes that cannot be mounted: the pod's status does not show it.
pub(super) enum FailedMounts {}

impl Watched for FailedMounts {
    type Object = Event;
    type Observation = Observation;
    type Key = ();
    type Expected = ();
    const KIND: &'static str = "Event";

    fn selector() -> Selector {
        Selector::Fields(format!("reason={FAILED_MOUNT},involvedObject.kind=Pod"))
    }

    fn key(_: &Event) -> Option<()> {
        None
    }

    async fn seen(cluster: &Cluster, event: Event, _: bool) -> Option<Observation> {
        troubled(cluster, event).await.map(observation)
    }

    fn deleted(_: Event) -> Option<Observation> {
        None
    }

    async fn expected(_: &mut AsyncPgConnection) -> QueryResult<HashMap<(), ()>> {
        Ok(HashMap::new())
    }

    async fn vanished(_: &Cluster, (): ()) -> Option<Observation> {
        None
    }
}

/// The pod that an event is about, with the event's message, if it is waiting for nothing else.
async fn troubled(cluster: &Cluster, event: Event) -> Option<(ExecutorMode, TaskPod)> {
    let about = event.involved_object;
    let found = match cluster.find::<Pod>(about.namespace.as_deref()?, about.name.as_deref()?).await {
        Ok(found) => found.filter(|pod| pod.metadata.uid == about.uid)?,
        Err(error) => {
            tracing::debug!(%error, "a pod that an event is about could not be read");
            return None;
        }
    };
    let (executor, pod) = read(&found)?;
    let troubled = pod.is_being_created().then(|| TaskPod {
        troubled: true,
        reason: Some(FAILED_MOUNT.to_owned()),
        message: event.message,
        ..pod
    });
    troubled.map(|pod| (executor, pod))
}
