//! The submit worker: creates accepted jobs in the cluster, and removes those that were cancelled or exceeded their
//! time.
//!
//! Every replica has one. A claim is a lease on the row, not a transaction, so that the job of a worker that dies goes
//! to the next one, and nothing is done twice in the cluster: objects are named after their job.

use std::sync::Arc;
use std::time::Duration;

use backon::BackoffBuilder;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use rand::RngExt;
use tokio::sync::Semaphore;

use super::event::JobEvent as NewEvent;
use super::life::{ObjectRef, reason};
use super::model::due::{self, Due};
use super::model::manifest::Manifest;
use super::model::observed::{self, Life};
use super::phase::JobPhase;
use crate::cluster::ClusterError;
use crate::cluster::crd::FlashJob;
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::executor::{Created, Deleted, Executors, Objection, Part, Target, Wake};
use crate::projects::model::schedule;
use crate::queues::model::Pause;
use crate::tasks::{Duty, Tasks, pauses};

/// Maximum number of jobs processed at a time.
const AT_ONCE: usize = 16;
/// Timeout of the calls to the cluster for one job before it is retried later, in addition to the few seconds of its
/// dry run.
const CALLS: Duration = Duration::from_secs(20);
/// Longer than the calls and the writes after them, so that a claim outlives its work; a job whose worker died waits at
/// most this long.
const LEASE_SECONDS: i64 = 35;
/// Grace period for work in progress when the server stops, so that the next worker need not wait for the claims to
/// expire.
const GRACE: Duration = Duration::from_secs(2);
/// Interval of looking for work without a signal: what a crash left behind, deadlines, retries.
const LOOK: Duration = Duration::from_millis(500);
/// When to check again on an object that is being deleted.
const DELETING: chrono::Duration = chrono::Duration::seconds(5);
/// When to look again at a schedule or a pause at the latest: a schedule may have been changed while a job was being put off.
const CLOSED: chrono::Duration = chrono::Duration::minutes(5);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Starts the worker. Whoever commits work for it signals `wake`.
pub fn spawn(tasks: &Tasks, db: Db, executors: Executors, wake: Wake) {
    let (worker, of_jobs) = (Worker { db, executors, wake }, tasks.clone());
    tasks.supervise("submit worker", Duty::Serving, move || run(worker.clone(), of_jobs.clone()));
}

/// Claims due jobs while there are free slots. Each job is a task of its own, so that its connection and locks never
/// wait for this loop.
async fn run(worker: Worker, tasks: Tasks) {
    let hands = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let free = hands.available_permits();
        // Only this loop takes slots, so those that were counted are still free.
        if let Ok(mut free_hands) = Arc::clone(&hands).try_acquire_many_owned(free as u32) {
            for due in worker.claim_for(free).await {
                let (worker, hand) = (worker.clone(), free_hands.split(1));
                tasks.spawn_with_grace("submit", GRACE, async move {
                    worker.handle(due).await;
                    drop(hand);
                    // There may be more to do, also for this job.
                    worker.wake.now();
                });
            }
        }
        worker.wake.within(LOOK).await;
    }
}

#[derive(Clone)]
struct Worker {
    db: Db,
    executors: Executors,
    wake: Wake,
}

/// Does what a due job needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Create,
    CancelUnsent,
    StopRest,
    Delete,
    CheckDeadline,
}

fn need(due: &Due) -> Need {
    match (due.phase, due.cancel_requested_at) {
        (JobPhase::Submitted, None) => Need::Create,
        (JobPhase::Submitted, Some(_)) => Need::CancelUnsent,
        // The object of a failed attempt is deleted before the next one is created.
        (JobPhase::Queued | JobPhase::Running, None) if due.is_restarting() => Need::Delete,
        (JobPhase::Queued | JobPhase::Running, None) if due.object_uid.is_none() => Need::Create,
        // One of several objects is missing: its creation was interrupted.
        (JobPhase::Queued | JobPhase::Running, None) if due.parts.are_incomplete() => Need::Create,
        (JobPhase::Queued | JobPhase::Running, None) => Need::CheckDeadline,
        // One part has failed; the others still run.
        (JobPhase::Failed, _) if due.parts.are_unfinished() => Need::StopRest,
        (JobPhase::Queued | JobPhase::Running, Some(_))
        | (JobPhase::Succeeded | JobPhase::Failed | JobPhase::Cancelled, _) => Need::Delete,
    }
}

impl Worker {
    /// The due jobs, at most `hands`.
    async fn claim_for(&self, hands: usize) -> Vec<Due> {
        if hands == 0 {
            return Vec::new();
        }
        self.claim(hands).await.unwrap_or_else(|error| {
            tracing::warn!(error = %error_chain(&error), "the submit worker cannot look for work");
            Vec::new()
        })
    }

