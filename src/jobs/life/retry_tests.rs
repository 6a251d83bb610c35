//! Retries: a table, and a model of cluster, worker and watch in which any message may be late, repeated or lost.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::tests::{NAME, now, submitted, task_pod};
use super::*;
use crate::cluster::names;
use crate::cluster::pods::{Owner, PodState};
use crate::jobs::model::task::TaskState;

fn retrying(retries: i32) -> Life {
    Life { retry_limit: retries, ..submitted() }
}

fn state(name: &str, uid: &str, version: i64, phase: ObjectPhase) -> ObjectState {
    ObjectState {
        name: name.into(),
        uid: uid.into(),
        reason: (phase == ObjectPhase::Failed).then(|| "TaskFailed".to_owned()),
        message: (phase == ObjectPhase::Failed).then(|| "task 0 failed".to_owned()),
        ..tests::state(version, phase)
    }
}

/// The pod of task 0 that runs for the object of this name and uid.
fn running(name: &str, uid: &str, version: i64) -> Seen {
    let owner = Owner { name: name.into(), uid: uid.into() };
    Seen::Pod(TaskPod { uid: Some(format!("{uid}-pod")), owner, ..task_pod(version, PodState::Running) })
}

fn see(life: &mut Life, state: ObjectState) -> Vec<NewEvent> {
    life.observe(&Seen::Object(state), now())
}

fn object_ref(name: &str, uid: &str) -> ObjectRef {
    ObjectRef { name: name.into(), uid: Some(uid.into()) }
}

#[test]
fn a_failed_job_is_queued_again_and_its_next_object_has_another_name() {
    let mut life = retrying(1);
    life.observe(&running(NAME, "u1", 1), now());
    let told = see(&mut life, state(NAME, "u1", 2, ObjectPhase::Failed));
    let [task, event] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(task.message.as_deref(), Some("task 0 was stopped: its job is being retried"));
    assert_eq!(
        (event.kind, event.phase, event.previous_phase),
        (JobEventKind::Retrying, JobPhase::Queued, Some(JobPhase::Running))
    );
    assert_eq!(event.message.as_deref(), Some("attempt 1 of 2 failed: task 0 failed"));
    assert_eq!(life.pending_reason.as_deref(), Some("Attempt 1 of 2 failed; the next one is being started."));
    assert_eq!((life.attempt, life.is_restarting(), life.next_attempt_at), (2, true, Some(now())));

    assert!(life.gone(&object_ref(NAME, "u1"), now()).is_empty());
    assert!(life.is_unsent() && !life.is_restarting());
    assert_eq!(life.object_name, format!("{NAME}-retry-1"));

    life.created(&format!("{NAME}-retry-1"), "u2", now());
    let told = see(&mut life, state(&format!("{NAME}-retry-1"), "u2", 9, ObjectPhase::Failed));
    assert_eq!(told.last().unwrap().phase, JobPhase::Failed);
    assert_eq!((life.phase, life.reason.as_deref()), (JobPhase::Failed, Some("TaskFailed")));
}

#[test]
fn what_is_heard_late_of_the_old_object_says_nothing_of_the_new_one() {
    let mut life = retrying(2);
    see(&mut life, state(NAME, "u1", 1, ObjectPhase::Failed));
    assert!(see(&mut life, state(NAME, "u1", 2, ObjectPhase::Failed)).is_empty(), "told once");
    life.gone(&object_ref(NAME, "u1"), now());
    let before = life.clone();
    assert!(see(&mut life, state(NAME, "u1", 3, ObjectPhase::Failed)).is_empty());
    assert!(life.gone(&object_ref(NAME, "u1"), now()).is_empty());
    assert!(life.created(NAME, "u1", now()).is_empty());
    assert_eq!(life, before);
}

#[test]
fn nothing_else_than_a_failure_in_the_cluster_is_tried_again() {
    type End = fn(&mut Life);
    let ends: [(&str, End); 4] = [
        ("Invalid", |life| drop(life.invalid("no".into(), now()))),
        ("Deleted", |life| {
            see(life, state(NAME, "u1", 1, ObjectPhase::Running));
            life.gone(&object_ref(NAME, "u1"), now());
        }),
        ("Cancelled", |life| {
            see(life, state(NAME, "u1", 1, ObjectPhase::Running));
            life.cancel_requested_at = Some(now());
            see(life, state(NAME, "u1", 2, ObjectPhase::Failed));
            life.gone(&object_ref(NAME, "u1"), now());
        }),
        ("DeadlineExceeded", |life| {
            life.deadline_seconds = Some(1);
            life.observe(&running(NAME, "u1", 1), now());
            life.overdue(now() + Duration::seconds(2));
        }),
    ];
    for (reason, end) in ends {
        let mut life = retrying(5);
        end(&mut life);
        assert!(life.phase.is_terminal(), "{reason}: {life:?}");
        assert_eq!((life.reason.as_deref(), life.attempt), (Some(reason), 1));
    }
}

