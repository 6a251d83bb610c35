//! The garbage collector and the end of namespaces: what nobody owns any more, and what a deletion has to wait for.
//!
//! One watch a kind (metadata only) feeds one graph. The kinds are those that the server serves at start: a definition that is
//! applied later is collected from the next start on.

mod graph;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Event as CoreEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::discovery::{ApiResource, Scope, verbs};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Discovery};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::control::gone_is_fine;
use graph::{Duty, Graph, Known, ORPHAN, key, owner_key};

/// Changes that wait for the graph; the watches wait when it is behind.
const QUEUE: usize = 1024;
/// How soon a duty that failed is looked at again.
const RETRY: Duration = Duration::from_millis(500);

/// A kind that is watched.
#[derive(Debug)]
pub(super) struct Kind {
    resource: ApiResource,
    namespaced: bool,
}

enum Change {
    Seen(Arc<Kind>, PartialObjectMeta<DynamicObject>),
    Gone(PartialObjectMeta<DynamicObject>),
    ListBegins(Arc<Kind>),
    ListEnds(Arc<Kind>),
}

/// Collects until `cancel` says so.
pub(super) async fn run(client: Client, cancel: CancellationToken) {
    let Some(kinds) = cancel.run_until_cancelled(discover(&client)).await else { return };
    let (sender, mut changes) = mpsc::channel(QUEUE);
    let mut watches = JoinSet::new();
    for kind in &kinds {
        watches.spawn(follow(client.clone(), kind.clone(), sender.clone()));
    }
    drop(sender);
    let collector = async {
        let mut graph = Graph::new(kinds.len());
        loop {
            let wait = if graph.has_duties() { RETRY } else { Duration::MAX };
            tokio::select! {
                change = changes.recv() => match change {
                    Some(Change::Seen(kind, object)) => graph.seen(&kind, object.metadata),
                    Some(Change::Gone(object)) => graph.gone(&object.metadata),
                    Some(Change::ListBegins(kind)) => graph.list_begins(&kind),
                    Some(Change::ListEnds(kind)) => graph.list_ends(&kind),
                    None => return,
                },
                () = tokio::time::sleep(wait) => {}
            }
            settle(&client, &kinds, &mut graph).await;
        }
    };
    cancel.run_until_cancelled(collector).await;
    watches.shutdown().await;
}

async fn discover(client: &Client) -> Vec<Arc<Kind>> {
    let discovery = loop {
        match Discovery::new(client.clone()).run().await {
            Ok(discovery) => break discovery,
            Err(error) => {
                tracing::warn!(%error, "garbage collector: discovery, will try again");
                tokio::time::sleep(RETRY).await;
            }
        }
    };
    let resources = discovery.groups().flat_map(|group| group.recommended_resources());
    let watched = resources.filter(|(resource, can)| {
        // Events own nothing and are many.
        let usable = [verbs::LIST, verbs::WATCH, verbs::DELETE].iter().all(|verb| can.supports_operation(verb));
        usable && resource.plural != "events"
    });
    let kind = |(resource, can): (ApiResource, kube::discovery::ApiCapabilities)| {
        Arc::new(Kind { resource, namespaced: can.scope == Scope::Namespaced })
    };
    watched.map(kind).collect()
}

async fn follow(client: Client, kind: Arc<Kind>, changes: mpsc::Sender<Change>) {
    let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(client, &kind.resource);
    let mut stream = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    while let Some(event) = stream.next().await {
        let change = match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => Change::Seen(kind.clone(), object),
            Ok(Event::Delete(object)) => Change::Gone(object),
            Ok(Event::Init) => Change::ListBegins(kind.clone()),
            Ok(Event::InitDone) => Change::ListEnds(kind.clone()),
            Err(error) => {
                tracing::debug!(kind = kind.resource.kind, %error, "watch interrupted");
                continue;
            }
        };
        if changes.send(change).await.is_err() {
            return;
        }
    }
}

/// The objects of a kind among which something of `namespace` is, or what owns it.
fn api(client: &Client, kind: &Kind, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) if kind.namespaced => Api::namespaced_with(client.clone(), namespace, &kind.resource),
        Some(_) | None => Api::all_with(client.clone(), &kind.resource),
    }
}

fn api_of(client: &Client, known: &Known) -> Api<DynamicObject> {
    api(client, &known.kind, known.namespace.as_deref())
}

/// Does what follows from the changes since the last time; what could not be done yet is for the next.
async fn settle(client: &Client, kinds: &[Arc<Kind>], graph: &mut Graph) {
    for duty in graph.take_duties() {
        match perform(client, kinds, &duty).await {
            Ok(Outcome::Done) => {}
            Ok(Outcome::TooEarly) => graph.again(&duty),
            Err(error) => {
                tracing::debug!(?duty, %error, "garbage collector: will try again");
                graph.again(&duty);
            }
        }
    }
}

/// What became of a duty.
enum Outcome {
    Done,
    /// The watch that gave rise to it is ahead of another.
    TooEarly,
}

