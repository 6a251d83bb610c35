//! Events match what happened: which pods are tasks, when a job runs, why it waits again, and how tasks end.

use super::tests::{NAMESPACE, now, state, submitted, task_pod};
use super::*;
use crate::cluster::pods::{Owner, PodState};
use crate::jobs::model::task::TaskState;

/// A job whose object is known, waiting.
fn queued() -> Life {
    let mut life = submitted();
    life.created(tests::NAME, "u", now());
    life
}

fn running() -> Life {
    let mut life = queued();
    see(&mut life, state(1, ObjectPhase::Running));
    pod(&mut life, task_pod(1, PodState::Running));
    assert_eq!(life.phase, JobPhase::Running);
    life
}

fn see(life: &mut Life, object: ObjectState) -> Vec<String> {
    told(life.observe(&Seen::Object(object), now()))
}

fn pod(life: &mut Life, pod: TaskPod) -> Vec<String> {
    told(life.observe(&Seen::Pod(pod), now()))
}

fn told(events: Vec<NewEvent>) -> Vec<String> {
    let reason = |event: &NewEvent| event.reason.clone().unwrap_or_default();
    events
        .iter()
        .map(|event| format!("{} {} {}", event.kind.as_str(), event.phase.as_str(), reason(event)).trim().to_owned())
        .collect()
}

/// The pod while it is being deleted.
fn leaving(version: i64, state: PodState) -> TaskPod {
    let reason = Some("PodDeleted".to_owned());
    TaskPod { leaving: true, stopped: Some("PodDeleted"), reason, ..task_pod(version, state) }
}

fn gone(pod: TaskPod) -> TaskPod {
    TaskPod { gone: true, version: pod.version + 1, ..pod }
}

fn next_pod(version: i64, state: PodState) -> TaskPod {
    TaskPod { uid: Some("next".into()), ..task_pod(version, state) }
}

#[test]
fn a_placed_job_waits_until_a_container_runs() {
    let mut life = queued();
    assert!(see(&mut life, state(1, ObjectPhase::Running)).is_empty());
    assert_eq!(life.pending_reason.as_deref(), Some("Its tasks are placed and are being started."));
    pod(&mut life, TaskPod { reason: Some("ImagePullBackOff".into()), ..task_pod(2, PodState::Starting) });
    assert!(life.pending_reason.as_deref().is_some_and(|told| told.starts_with("Task 0 is waiting for its image")));
    assert_eq!((life.phase, life.started_at, life.deadline()), (JobPhase::Queued, None, None));
    pod(&mut life, TaskPod { reason: Some("ContainerCreating".into()), ..task_pod(3, PodState::Starting) });
    assert_eq!(life.pending_reason.as_deref(), Some("Its tasks are placed and are being started."));
    let told = pod(&mut life, task_pod(4, PodState::Running));
    assert_eq!(told, ["PHASE_CHANGED RUNNING", "TASK_CHANGED RUNNING"]);
    assert_eq!((life.pending_reason.as_deref(), life.started_at), (None, Some(now())));
}

#[test]
fn a_job_whose_pods_nobody_sees_is_taken_for_running_after_a_while() {
    let mut life = queued();
    see(&mut life, state(1, ObjectPhase::Running));
    assert_eq!(life.next_attempt_at, Some(now() + Duration::seconds(5)));
    life.next_attempt_at = life.due(now());
    assert_eq!(told(life.overdue(now())), ["PHASE_CHANGED RUNNING"]);
    let mut pulling = queued();
    see(&mut pulling, state(1, ObjectPhase::Running));
    pod(&mut pulling, task_pod(2, PodState::Starting));
    assert!(pulling.overdue(now()).is_empty(), "its pods say that they do not run");
}

