//! Notifications by ID, and the pages of a user's notifications.

use std::sync::Arc;

use futures::{FutureExt, TryFutureExt};

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
