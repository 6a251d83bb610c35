//! A project's namespace, with the limits and the network isolation that every namespace of the platform has.
//!
//! The quota of the namespace says the same as the limits of the project, and is what stops pods that do not come from a
//! job. It counts pods that are being stopped as well, so a job that the platform accepts may have to wait for them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::client::Cluster;
use super::error::ClusterError;
use super::names::{FILES_LABEL, PROJECT_LABEL, Tenant};
use super::pod_resources::Amounts;
use crate::config::GpuResources;
use crate::ids::ProjectId;
use crate::quantity::Quantity;

/// The field manager for server-side apply.
const FIELD_MANAGER: &str = "platform";
/// Maximum number of objects of one kind in a namespace, so that a runaway client is stopped before it harms the
/// cluster.
const MAX_PODS: &str = "5000";
/// The name of the quota and of the limit range.
const NAME: &str = "platform";
/// The name of the network policy.
const ISOLATION: &str = "default-deny-ingress";
/// The name of the network policy of the pods that show files.
const FILES: &str = "files";

/// What the pods and claims of a namespace may request together; `None` means unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// Whole GPUs.
    pub gpu: Option<i64>,
    /// Thousandths of a CPU.
    pub cpu_millis: Option<i64>,
    /// Bytes of memory.
    pub memory_bytes: Option<i64>,
    /// Bytes of storage claims.
    pub storage_bytes: Option<i64>,
}

/// The namespace of a tenant as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    name: String,
    namespace: Value,
    quota: Value,
    limits: Value,
    isolation: Value,
}

/// A part of a namespace, as it is named to people.
pub type Part = &'static str;

impl Space {
    /// The namespace of `tenant` with these caps. A job can request several kinds of GPUs, which count together for the
    /// platform; the cluster can only limit each kind.
    pub fn of(name: &str, tenant: Tenant, caps: &Caps, gpus: &GpuResources) -> Self {
        Self {
            name: name.to_owned(),
            namespace: definition(name, tenant),
            quota: quota(caps, gpus),
            limits: limits(),
            isolation: isolation(),
        }
    }

    /// A digest of everything in it: equal if the same is to be applied.
    pub fn digest(&self) -> String {
        let text = json!([self.namespace, self.quota, self.limits, self.isolation]).to_string();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The parts that the cluster does not have as they should be; none if everything is in order.
    ///
    /// # Errors
    /// The cluster's; [`ClusterError::Refused`] while the namespace is being deleted.
    pub async fn differences(&self, cluster: &Cluster) -> Result<Vec<Part>, ClusterError> {
        let client = cluster.client();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let Some(found) = cluster.call(namespaces.get_opt(&self.name)).await? else { return Ok(PARTS.to_vec()) };
        if found.metadata.deletion_timestamp.is_some() {
            return Err(ClusterError::Refused("the namespace is being deleted".to_owned()));
        }
        let quota: Option<ResourceQuota> = cluster.find(&self.name, NAME).await?;
        let limits: Option<LimitRange> = cluster.find(&self.name, NAME).await?;
        let isolation: Option<NetworkPolicy> = cluster.find(&self.name, ISOLATION).await?;
        let same = [
            has_labels(&found, &self.namespace),
            quota.is_some_and(|found| same_amounts(&found, &self.quota)),
            limits.is_some_and(|found| same_spec(&found, &self.limits)),
            isolation.is_some_and(|found| same_spec(&found, &self.isolation)),
        ];
        Ok(PARTS.iter().zip(same).filter(|(_, same)| !same).map(|(part, _)| *part).collect())
    }

    /// Creates or updates the namespace and the objects that belong to it. Idempotent.
    ///
    /// # Errors
    /// The cluster's.
    pub async fn apply(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        let client = cluster.client();
        apply::<Namespace>(cluster, &Api::all(client.clone()), &self.name, &self.namespace).await?;
        apply::<ResourceQuota>(cluster, &Api::namespaced(client.clone(), &self.name), NAME, &self.quota).await?;
        apply::<LimitRange>(cluster, &Api::namespaced(client.clone(), &self.name), NAME, &self.limits).await?;
        apply::<NetworkPolicy>(cluster, &Api::namespaced(client, &self.name), ISOLATION, &self.isolation).await
    }
}

/// The parts of a namespace, in the order in which they are applied.
const PARTS: [Part; 4] = ["Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy"];

/// Creates the namespace for whoever finds that it is missing. Its caps follow from the limits of the project soon after.
///
/// # Errors
/// The cluster's.
pub async fn ensure(cluster: &Cluster, namespace: &str, tenant: Tenant) -> Result<(), ClusterError> {
    Space::of(namespace, tenant, &Caps::default(), &GpuResources::default()).apply(cluster).await
}

/// The result of removing a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It no longer exists.
    Gone,
    /// It will be gone when everything in it is.
    Going,
}

