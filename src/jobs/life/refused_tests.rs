//! How long a job that the cluster rejects is retried.

use super::super::tests::{NAME, NAMESPACE, now, submitted};
use super::*;
use crate::jobs::life::Seen;

const WORDS: &str = "pods \"x\" is forbidden: maximum cpu usage per Container is 1, but limit is 2";

fn after(seconds: i64) -> DateTime<Utc> {
    now() + Duration::seconds(seconds)
}

fn seen(version: i64, phase: ObjectPhase, why: Option<(&str, &str)>) -> Seen {
    Seen::Object(ObjectState {
        namespace: NAMESPACE.into(),
        name: NAME.into(),
        uid: "u".into(),
        version,
        listed: false,
        phase,
        reason: why.map(|(reason, _)| reason.into()),
        message: why.map(|(_, message)| message.into()),
        preempted: false,
        failed: 0,
        deleting: false,
    })
}

fn rejected(version: i64) -> Seen {
    seen(version, ObjectPhase::Pending, Some((POD_REJECTED, WORDS)))
}

#[test]
fn a_job_that_admission_does_not_take_is_tried_for_a_while_and_fails_with_the_cluster_s_words() {
    let mut life = submitted();
    let events = life.denied(WORDS.into(), now(), after(1));
    assert_eq!((events.len(), life.phase, life.next_attempt_at), (1, JobPhase::Submitted, Some(after(1))));
    insta::assert_snapshot!(life.pending_reason.clone().unwrap(), @r#"The cluster does not accept the job; it will be tried again. Pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2."#);
    // The last try is not put off beyond the end.
    assert!(life.denied(WORDS.into(), after(3), after(11)).is_empty(), "the same reason is not told again");
    assert_eq!(life.next_attempt_at, Some(after(5)));
    let events = life.denied(WORDS.into(), after(5), after(13));
    assert_eq!((events.len(), life.phase), (1, JobPhase::Failed));
    assert_eq!((life.reason.as_deref(), life.message.as_deref()), (Some("Rejected"), Some(WORDS)));
    assert_eq!(life.next_attempt_at, Some(after(5)), "what an attempt has left is removed");
}

#[test]
fn another_answer_between_two_refusals_begins_the_time_anew() {
    let mut life = submitted();
    life.denied(WORDS.into(), now(), after(1));
    life.not_denied();
    life.put_off(reason::CLUSTER_UNAVAILABLE, "refused".into(), after(2), after(9));
    life.denied(WORDS.into(), after(9), after(10));
    assert_eq!((life.phase, life.refused_since), (JobPhase::Submitted, Some(after(9))));
}

#[test]
fn a_cancelled_job_is_not_failed_by_a_late_refusal() {
    let mut life = Life { cancel_requested_at: Some(now()), refused_since: Some(after(-60)), ..submitted() };
    assert!(life.denied(WORDS.into(), now(), after(1)).is_empty());
    assert_eq!(life.phase, JobPhase::Submitted);
}

#[test]
fn a_job_in_the_cluster_whose_pods_are_refused_is_given_up_after_a_minute() {
    let mut life = submitted();
    life.observe(&rejected(1), now());
    assert_eq!((life.phase, life.next_attempt_at), (JobPhase::Queued, Some(after(60))));
    life.observe(&rejected(2), after(30));
    assert_eq!(life.next_attempt_at, Some(after(60)), "it counts from the first time");
    assert!(life.give_up(after(59)).is_empty());
    let events = life.give_up(after(60));
    assert_eq!((events.len(), life.phase, life.reason.as_deref()), (1, JobPhase::Failed, Some("Rejected")));
    assert_eq!((life.message.as_deref(), life.next_attempt_at), (Some(WORDS), Some(after(60))));
}

#[test]
fn a_job_whose_pods_are_taken_after_all_goes_on() {
    let mut life = submitted();
    life.observe(&rejected(1), now());
    life.observe(&seen(2, ObjectPhase::Running, None), after(30));
    assert_eq!((life.refused_since, life.next_attempt_at), (None, Some(after(35))), "its pods are looked for");
    assert!(life.give_up(after(600)).is_empty());
}

#[test]
fn a_quota_is_waited_for_without_end_and_what_is_refused_after_it_counts_from_then() {
    let quota = "pods \"x\" is forbidden: exceeded quota: platform, requested: pods=1, used: pods=5000";
    let mut life = submitted();
    life.observe(&seen(1, ObjectPhase::Pending, Some((POD_REJECTED, quota))), now());
    assert_eq!((life.refused_since, life.next_attempt_at), (None, None));
    life.observe(&rejected(2), after(600));
    assert!(life.give_up(after(659)).is_empty());
    life.give_up(after(660));
    assert_eq!(life.message.as_deref(), Some(WORDS));
}

#[test]
fn the_deadline_still_counts_while_pods_are_refused() {
    let mut life = Life { deadline_seconds: Some(10), started_at: Some(now()), ..submitted() };
    life.observe(&rejected(1), now());
    assert_eq!(life.next_attempt_at, Some(after(10)));
}
