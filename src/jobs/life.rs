//! What happens to a job after it was submitted: each thing seen or done becomes a change of the row and its events.
//!
//! Pure: no database, no cluster, no clock of its own. The submit worker and the watch both go through here, under the
//! row's lock, so whichever of them learns something first tells it, and the other adds nothing. What becomes of the tasks
//! on the way is told by [`Life::telling`], which every change of a row goes through.

use chrono::{DateTime, Duration, Utc};

use super::event::JobEvent as NewEvent;
use super::model::observed::Life;
use super::phase::{JobEventKind, JobPhase};
use crate::cluster::pods::TaskPod;
use crate::ids::JobId;

mod placed;
pub mod refused;
mod retry;
mod tasks;
mod tellings;
mod waiting;

use waiting::as_sentence;

/// Something that the watch has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The job it is about.
    pub job: JobId,
    /// What was seen.
    pub seen: Seen,
}

/// What the watch has seen of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Its object.
    Object(ObjectState),
    /// An object of it is there no more.
    Gone(ObjectRef),
    /// A pod that may run one of its tasks.
    Pod(TaskPod),
}

/// An object of a job. Each attempt's has a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its name.
    pub name: String,
    /// Its uid; `None` for whatever has the name.
    pub uid: Option<String>,
}

/// A job's object at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// The namespace it is in.
    pub namespace: String,
    /// Its name, which says of which attempt it is.
    pub name: String,
    /// Which object.
    pub uid: String,
    /// How new this is.
    pub version: i64,
    /// Whether a list says so. A list is the truth, even where the cluster went back to an older state.
    pub listed: bool,
    /// Where the cluster says that it stands.
    pub phase: ObjectPhase,
    /// The cluster's word for why.
    pub reason: Option<String>,
    /// The sentence to the reason.
    pub message: Option<String>,
    /// Whether it says that it was stopped to make room and has not run since.
    pub preempted: bool,
    /// How many of its tasks it says have failed.
    pub failed: i32,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// Where the cluster says that a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectPhase {
    /// It does not say.
    Untold,
    /// It waits.
    Pending,
    /// Its tasks are placed. Whether they run is for their pods to tell.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended badly.
    Failed,
}

/// Reasons that the platform itself gives.
pub mod reason {
    /// Stopped to make room.
    pub const PREEMPTED: &str = "Preempted";
    /// An attempt failed, and the next one is started.
    pub const RETRYING: &str = "Retrying";
    /// Its tasks have nodes and are being started.
    pub const PLACED: &str = "Placed";
    /// The only task that ran got another pod.
    pub const TASK_REPLACED: &str = "TaskReplaced";
    /// The object was deleted by somebody else.
    pub const DELETED: &str = "Deleted";
    /// The cluster will not take the object.
    pub const INVALID: &str = "Invalid";
    /// The cluster does not answer.
    pub const CLUSTER_UNAVAILABLE: &str = "ClusterUnavailable";
    /// The cluster will not take the object at present.
    pub const CLUSTER_REFUSED: &str = "ClusterRefused";
    /// A quota of the namespace has no room for the object at present.
    pub const CLUSTER_QUOTA: &str = "ClusterQuotaExceeded";
    /// The platform may not create the object.
    pub const CLUSTER_FORBIDDEN: &str = "ClusterForbidden";
    /// The cluster has no such kind of object.
    pub const CLUSTER_KIND_MISSING: &str = "ClusterKindMissing";
    /// The cluster would not take the job or its pods for as long as it was tried.
    pub const REJECTED: &str = "Rejected";
    /// The job ran longer than it may.
    pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";
    /// Somebody cancelled it.
    pub const CANCELLED: &str = "Cancelled";
}

type Why = (Option<String>, Option<String>);

impl Life {
    /// Takes in what the watch has seen.
    pub fn observe(&mut self, seen: &Seen, now: DateTime<Utc>) -> Vec<NewEvent> {
        self.telling(|life| match seen {
            Seen::Object(object) => life.observe_object(object, now),
            Seen::Gone(object) => life.gone(object, now),
            Seen::Pod(pod) => life.observe_pod(pod, now),
        })
    }

    fn observe_object(&mut self, object: &ObjectState, now: DateTime<Utc>) -> Vec<NewEvent> {
        let of_another_attempt = object.name != self.object_name || object.namespace != self.namespace;
        if self.phase.is_terminal() {
            let unknown = self.object_uid.is_none() && !of_another_attempt;
            if unknown && !object.deleting && self.next_attempt_at.is_none() {
                // Created by an attempt that was overtaken by a cancel: the worker removes it.
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
            // What its pods do while they are stopped says nothing about the job.
            return Vec::new();
        }
        let why = match object.reason.as_deref() {
            // Whom it made room for may be nobody's business.
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
                match self.retry(&why, now) {
                    Some(event) => events.push(event),
                    None => events.extend(self.enter(JobPhase::Failed, why, now)),
                }
            }
        }
        self.note_refusal(object, now);
        events
    }

