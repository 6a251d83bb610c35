//! Feeds: subscriptions that follow the event log. One trait that a room implements, one driver for all of them.
//!
//! The resolver of a feed only calls [`resolve`]. Everything else is done by the driver: scanning the log and then
//! following it live, sharing executions between equal subscribers, changes of rights while a subscriber listens, and
//! resuming after a disconnect.

mod follow;
pub mod loader;
pub mod parts;

use std::sync::Arc;

use async_graphql::Context;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::auth::principal::Caller;
use crate::auth::scope::Scope;
use crate::error::{ApiError, ApiErrors, both};
use crate::events::{Event, Line, Logged, Seq, Topics};
use crate::graphql::ApiResult;
use crate::graphql::context::RequestExt;
use crate::graphql::scalars::FeedCursor;

/// The parts that all subscribers of one kind of items share.
pub type Audience<E> = crate::graphql::feed::Audience<Scope, E>;

/// One subscriber's view of a room's events.
pub trait Feed: Send + 'static {
    /// The events.
    type Event: Event;
    /// The item that the client receives for an event.
    type Node: Send + 'static;

    /// Decides, by the current rights, whether the subscriber may follow everything that it named, and stores what it
    /// may see. Called before anything is delivered and whenever rights may have changed.
    ///
    /// # Errors
    /// The error that ends the subscription: `NOT_FOUND` for what it may not see.
    fn admit(&mut self, caller: &Caller) -> Result<(), ApiError>;

    /// The smallest set of topics that covers the events to deliver.
    fn topics(&self) -> Topics;

    /// Whether `event`, which belongs to these topics, is delivered to the subscriber.
    fn shows(&self, event: &Logged<Self::Event>) -> bool;

    /// Resolves when something that the subscriber named no longer exists, with the error that ends the subscription; `None` if
    /// nothing of the kind was named.
    fn ends(&self) -> Option<BoxFuture<'static, ApiError>> {
        None
    }

    /// The item for the client.
    fn node(event: Arc<Logged<Self::Event>>) -> Self::Node;
}

/// The dependencies of the feeds of one kind of events, stored in the schema's data. Clones are handles to the same
/// state.
pub struct Channel<E: Event> {
    line: Line<E>,
    audience: Audience<Logged<E>>,
}

impl<E: Event> Channel<E> {
    /// The feeds of this line.
    pub fn new(line: Line<E>) -> Self {
        Self { line, audience: Audience::default() }
    }

    /// The live events.
    pub const fn line(&self) -> &Line<E> {
        &self.line
    }
}

impl<E: Event> Clone for Channel<E> {
    fn clone(&self) -> Self {
        Self { line: self.line.clone(), audience: self.audience.clone() }
    }
}

/// The resolver of a feed. `open` reads the subscriber's arguments; it is not called for an execution that is shared.
///
/// # Errors
/// `UNAUTHENTICATED`, those of `open` and of [`Feed::admit`], or `BAD_USER_INPUT` for an invalid cursor.
pub async fn resolve<F: Feed>(
    ctx: &Context<'_>,
    after: Option<FeedCursor>,
    open: impl Future<Output = Result<F, ApiErrors>> + Send,
) -> Result<BoxStream<'static, ApiResult<F::Node>>, ApiErrors> {
    let tell = |event: Arc<Logged<F::Event>>| (event.seq.cursor(), F::node(event));
    if let Some(told) = parts::executed(ctx, tell)? {
        return Ok(told);
    }
    let rights = parts::rights(ctx).await?;
    let after = parts::resumed(ctx, after).as_deref().map(Seq::from_cursor).transpose();
    let (mut feed, after) = both(open.await, after)?;
    feed.admit(rights.caller())?;
    let Channel { line, audience } = parts::part::<Channel<F::Event>>(ctx)?.clone();
    let follower = follow::Follower::join(feed, rights, ctx.db()?.clone(), line, after).await;
    parts::begins_after(ctx, follower.last().cursor());
    parts::moves_with(ctx, follower.standing());
    parts::leave(ctx, follower.items().boxed(), audience)?;
    Ok(futures::stream::empty().boxed())
}
