//! The submit worker: brings to the cluster what was accepted, and takes away what was cancelled or has had its time.
//!
//! Every replica has one. A claim is a lease on the row, not a transaction, so a worker that dies in the middle leaves
//! the job to the next one, and nothing that it did to the cluster is done twice: objects are named after their job.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rand::RngExt;

use super::life::reason;
use super::model::due::{self, Due};
use super::model::observed::{self, Life};
use super::phase::JobPhase;
use crate::cluster::ClusterError;
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::events::model::NewEvent;
use crate::executor::{Deleted, Executor, Target, Wake};
use crate::tasks::Tasks;

/// Jobs that are worked on at a time.
const AT_ONCE: usize = 16;
/// Longer than the longest series of calls for one job, so that a claim outlives its work.
const LEASE_SECONDS: i64 = 60;
/// How often work is looked for that nobody rang for: what a crash left behind, deadlines, retries.
const LOOK: Duration = Duration::from_millis(500);
/// When to look again at an object that is being deleted.
const DELETING: chrono::Duration = chrono::Duration::seconds(5);
const FIRST_PAUSE_MS: i64 = 250;
const LONGEST_PAUSE_MS: i64 = 8_000;

/// Starts the worker. Whoever commits work for it rings `wake`.
pub fn spawn(tasks: &Tasks, db: Db, executor: Arc<dyn Executor>, wake: Wake) {
    tasks.spawn("submit worker", run(Worker { db, executor }, wake));
}

async fn run(worker: Worker, wake: Wake) {
    let mut running = FuturesUnordered::new();
    loop {
        let room = AT_ONCE - running.len();
        if room > 0 {
            match worker.claim(room).await {
                Ok(due) => running.extend(due.into_iter().map(|due| worker.handle(due))),
                Err(error) => tracing::warn!(error = %error_chain(&error), "the submit worker cannot look for work"),
            }
        }
        tokio::select! {
            Some(()) = running.next() => {}
            () = wake.within(LOOK), if running.len() < AT_ONCE => {}
        }
    }
}

struct Worker {
    db: Db,
    executor: Arc<dyn Executor>,
}

/// What a due job needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Create,
    CancelUnsent,
    Delete,
    CheckDeadline,
}

fn need(due: &Due) -> Need {
    match (due.phase, due.cancel_requested_at) {
        (JobPhase::Submitted, None) => Need::Create,
        (JobPhase::Submitted, Some(_)) => Need::CancelUnsent,
        (JobPhase::Queued | JobPhase::Running, None) => Need::CheckDeadline,
        (JobPhase::Queued | JobPhase::Running, Some(_))
        | (JobPhase::Succeeded | JobPhase::Failed | JobPhase::Cancelled, _) => Need::Delete,
    }
}

impl Worker {
    async fn claim(&self, room: usize) -> Result<Vec<Due>, ApiError> {
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        Ok(due::claim(&mut *self.db.connection().await?, limit, LEASE_SECONDS).await?)
    }

    async fn handle(&self, due: Due) {
        let done = match need(&due) {
            Need::Create => self.create(&due).await,
            Need::CancelUnsent => {
                let sent = due.submit_attempts > 1;
                self.change(&due, |life, now| life.cancelled_unsent(sent, now)).await
            }
            Need::Delete => self.delete(&due).await,
            Need::CheckDeadline => {
                let check = |life: &mut Life, now| {
                    life.next_attempt_at = life.due(now);
                    life.overdue(now)
                };
                self.change(&due, check).await
            }
        };
        if let Err(error) = done {
            // The lease runs out and the job is tried again, by this worker or another.
            tracing::warn!(job = %due.id, error = %error_chain(&error), "the outcome could not be written");
        }
    }

    async fn create(&self, due: &Due) -> Result<(), ApiError> {
        let outcome = self.executor.create(&target(due), &due.manifest).await;
        let label = if outcome.is_ok() { "created" } else { "failed" };
        metrics::counter!("platform_submits_total", "outcome" => label).increment(1);
        match outcome {
            Ok(created) => self.change(due, |life, now| life.created(&created.uid, now)).await,
            Err(ClusterError::Invalid(message)) => self.change(due, |life, now| life.invalid(message, now)).await,
            Err(error @ (ClusterError::Away(_) | ClusterError::Unconfigured(_))) => {
                self.put_off(due, reason::CLUSTER_UNAVAILABLE, error).await
            }
            Err(
                error @ (ClusterError::AlreadyExists(_)
                | ClusterError::Conflict(_)
                | ClusterError::NotFound(_)
                | ClusterError::Refused(_)),
            ) => self.put_off(due, reason::CLUSTER_REFUSED, error).await,
        }
    }

    async fn delete(&self, due: &Due) -> Result<(), ApiError> {
        // A job that has ended must leave nothing, whatever object bears its name.
        let uid = due.object_uid.as_deref().filter(|_| !due.phase.is_terminal());
        match self.executor.delete(&target(due), uid).await {
            Ok(Deleted::Gone) => self.change(due, |life, now| life.gone(None, now)).await,
            Ok(Deleted::Going) => {
                let again = |life: &mut Life, now: DateTime<Utc>| {
                    life.next_attempt_at = Some(now + DELETING);
                    Vec::new()
                };
                self.change(due, again).await
            }
            Err(error) => self.put_off(due, reason::CLUSTER_UNAVAILABLE, error).await,
        }
    }

    async fn put_off(&self, due: &Due, why: &'static str, error: ClusterError) -> Result<(), ApiError> {
        tracing::info!(job = %due.id, %error, attempt = due.submit_attempts, "tried again later");
        let pause = pause(due.submit_attempts, rand::rng().random_range(0.5..1.0));
        self.change(due, |life, now| life.put_off(why, error.to_string(), now + pause)).await
    }

    async fn change(
        &self,
        due: &Due,
        change: impl FnOnce(&mut Life, DateTime<Utc>) -> Vec<NewEvent> + Send,
    ) -> Result<(), ApiError> {
        let mut conn = self.db.connection().await?;
        observed::change(&mut conn, due.id, |life| change(life, Utc::now())).await?;
        Ok(())
    }
}

fn target(due: &Due) -> Target {
    Target { job: due.id, project: due.project_id, namespace: due.namespace.clone(), name: due.object_name.clone() }
}

/// Doubles with each attempt; `jitter` spreads jobs that failed together.
fn pause(attempts: i32, jitter: f64) -> chrono::Duration {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    let longest = FIRST_PAUSE_MS.saturating_mul(1 << doublings).min(LONGEST_PAUSE_MS);
    chrono::Duration::milliseconds((longest as f64 * jitter) as i64)
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
