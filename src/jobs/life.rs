//! The life of a job after it was submitted: each observation or action becomes a change of the row and its events.
//!
//! Pure: no database, no cluster, no clock of its own. The submit worker and the watch both use it, under the row's
//! lock, so the first of them to learn something reports it, and the other adds nothing. Changes of the tasks are
//! reported by [`Life::telling`], which wraps every change of a row.
//!
//! What a row says about its state (`said_tests.rs`):
//!
//! | phase | `reason` and `message`: why it is in this phase | `pending_reason`: what it waits for now, as a sentence |
//! |---|---|---|
//! | SUBMITTED | why the cluster does not have it yet, in the cluster's words; nothing before the first attempt | the same for users, or nothing: it is being sent |
//! | QUEUED | what was reported last: why it waits, was preempted or is retried; nothing if it only waits | the present reason, or nothing: it waits for its turn |
//! | RUNNING | nothing; `PodRejected` with the cluster's words while it does not accept a pod | what one of its tasks waits for, or nothing |
//! | final | why it ended: the cluster's words, the platform's, or those of the user who cancelled it | nothing |
//!
//! A message never stands without its reason. Why a user cancels a job is `cancel_reason` until it has ended.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::event::JobEvent as NewEvent;
use super::model::observed::Life;
use super::model::part::Parts;
use super::phase::{JobEventKind, JobPhase};
use crate::cluster::pods::TaskPod;
use crate::executor::ExecutorMode;
use crate::ids::JobId;

mod held;
mod parts;
mod placed;
pub mod reason;
pub mod refused;
mod retry;
mod tasks;
mod tellings;
mod waiting;

pub use parts::PartState;
use waiting::as_sentence;

/// An observation of the watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The job that it is about.
    pub job: JobId,
    /// How jobs are run whose objects are of this kind: a job that is run in another way has no such objects.
    pub executor: ExecutorMode,
    /// The observation itself.
    pub seen: Seen,
}

/// What the watch has observed about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The state of its object.
    Object(ObjectState),
    /// The state of one of its objects, if it is run as several.
    Part(PartState),
    /// One of its objects no longer exists.
    Gone(ObjectRef),
    /// One of several objects no longer exists, other than the one that stands for the job.
    PartGone {
        /// Its name.
        name: String,
        /// The object that stands for the job.
        whole: ObjectRef,
    },
    /// A pod that may belong to one of its tasks.
    Pod(TaskPod),
}

/// An object of a job. Each attempt's object has its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its name.
    pub name: String,
    /// Its uid; `None` for any object with the name.
    pub uid: Option<String>,
}

/// The state of a job's object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// The namespace of the object.
    pub namespace: String,
    /// Its name, which identifies the attempt.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The resource version of this observation.
    pub version: i64,
    /// Whether it comes from a list. A list is authoritative, even if the cluster has returned to an older state.
    pub listed: bool,
    /// The phase that the cluster reports.
    pub phase: ObjectPhase,
    /// The cluster's reason for the phase.
    pub reason: Option<String>,
    /// Human-readable explanation of the reason.
    pub message: Option<String>,
    /// Whether it reports a preemption and has not run since.
    pub preempted: bool,
    /// The number of failed tasks that it reports.
    pub failed: i32,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// The phase of a job as reported by the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ObjectPhase {
    /// None is reported.
    Untold,
    /// It is waiting.
    Pending,
    /// Its tasks are scheduled. Whether they run is known from their pods.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
}

type Why = (Option<String>, Option<String>);

impl Life {
    /// Applies an observation of the watch.
    pub fn observe(&mut self, seen: &Seen, now: DateTime<Utc>) -> Vec<NewEvent> {
        self.telling(|life| match seen {
            Seen::Object(object) => life.observe_object(object, now),
            Seen::Part(part) => life.observe_part(part, now),
            Seen::Gone(object) => life.gone(object, now),
            Seen::PartGone { name, whole } => life.part_gone(name, whole, now),
            Seen::Pod(pod) => life.observe_pod(pod, now),
        })
    }

