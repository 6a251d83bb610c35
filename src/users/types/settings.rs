//! The settings of a user as GraphQL objects.

use std::sync::Arc;

use async_graphql::Object;

use crate::notifications::model::NotificationType;
use crate::users::model::settings::{Settings, Theme};

/// The settings of a user.
#[derive(Debug, Clone)]
pub struct UserSettings(Arc<Settings>);

impl From<Arc<Settings>> for UserSettings {
    fn from(settings: Arc<Settings>) -> Self {
        Self(settings)
    }
}

/// The settings of a user.
#[Object]
impl UserSettings {
    /// The colors of the user interface.
    async fn theme(&self) -> Theme {
        self.0.theme
    }

    /// The language of the user interface, as a BCP 47 tag such as `en` or `pt-BR`; null if the client chooses it.
    async fn language(&self) -> Option<&str> {
        self.0.language.as_deref()
    }

    /// What the user wants to be notified of.
    async fn notifications(&self) -> NotificationSettings {
        NotificationSettings(Arc::clone(&self.0))
    }
}

/// What a user wants to be notified of; everything by default.
#[derive(Debug, Clone)]
pub struct NotificationSettings(Arc<Settings>);

/// What a user wants to be notified of; everything by default.
#[Object]
impl NotificationSettings {
    /// Whether the user wants to be notified when somebody answers one of their requests.
    async fn request_answered(&self) -> bool {
        self.0.wants(NotificationType::RequestAnswered)
    }

    /// Whether the user wants to be notified when their role in a group or on the platform changes.
    async fn role_changed(&self) -> bool {
        self.0.wants(NotificationType::RoleChanged)
    }

    /// Whether the user wants to be notified when one of their jobs ends.
    async fn job_ended(&self) -> bool {
        self.0.wants(NotificationType::JobEnded)
    }

    /// Whether the user wants to be notified when a quota of one of their projects is nearly used.
    async fn quota_nearly_used(&self) -> bool {
        self.0.wants(NotificationType::QuotaNearlyUsed)
    }
}
