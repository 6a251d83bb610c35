//! Gathers what the watches see and has it written together: up to 500 observations or 20 ms, whichever comes first.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::clean::clean;
use super::health::Health;
use super::settle::{Store, settle};
use crate::jobs::life::Observation;

const LARGEST: usize = 500;
const LONGEST: Duration = Duration::from_millis(20);
/// Observations that may wait for the database before the watches wait too.
const QUEUE: usize = 4 * LARGEST;

/// An observation and when it was made.
pub(super) type Timed = (Instant, Observation);

/// Where the watches put what they see.
#[derive(Clone)]
pub(super) struct Sink(mpsc::Sender<Timed>);

impl Sink {
    /// Takes an observation, cleaned of what PostgreSQL cannot store. Waits while the database is behind. False when
    /// nobody takes observations any more.
    pub(super) async fn put(&self, observation: Observation) -> bool {
        self.0.send((Instant::now(), clean(observation))).await.is_ok()
    }
}

/// The queue between the watches and the database.
pub(super) fn queue() -> (Sink, mpsc::Receiver<Timed>) {
    let (sink, seen) = mpsc::channel(QUEUE);
    (Sink(sink), seen)
}

/// Writes batches until the watches end. While the database is away a batch is tried again and nothing is dropped; an
/// observation that the database refuses is set aside, so that it holds up no other.
pub(super) async fn run(store: impl Store, mut seen: mpsc::Receiver<Timed>, health: Health) {
    while let Some(batch) = gather(&mut seen).await {
        let first = batch.first().map_or_else(Instant::now, |(when, _)| *when);
        let observations: Vec<_> = batch.into_iter().map(|(_, observation)| observation).collect();
        metrics::histogram!("platform_watch_batch_size").record(observations.len() as f64);
        health.begun(first);
        for (place, cause) in settle(&store, &observations, &health).await {
            metrics::counter!("platform_watch_set_aside_total").increment(1);
            if let Some(Observation { job, .. }) = observations.get(place) {
                tracing::error!(%job, cause, "an observation that the database refuses was set aside");
            }
        }
        health.settled();
        metrics::histogram!("platform_watch_lag_seconds").record(first.elapsed().as_secs_f64());
    }
}

async fn gather(seen: &mut mpsc::Receiver<Timed>) -> Option<Vec<Timed>> {
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
    use super::*;
    use crate::ids::JobId;
    use crate::jobs::life::{ObjectRef, Seen};

    fn observation() -> Observation {
        Observation { job: JobId::generate(), seen: Seen::Gone(ObjectRef { name: "job".into(), uid: None }) }
    }

    #[tokio::test]
    async fn a_batch_ends_at_500_or_after_a_moment() {
        let (sink, mut seen) = queue();
        for _ in 0..LARGEST + 2 {
            assert!(sink.put(observation()).await);
        }
        assert_eq!(gather(&mut seen).await.unwrap().len(), LARGEST);
        assert_eq!(gather(&mut seen).await.unwrap().len(), 2);
        drop(sink);
        assert!(gather(&mut seen).await.is_none());
    }
}
