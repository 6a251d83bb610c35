//! The bell of the submit worker: whoever commits work for it rings, so that nobody waits for its next look.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// The bell. Clones ring the same one.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Rings. Rung while the worker is busy, it looks again when it has finished.
    pub fn now(&self) {
        self.0.notify_one();
    }

    /// Waits for the bell, at most this long.
    pub async fn within(&self, patience: Duration) {
        // Running out of time is the ordinary case: the next look is due.
        let _ = tokio::time::timeout(patience, self.0.notified()).await;
    }
}
