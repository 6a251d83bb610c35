//! The events of storage claims, as stored in the event log.

use serde::{Deserialize, Serialize};

use super::model::Claim;
use super::phase::{PvcEventKind, PvcPhase};
use crate::events::{About, Event};
use crate::ids::PvcKind;

/// An event of a storage claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PvcEvent {
    /// What happened.
    pub kind: PvcEventKind,
    /// The name of the claim, which may not exist any more when the event is read.
    pub name: String,
    /// The phase after the event.
    pub phase: PvcPhase,
    /// The phase before it, if it was another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_phase: Option<PvcPhase>,
    /// The reason for the phase, as a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl PvcEvent {
    /// An event of a claim as it is now.
    pub fn of(claim: &Claim, kind: PvcEventKind) -> Self {
        Self {
            kind,
            name: claim.name.clone(),
            phase: claim.phase,
            previous_phase: None,
            reason: claim.reason.clone(),
            message: claim.message.clone(),
        }
    }

    /// The same, after another phase.
    #[must_use]
    pub fn after(self, phase: PvcPhase) -> Self {
        Self { previous_phase: (phase != self.phase).then_some(phase), ..self }
    }
}

impl Event for PvcEvent {
    const KIND: &'static str = "pvc";
    type Subject = PvcKind;

    fn name(&self) -> &'static str {
        match self.kind {
            PvcEventKind::Created => "CREATED",
            PvcEventKind::Found => "FOUND",
            PvcEventKind::Updated => "UPDATED",
            PvcEventKind::PhaseChanged => "PHASE_CHANGED",
            PvcEventKind::ResizeRequested => "RESIZE_REQUESTED",
            PvcEventKind::ResizeChanged => "RESIZE_CHANGED",
            PvcEventKind::Resized => "RESIZED",
            PvcEventKind::PermissionsChanged => "PERMISSIONS_CHANGED",
            PvcEventKind::MountsChanged => "MOUNTS_CHANGED",
            PvcEventKind::DeletionRequested => "DELETION_REQUESTED",
            PvcEventKind::Deleted => "DELETED",
        }
    }
}

/// Whose business the events of a claim are: that of its project and group, or of its user.
pub fn about(claim: &Claim) -> About {
    About { project: claim.project_id, group: claim.group_id, person: claim.user_id, ..About::subject(claim.id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored events are read by every later version.
    #[test]
    fn the_log_keeps_an_event_under_these_names() {
        let event = PvcEvent {
            kind: PvcEventKind::PhaseChanged,
            name: "data".to_owned(),
            phase: PvcPhase::Bound,
            previous_phase: Some(PvcPhase::Pending),
            reason: None,
            message: Some("It has a volume.".to_owned()),
        };
        let kept = serde_json::to_value(&event).unwrap();
        insta::assert_snapshot!(kept, @r#"{"kind":"PHASE_CHANGED","name":"data","phase":"BOUND","previousPhase":"PENDING","message":"It has a volume."}"#);
        assert_eq!(serde_json::from_value::<PvcEvent>(kept).unwrap(), event);
    }
}
