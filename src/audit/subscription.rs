//! The subscription to the audit log.

use async_graphql::{Context, Subscription};
use futures::Stream;

use super::feed::{AuditEventFilter, View};
use super::types::AuditEvent;
use crate::feeds;
use crate::graphql::scalars::FeedCursor;
use crate::graphql::{ApiResult, IntoGraphql};

/// The audit part of the subscription root.
#[derive(Debug, Default)]
pub struct AuditSubscription;

#[Subscription]
impl AuditSubscription {
    /// New entries of the audit log that you can see, in real time. Each is sent once, and in order. It is resumed with
    /// `after`, and ends, as `jobEvents`.
    ///
    /// Platform admins receive all entries, group admins those of their groups. The subscription ends with FORBIDDEN if you
    /// administer no group, and with NOT_FOUND or FORBIDDEN if you do not administer the group that the filter names.
    async fn audit_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries to return; all that you can see by default.")] filter: Option<AuditEventFilter>,
        #[graphql(desc = "The cursor of the last event that you received, or `eventCursor`.")] after: Option<
            FeedCursor,
        >,
    ) -> async_graphql::Result<impl Stream<Item = ApiResult<AuditEvent>> + use<>> {
        let view = async { View::open(filter.unwrap_or_default()) };
        feeds::resolve(ctx, after, view).await.graphql(ctx)
    }
}
