//! The pretend default scheduler: binds pods to the nodes that have room for them, the most important pod first.
//!
//! It preempts nobody, and of affinities it knows those to nodes that are required.

mod claims;
pub(super) mod fit;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::control::is_race;
use super::informer::Informer;
use super::kubelet::is_finished;
use super::recorder::{Note, Recorder};
use super::resources::Resources;
use claims::Readiness;
use fit::{Place, choose};

/// The name that pods call it by, and the source of its events.
const NAME: &str = "default-scheduler";
/// Changes that come within this time are looked at together.
const SETTLE: Duration = Duration::from_millis(10);
/// After an error everything is looked at again.
const RETRY: Duration = Duration::from_secs(1);

/// The caches.
#[derive(Clone)]
pub(super) struct Caches {
    pub(super) pods: Informer<Pod>,
    pub(super) nodes: Informer<Node>,
    pub(super) claims: Informer<PersistentVolumeClaim>,
    pub(super) classes: Informer<StorageClass>,
}

/// The scheduler.
pub(super) struct DefaultScheduler {
    client: Client,
    recorder: Recorder,
    caches: Caches,
    /// Where pods were bound to that the cache still shows without a node, by uid.
    bound: HashMap<String, String>,
}

impl DefaultScheduler {
    pub(super) fn new(client: Client, recorder: Recorder, caches: Caches) -> Self {
        Self { client, recorder, caches, bound: HashMap::new() }
    }

    /// Schedules until `cancel` says so.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        let caches = self.caches.clone();
        let mut changes = pin!(stream::select(
            stream::select(caches.pods.changes().map(drop), caches.nodes.changes().map(drop)),
            stream::select(caches.claims.changes().map(drop), caches.classes.changes().map(drop)),
        ));
        let all_known = async {
            caches.pods.ready().await
                && caches.nodes.ready().await
                && caches.claims.ready().await
                && caches.classes.ready().await
        };
        if cancel.run_until_cancelled(all_known).await != Some(true) {
            return;
        }
        loop {
            let Some(again) = cancel.run_until_cancelled(self.schedule()).await else { return };
            let mut wait = again.unwrap_or(Duration::MAX);
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    change = changes.next() => match change {
                        Some(()) => wait = wait.min(SETTLE),
                        None => return,
                    },
                    () = tokio::time::sleep(wait) => break,
                }
            }
        }
    }

    /// Looks at every pod that waits, and answers when to look again even if nothing changes.
    async fn schedule(&mut self) -> Option<Duration> {
        let pods = self.caches.pods.all();
        let mut waiting: Vec<_> = pods.iter().filter(|pod| is_ours(pod)).collect();
        self.bound.retain(|uid, _| waiting.iter().any(|pod| pod.metadata.uid.as_ref() == Some(uid)));
        waiting.retain(|pod| !pod.metadata.uid.as_ref().is_some_and(|uid| self.bound.contains_key(uid)));
        if waiting.is_empty() {
            return None;
        }
        waiting.sort_by_key(|pod| {
            let priority = pod.spec.as_ref().and_then(|spec| spec.priority).unwrap_or(0);
            (Reverse(priority), pod.creation_timestamp(), pod.name_any())
        });
        let mut places = self.places(&pods);
        let mut again = None;
        for pod in waiting {
            match self.consider(pod, &mut places).await {
                Ok(()) => {}
                Err(error) => {
                    if !is_race(&error) {
                        tracing::warn!(pod = pod.name_any(), %error, "default scheduler: will try again");
                    }
                    again = Some(RETRY);
                }
            }
        }
        again
    }

    /// The nodes, with what all pods leave of their room.
    fn places(&self, pods: &[Arc<Pod>]) -> BTreeMap<String, Place> {
        let place = |node: Arc<Node>| (node.name_any(), Place { free: Resources::of_node(&node), node });
        let mut places: BTreeMap<_, _> = self.caches.nodes.all().into_iter().map(place).collect();
        for pod in pods.iter().filter(|pod| !is_finished(pod)) {
            let bound = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
            let node = bound.or_else(|| self.bound.get(pod.metadata.uid.as_ref()?));
            if let Some(place) = node.and_then(|node| places.get_mut(node)) {
                place.free -= Resources::of_pod(pod);
            }
        }
        places
    }

    async fn consider(&mut self, pod: &Pod, places: &mut BTreeMap<String, Place>) -> Result<(), kube::Error> {
        let Some(spec) = &pod.spec else { return Ok(()) };
        let readiness = claims::of_pod(pod, &self.caches);
        if let Readiness::Missing(why) = &readiness {
            return self.refuse(pod, why).await;
        }
        let node = match choose(spec, places) {
            Ok(node) => node,
            Err(why) => return self.refuse(pod, &why).await,
        };
        match readiness {
            Readiness::Unbound => {
                let why = "pod has unbound immediate PersistentVolumeClaims";
                self.refuse(pod, &format!("0/{} nodes are available: {why}.", places.len())).await
            }
            // Their volumes are made for the chosen node first; the pod's turn comes when they are bound.
            Readiness::WaitsForNode(claims) => claims::select_node(&self.client, pod, &claims, &node).await,
            Readiness::Ready | Readiness::Missing(_) => {
                self.bind(pod, &node).await?;
                if let Some(place) = places.get_mut(&node) {
                    place.free -= Resources::of_spec(spec);
                }
                Ok(())
            }
        }
    }

    async fn bind(&mut self, pod: &Pod, node: &str) -> Result<(), kube::Error> {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": pod.uid()},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        let api = Api::<Pod>::namespaced(self.client.clone(), &namespace);
        let _: serde_json::Value = api.create_subresource("binding", &name, &PostParams::default(), &binding).await?;
        self.bound.insert(pod.uid().unwrap_or_default(), node.to_owned());
        let message = format!("Successfully assigned {namespace}/{name} to {node}");
        self.recorder.tell(pod, NAME, Note::normal("Scheduled", message));
        Ok(())
    }

    /// Says on the pod why it waits, unless it says so already.
    async fn refuse(&self, pod: &Pod, why: &str) -> Result<(), kube::Error> {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let known = conditions.iter().find(|condition| condition.type_ == "PodScheduled");
        if known.is_some_and(|known| known.status == "False" && known.message.as_deref() == Some(why)) {
            return Ok(());
        }
        let since = known.filter(|known| known.status == "False").and_then(|known| known.last_transition_time.as_ref());
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why,
            "lastProbeTime": null, "lastTransitionTime": since.map_or_else(Timestamp::now, |since| since.0),
        });
        let patch = json!({"metadata": {"uid": pod.uid()}, "status": {"conditions": [condition]}});
        let api = Api::<Pod>::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
        api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(&patch)).await?;
        self.recorder.tell(pod, NAME, Note::warning("FailedScheduling", why));
        Ok(())
    }
}

/// Whether a pod waits for this scheduler to place it.
fn is_ours(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    spec.scheduler_name.as_deref().unwrap_or(NAME) == NAME
        && spec.node_name.is_none()
        && spec.scheduling_gates.as_ref().is_none_or(Vec::is_empty)
        && pod.metadata.deletion_timestamp.is_none()
        && !is_finished(pod)
}
