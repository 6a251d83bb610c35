//! One execution and one payload per event, for all subscribers that receive the same data.
//!
//! Subscribers with the same document and variables form a share. Which events a subscriber receives is decided by its
//! own feed (its filter, its cursor); the response for an event is executed once and cached for the others, together
//! with its scope: what the execution read of the permissions of its reader. Readers for whom all of that is the same
//! receive the same bytes; for others, the event is executed again. Permissions are compared for every event, so a
//! subscriber whose permissions change leaves the share automatically.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use super::feed::Item;

/// The number of events whose payloads a share caches: subscribers receive an event at about the same time.
const EVENTS_KEPT: usize = 64;
/// The number of payloads cached per event: this many scopes can share.
const SCOPES_KEPT: usize = 16;
/// The number of executions that are kept ready for the next event.
const IDLE_KEPT: usize = 4;

/// What an execution read of the permissions of its reader.
pub trait Scope: Send + Sync + 'static {
    /// The reader of an event.
    type Reader: Clone + Send + Sync + 'static;

    /// Whether everything that was read is the same for `reader`.
    fn holds_for(&self, reader: &Self::Reader) -> bool;

    /// Whether it can only be valid for one user, so that waiting for another execution is useless.
    fn is_personal(&self) -> bool;
}

/// An operation that executes events one after another.
pub trait Execution<S: Scope, E>: Send + 'static {
    /// Executes `item`; `None` when the operation has ended.
    fn tell(&mut self, item: Item<S::Reader, E>) -> BoxFuture<'_, Option<Told<S>>>;
}

/// The result of an execution.
#[derive(Debug)]
pub struct Told<S> {
    /// The response as JSON.
    pub payload: Arc<str>,
    /// Where a subscriber that received it can resume.
    pub cursor: Option<Arc<str>>,
    /// The scope in which it is valid.
    pub scope: S,
    /// Whether it has no errors. A response with errors is not cached: the next subscriber may succeed.
    pub sound: bool,
}

/// An event as received by some of its subscribers.
#[derive(Debug)]
pub struct Rendition<S> {
    /// What they receive.
    pub told: Told<S>,
    /// The clock of the share when the execution started and when it ended.
    began: u64,
    ended: u64,
}

/// An execution ended because of a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

type Outcome<S> = Result<Arc<Rendition<S>>, Broken>;
type UnderWay<S> = Shared<BoxFuture<'static, Outcome<S>>>;
type Start<S, E> = Box<dyn Fn() -> Box<dyn Execution<S, E>> + Send + Sync>;

/// The shares that have subscribers, by what makes their subscribers alike.
pub struct Shares<K, S: Scope, E>(Arc<Mutex<ByLikeness<K, S, E>>>);

type ByLikeness<K, S, E> = HashMap<K, Weak<Share<S, E>>>;

impl<K, S: Scope, E> Clone for Shares<K, S, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, S: Scope, E> Default for Shares<K, S, E> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Hash + Eq, S: Scope, E: Send + Sync + 'static> Shares<K, S, E> {
    /// Joins the share of `key`; `start` creates its executions if this is its first subscriber.
    pub fn join(&self, key: K, start: impl Fn() -> Box<dyn Execution<S, E>> + Send + Sync + 'static) -> Follower<S, E> {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
            if shares.len() == shares.capacity() {
                shares.retain(|_, share| share.strong_count() > 0);
            }
            let share = Arc::new(Share::new(Box::new(start)));
            shares.insert(key, Arc::downgrade(&share));
            share
        });
        Follower { share, seen: 0 }
    }
}

/// What identical subscriptions have in common.
struct Share<S: Scope, E> {
    start: Start<S, E>,
    clock: AtomicU64,
    /// The recent events, by number.
    events: Mutex<VecDeque<(i64, Event<S>)>>,
    idle: Mutex<Vec<Box<dyn Execution<S, E>>>>,
}

/// An event in a share.
struct Event<S: Scope> {
    renditions: Vec<Arc<Rendition<S>>>,
    under_way: Option<UnderWay<S>>,
}

impl<S: Scope> Default for Event<S> {
    fn default() -> Self {
        Self { renditions: Vec::new(), under_way: None }
    }
}

