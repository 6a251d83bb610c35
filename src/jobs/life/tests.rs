//! Tables and properties of a job's life.

use crate::executor::ExecutorMode;
use crate::jobs::model::part::Parts;
use proptest::prelude::*;

use super::*;
use crate::cluster::pods::{Owner, PodState};
use crate::jobs::model::observed::Tasks;
use crate::jobs::model::task::{Task, TaskState};

pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(super) const NAMESPACE: &str = "proj-1";
pub(super) const NAME: &str = "job-00000000000000000000000001";

pub(super) fn submitted() -> Life {
    Life {
        id: JobId::from_uuid(uuid::Uuid::from_u128(1)),
        namespace: NAMESPACE.into(),
        phase: JobPhase::Submitted,
        reason: None,
        message: None,
        pending_reason: None,
        preemptions: 0,
        tasks: Tasks::default(),
        cancel_requested_at: None,
        cancel_reason: None,
        object_name: NAME.into(),
        object_uid: None,
        object_version: None,
        attempt: 1,
        retry_limit: 0,
        executor: ExecutorMode::Scheduler,
        parts: Parts::default(),
        deadline_seconds: None,
        ttl_seconds: None,
        next_attempt_at: Some(now()),
        started_at: None,
        finished_at: None,
        refused_since: None,
    }
}

pub(super) fn state(version: i64, phase: ObjectPhase) -> ObjectState {
    ObjectState {
        namespace: NAMESPACE.into(),
        name: NAME.into(),
        uid: "u".into(),
        version,
        listed: false,
        phase,
        reason: None,
        message: None,
        preempted: false,
        failed: 0,
        deleting: false,
    }
}

fn object(version: i64, phase: ObjectPhase) -> Seen {
    Seen::Object(state(version, phase))
}

fn waiting(version: i64, reason: &str, message: &str) -> Seen {
    let why = (Some(reason.into()), Some(message.into()));
    let preempted = reason == "Preempted";
    Seen::Object(ObjectState { reason: why.0, message: why.1, preempted, ..state(version, ObjectPhase::Pending) })
}

fn gone(uid: &str) -> Seen {
    Seen::Gone(ObjectRef { name: NAME.into(), uid: Some(uid.into()) })
}

fn told(life: &mut Life, seen: &[Seen]) -> Vec<String> {
    let events = seen.iter().flat_map(|seen| life.observe(seen, now())).collect::<Vec<_>>();
    events.iter().map(|event| format!("{} {}", event.kind.as_str(), event.phase.as_str())).collect()
}

#[test]
fn each_change_is_told_once() {
    let mut life = submitted();
    let seen = [
        object(1, ObjectPhase::Pending),
        object(1, ObjectPhase::Pending),
        object(2, ObjectPhase::Running),
        pod(7, PodState::Starting),
        pod(8, PodState::Running),
        pod(8, PodState::Running),
        object(3, ObjectPhase::Running),
        object(4, ObjectPhase::Succeeded),
        object(4, ObjectPhase::Succeeded),
    ];
    let expected = [
        "PHASE_CHANGED QUEUED",
        "PHASE_CHANGED RUNNING",
        "TASK_CHANGED RUNNING",
        "TASK_CHANGED RUNNING",
        "PHASE_CHANGED SUCCEEDED",
    ];
    assert_eq!(told(&mut life, &seen), expected);
    assert_eq!((life.started_at, life.finished_at), (Some(now()), Some(now())));
}

#[test]
fn a_job_seen_first_when_it_runs_was_queued_before() {
    let told = told(&mut submitted(), &[pod(5, PodState::Running)]);
    assert_eq!(told, ["PHASE_CHANGED QUEUED", "PHASE_CHANGED RUNNING", "TASK_CHANGED RUNNING"]);
}

#[test]
fn an_older_state_changes_nothing() {
    let mut life = submitted();
    let seen = [object(9, ObjectPhase::Running), waiting(8, "GangShort", "gang short by 1 of 1")];
    assert_eq!(told(&mut life, &seen), ["PHASE_CHANGED QUEUED"]);
    assert_eq!(life.reason, None);
}

#[test]
fn preemption_queues_the_job_again_and_is_counted() {
    let mut life = submitted();
    let preempted = waiting(3, "Preempted", "stopped to make room");
    let next = TaskPod { uid: Some("next".into()), ..task_pod(9, PodState::Running) };
    let seen = [pod(2, PodState::Running), preempted, object(4, ObjectPhase::Running), Seen::Pod(next)];
    let expected =
        ["TASK_CHANGED RUNNING", "PREEMPTED QUEUED", "WAITING QUEUED", "PHASE_CHANGED RUNNING", "TASK_CHANGED RUNNING"];
    assert_eq!(told(&mut life, &seen)[3..], expected);
    assert_eq!(life.preemptions, 1);
}

