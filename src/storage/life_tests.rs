//! What each observation makes of a claim.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::cluster::claims::ObjectKey;
use crate::ids::{GroupId, ProjectId, UserId};

const GI: i64 = 1 << 30;

pub fn claim() -> Claim {
    let state = ClaimState { phase: ClaimPhase::Pending, capacity: None, volume_name: None, ..bound(10) };
    Claim {
        id: PvcId::from_uuid(Uuid::from_u128(1)),
        project_id: Some(ProjectId::from_uuid(Uuid::from_u128(2))),
        group_id: Some(GroupId::from_uuid(Uuid::from_u128(3))),
        created_by: Some(UserId::from_uuid(Uuid::from_u128(4))),
        object_uid: None,
        object_version: None,
        phase: PvcPhase::Submitted,
        ..found(&state)
    }
}

fn gi(number: i64) -> Quantity {
    Quantity::of_bytes(number * GI)
}

pub fn bound(size: i64) -> ClaimState {
    ClaimState {
        key: ObjectKey { namespace: "proj-1".to_owned(), name: "data".to_owned() },
        uid: "u1".to_owned(),
        version: 7,
        listed: false,
        claim: Some(PvcId::from_uuid(Uuid::from_u128(1))),
        phase: ClaimPhase::Bound,
        deleting: false,
        requested: Some(gi(size)),
        capacity: Some(gi(size)),
        class: Some("standard".to_owned()),
        access_modes: vec!["ReadWriteOnce".to_owned()],
        volume_name: Some("pvc-u1".to_owned()),
        resize: None,
    }
}