impl<S: Scope, E: Send + Sync + 'static> Share<S, E> {
    fn new(start: Start<S, E>) -> Self {
        Self { start, clock: AtomicU64::new(1), events: Mutex::default(), idle: Mutex::default() }
    }

    fn events(&self) -> MutexGuard<'_, VecDeque<(i64, Event<S>)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Box<dyn Execution<S, E>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Executes `item` and caches the outcome, unless the last subscriber leaves in the meantime.
    async fn execute(share: Weak<Self>, item: Item<S::Reader, E>) -> Outcome<S> {
        let number = item.number;
        let (mut execution, began) = {
            let share = share.upgrade().ok_or(Broken)?;
            // The guard must be dropped before the other arm.
            let idle = share.idle().pop();
            (idle.unwrap_or_else(|| (share.start)()), share.tick())
        };
        metrics::counter!("platform_subscription_executions_total").increment(1);
        let told = AssertUnwindSafe(execution.tell(item)).catch_unwind().await.ok().flatten();
        let share = share.upgrade().ok_or(Broken)?;
        let outcome = told.ok_or(Broken).map(|told| Arc::new(Rendition { told, began, ended: share.tick() }));
        let mut events = share.events();
        if let Some((_, event)) = events.iter_mut().find(|(kept, _)| *kept == number) {
            event.under_way = None;
            if let Ok(rendition) = &outcome
                && rendition.told.sound
            {
                event.keep(rendition);
            }
        }
        drop(events);
        let mut idle = share.idle();
        if outcome.is_ok() && idle.len() < IDLE_KEPT {
            idle.push(execution);
        }
        outcome
    }
}

impl<S: Scope> Event<S> {
    fn keep(&mut self, rendition: &Arc<Rendition<S>>) {
        if self.renditions.len() == SCOPES_KEPT {
            self.renditions.remove(0);
        }
        self.renditions.push(Arc::clone(rendition));
    }
}

/// How a subscriber gets its response for an event.
enum Step<S: Scope> {
    Told(Arc<Rendition<S>>),
    Wait(UnderWay<S>),
    Alone,
}

/// A subscriber in its share.
pub struct Follower<S: Scope, E> {
    share: Arc<Share<S, E>>,
    /// The clock of the share when its last response had been executed: it receives nothing that was read before that.
    seen: u64,
}

impl<S: Scope, E: Send + Sync + 'static> Follower<S, E> {
    /// The response for this subscriber for `item`.
    ///
    /// # Errors
    /// The execution panicked, or its operation has ended: a bug.
    pub async fn tell(&mut self, item: Item<S::Reader, E>) -> Result<Arc<Rendition<S>>, Broken> {
        let rendition = loop {
            match self.step(&item) {
                Step::Told(rendition) => break rendition,
                Step::Alone => break Share::execute(Arc::downgrade(&self.share), item.clone()).await?,
                Step::Wait(under_way) => {
                    let rendition = under_way.await?;
                    if self.may_be_told(&rendition, &item.reader) {
                        break rendition;
                    }
                }
            }
        };
        self.seen = rendition.ended;
        Ok(rendition)
    }

    fn may_be_told(&self, rendition: &Rendition<S>, reader: &S::Reader) -> bool {
        rendition.began >= self.seen && rendition.told.scope.holds_for(reader)
    }

    fn step(&self, item: &Item<S::Reader, E>) -> Step<S> {
        let mut events = self.share.events();
        let place = events.iter().rposition(|(number, _)| *number == item.number).unwrap_or_else(|| {
            if events.len() == EVENTS_KEPT {
                // Subscribers that replay it later have it executed again.
                events.pop_front();
            }
            events.push_back((item.number, Event::default()));
            events.len() - 1
        });
        let event = &mut events[place].1;
        if let Some(rendition) = event.renditions.iter().find(|rendition| self.may_be_told(rendition, &item.reader)) {
            return Step::Told(Arc::clone(rendition));
        }
        if event.renditions.iter().any(|rendition| rendition.told.scope.is_personal()) {
            return Step::Alone;
        }
        let begin = || Share::execute(Arc::downgrade(&self.share), item.clone()).boxed().shared();
        Step::Wait(event.under_way.get_or_insert_with(begin).clone())
    }
}

#[cfg(test)]
#[path = "shares_tests.rs"]
mod tests;
