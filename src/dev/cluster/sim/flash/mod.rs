//! The pretend Flash scheduler: one pod a task, placed by queue priority, gang and room, with preemption.

mod decide;
#[cfg(test)]
mod decide_tests;
mod observe;
mod snapshot;
mod status;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::control::{gone_is_fine, is_race};
use super::informer::Change;
use super::recorder::{Note, Recorder};
use super::speed::Speed;
use crate::cluster::crd::FlashJob;
use decide::{Decision, Placement, decide};
pub(super) use observe::Caches;
use observe::{Assumed, Observed, View, observe, queue_of};
pub use observe::{JOB_LABEL, TASK_LABEL};
use snapshot::{Job, JobKey};
use status::{Verdict, finished_at, is_final, status};

/// Who is named as the source of events.
const COMPONENT: &str = "flash-scheduler";
/// Changes that come within this time are looked at together.
const SETTLE: Duration = Duration::from_millis(10);
/// After an error everything is looked at again.
const RETRY: Duration = Duration::from_secs(1);

/// The scheduler.
pub(super) struct FlashScheduler {
    client: Client,
    speed: Speed,
    recorder: Recorder,
    caches: Caches,
    assumed: Assumed,
}

impl FlashScheduler {
    pub(super) fn new(client: Client, speed: Speed, recorder: Recorder, caches: Caches) -> Self {
        Self { client, speed, recorder, caches, assumed: Assumed::default() }
    }