    async fn claim(&self, hands: usize) -> Result<Vec<Due>, ApiError> {
        let limit = i64::try_from(hands).unwrap_or(i64::MAX);
        Ok(due::claim(&mut *self.db.connection().await?, limit, LEASE_SECONDS).await?)
    }

    async fn handle(&self, due: Due) {
        let done = match need(&due) {
            Need::Create => self.create(&due).await,
            Need::CancelUnsent => {
                let sent = due.submit_attempts > 1;
                self.change(&due, |life, now| life.cancelled_unsent(sent, now)).await.map(drop)
            }
            Need::StopRest => self.stop_rest(&due).await,
            Need::Delete => self.delete(&due).await,
            Need::CheckDeadline => {
                let check = |life: &mut Life, now| {
                    life.next_attempt_at = life.due(now);
                    let over = life.overdue(now);
                    if over.is_empty() { life.give_up(now) } else { over }
                };
                self.change(&due, check).await.map(drop)
            }
        };
        if let Err(error) = done {
            // The lease expires and the job is retried, by this worker or another.
            tracing::warn!(job = %due.id, error = %error_chain(&error), "the outcome could not be written");
        }
    }

    /// Why a job that was never sent does not start yet, and when it does.
    async fn closed(&self, due: &Due) -> Result<Option<(String, DateTime<Utc>)>, ApiError> {
        if due.phase != JobPhase::Submitted {
            return Ok(None);
        }
        let (now, found) = (Utc::now(), schedule::find(&mut *self.db.connection().await?, due.project_id).await?);
        let week = found.map(|schedule| schedule.week).filter(|week| !week.is_open(now));
        Ok(week.map(|week| (week.closed(now), week.opens_at(now).unwrap_or(now + CLOSED).min(now + CLOSED))))
    }

    /// Holds back a job that was never sent, if its queue is paused.
    async fn is_held(&self, due: &Due) -> Result<bool, ApiError> {
        if !due.is_paused || due.phase != JobPhase::Submitted {
            return Ok(false);
        }
        let now = Utc::now();
        let hold = |life: &mut Life, pause: &Pause| life.queue_paused(pause.why(), now, now + CLOSED);
        Ok(due::hold_back(&mut *self.db.connection().await?, due, hold).await?)
    }

    async fn create(&self, due: &Due) -> Result<(), ApiError> {
        if self.is_held(due).await? {
            return Ok(());
        }
        if let Some((why, opens)) = self.closed(due).await? {
            return self.change(due, |life, now| life.outside_schedule(why, now, opens)).await.map(drop);
        }
        // Equal tasks that the row stores once are expanded here, only for the duration of the calls.
        let outcome = match Manifest::from(due.kept.clone()).flash_job() {
            Ok(job) => self.send(due, &job).await,
            Err(malformed) => Err(ClusterError::Invalid(malformed.to_string().into())),
        };
        let label = if outcome.is_ok() { "created" } else { "failed" };
        metrics::counter!("platform_submits_total", "outcome" => label).increment(1);
        match outcome {
            Ok(created) => self.created(due, &created.uid).await,
            Err(ClusterError::Invalid(refusal)) => {
                self.change(due, |life, now| life.invalid(refusal.message, now)).await.map(drop)
            }
            Err(ClusterError::Denied(refusal)) => {
                let pause = pause(due.submit_attempts, rand::rng().random_range(0.5..1.0));
                self.change(due, |life, now| life.denied(refusal.message, now, now + pause)).await.map(drop)
            }
            Err(error) => self.put_off(due, why_not_now(&error), error).await,
        }
    }

    /// Creates the object, unless a dry run shows that the cluster would reject the pods: otherwise that would only
    /// appear in the scheduler's messages. If the dry run is not possible, the create shows the problem.
    async fn send(&self, due: &Due, job: &FlashJob) -> Result<Created, ClusterError> {
        let (executor, target) = (self.executors.of(due.executor), target(due));
        match executor.dry_run(&target, job, Part::Pods).await {
            Ok(trial) => {
                let worst = trial.objections.into_iter().min_by_key(|objection| !objection.is_final);
                if let Some(Objection { is_final, refusal, .. }) = worst {
                    return Err(if is_final { ClusterError::Invalid(refusal) } else { ClusterError::Denied(refusal) });
                }
            }
            Err(error) => tracing::debug!(job = %target.job, %error, "the pods of a job could not be tried"),
        }
        in_time(executor.create(&target, job)).await
    }

