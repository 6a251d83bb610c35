//! Loads with the crate dataloader in its default configuration: a cached loader for each kind of read and request,
//! which yields to the runtime ten times before it dispatches a batch. A batch is a separate statement, which is not
//! shared with other requests.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dataloader::BatchFn;
use dataloader::cached::Loader;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::db::Lane;
use platform::db::coalesce::ReadFailed;
use platform::error::ApiError;
use platform::graphql::other_loaders::{AnyKey, Ask, Loaded, OtherLoaders, ReadTogether};

/// The loaders of one request.
pub struct StockLoaders {
    lane: Lane,
    by_read: Mutex<HashMap<TypeId, Loader<AnyKey, Loaded, Batch>>>,
}

struct Batch {
    lane: Lane,
    together: ReadTogether,
}

impl BatchFn<AnyKey, Loaded> for Batch {
    async fn load(&mut self, keys: &[AnyKey]) -> HashMap<AnyKey, Loaded> {
        (self.together)(self.lane.clone(), keys.to_vec()).await
    }
}

impl StockLoaders {
    /// Loaders that know nothing yet.
    pub fn new(lane: Lane) -> Self {
        Self { lane, by_read: Mutex::default() }
    }
}

impl OtherLoaders for StockLoaders {
    fn load(&self, Ask { key, together }: Ask) -> BoxFuture<'_, Loaded> {
        let mut known = self.by_read.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Loader::new(Batch { lane: self.lane.clone(), together });
        let loader = known.entry(key.read()).or_insert_with(fresh).clone();
        drop(known);
        let lost = |error| Err(ReadFailed::from(&ApiError::internal(error)));
        async move { loader.try_load(key).await.unwrap_or_else(lost) }.boxed()
    }

    fn forget(&self) {
        self.by_read.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
