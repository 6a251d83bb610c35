//! Which connections of the pools are used again: those made after one was last found to be dead.
//!
//! A connection may be dead without anyone noticing, for example when a proxy in between drops its bytes. When a
//! timeout reveals one, all connections that are as old are replaced. Those in use get some time for their current
//! statement and are then closed: waiting for a response on a dead connection would never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::{Hook, HookError};
use tokio::sync::watch;

/// How long a connection that is no longer trusted may remain in use.
const GRACE: Duration = Duration::from_secs(10);

/// The age up to which connections are trusted. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Trust(Arc<Since>);

#[derive(Debug)]
struct Since {
    beginning: Instant,
    /// Connections made before this time, in microseconds since the start, are not used again.
    micros: AtomicU64,
    renewals: watch::Sender<()>,
}

impl Trust {
    pub(super) fn new() -> Self {
        let (beginning, renewals) = (Instant::now(), watch::Sender::default());
        Self(Arc::new(Since { beginning, micros: AtomicU64::new(0), renewals }))
    }

    /// From now on, connections made before are not used again.
    pub(super) fn renew(&self) {
        self.0.micros.fetch_max(self.micros(Instant::now()), Ordering::SeqCst);
        self.0.renewals.send_replace(());
    }

    /// Ends when a connection made now must not be in use any more.
    pub(super) fn while_it_lasts(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut renewed = self.0.renewals.subscribe();
        async move {
            match renewed.changed().await {
                Ok(()) => tokio::time::sleep(GRACE).await,
                // The pools are gone; the connection ends when its user releases it.
                Err(_) => std::future::pending().await,
            }
        }
    }

    fn covers(&self, created: Instant) -> bool {
        self.micros(created) >= self.0.micros.load(Ordering::SeqCst)
    }

    fn micros(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.0.beginning).as_micros()).unwrap_or(u64::MAX)
    }

    /// Checked whenever a connection is about to be reused.
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

    #[tokio::test(start_paused = true)]
    async fn a_connection_in_use_has_ten_seconds_left_when_it_is_no_longer_trusted() {
        let trust = Trust::new();
        let before = trust.while_it_lasts();
        trust.renew();
        let (renewed, after) = (tokio::time::Instant::now(), trust.while_it_lasts());
        before.await;
        assert_eq!(renewed.elapsed(), GRACE);
        assert!(tokio::time::timeout(GRACE * 10, after).await.is_err(), "one made since is trusted");
    }
}
