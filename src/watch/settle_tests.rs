//! Every observation that can be written is written, in order, whatever cannot be.

use std::collections::BTreeSet;
use std::sync::Mutex;

use proptest::prelude::*;

use super::super::health::Health;
use super::*;

/// A database of numbers that refuses some of them.
#[derive(Default)]
struct Fussy {
    written: Mutex<Vec<usize>>,
    refused: BTreeSet<usize>,
    unsure: BTreeSet<usize>,
    /// So many writes fail first because it is away.
    away: Mutex<usize>,
    /// So many writes of what it is unsure about fail before it takes them.
    passing: Mutex<usize>,
    takes_nothing_else: Mutex<usize>,
    writes: Mutex<usize>,
}

impl Store for Fussy {
    type Observation = usize;

    async fn write(&self, given: &[usize]) -> Result<(), Failure> {
        *self.writes.lock().unwrap() += 1;
        let counted_down = |count: &Mutex<usize>| {
            let mut count = count.lock().unwrap();
            let was = *count;
            *count = was.saturating_sub(1);
            was > 0
        };
        if counted_down(&self.away) {
            return Err(Failure::Away("away".into()));
        }
        if given.iter().any(|number| self.refused.contains(number)) {
            return Err(Failure::Refused("refused".into()));
        }
        if given.iter().any(|number| self.unsure.contains(number)) && counted_down(&self.passing) {
            return Err(Failure::Unsure("unsure".into()));
        }
        self.written.lock().unwrap().extend(given);
        Ok(())
    }

    async fn takes_writes(&self) -> bool {
        let mut nothing = self.takes_nothing_else.lock().unwrap();
        let was = *nothing;
        *nothing = was.saturating_sub(1);
        was == 0
    }
}

fn settled(store: &Fussy, size: usize) -> Vec<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let aside = runtime.block_on(settle(store, &(0..size).collect::<Vec<_>>(), &Health::default().of("numbers")));
    aside.into_iter().map(|(place, _)| place).collect()
}

proptest! {
    #[test]
    fn what_can_be_written_is_written_once_and_in_order(
        size in 1usize..200,
        refused in proptest::collection::btree_set(0usize..200, 0..6),
        away in 0usize..3,
    ) {
        let refused: BTreeSet<_> = refused.into_iter().filter(|bad| *bad < size).collect();
        let store = Fussy { refused: refused.clone(), away: away.into(), ..Fussy::default() };
        let aside = settled(&store, size);
        prop_assert_eq!(&aside, &refused.iter().copied().collect::<Vec<_>>());
        let expected: Vec<_> = (0..size).filter(|number| !refused.contains(number)).collect();
        prop_assert_eq!(&*store.written.lock().unwrap(), &expected);
        // Each bad one costs two writes for each halving.
        let halvings = size.next_power_of_two().ilog2() as usize + 1;
        prop_assert!(*store.writes.lock().unwrap() <= 1 + away + 2 * halvings * refused.len());
    }
}

#[test]
fn a_failure_that_passes_sets_nothing_aside() {
    let store = Fussy { unsure: [3].into(), passing: 4.into(), ..Fussy::default() };
    assert_eq!(settled(&store, 4), [0; 0]);
    assert_eq!(*store.written.lock().unwrap(), [0, 1, 2, 3]);
}

#[test]
fn a_failure_that_does_not_pass_holds_up_nobody() {
    let store = Fussy { unsure: [0].into(), passing: usize::MAX.into(), ..Fussy::default() };
    assert_eq!(settled(&store, 4), [0]);
    assert_eq!(*store.written.lock().unwrap(), [1, 2, 3]);
}

#[test]
fn a_database_that_takes_nothing_at_all_is_waited_for() {
    let store = Fussy { unsure: [0, 1].into(), passing: 9.into(), takes_nothing_else: 9.into(), ..Fussy::default() };
    assert_eq!(settled(&store, 2), [0; 0]);
    assert_eq!(*store.written.lock().unwrap(), [0, 1]);
}

#[test]
fn an_error_is_the_data_s_the_database_s_or_either_s() {
    let database = |kind, message: &str| judge(Error::DatabaseError(kind, Box::new(message.to_owned())));
    assert!(matches!(database(DatabaseErrorKind::CheckViolation, "x"), Failure::Refused(_)));
    assert!(matches!(judge(Error::DeserializationError("x".into())), Failure::Refused(_)));
    assert!(matches!(database(DatabaseErrorKind::SerializationFailure, "x"), Failure::Away(_)));
    assert!(matches!(database(DatabaseErrorKind::ClosedConnection, "x"), Failure::Away(_)));
    assert!(matches!(database(DatabaseErrorKind::UnableToSendCommand, "connection closed"), Failure::Away(_)));
    let unknown = |message: &str| database(DatabaseErrorKind::Unknown, message);
    let going = unknown("terminating connection due to administrator command");
    assert!(matches!(going, Failure::Away(_)));
    assert!(matches!(unknown("unsupported Unicode escape sequence"), Failure::Unsure(_)));
    assert!(matches!(unknown("deadlock detected"), Failure::Unsure(_)));
}