    /// The cluster has an object. A claim that expired before it was used may have created one that is not wanted any
    /// more because the job is at another attempt or has ended.
    async fn created(&self, due: &Due, uid: &str) -> Result<(), ApiError> {
        let name = &due.object_name;
        let taken = |life: &mut Life, now| {
            life.not_denied();
            life.created(name, uid, now)
        };
        let life = self.change(due, taken).await?;
        if life.is_some_and(|life| !life.is_in_cluster_as(name, uid)) {
            tracing::warn!(job = %due.id, object = name, "removing an object that was created too late");
            if let Err(error) = in_time(self.executors.of(due.executor).delete(&target(due), Some(uid))).await {
                tracing::warn!(job = %due.id, object = name, %error, "an unwanted object could not be removed");
            }
        }
        Ok(())
    }

    async fn delete(&self, due: &Due) -> Result<(), ApiError> {
        // A job that has ended must leave nothing behind, whatever object has its name.
        let uid = due.object_uid.as_deref().filter(|_| !due.phase.is_terminal());
        match in_time(self.executors.of(due.executor).delete(&target(due), uid)).await {
            Ok(Deleted::Gone) => {
                let gone = ObjectRef { name: due.object_name.clone(), uid: None };
                self.change(due, |life, now| life.gone(&gone, now)).await.map(drop)
            }
            Ok(Deleted::Going) => {
                let again = |life: &mut Life, now: DateTime<Utc>| {
                    // The watch may already have observed that it is gone.
                    if life.object_name == due.object_name {
                        life.next_attempt_at = Some(now + DELETING);
                    }
                    Vec::new()
                };
                self.change(due, again).await.map(drop)
            }
            Err(error) => self.put_off(due, reason::CLUSTER_UNAVAILABLE, error).await,
        }
    }

    async fn stop_rest(&self, due: &Due) -> Result<(), ApiError> {
        match in_time(self.executors.of(due.executor).stop_rest(&target(due))).await {
            Ok(()) => self.change(due, Life::rest_stopped).await.map(drop),
            Err(error) => self.put_off(due, reason::CLUSTER_UNAVAILABLE, error).await,
        }
    }

    async fn put_off(&self, due: &Due, why: &'static str, error: ClusterError) -> Result<(), ApiError> {
        tracing::info!(job = %due.id, %error, attempt = due.submit_attempts, "will be tried again later");
        let pause = pause(due.submit_attempts, rand::rng().random_range(0.5..1.0));
        let put_off = |life: &mut Life, now: DateTime<Utc>| {
            life.not_denied();
            life.put_off(why, error.to_string(), now, now + pause)
        };
        self.change(due, put_off).await.map(drop)
    }

    async fn change(
        &self,
        due: &Due,
        change: impl FnOnce(&mut Life, DateTime<Utc>) -> Vec<NewEvent> + Send,
    ) -> Result<Option<Life>, ApiError> {
        let mut conn = self.db.connection().await?;
        Ok(observed::change(&mut conn, due.id, |life| change(life, Utc::now())).await?)
    }
}

async fn in_time<T>(calls: BoxFuture<'_, Result<T, ClusterError>>) -> Result<T, ClusterError> {
    let late = |_| Err(ClusterError::Away(format!("it was not done within {} s", CALLS.as_secs())));
    tokio::time::timeout(CALLS, calls).await.unwrap_or_else(late)
}

/// The reason for a job that is not created now but may be later.
fn why_not_now(error: &ClusterError) -> &'static str {
    match error {
        ClusterError::Away(_) | ClusterError::Unconfigured(_) => reason::CLUSTER_UNAVAILABLE,
        ClusterError::OverQuota(_) => reason::CLUSTER_QUOTA,
        ClusterError::Forbidden(_) => reason::CLUSTER_FORBIDDEN,
        ClusterError::KindMissing(_) => reason::CLUSTER_KIND_MISSING,
        ClusterError::AlreadyExists(_)
        | ClusterError::Conflict(_)
        | ClusterError::NotFound(_)
        | ClusterError::Refused(_)
        | ClusterError::Invalid(_)
        | ClusterError::Denied(_) => reason::CLUSTER_REFUSED,
    }
}

fn target(due: &Due) -> Target {
    Target { job: due.id, project: due.project_id, namespace: due.namespace.clone(), name: due.object_name.clone() }
}

/// Doubles with each attempt; `jitter` spreads jobs that failed together.
fn pause(attempts: i32, jitter: f64) -> chrono::Duration {
    let earlier = usize::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    let longest = pauses(FIRST_PAUSE, LONGEST_PAUSE).build().nth(earlier).unwrap_or(LONGEST_PAUSE);
    chrono::Duration::milliseconds((longest.as_millis() as f64 * jitter) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_eight_seconds() {
        let pauses: Vec<_> = (1..9).map(|attempts| pause(attempts, 1.0).num_milliseconds()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    }
}
