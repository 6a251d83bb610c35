//! A job that waits for a window of its project's schedule.

use chrono::{DateTime, Utc};

use super::waiting::as_sentence;
use super::{Life, NewEvent, reason};

impl Life {
    /// The schedule of its project does not let it start before `opens`.
    pub fn outside_schedule(&mut self, why: String, now: DateTime<Utc>, opens: DateTime<Utc>) -> Vec<NewEvent> {
        self.not_denied();
        let events = self.put_off(reason::OUTSIDE_SCHEDULE, why.clone(), now, opens);
        if !self.phase.is_terminal() && self.is_unsent() && self.cancel_requested_at.is_none() {
            self.pending_reason = Some(as_sentence(&why));
        }
        events
    }
}
