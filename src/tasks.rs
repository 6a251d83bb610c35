//! Background tasks that somebody owns: one token that stops them, one tracker that waits for the last.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The background tasks of one running server. Clones share the same tasks.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs `work` until it ends or the server stops; what it holds is dropped at its next await after the stop.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            if stop.run_until_cancelled_owned(work).await.is_none() {
                tracing::debug!(task = name, "stopped");
            }
        });
    }

    /// Runs `work` until it ends; when the server stops it has `grace` to do so.
    pub fn spawn_with_grace(
        &self,
        name: &'static str,
        grace: Duration,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            let over = async {
                stop.cancelled().await;
                tokio::time::sleep(grace).await;
            };
            tokio::select! {
                () = work => {}
                () = over => tracing::debug!(task = name, "stopped unfinished"),
            }
        });
    }

    /// Runs `work`, which watches [`Tasks::stopping`] itself because it has something to finish first.
    pub fn spawn_graceful(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(work);
    }

    /// Resolves when the server stops.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops all tasks and waits for them, at most `patience`. False if some were still running.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}
