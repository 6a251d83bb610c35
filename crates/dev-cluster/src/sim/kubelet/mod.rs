//! The pretend kubelet: takes up pods bound to our nodes and shows what a real one would show of them.

mod forward;
mod holds;
mod mounts;
mod references;
pub mod script;
mod served;
mod server;
mod status;
mod timeline;

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::control::gone_is_fine;
use super::informer::{Change, Informer};
use super::recorder::{Note, Recorder};
use super::speed::Speed;
use references::Hold;
use script::Role;
pub(super) use served::Machine;
use served::Served;
pub use server::ServeError;
pub(super) use server::serve;
pub use status::is_finished;
use status::{Taken, status_at};
use timeline::{Exit, STOPPING, Timeline, is_sidecar};

/// A pod as our kubelet knows it.
#[derive(Debug)]
struct Life {
    pod: Pod,
    taken: Taken,
    speed: Speed,
    /// When its containers were stopped because it is being deleted.
    stopped: watch::Sender<Option<Duration>>,
    /// Up to where its events have been told.
    told: Mutex<Option<Duration>>,
    /// What it waits for, or waited for; `None` before that was looked at.
    holds: Mutex<Option<Vec<Hold>>>,
    /// Those of its containers that really run.
    served: Mutex<Served>,
}

impl Life {
    fn elapsed(&self) -> Duration {
        Timestamp::now().duration_since(self.taken.start).try_into().unwrap_or_default()
    }

    fn timeline(&self, until: Duration) -> Timeline {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        Timeline::of(&self.pod, self.speed, until, holds.as_deref().unwrap_or_default(), &self.attempts())
    }
}

/// What every reconciliation needs.
pub(super) struct Kubelet {
    client: Client,
    speed: Speed,
    nodes: BTreeSet<String>,
    recorder: Recorder,
    lives: Mutex<HashMap<(String, String), Arc<Life>>>,
    machine: Machine,
}

impl Kubelet {
    /// A kubelet for `nodes`.
    pub(super) fn new(
        client: Client,
        speed: Speed,
        nodes: BTreeSet<String>,
        recorder: Recorder,
        machine: Machine,
    ) -> Self {
        Self { client, speed, nodes, recorder, lives: Mutex::default(), machine }
    }

    fn find(&self, namespace: &str, pod: &str) -> Option<Arc<Life>> {
        let lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        lives.get(&(namespace.to_owned(), pod.to_owned())).cloned()
    }

    fn forget(&self, pod: &Pod) {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (pod.namespace().unwrap_or_default(), pod.name_any());
        if lives.get(&key).is_some_and(|life| life.pod.uid() == pod.uid())
            && let Some(life) = lives.remove(&key)
        {
            life.stop_serving();
        }
    }

    fn known(&self) -> Vec<Arc<Life>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The life of this very pod, begun now unless its status says that it began before.
    fn take_up(&self, pod: &Pod) -> Arc<Life> {
        let key = (pod.namespace().unwrap_or_default(), pod.name_any());
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(life) = lives.get(&key).filter(|life| life.pod.uid() == pod.uid()) {
            return life.clone();
        }
        let status = pod.status.as_ref();
        let before = status.and_then(|status| status.start_time.as_ref()).map(|time| time.0);
        let life = Arc::new(Life {
            pod: pod.clone(),
            taken: Taken {
                start: before.unwrap_or_else(Timestamp::now),
                host_ip: "127.0.0.1".to_owned(),
                pod_ip: status.and_then(|status| status.pod_ip.clone()).unwrap_or_else(|| pod_ip(&pod.metadata)),
            },
            speed: self.speed,
            stopped: watch::Sender::new(None),
            told: Mutex::new(None),
            holds: Mutex::new(None),
            served: Mutex::default(),
        });
        if before.is_some() {
            // What happened before we started was told by who saw it.
            *life.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(life.elapsed());
        }
        lives.insert(key, life.clone());
        life
    }

    fn tell(&self, life: &Life, timeline: &Timeline, until: Duration) {
        let mut told = life.told.lock().unwrap_or_else(PoisonError::into_inner);
        for note in notes(timeline, *told, until) {
            self.recorder.tell(&life.pod, "kubelet", note);
        }
        *told = (*told).max(Some(until));
    }
}