    fn observe_object(&mut self, object: &ObjectState, now: DateTime<Utc>) -> Vec<NewEvent> {
        let of_another_attempt = object.name != self.object_name || object.namespace != self.namespace;
        if self.phase.is_terminal() {
            let unknown = self.object_uid.is_none() && !of_another_attempt;
            if unknown && !object.deleting && self.next_attempt_at.is_none() {
                // Created by an attempt that lost a race against a cancel: the worker removes it.
                self.object_uid = Some(object.uid.clone());
                self.next_attempt_at = Some(now);
            }
            return Vec::new();
        }
        let another = of_another_attempt || self.object_uid.as_ref().is_some_and(|known| *known != object.uid);
        let older = !object.listed && self.object_version.is_some_and(|known| known >= object.version);
        if another || self.is_restarting() || older {
            return Vec::new();
        }
        self.know_object(&object.uid);
        self.object_version = Some(object.version);
        let leaving = object.deleting || self.cancel_requested_at.is_some();
        if leaving && object.phase != ObjectPhase::Succeeded {
            // The state of its pods while they are being stopped says nothing about the job.
            return Vec::new();
        }
        let why = match object.reason.as_deref() {
            // The user may not be allowed to know which job it made room for.
            Some(reason::PREEMPTED) => (object.reason.clone(), Some(waiting::PREEMPTED.to_owned())),
            _ => (object.reason.clone(), object.message.clone()),
        };
        let mut events = Vec::new();
        if self.phase == JobPhase::Submitted {
            events.extend(self.enter(JobPhase::Queued, (None, None), now));
        }
        match object.phase {
            ObjectPhase::Untold | ObjectPhase::Pending if self.is_preempted_by(object) => {
                events.push(self.preempted(now));
            }
            ObjectPhase::Untold | ObjectPhase::Pending if self.phase == JobPhase::Running => {
                events.extend(self.waits_again(why, now));
            }
            ObjectPhase::Untold | ObjectPhase::Pending => events.extend(self.wait(why)),
            ObjectPhase::Running => events.extend(self.placed(now)),
            ObjectPhase::Succeeded => {
                events.extend(self.ran_unseen(now));
                if object.failed == 0 {
                    self.tasks_succeeded();
                }
                events.extend(self.enter(JobPhase::Succeeded, why, now));
            }
            ObjectPhase::Failed => {
                events.extend(self.ran_unseen(now));
                let why = self.with_failed_task(why);
                match self.retry(&why, now) {
                    Some(event) => events.push(event),
                    None => events.extend(self.enter(JobPhase::Failed, why, now)),
                }
            }
        }
        self.note_refusal(object, now);
        events
    }

    /// One of its objects no longer exists.
    pub fn gone(&mut self, object: &ObjectRef, now: DateTime<Utc>) -> Vec<NewEvent> {
        // The watch reports a uid: an object that the row does not know may be one with the same name elsewhere.
        let another = object.uid.is_some() && object.uid != self.object_uid;
        if another || object.name != self.object_name {
            return Vec::new();
        }
        if self.phase.is_terminal() {
            self.next_attempt_at = None;
            return Vec::new();
        }
        if self.cancel_requested_at.is_some() {
            return self.cancelled(now);
        }
        if self.is_restarting() {
            self.begin_attempt(now);
            return Vec::new();
        }
        let message = "its object was deleted from the cluster by someone else".to_owned();
        let why = (Some(reason::DELETED.to_owned()), Some(message));
        let events = self.enter(JobPhase::Failed, why, now).into_iter().collect();
        self.parts = Parts::default();
        self.next_attempt_at = None;
        events
    }

    /// The cluster has the object with this name. One of an earlier attempt says nothing about the job.
    pub fn created(&mut self, name: &str, uid: &str, now: DateTime<Utc>) -> Vec<NewEvent> {
        if self.object_name != name {
            return Vec::new();
        }
        if self.object_uid.is_none() {
            self.know_object(uid);
        }
        if self.phase.is_terminal() {
            // Cancelled in the meantime: the object must be deleted.
            self.next_attempt_at = Some(now);
            return Vec::new();
        }
        let event = match self.phase {
            JobPhase::Submitted => self.enter(JobPhase::Queued, (None, None), now),
            _ => None,
        };
        self.next_attempt_at = self.due(now);
        event.into_iter().collect()
    }

    /// The cluster rejects the object for good.
    pub fn invalid(&mut self, message: String, now: DateTime<Utc>) -> Vec<NewEvent> {
        if !self.is_unsent() && !self.parts.are_incomplete() {
            return Vec::new();
        }
        let event = self.enter(JobPhase::Failed, (Some(reason::INVALID.to_owned()), Some(message)), now);
        if event.is_some() && self.executor == ExecutorMode::Local {
            // Of several objects, those before the rejected one have been created.
            self.delete_all(now);
        }
        event.into_iter().collect()
    }

    /// The cluster did not do what was requested this time; `again` is the time of the next attempt.
    pub fn put_off(
        &mut self,
        why: &'static str,
        message: String,
        now: DateTime<Utc>,
        again: DateTime<Utc>,
    ) -> Vec<NewEvent> {
        let over_time = self.exceeded(now);
        if over_time.is_some() {
            return over_time.into_iter().collect();
        }
        self.next_attempt_at = Some(again);
        // A running job is in the cluster, although the answer to its creation was lost.
        let is_in_cluster = self.phase == JobPhase::Running || !(self.is_unsent() || self.is_restarting());
        if is_in_cluster || self.cancel_requested_at.is_some() {
            return Vec::new();
        }
        let event = self.wait((Some(why.to_owned()), Some(message)));
        self.pending_reason = Some(refused::sentence(why).to_owned());
        event.into_iter().collect()
    }

