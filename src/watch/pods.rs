//! The watch of task pods: exit codes, signals, evictions, image pulls.

use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;

use super::batch::Sink;
use super::source;
use crate::cluster::Cluster;
use crate::cluster::pods::TaskPod;
use crate::jobs::life::{Observation, Seen};

/// Follows the pods of all jobs. A pod that vanishes changes nothing: what it said last is kept.
pub(super) async fn follow(cluster: Cluster, sink: Sink) {
    let mut events = pin!(source::events::<Pod>(&cluster, "Pod").await);
    while let Some(event) = events.next().await {
        let pod = match event {
            Event::Apply(pod) | Event::InitApply(pod) => TaskPod::read(&pod),
            Event::Delete(_) | Event::Init | Event::InitDone => None,
        };
        if let Some(pod) = pod
            && !sink.put(Observation { job: pod.job, seen: Seen::Pod(pod) }).await
        {
            return;
        }
    }
}
