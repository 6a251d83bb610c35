//! The loaders of a request, by the type of what they read: each module provides its own, and there is no central list.
//!
//! Requests for values are collected in waves (`graphql::waves`): a wave is sent when the whole operation can only wait
//! for it, so a level is read with one statement for each kind of read, no matter how many rows need it. Values are
//! kept until the request ends; below the loaders, the coalescer of the thread (`db::coalesce`) lets concurrent
//! requests share statements.

use std::any::{Any, TypeId};
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_graphql::Context;
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::oneshot;

use super::limits::Deadline;
use super::other_loaders::{self, OtherLoaders};
use crate::db::Lane;
use crate::db::coalesce::{ByKey, Coalescer, Read, ReadFailed};
use crate::error::ApiError;

type Loaded<R> = Result<Option<<R as Read>::Value>, ReadFailed>;

/// Sends one kind of read to the database, and distributes the results.
pub(super) type Trip = BoxFuture<'static, ()>;

/// The loaders of one request.
pub struct Loaders {
    lane: Lane,
    by_read: Mutex<ByKey<TypeId, Box<dyn Departs>>>,
    drivers: AtomicUsize,
    /// The deadline that has passed.
    late: OnceLock<Deadline>,
    /// The loaders that are used instead.
    others: Option<Arc<dyn OtherLoaders>>,
}

impl Loaders {
    /// Empty loaders: what was read for another request is not visible in this one.
    pub fn new(lane: Lane) -> Self {
        Self { lane, by_read: Mutex::default(), drivers: AtomicUsize::new(0), late: OnceLock::new(), others: None }
    }

    /// Foreign loaders, for a request that only the executor resolves.
    pub fn of_another_make(lane: Lane, others: Arc<dyn OtherLoaders>) -> Self {
        Self { others: Some(others), ..Self::new(lane) }
    }

    /// Whether these are foreign loaders.
    pub(super) const fn are_others(&self) -> bool {
        self.others.is_some()
    }

    /// The value of `key`, read together with what other fields of this level need. Must be called from the task that
    /// executes the operation.
    ///
    /// # Errors
    /// The read failed.
    pub async fn read<R: Read>(&self, key: R::Key) -> Result<Option<R::Value>, ApiError> {
        if let Some(others) = &self.others {
            return other_loaders::read::<R>(&**others, key).await;
        }
        let late = |deadline: &Deadline| deadline.passed();
        if let Some(deadline) = self.late.get() {
            return Err(late(deadline));
        }
        let answered = match self.ask::<R>(key) {
            Asked::Known(loaded) => return Ok(loaded?),
            Asked::Waiting(answered) => answered,
        };
        if self.drivers.load(Ordering::Relaxed) == 0 {
            // Outside of an execution, nothing else will be requested.
            futures::future::join_all(self.depart()).await;
        }
        let given_up = || ApiError::internal("a read was given up by its request");
        Ok(answered.await.map_err(|_| self.late.get().map_or_else(given_up, late))??)
    }

    /// Reads the values of `keys`, in this order.
    ///
    /// # Errors
    /// One of the reads failed.
    pub async fn read_all<R: Read>(&self, keys: &[R::Key]) -> Result<Vec<Option<R::Value>>, ApiError> {
        if self.others.is_some() {
            return futures::future::try_join_all(keys.iter().map(|key| self.read::<R>(key.clone()))).await;
        }
        loop {
            if let Some(deadline) = self.late.get() {
                return Err(deadline.passed());
            }
            // All keys are requested before the first one is awaited.
            let missing = match self.asks::<R, _>(|asks| asks.all(keys)) {
                Some(Ok(values)) => return Ok(values?),
                Some(Err(missing)) => missing.clone(),
                None => return Err(ApiError::internal("the request's loaders are of another type")),
            };
            self.read::<R>(missing).await?;
        }
    }

    /// Reads the value of `key` with the next wave, for a field that will need it.
    pub fn foresee<R: Read>(&self, key: R::Key) {
        // After the deadline, callers get the error when they ask.
        if self.late.get().is_none() && self.others.is_none() {
            self.asks::<R, _>(|asks| asks.foresee(key));
        }
    }

    /// Records the value of `key`, which was read with something else. What is already known or being read stays.
    pub fn know<R: Read>(&self, key: R::Key, value: R::Value) {
        if self.others.is_none() {
            self.asks::<R, _>(|asks| asks.know(key, value));
        }
    }

    /// Forgets what was read, for the next event of a subscription or the next of several mutations.
    pub fn forget(&self) {
        self.known().clear();
        if let Some(others) = &self.others {
            others.forget();
        }
    }

