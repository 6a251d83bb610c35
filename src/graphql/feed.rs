//! A feed that many follow: what its resolver hands over, so that an event is executed once for all who are told the same.
//!
//! The resolver of a feed plays one of two parts. For a subscriber it finds out what they may follow and leaves the feed
//! of their events; nothing is executed yet. For an execution that subscribers share it yields the events it is given.
//!
//! Which of them it is, and what the events are, is between the resolver and itself: the feed that it leaves brings the
//! shares of its kind of events along, and puts into an execution's request what the same resolver takes out again. Who
//! stands between knows the answers only.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Request;
use async_stream::stream;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt};
use tokio::sync::mpsc;

use super::likeness::Likeness;
use super::shares::{Execution, Rendition, Scope, Shares, Told};
use crate::error::ApiError;

/// The events of one subscriber, whose rights are an `R`.
pub type Feed<R, E> = BoxStream<'static, Result<Item<R, E>, ApiError>>;

/// The shares of all who follow events that are an `E`.
pub type Audience<S, E> = Shares<Likeness, S, E>;

/// An event for one subscriber.
#[derive(Debug)]
pub struct Item<R, E> {
    /// Its number: an event has the same in every feed, and a later one a higher.
    pub number: i64,
    /// The event, for the resolver that yields it.
    pub event: Arc<E>,
    /// Whom it is for, with the rights of this moment.
    pub reader: R,
}

impl<R: Clone, E> Clone for Item<R, E> {
    fn clone(&self) -> Self {
        Self { number: self.number, event: Arc::clone(&self.event), reader: self.reader.clone() }
    }
}

/// Where a resolver leaves the subscriber's feed. Lies in the request's data; without it, the resolver executes.
pub struct Left<S>(Mutex<Option<Box<dyn Announced<S>>>>);

impl<S> Default for Left<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Scope> Left<S> {
    /// Leaves a feed of events that are told together with `audience`.
    pub fn leave<E: Send + Sync + 'static>(&self, feed: Feed<S::Reader, E>, audience: Audience<S, E>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(Announcement { feed, audience }));
    }

    /// The feed that was left: none by a resolver that is not one of a feed.
    pub fn take(&self) -> Option<Box<dyn Announced<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A subscriber's feed, whatever its events are.
pub trait Announced<S: Scope>: Send {
    /// What the subscriber is told of each event, by an execution that they share with all who are alike. `operation` makes
    /// executions if they are the first. An error is the last item.
    fn follow(self: Box<Self>, likeness: Likeness, operation: Box<dyn Operation<S>>) -> Answers<S>;
}

/// What a subscriber is told.
pub type Answers<S> = BoxStream<'static, Result<Arc<Rendition<S>>, ApiError>>;

/// A subscription that can be executed for others than who sent it.
pub trait Operation<S: Scope>: Send + Sync {
    /// Begins to execute it; `put` adds to the request where its resolver takes the events from.
    fn start(&self, put: Box<dyn FnOnce(Request) -> Request + '_>) -> Box<dyn Running<S>>;
}

/// An execution that answers each event that its resolver is given.
pub trait Running<S: Scope>: Send {
    /// An event is going to be given.
    fn begin(&mut self);

    /// The answer to it; `None` when the operation has ended.
    fn answer(&mut self) -> BoxFuture<'_, Option<Told<S>>>;
}

/// The events that an execution's resolver is to yield, each for its reader. Lies in the request's data.
pub struct Given<R, E>(Mutex<Option<mpsc::Receiver<Item<R, E>>>>);

impl<R, E> Given<R, E> {
    /// The events, for the resolver that asks first.
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

/// An execution and the way to give it events.
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