#[test]
fn whom_a_job_made_room_for_is_not_told() {
    let mut life = submitted();
    let preempted = waiting(3, "Preempted", "stopped to make room for proj-secret/job-secret of a higher queue");
    let seen = [pod(2, PodState::Running), preempted];
    let events: Vec<_> = seen.iter().flat_map(|seen| life.observe(seen, now())).collect();
    assert!(!format!("{events:?} {life:?}").contains("secret"));
    let mut unseen = submitted();
    unseen.observe(&waiting(3, "Preempted", "stopped to make room for proj-secret/job-secret"), now());
    assert!(!format!("{unseen:?}").contains("secret"));
}

#[test]
fn what_a_task_waits_for_is_said_until_it_runs() {
    let mut life = submitted();
    life.observe(&object(1, ObjectPhase::Running), now());
    let Seen::Pod(starting) = pod(2, PodState::Starting) else { unreachable!() };
    let pulls = TaskPod { reason: Some("ImagePullBackOff".into()), ..starting };
    life.observe(&Seen::Pod(pulls), now());
    assert!(life.pending_reason.as_deref().is_some_and(|told| told.starts_with("Task 0 is waiting for its image")));
    life.observe(&pod(3, PodState::Running), now());
    assert_eq!(life.pending_reason, None);
}

#[test]
fn another_reason_to_wait_is_told_and_another_number_is_not() {
    let mut life = submitted();
    let seen = [
        waiting(1, "GangShort", "gang short by 2 of 4"),
        waiting(2, "GangShort", "gang short by 1 of 4"),
        waiting(3, "QueueMaxConcurrent", "queue x runs 2 jobs, as many as it may"),
    ];
    assert_eq!(told(&mut life, &seen), ["PHASE_CHANGED QUEUED", "WAITING QUEUED", "WAITING QUEUED"]);
    assert_eq!(life.pending_reason.as_deref(), Some("Queue x runs 2 jobs, as many as it may."));
}

#[test]
fn deleted_behind_our_back_is_a_failure() {
    let mut life = submitted();
    let told = told(&mut life, &[object(1, ObjectPhase::Running), gone("u")]);
    assert_eq!(told.last().unwrap(), "PHASE_CHANGED FAILED");
    assert_eq!(life.reason.as_deref(), Some("Deleted"));
}

#[test]
fn gone_after_the_end_changes_nothing() {
    let mut life = submitted();
    assert_eq!(told(&mut life, &[object(1, ObjectPhase::Succeeded), gone("u")]).len(), 2);
    assert_eq!(life.phase, JobPhase::Succeeded);
}

#[test]
fn a_cancelled_job_ends_when_its_object_is_gone() {
    let mut life = submitted();
    life.observe(&object(1, ObjectPhase::Running), now());
    life.cancel_requested_at = Some(now());
    let told = told(&mut life, &[object(2, ObjectPhase::Failed), gone("u")]);
    assert_eq!(told, ["PHASE_CHANGED CANCELLED"]);
}

#[test]
fn a_job_cancelled_while_it_was_being_created_leaves_nothing() {
    let mut life = submitted();
    life.cancel_requested_at = Some(now());
    assert_eq!(life.cancelled_unsent(true, now()).len(), 1);
    life.gone(&ObjectRef { name: NAME.into(), uid: None }, now());
    assert_eq!(life.next_attempt_at, None);
    // The create comes through after all.
    life.created(NAME, "u", now());
    assert_eq!((life.phase, life.next_attempt_at), (JobPhase::Cancelled, Some(now())));
}

#[test]
fn a_cluster_that_is_away_is_told_once() {
    let mut life = submitted();
    let events = life.put_off(reason::CLUSTER_UNAVAILABLE, "connection refused".into(), now(), now());
    assert_eq!((events.len(), life.phase), (1, JobPhase::Submitted));
    assert!(life.put_off(reason::CLUSTER_UNAVAILABLE, "connection refused".into(), now(), now()).is_empty());
    assert_eq!(life.reason.as_deref(), Some("ClusterUnavailable"));
    assert_eq!(life.created(NAME, "u", now()).len(), 1);
    assert_eq!((life.reason, life.pending_reason), (None, None));
}

#[test]
fn a_job_fails_when_it_runs_longer_than_it_may() {
    let mut life = Life { deadline_seconds: Some(60), ..submitted() };
    life.observe(&pod(1, PodState::Running), now());
    life.object_uid = Some("u".into());
    life.next_attempt_at = life.due(now());
    assert_eq!(life.next_attempt_at, Some(now() + Duration::seconds(60)));
    assert!(life.overdue(now() + Duration::seconds(59)).is_empty());
    assert_eq!(life.overdue(now() + Duration::seconds(60)).len(), 1);
    assert_eq!((life.phase, life.reason.as_deref()), (JobPhase::Failed, Some("DeadlineExceeded")));
}

