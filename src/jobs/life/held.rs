//! A job that is held back: its project's schedule is closed, or its queue is paused.

use chrono::{DateTime, Utc};

use super::waiting::as_sentence;
use super::{JobPhase, Life, NewEvent, reason};

impl Life {
    /// The schedule of its project does not let it start before `opens`.
    pub fn outside_schedule(&mut self, why: String, now: DateTime<Utc>, opens: DateTime<Utc>) -> Vec<NewEvent> {
        self.held(reason::OUTSIDE_SCHEDULE, why, now, opens)
    }

    /// Its queue is paused. Whoever resumes the queue makes the job due; `again` is when it is due otherwise.
    pub fn queue_paused(&mut self, why: String, now: DateTime<Utc>, again: DateTime<Utc>) -> Vec<NewEvent> {
        self.held(reason::QUEUE_PAUSED, why, now, again)
    }

    fn held(&mut self, word: &'static str, why: String, now: DateTime<Utc>, again: DateTime<Utc>) -> Vec<NewEvent> {
        // The watch has seen it in the cluster in the meantime.
        if self.phase != JobPhase::Submitted {
            return Vec::new();
        }
        self.not_denied();
        let events = self.put_off(word, why.clone(), now, again);
        if !self.phase.is_terminal() && self.is_unsent() && self.cancel_requested_at.is_none() {
            self.pending_reason = Some(as_sentence(&why));
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::super::tests::{now, submitted};
    use super::*;

    #[test]
    fn a_job_that_is_held_back_says_so_once_and_is_looked_at_again() {
        let mut life = submitted();
        let again = now() + Duration::minutes(5);
        let told = life.queue_paused("the queue night is paused: repair".into(), now(), again);
        assert_eq!((told.len(), told[0].reason.as_deref()), (1, Some("QueuePaused")));
        assert_eq!(life.pending_reason.as_deref(), Some("The queue night is paused: repair."));
        assert_eq!(life.next_attempt_at, Some(again));
        // A different note is a different sentence, and not a different reason.
        assert!(life.queue_paused("the queue night is paused: until noon".into(), now(), again).is_empty());
        assert_eq!(life.pending_reason.as_deref(), Some("The queue night is paused: until noon."));
        let told = life.outside_schedule("outside the schedule".into(), now(), again);
        assert_eq!(told[0].reason.as_deref(), Some("OutsideSchedule"));
    }

    #[test]
    fn a_job_that_is_in_the_cluster_by_now_is_not_held_back() {
        let mut life = Life { phase: JobPhase::Queued, ..submitted() };
        let before = life.clone();
        assert!(life.queue_paused("the queue night is paused: repair".into(), now(), now()).is_empty());
        assert_eq!(life, before);
    }
}