#[test]
fn a_job_cancelled_between_two_attempts_ends_with_the_old_object() {
    let mut life = retrying(3);
    see(&mut life, state(NAME, "u1", 1, ObjectPhase::Failed));
    life.cancel_requested_at = Some(now());
    life.gone(&object_ref(NAME, "u1"), now());
    assert_eq!((life.phase, life.next_attempt_at), (JobPhase::Cancelled, None));
}

#[test]
fn the_deadline_counts_from_the_first_attempt() {
    let mut life = Life { deadline_seconds: Some(60), ..retrying(3) };
    life.observe(&running(NAME, "u1", 1), now());
    see(&mut life, state(NAME, "u1", 2, ObjectPhase::Failed));
    let late = now() + Duration::seconds(60);
    life.put_off(reason::CLUSTER_UNAVAILABLE, "away".into(), late, late);
    assert_eq!((life.phase, life.reason.as_deref()), (JobPhase::Failed, Some("DeadlineExceeded")));
}

#[test]
fn a_task_keeps_the_result_of_its_last_attempt_until_it_runs_again() {
    let pod = |object: &str, uid: &str, version, state, leaving: bool| {
        let owner = Owner { name: object.into(), uid: if object == NAME { "u1".into() } else { "u2".into() } };
        let (uid, stopped) = (Some(uid.into()), leaving.then_some("PodDeleted"));
        Seen::Pod(TaskPod { uid, owner, leaving, stopped, ..task_pod(version, state) })
    };
    let second = format!("{NAME}-retry-1");
    let mut life = retrying(1);
    see(&mut life, state(NAME, "u1", 1, ObjectPhase::Running));
    life.observe(&pod(NAME, "p1", 2, PodState::Running, false), now());
    see(&mut life, state(NAME, "u1", 3, ObjectPhase::Failed));
    // The watch of pods is behind that of jobs.
    life.observe(&pod(NAME, "p1", 4, PodState::Running, true), now());
    assert_eq!(life.tasks.0[0].state, TaskState::Stopped, "it is being stopped");
    life.observe(&pod(NAME, "p1", 5, PodState::Failed, true), now());
    assert_eq!((life.tasks.0[0].exit_code, life.tasks.0[0].attempt), (Some(3), 1));
    life.gone(&object_ref(NAME, "u1"), now());
    life.created(&second, "u2", now());
    assert_eq!((life.tasks.0[0].exit_code, life.tasks.0[0].attempt), (Some(3), 1));
    life.observe(&pod(&second, "p2", 8, PodState::Running, false), now());
    assert_eq!((life.tasks.0[0].exit_code, life.tasks.0[0].attempt), (None, 2));
}

/// What can happen next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A worker reads the row.
    Claim,
    /// It asks the cluster for what the row as it read it needs.
    Call,
    /// It writes the answer.
    Write,
    /// It dies, wherever it is.
    Crash,
    /// The watch takes in the next thing that happened.
    Watch,
    /// The watch takes it in and will take it in again, as after a failed write.
    WatchTwice,
    /// The leader dies: what it had not written is lost, its successor lists.
    Relist,
    /// The living object runs, fails or ends well.
    Run,
    Fail,
    Succeed,
    /// Somebody asks to cancel.
    Cancel,
}

#[derive(Debug, Clone)]
enum Answer {
    Created(String, String),
    Gone(String),
}

/// The cluster, one worker at a time, and the watch.
struct Model {
    life: Life,
    objects: BTreeMap<String, ObjectState>,
    version: i64,
    feed: VecDeque<Seen>,
    claimed: Option<Life>,
    answer: Option<Answer>,
    events: Vec<NewEvent>,
}

impl Model {
    fn new(retries: i32) -> Self {
        Self {
            life: retrying(retries),
            objects: BTreeMap::new(),
            version: 0,
            feed: VecDeque::new(),
            claimed: None,
            answer: None,
            events: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Claim if self.life.next_attempt_at.is_some() => {
                (self.claimed, self.answer) = (Some(self.life.clone()), None);
            }
            Step::Call => self.call(),
            Step::Write => self.write(),
            Step::Crash => (self.claimed, self.answer) = (None, None),
            Step::Watch => {
                if let Some(seen) = self.feed.pop_front() {
                    self.observe(&seen);
                }
            }
            Step::WatchTwice => {
                if let Some(seen) = self.feed.front().cloned() {
                    self.observe(&seen);
                }
            }
            Step::Relist => self.relist(),
            Step::Run => self.report(ObjectPhase::Running),
            Step::Fail => self.report(ObjectPhase::Failed),
            Step::Succeed => self.report(ObjectPhase::Succeeded),
            Step::Cancel if !self.life.phase.is_terminal() && self.life.cancel_requested_at.is_none() => {
                self.life.cancel_requested_at = Some(now());
                self.life.next_attempt_at = Some(now());
            }
            Step::Claim | Step::Cancel => {}
        }
    }

