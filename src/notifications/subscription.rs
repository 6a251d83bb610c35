//! The subscription to notifications.

use async_graphql::{Context, Subscription};
use futures::Stream;

use super::feed::View;
use super::types::NotificationEvent;
use crate::auth::acting::CallerExt;
use crate::feeds;
use crate::graphql::scalars::FeedCursor;
use crate::graphql::{ApiResult, IntoGraphql};

/// The notifications part of the subscription root.
#[derive(Debug, Default)]
pub struct NotificationSubscription;

#[Subscription]
impl NotificationSubscription {
    /// Your new notifications, in real time, and when you mark notifications as read: `unreadNotifications` of the last event is
    /// the current number. Each event is sent once, and in order. It is resumed with `after`, and ends, as `jobEvents`.
    async fn notification_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cursor of the last event that you received, or `eventCursor`.")] after: Option<
            FeedCursor,
        >,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<NotificationEvent>> + use<>> {
        feeds::resolve(ctx, after, async { Ok(View(ctx.caller().principal()?.user)) }).await.graphql(ctx)
    }
}
