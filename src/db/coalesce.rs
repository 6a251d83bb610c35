//! Shares statements between concurrent requests: requests that arrive while a statement is running share the next one.
//!
//! There is no timer, so a lone request does not wait. A statement starts after every request in it has arrived, so
//! each sees everything that was committed before it was sent. Queues and batches are bounded, and dropping a waiter
//! does not cancel anything for the others. Values carry no permissions: the policy is applied per principal after
//! loading.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::Lane;
use crate::error::{ApiError, Code};
use crate::tasks::Tasks;

/// The number of requests that may wait for one kind of read before further ones are held back.
const QUEUE: usize = 1024;

/// Longer than any read takes, and not shorter than requests wait by default.
const LONGEST: Duration = Duration::from_secs(30);

/// The results by key. Most keys are IDs, and every read hashes each of them several times.
pub type ByKey<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A kind of read: keys in, a value for each key that has one.
pub trait Read: Send + Sync + 'static {
    /// The key.
    type Key: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// The value; cheap to clone.
    type Value: Clone + Send + Sync + 'static;
    /// The number of statements of this kind that may run at the same time. With one, all requests that arrive while it
    /// runs share the next.
    const CONNECTIONS: usize = 1;
    /// The maximum number of keys that are read together.
    const BATCH: usize = 1000;

    /// Reads the values of `keys`, each of which occurs once, in one statement if the keys allow it.
    fn read(
        lane: &Lane,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = Result<ByKey<Self::Key, Self::Value>, ApiError>> + Send;
}

/// A failed read, as reported to every waiter.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ReadFailed {
    code: Code,
    message: String,
}

impl From<&ApiError> for ReadFailed {
    fn from(error: &ApiError) -> Self {
        Self { code: error.code, message: super::error_chain(error) }
    }
}

impl From<ReadFailed> for ApiError {
    fn from(failed: ReadFailed) -> Self {
        match failed.code {
            Code::Internal => Self::internal(failed),
            Code::DatabaseUnavailable => Self::database_unavailable(failed),
            code => Self::new(code, failed.message),
        }
    }
}

/// For keys that each need their own statement: reads them one after the other on one connection.
///
/// # Errors
/// The first error of a statement.
pub async fn one_by_one<K, V, F>(lane: &Lane, keys: Vec<K>, read: F) -> Result<ByKey<K, V>, ApiError>
where
    K: Eq + Hash,
    F: for<'a> Fn(&'a mut AsyncPgConnection, &'a K) -> BoxFuture<'a, QueryResult<V>>,
{
    let mut conn = lane.connection().await?;
    let mut found = ByKey::default();
    for key in keys {
        let value = read(&mut conn, &key).await?;
        found.insert(key, value);
    }
    Ok(found)
}

type Found<R> = Result<Arc<ByKey<<R as Read>::Key, <R as Read>::Value>>, ReadFailed>;

type Queue<R> = tokio::sync::Mutex<mpsc::Receiver<Ask<R>>>;

struct Ask<R: Read> {
    keys: Vec<R::Key>,
    answer: oneshot::Sender<Found<R>>,
}

/// The queue of one kind of read.
pub struct Coalescer<R: Read>(mpsc::Sender<Ask<R>>);

impl<R: Read> Clone for Coalescer<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Read> Coalescer<R> {
    fn start(lane: &Lane, tasks: &Tasks) -> Self {
        let (asks, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Queue::<R>::new(queue));
        let _in_lane = lane.enter();
        for _ in 0..R::CONNECTIONS {
            tasks.spawn("coalescer", work(lane.clone(), Arc::clone(&queue)));
        }
        Self(asks)
    }

    /// The values for `keys`; the result may contain other keys too.
    ///
    /// # Errors
    /// The shared statement failed, or the server is stopping.
    pub async fn load(&self, keys: Vec<R::Key>) -> Found<R> {
        let (answer, found) = oneshot::channel();
        let stopping = || ReadFailed { code: Code::DatabaseUnavailable, message: "the server is stopping".into() };
        self.0.send(Ask { keys, answer }).await.map_err(|_| stopping())?;
        found.await.unwrap_or_else(|_| Err(stopping()))
    }
}

/// Collects and reads in a loop. A worker lives as long as the server, because the future of a read is large, and
/// spawning it each time would copy it several times.
async fn work<R: Read>(lane: Lane, queue: Arc<Queue<R>>) {
    while let Some(batch) = gather(&queue).await {
        batch.answer(&lane).await;
    }
}

