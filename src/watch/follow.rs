//! Follows one kind of a room for as long as this replica leads: lists are compared with the table, changes reported.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, stream};
use kube::runtime::watcher::Event;
use tokio::time::Instant;

use super::batch::Sink;
use super::source;
use crate::cluster::Cluster;
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::reconcile::{Reconciler, Watched};

const RETRY: Duration = Duration::from_millis(500);
/// Number of missing objects that are looked up in parallel.
const ASKED_AT_ONCE: usize = 16;

/// Follows a kind until the receiver is gone. After a restart or a 410 the list is compared with the table: what is
/// only in the table may have disappeared.
pub(super) async fn follow<R, W>(db: Db, cluster: Cluster, sink: Sink<R>)
where
    R: Reconciler,
    W: Watched<Observation = R::Observation>,
{
    let mut events = pin!(source::events::<W::Object>(&cluster, W::KIND, W::selector()).await);
    let (mut expected, mut listed) = (HashMap::new(), Vec::new());
    let mut began = Instant::now();
    while let Some(event) = events.next().await {
        let goes_on = match event {
            Event::Init => {
                began = Instant::now();
                (expected, listed) = (in_cluster::<W>(&db).await, Vec::new());
                true
            }
            Event::InitApply(object) => {
                if let Some(key) = W::key(&object) {
                    expected.remove(&key);
                }
                let seen = W::seen(&cluster, object, true).await;
                if W::VANISHED_FIRST {
                    listed.extend(seen);
                    true
                } else {
                    sink.put_all(seen).await
                }
            }
            Event::InitDone => {
                let missing = std::mem::take(&mut expected).into_values();
                let goes_on = tell_vanished::<R, W>(&cluster, &sink, missing).await
                    && sink.put_all(std::mem::take(&mut listed)).await;
                metrics::histogram!("platform_watch_relist_seconds", "kind" => W::KIND)
                    .record(began.elapsed().as_secs_f64());
                goes_on
            }
            Event::Apply(object) => sink.put_all(W::seen(&cluster, object, false).await).await,
            Event::Delete(object) => sink.put_all(W::deleted(object)).await,
        };
        if !goes_on {
            return;
        }
    }
}

/// Reports which of the objects that are missing from the list do not exist in the cluster.
async fn tell_vanished<R, W>(cluster: &Cluster, sink: &Sink<R>, missing: impl Iterator<Item = W::Expected>) -> bool
where
    R: Reconciler,
    W: Watched<Observation = R::Observation>,
{
    let asked = stream::iter(missing).map(|missing| W::vanished(cluster, missing)).buffer_unordered(ASKED_AT_ONCE);
    let mut vanished = pin!(asked);
    while let Some(vanished) = vanished.next().await {
        if !sink.put_all(vanished).await {
            return false;
        }
    }
    true
}

async fn in_cluster<W: Watched>(db: &Db) -> HashMap<W::Key, W::Expected> {
    loop {
        match read::<W>(db).await {
            Ok(expected) => return expected,
            Err(error) => {
                tracing::warn!(kind = W::KIND, error = %error_chain(&error), "the watch waits for the database");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn read<W: Watched>(db: &Db) -> Result<HashMap<W::Key, W::Expected>, ApiError> {
    Ok(W::expected(&mut *db.connection().await?).await?)
}
