//! The job's tasks according to their pods, and whether the job runs according to its tasks.

use chrono::{DateTime, Duration, Utc};

use super::{Life, NewEvent, Why, placed, reason, refused, waiting};
use crate::cluster::names;
use crate::cluster::pods::{FAILED_MOUNT, TaskPod, stop};
use crate::jobs::model::task::{self, Task, TaskState};
use crate::jobs::phase::JobPhase;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
/// Reason of a container that was killed for its memory, rather than because it was stopped.
const OUT_OF_MEMORY: &str = "OOMKilled";
/// How far the clock of a node may be behind that of the platform.
const SKEW: Duration = Duration::seconds(5);

impl Life {
    /// The uid of its object is known now. What pods of another object reported in the meantime is discarded, and it no
    /// longer waits for what kept it from being sent.
    pub(super) fn know_object(&mut self, uid: &str) {
        if self.object_uid.as_deref() != Some(uid) {
            self.object_uid = Some(uid.to_owned());
            let attempt = self.attempt;
            self.tasks
                .0
                .retain(|task| task.attempt != attempt || task.owner.as_deref().is_none_or(|owner| owner == uid));
            if self.phase.is_terminal() {
                return;
            }
            if self.reason.as_deref().is_some_and(refused::is_of_unsent) {
                (self.reason, self.message) = (None, None);
            }
            self.pending_reason = self.what_a_task_waits_for();
        }
    }

    pub(super) fn observe_pod(&mut self, pod: &TaskPod, now: DateTime<Utc>) -> Vec<NewEvent> {
        let Some(attempt) = self.attempt_of(pod) else { return Vec::new() };
        let known = self.tasks.0.iter().position(|known| known.index == pod.task);
        let before = known.map(|place| self.tasks.0[place].clone());
        let mut task = Task::of_pod(pod, attempt);
        if before.as_ref().is_some_and(|before| !takes_over(before, &task, pod)) {
            return Vec::new();
        }
        self.settle(before.as_ref(), &mut task, pod);
        let is_same = |before: &Task| Task { version: task.version, ..before.clone() } == task;
        // For an older version only the version is kept: later observations are compared with it.
        if before.as_ref().is_some_and(|before| is_same(before) && before.version <= task.version) {
            return Vec::new();
        }
        let waited_for = self.what_a_task_waits_for();
        match known {
            Some(place) => self.tasks.0[place] = task.clone(),
            None => {
                self.tasks.0.push(task.clone());
                self.tasks.0.sort_by_key(|task| task.index);
            }
        }
        let mut events = self.steps_to_work(before.as_ref(), &task, now);
        self.tell_what_tasks_wait_for(waited_for.as_deref());
        if self.follows(&task) {
            let replaced = before.filter(|before| before.uid != task.uid);
            events.extend(self.fall_back(replaced.as_ref(), now));
        }
        events
    }

    /// The attempt to which a pod's task belongs; `None` if no object of the job controls the pod.
    fn attempt_of(&self, pod: &TaskPod) -> Option<i32> {
        if pod.namespace != self.namespace {
            return None;
        }
        if pod.owner.name == self.object_name {
            let is_old = names::is_of_earlier_attempt(&self.object_name, self.id, self.attempt);
            let attempt = if is_old { (self.attempt - 1).max(1) } else { self.attempt };
            // While the uid is not known yet, the state of such a pod is stored with its owner's uid, to be compared
            // later.
            return self.object_uid.as_ref().is_none_or(|uid| *uid == pod.owner.uid).then_some(attempt);
        }
        // The object of the previous attempt is gone and its uid with it: its pods are those that were known at that
        // time.
        let before = self.attempt - 1;
        let is_known =
            |task: &Task| task.attempt == before && task.owner.as_ref().is_none_or(|owner| *owner == pod.owner.uid);
        let is_of_that = before >= 1 && pod.owner.name == names::job_attempt(self.id, before);
        (is_of_that && self.tasks.0.iter().any(is_known)).then_some(before)
    }

    /// Whether the state of this task says something about the job.
    fn follows(&self, task: &Task) -> bool {
        task.attempt == self.attempt
            && !self.is_restarting()
            && !self.phase.is_terminal()
            && self.cancel_requested_at.is_none()
    }

