//! The next step of a reader of a task's log: wait, read a pod, or end. Pure, so that it is a table with a test.

use super::cursor::Place;
use crate::jobs::model::task::{Task, TaskState};
use crate::jobs::phase::JobPhase;

/// How the log of a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
pub enum LogEnd {
    /// The task has finished, and its log was sent completely.
    Complete,
    /// The task has finished and its pod was deleted. Lines that had not been sent by then are lost.
    Removed,
    /// The task has finished, but some lines are missing because they are no longer available: the cluster keeps the
    /// last two runs of a container that was restarted, the end of a very long log, and nothing of a pod that was
    /// replaced.
    Incomplete,
}

/// The known state of the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// The phase of its job.
    pub phase: JobPhase,
    /// What the cluster reported about its newest pod.
    pub task: Option<Task>,
    /// The current attempt of its job, from 1.
    pub attempt: i32,
    /// Maximum number of retries of the job.
    pub retry_limit: i32,
}

/// The progress of the reader with the pod at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It is still to be read, or read further.
    Open,
    /// It no longer exists. `told`: its log was read to the end before that.
    Gone {
        /// Whether its log was read to the end.
        told: bool,
    },
}

/// The next step of the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Wait until there is news of the job.
    Wait,
    /// Read this pod.
    Read {
        /// Its name.
        pod: String,
        /// Its uid.
        uid: String,
        /// Whether it has ended, so that its log is complete.
        ended: bool,
    },
    /// Nothing more will follow.
    End(LogEnd),
}

/// The next step of the reader. `early`: something can be read before the task's own containers start.
pub fn next(sight: &Sight, place: &Place, progress: Progress, early: bool) -> Next {
    let over = sight.phase.is_terminal();
    let pod = sight.task.as_ref().and_then(|task| Some((task, task.pod.clone()?, task.uid.clone()?)));
    let Some((task, pod, uid)) = pod else {
        return if over { Next::End(LogEnd::Complete) } else { Next::Wait };
    };
    let began = task.started_at.is_some() || early && task.node.is_some();
    let ended = match task.state {
        TaskState::Waiting | TaskState::Stopped if !began && over => return Next::End(LogEnd::Complete),
        TaskState::Waiting | TaskState::Stopped if !began => return Next::Wait,
        TaskState::Waiting | TaskState::Running => over,
        TaskState::Stopped => over || task.gone || task.finished_at.is_some(),
        TaskState::Succeeded | TaskState::Failed => true,
    };
    // A pod that ends because it is being deleted may have been preempted: its task runs again. The same applies while
    // the job has retries left, and if the job is already at another attempt.
    let stopped = task.leaving || task.state == TaskState::Stopped;
    let runs_again = stopped || sight.attempt <= sight.retry_limit || task.attempt < sight.attempt;
    let is_last = over || (ended && !runs_again);
    let is_here = place.pod.as_ref() == Some(&uid);
    match progress {
        _ if is_here && place.whole => end_or_wait(is_last, LogEnd::Complete),
        Progress::Gone { told } if is_here => {
            end_or_wait(is_last, if told { LogEnd::Complete } else { LogEnd::Removed })
        }
        Progress::Open | Progress::Gone { .. } => Next::Read { pod, uid, ended },
    }
}