#[test]
fn time_in_the_queue_is_not_counted_before_a_job_has_started_and_is_after() {
    let later = |hours: i64| now() + Duration::hours(hours);
    let mut life = Life { deadline_seconds: Some(7200), ..submitted() };
    life.created(NAME, "u", now());
    life.observe(&waiting(1, "GangShort", "gang short by 1 of 1"), now());
    assert_eq!((life.overdue(later(1000)), life.deadline()), (Vec::new(), None));
    life.observe(&pod(2, PodState::Running), later(1000));
    life.observe(&waiting(3, "Preempted", "stopped to make room"), later(1001));
    assert_eq!((life.phase, life.deadline()), (JobPhase::Queued, Some(later(1002))));
    life.overdue(later(1002));
    assert_eq!((life.phase, life.reason.as_deref()), (JobPhase::Failed, Some("DeadlineExceeded")));
}

/// The pod of task 0 of the job's first object, made for `uid`.
pub(super) fn task_pod(version: i64, state: PodState) -> TaskPod {
    TaskPod {
        job: submitted().id,
        task: 0,
        namespace: NAMESPACE.into(),
        name: "p".into(),
        uid: Some("pod".into()),
        owner: Owner { name: NAME.into(), uid: "u".into() },
        leaving: false,
        stopped: None,
        node: Some("gpu-1".into()),
        version,
        listed: false,
        gone: false,
        mounted: false,
        troubled: false,
        state,
        reason: None,
        message: None,
        container: None,
        in_init: false,
        exit_code: (state == PodState::Failed).then_some(3),
        signal: None,
        started_at: (state != PodState::Starting).then_some(1),
        finished_at: None,
    }
}

fn pod(version: i64, state: PodState) -> Seen {
    Seen::Pod(task_pod(version, state))
}

#[test]
fn a_task_s_end_is_told_with_its_exit_code() {
    let mut life = submitted();
    life.observe(&object(1, ObjectPhase::Running), now());
    assert_eq!(
        life.observe(&pod(2, PodState::Running), now())[1].message.as_deref(),
        Some("task 0 is running on gpu-1")
    );
    let ended = life.observe(&pod(3, PodState::Failed), now());
    assert_eq!(ended[0].message.as_deref(), Some("task 0 failed: Error, exit code 3"));
    assert!(life.observe(&pod(2, PodState::Running), now()).is_empty());
}

fn any_seen() -> impl Strategy<Value = Seen> {
    let phases =
        [ObjectPhase::Untold, ObjectPhase::Pending, ObjectPhase::Running, ObjectPhase::Succeeded, ObjectPhase::Failed];
    let pods = [PodState::Starting, PodState::Running, PodState::Succeeded, PodState::Failed];
    prop_oneof![
        8 => (0i64..20, proptest::sample::select(phases.to_vec())).prop_map(|(version, phase)| object(version, phase)),
        4 => (0i64..20, proptest::sample::select(pods.to_vec()), "[ab]", any::<(bool, bool, bool)>()).prop_map(
            |(version, state, uid, (leaving, gone, listed))| {
                let stopped = leaving.then_some("PodDeleted");
                let uid = Some(uid);
                Seen::Pod(TaskPod { uid, leaving, gone, listed, stopped, ..task_pod(version, state) })
            }
        ),
        1 => (0i64..20).prop_map(|version| waiting(version, "Preempted", "stopped to make room")),
        1 => Just(gone("u")),
        1 => Just(gone("another")),
    ]
}

proptest! {
    #[test]
    fn events_tell_every_phase_and_an_end_is_the_last(seen in proptest::collection::vec(any_seen(), 0..40)) {
        let mut life = submitted();
        let mut phase = JobPhase::Submitted;
        for seen in seen {
            for event in life.observe(&seen, now()) {
                prop_assert!(!phase.is_terminal(), "nothing is told after an end");
                if let Some(previous) = event.previous_phase {
                    prop_assert_eq!(previous, phase);
                }
                phase = event.phase;
            }
            prop_assert_eq!(phase, life.phase);
            prop_assert_eq!(life.finished_at.is_some(), phase.is_terminal());
            if phase.is_terminal() {
                let open = |task: &Task| matches!(task.state, TaskState::Running | TaskState::Waiting);
                prop_assert!(!life.tasks.0.iter().any(open), "tasks end with their job: {:?}", life.tasks);
            }
        }
    }
}
