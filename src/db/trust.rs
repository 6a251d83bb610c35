//! Which connections of the pools are used again: those made since one was last found to be dead.
//!
//! A connection may be dead and not know it, as when a proxy on the way swallows its bytes. Whoever finds one out by a
//! time-out has all that are as old replaced, also those that are in use now and come back later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::{Hook, HookError};

/// The age up to which connections are trusted. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Trust(Arc<Since>);

#[derive(Debug)]
struct Since {
    beginning: Instant,
    /// Connections that were made before so many microseconds from the beginning are not used again.
    micros: AtomicU64,
}

impl Trust {
    pub(super) fn new() -> Self {
        Self(Arc::new(Since { beginning: Instant::now(), micros: AtomicU64::new(0) }))
    }

    /// From now on none is used that was made before.
    pub(super) fn renew(&self) {
        self.0.micros.fetch_max(self.micros(Instant::now()), Ordering::SeqCst);
    }

    fn covers(&self, created: Instant) -> bool {
        self.micros(created) >= self.0.micros.load(Ordering::SeqCst)
    }

    fn micros(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.0.beginning).as_micros()).unwrap_or(u64::MAX)
    }

    /// Looked at whenever a connection is to be used again.
    pub(super) fn hook(&self) -> Hook<AsyncPgConnection> {
        let trust = self.clone();
        Hook::sync_fn(move |_, metrics| match trust.covers(metrics.created) {
            true => Ok(()),
            false => Err(HookError::message("it is as old as one that was found dead")),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_connections_made_since_the_last_renewal_are_trusted() {
        let trust = Trust::new();
        let before = Instant::now();
        assert!(trust.covers(before));
        std::thread::sleep(Duration::from_millis(2));
        trust.renew();
        assert!(!trust.covers(before));
        assert!(trust.covers(Instant::now()));
    }
}
