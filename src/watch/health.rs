//! The health of the watch, for `/ready` and the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A database outage shorter than this is not reported: the observations are written when it is back.
const UNWRITTEN: Duration = Duration::from_secs(5);
/// An observation that waits longer than this, although others are written, is reported.
const BEHIND: Duration = Duration::from_secs(30);

/// The health of the watch of one replica. Clones are handles to the same state.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    leads: bool,
    rooms: BTreeMap<&'static str, Writing>,
}

/// The state of writing the observations of one room.
#[derive(Debug, Default, Clone, Copy)]
struct Writing {
    /// When the oldest unwritten observation was made.
    oldest: Option<Instant>,
    /// Since when nothing could be written.
    failing_since: Option<Instant>,
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets whether this replica watches.
    pub(super) fn leads(&self, leads: bool) {
        *self.state() = State { leads, ..State::default() };
    }

    /// The health of one room.
    pub(super) fn of(&self, room: &'static str) -> RoomHealth {
        RoomHealth { health: self.clone(), room }
    }

    /// How long the oldest observation has been waiting to be written.
    pub fn behind(&self) -> Duration {
        self.state()
            .rooms
            .values()
            .filter_map(|room| room.oldest)
            .map(|oldest| oldest.elapsed())
            .max()
            .unwrap_or_default()
    }

    /// The status for `/ready`.
    ///
    /// # Errors
    /// The problem: it cannot write, or is behind.
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

/// A handle to the health of one room.
#[derive(Debug, Clone)]
pub(super) struct RoomHealth {
    health: Health,
    room: &'static str,
}

impl RoomHealth {
    fn note(&self, note: impl FnOnce(&mut Writing)) {
        note(self.health.state().rooms.entry(self.room).or_default());
    }

    /// A batch is about to be written, whose first observation was made at this time.
    pub(super) fn begun(&self, oldest: Instant) {
        self.note(|room| room.oldest = Some(oldest));
    }

    /// The database rejected a write.
    pub(super) fn failed(&self) {
        metrics::counter!("platform_watch_write_failures_total").increment(1);
        self.note(|room| {
            room.failing_since.get_or_insert_with(Instant::now);
        });
    }

    /// The database accepted a write.
    pub(super) fn wrote(&self) {
        self.note(|room| room.failing_since = None);
    }

    /// The batch is done.
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