/// Forgets pods that went without a farewell: deleted by force, or with their namespace.
pub(super) async fn forget_gone(kubelet: Arc<Kubelet>, pods: Informer<Pod>, cancel: CancellationToken) {
    let store = pods.store();
    let is_gone = |pod: &Pod| store.get(&ObjectRef::from_obj(pod)).is_none_or(|known| known.uid() != pod.uid());
    let mut changes = std::pin::pin!(pods.changes().take_until(cancel.cancelled()));
    while let Some(change) = changes.next().await {
        match change {
            Change::One(pod) if is_gone(&pod) => kubelet.forget(&pod),
            Change::One(_) => {}
            Change::All => {
                for life in kubelet.known().into_iter().filter(|life| is_gone(&life.pod)) {
                    kubelet.forget(&life.pod);
                }
            }
        }
    }
}

/// An address that follows from the pod's uid; nothing listens there.
fn pod_ip(metadata: &ObjectMeta) -> String {
    let mut hasher = DefaultHasher::new();
    metadata.uid.hash(&mut hasher);
    let [.., a, b] = hasher.finish().to_be_bytes();
    format!("10.244.{a}.{}", b.max(1))
}

/// Brings one pod's status up to the moment.
pub(super) async fn reconcile(pod: Arc<Pod>, kubelet: Arc<Kubelet>) -> Result<Action, kube::Error> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
    if !node.is_some_and(|node| kubelet.nodes.contains(node)) {
        return Ok(Action::await_change());
    }
    let life = kubelet.take_up(&pod);
    if pod.metadata.deletion_timestamp.is_some() {
        return delete(&pod, &life, &kubelet).await;
    }
    if is_finished(&pod) {
        life.stop_serving();
        return Ok(Action::await_change());
    }
    let held = life.look_at_references(&pod, &kubelet).await?;
    let serve_again = life.serve(&kubelet).await?;
    let elapsed = life.elapsed();
    let timeline = life.timeline(elapsed);
    if served::is_over(&timeline, elapsed) {
        life.stop_serving();
    }
    kubelet.tell(&life, &timeline, elapsed);
    write_status(&pod, &life, &timeline, elapsed, &kubelet).await?;
    let next = timeline.next_change(elapsed).map(|next| next.saturating_sub(life.elapsed()));
    let look_again = held.then(|| kubelet.speed.scale(holds::LOOK).max(holds::SHORTEST_LOOK));
    Ok(match next.into_iter().chain(look_again).chain(serve_again).min() {
        Some(wait) => Action::requeue(wait),
        None => Action::await_change(),
    })
}

async fn write_status(
    pod: &Pod,
    life: &Life,
    timeline: &Timeline,
    elapsed: Duration,
    kubelet: &Kubelet,
) -> Result<(), kube::Error> {
    let mut status = status_at(timeline, &life.taken, elapsed, *life.stopped.borrow());
    // The API server decides it when the pod is made, and lets nobody change it.
    status.qos_class = pod.status.as_ref().and_then(|status| status.qos_class.clone());
    // Conditions that others set stay, such as why the pod is evicted.
    let ours = status.conditions.get_or_insert_default();
    for condition in pod.status.iter().flat_map(|status| status.conditions.iter().flatten()) {
        if ours.iter().all(|known| known.type_ != condition.type_) {
            ours.push(condition.clone());
        }
    }
    let written = serde_json::to_value(&status).map_err(kube::Error::SerdeError)?;
    let known = serde_json::to_value(&pod.status).map_err(kube::Error::SerdeError)?;
    if covers(&known, &written) {
        return Ok(());
    }
    let patch = json!({"metadata": {"uid": pod.uid()}, "status": written});
    pods(kubelet, pod).patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

/// Whether writing `wanted` over `known` would change nothing.
fn covers(known: &serde_json::Value, wanted: &serde_json::Value) -> bool {
    match (known, wanted) {
        (serde_json::Value::Object(known), serde_json::Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| known.get(key).is_some_and(|known| covers(known, wanted)))
        }
        (serde_json::Value::Array(known), serde_json::Value::Array(wanted)) => {
            known.len() == wanted.len() && known.iter().zip(wanted).all(|(known, wanted)| covers(known, wanted))
        }
        _ => known == wanted,
    }
}

fn pods(kubelet: &Kubelet, pod: &Pod) -> Api<Pod> {
    Api::namespaced(kubelet.client.clone(), &pod.namespace().unwrap_or_default())
}

