//! The events of a job, as stored in the event log.

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::phase::{JobEventKind, JobPhase};
use crate::events::{About, Event};
use crate::ids::{ConfigId, GroupId, JobId, JobKind, ProjectId, UserId};

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
    /// What filters go by; `None` in an event of a version that did not write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<Particulars>,
}

/// What a filter of jobs goes by, besides the phase and the owners of a job. None of it changes, except that an unfinished
/// job finishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Particulars {
    /// The display name.
    pub name: String,
    /// The queue.
    pub queue: String,
    /// The config file that the job was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_file: Option<Uuid>,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// When it finished; given in events with a final phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<DateTime<Utc>>,
}

impl Particulars {
    /// Those of a job that has not finished.
    pub fn of(name: &str, queue: &str, config_file: Option<ConfigId>, submitted_at: DateTime<Utc>) -> Self {
        let (name, queue, config_file) = (name.to_owned(), queue.to_owned(), config_file.map(ConfigId::uuid));
        Self { name, queue, config_file, submitted_at, finished_at: None }
    }
}

impl JobEvent {
    /// With what filters go by. `finished_at` is when the job has finished, if it has by now.
    #[must_use]
    pub fn about(self, job: &Particulars, finished_at: Option<DateTime<Utc>>) -> Self {
        // In the resolution of the row.
        let finished_at = finished_at.filter(|_| self.phase.is_terminal()).map(|at| at.trunc_subsecs(6));
        Self { job: Some(Particulars { finished_at, ..job.clone() }), ..self }
    }
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
            job: None,
        };
        let submitted_at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let event =
            event.about(&Particulars::of("train", "night", Some(ConfigId::from_uuid(Uuid::nil())), submitted_at), None);
        let kept = serde_json::to_value(&event).unwrap();
        insta::assert_snapshot!(kept, @r#"{"kind":"PHASE_CHANGED","phase":"QUEUED","previousPhase":"RUNNING","reason":"Preempted","message":"stopped to make room","job":{"name":"train","queue":"night","configFile":"00000000-0000-0000-0000-000000000000","submittedAt":"2027-01-15T08:00:00Z"}}"#);
        assert_eq!(serde_json::from_value::<JobEvent>(kept).unwrap(), event);
        let short: JobEvent = serde_json::from_value(json!({ "kind": "SUBMITTED", "phase": "SUBMITTED" })).unwrap();
        assert_eq!((short.previous_phase, short.reason, short.message, short.job), (None, None, None, None));
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
