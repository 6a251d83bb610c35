//! The signal that wakes the submit worker: whoever commits work for it sends the signal, so that the work starts at
//! once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// The signal. Clones are handles to the same one.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Sends the signal. If the worker is busy, it looks for work again when it has finished.
    pub fn now(&self) {
        self.0.notify_one();
    }

    /// Waits for the signal, at most this long.
    pub async fn within(&self, patience: Duration) {
        // A timeout is the normal case: the next look is due.
        let _ = tokio::time::timeout(patience, self.0.notified()).await;
    }
}