/// Stops the containers of a pod that is being deleted, shows that they ended, and lets the pod go.
async fn delete(pod: &Pod, life: &Life, kubelet: &Kubelet) -> Result<Action, kube::Error> {
    if !is_finished(pod) {
        let elapsed = life.elapsed();
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0).unsigned_abs();
        let stopping = kubelet.speed.scale(STOPPING.min(Duration::from_secs(grace)));
        let mut at = elapsed + stopping;
        let first = life.stopped.send_if_modified(|stopped| match stopped {
            Some(stopped) => {
                at = *stopped;
                false
            }
            None => {
                *stopped = Some(at);
                true
            }
        });
        if first {
            let spec = life.pod.spec.iter();
            let sidecars =
                spec.clone().flat_map(|spec| spec.init_containers.iter().flatten().filter(|it| is_sidecar(it)));
            for container in spec.flat_map(|spec| &spec.containers).chain(sidecars) {
                let message = format!("Stopping container {}", container.name);
                kubelet.recorder.tell(&life.pod, "kubelet", Note::normal("Killing", message));
            }
        }
        if elapsed < at {
            return Ok(Action::requeue(at - elapsed));
        }
        life.stop_serving();
        gone_is_fine(write_status(pod, life, &life.timeline(elapsed), elapsed, kubelet).await)?;
    }
    let this_pod = Preconditions { uid: pod.uid(), resource_version: None };
    let now = DeleteParams { preconditions: Some(this_pod), ..DeleteParams::default() }.grace_period(0);
    gone_is_fine(pods(kubelet, pod).delete(&pod.name_any(), &now).await)?;
    // A pod with finalizers is still there, ended; the rest is for whoever put them.
    if pod.finalizers().is_empty() {
        kubelet.forget(pod);
    }
    Ok(Action::await_change())
}

/// What happened after `since` and not after `until`, told as a real kubelet tells it.
fn notes(timeline: &Timeline, since: Option<Duration>, until: Duration) -> Vec<Note> {
    let fresh = |at: Duration| at <= until && since.is_none_or(|since| at > since);
    let end = timeline.cut.as_ref().map_or(Duration::MAX, |cut| cut.at);
    let mut notes = Vec::new();
    if since.is_none() {
        notes.extend(timeline.bad.iter().map(|bad| Note::warning("BadAnnotation", bad.to_string())));
    }
    for course in &timeline.containers {
        let Some(pull_at) = course.pull_at else { continue };
        if fresh(pull_at) && pull_at < end {
            notes.push(Note::normal("Pulling", format!("Pulling image {:?}", course.image)));
        }
        if fresh(course.pulled_at) && course.pulled_at < end {
            notes.push(match &course.pull_error {
                None => Note::normal("Pulled", format!("Successfully pulled image {:?}", course.image)),
                Some((why, _)) => Note::warning("Failed", format!("Failed to pull image {:?}: {why}", course.image)),
            });
        }
        if let Some((_, backs_off_at)) = &course.pull_error
            && fresh(*backs_off_at)
            && *backs_off_at < end
        {
            notes.push(Note::warning("BackOff", format!("Back-off pulling image {:?}", course.image)));
        }
        for run in course.runs.iter().filter(|run| run.start < end) {
            if fresh(run.start) && run.exit == Exit::NotStarted {
                let why = course.start_error.as_deref().unwrap_or_default();
                notes.push(Note::warning("Failed", format!("Error: {why}")));
            } else if fresh(run.start) {
                notes.push(Note::normal("Created", format!("Created container: {}", course.name)));
                notes.push(Note::normal("Started", format!("Started container {}", course.name)));
            }
            if let Some(ended) = run.end.filter(|at| run.restarts && fresh(*at) && *at < end) {
                tracing::trace!(container = course.name, ?ended, "restarts");
                notes.push(Note::warning("BackOff", format!("Back-off restarting failed container {}", course.name)));
            }
        }
    }
    if let Some(retire) = timeline.retire.filter(|retire| fresh(*retire) && *retire < end) {
        let sidecars = timeline.containers.iter().filter(|course| course.role == Role::Sidecar);
        let stopped =
            sidecars.filter(|course| course.runs.last().is_some_and(|run| run.end.is_none_or(|end| end > retire)));
        notes.extend(stopped.map(|course| Note::normal("Killing", format!("Stopping container {}", course.name))));
    }
    if let Some(cut) = timeline.cut.as_ref().filter(|cut| fresh(cut.at)) {
        notes.push(Note::warning(cut.reason, cut.message.clone()));
    }
    notes
}

#[cfg(test)]
#[path = "sidecar_tests.rs"]
mod sidecar_tests;
