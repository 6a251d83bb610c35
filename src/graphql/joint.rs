//! Work that many wait for: one of them drives it, the others hear of it when it is done.
//!
//! A future that is shared in the common way wakes everybody who waits at each step of the work; here a thousand
//! subscribers are woken once an event. Who leaves while they drive it hands it on as far as it is.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;

/// Work with one outcome for all. Clones are the same work; it is dropped with the last of them.
pub struct Joint<T>(Arc<Inner<T>>);

struct Inner<T> {
    /// Taken by whoever drives it.
    work: Mutex<Option<BoxFuture<'static, Option<T>>>>,
    /// `None`: the work panicked.
    outcome: OnceLock<Option<T>>,
    /// The work is there to be taken again.
    handed_on: Notify,
    done: Notify,
}

impl<T> Clone for Joint<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone + Send + Sync + 'static> Joint<T> {
    /// Work that begins when somebody waits for it.
    pub fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        let work = AssertUnwindSafe(work).catch_unwind().map(Result::ok).boxed();
        Self(Arc::new(Inner {
            work: Mutex::new(Some(work)),
            outcome: OnceLock::new(),
            handed_on: Notify::new(),
            done: Notify::new(),
        }))
    }

    /// What comes of it; `None` if it panicked.
    pub async fn outcome(self) -> Option<T> {
        let inner = &*self.0;
        let mut done = pin!(inner.done.notified());
        // From here on its end is heard, so none is missed after a look.
        done.as_mut().enable();
        loop {
            if let Some(outcome) = inner.outcome.get() {
                return outcome.clone();
            }
            let taken = inner.work().take();
            match taken {
                Some(work) => {
                    let mut driver = Driver { inner, work: Some(work) };
                    let outcome = driver.drive().await;
                    // Nobody else has driven it.
                    let _ = inner.outcome.set(outcome.clone());
                    inner.done.notify_waiters();
                    return outcome;
                }
                None => tokio::select! {
                    () = &mut done => {}
                    () = inner.handed_on.notified() => {}
                },
            }
        }
    }
}

impl<T> Inner<T> {
    fn work(&self) -> MutexGuard<'_, Option<BoxFuture<'static, Option<T>>>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who drives the work. One who leaves before it is done hands it on.
struct Driver<'a, T> {
    inner: &'a Inner<T>,
    work: Option<BoxFuture<'static, Option<T>>>,
}

impl<T> Driver<'_, T> {
    async fn drive(&mut self) -> Option<T> {
        let outcome = match &mut self.work {
            Some(work) => work.await,
            None => None,
        };
        self.work = None;
        outcome
    }
}

impl<T> Drop for Driver<'_, T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            *self.inner.work() = Some(work);
            self.inner.handed_on.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::future::join_all;

    use super::*;

    const STEP: Duration = Duration::from_secs(1);

    /// Work of ten steps; counts those that were begun.
    fn steps(begun: &Arc<AtomicUsize>) -> Joint<usize> {
        let begun = Arc::clone(begun);
        Joint::new(async move {
            for _ in 0..10 {
                begun.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(STEP).await;
            }
            begun.load(Ordering::SeqCst)
        })
    }

    /// Waits for it, counting how often that is polled.
    async fn polled(joint: Joint<usize>, polls: &AtomicUsize) -> Option<usize> {
        let mut waiting = pin!(joint.outcome());
        poll_fn(|cx| {
            polls.fetch_add(1, Ordering::SeqCst);
            waiting.as_mut().poll(cx)
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_driver_is_woken_before_the_end() {
        let begun = Arc::new(AtomicUsize::new(0));
        let joint = steps(&begun);
        let polls: Vec<_> = (0..5).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let waiting = polls.iter().map(|polls| {
            let (joint, polls) = (joint.clone(), Arc::clone(polls));
            tokio::spawn(async move { polled(joint, &polls).await })
        });
        for outcome in join_all(waiting.collect::<Vec<_>>()).await {
            assert_eq!(outcome.unwrap(), Some(10));
        }
        let polls: Vec<_> = polls.iter().map(|polls| polls.load(Ordering::SeqCst)).collect();
        assert_eq!(polls, [11, 2, 2, 2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_hands_it_on_as_far_as_it_is() {
        let begun = Arc::new(AtomicUsize::new(0));
        let joint = steps(&begun);
        let leaving = |after: u32| tokio::time::timeout(STEP * after + STEP / 2, joint.clone().outcome());
        let (first, second, third, last) = tokio::join!(leaving(2), leaving(4), leaving(1), joint.clone().outcome());
        assert!(first.is_err() && second.is_err() && third.is_err());
        assert_eq!(last, Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn what_all_have_left_goes_on_with_the_next_one() {
        let begun = Arc::new(AtomicUsize::new(0));
        let joint = steps(&begun);
        assert!(tokio::time::timeout(STEP * 3, joint.clone().outcome()).await.is_err());
        assert_eq!(joint.clone().outcome().await, Some(10));
        // It is done once and for all.
        assert_eq!(joint.outcome().await, Some(10));
        assert_eq!(begun.load(Ordering::SeqCst), 10);
    }

    #[tokio::test]
    async fn a_panic_is_nobody_s_outcome_and_leaves_nobody_waiting() {
        let joint = Joint::<usize>::new(async {
            tokio::task::yield_now().await;
            panic!("broken")
        });
        assert_eq!(join_all([joint.clone().outcome(), joint.clone().outcome(), joint.outcome()]).await, [None; 3]);
    }

    #[tokio::test]
    async fn it_is_dropped_with_the_last_who_knows_of_it() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let joint = Joint::new(async move { drop(held) });
        assert_eq!(Arc::strong_count(&alive), 2);
        let other = joint.clone();
        drop(joint);
        assert_eq!(Arc::strong_count(&alive), 2);
        drop(other);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
