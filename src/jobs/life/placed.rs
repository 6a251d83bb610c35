//! Between the queue and the work: a job that is placed does not run before one of its tasks does, and one that ran
//! waits again when none of them does any more.

use chrono::{DateTime, Duration, Utc};

use super::{Life, NewEvent, ObjectState, Why, reason, waiting};
use crate::cluster::pods::stop;
use crate::jobs::model::task::{self, Task, TaskState};
use crate::jobs::phase::{JobEventKind, JobPhase};

/// How long the pods of a job that is placed may be unseen before the cluster's word is taken for it that they run.
pub(super) const PATIENCE: Duration = Duration::seconds(5);

/// What is said of a job that is placed and whose tasks say nothing else.
const PLACED: &str = "its tasks are placed and are being started";

impl Life {
    /// The cluster says that its tasks are placed.
    pub(super) fn placed(&mut self, now: DateTime<Utc>) -> Option<NewEvent> {
        if self.phase == JobPhase::Running {
            return None;
        }
        if self.present_tasks().any(|task| task.is_live() && task.state == TaskState::Running) {
            return self.enter(JobPhase::Running, (None, None), now);
        }
        // Only where another reason to wait was told is it told that this one is over.
        let told = self.reason.is_some().then(|| (Some(reason::PLACED.to_owned()), Some(PLACED.to_owned())));
        let event = told.and_then(|why| self.wait(why));
        let sentence = self.tasks.0.iter().find_map(waiting::of_task);
        self.pending_reason = sentence.or_else(|| Some(placed()));
        self.next_attempt_at = self.due(now);
        event
    }

    fn is_placed(&self) -> bool {
        self.phase == JobPhase::Queued && self.pending_reason.as_deref() == Some(placed().as_str())
    }

    /// Whether it is placed and none of its pods has been seen.
    pub(super) fn is_placed_unseen(&self) -> bool {
        self.is_placed() && self.present_tasks().next().is_none()
    }

    /// Nobody has seen its pods for a while; the cluster says that they are placed.
    pub(super) fn runs_unseen(&mut self, now: DateTime<Utc>) -> Option<NewEvent> {
        let unseen = self.is_placed_unseen() && self.cancel_requested_at.is_none();
        unseen.then(|| self.enter(JobPhase::Running, (None, None), now)).flatten()
    }

    /// It was placed and has ended before its pods were seen to run.
    pub(super) fn ran_unseen(&mut self, now: DateTime<Utc>) -> Option<NewEvent> {
        let never_began = |task: &Task| task.state == TaskState::Failed && task.started_at.is_none();
        let ran = self.is_placed() && !self.present_tasks().any(never_began);
        ran.then(|| self.enter(JobPhase::Running, (None, None), now)).flatten()
    }

    /// Whether the object tells of a preemption that is not counted yet.
    pub(super) fn is_preempted_by(&self, object: &ObjectState) -> bool {
        let told = object.reason.as_deref() == Some(reason::PREEMPTED);
        match self.phase {
            JobPhase::Running => told || object.preempted,
            // Its pods may have been seen to go before.
            JobPhase::Queued => {
                let known = self.reason.as_deref();
                told && known != Some(reason::PREEMPTED) || object.preempted && known.is_some_and(is_of_stopped_tasks)
            }
            JobPhase::Submitted | JobPhase::Succeeded | JobPhase::Failed | JobPhase::Cancelled => false,
        }
    }

    /// It was stopped to make room.
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
        }
    }

    /// The cluster says that it waits, though it ran: so it does if none of its pods goes on. Where none is known, it must
    /// say what the job waits for.
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

    /// The pods say that none of its tasks runs any more. `before` is the task whose pod was replaced, if one was.
    pub(super) fn fall_back(&mut self, before: Option<&Task>, now: DateTime<Utc>) -> Option<NewEvent> {
        let at_work = |task: &Task| task.has_ended() || task.state == TaskState::Running;
        if self.phase != JobPhase::Running || self.present_tasks().any(at_work) {
            return None;
        }
        let why = self.why_no_task_runs(before);
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

    /// The tasks of the present attempt.
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
