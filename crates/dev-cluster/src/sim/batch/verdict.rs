//! The conditions of a Job: announced when its end is decided, final when all its pods have ended.

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::super::recorder::Note;

const COMPLETE: &str = "Complete";
const FAILED: &str = "Failed";
const SUCCESS_CRITERIA_MET: &str = "SuccessCriteriaMet";
const FAILURE_TARGET: &str = "FailureTarget";
const SUSPENDED: &str = "Suspended";

/// How a Job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) success: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Verdict {
    pub(super) fn success() -> Self {
        let message = "Reached expected number of succeeded pods";
        Self { success: true, reason: "CompletionsReached".to_owned(), message: message.to_owned() }
    }

    pub(super) fn failure(reason: &'static str, message: &str) -> Self {
        Self { success: false, reason: reason.to_owned(), message: message.to_owned() }
    }

    /// What is told about the end.
    pub(super) fn note(&self) -> Note {
        if self.success {
            return Note::normal("Completed", "Job completed");
        }
        let known = ["BackoffLimitExceeded", "DeadlineExceeded", "MaxFailedIndexesExceeded", "FailedIndexes"];
        let reason = known.into_iter().find(|known| *known == self.reason).unwrap_or("JobFailed");
        Note::warning(reason, self.message.clone())
    }
}

/// Whether a Job has its last condition.
pub(super) fn is_finished(job: &Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| is_final(condition) && condition.status == "True")
}

/// When a Job got its last condition.
pub(super) fn finished_at(job: &Job) -> Option<Timestamp> {
    let mut conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    Some(conditions.find(|condition| is_final(condition))?.last_transition_time.as_ref()?.0)
}

fn is_final(condition: &JobCondition) -> bool {
    matches!(condition.type_.as_str(), COMPLETE | FAILED)
}

/// A Job's conditions to read and to write.
#[derive(Debug)]
pub(super) struct Conditions {
    list: Vec<JobCondition>,
    now: Timestamp,
}

impl Conditions {
    pub(super) fn new(list: Vec<JobCondition>, now: Timestamp) -> Self {
        Self { list, now }
    }

    fn find(&self, type_: &str) -> Option<&JobCondition> {
        self.list.iter().find(|condition| condition.type_ == type_)
    }

    fn holds(&self, type_: &str) -> bool {
        self.find(type_).is_some_and(|condition| condition.status == "True")
    }

    /// The end that was decided before.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let announced = |type_: &str| self.find(type_).filter(|condition| condition.status == "True");
        let (success, condition) = match (announced(SUCCESS_CRITERIA_MET), announced(FAILURE_TARGET)) {
            (Some(condition), _) => (true, condition),
            (None, Some(condition)) => (false, condition),
            (None, None) => return None,
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(Verdict { success, reason: text(&condition.reason), message: text(&condition.message) })
    }

    pub(super) fn finished(&self) -> bool {
        self.holds(COMPLETE) || self.holds(FAILED)
    }

    /// Says how the Job will end.
    pub(super) fn announce(&mut self, verdict: &Verdict) {
        self.set(if verdict.success { SUCCESS_CRITERIA_MET } else { FAILURE_TARGET }, true, verdict);
    }

    /// Says how the Job ended.
    pub(super) fn finish(&mut self, verdict: &Verdict) {
        self.set(if verdict.success { COMPLETE } else { FAILED }, true, verdict);
    }

    /// True if it was not suspended before.
    pub(super) fn suspend(&mut self) -> bool {
        self.set(SUSPENDED, true, &Verdict::failure("JobSuspended", "Job suspended"))
    }

    /// True if it was suspended before.
    pub(super) fn resume(&mut self) -> bool {
        self.holds(SUSPENDED) && self.set(SUSPENDED, false, &Verdict::failure("JobResumed", "Job resumed"))
    }

    /// Sets a condition; true if that changed anything.
    fn set(&mut self, type_: &str, holds: bool, why: &Verdict) -> bool {
        let status = if holds { "True" } else { "False" };
        let known = self.list.iter().position(|condition| condition.type_ == type_);
        if known.is_some_and(|index| self.list[index].status == status) {
            return false;
        }
        let condition = JobCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: Some(why.reason.clone()),
            message: Some(why.message.clone()),
            last_probe_time: Some(Time(self.now)),
            last_transition_time: Some(Time(self.now)),
        };
        match known {
            Some(index) => self.list[index] = condition,
            None => self.list.push(condition),
        }
        true
    }

    pub(super) fn into_list(self) -> Option<Vec<JobCondition>> {
        Some(self.list).filter(|list| !list.is_empty())
    }
}
