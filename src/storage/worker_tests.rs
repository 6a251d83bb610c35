//! What the worker leaves due: no outcome may erase what came while it had the claim.

use super::*;
use crate::storage::life::tests::{bound, claim};

/// The outcomes that take a claim off the worker's list.
fn outcomes() -> [fn(&mut Claim); 3] {
    [rests, settled, |claim| drop(life::refused(claim, "Rejected", "no".to_owned()))]
}

#[test]
fn a_claim_that_was_bound_while_the_worker_had_it_is_made_larger() {
    let mut larger = claim();
    life::observe(&mut larger, &bound(10));
    larger.size_bytes = 2 * larger.sent_bytes;
    larger.next_attempt_at = Some(in_millis(60_000));

    rests(&mut larger);
    keep_due(&mut larger);

    assert!(larger.next_attempt_at.is_some_and(|at| at <= Utc::now()), "{:?}", larger.next_attempt_at);
}

#[test]
fn a_claim_whose_deletion_was_requested_while_the_worker_had_it_is_deleted() {
    for outcome in outcomes() {
        let mut unwanted = Claim { delete_requested_at: Some(Utc::now()), ..claim() };

        outcome(&mut unwanted);
        keep_due(&mut unwanted);

        assert!(unwanted.next_attempt_at.is_some(), "{unwanted:?}");
    }
}

#[test]
fn a_claim_that_needs_nothing_is_left_alone() {
    for outcome in outcomes() {
        let mut done = claim();
        life::observe(&mut done, &bound(10));

        outcome(&mut done);
        keep_due(&mut done);

        assert_eq!(done.next_attempt_at, None);
    }
}
