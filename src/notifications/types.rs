//! Notifications as GraphQL types.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use super::event::Notified;
use super::loader::NotificationsById;
use super::model::{self, NotificationType};
use crate::error::ApiError;
use crate::events::Logged;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::FeedCursor;
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};

/// A notification.
#[derive(Debug, Clone)]
pub struct Notification(pub Arc<model::Notification>);

impl From<model::Notification> for Notification {
    fn from(notification: model::Notification) -> Self {
        Self(Arc::new(notification))
    }
}

impl Written for Notification {}

/// Something that you are told because it concerns you.
#[Object]
impl Notification {
    /// The ID of the notification: `notification_` followed by 26 characters.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_text())
    }

    /// What it is about.
    async fn kind(&self) -> NotificationType {
        self.0.kind
    }

    /// The ID of the object that it is about, which can be fetched with `node`: a request, a group, a job or a project.
    async fn subject_id(&self) -> ID {
        ID(self.0.subject.clone())
    }

    /// A sentence that says what has happened.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// When it happened.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When you marked it as read; null if you have not.
    async fn read_at(&self) -> Option<DateTime<Utc>> {
        self.0.read_at
    }
}

/// A new notification, in the feed.
#[derive(Debug, Clone)]
pub struct NotificationEvent(pub Arc<Logged<Notified>>);

/// A new notification.
#[Object]
impl NotificationEvent {
    /// The ID of the event: `event_` followed by 26 characters. It is for caches; `node` does not find events.
    async fn id(&self) -> ID {
        ID(self.0.seq.id().to_text())
    }

    /// The position of the event in the event log. Pass it as `after` to `notificationEvents` to resume after this event.
    async fn cursor(&self) -> FeedCursor {
        FeedCursor(self.0.seq.cursor())
    }

    /// The notification in its current state.
    async fn notification(&self, ctx: &Context<'_>) -> ApiResult<AtOnce<Notification>> {
        let id = self.0.subject();
        let found = ctx.read::<NotificationsById>(id).await;
        let found = found.and_then(|found| found.ok_or_else(|| ApiError::not_found("notification", id)));
        found.map(Notification).map(AtOnce).graphql(ctx)
    }
}
