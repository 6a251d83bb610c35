//! Which kinds of notifications a user wants, as a GraphQL type and as an input.

use async_graphql::{InputObject, Object};

use crate::notifications::model::NotificationType;
use crate::notifications::model::kinds::{is_muted, mute};

/// What a user wants to be notified of; everything by default.
#[derive(Debug, Clone)]
pub struct NotificationSettings {
    muted: Vec<String>,
}

impl NotificationSettings {
    /// Everything but these kinds.
    pub const fn all_but(muted: Vec<String>) -> Self {
        Self { muted }
    }

    fn wants(&self, kind: NotificationType) -> bool {
        !is_muted(&self.muted, kind)
    }
}

/// What a user wants to be notified of; everything by default.
#[Object]
impl NotificationSettings {
    /// Whether the user wants to be notified when somebody answers one of their requests.
    async fn request_answered(&self) -> bool {
        self.wants(NotificationType::RequestAnswered)
    }

    /// Whether the user wants to be notified when their role in a group or on the platform changes.
    async fn role_changed(&self) -> bool {
        self.wants(NotificationType::RoleChanged)
    }

    /// Whether the user wants to be notified when one of their jobs ends.
    async fn job_ended(&self) -> bool {
        self.wants(NotificationType::JobEnded)
    }

    /// Whether the user wants to be notified when a quota of one of their projects is nearly used.
    async fn quota_nearly_used(&self) -> bool {
        self.wants(NotificationType::QuotaNearlyUsed)
    }
}

/// What you want to be notified of. Omitted fields stay as they are.
#[derive(Debug, Clone, Copy, Default, InputObject)]
pub struct NotificationSettingsInput {
    /// Whether you want to be notified when somebody answers one of your requests.
    pub request_answered: Option<bool>,
    /// Whether you want to be notified when your role in a group or on the platform changes.
    pub role_changed: Option<bool>,
    /// Whether you want to be notified when one of your jobs ends.
    pub job_ended: Option<bool>,
    /// Whether you want to be notified when a quota of one of your projects is nearly used.
    pub quota_nearly_used: Option<bool>,
}

impl NotificationSettingsInput {
    /// Changes the kinds that are turned off.
    pub fn apply(self, muted: &mut Vec<String>) {
        let given = [
            (NotificationType::RequestAnswered, self.request_answered),
            (NotificationType::RoleChanged, self.role_changed),
            (NotificationType::JobEnded, self.job_ended),
            (NotificationType::QuotaNearlyUsed, self.quota_nearly_used),
        ];
        for (kind, wanted) in given {
            if let Some(wanted) = wanted {
                mute(muted, kind, !wanted);
            }
        }
    }
}