fn told(events: &[PvcEvent]) -> String {
    let line = |event: &PvcEvent| {
        let before = event.previous_phase.map(|phase| format!("{} -> ", phase.as_str())).unwrap_or_default();
        let message = event.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
        format!("{:?} {before}{}{message}", event.kind, event.phase.as_str())
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_share_does_not_become_smaller_because_the_cluster_does_not_know_that_it_grew() {
    let mut share = Claim { source_id: Some(PvcId::from_uuid(Uuid::from_u128(9))), ..claim() };
    observe(&mut share, &bound(10));
    share.capacity_bytes = Some(20 * GI);
    let events = observe(&mut share, &ClaimState { version: 8, ..bound(10) });
    assert_eq!((share.capacity_bytes, told(&events)), (Some(20 * GI), String::new()));
}

#[test]
fn a_claim_becomes_bound_and_grows() {
    let mut claim = claim();
    insta::assert_snapshot!(told(&observe(&mut claim, &bound(10))), @"PhaseChanged SUBMITTED -> BOUND");
    assert_eq!((claim.capacity_bytes, claim.storage_class.as_deref()), (Some(10 * GI), Some("standard")));
    (claim.size_bytes, claim.sent_bytes) = (20 * GI, 20 * GI);
    let growing =
        ClaimState { version: 8, requested: Some(gi(20)), resize: Some(ResizeStatus::InProgress), ..bound(10) };
    insta::assert_snapshot!(told(&observe(&mut claim, &growing)), @"ResizeChanged BOUND");
    insta::assert_snapshot!(told(&observe(&mut claim, &ClaimState { version: 9, ..bound(20) })), @"
    Resized BOUND
    ResizeChanged BOUND
    ");
    assert_eq!((claim.resize, claim.capacity_bytes), (None, Some(20 * GI)));
}

#[test]
fn an_older_version_changes_nothing_unless_it_is_from_a_list() {
    let mut claim = claim();
    observe(&mut claim, &bound(10));
    let lost = ClaimState { version: 6, phase: ClaimPhase::Lost, ..bound(10) };
    assert_eq!(told(&observe(&mut claim, &lost)), "");
    let listed = ClaimState { listed: true, ..lost };
    insta::assert_snapshot!(told(&observe(&mut claim, &listed)), @"PhaseChanged BOUND -> LOST: The volume of the claim no longer exists in the cluster.");
}

#[test]
fn another_object_of_the_same_name_is_not_the_claim() {
    let mut claim = claim();
    let before = claim.clone();
    let other = ClaimState { claim: None, uid: "u2".to_owned(), ..bound(10) };
    assert_eq!(told(&observe(&mut claim, &other)), "");
    assert_eq!(claim, before);
}

#[test]
fn a_claim_that_is_deleted_goes_and_one_that_somebody_deletes_is_lost() {
    let mut claim = claim();
    observe(&mut claim, &bound(10));
    let (fate, event) = gone(&mut claim.clone(), Some("u1"));
    insta::assert_snapshot!(told(&[event.unwrap()]), @"PhaseChanged BOUND -> LOST: Somebody deleted the claim in the cluster, and what was in it.");
    assert_eq!(fate, Fate::Kept);
    assert_eq!(gone(&mut claim.clone(), Some("another")), (Fate::Kept, None));
    claim.delete_requested_at = Some(chrono::DateTime::UNIX_EPOCH);
    assert_eq!(
        told(&observe(&mut claim, &ClaimState { version: 8, deleting: true, ..bound(10) })),
        "PhaseChanged BOUND -> DELETING"
    );
    assert_eq!(told(&observe(&mut claim, &ClaimState { version: 9, ..bound(10) })), "", "it is not bound again");
    let (fate, event) = gone(&mut claim, Some("u1"));
    assert_eq!((fate, told(&[event.unwrap()]).as_str()), (Fate::Removed, "Deleted DELETING"));
}

#[test]
fn a_size_that_was_requested_in_the_cluster_is_adopted_and_one_that_is_on_its_way_is_kept() {
    let mut claim = claim();
    observe(&mut claim, &bound(10));
    observe(&mut claim, &ClaimState { version: 8, requested: Some(gi(15)), ..bound(10) });
    assert_eq!((claim.size_bytes, claim.sent_bytes), (15 * GI, 15 * GI));
    claim.size_bytes = 30 * GI;
    observe(&mut claim, &ClaimState { version: 9, requested: Some(gi(15)), ..bound(15) });
    assert_eq!((claim.size_bytes, claim.sent_bytes), (30 * GI, 15 * GI));
}

#[test]
fn a_resize_that_fails_says_why_until_it_is_done() {
    let mut claim = claim();
    observe(&mut claim, &bound(10));
    claim.size_bytes = 20 * GI;
    let events = resize_refused(&mut claim, "no expansion".to_owned());
    insta::assert_snapshot!(told(&events), @"ResizeChanged BOUND: no expansion");
    assert_eq!((claim.size_bytes, claim.size.as_str()), (10 * GI, "10Gi"));
    claim.size_bytes = 20 * GI;
    claim.sent_bytes = 20 * GI;
    let failed = ResizeStatus::Failed("out of space".to_owned());
    let state = ClaimState { version: 8, requested: Some(gi(20)), resize: Some(failed), ..bound(10) };
    insta::assert_snapshot!(told(&observe(&mut claim, &state)), @"ResizeChanged BOUND: out of space");
    let trouble = trouble(&mut claim, Some("u1"), "VolumeResizeFailed", "rpc error: out of space");
    insta::assert_snapshot!(told(&[trouble.unwrap()]), @"ResizeChanged BOUND: The storage driver could not make the volume larger: rpc error: out of space");
}

#[test]
fn the_cluster_s_events_become_sentences() {
    let said = |reason: &str, message: &str| {
        let mut claim = claim();
        observe(&mut claim, &ClaimState { phase: ClaimPhase::Pending, capacity: None, ..bound(10) });
        trouble(&mut claim, Some("u1"), reason, message).and_then(|event| event.message)
    };
    let table = [
        ("WaitForFirstConsumer", "waiting for first consumer to be created before binding"),
        ("WaitForPodScheduled", "waiting for pod train-0 to be scheduled"),
        ("ExternalProvisioning", "Waiting for a volume to be created either by the external provisioner"),
        ("FailedBinding", "no persistent volumes available for this claim and no storage class is set"),
        ("ProvisioningFailed", "storageclass.storage.k8s.io \"fast\" not found"),
        ("ProvisioningFailed", "error generating accessibility requirements: no topology key found on node n1"),
        ("ProvisioningFailed", "rpc error: code = ResourceExhausted desc = not enough space"),
        ("FailedBinding", "volume \"v\" already bound to a different claim"),
        ("ProvisioningSucceeded", "done"),
    ];
    let lines = table.map(|(reason, message)| format!("{reason}: {}", said(reason, message).unwrap_or_default()));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    WaitForFirstConsumer: The volume is created when the first pod that mounts it is placed on a node.
    WaitForPodScheduled: The volume is created when the pod that mounts it is placed on a node.
    ExternalProvisioning: Waiting for the storage driver to create the volume.
    FailedBinding: No volume in the cluster fits, and the cluster has no default storage class.
    ProvisioningFailed: The storage class does not exist: storageclass.storage.k8s.io "fast" not found
    ProvisioningFailed: No node has the topology that the storage class requires: error generating accessibility requirements: no topology key found on node n1
    ProvisioningFailed: The storage driver could not create the volume: rpc error: code = ResourceExhausted desc = not enough space
    FailedBinding: The claim could not be bound to a volume: volume "v" already bound to a different claim
    ProvisioningSucceeded:
    "#);
}

#[test]
fn an_event_about_an_object_that_was_replaced_is_not_about_the_claim() {
    let mut claim = claim();
    observe(&mut claim, &ClaimState { phase: ClaimPhase::Pending, ..bound(10) });
    assert_eq!(trouble(&mut claim, Some("u0"), "ProvisioningFailed", "x"), None);
}

#[test]
fn a_claim_that_was_found_is_as_the_cluster_says_and_goes_with_its_object() {
    let mut claim = found(&ClaimState { claim: None, ..bound(10) });
    assert!(!claim.is_managed());
    assert_eq!((claim.phase, claim.size.as_str(), claim.capacity_bytes), (PvcPhase::Bound, "10Gi", Some(10 * GI)));
    assert_eq!(gone(&mut claim, Some("u1")).0, Fate::Removed);
}

fn any_state() -> impl Strategy<Value = ClaimState> {
    let phase = prop_oneof![Just(ClaimPhase::Pending), Just(ClaimPhase::Bound), Just(ClaimPhase::Lost)];
    (phase, 1_i64..40, 1_i64..40, 1_i64..20, any::<bool>(), any::<bool>()).prop_map(
        |(phase, requested, capacity, version, listed, deleting)| ClaimState {
            phase,
            version,
            listed,
            deleting,
            requested: Some(gi(requested)),
            capacity: Some(gi(capacity)),
            ..bound(1)
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_seen_the_events_are_a_path_of_phases_and_nothing_is_sent_that_is_not_wanted(
        states in proptest::collection::vec(any_state(), 1..20), wanted in 1_i64..40
    ) {
        let mut claim = claim();
        let mut phase = claim.phase;
        for (step, state) in states.iter().enumerate() {
            if step == 3 {
                claim.size_bytes = claim.size_bytes.max(wanted * GI);
            }
            for event in observe(&mut claim, state) {
                if let Some(before) = event.previous_phase {
                    prop_assert_eq!(before, phase);
                    phase = event.phase;
                }
            }
            prop_assert_eq!(claim.phase, phase);
            prop_assert!(claim.sent_bytes <= claim.size_bytes);
        }
    }
}
