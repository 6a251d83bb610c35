//! Pods, good and bad, one for each rule.

use serde_json::{Value, json};

use self::Verdict::{Both, Good, Stricter};

/// What is said to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The platform and Kubernetes take it.
    Good,
    /// Both refuse it.
    Both,
    /// Kubernetes takes it and no container would start with it, or the platform has a rule of its own.
    Stricter,
}

/// A pod with these members in its spec.
pub fn pod(members: Value) -> Value {
    let mut spec = json!({ "containers": [{ "name": "a", "image": "alpine:3.20" }], "restartPolicy": "Never" });
    spec.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({ "spec": spec })
}

/// A pod with these members in its only container, and two volumes.
pub fn with(members: Value) -> Value {
    let mut container = json!({ "name": "a", "image": "alpine:3.20" });
    container.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let volumes = json!([{ "name": "v", "emptyDir": {} }, { "name": "w", "emptyDir": {} }]);
    pod(json!({ "containers": [container], "volumes": volumes }))
}

pub fn init(members: Value) -> Value {
    let mut container = json!({ "name": "i", "image": "alpine:3.20" });
    container.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    pod(json!({ "initContainers": [container] }))
}

fn requests(requests: Value, limits: Value) -> Value {
    with(json!({ "resources": { "requests": requests, "limits": limits } }))
}

fn whole(requests: Value, limits: Value, container: Value) -> Value {
    let containers = json!([{ "name": "a", "image": "alpine:3.20", "resources": container }]);
    pod(json!({ "resources": { "requests": requests, "limits": limits }, "containers": containers }))
}

pub fn env(variable: Value) -> Value {
    with(json!({ "env": [variable] }))
}

pub fn from(source: Value) -> Value {
    env(json!({ "name": "A", "valueFrom": source }))
}

pub fn mount(members: Value) -> Value {
    let mut mount = json!({ "name": "v", "mountPath": "/v" });
    mount.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    with(json!({ "volumeMounts": [mount] }))
}

pub fn volume(source: Value) -> Value {
    let mut volume = json!({ "name": "v" });
    volume.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
    pod(json!({ "volumes": [volume] }))
}

pub fn probe(probe: Value) -> Value {
    with(json!({ "livenessProbe": probe, "ports": [{ "name": "http", "containerPort": 80 }] }))
}

fn toleration(toleration: Value) -> Value {
    pod(json!({ "tolerations": [toleration] }))
}

fn labelled(labels: Value, annotations: Value) -> Value {
    let mut pod = pod(json!({}));
    pod.as_object_mut().unwrap().insert("metadata".to_owned(), json!({ "labels": labels, "annotations": annotations }));
    pod
}

/// A profile both as an annotation and as a field, of the pod or of a container.
fn seccomp_twice(holder: &str, annotation: &str, profile: Value) -> Value {
    let context = json!({ "seccompProfile": profile });
    let (key, mut pod) = match holder {
        "pod" => ("seccomp.security.alpha.kubernetes.io/pod".to_owned(), pod(json!({ "securityContext": context }))),
        container => {
            let mut pod = pod(json!({}));
            pod["spec"]["containers"][0]["securityContext"] = context;
            (format!("container.seccomp.security.alpha.kubernetes.io/{container}"), pod)
        }
    };
    pod["metadata"] = json!({ "annotations": { key: annotation } });
    pod
}

