//! The pretend Flash scheduler: one pod a task, placed by queue priority, gang and room, with preemption.

mod decide;
#[cfg(test)]
mod decide_tests;
mod failure;
mod observe;
mod pods;
mod refusals;
mod snapshot;
mod status;

use std::collections::{BTreeMap, HashSet};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::control::{gone_is_fine, is_race};
use super::informer::Change;
use super::recorder::{Note, Recorder};
use super::speed::Speed;
use cluster_resources::crd::{FlashJob, FlashJobStatus};
use decide::{Decision, decide};
pub(super) use observe::Caches;
use observe::{Assumed, Observed, View, Written, observe, queue_of, version_of};
pub use observe::{JOB_LABEL, TASK_LABEL};
use pods::{Hands, Outcome, try_pods};
use refusals::Refusals;
use snapshot::{Job, TaskState};
use status::{Verdict, finished_at, is_final, status};

/// The name that pods call it by.
const NAME: &str = "flash-scheduler";
/// Who is named as the source of events.
const COMPONENT: &str = NAME;
/// Jobs whose pods are tried at a time.
const TRIED_AT_ONCE: usize = 8;
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
    refusals: Refusals,
}

impl FlashScheduler {
    pub(super) fn new(client: Client, speed: Speed, recorder: Recorder, caches: Caches) -> Self {
        Self { client, speed, recorder, caches, assumed: Assumed::default(), refusals: Refusals::default() }
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
        let mut view = observe(&self.caches, &mut self.assumed);
        self.try_jobs(&mut view).await;
        let decision = decide(&view.snapshot);
        let mut again: Option<Duration> = None;
        let mut note = |outcome: Result<Option<Duration>, kube::Error>, job: &dyn std::fmt::Debug| {
            let wait = outcome.unwrap_or_else(|error| {
                if !is_race(&error) {
                    tracing::warn!(?job, %error, "flash scheduler: will try again");
                }
                Some(RETRY)
            });
            again = again.into_iter().chain(wait).min();
        };
        for job in &view.snapshot.jobs {
            let Some(observed) = view.open.get(&job.key) else { continue };
            note(self.carry_out(job, observed, &decision).await, &job.key);
        }
        for (job, status) in &view.spoiled {
            note(self.write_status(job, status).await.map(|()| None), &job.name_any());
        }
        let expiry = self.expire(&view).await;
        again.into_iter().chain(expiry).chain(self.refusals.next(Instant::now())).min()
    }

    /// Finds out whose pods the API server would take, before any of them takes room.
    async fn try_jobs(&mut self, view: &mut View) {
        let now = Instant::now();
        let snapshot = &view.snapshot;
        let due = snapshot.jobs.iter().filter_map(|job| {
            let observed = view.open.get(&job.key)?;
            let waiting = |(task, of): (usize, &snapshot::Task)| (of.state == TaskState::Waiting).then_some(task);
            let tasks: Vec<_> = job.tasks.iter().enumerate().filter_map(waiting).collect();
            let uid = observed.object.uid()?;
            let is_due =
                !tasks.is_empty() && snapshot.queues.contains_key(&job.queue) && self.refusals.is_due(&uid, now);
            is_due.then(|| (uid, observed.object.clone(), tasks))
        });
        let tried = stream::iter(due.collect::<Vec<_>>()).map(|(uid, job, tasks)| {
            let client = self.client.clone();
            async move { (uid, try_pods(&client, &job, &tasks).await) }
        });
        let outcomes: Vec<_> = tried.buffer_unordered(TRIED_AT_ONCE).collect().await;
        for (uid, outcome) in outcomes {
            match outcome {
                Ok(Outcome::Done) => self.refusals.pass(&uid),
                Ok(Outcome::Refused(why)) => self.refusals.refuse(&uid, why, now),
                // It is tried again with the next look; until then the pods may be made, or not, like any others.
                Err(error) => tracing::debug!(%error, "flash scheduler: pods not tried"),
            }
        }
        for job in &mut view.snapshot.jobs {
            let uid = view.open.get(&job.key).and_then(|observed| observed.object.uid()).unwrap_or_default();
            job.refused = self.refusals.of(&uid).is_some();
        }
        let living = view.open.values().filter_map(|observed| observed.object.metadata.uid.as_deref());
        self.refusals.retain(&living.collect::<HashSet<_>>());
    }

    /// Does what was decided about a job. Answers when to look again.
    async fn carry_out(
        &mut self,
        job: &Job,
        observed: &Observed,
        decision: &Decision,
    ) -> Result<Option<Duration>, kube::Error> {
        let uid = observed.object.uid().unwrap_or_default();
        let placements: Vec<_> = decision.place.iter().filter(|placement| placement.job == job.key).collect();
        let mut again = None;
        let verdict = if let Some(other) = decision.preempt.get(&job.key) {
            Verdict::PreemptedBy(other.clone())
        } else if let Some(why) = self.refusals.of(&uid) {
            Verdict::Rejected(why.to_owned())
        } else if let Some(wait) = decision.waits.get(&job.key) {
            Verdict::Waits(wait.clone())
        } else if placements.is_empty() {
            Verdict::Settled
        } else {
            match self.hands().place(observed, &placements).await? {
                Outcome::Done => Verdict::Placed(placements.len()),
                Outcome::Refused(why) => {
                    self.refusals.refuse(&uid, why.clone(), Instant::now());
                    // The room that it was given is the others'.
                    again = Some(Duration::ZERO);
                    Verdict::Rejected(why)
                }
            }
        };
        let next = status(&observed.status, job, &observed.tally, &verdict, Timestamp::now());
        // The word before the deed: who sees the pods go also finds out why.
        if next != observed.shown {
            self.write_status(&observed.object, &next).await?;
            self.tell(observed, &verdict, &next);
        }
        if matches!(verdict, Verdict::PreemptedBy(_)) || next.phase.is_some_and(is_final) {
            self.hands().stop(observed).await?;
        } else if matches!(verdict, Verdict::Rejected(_)) {
            self.hands().take_back(observed).await?;
        }
        Ok(again)
    }

    fn hands(&mut self) -> Hands<'_> {
        Hands { client: &self.client, recorder: &self.recorder, assumed: &mut self.assumed }
    }

    async fn write_status(&mut self, job: &FlashJob, status: &FlashJobStatus) -> Result<(), kube::Error> {
        let uid = job.uid().unwrap_or_default();
        let api = Api::<FlashJob>::namespaced(self.client.clone(), &job.namespace().unwrap_or_default());
        let mut patch = json!({"metadata": {"uid": uid}, "status": status});
        // No conditions are left out of the status, and what is left out of a patch stays.
        patch["status"]["conditions"] = json!(status.conditions);
        let now = api.patch_status(&job.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await?;
        self.assumed.statuses.insert(uid, Written { version: version_of(&now), status: status.clone() });
        Ok(())
    }

    fn tell(&self, observed: &Observed, verdict: &Verdict, next: &FlashJobStatus) {
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
