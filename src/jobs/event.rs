//! The events of a job, as stored in the event log.

use serde::{Deserialize, Serialize};

use super::phase::{JobEventKind, JobPhase};
use crate::events::{About, Event};
use crate::ids::{GroupId, JobId, JobKind, ProjectId, UserId};

/// An event of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobEvent {
    /// The kind of event.
    pub kind: JobEventKind,
    /// The phase after the event.
    pub phase: JobPhase,
    /// The phase before the event, if it was a different one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_phase: Option<JobPhase>,
    /// Machine-readable reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Human-readable explanation of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Event for JobEvent {
    const KIND: &'static str = "job";
    type Subject = JobKind;
    const SUBJECTS: Option<&'static str> = Some("jobs");

    fn name(&self) -> &'static str {
        self.kind.as_str()
    }
}

/// The topics of a job: its project, the project's group, and the user who submitted it.
pub fn about(job: JobId, project: ProjectId, group: GroupId, submitted_by: UserId) -> About {
    About { project: Some(project), group: Some(group), person: Some(submitted_by), ..About::subject(job) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Stored events are read by every later version, and the view for the previous version reads them by these names.
    #[test]
    fn the_log_keeps_an_event_under_these_names() {
        let event = JobEvent {
            kind: JobEventKind::PhaseChanged,
            phase: JobPhase::Queued,
            previous_phase: Some(JobPhase::Running),
            reason: Some("Preempted".into()),
            message: Some("stopped to make room".into()),
        };
        let kept = serde_json::to_value(&event).unwrap();
        insta::assert_snapshot!(kept, @r#"{"kind":"PHASE_CHANGED","phase":"QUEUED","previousPhase":"RUNNING","reason":"Preempted","message":"stopped to make room"}"#);
        assert_eq!(serde_json::from_value::<JobEvent>(kept).unwrap(), event);
        let short: JobEvent = serde_json::from_value(json!({ "kind": "SUBMITTED", "phase": "SUBMITTED" })).unwrap();
        assert_eq!((short.previous_phase, short.reason, short.message), (None, None, None));
    }

    #[test]
    fn its_words_are_those_of_the_other_columns() {
        for kind in JobEventKind::ALL {
            assert_eq!(json!(kind), kind.as_str());
        }
        for phase in JobPhase::ALL {
            assert_eq!(json!(phase), phase.as_str());
        }
    }
}