#[test]
fn a_job_that_was_placed_and_has_ended_ran_though_its_pods_came_and_went() {
    for (end, last) in [(ObjectPhase::Succeeded, "SUCCEEDED"), (ObjectPhase::Failed, "FAILED Unknown")] {
        let mut life = queued();
        see(&mut life, state(1, ObjectPhase::Running));
        let told = see(&mut life, state(2, end));
        assert_eq!(told, ["PHASE_CHANGED RUNNING".to_owned(), format!("PHASE_CHANGED {last}")]);
    }
    let mut life = queued();
    see(&mut life, state(1, ObjectPhase::Running));
    let init = TaskPod { in_init: true, started_at: None, ..task_pod(2, PodState::Failed) };
    assert_eq!(pod(&mut life, init), ["TASK_CHANGED QUEUED"]);
    let told = see(&mut life, state(2, ObjectPhase::Failed));
    assert_eq!(told, ["PHASE_CHANGED FAILED TaskFailed"], "only its init container ran");
}

#[test]
fn a_deleted_pod_is_told_as_what_it_is_and_is_no_preemption() {
    let mut life = running();
    assert!(pod(&mut life, leaving(2, PodState::Running)).is_empty(), "it still runs");
    // The object's status may be heard before or after its pods.
    let told = see(&mut life, state(2, ObjectPhase::Pending));
    assert_eq!(told, ["TASK_CHANGED RUNNING PodDeleted", "PHASE_CHANGED QUEUED PodDeleted"]);
    assert_eq!(
        life.pending_reason.as_deref(),
        Some(
            "Task 0 was stopped: its pod was deleted; it will run again as soon as the cluster starts a new pod for it."
        )
    );
    let ended = TaskPod { exit_code: Some(137), signal: Some(9), ..leaving(3, PodState::Failed) };
    assert!(pod(&mut life, ended.clone()).is_empty());
    assert_eq!((life.tasks.0[0].state, life.tasks.0[0].exit_code), (TaskState::Stopped, Some(137)));
    assert!(pod(&mut life, gone(ended)).is_empty());
    assert_eq!(pod(&mut life, next_pod(9, PodState::Starting)), ["TASK_CHANGED QUEUED"], "prepared anew");
    let told = pod(&mut life, next_pod(10, PodState::Running));
    assert_eq!(told, ["PHASE_CHANGED RUNNING", "TASK_CHANGED RUNNING"]);
    assert_eq!(life.preemptions, 0);
}

#[test]
fn the_pods_alone_tell_that_none_runs_any_more_and_why() {
    let table = [("PodDeleted", "PodDeleted"), ("Evicted", "Evicted"), ("NodeUnavailable", "NodeUnavailable")];
    for (word, expected) in table {
        let mut life = running();
        let stopped = TaskPod { reason: Some(word.into()), ..leaving(2, PodState::Failed) };
        let told = pod(&mut life, stopped);
        assert_eq!(told, [format!("TASK_CHANGED RUNNING {expected}"), format!("PHASE_CHANGED QUEUED {expected}")]);
        assert_eq!(life.preemptions, 0);
    }
    // By force, and so without an end.
    let mut life = running();
    let told = pod(&mut life, gone(task_pod(2, PodState::Running)));
    assert_eq!(told, ["TASK_CHANGED RUNNING PodDeleted", "PHASE_CHANGED QUEUED PodDeleted"]);
}

#[test]
fn a_phase_of_null_is_no_return_to_the_queue_while_a_pod_runs() {
    let mut life = running();
    assert!(see(&mut life, state(2, ObjectPhase::Untold)).is_empty());
    assert!(see(&mut life, state(3, ObjectPhase::Pending)).is_empty());
    assert_eq!((life.phase, life.preemptions), (JobPhase::Running, 0));
}

#[test]
fn a_job_of_several_tasks_runs_on_when_one_loses_its_pod() {
    let mut life = running();
    pod(&mut life, TaskPod { task: 1, uid: Some("other".into()), ..task_pod(2, PodState::Running) });
    let told = pod(&mut life, gone(task_pod(3, PodState::Running)));
    assert_eq!(told, ["TASK_CHANGED RUNNING PodDeleted"]);
    assert_eq!(life.phase, JobPhase::Running);
}

