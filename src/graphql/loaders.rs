//! A request's loaders, found by the type of what they read: each room brings its own and no list of all is kept.
//!
//! Within a request the crate `dataloader` gathers and caches keys; beneath it the process-wide coalescer
//! (`db::coalesce`) lets concurrent requests share statements.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use async_graphql::Context;
use dataloader::BatchFn;
use dataloader::cached::Loader;

use crate::db::Db;
use crate::db::coalesce::{Coalescer, Read, ReadFailed};
use crate::error::ApiError;

type Loaded<R> = Result<Option<<R as Read>::Value>, ReadFailed>;
type RequestLoader<R> = Loader<<R as Read>::Key, Loaded<R>, Batch<R>>;

/// [`Loaders::read`] has waited already; the crate's default of 10 turns would be for nothing.
const YIELDS: usize = 1;

/// Turns without a new ask after which a level is complete: a row may be several nested lists away from its turn.
const QUIET_TURNS: usize = 8;

/// The loaders of one request.
pub struct Loaders {
    db: Db,
    by_read: Mutex<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    asked: AtomicUsize,
}

impl Loaders {
    /// Loaders that know nothing yet: what was read for another request is not seen in this one.
    pub fn new(db: Db) -> Self {
        Self { db, by_read: Mutex::default(), asked: AtomicUsize::new(0) }
    }

    /// What belongs to `key`, read together with what other fields of this level ask for.
    ///
    /// # Errors
    /// The read failed.
    pub async fn read<R: Read>(&self, key: R::Key) -> Result<Option<R::Value>, ApiError> {
        // The rows of a level are woken one after another, and whoever asked first would read alone: nobody goes on
        // while others of the level are still coming.
        let mut seen = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let mut quiet = 0;
        while quiet < QUIET_TURNS {
            step_aside().await;
            let asked = self.asked.load(Ordering::Relaxed);
            quiet = if asked == seen { quiet + 1 } else { 0 };
            seen = asked;
        }
        // With tokio's budget of 128 steps a turn, a level of more rows than that would be read in several batches.
        Ok(tokio::task::unconstrained(self.loader::<R>().load(key)).await?)
    }

    /// Forgets what was read, for the next event of a subscription.
    pub fn forget(&self) {
        self.by_read.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn loader<R: Read>(&self) -> RequestLoader<R> {
        let fresh = || {
            Loader::new(Batch(self.db.coalescers().of::<R>(&self.db)))
                .with_yield_count(YIELDS)
                .with_max_batch_size(R::BATCH)
        };
        let mut known = self.by_read.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry(TypeId::of::<R>()).or_insert_with(|| Box::new(fresh()));
        entry.downcast_ref::<RequestLoader<R>>().cloned().unwrap_or_else(fresh)
    }
}

/// Lets everybody else of the same task go first, once.
async fn step_aside() {
    let mut aside = false;
    std::future::poll_fn(|cx| {
        if aside {
            return Poll::Ready(());
        }
        aside = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
