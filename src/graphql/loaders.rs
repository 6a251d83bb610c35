//! A request's loaders, found by the type of what they read: each room brings its own and no list of all is kept.
//!
//! Asks are gathered in waves (`graphql::waves`): a wave departs when the whole operation can do nothing but wait for
//! it, so a level is read with one statement for each kind of read, however many rows ask. What was read is kept until the
//! request ends; beneath it the thread's coalescer (`db::coalesce`) lets concurrent requests share statements.

use std::any::{Any, TypeId};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_graphql::Context;
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::oneshot;

use super::limits::Deadline;
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Coalescer, Read, ReadFailed};
use crate::error::ApiError;

type Loaded<R> = Result<Option<<R as Read>::Value>, ReadFailed>;

/// What goes to the database for one kind of read, and hands out what came back.
pub(super) type Trip = BoxFuture<'static, ()>;

/// The loaders of one request.
pub struct Loaders {
    lane: Lane,
    by_read: Mutex<ByKey<TypeId, Box<dyn Departs>>>,
    drivers: AtomicUsize,
    /// The deadline that has passed.
    late: OnceLock<Deadline>,
}

impl Loaders {
    /// Loaders that know nothing yet: what was read for another request is not seen in this one.
    pub fn new(lane: Lane) -> Self {
        Self { lane, by_read: Mutex::default(), drivers: AtomicUsize::new(0), late: OnceLock::new() }
    }

    /// What belongs to `key`, read together with what other fields of this level ask for. To be asked from the task
    /// that executes the operation.
    ///
    /// # Errors
    /// The read failed.
    pub async fn read<R: Read>(&self, key: R::Key) -> Result<Option<R::Value>, ApiError> {
        let late = |deadline: &Deadline| deadline.passed();
        if let Some(deadline) = self.late.get() {
            return Err(late(deadline));
        }
        let answered = match self.ask::<R>(key) {
            Asked::Known(loaded) => return Ok(loaded?),
            Asked::Waiting(answered) => answered,
        };
        if self.drivers.load(Ordering::Relaxed) == 0 {
            // Outside an execution nobody else is coming.
            futures::future::join_all(self.depart()).await;
        }
        let given_up = || ApiError::internal("a read was given up by its request");
        Ok(answered.await.map_err(|_| self.late.get().map_or_else(given_up, late))??)
    }

    /// Forgets what was read, for the next event of a subscription.
    pub fn forget(&self) {
        self.known().clear();
    }

    /// Counts as a driver until the guard is dropped.
    pub(super) fn driven(&self) -> Driven<'_> {
        self.drivers.fetch_add(1, Ordering::Relaxed);
        Driven(self)
    }

    /// Sends off everything that was asked for since the last time.
    pub(super) fn depart(&self) -> Vec<Trip> {
        self.known().values_mut().filter_map(|asks| asks.depart()).collect()
    }

    /// Waits for nothing any more: who has asked and who will ask is told that the deadline passed.
    pub(super) fn give_up(&self, deadline: Deadline) {
        // There is one deadline, so a second call would say the same.
        let _ = self.late.set(deadline);
        self.forget();
    }

    fn ask<R: Read>(&self, key: R::Key) -> Asked<R> {
        let (answer, answered) = oneshot::channel();
        let mut known = self.known();
        let fresh = || Box::new(Asks::<R>::new(self.lane.coalescer::<R>())) as Box<dyn Departs>;
        let asks = known.entry(TypeId::of::<R>()).or_insert_with(fresh).as_any();
        // The key is the type, so it is always found; the dropped answer is an error to the asker otherwise.
        if let Some(asks) = asks.downcast_mut::<Asks<R>>() {
            if let Some(loaded) = asks.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
                return Asked::Known(loaded.clone());
            }
            asks.waiting.push((key, answer));
        }
        Asked::Waiting(answered)
    }

    fn known(&self) -> MutexGuard<'_, ByKey<TypeId, Box<dyn Departs>>> {
        self.by_read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Asked<R: Read> {
    Known(Loaded<R>),
    Waiting(oneshot::Receiver<Loaded<R>>),
}

/// Somebody sends off what is gathered, so askers just wait.
pub(super) struct Driven<'a>(&'a Loaders);

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        self.0.drivers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The asks for one kind of read.
struct Asks<R: Read> {
    coalescer: Coalescer<R>,
    known: Arc<Known<R>>,
    waiting: Vec<(R::Key, oneshot::Sender<Loaded<R>>)>,
}

/// What was read for this request, so that it is not read again.
type Known<R> = Mutex<ByKey<<R as Read>::Key, Loaded<R>>>;

impl<R: Read> Asks<R> {
    fn new(coalescer: Coalescer<R>) -> Self {
        Self { coalescer, known: Arc::default(), waiting: Vec::new() }
    }
}

/// [`Asks`] of whatever read.
trait Departs: Send + Sync {
    fn depart(&mut self) -> Option<Trip>;
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<R: Read> Departs for Asks<R> {
    fn depart(&mut self) -> Option<Trip> {
        if self.waiting.is_empty() {
            return None;
        }
        let (waiting, known) = (std::mem::take(&mut self.waiting), Arc::clone(&self.known));
        let coalescer = self.coalescer.clone();
        let trip = async move {
            let found = coalescer.load(waiting.iter().map(|(key, _)| key.clone()).collect()).await;
            for (key, answer) in waiting {
                let loaded = found.as_ref().map(|found| found.get(&key).cloned()).map_err(Clone::clone);
                known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, loaded.clone());
                // A field that ran out of time needs no answer.
                let _ = answer.send(loaded);
            }
        };
        Some(trip.boxed())
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

/// `ctx.read::<R>(key)` in a resolver.
pub trait ReadExt {
    /// What belongs to `key`.
    ///
    /// # Errors
    /// The read failed, or the request carries no loaders.
    fn read<R: Read>(&self, key: R::Key) -> impl Future<Output = Result<Option<R::Value>, ApiError>> + Send;
}

impl ReadExt for Context<'_> {
    async fn read<R: Read>(&self, key: R::Key) -> Result<Option<R::Value>, ApiError> {
        let loaders =
            self.data_opt::<Arc<Loaders>>().ok_or_else(|| ApiError::internal("the request carries no loaders"))?;
        loaders.read::<R>(key).await
    }
}
