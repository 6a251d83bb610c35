//! A leaky bucket of cost points: what is spent goes in, and it drains at a constant rate.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How fast points may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Points that drain per second.
    pub points_per_second: NonZeroU32,
    /// The capacity in points.
    pub burst: NonZeroU32,
}

impl Rate {
    /// The time in which a full bucket drains completely.
    pub fn window(&self) -> Duration {
        self.time_for(f64::from(self.burst.get()))
    }

    /// The time in which this number of points drains.
    fn time_for(&self, points: f64) -> Duration {
        Duration::from_secs_f64(points / f64::from(self.points_per_second.get()))
    }
}

/// The fill level of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The capacity in points.
    pub limit: u64,
    /// The points that can be spent now.
    pub remaining: u64,
    /// The time until it is empty, and all points can be spent.
    pub reset_after: Duration,
}

/// The points that a principal has spent.
#[derive(Debug)]
pub(super) struct Bucket {
    spent: f64,
    at: Instant,
    /// When it was, or will be, empty.
    empty_at: Instant,
}

impl Bucket {
    pub fn new(now: Instant) -> Self {
        Self { spent: 0.0, at: now, empty_at: now }
    }

    fn drain(&mut self, rate: Rate, now: Instant) {
        let drained = now.saturating_duration_since(self.at).as_secs_f64() * f64::from(rate.points_per_second.get());
        self.spent = (self.spent - drained).max(0.0);
        self.at = self.at.max(now);
    }

    /// Adds points, or returns when there will be room for them.
    pub fn take(&mut self, points: u64, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.drain(rate, now);
        let over = self.spent + points as f64 - f64::from(rate.burst.get());
        if over > 0.0 {
            return Err(rate.time_for(over));
        }
        self.spent += points as f64;
        self.empty_at = self.at + rate.time_for(self.spent);
        Ok(())
    }

    /// Removes points that were added and not needed.
    pub fn give_back(&mut self, points: u64) {
        self.spent = (self.spent - points as f64).max(0.0);
    }

    pub fn level(&mut self, rate: Rate, now: Instant) -> Level {
        self.drain(rate, now);
        let burst = f64::from(rate.burst.get());
        Level {
            limit: rate.burst.get().into(),
            remaining: (burst - self.spent).max(0.0) as u64,
            reset_after: rate.time_for(self.spent),
        }
    }

    /// Whether it is as good as a new one.
    pub fn is_empty(&self, now: Instant) -> bool {
        self.empty_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(points_per_second: u32, burst: u32) -> Rate {
        Rate { points_per_second: NonZeroU32::new(points_per_second).unwrap(), burst: NonZeroU32::new(burst).unwrap() }
    }

    #[test]
    fn a_full_bucket_says_when_there_is_room_and_there_is() {
        let (start, rate) = (Instant::now(), rate(10, 100));
        let mut bucket = Bucket::new(start);
        bucket.take(80, rate, start).unwrap();
        let wait = bucket.take(50, rate, start).unwrap_err();
        assert_eq!(wait, Duration::from_secs(3));
        bucket.take(50, rate, start + wait).unwrap();
    }

    #[test]
    fn what_was_not_needed_is_there_again() {
        let (start, rate) = (Instant::now(), rate(10, 100));
        let mut bucket = Bucket::new(start);
        bucket.take(100, rate, start).unwrap();
        bucket.give_back(60);
        let level = bucket.level(rate, start);
        assert_eq!((level.remaining, level.reset_after), (60, Duration::from_secs(4)));
        assert!(!bucket.is_empty(start) && bucket.is_empty(start + Duration::from_secs(10)));
    }

    proptest! {
        #[test]
        fn nobody_spends_more_than_the_burst_and_what_has_drained(
            asks in proptest::collection::vec((0_u64..200, 0_u64..500), 1..50),
        ) {
            let (start, rate) = (Instant::now(), rate(100, 150));
            let (mut bucket, mut now, mut spent) = (Bucket::new(start), start, 0);
            for (points, pause) in asks {
                now += Duration::from_millis(pause);
                if bucket.take(points, rate, now).is_ok() {
                    spent += points;
                }
                let drained = (now - start).as_secs_f64() * 100.0;
                prop_assert!(spent as f64 <= 150.0 + drained + 0.001);
            }
        }
    }
}
