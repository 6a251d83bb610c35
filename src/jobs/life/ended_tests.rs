//! A task that ends with its job has the same result, whichever of the two ends is reported first.

use super::tests::{NAME, now, state, submitted, task_pod};
use super::*;
use crate::cluster::pods::PodState;
use crate::jobs::model::task::TaskState;

type End = fn(&mut Life);

/// The ways in which a job is ended from outside, all at [`now`].
const ENDS: [(&str, End); 3] = [
    ("cancelled", |life| drop(life.observe(&gone(), now()))),
    ("deleted", |life| drop(life.observe(&gone(), now()))),
    ("over its deadline", |life| drop(life.overdue(now()))),
];

fn gone() -> Seen {
    Seen::Gone(ObjectRef { name: NAME.into(), uid: Some("u".into()) })
}

fn running(end: &str) -> Life {
    let mut life = submitted();
    life.observe(&Seen::Object(state(1, ObjectPhase::Running)), now() - Duration::hours(1));
    life.observe(&Seen::Pod(task_pod(1, PodState::Running)), now() - Duration::hours(1));
    if end == "over its deadline" {
        life.deadline_seconds = Some(3600);
    }
    if end == "cancelled" {
        life.cancel_requested_at = Some(now());
    }
    life
}

/// The pod of the task, which is being deleted and has ended so many seconds after the job was.
fn ended(code: i32, reason: &str, after: i64) -> TaskPod {
    TaskPod {
        leaving: true,
        exit_code: Some(code),
        signal: (code > 128).then_some(code - 128),
        reason: Some(reason.to_owned()),
        finished_at: Some(now().timestamp() + after),
        ..task_pod(2, if code == 0 { PodState::Succeeded } else { PodState::Failed })
    }
}

/// The task after both ends, the one first and then the other.
fn in_both_orders(pod: &TaskPod) -> String {
    let kept = |life: &Life| {
        let task = &life.tasks.0[0];
        format!("{:?} {:?} {}", task.state, task.exit_code, task.reason.as_deref().unwrap_or("-"))
    };
    let rows = ENDS.map(|(what, end)| {
        let (mut pod_first, mut job_first) = (running(what), running(what));
        pod_first.observe(&Seen::Pod(pod.clone()), now());
        end(&mut pod_first);
        end(&mut job_first);
        job_first.observe(&Seen::Pod(pod.clone()), now());
        assert!(pod_first.phase.is_terminal() && pod_first.phase == job_first.phase, "{what}");
        assert_eq!(kept(&pod_first), kept(&job_first), "{what}: {pod:?}");
        kept(&pod_first)
    });
    assert!(rows.iter().all(|row| *row == rows[0]), "{rows:?}");
    rows[0].clone()
}

#[test]
fn a_task_that_ends_after_its_job_was_ended_from_outside_was_stopped() {
    let table = [
        ("killed", in_both_orders(&ended(137, "Error", 1))),
        ("told to end", in_both_orders(&ended(143, "Error", 1))),
        ("told to end, with a code of its own", in_both_orders(&ended(1, "Error", 1))),
        ("told to end, which it did well", in_both_orders(&ended(0, "Completed", 1))),
        ("killed within the same second", in_both_orders(&ended(137, "Error", 0))),
        ("killed on a node whose clock is late", in_both_orders(&ended(137, "Error", -2))),
        (
            "its pod says why itself",
            in_both_orders(&TaskPod { stopped: Some("PodDeleted"), ..ended(137, "PodDeleted", 1) }),
        ),
    ];
    let table: String = table.iter().map(|(what, kept)| format!("{what}: {kept}\n")).collect();
    insta::assert_snapshot!(table, @"
    killed: Stopped Some(137) JobEnded
    told to end: Stopped Some(143) JobEnded
    told to end, with a code of its own: Stopped Some(1) JobEnded
    told to end, which it did well: Stopped Some(0) JobEnded
    killed within the same second: Stopped Some(137) JobEnded
    killed on a node whose clock is late: Stopped Some(137) JobEnded
    its pod says why itself: Stopped Some(137) JobEnded
    ");
}

#[test]
fn a_task_that_had_ended_by_itself_before_keeps_its_end() {
    let table = [
        ("failed", in_both_orders(&ended(3, "Error", -1))),
        ("succeeded", in_both_orders(&ended(0, "Completed", -1))),
        ("needed too much memory", in_both_orders(&ended(137, "OOMKilled", -1))),
        ("was killed a minute before", in_both_orders(&ended(137, "Error", -60))),
        ("failed within the same second", in_both_orders(&ended(3, "Error", 0))),
    ];
    let table: String = table.iter().map(|(what, kept)| format!("{what}: {kept}\n")).collect();
    insta::assert_snapshot!(table, @"
    failed: Failed Some(3) Error
    succeeded: Succeeded Some(0) Completed
    needed too much memory: Failed Some(137) OOMKilled
    was killed a minute before: Failed Some(137) Error
    failed within the same second: Failed Some(3) Error
    ");
}

#[test]
fn a_job_that_failed_by_a_task_says_nothing_of_the_ends_of_the_others() {
    let mut life = running("by a task");
    life.observe(&Seen::Object(ObjectState { failed: 1, ..state(2, ObjectPhase::Failed) }), now());
    life.observe(&Seen::Pod(TaskPod { leaving: false, ..ended(3, "Error", 0) }), now());
    assert_eq!((life.tasks.0[0].state, life.tasks.0[0].exit_code), (TaskState::Failed, Some(3)));
}