    fn observe(&mut self, seen: &Seen) {
        let told = self.life.observe(seen, now());
        self.events.extend(told);
    }

    fn report(&mut self, phase: ObjectPhase) {
        self.version += 1;
        let open = |state: &&mut ObjectState| matches!(state.phase, ObjectPhase::Pending | ObjectPhase::Running);
        if let Some(object) = self.objects.values_mut().find(open) {
            *object = state(&object.name, &object.uid, self.version, phase);
            self.feed.push_back(Seen::Object(object.clone()));
        }
    }

    /// What the submit worker's table says.
    fn call(&mut self) {
        let Some(claimed) = self.claimed.take() else { return };
        let delete = claimed.phase.is_terminal() || claimed.is_restarting() || claimed.cancel_requested_at.is_some();
        let name = claimed.object_name.clone();
        if delete && claimed.phase != JobPhase::Submitted {
            let known = claimed.object_uid.filter(|_| !claimed.phase.is_terminal());
            let is_meant = |object: &ObjectState| known.as_ref().is_none_or(|uid| *uid == object.uid);
            if self.objects.get(&name).is_some_and(is_meant)
                && let Some(object) = self.objects.remove(&name)
            {
                self.feed.push_back(Seen::Gone(object_ref(&name, &object.uid)));
            }
            self.answer = Some(Answer::Gone(name));
        } else if claimed.is_unsent() && claimed.cancel_requested_at.is_none() {
            self.version += 1;
            let made = state(&name, &format!("u{}", self.version), self.version, ObjectPhase::Pending);
            if !self.objects.contains_key(&name) {
                self.feed.push_back(Seen::Object(made.clone()));
                self.objects.insert(name.clone(), made);
            }
            self.answer = Some(Answer::Created(name.clone(), self.objects[&name].uid.clone()));
        } else if claimed.phase == JobPhase::Submitted {
            let told = self.life.cancelled_unsent(true, now());
            self.events.extend(told);
        }
    }

    fn write(&mut self) {
        let told = match self.answer.take() {
            Some(Answer::Created(name, uid)) => self.life.created(&name, &uid, now()),
            Some(Answer::Gone(name)) => self.life.gone(&ObjectRef { name, uid: None }, now()),
            None => Vec::new(),
        };
        self.events.extend(told);
    }

    fn relist(&mut self) {
        self.feed.clear();
        let expected = self.life.object_uid.clone().filter(|_| !self.life.phase.is_terminal());
        for object in self.objects.clone().into_values() {
            self.observe(&Seen::Object(object));
        }
        if let Some(uid) = expected
            && self.objects.values().all(|object| object.uid != uid)
        {
            let name = self.life.object_name.clone();
            self.observe(&Seen::Gone(object_ref(&name, &uid)));
        }
    }

    /// Everything that is under way comes to its end, and every attempt fails.
    fn settle(&mut self) {
        for _ in 0..200 {
            for step in [Step::Claim, Step::Call, Step::Write, Step::Watch, Step::Fail, Step::Watch] {
                self.take(step);
                self.check();
            }
        }
    }

    fn check(&self) {
        assert!(self.objects.len() <= 1, "two objects are alive: {:?}", self.objects);
        assert!(self.life.attempt <= self.life.retry_limit + 1);
        assert!(!(self.life.is_restarting() && self.life.phase != JobPhase::Queued));
        if !self.life.is_restarting() && !self.life.phase.is_terminal() {
            assert_eq!(self.life.object_name, names::job_attempt(self.life.id, self.life.attempt));
        }
        let told = self.events.iter().filter(|event| event.kind == JobEventKind::Retrying).count();
        assert_eq!(told, usize::try_from(self.life.attempt - 1).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_crashes_one_object_is_alive_and_every_retry_is_told_once(
        retries in 0i32..4,
        steps in proptest::collection::vec(proptest::sample::select(vec![
            Step::Claim, Step::Claim, Step::Call, Step::Call, Step::Write, Step::Write, Step::Crash, Step::Watch,
            Step::Watch, Step::Watch, Step::WatchTwice, Step::Relist, Step::Run, Step::Fail, Step::Fail, Step::Succeed,
            Step::Cancel,
        ]), 0..80),
    ) {
        let mut model = Model::new(retries);
        for step in steps {
            model.take(step);
            model.check();
        }
        model.settle();
        prop_assert!(model.life.phase.is_terminal(), "{:?}", model.life);
        let ends = model.events.iter().filter(|event| event.phase.is_terminal());
        prop_assert_eq!(ends.count(), 1);
        if model.life.phase == JobPhase::Failed {
            prop_assert_eq!(model.life.attempt, retries + 1, "no retry is left unused");
        }
    }
}
