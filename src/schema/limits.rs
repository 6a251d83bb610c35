//! The limits of the API, for a client that stays within them.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};

use crate::auth::acting::CallerExt;
use crate::error::ApiError;
use crate::graphql::limits::{CallerLimits, TransportLimits};
use crate::graphql::{ApiResult, IntoGraphql};

/// The limits of the API for you. A request that exceeds one is refused with the name of the limit and both numbers.
#[derive(Debug, SimpleObject)]
pub struct Limits {
    /// The depth of nested fields.
    max_depth: i32,
    /// The cost of an operation, in points: see the directives `@cost` and `@listSize` of the schema.
    max_cost: i32,
    /// The number of fields in a response, in all its objects together.
    max_fields: i32,
    /// The number of objects in the lists of a response.
    max_nodes: i32,
    /// The number of root fields.
    max_root_fields: i32,
    /// The number of aliases.
    max_aliases: i32,
    /// The number of directives in a document.
    max_directives: i32,
    /// The number of lexical tokens in a document.
    max_tokens: i32,
    /// The number of items that `first` or `last` can request.
    max_page_size: i32,
    /// The number of items in a list in the input.
    max_input_items: i32,
    /// The size of a response, in bytes.
    max_response_bytes: i32,
    /// How long a query or a mutation may take, in seconds.
    timeout_seconds: i32,
    /// The number of queries and mutations that you can run at the same time, across all connections.
    max_concurrent_operations: i32,
    /// The number of subscriptions that you can have at the same time, across all connections.
    max_subscriptions: i32,
    /// The number of WebSockets that you can have open at the same time.
    max_sockets: i32,
    /// The cost points that you gain per second: see `rateLimit`. Null if there is no rate limit.
    points_per_second: Option<i32>,
    /// The number of cost points that you can save up. Null if there is no rate limit.
    burst_points: Option<i32>,
    /// The size of the body of an HTTP request, in bytes.
    max_body_bytes: i32,
    /// The number of operations in an HTTP request; 0 if operations cannot be batched.
    max_batch: i32,
    /// The number of operations that can run at the same time on a WebSocket.
    max_operations: i32,
    /// The size of a message that you send on a WebSocket, in bytes.
    max_message_bytes: i32,
    /// How often the server sends a ping on a WebSocket, or a heartbeat in a stream, in seconds.
    ping_seconds: i32,
}

/// The query for limits.
#[derive(Debug, Default)]
pub struct LimitsQuery;

#[Object]
impl LimitsQuery {
    /// The limits of the API for you. `connection_ack` on a WebSocket contains the most important ones as well.
    async fn limits(&self, ctx: &Context<'_>) -> ApiResult<Limits> {
        limits(ctx).graphql(ctx)
    }
}

fn limits(ctx: &Context<'_>) -> Result<Limits, ApiError> {
    // They depend on the role, so a response with them is for this caller only.
    ctx.caller();
    let missing = || ApiError::internal("the request carries no limits");
    let caller = ctx.data_opt::<Arc<CallerLimits>>().ok_or_else(missing)?;
    let transport = ctx.data_opt::<TransportLimits>().ok_or_else(missing)?;
    let CallerLimits { operation, timeout, rate, operations, subscriptions, sockets } = &**caller;
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let number = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    let points = |points: std::num::NonZeroU32| i32::try_from(points.get()).unwrap_or(i32::MAX);
    Ok(Limits {
        max_depth: number(operation.depth),
        max_cost: number(operation.cost),
        max_fields: number(operation.fields),
        max_nodes: number(operation.nodes),
        max_root_fields: number(operation.root_fields),
        max_aliases: number(operation.aliases),
        max_directives: number(operation.directives),
        max_tokens: number(operation.tokens),
        max_page_size: number(operation.page_size),
        max_input_items: number(operation.list_items),
        max_response_bytes: number(operation.answer_bytes),
        timeout_seconds: number(timeout.as_secs()),
        max_concurrent_operations: count(*operations),
        max_subscriptions: count(*subscriptions),
        max_sockets: count(*sockets),
        points_per_second: rate.map(|rate| points(rate.points_per_second)),
        burst_points: rate.map(|rate| points(rate.burst)),
        max_body_bytes: count(transport.body_bytes),
        max_batch: count(transport.batch),
        max_operations: count(transport.socket_operations),
        max_message_bytes: count(transport.message_bytes),
        ping_seconds: number(transport.ping_every.as_secs()),
    })
}
