//! The one driver of every feed: the events of the log for a subscriber, for as long as it may receive them.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_stream::stream;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt};

use super::Feed;
use crate::auth::principal::Caller;
use crate::auth::rights::Rights;
use crate::db::Db;
use crate::error::ApiError;
use crate::events::{Line, Logged, Member, Seq, Topics, Whereabouts, resume};
use crate::graphql::context::Standing;
use crate::graphql::feed::Item;

type Events<E> = Pin<Box<dyn Stream<Item = Result<Arc<Logged<E>>, ApiError>> + Send>>;

/// How far a subscriber has come, on whichever line it currently is.
struct Place<E>(Arc<Mutex<Whereabouts<E>>>);

impl<E> Clone for Place<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> Place<E> {
    fn of(live: &Member<E>) -> Self {
        Self(Arc::new(Mutex::new(live.whereabouts())))
    }

    fn reached(&self) -> Option<Seq> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reached()
    }

    /// Turns to another line, and returns how far the subscriber has come on the one before.
    fn turn_to(&self, live: &Member<E>) -> Seq {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), live.whereabouts());
        before.reached().unwrap_or_else(|| before.settled())
    }
}

/// Resolves with the feed's own end, if it has one.
async fn over(end: &mut Option<BoxFuture<'static, ApiError>>) -> ApiError {
    match end {
        Some(end) => end.await,
        None => std::future::pending().await,
    }
}

/// A subscriber that has joined the line.
pub(super) struct Follower<F: Feed> {
    feed: F,
    rights: Rights,
    db: Db,
    line: Line<F::Event>,
    topics: Topics,
    live: Member<F::Event>,
    /// The cursor to resume after, if the subscriber has one.
    after: Option<Seq>,
    /// The start of the feed.
    last: Seq,
    place: Place<F::Event>,
}

impl<F: Feed> Follower<F> {
    /// Joins, to receive the events after `after`, or those from now on.
    pub(super) async fn join(feed: F, rights: Rights, db: Db, line: Line<F::Event>, after: Option<Seq>) -> Self {
        let topics = feed.topics();
        let live = line.join(&topics);
        let last = match after {
            Some(after) => after,
            None => live.since().await,
        };
        let place = Place::of(&live);
        Self { feed, rights, db, line, topics, live, after, last, place }
    }

    /// The number after which the feed starts.
    pub(super) const fn last(&self) -> Seq {
        self.last
    }

    /// Where the feed stands while it has nothing to deliver.
    pub(super) fn standing(&self) -> Standing {
        let place = self.place.clone();
        Standing::by(move || place.reached().map(Seq::cursor))
    }

    /// The events for the subscriber. An error is the last item.
    pub(super) fn items(self) -> impl Stream<Item = Result<Item<Caller, Logged<F::Event>>, ApiError>> + Send {
        let Self { mut feed, mut rights, db, line, mut topics, live, after, mut last, place } = self;
        stream! {
            let mut events: Events<F::Event> = Box::pin(resume::follow_from(db.clone(), topics.clone(), live, after));
            let mut end = feed.ends();
            loop {
                let event = tokio::select! {
                    biased;
                    () = rights.may_have_changed() => None,
                    event = events.next() => Some(event),
                    // Only when nothing is left to deliver.
                    error = over(&mut end) => Some(Some(Err(resume::resumable(error, last)))),
                };
                match event {
                    None => match Box::pin(rights.look()).await.and_then(|()| feed.admit(rights.caller())) {
                        Ok(()) if topics == feed.topics() => {}
                        Ok(()) => {
                            // Other events are selected now. Those that were on their way are read from the log.
                            topics = feed.topics();
                            let live = line.join(&topics);
                            last = last.max(place.turn_to(&live));
                            events = Box::pin(resume::follow_from(db.clone(), topics.clone(), live, Some(last)));
                        }
                        Err(error) => {
                            yield Err(resume::resumable(error, last));
                            return;
                        }
                    },
                    Some(None) => return,
                    Some(Some(Err(error))) => {
                        yield Err(error);
                        return;
                    }
                    Some(Some(Ok(event))) => {
                        last = event.seq;
                        if feed.shows(&event) {
                            yield Ok(Item { number: event.seq.0, event, reader: rights.caller().clone() });
                        }
                    }
                }
            }
        }
    }
}
