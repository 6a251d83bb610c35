//! A feed that many follow: what its resolver hands over, so that an event is executed once for all who are told the same.
//!
//! The resolver of a feed plays one of two parts. For a subscriber it finds out what they may follow and leaves the feed
//! of their events; nothing is executed yet. For an execution that subscribers share it yields the events it is given.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::BoxStream;
use tokio::sync::mpsc;

use crate::error::ApiError;

/// The events of one subscriber, whose rights are an `R`.
pub type Feed<R> = BoxStream<'static, Result<Item<R>, ApiError>>;

/// An event for one subscriber.
#[derive(Debug, Clone)]
pub struct Item<R> {
    /// Its number: an event has the same in every feed, and a later one a higher.
    pub number: i64,
    /// The event, for the resolver that yields it.
    pub event: Arc<dyn Any + Send + Sync>,
    /// Whom it is for, with the rights of this moment.
    pub reader: R,
}

/// What the resolver of a feed is asked for, as it finds it in the request's data.
pub enum Part<R> {
    /// To leave the subscriber's feed here, and to yield nothing.
    Announce(Mutex<Option<Feed<R>>>),
    /// To yield these events, each for its reader.
    Tell(Mutex<Option<mpsc::Receiver<Item<R>>>>),
}

impl<R> Part<R> {
    /// Asks for the feed of a subscriber.
    pub fn announce() -> Arc<Self> {
        Arc::new(Self::Announce(Mutex::default()))
    }

    /// Asks to yield `items`.
    pub fn tell(items: mpsc::Receiver<Item<R>>) -> Arc<Self> {
        Arc::new(Self::Tell(Mutex::new(Some(items))))
    }

    /// The events to yield, if that is what is asked for.
    pub fn items(&self) -> Option<mpsc::Receiver<Item<R>>> {
        match self {
            Self::Announce(_) => None,
            Self::Tell(items) => items.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }

    /// Leaves the subscriber's feed.
    pub fn leave(&self, feed: Feed<R>) {
        if let Self::Announce(left) = self {
            *left.lock().unwrap_or_else(PoisonError::into_inner) = Some(feed);
        }
    }

    /// The feed that was left: none by a resolver that is not one of a feed.
    pub fn left(&self) -> Option<Feed<R>> {
        match self {
            Self::Announce(left) => left.lock().unwrap_or_else(PoisonError::into_inner).take(),
            Self::Tell(_) => None,
        }
    }
}
