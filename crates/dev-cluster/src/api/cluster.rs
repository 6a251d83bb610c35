//! The cluster's state: the store, the catalogue, and the one lock that writers take.

use super::catalog::{Catalog, ResourceKind};
use super::store::Store;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What every request works on.
pub struct Cluster {
    /// The objects.
    pub store: Store,
    /// Ends the watches and log streams when the server stops.
    pub stop: CancellationToken,
    /// The connections that were joined with one to a kubelet.
    pub tunnels: TaskTracker,
    catalog: RwLock<Arc<Catalog>>,
    writer: Mutex<()>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("revision", &self.store.revision()).finish_non_exhaustive()
    }
}

/// Proof that its holder is the only writer.
pub struct Writer<'a>(#[allow(dead_code, reason = "held for its lock")] MutexGuard<'a, ()>);

impl Cluster {
    /// A cluster with the built-in resources and no objects.
    pub fn new(history: usize, stop: CancellationToken) -> Self {
        Cluster {
            store: Store::new(history),
            stop,
            tunnels: TaskTracker::new(),
            catalog: RwLock::new(Arc::new(Catalog::builtin())),
            writer: Mutex::new(()),
        }
    }

    /// Waits for the turn to write. Writes are short, synchronous computations: admission sees a state that does not move.
    pub fn writer(&self) -> Writer<'_> {
        Writer(self.writer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The served resources.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is served. The writer's turn keeps two changes from losing one another.
    pub fn change_catalog(&self, _turn: &Writer<'_>, change: impl FnOnce(&mut Catalog)) {
        let mut catalog = Catalog::clone(&self.catalog());
        change(&mut catalog);
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
    }

    /// Whether a resource is served still.
    pub fn serves(&self, kind: &ResourceKind) -> bool {
        self.catalog().find(&kind.group, &kind.version, &kind.plural).is_some()
    }
}