    /// It was cancelled before the cluster had it. With `sent`, an earlier call may nevertheless have reached the
    /// cluster.
    pub fn cancelled_unsent(&mut self, sent: bool, now: DateTime<Utc>) -> Vec<NewEvent> {
        if self.phase != JobPhase::Submitted {
            // The watch has seen it in the cluster in the meantime: it is deleted like any other.
            return Vec::new();
        }
        let events = self.cancelled(now);
        self.next_attempt_at = sent.then_some(now);
        events
    }

    fn cancelled(&mut self, now: DateTime<Utc>) -> Vec<NewEvent> {
        let why = (Some(reason::CANCELLED.to_owned()), self.cancel_reason.clone());
        let events = self.enter(JobPhase::Cancelled, why, now).into_iter().collect();
        self.parts = Parts::default();
        self.next_attempt_at = None;
        events
    }

    /// Applies the passage of time: a scheduled job whose pods are not observed is assumed to be running, and one that
    /// exceeds its maximum run time fails. Its object is deleted next.
    pub fn overdue(&mut self, now: DateTime<Utc>) -> Vec<NewEvent> {
        let runs = self.runs_unseen(now);
        runs.into_iter().chain(self.exceeded(now)).collect()
    }

    fn exceeded(&mut self, now: DateTime<Utc>) -> Option<NewEvent> {
        if self.cancel_requested_at.is_some() || self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        let seconds = self.deadline_seconds.unwrap_or_default();
        let message = format!("it ran longer than its limit of {seconds} s");
        let why = (Some(reason::DEADLINE_EXCEEDED.to_owned()), Some(message));
        let event = self.enter(JobPhase::Failed, why, now);
        if event.is_some() {
            self.delete_all(now);
        }
        event
    }

    /// When it reaches its maximum run time, unless it has ended.
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        let (started, seconds) = (self.started_at?, self.deadline_seconds?);
        (!self.phase.is_terminal()).then(|| started + Duration::seconds(seconds))
    }

    /// When the submit worker has to act on it.
    pub fn due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match (self.finished_at, self.cancel_requested_at) {
            (Some(finished), _) => self.ttl_seconds.map(|seconds| finished + Duration::seconds(seconds)),
            (None, Some(_)) => Some(now),
            (None, None) if self.is_restarting() || self.object_uid.is_none() => Some(now),
            (None, None) => {
                let unseen = self.is_placed_unseen().then(|| now + placed::PATIENCE);
                let missing = self.missing_parts_at(now);
                self.deadline().into_iter().chain(self.gives_up_at()).chain(unseen).chain(missing).min()
            }
        }
    }

    /// It waits for a different reason. Only a different reason is reported, not a different number in its message.
    fn wait(&mut self, (reason, message): Why) -> Option<NewEvent> {
        let sentence = waiting::of_object(reason.as_deref(), message.as_deref());
        let is_another = reason.is_some() && reason != self.reason;
        if sentence.is_some() || is_another {
            self.pending_reason = sentence;
        }
        if !is_another {
            return None;
        }
        self.reason.clone_from(&reason);
        self.message.clone_from(&message);
        Some(NewEvent {
            kind: JobEventKind::Waiting,
            phase: self.phase,
            previous_phase: None,
            reason,
            message,
            job: None,
        })
    }

    /// Enters a phase, if the step is allowed.
    fn enter(&mut self, to: JobPhase, (reason, message): Why, now: DateTime<Utc>) -> Option<NewEvent> {
        let from = self.phase;
        if from == to || from.next(to).is_err() {
            return None;
        }
        self.phase = to;
        self.pending_reason = match to {
            JobPhase::Queued => waiting::of_object(reason.as_deref(), message.as_deref()),
            JobPhase::Running => self.what_a_task_waits_for(),
            JobPhase::Submitted | JobPhase::Succeeded | JobPhase::Failed | JobPhase::Cancelled => None,
        };
        self.reason.clone_from(&reason);
        self.message.clone_from(&message);
        if to == JobPhase::Running {
            self.started_at.get_or_insert(now);
        }
        if to.is_terminal() {
            self.finished_at = Some(now);
            self.end_tasks();
        }
        self.next_attempt_at = self.due(now);
        Some(NewEvent {
            kind: JobEventKind::PhaseChanged,
            phase: to,
            previous_phase: Some(from),
            reason,
            message,
            job: None,
        })
    }
}

#[cfg(test)]
#[path = "life/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "life/said_tests.rs"]
mod said_tests;

#[cfg(test)]
#[path = "life/told_tests.rs"]
mod told_tests;

#[cfg(test)]
#[path = "life/retry_tests.rs"]
mod retry_tests;

#[cfg(test)]
#[path = "life/ended_tests.rs"]
mod ended_tests;

#[cfg(test)]
#[path = "life/tellings_tests.rs"]
mod tellings_tests;