fn end_or_wait(is_last: bool, end: LogEnd) -> Next {
    if is_last { Next::End(end) } else { Next::Wait }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobId;

    fn task(uid: &str, state: TaskState, leaving: bool) -> Option<Task> {
        let started_at = (state != TaskState::Waiting).then(chrono::Utc::now);
        Some(Task { pod: Some("p".into()), uid: Some(uid.into()), leaving, started_at, ..Task::of_state(state) })
    }

    fn place(pod: Option<&str>, whole: bool) -> Place {
        let pod = pod.map(str::to_owned);
        Place { pod, whole, ..Place::start(JobId::from_uuid(uuid::Uuid::nil()), 0) }
    }

    fn told(phase: JobPhase, task: Option<Task>, place: &Place, progress: Progress) -> String {
        told_of(&Sight { phase, task, attempt: 1, retry_limit: 0 }, place, progress)
    }

    fn told_of(sight: &Sight, place: &Place, progress: Progress) -> String {
        match next(sight, place, progress, false) {
            Next::Wait => "wait".to_owned(),
            Next::Read { uid, ended, .. } => format!("read {uid}{}", if ended { ", which has ended" } else { "" }),
            Next::End(end) => format!("{end:?}"),
        }
    }

    #[test]
    fn the_table() {
        use JobPhase::{Cancelled, Failed, Queued, Running, Submitted, Succeeded};
        use Progress::{Gone, Open};
        use TaskState::{Failed as Bad, Running as Runs, Stopped, Succeeded as Good, Waiting};
        let start = place(None, false);
        let (in_a, all_of_a) = (place(Some("a"), false), place(Some("a"), true));
        let table = [
            ("not sent yet", told(Submitted, None, &start, Open)),
            ("queued", told(Queued, None, &start, Open)),
            ("being placed", told(Queued, task("a", Waiting, false), &start, Open)),
            ("cancelled before it ran", told(Cancelled, None, &start, Open)),
            ("runs", told(Running, task("a", Runs, false), &start, Open)),
            ("runs on", told(Running, task("a", Runs, false), &in_a, Open)),
            ("succeeded", told(Running, task("a", Good, false), &in_a, Open)),
            ("all told", told(Running, task("a", Good, false), &all_of_a, Open)),
            ("failed, all told", told(Failed, task("a", Bad, false), &all_of_a, Open)),
            ("stopped to make room", told(Queued, task("a", Bad, true), &all_of_a, Open)),
            ("stopped with its job", told(Cancelled, task("a", Stopped, false), &in_a, Open)),
            ("waits again", told(Queued, task("a", Waiting, true), &all_of_a, Open)),
            ("runs again", told(Running, task("b", Runs, false), &all_of_a, Open)),
            ("cancelled, pod gone", told(Cancelled, task("a", Runs, false), &in_a, Gone { told: true })),
            ("removed before it was read", told(Succeeded, task("a", Good, false), &in_a, Gone { told: false })),
            ("gone, but not over", told(Running, task("a", Runs, false), &in_a, Gone { told: true })),
        ];
        let table: String = table.iter().map(|(what, next)| format!("{what}: {next}\n")).collect();
        insta::assert_snapshot!(table, @r"
        not sent yet: wait
        queued: wait
        being placed: wait
        cancelled before it ran: Complete
        runs: read a
        runs on: read a
        succeeded: read a, which has ended
        all told: Complete
        failed, all told: Complete
        stopped to make room: wait
        stopped with its job: read a, which has ended
        waits again: wait
        runs again: read b
        cancelled, pod gone: Complete
        removed before it was read: Removed
        gone, but not over: wait
        ");
    }

    #[test]
    fn the_init_containers_of_a_task_that_does_not_run_yet_are_read() {
        let placed = Task { node: Some("gpu-1".into()), ..task("a", TaskState::Waiting, false).unwrap() };
        let sight = Sight { phase: JobPhase::Queued, task: Some(placed), attempt: 1, retry_limit: 0 };
        let start = place(None, false);
        assert!(matches!(next(&sight, &start, Progress::Open, true), Next::Read { ended: false, .. }));
        assert_eq!(next(&sight, &start, Progress::Open, false), Next::Wait);
    }

    #[test]
    fn a_task_that_may_run_again_has_no_last_pod_until_its_job_is_over() {
        let all_of_a = place(Some("a"), true);
        let after_failure = |phase, attempt, retry_limit| {
            let sight = Sight { phase, task: task("a", TaskState::Failed, false), attempt, retry_limit };
            told_of(&sight, &all_of_a, Progress::Open)
        };
        assert_eq!(after_failure(JobPhase::Running, 1, 1), "wait", "retries are left");
        assert_eq!(after_failure(JobPhase::Queued, 2, 1), "wait", "the last attempt has no pod yet");
        assert_eq!(after_failure(JobPhase::Failed, 2, 1), "Complete");
    }
}
