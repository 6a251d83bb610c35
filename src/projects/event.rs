//! The events of a project, as stored in the event log. They wake what shows a project's limits and its state.

use serde::{Deserialize, Serialize};

use crate::events::{About, Event};
use crate::ids::{GroupId, ProjectId, ProjectKind};

/// What happened to a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectEventKind {
    /// Its name or its description was changed.
    Updated,
    /// Its limits were changed.
    LimitsChanged,
    /// Its schedule was changed.
    ScheduleChanged,
    /// It was archived.
    Archived,
    /// It was restored.
    Restored,
    /// It was deleted.
    Deleted,
}

/// An event of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectEvent {
    /// The kind of event.
    pub kind: ProjectEventKind,
}

impl Event for ProjectEvent {
    const KIND: &'static str = "project";
    type Subject = ProjectKind;

    fn name(&self) -> &'static str {
        match self.kind {
            ProjectEventKind::Updated => "UPDATED",
            ProjectEventKind::LimitsChanged => "LIMITS_CHANGED",
            ProjectEventKind::ScheduleChanged => "SCHEDULE_CHANGED",
            ProjectEventKind::Archived => "ARCHIVED",
            ProjectEventKind::Restored => "RESTORED",
            ProjectEventKind::Deleted => "DELETED",
        }
    }
}

/// The topics of a project: itself and its group.
pub fn about(project: ProjectId, group: GroupId) -> About {
    About { project: Some(project), group: Some(group), ..About::subject(project) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored events are read by every later version.
    #[test]
    fn the_log_keeps_an_event_under_these_names() {
        let event = ProjectEvent { kind: ProjectEventKind::LimitsChanged };
        let kept = serde_json::to_value(event).unwrap();
        insta::assert_snapshot!(kept, @r#"{"kind":"LIMITS_CHANGED"}"#);
        assert_eq!(serde_json::from_value::<ProjectEvent>(kept).unwrap(), event);
    }
}
