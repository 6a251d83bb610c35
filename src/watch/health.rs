//! How the watch fares, for `/ready` and the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A database that is away for less than this is nobody's business: what was seen is written when it is back.
const UNWRITTEN: Duration = Duration::from_secs(5);
/// An observation that waits longer than this, though others are written, is told.
const BEHIND: Duration = Duration::from_secs(30);

/// What is known of the watch of one replica. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    leads: bool,
    rooms: BTreeMap<&'static str, Writing>,
}

/// How it goes with what was seen for one room.
#[derive(Debug, Default, Clone, Copy)]
struct Writing {
    /// When the oldest observation was made that is not written yet.
    oldest: Option<Instant>,
    /// Since when nothing could be written.
    failing_since: Option<Instant>,
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This replica watches now, or does so no more.
    pub(super) fn leads(&self, leads: bool) {
        *self.state() = State { leads, ..State::default() };
    }

    /// How a room fares.
    pub(super) fn of(&self, room: &'static str) -> RoomHealth {
        RoomHealth { health: self.clone(), room }
    }

    /// How long the oldest observation has waited to be written.
    pub fn behind(&self) -> Duration {
        self.state()
            .rooms
            .values()
            .filter_map(|room| room.oldest)
            .map(|oldest| oldest.elapsed())
            .max()
            .unwrap_or_default()
    }

    /// How it stands, for `/ready`.
    ///
    /// # Errors
    /// What is wrong: it cannot write, or is behind.
    pub fn check(&self) -> Result<String, String> {
        let behind = self.behind().as_secs_f64();
        let state = self.state();
        if !state.leads {
            return Ok("another replica watches the cluster".to_owned());
        }
        let failing = state.rooms.values().filter_map(|room| room.failing_since).map(|since| since.elapsed()).max();
        let failing = failing.filter(|failing| *failing >= UNWRITTEN);
        match failing {
            Some(failing) => Err(format!(
                "the watch could not write its observations for {} s; it is {behind:.1} s behind",
                failing.as_secs()
            )),
            None if behind >= BEHIND.as_secs_f64() => Err(format!("the watch is {behind:.1} s behind")),
            None => Ok(format!("this replica watches the cluster, {behind:.1} s behind")),
        }
    }
}

/// What is known of one room's part of it.
#[derive(Debug, Clone)]
pub(super) struct RoomHealth {
    health: Health,
    room: &'static str,
}

impl RoomHealth {
    fn note(&self, note: impl FnOnce(&mut Writing)) {
        note(self.health.state().rooms.entry(self.room).or_default());
    }

    /// A batch is to be written, whose first observation was made then.
    pub(super) fn begun(&self, oldest: Instant) {
        self.note(|room| room.oldest = Some(oldest));
    }

    /// The database did not take what it was given.
    pub(super) fn failed(&self) {
        metrics::counter!("platform_watch_write_failures_total").increment(1);
        self.note(|room| {
            room.failing_since.get_or_insert_with(Instant::now);
        });
    }

    /// The database took something.
    pub(super) fn wrote(&self) {
        self.note(|room| room.failing_since = None);
    }

    /// The batch is settled.
    pub(super) fn settled(&self) {
        self.note(|room| *room = Writing::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leader_that_cannot_write_for_some_seconds_or_is_behind_is_unhealthy() {
        let health = Health::default();
        let long_ago = Instant::now().checked_sub(BEHIND).unwrap();
        health.of("jobs").begun(long_ago);
        insta::assert_snapshot!(health.check().unwrap(), @"another replica watches the cluster");
        health.leads(true);
        insta::assert_snapshot!(health.check().unwrap(), @"this replica watches the cluster, 0.0 s behind");
        let (jobs, others) = (health.of("jobs"), health.of("others"));
        jobs.begun(long_ago);
        others.begun(Instant::now());
        others.settled();
        insta::assert_snapshot!(health.check().unwrap_err(), @"the watch is 30.0 s behind");
        jobs.begun(Instant::now());
        jobs.failed();
        assert!(health.check().is_ok(), "one failure is tried again");
        jobs.note(|room| room.failing_since = Instant::now().checked_sub(UNWRITTEN));
        insta::assert_snapshot!(health.check().unwrap_err(), @"the watch could not write its observations for 5 s; it is 0.0 s behind");
        jobs.wrote();
        assert!(health.check().is_ok());
    }
}