/// Deletes the namespace of a project with everything in it. One that belongs to something else is left alone.
///
/// # Errors
/// The cluster's.
pub async fn remove(cluster: &Cluster, namespace: &str, project: ProjectId) -> Result<Removed, ClusterError> {
    let api: Api<Namespace> = Api::all(cluster.client());
    let Some(found) = cluster.call(api.get_opt(namespace)).await? else { return Ok(Removed::Gone) };
    if found.labels().get(PROJECT_LABEL).map(String::as_str) != Some(project.to_string().as_str()) {
        tracing::warn!(namespace, %project, "the namespace of a deleted project belongs to something else now");
        return Ok(Removed::Gone);
    }
    if found.metadata.deletion_timestamp.is_some() {
        return Ok(Removed::Going);
    }
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: found.uid(), resource_version: None }),
        ..DeleteParams::background()
    };
    match cluster.call(api.delete(namespace, &params)).await {
        Ok(_) | Err(ClusterError::Conflict(_)) => Ok(Removed::Going),
        Err(ClusterError::NotFound(_)) => Ok(Removed::Gone),
        Err(error) => Err(error),
    }
}

async fn apply<K>(cluster: &Cluster, api: &Api<K>, name: &str, object: &Value) -> Result<(), ClusterError>
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let params = PatchParams::apply(FIELD_MANAGER).force();
    cluster.call(api.patch(name, &params, &Patch::Apply(object))).await.map(drop)
}

fn has_labels(found: &Namespace, wanted: &Value) -> bool {
    let labels = wanted["metadata"]["labels"].as_object();
    labels.into_iter().flatten().all(|(name, value)| found.labels().get(name).map(String::as_str) == value.as_str())
}

/// Whether an object has exactly this spec.
fn same_spec<K: Resource + Serialize>(found: &K, wanted: &Value) -> bool {
    serde_json::to_value(found).is_ok_and(|found| found["spec"] == wanted["spec"])
}

/// Whether a quota has exactly these amounts, however they are written.
fn same_amounts(found: &ResourceQuota, wanted: &Value) -> bool {
    let amounts = |spec: &Value| -> Option<BTreeMap<String, Quantity>> {
        let hard = spec["hard"].as_object()?;
        hard.iter().map(|(name, amount)| Some((name.clone(), Quantity::of_json(amount)?))).collect()
    };
    let Ok(found) = serde_json::to_value(&found.spec) else { return false };
    match (amounts(&found), amounts(&wanted["spec"])) {
        (Some(found_amounts), Some(wanted)) => found_amounts == wanted && found.get("scopes").is_none(),
        _ => false,
    }
}

fn definition(namespace: &str, tenant: Tenant) -> Value {
    let (label, id) = tenant.label();
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": namespace,
            "labels": {
                label: id,
                "app.kubernetes.io/managed-by": "platform",
                "pod-security.kubernetes.io/enforce": "baseline",
            },
        },
    })
}

fn quota(caps: &Caps, gpus: &GpuResources) -> Value {
    let mut hard = json!({ "pods": MAX_PODS, "services": "100", "services.nodeports": "0" });
    let mut limit = |resource: String, amount: Option<Quantity>| {
        if let Some(amount) = amount {
            hard[resource] = amount.as_str().into();
        }
    };
    limit("requests.cpu".to_owned(), caps.cpu_millis.map(Quantity::of_millis));
    limit("requests.memory".to_owned(), caps.memory_bytes.map(Quantity::of_bytes));
    limit("requests.storage".to_owned(), caps.storage_bytes.map(Quantity::of_bytes));
    for resource in gpus.whole_ones() {
        limit(format!("requests.{resource}"), caps.gpu.map(Quantity::of_units));
    }
    json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": { "name": NAME },
        "spec": { "hard": hard },
    })
}

/// The requests of a container that has none.
const DEFAULT_REQUESTS: [(&str, &str); 2] = [("cpu", "100m"), ("memory", "128Mi")];

