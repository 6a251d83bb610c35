//! A job that is run as several objects.

use proptest::prelude::*;

use super::super::tests::{NAME, now, state, submitted, task_pod};
use super::*;
use crate::cluster::pods::{PodState, TaskPod, stop};
use crate::executor::ExecutorMode;
use crate::jobs::life::Seen;

fn life() -> Life {
    Life { executor: ExecutorMode::Local, ..submitted() }
}

fn part(number: usize, of: usize, version: i64, phase: ObjectPhase) -> Seen {
    let name = if number == 0 { NAME.to_owned() } else { format!("{NAME}-part-{number}") };
    Seen::Part(PartState { number, of, name, uid: format!("u{number}"), state: state(version, phase) })
}

fn see(life: &mut Life, seen: impl IntoIterator<Item = Seen>) -> Vec<String> {
    let events = seen.into_iter().flat_map(|seen| life.observe(&seen, now())).collect::<Vec<_>>();
    events.iter().map(|event| format!("{} {}", event.kind.as_str(), event.phase.as_str())).collect()
}

#[test]
fn a_job_has_succeeded_when_every_part_has() {
    let mut life = life();
    let first = [part(0, 2, 1, ObjectPhase::Untold), part(1, 2, 2, ObjectPhase::Running)];
    see(&mut life, first);
    see(&mut life, [part(1, 2, 3, ObjectPhase::Succeeded)]);
    assert!(!life.phase.is_terminal(), "{life:?}");
    see(&mut life, [part(0, 2, 4, ObjectPhase::Running), part(0, 2, 5, ObjectPhase::Succeeded)]);
    assert_eq!(life.phase, JobPhase::Succeeded);
}

#[test]
fn a_job_fails_with_the_first_part_that_does() {
    let mut life = life();
    let Seen::Part(mut failed) = part(1, 3, 9, ObjectPhase::Failed) else { unreachable!() };
    (failed.state.reason, failed.state.message) = (Some("TaskFailed".into()), Some("task 2 failed: Error".into()));
    see(&mut life, [part(0, 3, 7, ObjectPhase::Running), Seen::Part(failed)]);
    assert_eq!((life.phase, life.message.as_deref()), (JobPhase::Failed, Some("task 2 failed: Error")));
    assert_eq!((life.parts.are_unfinished(), life.next_attempt_at), (true, Some(now())), "the others are stopped");
    life.rest_stopped(now());
    assert_eq!((life.parts.are_unfinished(), life.next_attempt_at), (false, None), "what has ended is kept");
}

#[test]
fn a_part_that_was_never_seen_is_looked_for() {
    let mut life = life();
    see(&mut life, [part(0, 2, 1, ObjectPhase::Untold)]);
    assert_eq!(life.next_attempt_at, Some(now() + MISSING));
    see(&mut life, [part(1, 2, 2, ObjectPhase::Untold)]);
    assert_eq!((life.parts.are_incomplete(), life.next_attempt_at), (false, None));
}

#[test]
fn a_part_that_somebody_deletes_ends_the_job_and_the_rest_is_deleted() {
    let mut life = life();
    see(&mut life, [part(0, 2, 1, ObjectPhase::Running), part(1, 2, 2, ObjectPhase::Running)]);
    let whole = ObjectRef { name: NAME.into(), uid: life.object_uid.clone() };
    see(&mut life, [Seen::PartGone { name: format!("{NAME}-part-1"), whole }]);
    assert_eq!((life.phase, life.reason.as_deref()), (JobPhase::Failed, Some(reason::DELETED)));
    assert_eq!(life.next_attempt_at, Some(now()));
}

#[test]
fn a_job_whose_only_pod_makes_room_for_another_is_preempted() {
    let mut life = life();
    life.observe(&Seen::Object(state(1, ObjectPhase::Running)), now());
    life.observe(&Seen::Pod(task_pod(2, PodState::Running)), now());
    let stopped = Some(stop::PREEMPTED_BY_SCHEDULER);
    let evicted =
        TaskPod { leaving: true, stopped, reason: stopped.map(str::to_owned), ..task_pod(3, PodState::Failed) };
    assert_eq!(see(&mut life, [Seen::Pod(evicted)]), ["TASK_CHANGED RUNNING", "PREEMPTED QUEUED"]);
    assert_eq!((life.preemptions, life.reason.as_deref()), (1, Some("Preempted")));
}

proptest! {
    /// Whatever the order in which the parts report: the job succeeds exactly if all do.
    #[test]
    fn the_order_of_the_parts_does_not_matter(order in Just(vec![0_usize, 1, 2]).prop_shuffle(), failing in proptest::option::of(0_usize..3)) {
        let mut life = life();
        for (version, number) in order.iter().enumerate() {
            life.observe(&part(*number, 3, version as i64, ObjectPhase::Running), now());
        }
        for (version, number) in order.iter().enumerate() {
            let phase = if failing == Some(*number) { ObjectPhase::Failed } else { ObjectPhase::Succeeded };
            life.observe(&part(*number, 3, 10 + version as i64, phase), now());
        }
        let end = if failing.is_some() { JobPhase::Failed } else { JobPhase::Succeeded };
        prop_assert_eq!(life.phase, end);
    }
}
