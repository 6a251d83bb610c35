//! The pretend volume controllers: claims get volumes of their class, volumes follow their claims, and what is in use is
//! protected. A volume is a folder of this machine.
//!
//! A volume that somebody made by hand is bound only to the claim that names it in `spec.volumeName`.

mod claim;
mod folders;
mod volume;

use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control::{self, Trigger};
use super::informer::{Change, Informer};
use super::recorder::Recorder;
use super::to_trigger;
pub(super) use folders::{Folders, below};

/// The class that is made where there is no default one.
const DEFAULT_CLASS: &str = "standard";
/// What its volumes are made by.
const PROVISIONER: &str = "volumes.sim.platform";
const IS_DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
const FIELD_MANAGER: &str = "sim-volumes";
/// The source of the events.
const COMPONENT: &str = "persistentvolume-controller";
/// The annotation by which a scheduler says where the first pod of a claim will run.
pub(super) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// The caches.
#[derive(Clone)]
pub(super) struct Caches {
    pub(super) claims: Informer<PersistentVolumeClaim>,
    pub(super) classes: Informer<StorageClass>,
    pub(super) pods: Informer<Pod>,
}

/// What every reconciliation needs.
struct Binder {
    client: Client,
    recorder: Recorder,
    caches: Caches,
    folders: Folders,
}

impl Binder {
    fn claims(&self, namespace: &str) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn volumes(&self) -> Api<PersistentVolume> {
        Api::all(self.client.clone())
    }
}

/// Makes a default class if the cluster has none.
pub(super) async fn seed(client: &Client) -> Result<(), kube::Error> {
    let api = Api::<StorageClass>::all(client.clone());
    let known = api.list(&ListParams::default()).await?;
    if known.items.iter().any(is_default) {
        return Ok(());
    }
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": DEFAULT_CLASS, "annotations": {IS_DEFAULT: "true"}},
        "provisioner": PROVISIONER, "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": true,
    });
    api.patch(DEFAULT_CLASS, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&class)).await?;
    Ok(())
}

/// Starts both controllers.
pub(super) fn start(
    client: Client,
    recorder: Recorder,
    caches: Caches,
    folders: Folders,
    tasks: &TaskTracker,
    cancel: CancellationToken,
) {
    let volumes = Informer::<PersistentVolume>::start(Api::all(client.clone()), tasks, cancel.clone());
    let of_claims = claim_triggers(&caches, &volumes);
    let of_volumes = volume_triggers(&caches, &volumes);
    let binder = Arc::new(Binder { client, recorder, caches: caches.clone(), folders });
    let (claim_store, volume_store) = (caches.claims.store(), volumes.store());
    tasks.spawn(async move {
        let all_known = async {
            caches.claims.ready().await
                && caches.classes.ready().await
                && caches.pods.ready().await
                && volumes.ready().await
        };
        if cancel.run_until_cancelled(all_known).await != Some(true) {
            return;
        }
        tokio::join!(
            control::run("claims", binder.clone(), claim_store, of_claims, claim::reconcile, cancel.clone()),
            control::run("volumes", binder, volume_store, of_volumes, volume::reconcile, cancel.clone()),
        );
    });
}

fn claim_triggers(
    caches: &Caches,
    volumes: &Informer<PersistentVolume>,
) -> impl Stream<Item = Trigger<PersistentVolumeClaim>> + Send + 'static {
    let of_claim =
        |name: &str, namespace: Option<&str>| Trigger::One(ObjectRef::new(name).within(namespace.unwrap_or_default()));
    let by_pod = caches.pods.changes().flat_map(move |change| {
        stream::iter(match change {
            Change::One(pod) => {
                let claims = claims_of_pod(&pod);
                claims.iter().map(|name| of_claim(name, pod.metadata.namespace.as_deref())).collect()
            }
            Change::All => vec![Trigger::All],
        })
    });
    let by_volume = volumes.changes().map(move |change| match change {
        Change::One(volume) => match volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()) {
            Some(claim) => of_claim(claim.name.as_deref().unwrap_or_default(), claim.namespace.as_deref()),
            // Somebody may have named it before it was there.
            None => Trigger::All,
        },
        Change::All => Trigger::All,
    });
    let by_class = caches.classes.changes().map(|_| Trigger::All);
    let own = caches.claims.changes().map(to_trigger);
    stream::select(stream::select(own, by_pod), stream::select(by_volume, by_class))
}

fn volume_triggers(
    caches: &Caches,
    volumes: &Informer<PersistentVolume>,
) -> impl Stream<Item = Trigger<PersistentVolume>> + Send + 'static {
    let by_claim = caches.claims.changes().filter_map(|change| {
        std::future::ready(match change {
            Change::One(claim) => {
                let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref());
                volume.map(|name| Trigger::One(ObjectRef::new(name)))
            }
            Change::All => Some(Trigger::All),
        })
    });
    stream::select(volumes.changes().map(to_trigger), by_claim)
}

fn is_default(class: &StorageClass) -> bool {
    class.annotations().get(IS_DEFAULT).is_some_and(|value| value == "true")
}

/// The names of the claims that a pod mounts.
pub(super) fn claims_of_pod(pod: &Pod) -> Vec<String> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone())).collect()
}

/// The class of a claim, if it names one that is there.
fn class_of(claim: &PersistentVolumeClaim, classes: &[Arc<StorageClass>]) -> Option<Arc<StorageClass>> {
    let wanted = claim.spec.as_ref()?.storage_class_name.as_ref()?;
    classes.iter().find(|class| class.meta().name.as_ref() == Some(wanted)).cloned()
}

/// Whether a claim gets its volume only when a pod needs it.
pub(super) fn waits_for_consumer(claim: &PersistentVolumeClaim, classes: &[Arc<StorageClass>]) -> bool {
    let class = class_of(claim, classes);
    class.is_some_and(|class| class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"))
}