/// The requests of a container that has none, by resource.
pub fn default_requests() -> Amounts {
    let amount = |(name, amount): (&str, &str)| Some((name.to_owned(), amount.parse::<Quantity>().ok()?.nanos()));
    DEFAULT_REQUESTS.into_iter().filter_map(amount).collect()
}

/// A container without requests gets small default requests, so that it can be placed sensibly, and so that a quota of
/// CPUs or memory does not reject it.
fn limits() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": { "name": NAME },
        "spec": { "limits": [{ "type": "Container", "defaultRequest": BTreeMap::from(DEFAULT_REQUESTS) }] },
    })
}

/// Keeps everybody away from the pods that show files, before there is one in the namespace: they are reached through the
/// API server only. Policies add up, so that of the namespace, which lets its pods reach each other, must not select them.
///
/// # Errors
/// The cluster's.
pub async fn keep_from_files(cluster: &Cluster, namespace: &str) -> Result<(), ClusterError> {
    let api: Api<NetworkPolicy> = Api::namespaced(cluster.client(), namespace);
    let found: Option<NetworkPolicy> = cluster.find(namespace, FILES).await?;
    if !found.is_some_and(|found| same_spec(&found, &nobody())) {
        apply(cluster, &api, FILES, &nobody()).await?;
    }
    let found: Option<NetworkPolicy> = cluster.find(namespace, ISOLATION).await?;
    if !found.is_some_and(|found| same_spec(&found, &isolation())) {
        apply(cluster, &api, ISOLATION, &isolation()).await?;
    }
    Ok(())
}

/// Nobody reaches the pods that show files, and they reach nobody.
fn nobody() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": FILES },
        "spec": {
            "podSelector": { "matchExpressions": [{ "key": FILES_LABEL, "operator": "Exists" }] },
            "policyTypes": ["Ingress", "Egress"],
        },
    })
}

/// The tasks of a project's jobs can reach each other, and nothing else can reach them. Pods that show files are not among
/// them.
fn isolation() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": ISOLATION },
        "spec": {
            "podSelector": { "matchExpressions": [{ "key": FILES_LABEL, "operator": "DoesNotExist" }] },
            "policyTypes": ["Ingress"],
            "ingress": [{ "from": [{ "podSelector": {} }] }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(caps: &Caps) -> Space {
        let gpus: GpuResources = "nvidia.com/gpu=1,nvidia.com/mig-<n>g.*=<n>/7,amd.com/gpu=1".parse().unwrap();
        Space::of("proj-1", Tenant::Project(ProjectId::from_uuid(uuid::Uuid::nil())), caps, &gpus)
    }

    #[test]
    fn the_quota_of_the_namespace_says_what_the_limits_of_the_project_say() {
        let caps = Caps { gpu: Some(8), cpu_millis: Some(1500), memory_bytes: Some(10 << 30), storage_bytes: None };
        insta::assert_snapshot!(space(&caps).quota["spec"]["hard"], @r#"{"pods":"5000","services":"100","services.nodeports":"0","requests.cpu":"1500m","requests.memory":"10Gi","requests.nvidia.com/gpu":"8","requests.amd.com/gpu":"8"}"#);
        insta::assert_snapshot!(space(&Caps::default()).quota["spec"]["hard"], @r#"{"pods":"5000","services":"100","services.nodeports":"0"}"#);
    }

    #[test]
    fn amounts_are_compared_by_what_they_are_worth() {
        let caps = Caps { cpu_millis: Some(2000), ..Caps::default() };
        let found = |hard: Value| serde_json::from_value::<ResourceQuota>(json!({ "spec": { "hard": hard } })).unwrap();
        let same = |hard| same_amounts(&found(hard), &space(&caps).quota);
        assert!(same(json!({ "pods": "5k", "services": "100", "services.nodeports": "0", "requests.cpu": "2000m" })));
        assert!(!same(json!({ "pods": "5k", "services": "100", "services.nodeports": "0", "requests.cpu": "3" })));
        assert!(!same(json!({ "pods": "5k", "services": "100", "services.nodeports": "0" })));
    }

    #[test]
    fn the_digest_changes_with_the_caps() {
        let caps = |gpu| Caps { gpu, ..Caps::default() };
        assert_eq!(space(&caps(Some(1))).digest(), space(&caps(Some(1))).digest());
        assert_ne!(space(&caps(Some(1))).digest(), space(&caps(Some(2))).digest());
    }
}
