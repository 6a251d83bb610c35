//! Events about tasks: every change of a task's state is reported by one event, whatever caused it.

use super::{JobEventKind, JobPhase, Life, NewEvent};
use crate::jobs::model::task::{Task, TaskState};

/// The fields by which a change of a task is detected.
struct Known {
    index: i32,
    state: TaskState,
    uid: Option<String>,
    restarted: bool,
}

impl Life {
    /// Changes the job and reports the changes of its tasks: before the event by which they are stopped or end with the
    /// job, if there is one. After the job's end nothing is reported.
    pub fn telling(&mut self, change: impl FnOnce(&mut Self) -> Vec<NewEvent>) -> Vec<NewEvent> {
        let (phase, before) = (self.phase, self.known());
        let mut events = change(self);
        if phase.is_terminal() {
            return events;
        }
        let place = events.iter().position(stops_tasks).unwrap_or(events.len());
        let phase = events.get(..place).and_then(<[NewEvent]>::last).map_or(phase, |event| event.phase);
        let rest = events.split_off(place);
        events.extend(self.became(&before, phase));
        events.extend(rest);
        events
    }

    fn known(&self) -> Vec<Known> {
        let of = |task: &Task| Known {
            index: task.index,
            state: task.state,
            uid: task.uid.clone(),
            restarted: task.is_restarted(),
        };
        self.tasks.0.iter().map(of).collect()
    }

    fn became(&self, before: &[Known], phase: JobPhase) -> Vec<NewEvent> {
        let event = |reason: Option<String>, message: String| NewEvent {
            kind: JobEventKind::TaskChanged,
            phase,
            previous_phase: None,
            reason,
            message: Some(message),
            job: None,
        };
        let tasks = &self.tasks.0;
        let changed = tasks.iter().filter(|task| is_news(before.iter().find(|known| known.index == task.index), task));
        let changed = changed.map(|task| event(task.reason.clone(), task.sentence()));
        // What was taken for its pod is not its pod: it has none yet.
        let is_lost = |known: &&Known| tasks.iter().all(|task| task.index != known.index);
        let lost = before.iter().filter(is_lost).filter(|known| known.state != TaskState::Waiting);
        let lost = lost.map(|known| event(None, Task::being_prepared(known.index)));
        changed.chain(lost).collect()
    }
}

/// Whether the event stops or ends tasks.
fn stops_tasks(event: &NewEvent) -> bool {
    event.previous_phase == Some(JobPhase::Running)
        || event.phase.is_terminal()
        || matches!(event.kind, JobEventKind::Preempted | JobEventKind::Retrying)
}

/// Whether its state has changed, another pod is in that state, or its program crashed and is restarted. An unknown
/// task waits for its pod, like one whose pod is being prepared.
fn is_news(before: Option<&Known>, task: &Task) -> bool {
    let Some(before) = before else { return task.state != TaskState::Waiting };
    let replaced = before.uid != task.uid && task.state != TaskState::Waiting;
    let restarted = task.state == TaskState::Running && task.is_restarted() && !before.restarted;
    before.state != task.state || replaced || restarted
}
