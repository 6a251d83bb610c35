//! One field at a time, in every place where a pod spec can be.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn told(payload: &Value) -> String {
    violations(payload, "spec").iter().map(|violation| format!("{violation}\n")).collect()
}

#[test]
fn an_ordinary_pod_is_safe() {
    let pod = json!({
        "hostNetwork": false, "serviceAccountName": "default", "automountServiceAccountToken": null,
        "securityContext": { "seccompProfile": { "type": "RuntimeDefault" }, "runAsUser": 0 },
        "containers": [{
            "name": "a", "image": "python:3.12", "ports": [{ "containerPort": 80 }],
            "securityContext": { "capabilities": { "drop": ["ALL"] }, "privileged": false },
            "resources": { "limits": { "nvidia.com/gpu": "1" } },
            "env": [{ "name": "A", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } }],
        }],
        "volumes": [{ "name": "scratch", "emptyDir": {} }, { "name": "c", "persistentVolumeClaim": { "claimName": "x" } }],
        "nodeSelector": { "hostPath": "a name that people chose" },
    });
    assert_eq!(told(&pod), "");
}

#[test]
fn everything_unsafe_is_told_at_once() {
    let pod = json!({
        "hostNetwork": true, "hostPID": "false", "hostIPC": 1, "nodeName": "n", "serviceAccountName": "root",
        "serviceAccount": "root", "automountServiceAccountToken": true,
        "securityContext": { "sysctls": [{ "name": "kernel.msgmax", "value": "1" }],
            "seccompProfile": { "type": "Unconfined" }, "seLinuxOptions": { "type": "spc_t" } },
        "volumes": [{ "name": "h", "hostPath": { "path": "/" } }, { "name": "n", "nfs": {} }, 7,
            { "name": "p", "projected": { "sources": [{ "serviceAccountToken": { "path": "t" } }] } }],
        "initContainers": [{ "name": "i", "image": "a", "securityContext": { "privileged": true } }],
        "ephemeralContainers": [{ "name": "e", "image": 5, "securityContext": { "procMount": "Unmasked" } }],
        "containers": [{ "name": "a", "image": "A", "ports": [{ "containerPort": 1, "hostPort": 1 }],
            "securityContext": { "capabilities": { "add": ["NET_ADMIN"] } },
            "resources": { "requests": { "nvidia.com/gpu": "1" }, "limits": { "nvidia.com/gpu": 2 } } }],
    });
    insta::assert_snapshot!(told(&pod));
}

