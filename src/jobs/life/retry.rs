//! Retries of a failed job: the failed attempt's object is deleted first, then that of the next attempt is created.
//!
//! The row changes in two steps, so that after a crash between two calls to the cluster the work continues where it
//! was: first the new attempt with the old one's object until that is known to be deleted, then a row without an
//! object, which the submit worker creates. Each attempt's object has its own name, so late news of an old one is never
//! taken for news of the new one.

use chrono::{DateTime, Utc};

use super::{Life, NewEvent, Why, as_sentence, reason};
use crate::cluster::names;
use crate::jobs::model::part::Parts;
use crate::jobs::model::task;
use crate::jobs::phase::{JobEventKind, JobPhase};

impl Life {
    /// Whether the attempt before this one has failed and its object still exists.
    pub fn is_restarting(&self) -> bool {
        !self.phase.is_terminal() && names::is_of_earlier_attempt(&self.object_name, self.id, self.attempt)
    }

    /// Whether its object has to be created: the first one, or that of the next attempt.
    pub fn is_unsent(&self) -> bool {
        !self.phase.is_terminal() && !self.is_restarting() && self.object_uid.is_none()
    }

    /// Whether this is the job's current object in the cluster.
    pub fn is_in_cluster_as(&self, name: &str, uid: &str) -> bool {
        self.object_name == name && self.object_uid.as_deref() == Some(uid)
    }

    /// Moves to the next attempt after this one has failed in the cluster, if a retry is left.
    pub(super) fn retry(&mut self, (_, message): &Why, now: DateTime<Utc>) -> Option<NewEvent> {
        let over_time = self.deadline().is_some_and(|deadline| deadline <= now);
        if self.attempt > self.retry_limit || self.cancel_requested_at.is_some() || over_time {
            return None;
        }
        let failed = format!("attempt {} of {} failed", self.attempt, self.retry_limit.saturating_add(1));
        self.pending_reason = Some(as_sentence(&format!("{failed}; the next one is being started")));
        let message = match message {
            Some(why) => format!("{failed}: {why}"),
            None => failed,
        };
        let from = std::mem::replace(&mut self.phase, JobPhase::Queued);
        self.reason = Some(reason::RETRYING.to_owned());
        self.message = Some(message.clone());
        self.attempt += 1;
        self.stop_tasks(task::RETRYING);
        self.next_attempt_at = Some(now);
        Some(NewEvent {
            kind: JobEventKind::Retrying,
            phase: JobPhase::Queued,
            previous_phase: (from != JobPhase::Queued).then_some(from),
            reason: Some(reason::RETRYING.to_owned()),
            message: Some(message),
            job: None,
        })
    }

    /// The failed attempt's object is deleted: that of the next attempt has to be created.
    pub(super) fn begin_attempt(&mut self, now: DateTime<Utc>) {
        self.object_name = names::job_attempt(self.id, self.attempt);
        self.object_uid = None;
        self.object_version = None;
        self.parts = Parts::default();
        self.next_attempt_at = Some(now);
    }
}
