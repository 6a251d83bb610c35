//! One watch a kind, shared by all simulators: a cache of the objects and a stream of what changed.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{Store, store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many changes a slow reader may be behind before it is told to look at everything.
const BACKLOG: usize = 1024;

/// What happened to the objects of a kind.
#[derive(Clone, Debug)]
pub(super) enum Change<K> {
    /// This one was added, modified or deleted; the cache knows already.
    One(Arc<K>),
    /// The watch began anew, or the reader was too slow: any object may have changed.
    All,
}

/// A cache that follows one kind.
#[derive(Clone)]
pub(super) struct Informer<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Hash + Eq,
{
    store: Store<K>,
    changes: broadcast::Sender<Change<K>>,
    /// Not the store's own signal: that one wakes only the last of several who wait for it.
    listed: watch::Receiver<bool>,
}

impl<K> Informer<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Default + Hash + Eq + Clone + Send + Sync,
{
    /// Starts the watch; it backs off while the server is away and ends when `cancel` says so.
    pub(super) fn start(api: Api<K>, tasks: &TaskTracker, cancel: CancellationToken) -> Self {
        let (reader, mut writer) = store();
        let (changes, _) = broadcast::channel(BACKLOG);
        let sender = changes.clone();
        let (listed_tx, listed) = watch::channel(false);
        tasks.spawn(async move {
            let stream = watcher(api, watcher::Config::default()).default_backoff().take_until(cancel.cancelled());
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                let event = match event {
                    Ok(event) => event,
                    Err(error) => {
                        tracing::debug!(kind = %K::kind(&K::DynamicType::default()), %error, "watch interrupted");
                        continue;
                    }
                };
                writer.apply_watcher_event(&event);
                if matches!(event, Event::InitDone) {
                    listed_tx.send_replace(true);
                }
                let change = match event {
                    Event::Apply(object) | Event::Delete(object) => Change::One(Arc::new(object)),
                    Event::InitDone => Change::All,
                    Event::Init | Event::InitApply(_) => continue,
                };
                // Nobody listening is no error: the cache is read as well.
                let _ = sender.send(change);
            }
        });
        Self { store: reader, changes, listed }
    }

    /// The cache.
    pub(super) fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Every object now.
    pub(super) fn all(&self) -> Vec<Arc<K>> {
        self.store.state()
    }

    /// Waits for the first complete list; false when the watch ended before it.
    pub(super) async fn ready(&self) -> bool {
        self.listed.clone().wait_for(|listed| *listed).await.is_ok()
    }

    /// What changes from now on, beginning with [`Change::All`].
    pub(super) fn changes(&self) -> impl Stream<Item = Change<K>> + Send + use<K> {
        let receiver = self.changes.subscribe();
        let live = futures::stream::unfold(receiver, |mut receiver| async move {
            match receiver.recv().await {
                Ok(change) => Some((change, receiver)),
                Err(RecvError::Lagged(_)) => Some((Change::All, receiver)),
                Err(RecvError::Closed) => None,
            }
        });
        futures::stream::iter([Change::All]).chain(live)
    }
}
