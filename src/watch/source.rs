//! One watch of one kind, everywhere, of objects that bear a job's label.

use std::fmt::Debug;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::cluster::names::JOB_LABEL;
use crate::db::error_chain;

/// The first minor version of Kubernetes 1 whose streaming lists are on by default.
const STREAMING_LISTS: u32 = 32;

/// Events of a kind for ever: errors are logged and the watch begins again after a pause.
pub(super) async fn events<K>(cluster: &Cluster, kind: &'static str) -> impl Stream<Item = Event<K>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut config = watcher::Config::default().labels(JOB_LABEL);
    if has_streaming_lists(cluster).await {
        config = config.streaming_lists();
    }
    watch(Api::<K>::all(cluster.client()), config).backoff(Pause::default()).filter_map(move |event| async move {
        match event {
            Ok(event) => {
                metrics::counter!("platform_watch_events_total", "kind" => kind).increment(1);
                Some(event)
            }
            Err(error) => {
                metrics::counter!("platform_watch_errors_total", "kind" => kind).increment(1);
                tracing::warn!(kind, error = %error_chain(&error), "the watch broke; it begins again");
                None
            }
        }
    })
}

async fn has_streaming_lists(cluster: &Cluster) -> bool {
    let minor = |version: String| version.split('.').nth(1)?.parse::<u32>().ok();
    loop {
        match cluster.version().await {
            Ok(version) => return minor(version).is_some_and(|minor| minor >= STREAMING_LISTS),
            Err(error) => {
                tracing::warn!(%error, "waiting for the cluster");
                tokio::time::sleep(LONGEST_PAUSE).await;
            }
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Doubling pauses, short enough that a cluster that comes back is seen at once.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {
        *self = Self::default();
    }
}
