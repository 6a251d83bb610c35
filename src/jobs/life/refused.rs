//! The end of a job that the cluster does not accept.
//!
//! An object that violates the rules of its kind is rejected for good. What admission rejects may be accepted a moment
//! later, when a webhook is up again or a limit was changed, so it is retried for a while and then given up with the
//! cluster's message. An exhausted quota is waited for without a time limit. The row stores when the rejections
//! started, so that a restart does not extend the time.

use chrono::{DateTime, Duration, Utc};

use super::waiting::as_sentence;
use super::{JobPhase, Life, NewEvent, ObjectPhase, ObjectState, reason};

/// The scheduler's reason for pods that the API server rejects.
pub const POD_REJECTED: &str = "PodRejected";
/// How long a job that is not in the cluster yet is retried: about five times.
pub const UNSENT_PATIENCE: Duration = Duration::seconds(5);
/// How long the scheduler may retry the pods of a job that is in the cluster.
pub const SENT_PATIENCE: Duration = Duration::seconds(60);

/// Why a postponed job waits, as a sentence.
pub(super) fn sentence(why: &str) -> &'static str {
    match why {
        reason::CLUSTER_UNAVAILABLE => "The cluster does not answer; the job will be sent when it does.",
        reason::CLUSTER_QUOTA => {
            "The quota of the project's namespace is used up; the job will be sent when there is room."
        }
        reason::CLUSTER_FORBIDDEN => {
            "The platform has no permission to create the job in the cluster; an administrator must grant it."
        }
        reason::CLUSTER_KIND_MISSING => {
            "The cluster has no FlashJob resource; the job will be sent when an administrator has installed it."
        }
        _ => "The cluster does not accept the job at the moment; it will be tried again.",
    }
}

/// Whether a job that the cluster does not have waits for this reason.
pub(super) fn is_of_unsent(word: &str) -> bool {
    [
        reason::CLUSTER_UNAVAILABLE,
        reason::CLUSTER_REFUSED,
        reason::CLUSTER_QUOTA,
        reason::CLUSTER_FORBIDDEN,
        reason::CLUSTER_KIND_MISSING,
    ]
    .contains(&word)
}

/// Whether the message is about an exhausted quota: <https://kubernetes.io/docs/concepts/policy/resource-quotas/>
pub(super) fn is_quota(message: &str) -> bool {
    message.contains("exceeded quota")
}

impl Life {
    /// Admission rejects a job that is being sent; `again` is the time of the next attempt, unless the time is up.
    pub fn denied(&mut self, words: String, now: DateTime<Utc>, again: DateTime<Utc>) -> Vec<NewEvent> {
        if !self.is_unsent() || self.phase == JobPhase::Running || self.cancel_requested_at.is_some() {
            return self.put_off(reason::CLUSTER_REFUSED, words, now, again);
        }
        let end = *self.refused_since.get_or_insert(now) + UNSENT_PATIENCE;
        if end <= now {
            return self.reject(words, now);
        }
        let waits = format!("The cluster does not accept the job; it will be tried again. {}", as_sentence(&words));
        let events = self.put_off(reason::CLUSTER_REFUSED, words, now, again.min(end));
        if !self.phase.is_terminal() {
            self.pending_reason = Some(waits);
        }
        events
    }

    /// The cluster's answer was not a rejection.
    pub fn not_denied(&mut self) {
        if self.is_unsent() {
            self.refused_since = None;
        }
    }

    /// Records whether the scheduler reports that the job's pods are rejected.
    pub(super) fn note_refusal(&mut self, object: &ObjectState, now: DateTime<Utc>) {
        let words = object.message.as_deref().unwrap_or_default();
        let is_refused = object.phase == ObjectPhase::Pending
            && object.reason.as_deref() == Some(POD_REJECTED)
            && !is_quota(words)
            && !self.phase.is_terminal()
            && !self.is_restarting();
        if is_refused == self.refused_since.is_some() {
            return;
        }
        self.refused_since = is_refused.then_some(now);
        if is_refused {
            self.reason.clone_from(&object.reason);
            self.message.clone_from(&object.message);
        } else if self.phase == JobPhase::Running {
            (self.reason, self.message) = (None, None);
        }
        if !self.phase.is_terminal() {
            self.next_attempt_at = self.due(now);
        }
    }

    /// When a job in the cluster whose pods are rejected is given up.
    pub(super) fn gives_up_at(&self) -> Option<DateTime<Utc>> {
        let sent = !self.phase.is_terminal() && self.object_uid.is_some();
        self.refused_since.filter(|_| sent).map(|since| since + SENT_PATIENCE)
    }

    /// Gives up a job whose pods were rejected for too long. Its object is deleted next.
    pub fn give_up(&mut self, now: DateTime<Utc>) -> Vec<NewEvent> {
        if self.cancel_requested_at.is_some() || self.gives_up_at().is_none_or(|end| end > now) {
            return Vec::new();
        }
        let words = self.message.clone().unwrap_or_else(|| "the cluster does not accept its pods".to_owned());
        self.reject(words, now)
    }

    fn reject(&mut self, words: String, now: DateTime<Utc>) -> Vec<NewEvent> {
        let event = self.enter(JobPhase::Failed, (Some(reason::REJECTED.to_owned()), Some(words)), now);
        if event.is_some() {
            self.refused_since = None;
            self.delete_all(now);
        }
        event.into_iter().collect()
    }
}

#[cfg(test)]
#[path = "refused_tests.rs"]
mod tests;
