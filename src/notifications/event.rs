//! The event of a notification, as stored in the event log.

use serde::{Deserialize, Serialize};

use super::model::NotificationType;
use crate::events::Event;
use crate::ids::NotificationKind;

/// Somebody is notified of something; the notification has the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notified {
    /// Of what.
    pub kind: NotificationType,
}

impl Event for Notified {
    const KIND: &'static str = "notification";
    type Subject = NotificationKind;

    fn name(&self) -> &'static str {
        self.kind.as_str()
    }
}
