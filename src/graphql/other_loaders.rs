//! The interface for foreign loaders. The server has none; the reference server of the tests and the benchmark uses
//! those of the crate dataloader, so that the same types are read in the stock way.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::db::Lane;
use crate::db::coalesce::{Read, ReadFailed};
use crate::error::ApiError;

/// Loaders that replace the server's own in a request.
pub trait OtherLoaders: Send + Sync {
    /// The value of a key.
    fn load(&self, ask: Ask) -> BoxFuture<'_, Loaded>;

    /// Forgets what was read.
    fn forget(&self);
}

/// What a resolver requests.
pub struct Ask {
    /// The key.
    pub key: AnyKey,
    /// Reads keys of its kind together.
    pub together: ReadTogether,
}

/// Reads keys, all of one kind, over the connections of a thread. Each is in the result.
pub type ReadTogether = fn(Lane, Vec<AnyKey>) -> BoxFuture<'static, HashMap<AnyKey, Loaded>>;

/// The value of a key of any kind of read, if there is one.
pub type Loaded = Result<Option<Found>, ReadFailed>;

/// A value of any kind of read.
#[derive(Clone)]
pub struct Found(Arc<dyn Any + Send + Sync>);

/// A key of any kind of read.
#[derive(Clone)]
pub struct AnyKey {
    read: TypeId,
    key: Arc<dyn Key>,
}

trait Key: fmt::Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn is(&self, other: &dyn Any) -> bool;
    fn feed(&self, hasher: &mut dyn Hasher);
}

impl<K: Eq + Hash + fmt::Debug + Send + Sync + 'static> Key for K {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<K>() == Some(self)
    }

    fn feed(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }
}

impl AnyKey {
    /// The kind of read that the key belongs to.
    pub const fn read(&self) -> TypeId {
        self.read
    }

    fn of<R: Read>(&self) -> Option<&R::Key> {
        (*self.key).as_any().downcast_ref()
    }
}

impl PartialEq for AnyKey {
    fn eq(&self, other: &Self) -> bool {
        self.read == other.read && (*self.key).is((*other.key).as_any())
    }
}

impl Eq for AnyKey {}

impl Hash for AnyKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (*self.key).feed(state);
    }
}

impl fmt::Debug for AnyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (*self.key).fmt(formatter)
    }
}

/// The value of `key`, through `others`.
///
/// # Errors
/// The read failed.
pub(super) async fn read<R: Read>(others: &dyn OtherLoaders, key: R::Key) -> Result<Option<R::Value>, ApiError> {
    let key = AnyKey { read: TypeId::of::<R>(), key: Arc::new(key) };
    let Some(found) = others.load(Ask { key, together: read_together::<R> }).await? else { return Ok(None) };
    let value = found.0.downcast_ref::<R::Value>().cloned();
    value.map(Some).ok_or_else(|| ApiError::internal("a loader gave something of another type"))
}

fn read_together<R: Read>(lane: Lane, keys: Vec<AnyKey>) -> BoxFuture<'static, HashMap<AnyKey, Loaded>> {
    async move {
        let mut loaded = HashMap::with_capacity(keys.len());
        for batch in keys.chunks(R::BATCH) {
            let found = R::read(&lane, batch.iter().filter_map(AnyKey::of::<R>).cloned().collect()).await;
            let found = found.map_err(|error| ReadFailed::from(&error));
            let of = |key: &AnyKey| -> Loaded {
                let found = found.as_ref().map_err(Clone::clone)?;
                let value = key.of::<R>().and_then(|key| found.get(key)).cloned();
                Ok(value.map(|value| Found(Arc::new(value))))
            };
            loaded.extend(batch.iter().map(|key| (key.clone(), of(key))));
        }
        loaded
    }
    .boxed()
}
