//! Does identical work that is requested at the same time only once: requests that arrive while it is being done share
//! the next run.
//!
//! As with statements (`db::coalesce`), there is no timer, and work starts after everybody who shares it has asked, so
//! each gets an up-to-date result. A lone request does not wait, and dropping a request does not cancel anything for
//! the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::sync::oneshot;

/// Work in progress, by its key. Clones are the same.
pub struct Collapse<K: Key, V: Clone>(Arc<Mutex<UnderWay<K, V>>>);

type UnderWay<K, V> = HashMap<K, Gathering<K, V>, foldhash::fast::RandomState>;

/// The key by which work is identical.
pub trait Key: Clone + Eq + Hash + Send + 'static {}

impl<K: Clone + Eq + Hash + Send + 'static> Key for K {}

/// The requests for some work since it was last started.
type Gathering<K, V> = Option<(Together<V>, oneshot::Sender<Turn<K, V>>)>;

/// Work that is done for several requests. `None` if the result cannot be shared.
pub type Together<V> = Shared<BoxFuture<'static, Option<V>>>;

/// The right to do some work now. When it is dropped, it passes to the requests that have arrived in the meantime.
pub struct Turn<K: Key, V: Clone> {
    collapse: Collapse<K, V>,
    key: Option<K>,
}

/// How a request gets its result.
pub enum Way<K: Key, V: Clone> {
    /// It does the work itself, while it holds the turn.
    Alone(Turn<K, V>),
    /// The work is done for it and others.
    Together(Together<V>),
}

impl<K: Key, V: Clone> Clone for Collapse<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Key, V: Clone> Default for Collapse<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Key, V: Clone + Send + Sync + 'static> Collapse<K, V> {
    /// Requests the work of `key`; `work` is what is done for several requests.
    pub fn ask<W>(&self, key: K, work: impl FnOnce() -> W) -> Way<K, V>
    where
        W: Future<Output = Option<V>> + Send + 'static,
    {
        let mut under_way = self.under_way();
        let Some(gathering) = under_way.get_mut(&key) else {
            under_way.insert(key.clone(), None);
            return Way::Alone(Turn { collapse: self.clone(), key: Some(key) });
        };
        let (together, _) = gathering.get_or_insert_with(|| {
            let (begin, begins) = oneshot::channel();
            let work = work();
            let together = async move {
                // The sender of a turn is never dropped without sending.
                let _turn = begins.await.ok()?;
                work.await
            };
            (together.boxed().shared(), begin)
        });
        Way::Together(together.clone())
    }
}

impl<K: Key, V: Clone> Collapse<K, V> {
    fn under_way(&self) -> MutexGuard<'_, UnderWay<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Key, V: Clone> Drop for Turn<K, V> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut under_way = self.collapse.under_way();
        let gathered = under_way.get_mut(&key).and_then(Option::take);
        if gathered.is_none() {
            under_way.remove(&key);
        }
        // What is dropped below may hold a turn itself.
        drop(under_way);
        if let Some((together, begin)) = gathered {
            drop(together);
            let turn = Self { collapse: self.collapse.clone(), key: Some(key) };
            // If all of them were dropped, the turn comes back and is dropped in turn.
            drop(begin.send(turn));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(1);

    #[derive(Default, Clone)]
    struct Stage {
        collapse: Collapse<&'static str, usize>,
        begun: Arc<AtomicUsize>,
    }

    impl Stage {
        /// Slow work; its value is the number of runs started before it.
        fn work(&self) -> impl Future<Output = Option<usize>> + Send + 'static {
            let begun = Arc::clone(&self.begun);
            async move {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(LONG).await;
                Some(number)
            }
        }

        async fn get(&self, key: &'static str) -> Option<usize> {
            match self.collapse.ask(key, || self.work()) {
                Way::Alone(_turn) => self.work().await,
                Way::Together(together) => together.await,
            }
        }

        fn is_quiet(&self) -> bool {
            self.collapse.under_way().is_empty()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_while_it_is_done_shares_the_next_time() {
        let stage = Stage::default();
        let others = async {
            tokio::time::sleep(LONG / 2).await;
            futures::future::join_all((0..5).map(|_| stage.get("a"))).await
        };
        let (first, others) = tokio::join!(stage.get("a"), others);
        assert_eq!((first, others), (Some(0), vec![Some(1); 5]));
        assert_eq!(stage.begun.load(Ordering::SeqCst), 2);
        assert!(stage.is_quiet());
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_has_begun_is_shared_with_nobody_who_asks_later() {
        let stage = Stage::default();
        let at = async |after: Duration| {
            tokio::time::sleep(after).await;
            stage.get("a").await
        };
        // The second run starts at 1 s and ends at 2 s.
        let told = futures::future::join_all([Duration::ZERO, LONG / 2, LONG * 3 / 2].map(at)).await;
        assert_eq!(told, [Some(0), Some(1), Some(2)]);
        assert!(stage.is_quiet());
    }

    #[tokio::test(start_paused = true)]
    async fn different_work_waits_for_nothing() {
        let stage = Stage::default();
        let since = tokio::time::Instant::now();
        tokio::join!(stage.get("a"), stage.get("b"));
        assert_eq!(since.elapsed(), LONG);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_cancels_nothing_for_the_others() {
        let stage = Stage::default();
        let impatient = |patience| tokio::time::timeout(patience, stage.get("a"));
        let (first, second, third) = tokio::join!(impatient(LONG / 2), impatient(LONG * 3 / 4), stage.get("a"));
        assert!(first.is_err() && second.is_err());
        assert_eq!(third, Some(1));
        assert!(stage.is_quiet());
    }

    /// A WebSocket that waits for its client to read polls none of its queries.
    #[tokio::test(start_paused = true)]
    async fn who_is_looked_at_no_more_holds_up_nobody() {
        let stage = Stage::default();
        let (first, mut slow) = (stage.get("a"), Box::pin(stage.get("a")));
        let quick = async {
            tokio::time::sleep(LONG / 2).await;
            assert!(futures::poll!(&mut slow).is_pending());
            tokio::time::timeout(LONG * 3, stage.get("a")).await
        };
        let (first, quick) = tokio::join!(first, quick);
        assert_eq!((first, quick.unwrap()), (Some(0), Some(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_have_given_up_the_next_one_begins_anew() {
        let stage = Stage::default();
        let (first, second) = tokio::join!(stage.get("a"), tokio::time::timeout(LONG / 2, stage.get("a")));
        assert!(first.is_some() && second.is_err());
        assert!(stage.is_quiet());
        assert_eq!(stage.get("a").await, Some(1));
    }
}
