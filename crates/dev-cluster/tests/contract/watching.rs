//! Watches: from a version, with bookmarks, as a streaming list, and what happens when the version is too old.

use std::pin::pin;
use std::time::Duration;

use cluster_resources::crd::FlashJob;
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::watcher::{self, watcher};
use serde_json::json;

use super::arena::{Arena as Place, PATIENCE, note};

async fn write(arena: &Place, name: &str, text: &str) -> ConfigMap {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": text}});
    let params = PatchParams::apply("writer");
    arena.api::<ConfigMap>().patch(name, &params, &Patch::Apply(object)).await.unwrap()
}

async fn version(arena: &Place) -> String {
    arena.api::<ConfigMap>().list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap()
}

/// A watch event as a line: `ADDED a`.
fn line(event: &WatchEvent<ConfigMap>) -> String {
    match event {
        WatchEvent::Added(object) => format!("ADDED {}", object.name_any()),
        WatchEvent::Modified(object) => format!("MODIFIED {}", object.name_any()),
        WatchEvent::Deleted(object) => format!("DELETED {}", object.name_any()),
        WatchEvent::Bookmark(_) => "BOOKMARK".to_owned(),
        WatchEvent::Error(status) => format!("ERROR {} {}", status.code, status.reason),
    }
}

async fn next_lines(
    stream: impl Stream<Item = Result<WatchEvent<ConfigMap>, kube::Error>>,
    count: usize,
) -> Vec<String> {
    let events = stream.map_ok(|event| line(&event)).take(count).try_collect::<Vec<_>>();
    tokio::time::timeout(PATIENCE, events).await.expect("the events come").expect("a watch")
}

