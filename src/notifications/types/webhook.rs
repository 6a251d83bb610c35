//! A webhook as a GraphQL type.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use url::Url;

use super::kinds::NotificationSettings;
use crate::auth::acting::CallerExt;
use crate::notifications::model::webhooks;

/// Where the notifications of a user are sent.
#[derive(Debug, Clone)]
pub struct Webhook(Arc<webhooks::Webhook>);

impl From<Arc<webhooks::Webhook>> for Webhook {
    fn from(webhook: Arc<webhooks::Webhook>) -> Self {
        Self(webhook)
    }
}

/// A URL that the notifications of a user are sent to, and how that went. Each request is signed as Standard Webhooks describes
/// it. A request that fails is repeated after a pause that gets longer, with the same `webhook-id`; after about a day, the webhook
/// is disabled, and the user is notified.
#[Object]
impl Webhook {
    /// The URL. Only visible to the user, because it may contain a secret; null for others.
    async fn url(&self, ctx: &Context<'_>) -> Option<&str> {
        let is_theirs = ctx.caller().principal().is_ok_and(|principal| principal.user == self.0.user_id);
        is_theirs.then_some(self.0.url.as_str())
    }

    /// The host of the URL.
    async fn host(&self) -> String {
        host_of(&self.0.url)
    }

    /// Which notifications are sent; everything that the user is notified of, by default.
    async fn notifications(&self) -> NotificationSettings {
        NotificationSettings::all_but(self.0.muted.clone())
    }

    /// When a notification was last delivered; null if none was since the URL was set.
    async fn last_delivered_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_delivered_at
    }

    /// When an attempt last failed; null if none has since the URL was set.
    async fn last_failed_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_failed_at
    }

    /// Why the last attempt failed; null if it did not.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// The number of attempts that have failed in a row.
    async fn failures(&self) -> i32 {
        self.0.failures
    }

    /// When the webhook was disabled because it had failed for too long; null if it is in use. To enable it, set the URL again.
    async fn disabled_at(&self) -> Option<DateTime<Utc>> {
        self.0.disabled_at
    }
}

/// The host of a URL that was valid when it was stored.
pub fn host_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
