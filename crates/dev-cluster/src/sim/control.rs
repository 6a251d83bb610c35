//! The loop of every controller here: something changed, so look at one object and make it so.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::Resource;
use kube::runtime::controller::{Action, Config, Error, applier};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio_util::sync::CancellationToken;

/// How long an object rests after an error.
const RETRY: Duration = Duration::from_secs(1);

/// Which objects are to be looked at.
pub(super) enum Trigger<K: Resource<DynamicType: Hash + Eq>> {
    /// This one.
    One(ObjectRef<K>),
    /// All that are known.
    All,
}

/// Reconciles objects of one kind as `triggers` come, one task an object, until `cancel` says so.
///
/// An error is logged and the object tried again after [`RETRY`], or sooner if it changes.
pub(super) async fn run<K, Context, Reconcile, Outcome>(
    name: &'static str,
    context: Arc<Context>,
    store: Store<K>,
    triggers: impl Stream<Item = Trigger<K>> + Send + 'static,
    reconcile: Reconcile,
    cancel: CancellationToken,
) where
    K: Resource + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Default + Debug + Eq + Hash + Clone + Unpin + Send + Sync,
    Context: Send + Sync + 'static,
    Reconcile: Fn(Arc<K>, Arc<Context>) -> Outcome,
    Outcome: Future<Output = Result<Action, kube::Error>> + Send + 'static,
{
    let known = store.clone();
    let requests = triggers.flat_map(move |trigger| {
        let keys = match trigger {
            Trigger::One(key) => vec![key],
            Trigger::All => known.state().iter().map(|object| ObjectRef::from_obj(object.as_ref())).collect(),
        };
        futures::stream::iter(keys.into_iter().map(Ok::<_, std::convert::Infallible>))
    });
    let on_error = move |object: Arc<K>, error: &kube::Error, _| {
        if !is_race(error) {
            let namespace = object.meta().namespace.as_deref().unwrap_or_default();
            let object = object.meta().name.as_deref().unwrap_or_default();
            tracing::warn!(controller = name, namespace, object, %error, "will try again");
        }
        Action::requeue(RETRY)
    };
    let boxed = move |object, context| Box::pin(reconcile(object, context));
    let outcomes = applier(boxed, on_error, context, store, requests.boxed(), Config::default());
    let mut outcomes = std::pin::pin!(outcomes.take_until(cancel.cancelled()));
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            // A failed reconciliation was logged above; an object that is gone needs nothing.
            Ok(_) | Err(Error::ReconcilerFailed(..) | Error::ObjectNotFound(_)) => {}
            Err(error) => tracing::warn!(controller = name, %error, "controller queue"),
        }
    }
}

/// Whether an error only says that somebody else was faster: the next watch event settles it.
pub(super) fn is_race(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409))
}

/// Takes "not found" for done.
pub(super) fn gone_is_fine<T>(result: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}