contract! {
    async fn a_watch_resumes_after_a_version(arena: Arena) {
        write(&arena, "before", "1").await;
        let from = version(&arena).await;
        write(&arena, "a", "1").await;
        write(&arena, "a", "2").await;
        arena.api::<ConfigMap>().delete("a", &DeleteParams::default()).await.unwrap();
        let params = WatchParams::default().disable_bookmarks();
        let events = arena.api::<ConfigMap>().watch(&params, &from).await.unwrap();
        assert_eq!(next_lines(events, 3).await, ["ADDED a", "MODIFIED a", "DELETED a"]);
    }

    async fn a_deleted_object_carries_a_newer_version(arena: Arena) {
        let made = write(&arena, "a", "1").await;
        let from = made.resource_version().unwrap();
        arena.api::<ConfigMap>().delete("a", &DeleteParams::default()).await.unwrap();
        let events = arena.api::<ConfigMap>().watch(&WatchParams::default().disable_bookmarks(), &from).await.unwrap();
        let event = tokio::time::timeout(PATIENCE, pin!(events).next()).await.unwrap().unwrap().unwrap();
        let WatchEvent::Deleted(gone) = event else { panic!("{event:?}") };
        assert!(gone.resource_version().unwrap().parse::<u64>().unwrap() > from.parse().unwrap());
    }

    async fn a_watch_from_zero_begins_with_what_is_there(arena: Arena) {
        write(&arena, "a", "1").await;
        let params = WatchParams::default().fields("metadata.name=a").disable_bookmarks();
        let events = arena.api::<ConfigMap>().watch(&params, "0").await.unwrap();
        assert_eq!(next_lines(events, 1).await, ["ADDED a"]);
    }

    async fn an_object_that_leaves_the_selection_is_deleted_for_the_watcher(arena: Arena) {
        let api = arena.api::<ConfigMap>();
        let label = |value: &str| json!({"metadata": {"labels": {"watched": value}}});
        let from = write(&arena, "a", "1").await.resource_version().unwrap();
        let params = WatchParams::default().labels("watched=yes").disable_bookmarks();
        let events = api.watch(&params, &from).await.unwrap();
        for value in ["yes", "no"] {
            api.patch("a", &PatchParams::default(), &Patch::Merge(label(value))).await.unwrap();
        }
        assert_eq!(next_lines(events, 2).await, ["ADDED a", "DELETED a"]);
    }

    async fn a_watch_ends_at_its_timeout(arena: Arena) {
        let from = version(&arena).await;
        let params = WatchParams::default().timeout(1).disable_bookmarks();
        let events = arena.api::<ConfigMap>().watch(&params, &from).await.unwrap();
        let all = tokio::time::timeout(PATIENCE, events.try_collect::<Vec<_>>()).await.expect("it ends").unwrap();
        assert!(all.is_empty(), "{all:?}");
    }

    async fn a_watch_may_ask_for_any_timeout(arena: Arena) {
        let path = format!("/api/v1/namespaces/{}/configmaps?watch=true&timeoutSeconds={}", arena.namespace, i64::MAX);
        let request = http::Request::get(path).body(kube::client::Body::empty()).unwrap();
        assert_eq!(arena.client.send(request).await.unwrap().status(), 200);
    }

    async fn a_streaming_list_ends_with_a_marked_bookmark(arena: Arena) {
        write(&arena, "a", "1").await;
        write(&arena, "b", "1").await;
        let params = WatchParams::default().labels("!kubernetes.io/none").initial_events();
        let events = arena.api::<ConfigMap>().watch(&params, "0").await.unwrap();
        let mut events = pin!(events);
        let mut added = Vec::new();
        let bookmark = loop {
            match tokio::time::timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap() {
                WatchEvent::Added(object) => added.push(object.name_any()),
                WatchEvent::Bookmark(bookmark) => break bookmark,
                other => panic!("{other:?}"),
            }
        };
        added.retain(|name| name != "kube-root-ca.crt");
        assert_eq!(added, ["a", "b"]);
        let mark = &bookmark.metadata.annotations["k8s.io/initial-events-end"];
        assert_eq!(mark, "true");
        write(&arena, "c", "1").await;
        assert_eq!(next_lines(events, 1).await, ["ADDED c"]);
    }

    async fn bookmarks_tell_how_far_a_quiet_watch_is(arena: Arena) {
        let from = version(&arena).await;
        // A server sends one shortly before the watch times out, at the latest.
        let params = WatchParams::default().timeout(10);
        let events = arena.api::<ConfigMap>().watch(&params, &from).await.unwrap();
        let mut events = pin!(events);
        let event = tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
        let Some(Ok(WatchEvent::Bookmark(bookmark))) = event else { panic!("{event:?}") };
        let reached: u64 = bookmark.metadata.resource_version.parse().unwrap();
        assert!(reached >= from.parse().unwrap());
    }

    async fn a_watch_from_a_forgotten_version_is_expired(arena: Arena) {
        write(&arena, "a", "1").await;
        let arena = arena.compact().await;
        // A kube-apiserver remembers more of a kind than etcd does, from when it first served it; these it served late.
        let refusal = match arena.api::<FlashJob>().watch(&WatchParams::default(), "1").await {
            Err(kube::Error::Api(status)) => (status.code, status.reason.clone()),
            Err(other) => panic!("{other}"),
            Ok(events) => match pin!(events).next().await.expect("an event") {
                Ok(WatchEvent::Error(status)) => (status.code, status.reason.clone()),
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(refusal, (410, "Expired".to_owned()));
    }

    async fn a_watcher_sees_the_same_with_either_kind_of_list(arena: Arena) {
        write(&arena, "a", "1").await;
        for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
            let name = format!("late-{}", version(&arena).await);
            let mut events = pin!(watcher(arena.api::<ConfigMap>(), config));
            let mut seen = Vec::new();
            let follow = async {
                loop {
                    match events.next().await.expect("endless").expect("a watch") {
                        watcher::Event::InitApply(object) => seen.push(object.name_any()),
                        watcher::Event::InitDone => {
                            write(&arena, &name, "1").await;
                        }
                        watcher::Event::Apply(object) => break assert_eq!(object.name_any(), name),
                        watcher::Event::Init | watcher::Event::Delete(_) => {}
                    }
                }
            };
            tokio::time::timeout(PATIENCE, follow).await.expect("in time");
            assert!(seen.contains(&"a".to_owned()), "{seen:?}");
        }
    }

    async fn every_write_reaches_a_watch_once_and_in_order(arena: Arena) {
        let from = version(&arena).await;
        let params = WatchParams::default().disable_bookmarks();
        let events = arena.api::<ConfigMap>().watch(&params, &from).await.unwrap();
        let writes = async {
            for number in 0..30 {
                arena.api::<ConfigMap>().create(&PostParams::default(), &note(&format!("n{number}"), "x")).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let (seen, ()) = tokio::join!(next_lines(events, 30), writes);
        let expected: Vec<_> = (0..30).map(|number| format!("ADDED n{number}")).collect();
        assert_eq!(seen, expected);
    }
}
