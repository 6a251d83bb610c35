//! A cluster that returns to an older state, like a restored etcd, simulated by a service in place of the API server.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use futures::{FutureExt, StreamExt};
use http::{Request, Response};
use k8s_openapi::api::core::v1::Pod;
use kube::client::Body;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;

/// An API server whose newest version is `version`. Its watches are silent.
fn api_server(version: Arc<AtomicI64>, lists: Arc<AtomicUsize>) -> kube::Client {
    let answer = move |request: Request<Body>| {
        let (version, lists) = (version.load(Ordering::SeqCst), Arc::clone(&lists));
        async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            if query.contains("watch=true") {
                return std::future::pending().await;
            }
            let version = version.to_string();
            let mut list = json!({ "metadata": { "resourceVersion": version }, "items": [] });
            if query.contains("limit=1") && !query.contains("limit=1&") && !query.contains("limit=10") {
                list["kind"] = json!("PartialObjectMetadataList");
                list["apiVersion"] = json!("meta.k8s.io/v1");
            } else {
                lists.fetch_add(1, Ordering::SeqCst);
                list["items"] =
                    json!([{ "metadata": { "name": "p", "namespace": "n", "uid": "u", "resourceVersion": version } }]);
            }
            Ok::<_, std::convert::Infallible>(Response::new(Body::from(serde_json::to_vec(&list).unwrap())))
        }
        .boxed()
    };
    kube::Client::new(tower::service_fn(answer), "default")
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_went_back_is_listed_anew() {
    let (version, lists) = (Arc::new(AtomicI64::new(100)), Arc::new(AtomicUsize::new(0)));
    let client = api_server(Arc::clone(&version), Arc::clone(&lists));
    let mut events = pin!(follow(Api::<Pod>::all(client), "Pod", watcher::Config::default()));
    let mut listed = async || loop {
        if let Some(Event::InitApply(pod)) = events.next().await {
            return pod.metadata.resource_version.unwrap();
        }
    };
    assert_eq!(listed().await, "100");
    let silent = tokio::time::timeout(LOOK_BACK * 3, listed()).await;
    assert!(silent.is_err(), "nothing has happened");
    version.store(40, Ordering::SeqCst);
    assert_eq!(listed().await, "40");
    assert_eq!(lists.load(Ordering::SeqCst), 2);
}