    /// Corrects what the pod reports, using what was known before and what the job does.
    fn settle(&self, before: Option<&Task>, task: &mut Task, pod: &TaskPod) {
        let same_pod = before.filter(|before| before.uid == task.uid);
        let went_back = pod.listed && same_pod.is_some_and(|before| before.version > task.version);
        task.gone = pod.gone;
        if pod.gone && !task.has_ended() && task.state != TaskState::Stopped {
            let known = same_pod.and_then(|before| before.reason.clone()).filter(|word| stop::is_word(word));
            task.reason =
                Some(pod.stopped.map(str::to_owned).or(known).unwrap_or_else(|| stop::POD_DELETED.to_owned()));
            task.message = None;
            if task.state == TaskState::Running {
                task.state = TaskState::Stopped;
            }
        }
        let is_unfinished = matches!(task.state, TaskState::Waiting | TaskState::Running);
        if self.phase.is_terminal() && is_unfinished {
            task.state = TaskState::Stopped;
            task.reason = Some(task::JOB_ENDED.to_owned());
        }
        if task.reason.as_deref() == Some(stop::POD_DELETED)
            && let Some(word) = self.why_pods_go(task)
        {
            task.reason = Some(word.to_owned());
        }
        let since = self.ended_from_outside();
        if let Some(before) = same_pod.filter(|_| !went_back) {
            keep(before, task, since);
            let unmounted = before.reason.as_deref() == Some(FAILED_MOUNT) && !pod.mounted && pod.is_being_created();
            if unmounted && task.state == TaskState::Waiting && !pod.gone {
                // The pod's status does not show it, and the event is not repeated for a while.
                task.reason.clone_from(&before.reason);
                task.message.clone_from(&before.message);
            }
        }
        let had_ended = same_pod.is_some_and(|before| !went_back && before.has_ended());
        if task.attempt == self.attempt && !had_ended && since.is_some_and(|since| was_ended(task, since)) {
            end_task(task);
        }
    }

    /// Since when it has an end that is not caused by its tasks: a user cancelled it or deleted its object, its time
    /// was over, or the cluster rejected it.
    fn ended_from_outside(&self) -> Option<DateTime<Utc>> {
        let outside = [reason::DELETED, reason::DEADLINE_EXCEEDED, reason::REJECTED];
        match self.phase {
            JobPhase::Submitted | JobPhase::Queued | JobPhase::Running | JobPhase::Cancelled => {
                self.cancel_requested_at
            }
            JobPhase::Failed => {
                self.finished_at.filter(|_| self.reason.as_deref().is_some_and(|word| outside.contains(&word)))
            }
            JobPhase::Succeeded => None,
        }
    }

    /// Why its pods are deleted, if that is caused by the job.
    fn why_pods_go(&self, task: &Task) -> Option<&'static str> {
        if self.phase.is_terminal() || self.cancel_requested_at.is_some() {
            Some(task::JOB_ENDED)
        } else if task.attempt < self.attempt {
            Some(task::RETRYING)
        } else if self.reason.as_deref() == Some(reason::PREEMPTED) && self.phase == JobPhase::Queued {
            Some(task::PREEMPTED)
        } else {
            None
        }
    }

    /// The steps to RUNNING that follow from this task's pod.
    fn steps_to_work(&mut self, before: Option<&Task>, task: &Task, now: DateTime<Utc>) -> Vec<NewEvent> {
        let mut events = Vec::new();
        if !self.follows(task) {
            return events;
        }
        if self.phase == JobPhase::Submitted {
            events.extend(self.enter(JobPhase::Queued, (None, None), now));
        }
        let runs = task.state == TaskState::Running && task.is_live();
        let is_news = before.is_none_or(|before| before.uid != task.uid || !before.has_ended());
        let ran = is_news && task.has_ended() && task.started_at.is_some();
        if self.phase == JobPhase::Queued && (runs || ran) {
            events.extend(self.enter(JobPhase::Running, (None, None), now));
        }
        events
    }

    /// A waiting task says more than the scheduler, which has done its part. When no task waits any more, the message
    /// is removed.
    fn tell_what_tasks_wait_for(&mut self, before: Option<&str>) {
        if self.phase.is_terminal() {
            return;
        }
        match self.what_a_task_waits_for() {
            Some(sentence) => self.pending_reason = Some(sentence),
            None if self.phase == JobPhase::Running => self.pending_reason = None,
            None if before.is_some() && self.pending_reason.as_deref() == before => {
                self.pending_reason = Some(placed::placed());
            }
            None => {}
        }
    }

    /// Its pods are stopped; tasks that have ended keep their result.
    pub(super) fn stop_tasks(&mut self, why: &str) {
        let running = self.tasks.0.iter_mut().filter(|task| task.state == TaskState::Running);
        running.for_each(|task| stop_task(task, why));
    }

    /// Why it failed. What the cluster does not say is taken from its tasks.
    pub(super) fn with_failed_task(&self, (reason, message): Why) -> Why {
        if message.is_some() || reason.as_deref().is_some_and(|reason| reason != reason::TASK_FAILED) {
            return (reason, message);
        }
        let find = |state: TaskState| self.present_tasks().find(|task| task.state == state);
        let (word, message) = match find(TaskState::Failed).or_else(|| find(TaskState::Stopped)) {
            Some(task) => (reason::TASK_FAILED, task.sentence()),
            None if reason.is_some() => (reason::TASK_FAILED, "a task failed".to_owned()),
            None => (reason::UNKNOWN, "the cluster does not say why it failed".to_owned()),
        };
        (Some(word.to_owned()), Some(message))
    }

    /// Marks those of its tasks as stopped whose pods are being deleted, with the known reason.
    pub(super) fn stop_leaving_tasks(&mut self) {
        let leaving = self.tasks.0.iter_mut().filter(|task| task.state == TaskState::Running && task.leaving);
        leaving.for_each(|task| task.state = TaskState::Stopped);
    }

    /// Every task succeeded, whatever the watch of pods has reported so far.
    pub(super) fn tasks_succeeded(&mut self) {
        let unfinished = self.tasks.0.iter_mut().filter(|task| task.attempt == self.attempt && !task.has_ended());
        for task in unfinished {
            (task.state, task.reason, task.message) = (TaskState::Succeeded, None, None);
        }
    }

    /// Its tasks end with it. Their pods may still report how.
    pub(super) fn end_tasks(&mut self) {
        let (since, attempt) = (self.ended_from_outside(), self.attempt);
        for task in &mut self.tasks.0 {
            let with_job = task.attempt == attempt && since.is_some_and(|since| was_ended(task, since));
            match task.state {
                _ if with_job => end_task(task),
                TaskState::Running => stop_task(task, task::JOB_ENDED),
                TaskState::Waiting => {
                    let said = waiting::of_task(task).is_some();
                    task.state = TaskState::Stopped;
                    task.reason = task.reason.take().filter(|_| said).or_else(|| Some(task::JOB_ENDED.to_owned()));
                }
                TaskState::Succeeded | TaskState::Failed | TaskState::Stopped => {}
            }
        }
    }
}