    /// Counts as a driver until the guard is dropped.
    pub(super) fn driven(&self) -> Driven<'_> {
        self.drivers.fetch_add(1, Ordering::Relaxed);
        Driven(self)
    }

    /// Sends everything that was requested since the last call.
    pub(super) fn depart(&self) -> Vec<Trip> {
        self.known().values_mut().filter_map(|asks| asks.depart()).collect()
    }

    /// Stops waiting: all current and future requests fail because the deadline has passed.
    pub(super) fn give_up(&self, deadline: Deadline) {
        // There is one deadline, so a second call would have the same error.
        let _ = self.late.set(deadline);
        self.forget();
    }

    fn ask<R: Read>(&self, key: R::Key) -> Asked<R> {
        let asked = self.asks::<R, _>(|asks| asks.ask(key));
        // The key is the type, so it is always found; otherwise the caller would get an error from the dropped sender.
        asked.unwrap_or_else(|| Asked::Waiting(oneshot::channel().1))
    }

    fn asks<R: Read, T>(&self, of: impl FnOnce(&mut Asks<R>) -> T) -> Option<T> {
        let mut known = self.known();
        let fresh = || Box::new(Asks::<R>::new(self.lane.coalescer::<R>())) as Box<dyn Departs>;
        let asks = known.entry(TypeId::of::<R>()).or_insert_with(fresh).as_any();
        asks.downcast_mut::<Asks<R>>().map(of)
    }

    fn known(&self) -> MutexGuard<'_, ByKey<TypeId, Box<dyn Departs>>> {
        self.by_read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Asked<R: Read> {
    Known(Loaded<R>),
    Waiting(oneshot::Receiver<Loaded<R>>),
}

/// A driver sends what is collected, so callers only wait.
pub(super) struct Driven<'a>(&'a Loaders);

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        self.0.drivers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The requests for one kind of read.
struct Asks<R: Read> {
    coalescer: Coalescer<R>,
    known: Arc<Known<R>>,
    /// What the next wave contains.
    waiting: Vec<R::Key>,
}

/// What was requested in this request, so that it is not read again.
type Known<R> = Mutex<ByKey<<R as Read>::Key, Answer<R>>>;

/// The values of several keys, or the first of them that is not known yet.
type AllLoaded<'k, R> = Result<Result<Vec<Option<<R as Read>::Value>>, ReadFailed>, &'k <R as Read>::Key>;

enum Answer<R: Read> {
    /// It is being read, or will be soon, for these callers.
    Coming(Vec<oneshot::Sender<Loaded<R>>>),
    There(Loaded<R>),
}

impl<R: Read> Asks<R> {
    fn new(coalescer: Coalescer<R>) -> Self {
        Self { coalescer, known: Arc::default(), waiting: Vec::new() }
    }

    fn ask(&mut self, key: R::Key) -> Asked<R> {
        match self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(key) {
            Entry::Occupied(mut known) => match known.get_mut() {
                Answer::There(loaded) => Asked::Known(loaded.clone()),
                Answer::Coming(askers) => Asked::Waiting(Self::told(askers)),
            },
            Entry::Vacant(unknown) => {
                self.waiting.push(unknown.key().clone());
                let mut askers = Vec::with_capacity(1);
                let answered = Self::told(&mut askers);
                unknown.insert(Answer::Coming(askers));
                Asked::Waiting(answered)
            }
        }
    }

    /// The values of all `keys`, or the first key that is not known yet; then all unknown ones are requested.
    fn all<'k>(&mut self, keys: &'k [R::Key]) -> AllLoaded<'k, R> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut values, mut missing) = (Vec::with_capacity(keys.len()), None);
        for key in keys {
            match known.get(key) {
                Some(Answer::There(loaded)) if missing.is_none() => values.push(loaded.clone()),
                Some(Answer::There(_)) => {}
                Some(Answer::Coming(_)) => missing = missing.or(Some(key)),
                None => {
                    missing = missing.or(Some(key));
                    self.waiting.push(key.clone());
                    known.insert(key.clone(), Answer::Coming(Vec::new()));
                }
            }
        }
        match missing {
            Some(missing) => Err(missing),
            None => Ok(values.into_iter().collect()),
        }
    }

    fn told(askers: &mut Vec<oneshot::Sender<Loaded<R>>>) -> oneshot::Receiver<Loaded<R>> {
        let (answer, answered) = oneshot::channel();
        askers.push(answer);
        answered
    }

    fn know(&mut self, key: R::Key, value: R::Value) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert_with(|| Answer::There(Ok(Some(value))));
    }

    fn foresee(&mut self, key: R::Key) {
        if let Entry::Vacant(unknown) = self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(key) {
            self.waiting.push(unknown.key().clone());
            unknown.insert(Answer::Coming(Vec::new()));
        }
    }
}