fn node_affinity(term: Value) -> Value {
    let required = json!({ "nodeSelectorTerms": [term] });
    pod(json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": required } } }))
}

fn pod_affinity(term: Value) -> Value {
    pod(json!({ "affinity": { "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } } }))
}

fn spread(constraint: Value) -> Value {
    let mut whole = json!({ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" });
    whole.as_object_mut().unwrap().extend(constraint.as_object().unwrap().clone());
    pod(json!({ "topologySpreadConstraints": [whole] }))
}

pub fn resources() -> Vec<(Verdict, Value)> {
    let none = || json!({});
    vec![
        (
            Good,
            requests(
                json!({ "cpu": "500m", "memory": "1e9" }),
                json!({ "cpu": 1, "memory": "2Gi", "ephemeral-storage": "1Gi" }),
            ),
        ),
        (Good, requests(none(), json!({ "nvidia.com/gpu": 1 }))),
        (Good, requests(json!({ "cpu": 0 }), json!({ "nvidia.com/gpu": 0 }))),
        (Good, requests(json!({ "cpu": "1n", "memory": "+5Mi" }), none())),
        (Good, requests(none(), json!({ "hugepages-2Mi": "4Mi", "memory": "1Gi" }))),
        (Both, requests(none(), json!({ "memory": "512MB" }))),
        (Both, requests(none(), json!({ "cpu": "2cores" }))),
        (Both, requests(none(), json!({ "memory": "1 Gi" }))),
        (Both, requests(none(), json!({ "memory": "" }))),
        (Both, requests(json!({ "cpu": 2 }), json!({ "cpu": 1 }))),
        (Both, requests(json!({ "ephemeral-storage": 2 }), json!({ "ephemeral-storage": 1 }))),
        (Both, requests(json!({ "cpu": "-1" }), none())),
        (Both, requests(none(), json!({ "nvidia.com/gpu": "-8" }))),
        (Both, requests(none(), json!({ "nvidia.com/gpu": "1500m" }))),
        (Both, requests(json!({ "nvidia.com/gpu": 1 }), none())),
        (Both, requests(json!({ "nvidia.com/gpu": 1 }), json!({ "nvidia.com/gpu": 2 }))),
        (Both, requests(none(), json!({ "foo": 1 }))),
        (Both, requests(none(), json!({ "gpu": 1 }))),
        (Both, requests(none(), json!({ "storage": 1 }))),
        (Both, requests(none(), json!({ "requests.example.com/a": 1 }))),
        (Both, requests(none(), json!({ "example.com/": 1 }))),
        (Both, requests(none(), json!({ "hugepages-2Mi": "4Mi" }))),
        (Both, requests(none(), json!({ "hugepages-2Mi": "3Mi", "cpu": 1 }))),
        (Both, requests(json!({ "hugepages-2Mi": "2Mi", "cpu": 1 }), json!({ "hugepages-2Mi": "4Mi" }))),
        (Both, requests(none(), json!({ "hugepages-x": "4Mi", "cpu": 1 }))),
        (Stricter, requests(none(), json!({ "memory": "500m" }))),
        (
            Good,
            whole(
                json!({ "cpu": 4, "memory": "1Gi" }),
                json!({ "cpu": 8 }),
                json!({ "requests": { "cpu": 2 }, "limits": { "cpu": 4 } }),
            ),
        ),
        (Good, whole(none(), json!({ "cpu": 8 }), json!({ "requests": { "cpu": 2 } }))),
        (Both, whole(json!({ "nvidia.com/gpu": 1 }), none(), none())),
        (Both, whole(json!({ "ephemeral-storage": 1 }), none(), none())),
        (Both, whole(json!({ "cpu": 4 }), json!({ "cpu": 2 }), none())),
        (Both, whole(json!({ "cpu": 1 }), none(), json!({ "requests": { "cpu": 2 } }))),
        (Both, whole(none(), json!({ "memory": "1Gi" }), json!({ "limits": { "memory": "2Gi" } }))),
        (Both, whole(none(), json!({ "cpu": 1 }), json!({ "requests": { "cpu": 2 } }))),
        (Both, whole(json!({ "cpu": "-1" }), none(), none())),
        (Both, whole(json!({ "cpu": "1x" }), none(), none())),
        (Good, whole(json!({ "hugepages-2Mi": "2Mi", "cpu": 1 }), json!({ "hugepages-2Mi": "2Mi" }), none())),
        (Both, whole(json!({ "hugepages-2Mi": "2Mi", "cpu": 1 }), json!({ "hugepages-2Mi": "4Mi" }), none())),
        (Both, whole(json!({ "hugepages-2Mi": "2Mi" }), json!({ "hugepages-2Mi": "2Mi" }), none())),
        (Both, pod(json!({ "resources": { "claims": [{ "name": "a" }] } }))),
        (Both, requests(json!({ "memory": "9223372036854775808" }), json!({ "memory": "9223372036854775807" }))),
        (Stricter, requests(json!({ "memory": "9223372036854775808" }), json!({ "memory": "9223372036854775808" }))),
        (Good, requests(json!({ "memory": "8Ei" }), json!({ "memory": "9Ei" }))),
        (Both, requests(json!({ "memory": "20E" }), json!({ "memory": "10E" }))),
        // More than 2^63 - 1 bytes, of which Kubernetes still tells decimal amounts apart.
        (Stricter, requests(json!({ "memory": "10E" }), json!({ "memory": "20E" }))),
        (Good, requests(json!({ "memory": "16Ei" }), json!({ "memory": "16Ei" }))),
        (Both, pod(json!({ "resources": { "claims": [], "limits": { "cpu": 1 } } }))),
        (Stricter, pod(json!({ "resourceClaims": [{ "name": "a", "resourceClaimName": "b" }] }))),
        (Both, with(json!({ "resources": { "claims": [{ "name": "a" }] } }))),
    ]
}

pub fn metadata() -> Vec<(Verdict, Value)> {
    let none = || json!({});
    vec![
        (
            Good,
            labelled(
                json!({ "team": "a-b", "example.com/x": "" }),
                json!({ "any": "thing, ä", "sim.platform/duration": "1s" }),
            ),
        ),
        (Good, labelled(none(), json!({ "batch.kubernetes.io/job-completion-index": "3" }))),
        (Both, labelled(json!({ "team": "a b" }), none())),
        (Both, labelled(json!({ "a b": "x" }), none())),
        (Both, labelled(json!({ "": "x" }), none())),
        (Both, labelled(json!({ "a": "x".repeat(64) }), none())),
        (Both, labelled(json!({ "Example.com/x": "" }), none())),
        (Both, labelled(none(), json!({ "a b": "x" }))),
        // Kubernetes reads the keys of annotations in lower case.
        (Good, labelled(none(), json!({ "Example.com/X": "" }))),
        (Both, labelled(none(), json!({ "Example com/x": "" }))),
        (Both, labelled(none(), json!({ "a": "x".repeat(262_144) }))),
        (Both, labelled(none(), json!({ "kubernetes.io/config.mirror": "x" }))),
        (Both, labelled(none(), json!({ "controller.kubernetes.io/pod-deletion-cost": "many" }))),
        (Both, labelled(none(), json!({ "seccomp.security.alpha.kubernetes.io/pod": "foo" }))),
        (Both, seccomp_twice("pod", "runtime/default", json!({ "type": "Localhost", "localhostProfile": "a" }))),
        (Both, seccomp_twice("pod", "localhost/b", json!({ "type": "Localhost", "localhostProfile": "a" }))),
        (Both, seccomp_twice("a", "localhost/a", json!({ "type": "RuntimeDefault" }))),
        (Good, seccomp_twice("pod", "localhost/a", json!({ "type": "Localhost", "localhostProfile": "a" }))),
        (Good, seccomp_twice("a", "docker/default", json!({ "type": "RuntimeDefault" }))),
        (Good, labelled(none(), json!({ "controller.kubernetes.io/pod-deletion-cost": "-7" }))),
        (Both, labelled(none(), json!({ "container.apparmor.security.beta.kubernetes.io/nobody": "runtime/default" }))),
        (Both, labelled(none(), json!({ "container.apparmor.security.beta.kubernetes.io/a": "foo" }))),
        (Good, labelled(none(), json!({ "container.apparmor.security.beta.kubernetes.io/a": "runtime/default" }))),
    ]
}

pub fn placement() -> Vec<(Verdict, Value)> {
    let expression = |operator: &str, values: Value| {
        node_affinity(json!({ "matchExpressions": [{ "key": "k", "operator": operator, "values": values }] }))
    };
    let selector = |selector: Value| pod_affinity(json!({ "topologyKey": "zone", "labelSelector": selector }));
    vec![
        (Good, pod(json!({ "nodeSelector": { "disk": "ssd" } }))),
        (Both, pod(json!({ "nodeSelector": { "a b": "ssd" } }))),
        (Both, pod(json!({ "nodeSelector": { "disk": "s s d" } }))),
        (Good, toleration(json!({ "key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5 }))),
        (Good, toleration(json!({ "key": "k", "value": "v" }))),
        (Both, toleration(json!({ "key": "a b", "operator": "Exists" }))),
        (Both, toleration(json!({ "operator": "Equal", "value": "v" }))),
        (Both, toleration(json!({ "key": "k", "operator": "Foo" }))),
        (Both, toleration(json!({ "key": "k", "operator": "Exists", "value": "v" }))),
        (Both, toleration(json!({ "key": "k", "value": "a b" }))),
        (Both, toleration(json!({ "key": "k", "operator": "Exists", "effect": "Never" }))),
        (Both, toleration(json!({ "key": "k", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 5 }))),
        (Good, expression("In", json!(["a", "b"]))),
        (Good, expression("Gt", json!(["5"]))),
        (Both, expression("In", json!([]))),
        (Both, expression("Exists", json!(["a"]))),
        (Stricter, expression("Gt", json!(["a"]))),
        (Both, expression("Gt", json!(["1", "2"]))),
        (Both, expression("Near", json!(["a"]))),
        (Both, expression("In", json!(["a b"]))),
        (Both, node_affinity(json!({ "matchFields": [{ "key": "spec.x", "operator": "In", "values": ["a"] }] }))),
        (
            Both,
            node_affinity(
                json!({ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["a", "b"] }] }),
            ),
        ),
        (
            Both,
            pod(
                json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [] } } } }),
            ),
        ),
        (
            Both,
            pod(
                json!({ "affinity": { "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [{ "weight": 0, "preference": {} }] } } }),
            ),
        ),
        (Good, selector(json!({ "matchLabels": { "a": "b" } }))),
        (Both, selector(json!({ "matchLabels": { "a": "b c" } }))),
        (Both, selector(json!({ "matchExpressions": [{ "key": "a", "operator": "In" }] }))),
        (Both, selector(json!({ "matchExpressions": [{ "key": "a", "operator": "Gt", "values": ["1"] }] }))),
        (Both, pod_affinity(json!({ "topologyKey": "" }))),
        (Both, pod_affinity(json!({ "topologyKey": "zone", "namespaces": ["A"] }))),
        (Both, pod_affinity(json!({ "topologyKey": "zone", "matchLabelKeys": ["a"] }))),
        (Good, spread(json!({ "minDomains": 2, "labelSelector": { "matchLabels": { "a": "b" } } }))),
        (Both, spread(json!({ "maxSkew": 0 }))),
        (Both, spread(json!({ "topologyKey": "" }))),
        (Both, spread(json!({ "whenUnsatisfiable": "Maybe" }))),
        (Both, spread(json!({ "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2 }))),
        (Both, spread(json!({ "minDomains": 0 }))),
        (Both, spread(json!({ "nodeTaintsPolicy": "Sometimes" }))),
        (Both, spread(json!({ "matchLabelKeys": ["a"] }))),
        (Stricter, spread(json!({ "matchLabelKeys": ["a"], "labelSelector": { "matchLabels": { "a": "b" } } }))),
        (Good, spread(json!({ "matchLabelKeys": ["c"], "labelSelector": { "matchLabels": { "a": "b" } } }))),
    ]
}

pub fn fields() -> Vec<(Verdict, Value)> {
    let context = |context: Value| pod(json!({ "securityContext": context }));
    let dns = |config: Value| pod(json!({ "dnsPolicy": "None", "dnsConfig": config }));
    vec![
        (
            Good,
            pod(
                json!({ "hostname": "h", "subdomain": "s", "terminationGracePeriodSeconds": 0, "activeDeadlineSeconds": 1 }),
            ),
        ),
        (Good, pod(json!({ "restartPolicy": "OnFailure" }))),
        (Both, pod(json!({ "restartPolicy": "never" }))),
        (Stricter, pod(json!({ "restartPolicy": "Always" }))),
        (Both, pod(json!({ "terminationGracePeriodSeconds": -1, "activeDeadlineSeconds": 0 }))),
        (Both, pod(json!({ "activeDeadlineSeconds": 0 }))),
        (Both, pod(json!({ "activeDeadlineSeconds": 2_147_483_648_i64 }))),
        (Both, pod(json!({ "hostname": "A" }))),
        (Both, pod(json!({ "subdomain": "a.b" }))),
        (Both, pod(json!({ "hostAliases": [{ "ip": "x", "hostnames": ["a"] }] }))),
        (Both, pod(json!({ "hostAliases": [{ "ip": "1.2.3.4", "hostnames": ["A_"] }] }))),
        (Good, pod(json!({ "hostAliases": [{ "ip": "1.2.3.4", "hostnames": ["a"] }] }))),
        (
            Good,
            dns(
                json!({ "nameservers": ["1.2.3.4"], "searches": ["a.b", "_x.y."], "options": [{ "name": "ndots", "value": "2" }] }),
            ),
        ),
        (Both, pod(json!({ "dnsPolicy": "Foo" }))),
        (Both, dns(json!({}))),
        (Both, dns(json!({ "nameservers": ["x"] }))),
        (Both, dns(json!({ "nameservers": ["1.2.3.4", "1.2.3.5", "1.2.3.6", "1.2.3.7"] }))),
        (Both, dns(json!({ "nameservers": ["1.2.3.4"], "searches": ["a b"] }))),
        (Both, dns(json!({ "nameservers": ["1.2.3.4"], "options": [{ "value": "2" }] }))),
        (Both, pod(json!({ "readinessGates": [{ "conditionType": "a b" }] }))),
        (
            Stricter,
            pod(
                json!({ "readinessGates": [{ "conditionType": "example.com/ready" }], "schedulingGates": [{ "name": "a" }] }),
            ),
        ),
        (Both, pod(json!({ "schedulingGates": [{ "name": "a b" }] }))),
        (Both, pod(json!({ "preemptionPolicy": "Foo" }))),
        (Both, pod(json!({ "ephemeralContainers": [{ "name": "e", "image": "a" }] }))),
        (Both, pod(json!({ "os": { "name": "plan9" } }))),
        (Stricter, pod(json!({ "os": { "name": "windows" } }))),
        (Good, pod(json!({ "os": { "name": "linux" } }))),
        (Both, pod(json!({ "hostAliases": [{ "ip": "01.2.3.4", "hostnames": ["a"] }] }))),
        (
            Both,
            context(
                json!({ "sysctls": [{ "name": "net.ipv4.ip_local_port_range", "value": "1" }, { "name": "net.ipv4.ip_local_port_range", "value": "1" }] }),
            ),
        ),
        (Both, pod(json!({ "setHostnameAsFQDN": true, "hostnameOverride": "a" }))),
        (Stricter, pod(json!({ "imagePullSecrets": [{ "name": "A B" }] }))),
        (
            Good,
            context(
                json!({ "runAsUser": 1000, "fsGroup": 2_147_483_647, "supplementalGroups": [1], "fsGroupChangePolicy": "Always" }),
            ),
        ),
        (Both, context(json!({ "runAsUser": -1 }))),
        (Both, context(json!({ "runAsGroup": 2_147_483_648_i64 }))),
        (Both, context(json!({ "fsGroup": -1 }))),
        (Both, context(json!({ "supplementalGroups": [-1] }))),
        (Both, context(json!({ "fsGroupChangePolicy": "Never" }))),
        (Both, context(json!({ "supplementalGroupsPolicy": "Never" }))),
        (Both, context(json!({ "seccompProfile": { "type": "Foo" } }))),
        (Both, context(json!({ "seccompProfile": { "type": "Localhost" } }))),
        (Both, context(json!({ "seccompProfile": { "type": "RuntimeDefault", "localhostProfile": "a" } }))),
        (Both, context(json!({ "appArmorProfile": { "type": "Localhost" } }))),
        (
            Good,
            context(
                json!({ "appArmorProfile": { "type": "RuntimeDefault" }, "seccompProfile": { "type": "Localhost", "localhostProfile": "a/b.json" } }),
            ),
        ),
        (Stricter, context(json!({ "runAsNonRoot": true, "runAsUser": 0 }))),
        (Both, with(json!({ "securityContext": { "runAsUser": -1 } }))),
        (Both, with(json!({ "securityContext": { "privileged": true, "allowPrivilegeEscalation": false } }))),
    ]
}
