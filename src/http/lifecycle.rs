//! Serving, draining, stopped: what all transports check before they start something new.

use std::time::Duration;

use rand::RngExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The lifecycle of the server, shared by all its connections.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    draining: CancellationToken,
    sockets: TaskTracker,
    drain: Duration,
}

impl Lifecycle {
    /// A server that serves until `shutdown`, and then has `drain` to finish.
    pub fn new(shutdown: CancellationToken, drain: Duration) -> Self {
        Self { draining: shutdown, sockets: TaskTracker::new(), drain }
    }

    /// Whether the server rejects new work.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Resolves when the server starts to reject new work.
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// When this WebSocket or stream should close after draining started: spread over four fifths of the time, so that
    /// clients do not all reconnect at the same moment.
    pub fn own_share(&self) -> Duration {
        self.drain.mul_f64(rand::rng().random_range(0.0..0.8))
    }

    /// When a client should reconnect: soon, but not all at the same time.
    pub fn retry_after(&self) -> Duration {
        Duration::from_millis(rand::rng().random_range(200..2_000))
    }

    /// The tasks of WebSockets, which the server waits for before it stops.
    pub fn sockets(&self) -> &TaskTracker {
        &self.sockets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_and_returns_are_spread() {
        let lifecycle = Lifecycle::new(CancellationToken::new(), Duration::from_secs(10));
        let shares: Vec<Duration> = (0..200).map(|_| lifecycle.own_share()).collect();
        for second in 0..8 {
            assert!(shares.iter().any(|share| share.as_secs() == second), "nobody closes in second {second}");
        }
        assert!(shares.iter().all(|share| *share < Duration::from_secs(8)));
        let returns: std::collections::HashSet<Duration> = (0..200).map(|_| lifecycle.retry_after()).collect();
        assert!(returns.len() > 100 && returns.iter().all(|after| *after < Duration::from_secs(2)));
    }
}