    /// An object of it is there no more.
    pub fn gone(&mut self, object: &ObjectRef, now: DateTime<Utc>) -> Vec<NewEvent> {
        // The watch tells a uid: an object that the row does not know as the job's may be one of the same name elsewhere.
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
        self.next_attempt_at = None;
        events
    }

    /// The cluster has the object of this name. One of an attempt that is over says nothing about the job.
    pub fn created(&mut self, name: &str, uid: &str, now: DateTime<Utc>) -> Vec<NewEvent> {
        if self.object_name != name {
            return Vec::new();
        }
        if self.object_uid.is_none() {
            self.know_object(uid);
        }
        if self.phase.is_terminal() {
            // Cancelled meanwhile: the object must go again.
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

    /// The cluster will never take the object.
    pub fn invalid(&mut self, message: String, now: DateTime<Utc>) -> Vec<NewEvent> {
        if !self.is_unsent() {
            return Vec::new();
        }
        self.enter(JobPhase::Failed, (Some(reason::INVALID.to_owned()), Some(message)), now).into_iter().collect()
    }

    /// The cluster did not do what was asked this time; `again` is when it is tried next.
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
        if !(self.is_unsent() || self.is_restarting()) || self.cancel_requested_at.is_some() {
            return Vec::new();
        }
        let event = self.wait((Some(why.to_owned()), Some(message)));
        self.pending_reason = Some(refused::sentence(why).to_owned());
        event.into_iter().collect()
    }

    /// It was cancelled before the cluster had it. With `sent`, an attempt may have reached the cluster all the same.
    pub fn cancelled_unsent(&mut self, sent: bool, now: DateTime<Utc>) -> Vec<NewEvent> {
        if self.phase != JobPhase::Submitted {
            // The watch saw it in the cluster meanwhile: it is deleted like any other.
            return Vec::new();
        }
        let events = self.cancelled(now);
        self.next_attempt_at = sent.then_some(now);
        events
    }

    fn cancelled(&mut self, now: DateTime<Utc>) -> Vec<NewEvent> {
        let why = (Some(reason::CANCELLED.to_owned()), self.message.clone());
        let events = self.enter(JobPhase::Cancelled, why, now).into_iter().collect();
        self.next_attempt_at = None;
        events
    }

    /// What the time brings: a job that is placed and whose pods nobody sees is taken for running, and one that ran as long
    /// as it may fails. Its object goes next.
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
            self.next_attempt_at = Some(now);
        }
        event
    }

    /// When it will have run as long as it may, while it has not ended.
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        let (started, seconds) = (self.started_at?, self.deadline_seconds?);
        (!self.phase.is_terminal()).then(|| started + Duration::seconds(seconds))
    }

    /// When the submit worker has something to do for it.
    pub fn due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match (self.finished_at, self.cancel_requested_at) {
            (Some(finished), _) => self.ttl_seconds.map(|seconds| finished + Duration::seconds(seconds)),
            (None, Some(_)) => Some(now),
            (None, None) if self.is_restarting() || self.object_uid.is_none() => Some(now),
            (None, None) => {
                let unseen = self.is_placed_unseen().then(|| now + placed::PATIENCE);
                self.deadline().into_iter().chain(self.gives_up_at()).chain(unseen).min()
            }
        }
    }

    /// It waits for another reason than before. Only another reason is told, not another number in its sentence.
    fn wait(&mut self, (reason, message): Why) -> Option<NewEvent> {
        let sentence = waiting::of_object(reason.as_deref(), message.as_deref());
        if sentence.is_some() {
            self.pending_reason = sentence;
        }
        if reason.is_none() || reason == self.reason {
            return None;
        }
        self.reason.clone_from(&reason);
        self.message.clone_from(&message);
        Some(NewEvent { kind: JobEventKind::Waiting, phase: self.phase, previous_phase: None, reason, message })
    }

    /// Takes a step of its life, if it is one.
    fn enter(&mut self, to: JobPhase, (reason, message): Why, now: DateTime<Utc>) -> Option<NewEvent> {
        let from = self.phase;
        if from == to || from.next(to).is_err() {
            return None;
        }
        self.phase = to;
        let waits = (to == JobPhase::Queued).then(|| waiting::of_object(reason.as_deref(), message.as_deref()));
        self.pending_reason = waits.flatten();
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
        Some(NewEvent { kind: JobEventKind::PhaseChanged, phase: to, previous_phase: Some(from), reason, message })
    }
}

#[cfg(test)]
#[path = "life/tests.rs"]
mod tests;

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
