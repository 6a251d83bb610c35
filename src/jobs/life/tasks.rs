//! What pods say becomes the job's tasks, and the tasks say whether the job runs.

use chrono::{DateTime, Utc};

use super::{Life, NewEvent, placed, reason, waiting};
use crate::cluster::names;
use crate::cluster::pods::{FAILED_MOUNT, TaskPod, stop};
use crate::jobs::model::task::{self, Task, TaskState};
use crate::jobs::phase::{JobEventKind, JobPhase};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

impl Life {
    /// The uid of its object is known now. What pods of another one said meanwhile is forgotten.
    pub(super) fn know_object(&mut self, uid: &str) {
        if self.object_uid.as_deref() != Some(uid) {
            self.object_uid = Some(uid.to_owned());
            let attempt = self.attempt;
            self.tasks
                .0
                .retain(|task| task.attempt != attempt || task.owner.as_deref().is_none_or(|owner| owner == uid));
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
        // Of an older version is kept that it is older: what comes next is compared with it.
        if before.as_ref().is_some_and(|before| is_same(before) && before.version <= task.version) {
            return Vec::new();
        }
        let waited_for = self.tasks.0.iter().find_map(waiting::of_task);
        match known {
            Some(place) => self.tasks.0[place] = task.clone(),
            None => {
                self.tasks.0.push(task.clone());
                self.tasks.0.sort_by_key(|task| task.index);
            }
        }
        let mut events = self.steps_to_work(before.as_ref(), &task, now);
        self.tell_what_tasks_wait_for(waited_for.as_deref());
        if !self.phase.is_terminal() && is_worth_telling(before.as_ref(), &task) {
            events.push(NewEvent {
                kind: JobEventKind::TaskChanged,
                phase: self.phase,
                previous_phase: None,
                reason: task.reason.clone(),
                message: Some(task.sentence()),
            });
        }
        if self.follows(&task) {
            let replaced = before.filter(|before| before.uid != task.uid);
            events.extend(self.fall_back(replaced.as_ref(), now));
        }
        events
    }

    /// The attempt that a pod runs a task of; `None` if no object of the job controls it.
    fn attempt_of(&self, pod: &TaskPod) -> Option<i32> {
        if pod.namespace != self.namespace {
            return None;
        }
        if pod.owner.name == self.object_name {
            let is_old = names::is_of_earlier_attempt(&self.object_name, self.id, self.attempt);
            let attempt = if is_old { (self.attempt - 1).max(1) } else { self.attempt };
            // While the uid is not known yet, what such a pod says is kept with its owner's, to be compared later.
            return self.object_uid.as_ref().is_none_or(|uid| *uid == pod.owner.uid).then_some(attempt);
        }
        // The object of the attempt before is gone and its uid with it: its pods are those that were known then.
        let before = self.attempt - 1;
        let is_known =
            |task: &Task| task.attempt == before && task.owner.as_ref().is_none_or(|owner| *owner == pod.owner.uid);
        let is_of_that = before >= 1 && pod.owner.name == names::job_attempt(self.id, before);
        (is_of_that && self.tasks.0.iter().any(is_known)).then_some(before)
    }

    /// Whether what this task does says something of the job.
    fn follows(&self, task: &Task) -> bool {
        task.attempt == self.attempt
            && !self.is_restarting()
            && !self.phase.is_terminal()
            && self.cancel_requested_at.is_none()
    }

    /// Makes of what the pod says what is so, by what was known before and by what the job does.
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
        if let Some(before) = same_pod.filter(|_| !went_back) {
            keep(before, task);
            let unmounted = before.reason.as_deref() == Some(FAILED_MOUNT) && !pod.mounted && pod.is_being_created();
            if unmounted && task.state == TaskState::Waiting && !pod.gone {
                // The pod's status does not say so, and the event is not told again for a while.
                task.reason.clone_from(&before.reason);
                task.message.clone_from(&before.message);
            }
        }
    }