/// Everything that was requested since a worker last collected, at least one request. While one worker waits here, the
/// others read or wait for their turn.
async fn gather<R: Read>(queue: &Queue<R>) -> Option<Batch<R>> {
    let mut queue = queue.lock().await;
    let mut batch = Batch::<R>::default();
    batch.take(queue.recv().await?);
    // Tasks that are ready to run add their requests first, so the busier the server is, the fewer statements it needs.
    tokio::task::yield_now().await;
    while batch.keys.len() < R::BATCH
        && let Ok(ask) = queue.try_recv()
    {
        batch.take(ask);
    }
    Some(batch)
}

/// Requests that are answered together.
struct Batch<R: Read> {
    keys: HashSet<R::Key, foldhash::fast::RandomState>,
    asks: Vec<Ask<R>>,
}

impl<R: Read> Default for Batch<R> {
    fn default() -> Self {
        Self { keys: HashSet::default(), asks: Vec::new() }
    }
}

impl<R: Read> Batch<R> {
    fn take(&mut self, ask: Ask<R>) {
        self.keys.extend(ask.keys.iter().cloned());
        self.asks.push(ask);
    }

    async fn answer(self, lane: &Lane) {
        metrics::histogram!("platform_loader_batch_size").record(self.keys.len() as f64);
        let found = read::<R>(lane, self.keys.into_iter().collect()).await;
        // A statement that fails because of one request must not fail the others.
        let apart = self.asks.len() > 1 && found.as_ref().is_err_and(|failed| failed.code == Code::Internal);
        for Ask { keys, answer } in self.asks {
            let found = if apart { read::<R>(lane, distinct(keys)).await } else { found.clone() };
            // A waiter that was dropped needs no answer.
            let _ = answer.send(found);
        }
    }
}

fn distinct<K: Clone + Eq + Hash>(keys: Vec<K>) -> Vec<K> {
    keys.into_iter().collect::<HashSet<_, foldhash::fast::RandomState>>().into_iter().collect()
}

async fn read<R: Read>(lane: &Lane, keys: Vec<R::Key>) -> Found<R> {
    let read = AssertUnwindSafe(R::read(lane, keys)).catch_unwind();
    let found = match tokio::time::timeout(LONGEST, read).await {
        Ok(read) => read.unwrap_or_else(|_| Err(ApiError::internal("a read panicked"))),
        // Without this, later requests would wait behind a connection that is dead without anyone noticing.
        Err(elapsed) => Err(ApiError::database_unavailable(elapsed)),
    };
    match found {
        Ok(found) => Ok(Arc::new(found)),
        Err(error) => Err(ReadFailed::from(&error)),
    }
}

/// The coalescers of a lane, by the type of their read.
pub(super) struct Coalescers {
    tasks: Tasks,
    by_read: Mutex<ByKey<TypeId, Box<dyn Any + Send + Sync>>>,
}

impl Coalescers {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self { tasks, by_read: Mutex::default() }
    }

    pub(super) fn of<R: Read>(&self, lane: &Lane) -> Coalescer<R> {
        let mut known = self.by_read.lock().unwrap_or_else(PoisonError::into_inner);
        let entry =
            known.entry(TypeId::of::<R>()).or_insert_with(|| Box::new(Coalescer::<R>::start(lane, &self.tasks)));
        match entry.downcast_ref::<Coalescer<R>>() {
            Some(coalescer) => coalescer.clone(),
            // The key is the type, so this is not reached; a separate coalescer is correct all the same.
            None => Coalescer::start(lane, &self.tasks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DatabaseConfig;
    use crate::db::Db;

    /// Doubles its keys, and fails for 13.
    enum Doubled {}

    impl Read for Doubled {
        type Key = u64;
        type Value = u64;

        async fn read(_: &Lane, keys: Vec<u64>) -> Result<ByKey<u64, u64>, ApiError> {
            tokio::task::yield_now().await;
            if keys.contains(&13) {
                return Err(ApiError::internal("13 cannot be read"));
            }
            Ok(keys.into_iter().map(|key| (key, 2 * key)).collect())
        }
    }

    #[tokio::test]
    async fn an_ask_that_cannot_be_answered_fails_alone() {
        let tasks = Tasks::default();
        let db = Db::new(&DatabaseConfig::nowhere(), &tasks).unwrap();
        let coalescer = db.lane().coalescer::<Doubled>();
        let asks = [vec![1, 2], vec![13], vec![2, 3, 3], vec![13, 4]].map(|keys| coalescer.load(keys));
        let answers = futures::future::join_all(asks).await;
        let told: Vec<_> =
            answers.iter().map(|found| found.as_ref().ok().and_then(|found| found.get(&2)).copied()).collect();
        assert_eq!(told, [Some(4), None, Some(4), None]);
        assert!(answers[1].is_err() && answers[3].is_err());
        assert_eq!(answers[2].as_ref().unwrap().get(&3), Some(&6));
    }
}