async fn perform(client: &Client, kinds: &[Arc<Kind>], duty: &Duty) -> Result<Outcome, kube::Error> {
    match duty {
        Duty::Collect { object, .. } if is_owned(client, kinds, object).await? => return Ok(Outcome::TooEarly),
        Duty::Collect { object, foreground } | Duty::Delete { object, foreground } => {
            let policy = if *foreground { PropagationPolicy::Foreground } else { PropagationPolicy::Background };
            let this_one = Preconditions { uid: Some(object.uid.clone()), resource_version: None };
            let params = DeleteParams {
                propagation_policy: Some(policy),
                preconditions: Some(this_one),
                ..DeleteParams::default()
            };
            gone_is_fine(api_of(client, object).delete(&object.name, &params).await)
        }
        Duty::Release { object, finalizer } if is_waited_for(client, kinds, object, finalizer).await? => {
            return Ok(Outcome::TooEarly);
        }
        Duty::Release { object, finalizer } => {
            let left: Vec<_> = object.finalizers.iter().filter(|name| name != finalizer).collect();
            // The version makes it a conflict if somebody changed the list meanwhile.
            let patch = json!({"metadata": {"resourceVersion": object.version, "uid": object.uid, "finalizers": left}});
            let params = PatchParams::default();
            gone_is_fine(api_of(client, object).patch(&object.name, &params, &Patch::Merge(&patch)).await)
        }
        Duty::Orphan { object, owner } => {
            let left: Vec<_> = object.owners.iter().filter(|reference| &reference.uid != owner).collect();
            let patch = json!({"metadata": {"uid": object.uid, "ownerReferences": left}});
            let params = PatchParams::default();
            gone_is_fine(api_of(client, object).patch(&object.name, &params, &Patch::Merge(&patch)).await)
        }
        Duty::Finalize { namespace } if !is_empty(client, kinds, &namespace.name).await? => {
            return Ok(Outcome::TooEarly);
        }
        Duty::Finalize { namespace } => finalize(client, namespace).await,
    }
    .map(|()| Outcome::Done)
}

/// Whether an owner is there that the graph has not heard of: each kind has a watch of its own, and the watch of what is
/// owned may be ahead. The real collector asks for absent owners too before it deletes.
async fn is_owned(client: &Client, kinds: &[Arc<Kind>], object: &Known) -> Result<bool, kube::Error> {
    for owner in &object.owners {
        let Some(kind) = kinds.iter().find(|kind| key(kind) == owner_key(owner)) else { continue };
        let found = api(client, kind, object.namespace.as_deref()).get_metadata_opt(&owner.name).await?;
        if found.is_some_and(|found| found.metadata.uid.as_ref() == Some(&owner.uid)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether something that was not heard of yet keeps an owner from going. What is to be left behind would otherwise be taken
/// for abandoned as soon as the owner is gone, and be deleted.
async fn is_waited_for(
    client: &Client,
    kinds: &[Arc<Kind>],
    object: &Known,
    finalizer: &str,
) -> Result<bool, kube::Error> {
    let holds = |owner: &OwnerReference| {
        owner.uid == object.uid && (finalizer == ORPHAN || owner.block_owner_deletion == Some(true))
    };
    // Something in a namespace owns nothing outside of it.
    for kind in kinds.iter().filter(|kind| kind.namespaced || object.namespace.is_none()) {
        let found = list(client, kind, object.namespace.as_deref(), &ListParams::default()).await?;
        if found.iter().any(|found| found.metadata.owner_references.iter().flatten().any(holds)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nothing is left in a namespace. The graph may not have heard of all that is: each kind has a watch of its own.
async fn is_empty(client: &Client, kinds: &[Arc<Kind>], namespace: &str) -> Result<bool, kube::Error> {
    let any = ListParams::default().limit(1);
    for kind in kinds.iter().filter(|kind| kind.namespaced) {
        if !list(client, kind, Some(namespace), &any).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Objects of a kind; none where the kind is served no longer.
async fn list(
    client: &Client,
    kind: &Kind,
    namespace: Option<&str>,
    params: &ListParams,
) -> Result<Vec<PartialObjectMeta<DynamicObject>>, kube::Error> {
    match api(client, kind, namespace).list_metadata(params).await {
        Ok(found) => Ok(found.items),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Lets an empty namespace go.
async fn finalize(client: &Client, namespace: &Known) -> Result<(), kube::Error> {
    let events = Api::<CoreEvent>::namespaced(client.clone(), &namespace.name);
    events.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    let body = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace.name, "uid": namespace.uid}, "spec": {"finalizers": []},
    });
    let body = serde_json::to_vec(&body).map_err(kube::Error::SerdeError)?;
    let request = http::Request::put(format!("/api/v1/namespaces/{}/finalize", namespace.name))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(kube::Error::HttpError)?;
    gone_is_fine(client.request::<serde_json::Value>(request).await)
}