    /// Why its pods are deleted, where that is the job's doing.
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

    /// The steps to RUNNING that this task's pod shows.
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

    /// A task that waits says more than the scheduler, which has done its part. When none does any more, that is over.
    fn tell_what_tasks_wait_for(&mut self, before: Option<&str>) {
        if self.phase.is_terminal() {
            return;
        }
        match self.tasks.0.iter().find_map(waiting::of_task) {
            Some(sentence) => self.pending_reason = Some(sentence),
            None if self.phase == JobPhase::Running => self.pending_reason = None,
            None if before.is_some() && self.pending_reason.as_deref() == before => {
                self.pending_reason = Some(placed::placed());
            }
            None => {}
        }
    }

    /// Its pods are stopped; what has ended keeps its result.
    pub(super) fn stop_tasks(&mut self, why: &str) {
        let running = self.tasks.0.iter_mut().filter(|task| task.state == TaskState::Running);
        running.for_each(|task| stop_task(task, why));
    }

    /// Those of its tasks whose pods are being deleted are stopped, for the reason that is known.
    pub(super) fn stop_leaving_tasks(&mut self) {
        let leaving = self.tasks.0.iter_mut().filter(|task| task.state == TaskState::Running && task.leaving);
        leaving.for_each(|task| task.state = TaskState::Stopped);
    }

    /// Every task of it succeeded, whatever the watch of pods has told by now.
    pub(super) fn tasks_succeeded(&mut self) {
        let unfinished = self.tasks.0.iter_mut().filter(|task| task.attempt == self.attempt && !task.has_ended());
        for task in unfinished {
            (task.state, task.reason, task.message) = (TaskState::Succeeded, None, None);
        }
    }

    /// Its tasks end with it. Their pods may still tell how.
    pub(super) fn end_tasks(&mut self) {
        for task in &mut self.tasks.0 {
            match task.state {
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
    // Why its pod goes may be known already.
    if !task.leaving || task.reason.as_deref().is_none_or(|word| word == stop::POD_DELETED) {
        task.reason = Some(why.to_owned());
    }
    task.message = None;
}

/// Whether what a pod says now takes the place of what is known of its task.
fn takes_over(before: &Task, task: &Task, pod: &TaskPod) -> bool {
    if before.attempt != task.attempt {
        return before.attempt < task.attempt;
    }
    if before.uid == task.uid {
        let says_more = pod.gone && !before.gone || pod.troubled;
        return pod.listed || before.version < task.version || before.version == task.version && says_more;
    }
    // Two pods for one task: the one that goes on is kept, else the newer one.
    !before.is_live() && !pod.gone && (task.is_live() || before.version < task.version)
}

/// An end stays: a pod that ended by itself and is deleted later was not stopped, and one that was stopped does not run.
fn keep(before: &Task, task: &mut Task) {
    let ended = before.has_ended() && !(task.has_ended() && before.exit_code.is_none());
    let stopped = before.state == TaskState::Stopped && matches!(task.state, TaskState::Waiting | TaskState::Running);
    // Killed is how a program ends that is stopped.
    let killed = task.state == TaskState::Failed && matches!(task.signal, Some(SIGKILL | SIGTERM));
    let was_going = before.leaving && before.reason.as_deref().is_some_and(stop::is_word);
    if killed && (was_going || before.state == TaskState::Stopped) {
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

/// Whether there is something to tell: its state is another, or its program crashed and is started again.
fn is_worth_telling(before: Option<&Task>, task: &Task) -> bool {
    let Some(before) = before else { return task.state != TaskState::Waiting };
    let moved = before.state != task.state || before.uid != task.uid && task.state != TaskState::Waiting;
    let restarted = task.state == TaskState::Running && task.is_restarted() && !before.is_restarted();
    moved && task.state != TaskState::Waiting || restarted
}
