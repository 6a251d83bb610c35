//! The event of a notification, as stored in the event log.

use serde::{Deserialize, Serialize};

use super::model::NotificationType;
use crate::events::Event;
use crate::ids::NotificationKind;

/// Somebody is notified of something, or has marked notifications as read; the notifications have the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notified {
    /// Of what; `None` if notifications were marked as read.
    pub kind: Option<NotificationType>,
}

impl Event for Notified {
    const KIND: &'static str = "notification";
    type Subject = NotificationKind;

    fn name(&self) -> &'static str {
        self.kind.map_or("READ", NotificationType::as_str)
    }
}