#[test]
fn a_preemption_whose_pods_were_seen_to_go_before_is_still_one() {
    let mut life = running();
    pod(&mut life, leaving(2, PodState::Failed));
    assert_eq!((life.phase, life.reason.as_deref()), (JobPhase::Queued, Some("PodDeleted")));
    let preempted = ObjectState { reason: Some("Preempted".into()), preempted: true, ..state(2, ObjectPhase::Pending) };
    assert_eq!(see(&mut life, preempted.clone()), ["PREEMPTED QUEUED Preempted"]);
    assert!(see(&mut life, ObjectState { version: 3, ..preempted.clone() }).is_empty(), "counted once");
    let waits = ObjectState { reason: Some("GangShort".into()), version: 4, ..preempted };
    assert_eq!(see(&mut life, waits), ["WAITING QUEUED GangShort"]);
    assert_eq!(life.preemptions, 1);
}

#[test]
fn tasks_end_with_their_job_and_their_pods_may_still_tell_how() {
    let mut life = running();
    life.cancel_requested_at = Some(now());
    life.gone(&ObjectRef { name: tests::NAME.into(), uid: None }, now());
    let task = &life.tasks.0[0];
    assert_eq!(
        (life.phase, task.state, task.reason.as_deref()),
        (JobPhase::Cancelled, TaskState::Stopped, Some("JobEnded"))
    );
    assert!(pod(&mut life, task_pod(5, PodState::Running)).is_empty());
    assert_eq!(life.tasks.0[0].state, TaskState::Stopped, "what is heard late does not make it run");
    let ended = TaskPod { exit_code: Some(143), signal: Some(15), ..leaving(6, PodState::Failed) };
    assert!(pod(&mut life, ended).is_empty());
    let task = &life.tasks.0[0];
    assert_eq!((task.state, task.exit_code, task.reason.as_deref()), (TaskState::Stopped, Some(143), Some("JobEnded")));

    let mut life = running();
    see(&mut life, state(2, ObjectPhase::Succeeded));
    assert_eq!(life.tasks.0[0].state, TaskState::Succeeded);
    pod(&mut life, TaskPod { exit_code: Some(0), ..task_pod(6, PodState::Succeeded) });
    assert_eq!((life.tasks.0[0].state, life.tasks.0[0].exit_code), (TaskState::Succeeded, Some(0)));

    let mut life = running();
    see(&mut life, ObjectState { failed: 1, ..state(2, ObjectPhase::Failed) });
    assert_eq!(life.tasks.0[0].state, TaskState::Stopped);
    pod(&mut life, TaskPod { reason: Some("Error".into()), ..task_pod(6, PodState::Failed) });
    assert_eq!((life.tasks.0[0].state, life.tasks.0[0].exit_code), (TaskState::Failed, Some(3)));
}

#[test]
fn only_pods_that_the_job_s_object_controls_are_its_tasks() {
    let owner = |name: &str, uid: &str| Owner { name: name.into(), uid: uid.into() };
    let evil = [
        TaskPod { namespace: "elsewhere".into(), ..task_pod(9, PodState::Failed) },
        TaskPod { owner: owner(tests::NAME, "other"), ..task_pod(9, PodState::Failed) },
        TaskPod { owner: owner("job-other", "u"), ..task_pod(9, PodState::Failed) },
        TaskPod { owner: owner(&format!("{}-retry-1", tests::NAME), "u"), ..task_pod(9, PodState::Failed) },
    ];
    for evil in evil {
        let mut life = running();
        let before = life.clone();
        assert!(pod(&mut life, evil.clone()).is_empty());
        assert_eq!(life, before, "{evil:?}");
    }
    // Seen before the object's uid is known, it is forgotten when that is known.
    let mut life = submitted();
    pod(&mut life, TaskPod { owner: owner(tests::NAME, "other"), ..task_pod(9, PodState::Starting) });
    life.created(tests::NAME, "u", now());
    assert!(life.tasks.0.is_empty());
}

#[test]
fn an_object_of_the_same_name_elsewhere_is_not_the_job_s() {
    let mut life = submitted();
    assert!(see(&mut life, ObjectState { namespace: "elsewhere".into(), ..state(9, ObjectPhase::Failed) }).is_empty());
    let elsewhere = ObjectRef { name: tests::NAME.into(), uid: Some("evil".into()) };
    assert!(life.gone(&elsewhere, now()).is_empty());
    assert_eq!((life.phase, life.object_uid.as_deref(), NAMESPACE), (JobPhase::Submitted, None, "proj-1"));
}