    /// Schedules until `cancel` says so.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        let pods = self.caches.pods.changes().map(|change| match change {
            Change::One(pod) => Some(pod),
            Change::All => None,
        });
        let mut changes = pin!(stream::select(
            stream::select(pods, self.caches.jobs.changes().map(|_| None)),
            stream::select(self.caches.queues.changes().map(|_| None), self.caches.nodes.changes().map(|_| None)),
        ));
        let caches = self.caches.clone();
        let all_known = async {
            caches.pods.ready().await
                && caches.nodes.ready().await
                && caches.queues.ready().await
                && caches.jobs.ready().await
        };
        if cancel.run_until_cancelled(all_known).await != Some(true) {
            return;
        }
        loop {
            let again = tokio::select! {
                () = cancel.cancelled() => return,
                again = self.schedule() => again,
            };
            let mut wait = again.unwrap_or(Duration::MAX);
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    change = changes.next() => match change {
                        Some(pod) => {
                            pod.iter().for_each(|pod| self.assumed.seen(pod));
                            wait = wait.min(SETTLE);
                        }
                        None => return,
                    },
                    () = tokio::time::sleep(wait) => break,
                }
            }
        }
    }

    /// Looks at everything once and answers when to look again even if nothing changes.
    async fn schedule(&mut self) -> Option<Duration> {
        let view = observe(&self.caches, &mut self.assumed);
        let decision = decide(&view.snapshot);
        let mut again: Option<Duration> = None;
        for job in &view.snapshot.jobs {
            let Some(observed) = view.open.get(&job.key) else { continue };
            match self.carry_out(job, observed, &decision).await {
                Ok(()) => {}
                Err(error) => {
                    if !is_race(&error) {
                        tracing::warn!(job = ?job.key, %error, "flash scheduler: will try again");
                    }
                    again = Some(RETRY);
                }
            }
        }
        let expiry = self.expire(&view).await;
        again.into_iter().chain(expiry).min()
    }

    async fn carry_out(&mut self, job: &Job, observed: &Observed, decision: &Decision) -> Result<(), kube::Error> {
        let placements: Vec<_> = decision.place.iter().filter(|placement| placement.job == job.key).collect();
        let verdict = if let Some(other) = decision.preempt.get(&job.key) {
            Verdict::PreemptedBy(other.clone())
        } else if let Some(wait) = decision.waits.get(&job.key) {
            Verdict::Waits(wait.clone())
        } else if placements.is_empty() {
            Verdict::Settled
        } else {
            self.place(observed, &placements).await?
        };
        let next = status(&observed.status, job, &observed.tally, &verdict, Timestamp::now());
        // The word before the deed: who sees the pods go also finds out why.
        if next != observed.status {
            self.write_status(observed, &job.key, next.clone()).await?;
            self.tell(observed, &verdict, &next);
        }
        if matches!(verdict, Verdict::PreemptedBy(_)) || next.phase.is_some_and(is_final) {
            self.stop(observed).await?;
        }
        Ok(())
    }

    /// Makes the pods, each with its node already chosen: a pod of ours never waits half-placed.
    async fn place(&mut self, observed: &Observed, placements: &[&Placement]) -> Result<Verdict, kube::Error> {
        let namespace = observed.object.namespace().unwrap_or_default();
        let api = Api::<Pod>::namespaced(self.client.clone(), &namespace);
        let mut made = 0;
        for placement in placements {
            let Some(pod) = task_pod(&observed.object, placement) else { continue };
            match api.create(&PostParams::default(), &pod).await {
                Ok(pod) => {
                    let message = format!("Successfully assigned {namespace}/{} to {}", pod.name_any(), placement.node);
                    self.recorder.tell(&pod, COMPONENT, Note::normal("Scheduled", message));
                    self.assumed.made.insert(pod.uid().unwrap_or_default(), Arc::new(pod));
                    made += 1;
                }
                // The cache is behind: the pod is there, made a moment ago.
                Err(kube::Error::Api(refusal)) if refusal.reason == "AlreadyExists" => made += 1,
                Err(kube::Error::Api(refusal)) if matches!(refusal.code, 400 | 403 | 422) => {
                    return Ok(Verdict::Rejected(refusal.message.clone()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Verdict::Placed(made))
    }

    /// Deletes the pods of a job that have not ended.
    async fn stop(&mut self, observed: &Observed) -> Result<(), kube::Error> {
        let namespace = observed.object.namespace().unwrap_or_default();
        let api = Api::<Pod>::namespaced(self.client.clone(), &namespace);
        for pod in observed.pods.values().filter(|pod| !super::kubelet::is_finished(pod)) {
            let Some(uid) = pod.uid() else { continue };
            if pod.metadata.deletion_timestamp.is_some() || self.assumed.deleted.contains(&uid) {
                continue;
            }
            let this_pod = Preconditions { uid: Some(uid.clone()), resource_version: None };
            let params = DeleteParams { preconditions: Some(this_pod), ..DeleteParams::default() };
            gone_is_fine(api.delete(&pod.name_any(), &params).await)?;
            self.assumed.deleted.insert(uid);
        }
        Ok(())
    }

    async fn write_status(
        &mut self,
        observed: &Observed,
        key: &JobKey,
        status: crate::cluster::crd::FlashJobStatus,
    ) -> Result<(), kube::Error> {
        let uid = observed.object.uid().unwrap_or_default();
        let api = Api::<FlashJob>::namespaced(self.client.clone(), &key.namespace);
        let patch = json!({"metadata": {"uid": uid}, "status": status});
        api.patch_status(&key.name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        self.assumed.statuses.insert(uid, status);
        Ok(())
    }

    fn tell(&self, observed: &Observed, verdict: &Verdict, next: &crate::cluster::crd::FlashJobStatus) {
        let note = match verdict {
            Verdict::Settled => return,
            Verdict::Placed(count) => {
                Note::normal("Scheduled", format!("{count} tasks placed; active {}", next.active))
            }
            Verdict::Waits(wait) => Note::warning("FailedScheduling", wait.message()),
            Verdict::Rejected(why) => Note::warning("PodRejected", why.clone()),
            Verdict::PreemptedBy(other) => {
                Note::warning("Preempted", format!("Preempted by {}/{}", other.namespace, other.name))
            }
        };
        self.recorder.tell(observed.object.as_ref(), COMPONENT, note);
    }

    /// Deletes finished jobs whose queue keeps them no longer; answers when the next one is due.
    async fn expire(&self, view: &View) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        let kept: BTreeMap<_, _> =
            self.caches.queues.all().iter().map(|queue| (queue.name_any(), queue.spec.ttl_seconds)).collect();
        for (job, status) in &view.finished {
            let ttl = kept.get(&queue_of(job)).and_then(|seconds| u64::try_from(*seconds).ok()).filter(|ttl| *ttl > 0);
            let (Some(ttl), Some(finished)) = (ttl, finished_at(status)) else { continue };
            let age: Duration = Timestamp::now().duration_since(finished).try_into().unwrap_or_default();
            let left = self.speed.scale(Duration::from_secs(ttl)).saturating_sub(age);
            if left.is_zero() {
                let api = Api::<FlashJob>::namespaced(self.client.clone(), &job.namespace().unwrap_or_default());
                if let Err(error) = gone_is_fine(api.delete(&job.name_any(), &DeleteParams::background()).await) {
                    tracing::warn!(%error, "flash scheduler: finished job not removed");
                    next = Some(next.unwrap_or(RETRY).min(RETRY));
                }
            } else {
                next = Some(next.unwrap_or(left).min(left));
            }
        }
        next
    }
}

/// The pod of one task. A template that does not say how it restarts is a batch task and does not.
fn task_pod(job: &FlashJob, placement: &Placement) -> Option<Pod> {
    let template = job.spec.tasks.get(placement.task)?;
    let metadata = template.metadata.clone().unwrap_or_default();
    let mut labels = metadata.labels.unwrap_or_default();
    labels.insert(JOB_LABEL.to_owned(), job.name_any());
    labels.insert(TASK_LABEL.to_owned(), placement.task.to_string());
    let mut spec = template.spec.clone()?;
    spec.restart_policy.get_or_insert_with(|| "Never".to_owned());
    spec.node_name = Some(placement.node.clone());
    Some(Pod {
        metadata: ObjectMeta {
            name: Some(format!("{}-{}", job.name_any(), placement.task)),
            namespace: job.namespace(),
            labels: Some(labels),
            annotations: metadata.annotations,
            owner_references: job.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    })
}
