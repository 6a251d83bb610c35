//! Watches: the changes of a collection as a stream of events, from a revision or from now.

use super::catalog::ResourceKind;
use super::cluster::Cluster;
use super::encoding::Encoding;
use super::object;
use super::request::{Options, VersionMatch};
use super::schema::{FieldError, Reason};
use super::selector::Selection;
use super::status::{ApiError, ApiResult};
use super::store::Change;
use super::versions;
use async_stream::stream;
use bytes::Bytes;
use futures::Stream;
use rand::RngExt;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How many changes are taken from the store at once.
const BATCH: usize = 256;
/// How often a bookmark tells a quiet watcher how far it has seen.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// The last bookmark comes this long before the end.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);
/// A watch that asks for more than a century gets one: the moment of its end has to be one that the clock knows.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// The annotation of the bookmark that ends the initial events of a streaming list.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// A watch that is about to begin.
pub struct Watch {
    cluster: Arc<Cluster>,
    kind: Arc<ResourceKind>,
    namespace: Option<String>,
    selection: Selection,
    encoding: Encoding,
    start: Start,
    bookmarks: bool,
    timeout: Duration,
    headers_sent: bool,
}

enum Start {
    /// What is there now, then what changes; `mark_end` where a bookmark tells the two apart.
    Now { mark_end: bool },
    /// What changed after a revision.
    After(u64),
}

impl Watch {
    /// Checks the options of a watch.
    pub fn new(
        cluster: Arc<Cluster>,
        kind: Arc<ResourceKind>,
        namespace: Option<String>,
        encoding: Encoding,
        options: &Options,
    ) -> ApiResult<Watch> {
        check_options(options)?;
        let selection = Selection::parse(&kind, &options.label_selector, &options.field_selector)?;
        let start = match (options.send_initial_events, options.resource_version) {
            (Some(true), Some(asked)) if asked > cluster.store.revision() => {
                return Err(ApiError::version_too_large(asked, cluster.store.revision()));
            }
            (Some(true), _) => Start::Now { mark_end: options.bookmarks },
            (Some(false), None | Some(0)) => Start::After(cluster.store.revision()),
            (None, None | Some(0)) => Start::Now { mark_end: false },
            (Some(false) | None, Some(revision)) => Start::After(revision),
        };
        // Without a wish, watches end after 30 to 60 minutes, so that they do not all end together.
        let timeout = options.timeout.unwrap_or_else(|| Duration::from_secs(rand::rng().random_range(1800..3600)));
        Ok(Watch {
            cluster,
            kind,
            namespace,
            selection,
            encoding,
            start,
            bookmarks: options.bookmarks,
            timeout,
            headers_sent: false,
        })
    }

    /// The stream of events, a line of JSON each. It ends at the time-out, when the server stops, when the resource is no
    /// longer served, and after an ERROR event.
    pub fn run(mut self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        stream! {
            let end = Instant::now() + self.timeout.min(LONGEST);
            let collection = self.kind.collection();
            let mut announced = self.cluster.store.subscribe(&collection);
            let mut seen = match self.start {
                Start::After(revision) => match self.cluster.store.check_floor(revision) {
                    Ok(()) => revision,
                    Err(compacted) => {
                        yield Ok(too_old(revision, compacted.floor));
                        return;
                    }
                },
                Start::Now { mark_end } => {
                    let snapshot = self.cluster.store.list(&collection, self.namespace.as_deref());
                    for (_, value) in &snapshot.objects {
                        let value = versions::view(&self.kind, value);
                        if self.selection.matches(&value) {
                            yield Ok(self.event("ADDED", &value));
                        }
                    }
                    if mark_end {
                        yield Ok(self.bookmark(snapshot.revision, true));
                    }
                    snapshot.revision
                }
            };
            let mut next_bookmark = bookmark_time(Instant::now(), end);
            loop {
                // Marked before the store is read: a change that comes after the reading wakes us again.
                announced.borrow_and_update();
                match self.cluster.store.changes_since(&collection, seen, BATCH) {
                    Err(compacted) => {
                        yield Ok(too_old(seen, compacted.floor));
                        return;
                    }
                    Ok((changes, reached)) => {
                        seen = seen.max(reached);
                        for change in &changes {
                            if let Some(line) = self.change(change) {
                                yield Ok(line);
                            }
                        }
                        if changes.len() == BATCH {
                            continue;
                        }
                    }
                }
                if !self.cluster.serves(&self.kind) {
                    return;
                }
                tokio::select! {
                    changed = announced.changed() => if changed.is_err() { return },
                    () = sleep_until(next_bookmark) => {
                        if self.bookmarks && next_bookmark < end {
                            seen = seen.max(self.quiet_revision(&collection, seen));
                            yield Ok(self.bookmark(seen, false));
                        }
                        next_bookmark = bookmark_time(Instant::now(), end);
                    }
                    () = sleep_until(end) => return,
                    () = self.cluster.stop.cancelled() => return,
                }
            }
        }
    }