/// [`Asks`] of any kind of read.
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
            let found = coalescer.load(waiting.clone()).await;
            for key in waiting {
                let loaded = found.as_ref().map(|found| found.get(&key).cloned()).map_err(Clone::clone);
                let there = Answer::There(loaded.clone());
                let coming = known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, there);
                let Some(Answer::Coming(askers)) = coming else { continue };
                for answer in askers {
                    // A field that ran out of time needs no result.
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

fn loaders<'c>(ctx: &'c Context<'_>) -> Result<&'c Arc<Loaders>, ApiError> {
    ctx.data_opt::<Arc<Loaders>>().ok_or_else(|| ApiError::internal("the request carries no loaders"))
}

/// `ctx.read::<R>(key)` in a resolver.
pub trait ReadExt {
    /// The value of `key`.
    ///
    /// # Errors
    /// The read failed, or the request has no loaders.
    fn read<R: Read>(&self, key: R::Key) -> impl Future<Output = Result<Option<R::Value>, ApiError>> + Send;

    /// Reads the values of `keys`, in this order.
    ///
    /// # Errors
    /// One of the reads failed, or the request has no loaders.
    fn read_all<R: Read>(
        &self,
        keys: &[R::Key],
    ) -> impl Future<Output = Result<Vec<Option<R::Value>>, ApiError>> + Send;

    /// The value of a key that something refers to, and that therefore has one.
    ///
    /// # Errors
    /// As [`read`](Self::read), or `INTERNAL`: a foreign key is violated.
    fn read_known<R: Read<Key: Display>>(&self, key: R::Key)
    -> impl Future<Output = Result<R::Value, ApiError>> + Send;

    /// The values of such keys, in this order.
    ///
    /// # Errors
    /// As [`read_known`](Self::read_known).
    fn read_all_known<R: Read<Key: Display>>(
        &self,
        keys: &[R::Key],
    ) -> impl Future<Output = Result<Vec<R::Value>, ApiError>> + Send;

    /// Reads the value of `key` together with what this level needs, because a field below it will need it.
    ///
    /// # Errors
    /// The request has no loaders.
    fn foresee<R: Read>(&self, key: R::Key) -> Result<(), ApiError>;

    /// Records the value of `key`, which was read with something else, so that fields below do not read it again.
    ///
    /// # Errors
    /// The request has no loaders.
    fn know<R: Read>(&self, key: R::Key, value: R::Value) -> Result<(), ApiError>;
}

impl ReadExt for Context<'_> {
    async fn read<R: Read>(&self, key: R::Key) -> Result<Option<R::Value>, ApiError> {
        loaders(self)?.read::<R>(key).await
    }

    async fn read_all<R: Read>(&self, keys: &[R::Key]) -> Result<Vec<Option<R::Value>>, ApiError> {
        loaders(self)?.read_all::<R>(keys).await
    }

    async fn read_known<R: Read<Key: Display>>(&self, key: R::Key) -> Result<R::Value, ApiError> {
        self.read::<R>(key.clone()).await?.ok_or_else(|| ApiError::dangling(&key))
    }

    async fn read_all_known<R: Read<Key: Display>>(&self, keys: &[R::Key]) -> Result<Vec<R::Value>, ApiError> {
        let found = self.read_all::<R>(keys).await?.into_iter().zip(keys);
        found.map(|(value, key)| value.ok_or_else(|| ApiError::dangling(key))).collect()
    }

    fn foresee<R: Read>(&self, key: R::Key) -> Result<(), ApiError> {
        loaders(self)?.foresee::<R>(key);
        Ok(())
    }

    fn know<R: Read>(&self, key: R::Key, value: R::Value) -> Result<(), ApiError> {
        loaders(self)?.know::<R>(key, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Duration;

    use tokio::sync::Barrier;
    use tokio::time::timeout;

    use super::*;
    use crate::config::DatabaseConfig;
    use crate::db::Db;
    use crate::graphql::waves::drive;
    use crate::tasks::Tasks;

    /// Neither is read before the other one is requested.
    static BOTH: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));
    static READ: AtomicUsize = AtomicUsize::new(0);

    enum Parent {}
    enum Children {}

    impl Read for Parent {
        type Key = u32;
        type Value = u32;

        async fn read(_: &Lane, keys: Vec<u32>) -> Result<ByKey<u32, u32>, ApiError> {
            BOTH.wait().await;
            Ok(keys.into_iter().map(|key| (key, key)).collect())
        }
    }

    impl Read for Children {
        type Key = u32;
        type Value = u32;

        async fn read(_: &Lane, keys: Vec<u32>) -> Result<ByKey<u32, u32>, ApiError> {
            READ.fetch_add(keys.len(), Ordering::Relaxed);
            BOTH.wait().await;
            // So that they are requested while they are being read.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(keys.into_iter().map(|key| (key, 10 * key)).collect())
        }
    }

    #[tokio::test]
    async fn what_is_foreseen_is_read_with_the_level_above_and_once() {
        let tasks = Tasks::default();
        let db = Db::new(&DatabaseConfig::nowhere(), &tasks).unwrap();
        let loaders = Loaders::new(db.lane());
        let work = async {
            loaders.foresee::<Children>(7);
            let parent = loaders.read::<Parent>(7).await.unwrap();
            let (one, other) = tokio::join!(loaders.read::<Children>(7), loaders.read::<Children>(7));
            (parent, one.unwrap(), other.unwrap(), loaders.read::<Children>(7).await.unwrap())
        };
        let found =
            timeout(Duration::from_secs(20), drive(&loaders, None, work)).await.expect("they wait for each other");
        assert_eq!(found, (Some(7), Some(70), Some(70), Some(70)));
        assert_eq!(READ.load(Ordering::Relaxed), 1);
    }
}
