//! The events of a request, as stored in the event log.

use async_graphql::Enum;
use serde::{Deserialize, Serialize};

use super::model::{Request, RequestStatus};
use crate::events::{About, Event};
use crate::ids::RequestKind;

/// What happened to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestEventKind {
    /// It was opened.
    Opened,
    /// Somebody wrote a message.
    Replied,
    /// Its status has changed.
    StatusChanged,
}

/// An event of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestEvent {
    /// What happened.
    pub kind: RequestEventKind,
    /// The status after it.
    pub status: RequestStatus,
}

impl Event for RequestEvent {
    const KIND: &'static str = "request";
    type Subject = RequestKind;

    fn name(&self) -> &'static str {
        match self.kind {
            RequestEventKind::Opened => "OPENED",
            RequestEventKind::Replied => "REPLIED",
            RequestEventKind::StatusChanged => "STATUS_CHANGED",
        }
    }
}

/// Whose business the events of a request are: its author's, and that of its group.
pub fn about(request: &Request) -> About {
    About {
        project: request.project_id,
        group: request.group_id,
        person: Some(request.author_id),
        ..About::subject(request.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored events are read by every later version.
    #[test]
    fn the_log_keeps_an_event_under_these_names() {
        let event = RequestEvent { kind: RequestEventKind::StatusChanged, status: RequestStatus::InProgress };
        let kept = serde_json::to_value(&event).unwrap();
        insta::assert_snapshot!(kept, @r#"{"kind":"STATUS_CHANGED","status":"IN_PROGRESS"}"#);
        assert_eq!(serde_json::from_value::<RequestEvent>(kept).unwrap(), event);
    }
}