    /// The newest revision that a watcher without unseen changes has reached.
    fn quiet_revision(&self, collection: &super::catalog::CollectionId, seen: u64) -> u64 {
        match self.cluster.store.changes_since(collection, seen, 1) {
            Ok((changes, reached)) if changes.is_empty() => reached,
            _ => seen,
        }
    }

    /// A change as this watch sees it: an object that begins or ceases to match is added or deleted.
    fn change(&mut self, change: &Change) -> Option<Bytes> {
        if self.namespace.as_ref().is_some_and(|namespace| *namespace != change.key.namespace) {
            return None;
        }
        let select = |value: &Option<Arc<Value>>| {
            value.as_ref().map(|value| versions::view(&self.kind, value)).filter(|value| self.selection.matches(value))
        };
        match (select(&change.previous), select(&change.current)) {
            (None, None) => None,
            (None, Some(current)) => Some(self.event("ADDED", &current)),
            (Some(_), Some(current)) => Some(self.event("MODIFIED", &current)),
            (Some(previous), None) => {
                let mut last = match &change.removed {
                    Some(removed) => Value::clone(&versions::view(&self.kind, removed)),
                    None => Value::clone(&previous),
                };
                last["metadata"]["resourceVersion"] = json!(change.revision.to_string());
                Some(self.event("DELETED", &last))
            }
        }
    }

    fn event(&mut self, event_type: &str, value: &Value) -> Bytes {
        let first = !std::mem::replace(&mut self.headers_sent, true);
        match self.encoding {
            Encoding::Whole => line(event_type, value),
            Encoding::Table(_) | Encoding::Metadata => {
                line(event_type, &self.encoding.event_object(&self.kind, value, first))
            }
        }
    }

    fn bookmark(&mut self, revision: u64, initial_events_end: bool) -> Bytes {
        let mut value = json!({
            "kind": self.kind.kind,
            "apiVersion": self.kind.api_version(),
            "metadata": {"resourceVersion": revision.to_string()},
        });
        if initial_events_end {
            value["metadata"]["annotations"] = json!({INITIAL_EVENTS_END: "true"});
        }
        match self.encoding {
            Encoding::Whole => line("BOOKMARK", &value),
            Encoding::Metadata => line("BOOKMARK", &self.encoding.object(&self.kind, &value)),
            Encoding::Table(_) => self.event("BOOKMARK", &value),
        }
    }
}

fn check_options(options: &Options) -> ApiResult<()> {
    const FIELD: &str = "resourceVersionMatch";
    let mut errors = Vec::new();
    match (options.send_initial_events, options.version_match) {
        (Some(_), Some(_)) | (None, None) => {}
        (Some(_), None) => {
            let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            errors.push(FieldError::new(FIELD, Reason::Forbidden, detail));
        }
        (None, Some(_)) => {
            let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            errors.push(FieldError::new(FIELD, Reason::Forbidden, detail));
        }
    }
    if options.version_match == Some(VersionMatch::Exact) {
        let shown = Value::from("Exact");
        let detail = "supported values: \"NotOlderThan\"";
        errors.push(FieldError::showing(FIELD, Reason::NotSupported, &shown, detail));
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid_named("meta.k8s.io", "ListOptions", "", &errors)) }
}

fn bookmark_time(now: Instant, end: Instant) -> Instant {
    let before_end = end.checked_sub(BOOKMARK_BEFORE_END).unwrap_or(end);
    let next = (now + BOOKMARK_EVERY).min(before_end);
    if next <= now { end } else { next }
}

fn too_old(asked: u64, floor: u64) -> Bytes {
    line("ERROR", &ApiError::gone(format!("too old resource version: {asked} ({floor})")).to_status())
}

/// A line of the stream. The object is written in place: watches share it with the store and do not copy it.
fn line(event_type: &str, value: &Value) -> Bytes {
    let mut text = format!("{{\"type\":\"{event_type}\",\"object\":{value}}}");
    text.push('\n');
    debug_assert!(object::meta(value).is_object() || event_type == "ERROR");
    Bytes::from(text)
}