#[test]
fn a_second_pod_for_a_task_whose_pod_goes_on_is_not_its() {
    let mut life = running();
    let before = life.clone();
    assert!(pod(&mut life, next_pod(9, PodState::Failed)).is_empty());
    assert_eq!(life, before);
    pod(&mut life, leaving(10, PodState::Running));
    pod(&mut life, next_pod(11, PodState::Starting));
    assert_eq!(life.tasks.0[0].uid.as_deref(), Some("next"));
}

#[test]
fn a_list_is_the_truth_even_where_the_cluster_went_back() {
    let mut life = running();
    see(&mut life, state(50, ObjectPhase::Running));
    pod(&mut life, task_pod(60, PodState::Failed));
    assert_eq!(life.tasks.0[0].state, TaskState::Failed);
    assert!(
        pod(&mut life, TaskPod { reason: None, ..task_pod(20, PodState::Running) }).is_empty(),
        "within a watch it is old"
    );
    pod(&mut life, TaskPod { listed: true, ..task_pod(20, PodState::Running) });
    assert_eq!((life.tasks.0[0].state, life.tasks.0[0].version), (TaskState::Running, 20));
    see(&mut life, ObjectState { listed: true, ..state(10, ObjectPhase::Running) });
    assert_eq!(life.object_version, Some(10));
    let told = see(&mut life, state(11, ObjectPhase::Succeeded));
    assert_eq!(told, ["TASK_CHANGED RUNNING", "PHASE_CHANGED SUCCEEDED"]);
}

#[test]
fn a_missing_secret_that_an_event_tells_of_is_said_until_the_pod_runs() {
    let mut life = queued();
    see(&mut life, state(1, ObjectPhase::Running));
    let creating = TaskPod { reason: Some("ContainerCreating".into()), ..task_pod(2, PodState::Starting) };
    pod(&mut life, creating.clone());
    let message = r#"MountVolume.SetUp failed for volume "v" : secret "hf-token" not found"#;
    let (reason, message) = (Some("FailedMount".to_owned()), Some(message.to_owned()));
    pod(&mut life, TaskPod { troubled: true, reason, message, ..creating });
    let expected = "Task 0 is waiting for the Secret hf-token, which is not in the project's namespace.";
    assert_eq!((life.phase, life.pending_reason.as_deref()), (JobPhase::Queued, Some(expected)));
    let creating =
        |version| TaskPod { reason: Some("ContainerCreating".into()), ..task_pod(version, PodState::Starting) };
    pod(&mut life, creating(3));
    assert_eq!(life.pending_reason.as_deref(), Some(expected), "its status does not say so");
    pod(&mut life, TaskPod { mounted: true, ..creating(4) });
    assert_eq!(life.pending_reason.as_deref(), Some("Its tasks are placed and are being started."));
    pod(&mut life, task_pod(5, PodState::Running));
    assert_eq!((life.phase, life.pending_reason.as_deref()), (JobPhase::Running, None));
}

#[test]
fn a_pod_that_is_deleted_and_ends_killed_was_stopped_and_has_not_failed() {
    let mut life = running();
    assert!(pod(&mut life, leaving(2, PodState::Running)).is_empty(), "it still runs");
    // Its end does not say that it was stopped, as when the clocks of its node and of the API server differ.
    let killed = TaskPod { stopped: None, exit_code: Some(137), signal: Some(9), ..leaving(3, PodState::Failed) };
    let told = pod(&mut life, killed);
    assert!(told.iter().any(|event| event == "PHASE_CHANGED QUEUED PodDeleted"), "{told:?}");
    let task = &life.tasks.0[0];
    let expected = (TaskState::Stopped, Some("PodDeleted"), Some(137));
    assert_eq!((task.state, task.reason.as_deref(), task.exit_code), expected);
    let told = pod(&mut life, next_pod(4, PodState::Running));
    assert_eq!(told, ["PHASE_CHANGED RUNNING", "TASK_CHANGED RUNNING"]);
}
