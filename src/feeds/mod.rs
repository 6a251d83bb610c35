//! Feeds: subscriptions that follow the event log. One trait that a room implements, one driver for all of them.
//!
//! [`resolve`] is all that the resolver of a feed has to call. What only the driver knows: that the log is scanned and then
//! followed live, that equal subscribers share an execution, that rights change while somebody listens, and where a client
//! that was cut off goes on.

mod follow;
pub mod loader;
pub mod parts;

use std::sync::Arc;

use async_graphql::Context;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::auth::principal::Caller;
use crate::auth::scope::Scope;
use crate::error::ApiError;
use crate::events::{Event, Line, Logged, Seq, Topics};
use crate::graphql::ApiResult;
use crate::graphql::context::RequestExt;
use crate::graphql::scalars::Cursor;

/// What all subscribers of one kind of items have in common.
pub type Audience<E> = crate::graphql::feed::Audience<Scope, E>;

/// One subscriber's view of a room's events.
pub trait Feed: Send + 'static {
    /// The events.
    type Event: Event;
    /// What the client is told of one.
    type Node: Send + 'static;

    /// Decides, by the rights of this moment, whether the subscriber may follow all that they named, and keeps what they see
    /// of it. Asked before anything is told and whenever rights may have changed.
    ///
    /// # Errors
    /// What ends the subscription: `NOT_FOUND` for what they may not see.
    fn admit(&mut self, caller: &Caller) -> Result<(), ApiError>;

    /// The fewest events that may have to be told.
    fn topics(&self) -> Topics;

    /// Whether the subscriber is told `event`, which is of these topics.
    fn shows(&self, event: &Logged<Self::Event>) -> bool;

    /// What the client is told.
    fn node(event: Arc<Logged<Self::Event>>) -> Self::Node;
}

/// What the feeds of one kind of events need. Lies in the schema's data. Clones are the same.
pub struct Channel<E: Event> {
    line: Line<E>,
    audience: Audience<Logged<E>>,
}

impl<E: Event> Channel<E> {
    /// The feeds of this line.
    pub fn new(line: Line<E>) -> Self {
        Self { line, audience: Audience::default() }
    }

    /// The events as they come.
    pub const fn line(&self) -> &Line<E> {
        &self.line
    }
}

impl<E: Event> Clone for Channel<E> {
    fn clone(&self) -> Self {
        Self { line: self.line.clone(), audience: self.audience.clone() }
    }
}

/// The resolver of a feed. `open` finds out what the subscriber asks for, and is not run for an execution that is shared.
///
/// # Errors
/// `UNAUTHENTICATED`, those of `open` and of [`Feed::admit`], or `BAD_USER_INPUT` for a cursor that is none.
pub async fn resolve<F: Feed>(
    ctx: &Context<'_>,
    after: Option<Cursor>,
    open: impl Future<Output = Result<F, ApiError>> + Send,
) -> Result<BoxStream<'static, ApiResult<F::Node>>, ApiError> {
    let tell = |event: Arc<Logged<F::Event>>| (event.seq.cursor(), F::node(event));
    if let Some(told) = parts::executed(ctx, tell)? {
        return Ok(told);
    }
    let rights = parts::rights(ctx).await?;
    let mut feed = open.await?;
    feed.admit(rights.caller())?;
    let after = parts::resumed(ctx, after).as_deref().map(Seq::from_cursor).transpose()?;
    let Channel { line, audience } = parts::part::<Channel<F::Event>>(ctx)?.clone();
    let follower = follow::Follower::join(feed, rights, ctx.db()?.clone(), line, after).await;
    parts::begins_after(ctx, follower.last().cursor());
    parts::leave(ctx, follower.items().boxed(), audience)?;
    Ok(futures::stream::empty().boxed())
}
