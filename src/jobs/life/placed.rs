//! Between queued and running: a scheduled job is not running until one of its tasks is, and a running job waits again
//! when none of its tasks is running any more.

use chrono::{DateTime, Duration, Utc};

use super::{Life, NewEvent, ObjectState, Why, reason, waiting};
use crate::cluster::pods::stop;
use crate::jobs::model::task::{self, Task, TaskState};
use crate::jobs::phase::{JobEventKind, JobPhase};

/// How long the pods of a scheduled job may be unobserved before the cluster's word is taken that they are running.
pub(super) const PATIENCE: Duration = Duration::seconds(5);

/// The message about a scheduled job whose tasks report nothing else.
const PLACED: &str = "its tasks are placed and are being started";

impl Life {
    /// The cluster reports that its tasks are scheduled.
    pub(super) fn placed(&mut self, now: DateTime<Utc>) -> Option<NewEvent> {
        if self.phase == JobPhase::Running {
            return None;
        }
        if self.present_tasks().any(|task| task.is_live() && task.state == TaskState::Running) {
            return self.enter(JobPhase::Running, (None, None), now);
        }
        // The end of waiting is reported only if another reason to wait was reported before.
        let told = self.reason.is_some().then(|| (Some(reason::PLACED.to_owned()), Some(PLACED.to_owned())));
        let event = told.and_then(|why| self.wait(why));
        self.pending_reason = self.what_a_task_waits_for().or_else(|| Some(placed()));
        self.next_attempt_at = self.due(now);
        event
    }

    fn is_placed(&self) -> bool {
        self.phase == JobPhase::Queued && self.pending_reason.as_deref() == Some(placed().as_str())
    }

    /// Whether it is scheduled and none of its pods has been observed.
    pub(super) fn is_placed_unseen(&self) -> bool {
        self.is_placed() && self.present_tasks().next().is_none()
    }

    /// Its pods have not been observed for a while, but the cluster reports that they are scheduled.
    pub(super) fn runs_unseen(&mut self, now: DateTime<Utc>) -> Option<NewEvent> {
        let unseen = self.is_placed_unseen() && self.cancel_requested_at.is_none();
        unseen.then(|| self.enter(JobPhase::Running, (None, None), now)).flatten()
    }

    /// It was scheduled and has ended before its pods were observed running.
    pub(super) fn ran_unseen(&mut self, now: DateTime<Utc>) -> Option<NewEvent> {
        let never_began = |task: &Task| task.state == TaskState::Failed && task.started_at.is_none();
        let ran = self.is_placed() && !self.present_tasks().any(never_began);
        ran.then(|| self.enter(JobPhase::Running, (None, None), now)).flatten()
    }

    /// Whether the object reports a preemption that has not been counted yet.
    pub(super) fn is_preempted_by(&self, object: &ObjectState) -> bool {
        let told = object.reason.as_deref() == Some(reason::PREEMPTED);
        match self.phase {
            JobPhase::Running => told || object.preempted,
            // Its pods may have been observed being deleted before.
            JobPhase::Queued => {
                let known = self.reason.as_deref();
                told && known != Some(reason::PREEMPTED) || object.preempted && known.is_some_and(is_of_stopped_tasks)
            }
            JobPhase::Submitted | JobPhase::Succeeded | JobPhase::Failed | JobPhase::Cancelled => false,
        }
    }

    /// It was preempted.
    pub(super) fn preempted(&mut self, now: DateTime<Utc>) -> NewEvent {
        let from = std::mem::replace(&mut self.phase, JobPhase::Queued);
        self.preemptions += 1;
        self.stop_tasks(task::PREEMPTED);
        self.reason = Some(reason::PREEMPTED.to_owned());
        self.message = Some(waiting::PREEMPTED.to_owned());
        self.pending_reason = self.message.as_deref().map(waiting::as_sentence);
        self.next_attempt_at = self.due(now);
        NewEvent {
            kind: JobEventKind::Preempted,
            phase: JobPhase::Queued,
            previous_phase: (from != JobPhase::Queued).then_some(from),
            reason: self.reason.clone(),
            message: self.message.clone(),
            job: None,
        }
    }

    /// The cluster reports that a running job waits, which is true if none of its pods continues. If no pod is known,
    /// the cluster must give a reason.
    pub(super) fn waits_again(&mut self, why: Why, now: DateTime<Utc>) -> Option<NewEvent> {
        let goes_on = |task: &Task| task.has_ended() || task.state == TaskState::Running && !task.leaving;
        let unseen = self.present_tasks().next().is_none();
        if self.present_tasks().any(goes_on) || unseen && why.0.is_none() {
            return None;
        }
        let why = if unseen { why } else { self.why_no_task_runs(None) };
        self.stop_leaving_tasks();
        self.enter(JobPhase::Queued, why, now)
    }

    /// According to the pods, none of its tasks is running any more. `before` is the task whose pod was replaced, if
    /// any.
    pub(super) fn fall_back(&mut self, before: Option<&Task>, now: DateTime<Utc>) -> Option<NewEvent> {
        let at_work = |task: &Task| task.has_ended() || task.state == TaskState::Running;
        if self.phase != JobPhase::Running || self.present_tasks().any(at_work) {
            return None;
        }
        let why = self.why_no_task_runs(before);
        if why.0.as_deref() == Some(stop::PREEMPTED_BY_SCHEDULER) {
            return Some(self.preempted(now));
        }
        self.enter(JobPhase::Queued, why, now)
    }

    fn why_no_task_runs(&self, before: Option<&Task>) -> Why {
        let is_stopped = |task: &&Task| task.reason.as_deref().is_some_and(is_of_stopped_tasks);
        let stopped = before.into_iter().chain(self.present_tasks()).find(is_stopped);
        let (word, what) = match stopped {
            Some(task) => {
                let word = task.reason.clone().unwrap_or_default();
                (word, format!("task {} was stopped: {}", task.index, task.why_stopped()))
            }
            None => (reason::TASK_REPLACED.to_owned(), "the pod of its task was replaced by another".to_owned()),
        };
        (Some(word), Some(format!("{what}; it will run again as soon as the cluster starts a new pod for it")))
    }

    /// What one of its tasks waits for, if its pod says so.
    pub(super) fn what_a_task_waits_for(&self) -> Option<String> {
        self.present_tasks().find_map(waiting::of_task)
    }

    /// The tasks of the current attempt.
    pub(super) fn present_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.0.iter().filter(|task| task.attempt == self.attempt)
    }
}

pub(super) fn placed() -> String {
    waiting::as_sentence(PLACED)
}

/// Whether a job waits for this reason because its tasks were stopped.
fn is_of_stopped_tasks(word: &str) -> bool {
    stop::is_word(word) || word == reason::TASK_REPLACED
}
