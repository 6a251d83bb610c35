//! The events of tasks, applied in order, result in the tasks of the row.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{NAME, now, state, submitted, task_pod};
use super::*;
use crate::cluster::names;
use crate::cluster::pods::{Owner, PodState};
use crate::jobs::model::task::{Task, TaskState};

/// What a client that hears the events knows of the tasks. One that it heard nothing of waits.
#[derive(Debug, Default)]
struct Client(BTreeMap<i32, (TaskState, Option<String>)>);

impl Client {
    fn hear(&mut self, event: &NewEvent) {
        if event.kind != JobEventKind::TaskChanged {
            return;
        }
        let told = event.message.as_deref().and_then(|message| message.strip_prefix("task ")).unwrap();
        let (index, what) = told.split_once(' ').unwrap();
        let state = match what {
            _ if what.starts_with("is being prepared") => TaskState::Waiting,
            _ if what.starts_with("is running") || what.starts_with("ended and is being restarted") => {
                TaskState::Running
            }
            _ if what.starts_with("succeeded") => TaskState::Succeeded,
            _ if what.starts_with("failed") => TaskState::Failed,
            _ if what.starts_with("was stopped") => TaskState::Stopped,
            _ => panic!("{told}"),
        };
        self.0.insert(index.parse().unwrap(), (state, event.reason.clone()));
    }

    fn state(&self, index: i32) -> TaskState {
        self.0.get(&index).map_or(TaskState::Waiting, |(state, _)| *state)
    }
}

/// The events of a step, applied in the same way as to rows.
fn step(life: &mut Life, step: &Step) -> Vec<NewEvent> {
    match step {
        Step::See(seen) => life.observe(seen, now()),
        Step::Restart => {
            // All that is left of a job is its row.
            let kept = serde_json::to_value(&life.tasks.0).unwrap();
            life.tasks.0 = serde_json::from_value(kept).unwrap();
            Vec::new()
        }
        Step::Created => life.telling(|life| life.created(&life.object_name.clone(), "u", now())),
        Step::Removed => {
            let object = ObjectRef { name: life.object_name.clone(), uid: None };
            life.telling(|life| life.gone(&object, now()))
        }
        Step::Cancel => {
            life.cancel_requested_at.get_or_insert(now());
            Vec::new()
        }
        Step::Later => life.telling(|life| life.overdue(now() + Duration::hours(1))),
    }
}

#[derive(Debug, Clone)]
enum Step {
    See(Box<Seen>),
    Restart,
    Created,
    Removed,
    Cancel,
    Later,
}

fn see(seen: Seen) -> Step {
    Step::See(Box::new(seen))
}

/// The objects of the first attempt and of the second.
fn object_of(attempt: i32) -> (String, String) {
    (names::job_attempt(submitted().id, attempt), format!("u{attempt}").replace("u1", "u"))
}

fn any_object() -> impl Strategy<Value = Seen> {
    let phases =
        [ObjectPhase::Untold, ObjectPhase::Pending, ObjectPhase::Running, ObjectPhase::Succeeded, ObjectPhase::Failed];
    (1i32..3, 0i64..20, proptest::sample::select(phases.to_vec()), any::<(bool, bool, bool)>()).prop_map(
        |(attempt, version, phase, (listed, preempted, failed))| {
            let (name, uid) = object_of(attempt);
            let preempted = preempted && phase == ObjectPhase::Pending;
            let reason = preempted.then(|| "Preempted".to_owned());
            let failed = i32::from(failed && phase == ObjectPhase::Failed);
            Seen::Object(ObjectState { name, uid, listed, preempted, reason, failed, ..state(version, phase) })
        },
    )
}

fn any_pod() -> impl Strategy<Value = Seen> {
    let pods = [PodState::Starting, PodState::Running, PodState::Succeeded, PodState::Failed];
    let ends = [None, Some((3, "Error")), Some((137, "Error")), Some((137, "OOMKilled"))];
    (
        (0i32..3, 1i32..3, 0i64..30, proptest::sample::select(pods.to_vec())),
        ("[ab]", proptest::sample::select(ends.to_vec()), any::<[bool; 4]>(), -3i64..3),
    )
        .prop_map(|((task, attempt, version, state), (uid, end, [leaving, gone, listed, crashed], after))| {
            let (name, owner) = object_of(attempt);
            let end = end.filter(|_| state == PodState::Failed);
            let crashed = (crashed && state == PodState::Running).then(|| "CrashLoopBackOff".to_owned());
            Seen::Pod(TaskPod {
                task,
                uid: Some(format!("{uid}{task}")),
                owner: Owner { name, uid: owner },
                leaving,
                gone,
                listed,
                stopped: (leaving && after > 0).then_some("PodDeleted"),
                exit_code: end.map(|(code, _)| code),
                signal: end.and_then(|(code, _)| (code > 128).then_some(code - 128)),
                reason: end.map(|(_, reason)| reason.to_owned()).or(crashed),
                finished_at: end.map(|_| now().timestamp() + after),
                ..task_pod(version, state)
            })
        })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any_pod().prop_map(see),
        5 => any_object().prop_map(see),
        1 => "u2?".prop_map(|uid| see(Seen::Gone(ObjectRef { name: NAME.into(), uid: Some(uid) }))),
        2 => Just(Step::Restart),
        2 => Just(Step::Created),
        1 => Just(Step::Removed),
        1 => Just(Step::Cancel),
        1 => Just(Step::Later),
    ]
}

