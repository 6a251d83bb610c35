//! Background tasks with an owner: a token that stops them, a tracker that waits for the last one, and supervision for
//! those that must never end.

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
    /// Runs what `work` starts until the server stops, and starts it again, after a delay, whenever it panics or ends.
    ///
    /// The server is not ready while a task is down, except for `Duty::Housekeeping`.
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

    /// The state of the supervised tasks, by name.
    pub fn standing(&self) -> Vec<Standing> {
        self.supervised.standing()
    }

    /// Makes a supervised task panic, as a bug would, so that tests can see the effect.
    pub fn break_task(&self, name: &'static str) {
        self.supervised.break_task(name);
    }

    /// Runs `work` until it ends or the server stops; then it is dropped at its next await.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            if stop.run_until_cancelled_owned(unbroken(name, work)).await.is_none() {
                tracing::debug!(task = name, "stopped");
            }
        });
    }

    /// Runs `work` until it ends; when the server stops, it has `grace` to finish.
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

    /// Stops all tasks and waits for them, at most `patience`. Returns false if some were still running.
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

/// The message of a panic.
fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
