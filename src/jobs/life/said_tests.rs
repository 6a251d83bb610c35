//! What a job's row says about its state, in each phase and after whatever happened: the table of [`super`].

use proptest::prelude::*;
use proptest::sample::select;

use super::refused::POD_REJECTED;
use super::tests::{NAME, now, state, submitted, task_pod};
use super::*;
use crate::cluster::names;
use crate::cluster::pods::PodState;

/// What can happen to a job.
#[derive(Debug, Clone)]
enum Step {
    Seen(Box<Seen>),
    Created(String),
    PutOff(&'static str),
    Denied,
    Invalid,
    Cancel,
    CancelledUnsent,
    Pass(i64),
}

fn any_object() -> impl Strategy<Value = ObjectState> {
    let phases =
        [ObjectPhase::Untold, ObjectPhase::Pending, ObjectPhase::Running, ObjectPhase::Succeeded, ObjectPhase::Failed];
    let whys = [
        None,
        Some(("GangShort", Some("gang short by 1 of 2"))),
        Some(("Waiting", None)),
        Some(("Preempted", Some("stopped to make room"))),
        Some((POD_REJECTED, Some("admission webhook denied the request"))),
        Some((POD_REJECTED, Some("exceeded quota: platform"))),
    ];
    (1..30i64, select(phases.to_vec()), select(whys.to_vec()), any::<bool>(), 1..3).prop_map(
        |(version, phase, why, deleting, attempt)| ObjectState {
            name: names::job_attempt(submitted().id, attempt),
            uid: format!("u{attempt}"),
            // As conditions have them: a running object has none that explains it.
            reason: why.filter(|_| phase != ObjectPhase::Running).map(|(word, _)| word.to_owned()),
            message: why.filter(|_| phase != ObjectPhase::Running).and_then(|(_, told)| told.map(str::to_owned)),
            deleting: deleting && version % 4 == 0,
            ..state(version, phase)
        },
    )
}

fn any_pod() -> impl Strategy<Value = TaskPod> {
    let states = [PodState::Starting, PodState::Starting, PodState::Running, PodState::Succeeded, PodState::Failed];
    let words = [None, Some("ImagePullBackOff"), Some("CrashLoopBackOff"), Some("ContainerCreating")];
    (1..30i64, select(states.to_vec()), select(words.to_vec()), 0..2, 1..3, any::<bool>()).prop_map(
        |(version, state, word, task, attempt, gone)| {
            let mut pod = TaskPod { task, gone: gone && version % 3 == 0, ..task_pod(version, state) };
            pod.owner.name = names::job_attempt(submitted().id, attempt);
            pod.owner.uid = format!("u{attempt}");
            pod.uid = Some(format!("pod-{task}-{}", version % 2));
            pod.reason = word.filter(|_| state == PodState::Starting).map(str::to_owned);
            pod
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let away = [reason::CLUSTER_UNAVAILABLE, reason::CLUSTER_QUOTA, reason::CLUSTER_REFUSED];
    prop_oneof![
        8 => any_object().prop_map(|object| Step::Seen(Box::new(Seen::Object(object)))),
        8 => any_pod().prop_map(|pod| Step::Seen(Box::new(Seen::Pod(pod)))),
        2 => (1..3).prop_map(|attempt| {
            let name = names::job_attempt(submitted().id, attempt);
            Step::Seen(Box::new(Seen::Gone(ObjectRef { name, uid: Some(format!("u{attempt}")) })))
        }),
        3 => (1..3).prop_map(|attempt| Step::Created(format!("u{attempt}"))),
        3 => select(away.to_vec()).prop_map(Step::PutOff),
        2 => Just(Step::Denied),
        1 => Just(Step::Invalid),
        1 => Just(Step::Cancel),
        1 => Just(Step::CancelledUnsent),
        3 => (1..40i64).prop_map(Step::Pass),
    ]
}

fn take(life: &mut Life, step: &Step, clock: &mut DateTime<Utc>) {
    let now = *clock;
    match step {
        Step::Seen(seen) => drop(life.observe(seen, now)),
        Step::Created(uid) => {
            let name = life.object_name.clone();
            life.telling(|life| life.created(&name, uid, now));
        }
        Step::PutOff(why) => drop(life.telling(|life| life.put_off(why, "the cluster's words".into(), now, now))),
        Step::Denied => drop(life.telling(|life| life.denied("the cluster's words".into(), now, now))),
        Step::Invalid => drop(life.telling(|life| life.invalid("the cluster's words".into(), now))),
        Step::Cancel => {
            life.cancel_requested_at.get_or_insert(now);
            life.cancel_reason.get_or_insert_with(|| "the user's words".to_owned());
        }
        Step::CancelledUnsent if life.cancel_requested_at.is_some() => {
            life.telling(|life| life.cancelled_unsent(false, now));
        }
        Step::CancelledUnsent => {}
        Step::Pass(seconds) => {
            *clock += Duration::seconds(*seconds);
            life.telling(|life| life.overdue(*clock).into_iter().chain(life.give_up(*clock)).collect());
        }
    }
}

fn is_sentence(text: &str) -> bool {
    text.ends_with('.') && text.chars().next().is_some_and(|first| !first.is_lowercase())
}

/// What of the table does not hold.
fn violated(life: &Life) -> Option<&'static str> {
    let (reason, pending) = (life.reason.as_deref(), life.pending_reason.as_deref());
    let in_users_words = life.message.as_deref() == Some("the user's words");
    match life.phase {
        _ if life.message.is_some() && reason.is_none() => Some("a message stands without its reason"),
        _ if in_users_words && life.phase != JobPhase::Cancelled => Some("the user's words stand before the end"),
        _ if pending.is_some_and(|pending| !is_sentence(pending)) => Some("what it waits for is no sentence"),
        JobPhase::Submitted if reason.is_some() && pending.is_none() => {
            Some("it does not say that it waits to be sent")
        }
        JobPhase::Running if reason.is_some_and(|word| word != POD_REJECTED) => Some("a running job has a reason"),
        JobPhase::Running if pending.map(str::to_owned) != life.what_a_task_waits_for() => {
            Some("a running job waits for something else than its task")
        }
        JobPhase::Queued
            if life.object_uid.is_some() && !life.is_restarting() && reason.is_some_and(refused::is_of_unsent) =>
        {
            Some("a job that was sent waits to be sent")
        }
        JobPhase::Succeeded | JobPhase::Failed | JobPhase::Cancelled if pending.is_some() => {
            Some("a job that has ended waits")
        }
        JobPhase::Cancelled if reason != Some(reason::CANCELLED) || !in_users_words => {
            Some("a cancelled job does not say why")
        }
        _ => None,
    }
}

proptest! {
    #[test]
    fn a_row_says_what_its_phase_allows(steps in proptest::collection::vec(any_step(), 0..40), retries in 0..3) {
        let mut life = Life { retry_limit: retries, deadline_seconds: Some(300), ..submitted() };
        let mut clock = now();
        for step in &steps {
            take(&mut life, step, &mut clock);
            prop_assert_eq!(violated(&life), None, "{:?} after {:?}", life, step);
        }
    }
}

#[test]
fn a_retried_job_that_was_sent_no_longer_waits_to_be_sent() {
    let mut life = Life { retry_limit: 1, ..submitted() };
    life.observe(&Seen::Object(state(1, ObjectPhase::Running)), now());
    life.observe(&Seen::Object(state(2, ObjectPhase::Failed)), now());
    assert_eq!(life.pending_reason.as_deref(), Some("Attempt 1 of 2 failed; the next one is being started."));
    life.gone(&ObjectRef { name: NAME.into(), uid: Some("u".into()) }, now());
    life.put_off(reason::CLUSTER_UNAVAILABLE, "connection refused".into(), now(), now());
    assert_eq!(life.reason.as_deref(), Some("ClusterUnavailable"));
    let name = life.object_name.clone();
    life.created(&name, "next", now());
    assert_eq!((life.phase, life.reason, life.pending_reason), (JobPhase::Queued, None, None));
}

#[test]
fn why_a_user_cancels_a_job_is_its_message_when_it_has_ended() {
    let mut life = submitted();
    life.observe(&Seen::Object(state(1, ObjectPhase::Running)), now());
    life.cancel_requested_at = Some(now());
    life.cancel_reason = Some("wrong data".into());
    assert_eq!(life.message, None);
    life.gone(&ObjectRef { name: NAME.into(), uid: Some("u".into()) }, now());
    assert_eq!((life.reason.as_deref(), life.message.as_deref()), (Some("Cancelled"), Some("wrong data")));
}