/// The parts of the tasks whose changes are reported by events.
fn shown(life: &Life) -> BTreeMap<i32, (TaskState, Option<String>, bool)> {
    let of = |task: &Task| (task.index, (task.state, task.uid.clone(), task.is_restarted()));
    life.tasks.0.iter().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn the_events_put_together_are_the_tasks(
        steps in proptest::collection::vec(any_step(), 0..40), retry_limit in 0i32..2, limited: bool,
    ) {
        let mut life = Life { retry_limit, deadline_seconds: limited.then_some(60), ..submitted() };
        let mut client = Client::default();
        for next in steps {
            let (before, was_over) = (shown(&life), life.phase.is_terminal());
            let events = step(&mut life, &next);
            let of_tasks = events.iter().filter(|event| event.kind == JobEventKind::TaskChanged);
            let changed = shown(&life);
            if was_over {
                prop_assert!(events.is_empty(), "nothing is told after a job's end");
                continue;
            }
            prop_assert!(before != changed || of_tasks.clone().next().is_none(), "told without a change: {events:?}");
            let mut tasks: Vec<_> =
                of_tasks.map(|event| event.message.as_deref().and_then(|it| it.split(' ').nth(1)).unwrap()).collect();
            let told = tasks.len();
            tasks.dedup();
            prop_assert_eq!(tasks.len(), told, "a change is told once: {:?}", events);
            let mut phase = None;
            for event in &events {
                prop_assert!(phase.is_none_or(|phase| event.previous_phase.is_none_or(|before| before == phase)));
                if event.kind == JobEventKind::TaskChanged {
                    prop_assert!(phase.is_none_or(|phase| phase == event.phase), "the job's phase is the same");
                }
                phase = Some(event.phase);
                client.hear(event);
            }
            for index in 0..3 {
                let task = life.tasks.0.iter().find(|task| task.index == index);
                let state = task.map_or(TaskState::Waiting, |task| task.state);
                prop_assert_eq!(client.state(index), state, "task {} after {:?}: {:?}", index, next, events);
            }
        }
    }
}

fn told(events: &[NewEvent]) -> Vec<String> {
    let what = |event: &NewEvent| {
        format!("{} {}: {}", event.kind.as_str(), event.phase.as_str(), event.message.as_deref().unwrap_or("-"))
    };
    events.iter().map(what).collect()
}

/// Two tasks, of which the first runs and the second is being prepared.
fn running() -> Life {
    let mut life = submitted();
    life.observe(&Seen::Object(state(1, ObjectPhase::Running)), now());
    life.observe(&Seen::Pod(task_pod(1, PodState::Running)), now());
    let second = TaskPod { task: 1, uid: Some("second".into()), ..task_pod(2, PodState::Starting) };
    life.observe(&Seen::Pod(second), now());
    life
}

#[test]
fn what_tasks_became_while_nobody_watched_is_told_before_their_job_s_end() {
    let mut life = running();
    let events = life.observe(&Seen::Object(ObjectState { listed: true, ..state(9, ObjectPhase::Succeeded) }), now());
    insta::assert_snapshot!(told(&events).join("\n"), @"
    TASK_CHANGED RUNNING: task 0 succeeded
    TASK_CHANGED RUNNING: task 1 succeeded
    PHASE_CHANGED SUCCEEDED: -
    ");
}

#[test]
fn tasks_that_are_stopped_with_their_job_are_told_before_it() {
    let mut life = running();
    life.cancel_requested_at = Some(now());
    let events = life.observe(&Seen::Gone(ObjectRef { name: NAME.into(), uid: Some("u".into()) }), now());
    insta::assert_snapshot!(told(&events).join("\n"), @"
    TASK_CHANGED RUNNING: task 0 was stopped: its job has ended
    TASK_CHANGED RUNNING: task 1 was stopped: its job has ended
    PHASE_CHANGED CANCELLED: -
    ");
}

#[test]
fn a_task_that_is_prepared_anew_is_told() {
    let mut life = running();
    let reason = Some("Preempted".to_owned());
    let preempted = ObjectState { reason, preempted: true, ..state(2, ObjectPhase::Pending) };
    let mut events = life.observe(&Seen::Object(preempted), now());
    let next = TaskPod { uid: Some("next".into()), ..task_pod(5, PodState::Starting) };
    events.extend(life.observe(&Seen::Pod(next), now()));
    insta::assert_snapshot!(told(&events).join("\n"), @"
    TASK_CHANGED RUNNING: task 0 was stopped: its job made room for one in a higher queue
    PREEMPTED QUEUED: stopped to make room for a job in a higher queue; it will start again when there is room
    TASK_CHANGED QUEUED: task 0 is being prepared
    ");
}
