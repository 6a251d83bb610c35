//! An endless watch of one kind in all namespaces, which survives whatever happens to the cluster.

use std::fmt::Debug;
use std::time::Duration;

use async_stream::stream;
use futures::{Stream, StreamExt};
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event, ExponentialBackoff};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::MissedTickBehavior;

use crate::cluster::Cluster;
use crate::db::error_chain;
use crate::reconcile::Selector;
use crate::tasks::pauses;

/// The first minor version of Kubernetes 1 whose streaming lists are on by default.
const STREAMING_LISTS: u32 = 32;

/// How often to check whether the cluster has returned to an older state.
const LOOK_BACK: Duration = Duration::from_secs(5);

/// Events of the selected objects of a kind, forever: errors are logged and the watch is restarted after a pause.
pub(super) async fn events<K>(
    cluster: &Cluster,
    kind: &'static str,
    selector: Selector,
) -> impl Stream<Item = Event<K>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = match selector {
        Selector::All => watcher::Config::default(),
        Selector::Labels(labels) => watcher::Config::default().labels(&labels),
        Selector::Fields(fields) => watcher::Config::default().fields(&fields),
    };
    follow(Api::all(cluster.client()), kind, config_for(cluster, config).await)
}

async fn config_for(cluster: &Cluster, config: watcher::Config) -> watcher::Config {
    if has_streaming_lists(cluster).await { config.streaming_lists() } else { config }
}

fn follow<K>(api: Api<K>, kind: &'static str, config: watcher::Config) -> impl Stream<Item = Event<K>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    stream! {
        loop {
            let mut newest = Newest::default();
            let mut events = Box::pin(watch(api.clone(), config.clone()).backoff(pause()));
            let mut look = tokio::time::interval(LOOK_BACK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let event = tokio::select! {
                    biased;
                    event = events.next() => event,
                    _ = look.tick() => match went_back(&api, &config, &newest).await {
                        true => break,
                        false => continue,
                    },
                };
                match event {
                    Some(Ok(event)) => {
                        metrics::counter!("platform_watch_events_total", "kind" => kind).increment(1);
                        newest.take(&event);
                        yield event;
                    }
                    // A cluster need not have every kind; it may get it later.
                    Some(Err(error)) if is_missing(&error) => {
                        tracing::debug!(kind, "the cluster does not have this kind");
                    }
                    Some(Err(error)) => {
                        metrics::counter!("platform_watch_errors_total", "kind" => kind).increment(1);
                        tracing::warn!(kind, error = %error_chain(&error), "the watch failed; starting it again");
                    }
                    None => break,
                }
            }
            tracing::warn!(kind, "the cluster has returned to an older state; listing it again");
        }
    }
}

/// The newest version that a watch has reported.
#[derive(Default)]
struct Newest(i64);

impl Newest {
    fn take<K: Resource>(&mut self, event: &Event<K>) {
        if let Event::Apply(object) | Event::InitApply(object) | Event::Delete(object) = event {
            self.0 = self.0.max(version(object.meta().resource_version.as_deref()));
        }
    }
}

fn version(text: Option<&str>) -> i64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether the cluster does not serve the kind: for all namespaces nothing else is answered with 404.
fn is_missing(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchError(status) => status.code == 404,
        InitialListFailed(_) | WatchStartFailed(_) | WatchFailed(_) | watcher::Error::NoResourceVersion => false,
    }
}

/// Whether the cluster is older than what it reported: its etcd was restored from a backup. A watch from a future
/// version is not an error; it is silent until the cluster reaches that version again.
async fn went_back<K>(api: &Api<K>, config: &watcher::Config, newest: &Newest) -> bool
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let params = ListParams {
        label_selector: config.label_selector.clone(),
        field_selector: config.field_selector.clone(),
        ..ListParams::default().limit(1)
    };
    match tokio::time::timeout(LOOK_BACK, api.list_metadata(&params)).await {
        Ok(Ok(list)) => {
            let now = version(list.metadata.resource_version.as_deref());
            now > 0 && now < newest.0
        }
        // The watch itself will find the problem.
        Ok(Err(_)) | Err(_) => false,
    }
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

/// Short enough that a cluster that comes back is seen at once.
fn pause() -> ExponentialBackoff {
    pauses(FIRST_PAUSE, LONGEST_PAUSE).into()
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