#[test]
fn an_argo_workflow_does_nothing_but_run_its_own_pods() {
    let workflow = json!({
        "podSpecPatch": "hostNetwork: true", "workflowTemplateRef": { "name": "other" },
        "templates": [
            { "name": "make", "resource": { "action": "create", "manifest": "kind: Pod" } },
            { "name": "script", "script": { "image": "{{inputs.parameters.image}}", "securityContext": { "privileged": true } } },
            { "name": "dag", "dag": { "tasks": [{ "name": "t", "templateRef": { "name": "other" } }] } },
            { "name": "steps", "steps": [[{ "name": "s", "inline": { "container": { "image": "a" }, "hostNetwork": true } }]] },
        ],
    });
    insta::assert_snapshot!(told_of(&json!({ "spec": workflow }), Payload::Workflow), @r#"
    spec.podSpecPatch is not allowed: it could change what was checked
    spec.workflowTemplateRef is not allowed: a template outside this document cannot be checked
    spec.templates[0].resource is not allowed: a workflow may not create other objects
    spec.templates[1].script.securityContext.privileged was true; it must be false: a container may not act as its node
    spec.templates[2].dag.tasks[0].templateRef is not allowed: a template outside this document cannot be checked
    spec.templates[3].steps[0][0].inline.hostNetwork was true; it must be false: a pod may not share its node's namespaces
    "#);
}

#[test]
fn gpus_are_compared_by_value() {
    let resources = |asked: Value, allowed: Value| json!({ "resources": { "requests": { GPU: asked }, "limits": { GPU: allowed } } });
    assert_eq!(told(&resources(json!("1"), json!(1))), "");
    assert_eq!(told(&resources(json!("1"), json!("1000m"))), "");
    assert_eq!(told(&resources(json!([1]), json!([1]))).lines().count(), 1, "what cannot be read is refused");
    insta::assert_snapshot!(told(&json!({ "resources": { "requests": { GPU: "2" } } })), @r#"spec.resources requests "2" GPUs with no limit; the limit must be equal to the request"#);
}

#[test]
fn a_flood_is_told_in_part_and_long_values_are_cut() {
    let pods: Vec<Value> = (0..1000).map(|_| json!({ "hostNetwork": "x".repeat(10_000) })).collect();
    let found = violations(&json!(pods), "spec");
    assert_eq!(found.len(), MAX_VIOLATIONS);
    assert!(found.iter().all(|violation| violation.to_string().len() < 300));
}

/// Any nesting of lists and mappings around a value.
fn wrapped() -> impl Strategy<Value = Vec<Option<String>>> {
    let key = proptest::sample::select(vec!["spec", "template", "tasks", "jobTemplate", "<<", "ä", "containers"]);
    proptest::collection::vec(proptest::option::of(key.prop_map(str::to_owned)), 0..20)
}

proptest! {
    #[test]
    fn nothing_unsafe_hides_however_deep_it_stands(
        wrapping in wrapped(),
        unsafe_field in proptest::sample::select(vec![
            ("hostNetwork", json!(true)), ("hostPID", json!("yes")), ("privileged", json!({})),
            ("hostPath", json!({ "path": "/" })), ("capabilities", json!({ "add": "ALL" })),
            ("serviceAccountName", json!(["root"])), ("nodeName", json!("n")), ("hostPort", json!("80")),
        ]),
    ) {
        let mut payload = json!({ unsafe_field.0: unsafe_field.1 });
        for wrap in wrapping {
            payload = match wrap {
                Some(key) => json!({ key: payload }),
                None => json!([null, payload]),
            };
        }
        prop_assert_eq!(violations(&payload, "spec").len(), 1);
    }
}

/// The violations of a payload of this kind, one per line.
fn told_of(payload: &Value, kind: Payload) -> String {
    violations_in(payload, "", kind).iter().map(|violation| format!("{violation}\n")).collect()
}

#[test]
fn a_probe_or_a_hook_reaches_only_its_own_pod() {
    let get = |host: &str| json!({ "httpGet": { "host": host, "port": 80 } });
    let pod = json!({ "containers": [{
        "livenessProbe": get("169.254.169.254"), "readinessProbe": { "tcpSocket": { "host": "10.0.0.1", "port": 1 } },
        "startupProbe": get(""), "lifecycle": { "postStart": get("example.org"), "preStop": { "tcpSocket": { "host": "127.0.0.1" } } },
    }], "hostAliases": [{ "ip": "10.0.0.1", "hostnames": ["host"] }] });
    insta::assert_snapshot!(told(&pod), @r#"
    spec.containers[0].livenessProbe.httpGet.host was "169.254.169.254"; it must be left out: a probe or a hook may only reach its own pod
    spec.containers[0].readinessProbe.tcpSocket.host was "10.0.0.1"; it must be left out: a probe or a hook may only reach its own pod
    spec.containers[0].lifecycle.postStart.httpGet.host was "example.org"; it must be left out: a probe or a hook may only reach its own pod
    spec.containers[0].lifecycle.preStop.tcpSocket.host was "127.0.0.1"; it must be left out: a probe or a hook may only reach its own pod
    "#);
}

#[test]
fn a_claim_of_a_pod_s_own_asks_for_new_space_and_nothing_else() {
    let volume =
        |spec: Value| json!({ "volumes": [{ "name": "v", "ephemeral": { "volumeClaimTemplate": { "spec": spec } } }] });
    let plain = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } }, "volumeMode": "Filesystem" });
    assert_eq!(told(&volume(plain)), "");
    for field in
        ["volumeName", "dataSource", "dataSourceRef", "selector", "storageClassName", "volumeAttributesClassName"]
    {
        let found = told(&volume(json!({ field: { "matchLabels": {} } })));
        let path = format!("spec.volumes[0].ephemeral.volumeClaimTemplate.spec.{field} ");
        assert_eq!(found, format!("{path}is not allowed: it could reach storage that is not bound for you\n"));
    }
    let workflow = json!({ "spec": { "volumeClaimTemplates": [{ "spec": { "volumeName": "another-s" } }] } });
    assert_eq!(told_of(&workflow, Payload::Workflow).lines().count(), 1);
}

