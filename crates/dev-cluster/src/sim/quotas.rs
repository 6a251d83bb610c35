//! The pretend quota controller: adds up what a namespace uses. What is created is charged by the API server itself; here is
//! told what was there before a quota, and what is used no longer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster_resources::Quantity;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, ResourceQuotaStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use kube::api::{ListParams, PostParams};
use kube::core::DynamicObject;
use kube::discovery::{ApiResource, oneshot};
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, ResourceExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::quota::{Amounts, add, counts, usage};
use super::control::{self, Trigger};
use super::informer::{Change, Informer};
use super::kubelet::is_finished;
use super::speed::Speed;
use super::to_trigger;

/// Changes that come within this time are added up together.
const SETTLE: Duration = Duration::from_millis(50);
/// How often kinds that nobody here watches are counted again.
const RECOUNT: Duration = Duration::from_secs(10);

struct Controller {
    client: Client,
    speed: Speed,
}

/// Starts the controller.
pub(super) fn start(
    client: Client,
    speed: Speed,
    pods: Informer<Pod>,
    claims: Informer<PersistentVolumeClaim>,
    tasks: &TaskTracker,
    cancel: CancellationToken,
) {
    let quotas = Informer::<ResourceQuota>::start(Api::all(client.clone()), tasks, cancel.clone());
    let triggers = triggers(&quotas, &pods, &claims);
    let controller = Arc::new(Controller { client, speed });
    tasks.spawn(async move {
        if cancel.run_until_cancelled(quotas.ready()).await == Some(true) {
            control::run("quotas", controller, quotas.store(), triggers, reconcile, cancel).await;
        }
    });
}

fn triggers(
    quotas: &Informer<ResourceQuota>,
    pods: &Informer<Pod>,
    claims: &Informer<PersistentVolumeClaim>,
) -> impl Stream<Item = Trigger<ResourceQuota>> + Send + 'static {
    let (store, pod_store) = (quotas.store(), pods.store());
    let by_pod = pods.changes().flat_map(move |change| {
        stream::iter(match change {
            Change::One(pod) => {
                let gone = pod_store.get(&ObjectRef::from_obj(pod.as_ref())).is_none();
                if gone || is_finished(&pod) { in_namespace(&store, pod.namespace()) } else { Vec::new() }
            }
            Change::All => vec![Trigger::All],
        })
    });
    let store = quotas.store();
    let by_claim = claims.changes().flat_map(move |change| {
        stream::iter(match change {
            Change::One(claim) => in_namespace(&store, claim.namespace()),
            Change::All => vec![Trigger::All],
        })
    });
    stream::select(quotas.changes().map(to_trigger), stream::select(by_pod, by_claim))
}

fn in_namespace(quotas: &Store<ResourceQuota>, namespace: Option<String>) -> Vec<Trigger<ResourceQuota>> {
    let state = quotas.state();
    let here = state.iter().filter(|quota| quota.namespace() == namespace);
    here.map(|quota| Trigger::One(ObjectRef::from_obj(quota.as_ref()))).collect()
}

