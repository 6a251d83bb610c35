//! Jobs whose pods the API server does not take: known before anything is placed, and looked at again after a while.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What the API server said of jobs' pods, by the job's uid.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Those whose pods it would take.
    passed: HashSet<String>,
    refused: HashMap<String, Refusal>,
}

#[derive(Debug)]
struct Refusal {
    why: String,
    pause: Duration,
    again: Instant,
}

impl Refusals {
    /// What is said against a job's pods.
    pub(super) fn of(&self, uid: &str) -> Option<&str> {
        self.refused.get(uid).map(|refusal| refusal.why.as_str())
    }

    /// Whether a job's pods are to be tried now.
    pub(super) fn is_due(&self, uid: &str, now: Instant) -> bool {
        !self.passed.contains(uid) && self.refused.get(uid).is_none_or(|refusal| refusal.again <= now)
    }

    /// A job's pods would be taken.
    pub(super) fn pass(&mut self, uid: &str) {
        self.refused.remove(uid);
        self.passed.insert(uid.to_owned());
    }

    /// A job's pods are refused.
    pub(super) fn refuse(&mut self, uid: &str, why: String, now: Instant) {
        self.passed.remove(uid);
        let before = self.refused.get(uid).map(|refusal| refusal.pause);
        let pause = before.map_or(FIRST_PAUSE, |before| (before * 2).min(LONGEST_PAUSE));
        self.refused.insert(uid.to_owned(), Refusal { why, pause, again: now + pause });
    }

    /// When the next job's pods are to be tried again.
    pub(super) fn next(&self, now: Instant) -> Option<Duration> {
        self.refused.values().map(|refusal| refusal.again.saturating_duration_since(now)).min()
    }

    /// Forgets jobs that are not among `living`.
    pub(super) fn retain(&mut self, living: &HashSet<&str>) {
        self.passed.retain(|uid| living.contains(uid.as_str()));
        self.refused.retain(|uid, _| living.contains(uid.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_job_is_tried_again_after_longer_and_longer_pauses() {
        let (mut refusals, mut now) = (Refusals::default(), Instant::now());
        assert!(refusals.is_due("a", now));
        for seconds in [1, 2, 4, 8, 8] {
            refusals.refuse("a", "no".to_owned(), now);
            assert_eq!((refusals.of("a"), refusals.is_due("a", now)), (Some("no"), false));
            assert_eq!(refusals.next(now), Some(Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
            assert!(refusals.is_due("a", now));
        }
        refusals.pass("a");
        assert_eq!((refusals.of("a"), refusals.is_due("a", now), refusals.next(now)), (None, false, None));
    }
}