#[test]
fn a_claim_in_a_config_asks_for_new_space() {
    let claim = |spec: Value| json!({ "metadata": { "name": "c", "finalizers": ["kubernetes.io/pvc-protection"] }, "spec": spec });
    let plain = json!({ "storageClassName": "fast", "accessModes": ["ReadWriteMany"], "resources": { "requests": { "storage": "1Gi" } } });
    assert_eq!(told_of(&claim(plain), Payload::Claim), "");
    let odd = json!({ "storageClassName": "", "volumeName": "pv", "selector": {}, "dataSource": { "kind": "VolumeSnapshot" }, "dataSourceRef": {} });
    let mut other = claim(odd);
    other["metadata"]["annotations"] = json!({ "volume.beta.kubernetes.io/storage-class": "manual" });
    assert_eq!(told_of(&other, Payload::Claim).lines().count(), 6, "{}", told_of(&other, Payload::Claim));
}

#[test]
fn no_pod_names_its_node() {
    let expression =
        |key: &str| json!({ "matchExpressions": [{ "key": key, "operator": "NotIn", "values": ["gpu-1"] }] });
    let pod = json!({
        "nodeName": "gpu-1",
        "nodeSelector": { "kubernetes.io/hostname": "gpu-1", "nvidia.com/gpu.product": "A100", "topology.hostpath.csi/node": "n",
            "node-role.kubernetes.io/control-plane": "", "topology.kubernetes.io/zone": "a" },
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
                    expression("kubernetes.io/hostname"), expression("kubernetes.io/arch"),
                    { "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["gpu-1"] }] },
                ] },
                "preferredDuringSchedulingIgnoredDuringExecution": [{ "weight": 1, "preference": expression("kubernetes.io/hostname") }],
            },
            "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [
                { "topologyKey": "kubernetes.io/hostname", "labelSelector": {} },
                { "topologyKey": "kubernetes.io/hostname", "namespaces": ["proj-other"] },
                { "topologyKey": "kubernetes.io/hostname", "namespaceSelector": {} },
            ] },
        },
        "topologySpreadConstraints": [{ "topologyKey": "kubernetes.io/hostname", "maxSkew": 1 }],
    });
    insta::assert_snapshot!(told(&pod), @r#"
    spec.nodeName is not allowed: the scheduler chooses the node
    spec.nodeSelector["kubernetes.io/hostname"] names a node; the scheduler chooses the node, and a pod may only select a kind of node
    spec.nodeSelector["topology.hostpath.csi/node"] names a node; the scheduler chooses the node, and a pod may only select a kind of node
    spec.nodeSelector["node-role.kubernetes.io/control-plane"] selects a node of the control plane, where pods of projects do not run
    spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key was "kubernetes.io/hostname", which names a node; the scheduler chooses the node, and a pod may only select a kind of node
    spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[2].matchFields is not allowed: it names a node; the scheduler chooses the node
    spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key was "kubernetes.io/hostname", which names a node; the scheduler chooses the node, and a pod may only select a kind of node
    spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[1].namespaces is not allowed: pods of other projects may not decide where a pod runs
    spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[2].namespaceSelector is not allowed: pods of other projects may not decide where a pod runs
    "#);
}

