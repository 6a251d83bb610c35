//! A feed with many subscribers: what its resolver hands over, so that an event is executed once for all subscribers
//! that receive the same data.
//!
//! The resolver of a feed has two roles. For a subscriber, it determines what they may follow and registers the feed of
//! their events; nothing is executed yet. For an execution that subscribers share, it yields the events it is given.
//!
//! Only the resolver itself knows its role and its events: the feed that it registers provides the shares for its kind
//! of events, and puts into the request of an execution what the same resolver takes out again. The code in between
//! only sees the responses.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Request;
use async_stream::stream;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt};
use tokio::sync::mpsc;

use super::likeness::Likeness;
use super::shares::{Execution, Rendition, Scope, Shares, Told};
use crate::error::ApiError;

/// The events of one subscriber, whose permissions are an `R`.
pub type Feed<R, E> = BoxStream<'static, Result<Item<R, E>, ApiError>>;

/// The shares of all subscribers of events that are an `E`.
pub type Audience<S, E> = Shares<Likeness, S, E>;

/// An event for one subscriber.
#[derive(Debug)]
pub struct Item<R, E> {
    /// Its number, which is the same in every feed and increases with time.
    pub number: i64,
    /// The event, for the resolver that yields it.
    pub event: Arc<E>,
    /// The reader, with their current permissions.
    pub reader: R,
}

impl<R: Clone, E> Clone for Item<R, E> {
    fn clone(&self) -> Self {
        Self { number: self.number, event: Arc::clone(&self.event), reader: self.reader.clone() }
    }
}

/// Where a resolver registers the feed of a subscriber. Part of the request data; without it, the resolver executes.
pub struct Left<S>(Mutex<Option<Box<dyn Announced<S>>>>);

impl<S> Default for Left<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Scope> Left<S> {
    /// Registers a feed of events that are sent together with `audience`.
    pub fn leave<E: Send + Sync + 'static>(&self, feed: Feed<S::Reader, E>, audience: Audience<S, E>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(Announcement { feed, audience }));
    }

    /// The registered feed; `None` if the resolver is not that of a feed.
    pub fn take(&self) -> Option<Box<dyn Announced<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The feed of a subscriber, whatever its events are.
pub trait Announced<S: Scope>: Send {
    /// The responses for the events of the subscriber, from an execution that it shares with all identical
    /// subscriptions. `operation` creates executions if they are the first. An error is the last item.
    fn follow(self: Box<Self>, likeness: Likeness, operation: Box<dyn Operation<S>>) -> Answers<S>;
}

/// A response for a subscriber.
pub type Answers<S> = BoxStream<'static, Result<Arc<Rendition<S>>, ApiError>>;

/// A subscription that can be executed for others than its sender.
pub trait Operation<S: Scope>: Send + Sync {
    /// Starts to execute it; `put` adds to the request what its resolver takes the events from.
    fn start(&self, put: Box<dyn FnOnce(Request) -> Request + '_>) -> Box<dyn Running<S>>;
}

/// An execution that returns a response for each event that its resolver is given.
pub trait Running<S: Scope>: Send {
    /// Announces an event.
    fn begin(&mut self);

    /// The response for it; `None` when the operation has ended.
    fn answer(&mut self) -> BoxFuture<'_, Option<Told<S>>>;
}

/// The events that the resolver of an execution yields, each for its reader. Part of the request data.
pub struct Given<R, E>(Mutex<Option<mpsc::Receiver<Item<R, E>>>>);

impl<R, E> Given<R, E> {
    /// The events, for the first resolver that asks.
    pub fn take(&self) -> Option<mpsc::Receiver<Item<R, E>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Announcement<S: Scope, E> {
    feed: Feed<S::Reader, E>,
    audience: Audience<S, E>,
}

impl<S: Scope, E: Send + Sync + 'static> Announced<S> for Announcement<S, E> {
    fn follow(self: Box<Self>, likeness: Likeness, operation: Box<dyn Operation<S>>) -> Answers<S> {
        let Self { mut feed, audience } = *self;
        let mut follower = audience.join(likeness, move || Box::new(Telling::start(&*operation)));
        let answers = stream! {
            while let Some(item) = feed.next().await {
                let told = match item {
                    Ok(item) => follower.tell(item).await.map_err(|_| ApiError::internal("an event could not be executed")),
                    Err(error) => Err(error),
                };
                let ended = told.is_err();
                yield told;
                if ended {
                    break;
                }
            }
        };
        answers.boxed()
    }
}

/// An execution and the channel that gives it events.
struct Telling<S: Scope, E> {
    items: mpsc::Sender<Item<S::Reader, E>>,
    running: Box<dyn Running<S>>,
}

impl<S: Scope, E: Send + Sync + 'static> Telling<S, E> {
    fn start(operation: &dyn Operation<S>) -> Self {
        let (items, given) = mpsc::channel(1);
        let given = Given(Mutex::new(Some(given)));
        Self { items, running: operation.start(Box::new(move |request| request.data(given))) }
    }
}

impl<S: Scope, E: Send + Sync + 'static> Execution<S, E> for Telling<S, E> {
    fn tell(&mut self, item: Item<S::Reader, E>) -> BoxFuture<'_, Option<Told<S>>> {
        async {
            self.running.begin();
            self.items.send(item).await.ok()?;
            self.running.answer().await
        }
        .boxed()
    }
}
