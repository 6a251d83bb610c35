//! What a client may know of its cost points.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};

use super::account::Account;
use super::bucket::Rate;
use super::directives;

/// The field: what it tells holds for one request.
pub(super) const FIELD: &str = "rateLimit";

/// What the operation at hand costs and whose points it takes; lies in the request's data.
#[derive(Debug, Clone)]
pub struct Spending {
    /// Whose.
    pub account: Arc<Account>,
    /// How fast they may be spent.
    pub rate: Rate,
    /// What was charged before execution.
    pub cost: u64,
}

/// Your cost points. Every operation is charged what it may cost before it runs, and given back what it did not need.
#[derive(Debug, SimpleObject)]
pub struct RateLimit {
    /// What this operation was charged, by the `@cost` and `@listSize` of its fields: at least 1.
    cost: i32,
    /// The most points that you can save up.
    limit: i32,
    /// The points that you have now, after this operation was charged.
    remaining: i32,
    /// When you have all of them again if you spend nothing more.
    reset_at: DateTime<Utc>,
}

/// The limits part of the query root.
#[derive(Debug, Default)]
pub struct RateLimitQuery;

#[Object]
impl RateLimitQuery {
    /// Your cost points, which are counted for your account, or for your address before you log in. Costs nothing itself.
    /// An operation that costs more than you have fails with RATE_LIMITED, and its error says `retryAfterMs`. Null where
    /// the server limits no points.
    #[graphql(directive = directives::cost::apply("0".to_owned()))]
    async fn rate_limit(&self, ctx: &Context<'_>) -> Option<RateLimit> {
        let Spending { account, rate, cost } = ctx.data_opt::<Spending>()?;
        let level = account.level(*rate);
        let points = |points: u64| i32::try_from(points).unwrap_or(i32::MAX);
        let reset_after = TimeDelta::from_std(level.reset_after).unwrap_or(TimeDelta::MAX);
        Some(RateLimit {
            cost: points(*cost),
            limit: points(level.limit),
            remaining: points(level.remaining),
            reset_at: Utc::now().checked_add_signed(reset_after).unwrap_or(DateTime::<Utc>::MAX_UTC),
        })
    }
}