#[test]
fn only_taints_of_a_kind_of_node_are_tolerated() {
    let of = |toleration: Value| told(&json!({ "tolerations": [toleration] })).lines().count();
    for allowed in [
        json!({ "key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule" }),
        json!({ "key": "team", "value": "a" }),
        json!({ "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }),
        json!({ "key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute" }),
    ] {
        assert_eq!(of(allowed.clone()), 0, "{allowed}");
    }
    for refused in [
        json!({ "operator": "Exists" }),
        json!({ "key": "", "operator": "Exists", "effect": "NoSchedule" }),
        json!({ "key": null, "operator": "Exists" }),
        json!({ "key": "node.kubernetes.io/not-ready", "operator": "Exists" }),
        json!({ "key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule" }),
        json!({ "key": "node-role.kubernetes.io/control-plane", "operator": "Exists" }),
        json!({ "key": "node.cloudprovider.kubernetes.io/uninitialized", "operator": "Exists" }),
    ] {
        assert_eq!(of(refused.clone()), 1, "{refused}");
    }
}

#[test]
fn keys_that_people_choose_neither_switch_anything_on_nor_belong_to_the_platform() {
    let template = json!({ "template": { "metadata": {
        "annotations": {
            "container.apparmor.security.beta.kubernetes.io/main": "unconfined",
            "container.apparmor.security.beta.kubernetes.io/other": "runtime/default",
            "seccomp.security.alpha.kubernetes.io/pod": "unconfined",
            "container.seccomp.security.alpha.kubernetes.io/main": "localhost/a.json",
            "kubernetes.io/config.mirror": "x", "sim.platform/duration": "1s", "team": "a",
            "scheduling.flash-sched.io/queue-name": "mine", "scheduling.flash-sched.io/other": "x",
        },
        "labels": { "platform.job-id": "job_1", "kueue.x-k8s.io/queue-name": "mine", "app": "a", "hostNetwork": "true" },
        "finalizers": ["a/b"], "ownerReferences": [{ "name": "another" }],
    } } });
    insta::assert_snapshot!(told(&template), @r#"
    spec.template.metadata.annotations["container.apparmor.security.beta.kubernetes.io/main"] was "unconfined"; it must be "runtime/default" or "localhost/…": a container may not be unconfined
    spec.template.metadata.annotations["seccomp.security.alpha.kubernetes.io/pod"] was "unconfined"; it must be "runtime/default" or "localhost/…": a container may not be unconfined
    spec.template.metadata.annotations["kubernetes.io/config.mirror"] is not allowed: only a kubelet may set it
    spec.template.metadata.annotations["scheduling.flash-sched.io/other"] is not allowed: only the platform gives instructions to the scheduler
    spec.template.metadata.labels["platform.job-id"] is not allowed: keys that begin with "platform." are reserved for the platform
    spec.template.metadata.labels["kueue.x-k8s.io/queue-name"] is not allowed: the platform chooses the queue
    spec.template.metadata.finalizers is not allowed: nothing would remove it
    spec.template.metadata.ownerReferences is not allowed: the platform owns the pod
    "#);
    let service = json!({ "metadata": { "labels": { "platform.job-id": "job_1" } }, "spec": { "hostPort": 1 } });
    assert_eq!(told_of(&service, Payload::Other).lines().count(), 1);
}

#[test]
fn braces_stand_for_something_in_a_workflow_only_and_never_for_what_has_to_be_checked() {
    let pod = json!({ "containers": [{ "image": "{{inputs.parameters.image}}" }] });
    assert_eq!(told_of(&pod, Payload::Pods).lines().count(), 1, "{}", told_of(&pod, Payload::Pods));
    assert_eq!(told_of(&pod, Payload::Workflow), "");
    for refused in [
        json!({ "nodeSelector": { "{{inputs.parameters.key}}": "gpu-1" } }),
        json!({ "tolerations": [{ "key": "a", "operator": "{{inputs.parameters.operator}}" }, ] }),
        json!({ "tolerations": [{ "key": "{{inputs.parameters.key}}" }] }),
        json!({ "affinity": { "nodeAffinity": [{ "key": "{{inputs.parameters.key}}" }] } }),
        json!({ "metadata": { "labels": { "{{inputs.parameters.key}}": "x" } } }),
        json!({ "metadata": { "annotations": { "{{inputs.parameters.key}}": "x" } } }),
        json!({ "volumes": [{ "name": "v", "persistentVolumeClaim": { "claimName": "{{inputs.parameters.claim}}" } }] }),
        json!({ "hostNetwork": "{{inputs.parameters.host}}" }),
        json!({ "serviceAccountName": "{{inputs.parameters.account}}" }),
        json!({ "priorityClassName": "{{inputs.parameters.class}}" }),
        json!({ "container": { "readinessProbe": { "httpGet": { "host": "{{pod.ip}}" } } } }),
    ] {
        assert_eq!(told_of(&refused, Payload::Workflow).lines().count(), 1, "{refused}");
    }
}

#[test]
fn a_field_is_the_same_however_its_case_is_written() {
    for field in ["HostNetwork", "HOSTNETWORK", "hoſtNetwork", "hostNetwor\u{212a}"] {
        assert_eq!(told(&json!({ "inline": { field: true } })).lines().count(), 1, "{field}");
    }
    let capitals = json!({ "SecurityContext": { "Capabilities": { "Add": ["SYS_ADMIN"] } } });
    assert_eq!(told(&capitals).lines().count(), 1);
}

#[test]
fn what_the_platform_or_the_cluster_decides_is_no_pod_s_to_say() {
    for (allowed, refused) in [
        (json!({ "priorityClassName": "default-batch" }), json!({ "priorityClassName": "system-node-critical" })),
        (json!({ "priority": null }), json!({ "priority": 0 })),
        (json!({}), json!({ "preemptionPolicy": "Never" })),
        (json!({ "runtimeClassName": null }), json!({ "runtimeClassName": "kata" })),
        // An empty one is looked for as well.
        (json!({ "overhead": null }), json!({ "runtimeClassName": "" })),
        (json!({ "schedulerName": "default-scheduler" }), json!({ "overhead": { "cpu": "1" } })),
        (json!({ "schedulingGates": [] }), json!({ "schedulingGates": [{ "name": "a" }] })),
        (json!({ "ephemeralContainers": [] }), json!({ "ephemeralContainers": [{ "name": "a" }] })),
        (json!({ "resourceClaims": [] }), json!({ "resourceClaims": [{ "name": "gpu" }] })),
        (json!({ "resources": { "claims": [] } }), json!({ "resources": { "claims": [{ "name": "gpu" }] } })),
        (json!({ "mountPropagation": "HostToContainer" }), json!({ "mountPropagation": "Bidirectional" })),
        (
            json!({ "sysctls": [{ "name": "net.ipv4.tcp_rmem" }] }),
            json!({ "sysctls": [{ "name": "net.core.somaxconn" }] }),
        ),
        (
            json!({ "volumes": [{ "projected": { "sources": [{ "secret": {} }, { "downwardAPI": {} }] } }] }),
            json!({ "volumes": [{ "projected": { "sources": [{ "podCertificate": {} }] } }] }),
        ),
    ] {
        assert_eq!(told(&allowed), "", "{allowed}");
        assert_eq!(told(&refused).lines().count(), 1, "{refused}");
    }
}

/// A Kubernetes field without a decision is not silently accepted.
#[test]
fn every_field_of_a_pod_is_decided_in_the_documentation() {
    use k8s_openapi::api::core::v1::{Container, PodSecurityContext, PodSpec, SecurityContext};
    fn fields<T: schemars::JsonSchema>() -> Vec<String> {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap();
        assert!(properties.len() > 5);
        properties.keys().cloned().collect()
    }
    let documentation = include_str!("../../../docs/pod-safety.md");
    let words: Vec<&str> = documentation.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let all = [fields::<PodSpec>(), fields::<Container>(), fields::<PodSecurityContext>(), fields::<SecurityContext>()];
    let undecided: Vec<_> = all.iter().flatten().filter(|field| !words.contains(&field.as_str())).collect();
    assert!(undecided.is_empty(), "{undecided:?}");
}
