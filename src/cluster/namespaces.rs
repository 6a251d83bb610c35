//! A project's namespace, with the limits and the network isolation that every namespace of the platform has.

use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::client::Cluster;
use super::error::ClusterError;
use super::names::PROJECT_LABEL;
use crate::ids::ProjectId;

/// The field manager for server-side apply.
const FIELD_MANAGER: &str = "platform";
/// Maximum number of objects of one kind in a namespace, so that a runaway client is stopped before it harms the
/// cluster.
const MAX_PODS: &str = "5000";

/// Creates or updates the namespace and the objects that belong to it. Idempotent.
///
/// # Errors
/// The cluster's.
pub async fn ensure(cluster: &Cluster, namespace: &str, project: ProjectId) -> Result<(), ClusterError> {
    let client = cluster.client();
    apply::<Namespace>(cluster, &Api::all(client.clone()), namespace, &definition(namespace, project)).await?;
    apply::<ResourceQuota>(cluster, &Api::namespaced(client.clone(), namespace), "platform", &quota()).await?;
    apply::<LimitRange>(cluster, &Api::namespaced(client.clone(), namespace), "platform", &limits()).await?;
    apply::<NetworkPolicy>(cluster, &Api::namespaced(client, namespace), "default-deny-ingress", &isolation()).await
}

async fn apply<K>(cluster: &Cluster, api: &Api<K>, name: &str, object: &Value) -> Result<(), ClusterError>
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let params = PatchParams::apply(FIELD_MANAGER).force();
    cluster.call(api.patch(name, &params, &Patch::Apply(object))).await.map(drop)
}

fn definition(namespace: &str, project: ProjectId) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": namespace,
            "labels": {
                PROJECT_LABEL: project.to_string(),
                "app.kubernetes.io/managed-by": "platform",
                "pod-security.kubernetes.io/enforce": "baseline",
            },
        },
    })
}

fn quota() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": { "name": "platform" },
        "spec": { "hard": { "pods": MAX_PODS, "services": "100", "services.nodeports": "0" } },
    })
}

/// A container without requests gets small default requests, so that it can be placed sensibly.
fn limits() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": { "name": "platform" },
        "spec": { "limits": [{ "type": "Container", "defaultRequest": { "cpu": "100m", "memory": "128Mi" } }] },
    })
}

fn isolation() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": "default-deny-ingress" },
        "spec": { "podSelector": {}, "policyTypes": ["Ingress"] },
    })
}
