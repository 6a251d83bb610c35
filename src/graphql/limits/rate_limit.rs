//! The cost points, as a client sees them.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};

use super::account::Account;
use super::bucket::Rate;
use super::directives;

/// The field: its value applies to a single request.
pub(super) const FIELD: &str = "rateLimit";

/// The cost of the current operation and the account it is charged to; part of the request data.
#[derive(Debug, Clone)]
pub struct Spending {
    /// Whose.
    pub account: Arc<Account>,
    /// The rate at which they can be spent.
    pub rate: Rate,
    /// The points charged before execution.
    pub cost: u64,
}

/// The state of your rate limit. Each operation is charged its maximum cost before it runs, and refunded what it did
/// not use.
#[derive(Debug, SimpleObject)]
pub struct RateLimit {
    /// The points that this operation was charged, based on the `@cost` and `@listSize` of its fields: at least 1.
    cost: i32,
    /// The maximum number of points that you can have.
    limit: i32,
    /// The points that you have left, after this operation was charged.
    remaining: i32,
    /// When you will have the maximum number of points again if you spend no more.
    reset_at: DateTime<Utc>,
}

/// The query for cost points.
#[derive(Debug, Default)]
pub struct RateLimitQuery;

#[Object]
impl RateLimitQuery {
    /// Your rate limit: the cost points of your account or, before you log in, of your IP address. This field costs no
    /// points. An operation that costs more points than remain fails with RATE_LIMITED; `retryAfterMs` in the error
    /// says when to retry. Null if the server has no rate limit.
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