fn stop_task(task: &mut Task, why: &str) {
    task.state = TaskState::Stopped;
    // The reason why its pod is deleted may already be known.
    if !task.leaving || task.reason.as_deref().is_none_or(|word| word == stop::POD_DELETED) {
        task.reason = Some(why.to_owned());
    }
    task.message = None;
}

/// A task that had ended, or whose stop its pod explains, was stopped because its job was ended.
fn end_task(task: &mut Task) {
    (task.state, task.reason, task.message) = (TaskState::Stopped, Some(task::JOB_ENDED.to_owned()), None);
}

/// Whether a task that is over was ended by the end of its job. Nodes and API servers report time in whole seconds.
fn was_ended(task: &Task, since: DateTime<Utc>) -> bool {
    let after = |slack: Duration| task.finished_at.is_none_or(|finished| finished + slack >= since);
    match task.state {
        TaskState::Succeeded | TaskState::Failed => {
            let later = task.finished_at.is_some_and(|finished| finished.timestamp() > since.timestamp());
            later || was_killed(task) && after(SKEW)
        }
        TaskState::Stopped => task.reason.as_deref() == Some(stop::POD_DELETED) && after(SKEW),
        TaskState::Waiting | TaskState::Running => false,
    }
}

/// A stopped program ends by being killed.
fn was_killed(task: &Task) -> bool {
    matches!(task.signal, Some(SIGKILL | SIGTERM)) && task.reason.as_deref() != Some(OUT_OF_MEMORY)
}

/// Whether the pod's report replaces what is known about its task.
fn takes_over(before: &Task, task: &Task, pod: &TaskPod) -> bool {
    if before.attempt != task.attempt {
        return before.attempt < task.attempt;
    }
    if before.uid == task.uid {
        let says_more = pod.gone && !before.gone || pod.troubled;
        return pod.listed || before.version < task.version || before.version == task.version && says_more;
    }
    // Two pods for one task: the one that continues is kept, else the newer one.
    !before.is_live() && !pod.gone && (task.is_live() || before.version < task.version)
}

/// An end is final: a pod that ended by itself and is deleted later was not stopped, and one that was stopped is not
/// running. `since` is when the job was ended from outside: a task that had succeeded well before was not stopped with
/// it.
fn keep(before: &Task, task: &mut Task, since: Option<DateTime<Utc>>) {
    let ended = before.has_ended() && !(task.has_ended() && before.exit_code.is_none());
    let stopped = before.state == TaskState::Stopped && matches!(task.state, TaskState::Waiting | TaskState::Running);
    let killed = task.state == TaskState::Failed && was_killed(task);
    let was_going = before.leaving && before.reason.as_deref().is_some_and(stop::is_word);
    let with_job = before.reason.as_deref() == Some(task::JOB_ENDED);
    let stopped_before = before.state == TaskState::Stopped
        && !(with_job && since.is_some_and(|since| task.finished_at.is_some_and(|finished| finished + SKEW < since)));
    if killed && (was_going || stopped_before) {
        task.state = TaskState::Stopped;
        task.reason.clone_from(&before.reason);
    }
    if ended || stopped {
        task.state = before.state;
        task.reason.clone_from(&before.reason);
        task.message.clone_from(&before.message);
        task.container.clone_from(&before.container);
        task.in_init = before.in_init;
    }
    if before.state == TaskState::Stopped && task.state == TaskState::Stopped {
        task.reason.clone_from(&before.reason);
    }
}
