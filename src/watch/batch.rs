//! Collects the observations of the watches and writes them together: up to 500 or for 20 ms, whichever comes first.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::health::RoomHealth;
use super::settle::{Store, settle};
use crate::reconcile::Reconciler;

const LARGEST: usize = 500;
const LONGEST: Duration = Duration::from_millis(20);
/// Number of observations that may wait for the database before the watches wait too.
const QUEUE: usize = 4 * LARGEST;

/// An observation and the time when it was made.
pub(super) type Timed<O> = (Instant, O);

/// The sender for the observations of a room's watches.
pub(super) struct Sink<R: Reconciler>(mpsc::Sender<Timed<R::Observation>>);

impl<R: Reconciler> Clone for Sink<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Reconciler> Sink<R> {
    /// Adds observations, cleaned for PostgreSQL. Waits while the database is behind. False if the receiver is gone.
    pub(super) async fn put_all(&self, observations: impl IntoIterator<Item = R::Observation, IntoIter: Send>) -> bool {
        for observation in observations {
            if self.0.send((Instant::now(), R::clean(observation))).await.is_err() {
                return false;
            }
        }
        true
    }
}

/// The queue between the watches of a room and the database.
pub(super) fn queue<R: Reconciler>() -> (Sink<R>, mpsc::Receiver<Timed<R::Observation>>) {
    let (sink, seen) = mpsc::channel(QUEUE);
    (Sink(sink), seen)
}

/// Writes batches until the watches end. While the database is unavailable a batch is retried and nothing is dropped;
/// an observation that the database rejects is set aside, so that it does not block the others.
pub(super) async fn run<R: Reconciler>(
    store: impl Store<Observation = R::Observation>,
    mut seen: mpsc::Receiver<Timed<R::Observation>>,
    health: RoomHealth,
) {
    while let Some(batch) = gather(&mut seen).await {
        let first = batch.first().map_or_else(Instant::now, |(when, _)| *when);
        let observations: Vec<_> = batch.into_iter().map(|(_, observation)| observation).collect();
        metrics::histogram!("platform_watch_batch_size").record(observations.len() as f64);
        health.begun(first);
        for (place, cause) in settle(&store, &observations, &health).await {
            metrics::counter!("platform_watch_set_aside_total").increment(1);
            if let Some(subject) = observations.get(place).map(R::subject) {
                tracing::error!(room = R::ROOM, %subject, cause, "an observation was set aside because the database rejects it");
            }
        }
        health.settled();
        metrics::histogram!("platform_watch_lag_seconds").record(first.elapsed().as_secs_f64());
    }
}

async fn gather<O>(seen: &mut mpsc::Receiver<Timed<O>>) -> Option<Vec<Timed<O>>> {
    let mut batch = vec![seen.recv().await?];
    let end = tokio::time::Instant::now() + LONGEST;
    while batch.len() < LARGEST {
        match tokio::time::timeout_at(end, seen.recv()).await {
            Ok(Some(observation)) => batch.push(observation),
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;

    use diesel::QueryResult;
    use diesel_async::AsyncPgConnection;

    use super::*;
    use crate::reconcile::Kinds;

    /// A room that observes numbers.
    enum Numbers {}

    impl Reconciler for Numbers {
        type Observation = u32;
        const ROOM: &'static str = "numbers";

        fn kinds(_: &mut impl Kinds<u32>) {}

        fn clean(observation: u32) -> u32 {
            observation
        }

        fn subject(observation: &u32) -> impl Display {
            *observation
        }

        async fn apply(_: &mut AsyncPgConnection, _: &[u32]) -> QueryResult<()> {
            Ok(())
        }

        async fn measure(_: &mut AsyncPgConnection) -> QueryResult<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_batch_ends_at_500_or_after_a_moment() {
        let (sink, mut seen) = queue::<Numbers>();
        assert!(sink.put_all(0..502).await);
        assert_eq!(gather(&mut seen).await.unwrap().len(), LARGEST);
        assert_eq!(gather(&mut seen).await.unwrap().len(), 2);
        drop(sink);
        assert!(gather(&mut seen).await.is_none());
    }
}
