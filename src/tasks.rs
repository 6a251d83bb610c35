//! Background tasks that somebody owns: one token that stops them, one tracker that waits for the last, and supervision
//! for those that must never end.

mod pauses;
mod supervised;

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use pauses::pauses;
use supervised::Register;
pub use supervised::{Duty, Standing};

/// The background tasks of one running server. Clones share the same tasks.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    supervised: Arc<Register>,
}

impl Tasks {
    /// Runs what `work` begins until the server stops, and begins it again, after a pause, whenever it panics or ends.
    ///
    /// The server is not ready while one is down, except for `Duty::Housekeeping`.
    pub fn supervise<F, W>(&self, name: &'static str, duty: Duty, work: F)
    where
        F: Fn() -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let kept_up = supervised::keep_up(Arc::clone(&self.supervised), name, duty, work);
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            stop.run_until_cancelled_owned(kept_up).await;
        });
    }

    /// How the supervised tasks fare, by their names.
    pub fn standing(&self) -> Vec<Standing> {
        self.supervised.standing()
    }

    /// Has a supervised task panic, as a defect would, so that tests see what becomes of it.
    pub fn break_task(&self, name: &'static str) {
        self.supervised.break_task(name);
    }

    /// Runs `work` until it ends or the server stops; what it holds is dropped at its next await after the stop.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            if stop.run_until_cancelled_owned(unbroken(name, work)).await.is_none() {
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
                () = unbroken(name, work) => {}
                () = over => tracing::debug!(task = name, "stopped unfinished"),
            }
        });
    }

    /// Stops all tasks and waits for them, at most `patience`. False if some were still running.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}

/// Runs `work`; a panic is logged, counted and ends it.
async fn unbroken(name: &'static str, work: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
        metrics::counter!("platform_task_panics_total", "task" => name).increment(1);
        tracing::error!(task = name, cause = message_of(&*panic), "a background task panicked");
    }
}

/// What a panic says.
fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}
