//! The subscription to the events of requests.

use async_graphql::{Context, Subscription};
use futures::Stream;

use super::feed::{RequestEventFilter, View};
use super::types::RequestEvent;
use crate::auth::acting::CallerExt;
use crate::feeds;
use crate::graphql::scalars::FeedCursor;
use crate::graphql::{ApiResult, IntoGraphql};

/// The requests part of the subscription root.
#[derive(Debug, Default)]
pub struct RequestSubscription;

#[Subscription]
impl RequestSubscription {
    /// The events of the requests that you can see, in real time: your own, and those about groups that you manage. Each event
    /// is sent once, and in order. It is resumed with `after`, and ends, as `jobEvents`.
    async fn request_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events to return; those of all requests that you can see by default.")] filter: Option<
            RequestEventFilter,
        >,
        #[graphql(desc = "The cursor of the last event that you received, or `eventCursor`.")] after: Option<
            FeedCursor,
        >,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<RequestEvent>> + use<>> {
        let view = async { View::open(ctx.caller().principal()?.user, &filter.unwrap_or_default()) };
        feeds::resolve(ctx, after, view).await.graphql(ctx)
    }
}