/// Adds up one quota. It is read before what it counts: what is charged meanwhile makes the write a conflict.
async fn reconcile(cached: Arc<ResourceQuota>, controller: Arc<Controller>) -> Result<Action, kube::Error> {
    tokio::time::sleep(SETTLE).await;
    let namespace = cached.namespace().unwrap_or_default();
    let api = Api::<ResourceQuota>::namespaced(controller.client.clone(), &namespace);
    let Some(mut quota) = api.get_opt(&cached.name_any()).await? else { return Ok(Action::await_change()) };
    let hard = quota.spec.as_ref().and_then(|spec| spec.hard.clone()).unwrap_or_default();
    let as_value = serde_json::to_value(&quota).map_err(kube::Error::SerdeError)?;
    let mut used = Amounts::new();
    let mut unwatched = false;
    for (group, plural) in counted(hard.keys()) {
        unwatched |= !(group.is_empty() && matches!(plural.as_str(), "pods" | "persistentvolumeclaims"));
        // A kind that is not served is used by nobody, and its amount stays unknown.
        let Some(resource) = find(&controller.client, &group, &plural).await? else { continue };
        for name in hard.keys().filter(|name| counted_kind(name) == Some((group.clone(), plural.clone()))) {
            used.insert(name.clone(), Quantity::zero());
        }
        let objects = Api::<DynamicObject>::namespaced_with(controller.client.clone(), &namespace, &resource);
        for object in objects.list(&ListParams::default()).await?.items {
            let object = serde_json::to_value(&object).map_err(kube::Error::SerdeError)?;
            if counts(&as_value, &group, &plural, &object) {
                add(&mut used, &usage(&group, &plural, &object));
            }
        }
    }
    used.retain(|name, _| hard.contains_key(name));
    write(&api, &mut quota, hard, used).await?;
    Ok(if unwatched { Action::requeue(controller.speed.scale(RECOUNT)) } else { Action::await_change() })
}

async fn write(
    api: &Api<ResourceQuota>,
    quota: &mut ResourceQuota,
    hard: BTreeMap<String, ApiQuantity>,
    used: Amounts,
) -> Result<(), kube::Error> {
    let used = used.into_iter().map(|(name, amount)| (name, ApiQuantity(amount.canonical()))).collect();
    let some = |map: BTreeMap<String, ApiQuantity>| Some(map).filter(|map| !map.is_empty());
    let status = ResourceQuotaStatus { hard: some(hard), used: some(used) };
    if quota.status.as_ref() == Some(&status) {
        return Ok(());
    }
    quota.status = Some(status);
    api.replace_status(&quota.name_any(), &PostParams::default(), quota).await?;
    Ok(())
}

/// The kinds whose objects a quota counts, each once.
fn counted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<(String, String)> {
    let mut kinds: Vec<_> = names.filter_map(|name| counted_kind(name)).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// Group and plural of the kind that an amount is counted of.
fn counted_kind(name: &str) -> Option<(String, String)> {
    if let Some(counted) = name.strip_prefix("count/") {
        let (plural, group) = counted.split_once('.').unwrap_or((counted, ""));
        return Some((group.to_owned(), plural.to_owned()));
    }
    let plural = match name {
        "configmaps" | "persistentvolumeclaims" | "resourcequotas" | "secrets" | "services" => name,
        "services.loadbalancers" | "services.nodeports" => "services",
        "requests.storage" => "persistentvolumeclaims",
        name if name.contains(".storageclass.storage.k8s.io/") => "persistentvolumeclaims",
        name if name == "pods"
            || matches!(name, "cpu" | "memory" | "ephemeral-storage")
            || name.starts_with("requests.")
            || name.starts_with("limits.") =>
        {
            "pods"
        }
        _ => return None,
    };
    Some((String::new(), plural.to_owned()))
}

/// The resource of that name, if the server has it.
async fn find(client: &Client, group: &str, plural: &str) -> Result<Option<ApiResource>, kube::Error> {
    let group = match oneshot::group(client, group).await {
        Ok(group) => group,
        Err(kube::Error::Discovery(_)) => return Ok(None),
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut resources = group.recommended_resources().into_iter();
    Ok(resources.find(|(resource, _)| resource.plural == plural).map(|(resource, _)| resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_quota_says_what_it_counts() {
        let names = [
            "pods",
            "requests.nvidia.com/gpu",
            "limits.cpu",
            "count/jobs.batch",
            "count/configmaps",
            "gold.storageclass.storage.k8s.io/requests.storage",
            "nonsense",
        ];
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let kinds = serde_json::json!(counted(names.iter()));
        insta::assert_snapshot!(kinds, @r#"[["","configmaps"],["","persistentvolumeclaims"],["","pods"],["batch","jobs"]]"#);
    }
}
