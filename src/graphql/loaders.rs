//! A request's loaders, found by the type of what they read: each room brings its own and no list of all is kept.
//!
//! Asks are gathered in waves (`graphql::waves`): a wave departs when the whole operation can do nothing but wait for
//! it, so a level is read with one statement for each kind of read, however many rows ask. Within a request the crate
//! `dataloader` keeps what was read; beneath it the process-wide coalescer (`db::coalesce`) lets concurrent requests
//! share statements.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::Context;
use dataloader::BatchFn;
use dataloader::cached::Loader;
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::oneshot;

use crate::db::Db;
use crate::db::coalesce::{Coalescer, Read, ReadFailed};
use crate::error::ApiError;

type Loaded<R> = Result<Option<<R as Read>::Value>, ReadFailed>;
type RequestLoader<R> = Loader<<R as Read>::Key, Loaded<R>, Batch<R>>;

/// What goes to the database for one kind of read, and hands out what came back.
pub(super) type Trip = BoxFuture<'static, ()>;

/// The loaders of one request.
pub struct Loaders {
    db: Db,
    by_read: Mutex<HashMap<TypeId, Box<dyn Departs>>>,
    drivers: AtomicUsize,
}

impl Loaders {
    /// Loaders that know nothing yet: what was read for another request is not seen in this one.
    pub fn new(db: Db) -> Self {
        Self { db, by_read: Mutex::default(), drivers: AtomicUsize::new(0) }
    }

    /// What belongs to `key`, read together with what other fields of this level ask for. To be asked from the task
    /// that executes the operation.
    ///
    /// # Errors
    /// The read failed.
    pub async fn read<R: Read>(&self, key: R::Key) -> Result<Option<R::Value>, ApiError> {
        let answered = self.gather::<R>(key);
        if self.drivers.load(Ordering::Relaxed) == 0 {
            // Outside an execution nobody else is coming.
            futures::future::join_all(self.depart()).await;
        }
        let gone = |_| ApiError::internal("a read was given up by its request");
        Ok(answered.await.map_err(gone)??)
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

    fn gather<R: Read>(&self, key: R::Key) -> oneshot::Receiver<Loaded<R>> {
        let (answer, answered) = oneshot::channel();
        let mut known = self.known();
        let fresh = || Box::new(Asks::<R>::new(self.db.coalescers().of::<R>(&self.db))) as Box<dyn Departs>;
        let asks = known.entry(TypeId::of::<R>()).or_insert_with(fresh).as_any();
        // The key is the type, so it is always found; the dropped answer is an error to the asker otherwise.
        if let Some(asks) = asks.downcast_mut::<Asks<R>>() {
            asks.waiting.push((key, answer));
        }
        answered
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TypeId, Box<dyn Departs>>> {
        self.by_read.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    loader: RequestLoader<R>,
    waiting: Vec<(R::Key, oneshot::Sender<Loaded<R>>)>,
}

impl<R: Read> Asks<R> {
    fn new(coalescer: Coalescer<R>) -> Self {
        // A wave is complete when it departs: there is no more to wait for, and it is one statement whatever its size.
        let loader = Loader::new(Batch(coalescer)).with_yield_count(0).with_max_batch_size(usize::MAX);
        Self { loader, waiting: Vec::new() }
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
        let waiting = std::mem::take(&mut self.waiting);
        let loader = self.loader.clone();
        let trip = async move {
            let keys = waiting.iter().map(|(key, _)| key.clone()).collect();
            // Every key that was asked for has an answer: `Batch` sees to it.
            let Ok(found) = loader.try_load_many(keys).await else { return };
            for (key, answer) in waiting {
                if let Some(loaded) = found.get(&key) {
                    // A field that ran out of time needs no answer.
                    let _ = answer.send(loaded.clone());
                }
            }
        };
        Some(trip.boxed())
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

struct Batch<R: Read>(Coalescer<R>);

impl<R: Read> BatchFn<R::Key, Loaded<R>> for Batch<R> {
    async fn load(&mut self, keys: &[R::Key]) -> HashMap<R::Key, Loaded<R>> {
        let found = self.0.load(keys.to_vec()).await;
        keys.iter()
            .map(|key| {
                let value = found.as_ref().map(|found| found.get(key).cloned()).map_err(Clone::clone);
                (key.clone(), value)
            })
            .collect()
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
