//! Notifications as GraphQL types.

pub mod kinds;
pub mod webhook;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use chrono::{DateTime, Utc};

use super::event::Notified;
use super::loader::{NotificationsById, UnreadOfUser};
use super::model::{self, NotificationType};
use crate::error::ApiError;
use crate::events::Logged;
use crate::graphql::loaders::ReadExt;
use crate::graphql::scalars::FeedCursor;
use crate::graphql::written::Written;
use crate::graphql::{ApiResult, AtOnce, IntoGraphql};
use crate::ids::UserId;

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

    /// The ID of the object that it is about, which can be fetched with `node`: a request, a group, a job, a project or yourself.
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

/// The kind of an event in `notificationEvents`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum NotificationEventKind {
    /// You have a new notification.
    Created,
    /// You have marked notifications as read, perhaps in another window.
    Read,
}

/// An event of a user's notifications, in the feed.
#[derive(Debug, Clone)]
pub struct NotificationEvent(pub Arc<Logged<Notified>>);

/// An event of your notifications.
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

    /// The kind of event.
    async fn kind(&self) -> NotificationEventKind {
        if self.0.event.kind.is_some() { NotificationEventKind::Created } else { NotificationEventKind::Read }
    }

    /// The new notification in its current state; null if notifications were marked as read.
    async fn notification(&self, ctx: &Context<'_>) -> ApiResult<Option<AtOnce<Notification>>> {
        if self.0.event.kind.is_none() {
            return Ok(None);
        }
        let id = self.0.subject();
        let found = ctx.read::<NotificationsById>(id).await;
        let found = found.and_then(|found| found.ok_or_else(|| ApiError::not_found("notification", id)));
        found.map(Notification).map(AtOnce).map(Some).graphql(ctx)
    }

    /// The number of your unread notifications now, which is at least as recent as the event.
    async fn unread_notifications(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        let Some(user) = self.0.about.person else { return Ok(0) };
        unread(ctx, user).await.graphql(ctx)
    }
}

/// The number of notifications that a user has not marked as read.
///
/// # Errors
/// The read failed.
pub async fn unread(ctx: &Context<'_>, user: UserId) -> Result<i32, ApiError> {
    let count = ctx.read::<UnreadOfUser>(user).await?.unwrap_or_default();
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}
