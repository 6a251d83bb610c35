//! Registers the pretend GPU nodes and keeps their leases fresh.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::SimOptions;

const FIELD_MANAGER: &str = "sim-kubelet";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const LEASE_NAMESPACE: &str = "kube-node-lease";
/// A quarter of a real node's lease duration, as a real kubelet does.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The names of the nodes that the options ask for.
pub(super) fn names(options: &SimOptions) -> BTreeSet<String> {
    (1..=options.gpu_nodes).map(|number| format!("gpu-{number}")).collect()
}

/// Creates or refreshes the Node objects; their kubelet listens on `port`.
pub(super) async fn register(client: &Client, options: &SimOptions, port: u16) -> Result<(), kube::Error> {
    let api = Api::<Node>::all(client.clone());
    let params = PatchParams::apply(FIELD_MANAGER).force();
    for name in names(options) {
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "node-role.kubernetes.io/gpu": "", "nvidia.com/gpu.product": "Pretend-H100",
            }},
        });
        api.patch(&name, &params, &Patch::Apply(&node)).await?;
        api.patch_status(&name, &params, &Patch::Apply(&status(options, &name, port))).await?;
        welcome(&api, &name).await?;
    }
    Ok(())
}

/// Takes away the taint that every new node has until it is found ready, as the node lifecycle controller does.
async fn welcome(api: &Api<Node>, name: &str) -> Result<(), kube::Error> {
    let node = api.get(name).await?;
    let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    let kept: Vec<_> = taints.iter().filter(|taint| taint.key != NOT_READY).collect();
    if kept.len() < taints.len() {
        let patch = json!({"metadata": {"resourceVersion": node.metadata.resource_version}, "spec": {"taints": kept}});
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    }
    Ok(())
}

fn status(options: &SimOptions, name: &str, port: u16) -> Value {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |type_: &str, status: &str, reason: &str, message: &str| {
        json!({"type": type_, "status": status, "reason": reason, "message": message,
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let room = json!({
        "cpu": options.node_cpus.to_string(), "memory": format!("{}Gi", options.node_memory_gib),
        "pods": options.node_pods.to_string(), "nvidia.com/gpu": options.gpus_per_node.to_string(),
        "ephemeral-storage": "1Ti",
    });
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "status": {
            "capacity": room, "allocatable": room,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "the pretend kubelet is posting ready status"),
            ],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "osImage": "pretend", "kernelVersion": "pretend",
                "kubeletVersion": "v1.36.0-sim", "kubeProxyVersion": "", "containerRuntimeVersion": "sim://1",
                "machineID": name, "systemUUID": name, "bootID": name,
            },
        },
    })
}

/// Renews the nodes' leases until `cancel` says so.
pub(super) async fn heartbeat(client: Client, options: SimOptions, cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(HEARTBEAT);
    while cancel.run_until_cancelled(ticks.tick()).await.is_some() {
        for name in names(&options) {
            if let Err(error) = renew(&client, &name).await {
                tracing::debug!(node = %name, %error, "lease not renewed");
            }
        }
    }
}

async fn renew(client: &Client, node: &str) -> Result<(), kube::Error> {
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LEASE_NAMESPACE}});
    let namespaces = Api::<Namespace>::all(client.clone());
    if namespaces.get_opt(LEASE_NAMESPACE).await?.is_none() {
        namespaces.patch(LEASE_NAMESPACE, &params, &Patch::Apply(&namespace)).await?;
    }
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": node, "namespace": LEASE_NAMESPACE},
        "spec": {"holderIdentity": node, "leaseDurationSeconds": 40,
                 "renewTime": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()},
    });
    Api::<Lease>::namespaced(client.clone(), LEASE_NAMESPACE).patch(node, &params, &Patch::Apply(&lease)).await?;
    Ok(())
}
