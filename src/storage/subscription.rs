//! The subscription to the events of storage claims.

use async_graphql::{Context, Subscription};
use futures::Stream;

use super::feed::{PvcEventFilter, View};
use super::types::PvcEvent;
use crate::feeds;
use crate::graphql::scalars::FeedCursor;
use crate::graphql::{ApiResult, IntoGraphql};

/// The storage part of the subscription root.
#[derive(Debug, Default)]
pub struct StorageSubscription;

#[Subscription]
impl StorageSubscription {
    /// The events of the storage claims that you can see, in real time. Each event is sent once, and in order. It is resumed
    /// with `after`, and ends, as `jobEvents`.
    async fn pvc_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events to return; those of all claims that you can see by default.")] filter: Option<
            PvcEventFilter,
        >,
        #[graphql(desc = "The cursor of the last event that you received, or `eventCursor`.")] after: Option<
            FeedCursor,
        >,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<PvcEvent>> + use<>> {
        let view = View::open(ctx, filter.unwrap_or_default());
        feeds::resolve(ctx, after, view).await.graphql(ctx)
    }
}
