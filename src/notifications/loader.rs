//! Notifications by ID, the pages of a user's notifications, how many are unread, and webhooks.

use std::sync::Arc;

use futures::{FutureExt, TryFutureExt};

use super::model::webhooks::{self, Webhook};
use super::model::{self, Notification, Selection};
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Read, one_by_one};
use crate::error::ApiError;
use crate::graphql::connection::Page;
use crate::ids::{NotificationId, UserId};

/// The notification with an ID.
pub enum NotificationsById {}

impl Read for NotificationsById {
    type Key = NotificationId;
    type Value = Arc<Notification>;

    async fn read(lane: &Lane, keys: Vec<NotificationId>) -> Result<ByKey<NotificationId, Self::Value>, ApiError> {
        let found = model::find(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|notification| (notification.id, Arc::new(notification))).collect())
    }
}

/// A page of a user's notifications.
pub enum NotificationPages {}

impl Read for NotificationPages {
    type Key = (UserId, Selection, Page);
    type Value = Arc<Vec<Notification>>;
    const CONNECTIONS: usize = 2;
    /// Each is a separate statement: others get their own connection.
    const BATCH: usize = 4;

    async fn read(lane: &Lane, keys: Vec<Self::Key>) -> Result<ByKey<Self::Key, Self::Value>, ApiError> {
        one_by_one(lane, keys, |conn, (user, selection, page)| {
            model::page(conn, *user, selection, page).map_ok(Arc::new).boxed()
        })
        .await
    }
}

/// The number of notifications that a user has not marked as read; nothing for 0.
pub enum UnreadOfUser {}

impl Read for UnreadOfUser {
    type Key = UserId;
    type Value = i64;

    async fn read(lane: &Lane, keys: Vec<UserId>) -> Result<ByKey<UserId, i64>, ApiError> {
        Ok(model::unread(&mut *lane.lookup().await?, &keys).await?.into_iter().collect())
    }
}

/// The webhook of a user; nothing for a user without one.
pub enum WebhookOfUser {}

impl Read for WebhookOfUser {
    type Key = UserId;
    type Value = Arc<Webhook>;

    async fn read(lane: &Lane, keys: Vec<UserId>) -> Result<ByKey<UserId, Self::Value>, ApiError> {
        let found = webhooks::of_users(&mut *lane.lookup().await?, &keys).await?;
        Ok(found.into_iter().map(|webhook| (webhook.user_id, Arc::new(webhook))).collect())
    }
}
