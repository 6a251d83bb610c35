//! Gathers what the watches see and writes it together: up to 500 observations or 20 ms, whichever comes first.

use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::mpsc;

use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::jobs::life::Observation;
use crate::jobs::model::observed;

const LARGEST: usize = 500;
const LONGEST: Duration = Duration::from_millis(20);
/// Observations that may wait for the database before the watches wait too.
const QUEUE: usize = 4 * LARGEST;
const RETRY: Duration = Duration::from_millis(500);

/// An observation and when it was made.
pub(super) type Timed = (Instant, Observation);

/// Where the watches put what they see.
#[derive(Clone)]
pub(super) struct Sink(mpsc::Sender<Timed>);

impl Sink {
    /// Waits while the database is behind. False when nobody takes observations any more.
    pub(super) async fn put(&self, observation: Observation) -> bool {
        self.0.send((Instant::now(), observation)).await.is_ok()
    }
}

/// The queue between the watches and the database.
pub(super) fn queue() -> (Sink, mpsc::Receiver<Timed>) {
    let (sink, seen) = mpsc::channel(QUEUE);
    (Sink(sink), seen)
}

/// Writes batches until the watches end. A batch that the database does not take is tried until it does: nothing that
/// was seen is dropped.
pub(super) async fn run(db: Db, mut seen: mpsc::Receiver<Timed>) {
    while let Some(batch) = gather(&mut seen).await {
        let first = batch.first().map(|(when, _)| *when);
        let observations: Vec<_> = batch.into_iter().map(|(_, observation)| observation).collect();
        metrics::histogram!("platform_watch_batch_size").record(observations.len() as f64);
        while let Err(error) = write(&db, &observations).await {
            tracing::warn!(error = %error_chain(&error), "what the watch saw could not be written; trying again");
            tokio::time::sleep(RETRY).await;
        }
        if let Some(first) = first {
            metrics::histogram!("platform_watch_lag_seconds").record(first.elapsed().as_secs_f64());
        }
    }
}

async fn write(db: &Db, observations: &[Observation]) -> Result<(), ApiError> {
    let mut conn = db.connection().await?;
    observed::apply(&mut conn, observations, Utc::now()).await?;
    Ok(())
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
