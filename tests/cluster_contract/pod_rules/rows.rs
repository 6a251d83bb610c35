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
fn pod(members: Value) -> Value {
    let mut spec = json!({ "containers": [{ "name": "a", "image": "alpine:3.20" }], "restartPolicy": "Never" });
    spec.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({ "spec": spec })
}

/// A pod with these members in its only container, and two volumes.
fn with(members: Value) -> Value {
    let mut container = json!({ "name": "a", "image": "alpine:3.20" });
    container.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let volumes = json!([{ "name": "v", "emptyDir": {} }, { "name": "w", "emptyDir": {} }]);
    pod(json!({ "containers": [container], "volumes": volumes }))
}

fn init(members: Value) -> Value {
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

fn env(variable: Value) -> Value {
    with(json!({ "env": [variable] }))
}

fn from(source: Value) -> Value {
    env(json!({ "name": "A", "valueFrom": source }))
}

fn mount(members: Value) -> Value {
    let mut mount = json!({ "name": "v", "mountPath": "/v" });
    mount.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    with(json!({ "volumeMounts": [mount] }))
}

fn volume(source: Value) -> Value {
    let mut volume = json!({ "name": "v" });
    volume.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
    pod(json!({ "volumes": [volume] }))
}

fn probe(probe: Value) -> Value {
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
        (Stricter, pod(json!({ "resourceClaims": [{ "name": "a", "resourceClaimName": "b" }] }))),
        (Both, with(json!({ "resources": { "claims": [{ "name": "a" }] } }))),
    ]
}

pub fn containers() -> Vec<(Verdict, Value)> {
    let long = "x".repeat(131_072);
    let many = |count: usize| vec![json!({ "name": "p", "containerPort": 80 }); count];
    vec![
        (
            Good,
            with(
                json!({ "workingDir": "/srv", "imagePullPolicy": "Always", "terminationMessagePolicy": "FallbackToLogsOnError", "tty": true }),
            ),
        ),
        (Both, with(json!({ "name": "A_b" }))),
        (Both, with(json!({ "name": "" }))),
        (Both, with(json!({ "name": "x".repeat(64) }))),
        (Both, pod(json!({ "containers": [{ "name": "a", "image": "a" }, { "name": "a", "image": "a" }] }))),
        (Both, pod(json!({ "initContainers": [{ "name": "a", "image": "a" }] }))),
        (Both, pod(json!({ "containers": [] }))),
        (Stricter, with(json!({ "image": "{{image}}" }))),
        (Stricter, with(json!({ "workingDir": "relative" }))),
        (Stricter, with(json!({ "terminationMessagePath": "relative" }))),
        (Both, with(json!({ "imagePullPolicy": "Sometimes" }))),
        (Both, with(json!({ "terminationMessagePolicy": "No" }))),
        (Stricter, with(json!({ "args": [long] }))),
        (Stricter, env(json!({ "name": "A", "value": long }))),
        (Good, with(json!({ "args": [long[1..]] }))),
        (Both, with(json!({ "restartPolicy": "Foo" }))),
        (Stricter, with(json!({ "restartPolicy": "Always" }))),
        (Good, init(json!({ "restartPolicy": "Always", "livenessProbe": { "tcpSocket": { "port": 1 } } }))),
        (Both, init(json!({ "restartPolicy": "Sometimes" }))),
        (Both, init(json!({ "resizePolicy": [{ "resourceName": "cpu", "restartPolicy": "NotRequired" }] }))),
        (
            Both,
            with(
                json!({ "resizePolicy": [{ "resourceName": "cpu", "restartPolicy": "NotRequired" }, { "resourceName": "cpu", "restartPolicy": "NotRequired" }] }),
            ),
        ),
        (
            Good,
            pod(
                json!({ "os": { "name": "linux" }, "containers": [{ "name": "a", "image": "a", "lifecycle": { "stopSignal": "SIGRTMIN+1" } }] }),
            ),
        ),
        (Both, init(json!({ "readinessProbe": { "tcpSocket": { "port": 1 } } }))),
        (Both, init(json!({ "lifecycle": { "preStop": { "sleep": { "seconds": 1 } } } }))),
        (
            Good,
            with(
                json!({ "ports": [{ "containerPort": 1 }, { "name": "p", "containerPort": 65535, "protocol": "UDP" }] }),
            ),
        ),
        (Both, with(json!({ "ports": [{ "containerPort": 70000 }] }))),
        (Both, with(json!({ "ports": [{ "containerPort": 0 }] }))),
        (Both, with(json!({ "ports": [{ "name": "A B", "containerPort": 1 }] }))),
        (Both, with(json!({ "ports": [{ "name": "1", "containerPort": 1 }] }))),
        (Both, with(json!({ "ports": [{ "name": "a-very-long-name", "containerPort": 1 }] }))),
        (Both, with(json!({ "ports": many(2) }))),
        (Both, with(json!({ "ports": [{ "containerPort": 1, "protocol": "HTTP" }] }))),
        (Both, with(json!({ "resizePolicy": [{ "resourceName": "cpu", "restartPolicy": "RestartContainer" }] }))),
        (Good, with(json!({ "resizePolicy": [{ "resourceName": "cpu", "restartPolicy": "NotRequired" }] }))),
        (Good, env(json!({ "name": "my.var-1", "value": "a" }))),
        (Good, env(json!({ "name": "JOB_COMPLETION_INDEX", "value": "1" }))),
        (Both, env(json!({ "name": "" }))),
        (Both, env(json!({ "name": "A=B", "value": "a" }))),
        (Both, env(json!({ "name": "ä", "value": "a" }))),
        (Stricter, env(json!({ "name": "1 A", "value": "a" }))),
        (Stricter, env(json!({ "name": "PLATFORM_X", "value": "a" }))),
        (Stricter, with(json!({ "env": [{ "name": "A", "value": "1" }, { "name": "A", "value": "2" }] }))),
        (
            Both,
            env(json!({ "name": "A", "value": "a", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } })),
        ),
        (Both, from(json!({}))),
        (Good, from(json!({ "fieldRef": { "fieldPath": "metadata.labels['a/b']" } }))),
        (Good, from(json!({ "fieldRef": { "fieldPath": "status.podIPs" } }))),
        (Both, from(json!({ "fieldRef": { "fieldPath": "spec.nodename" } }))),
        (Both, from(json!({ "fieldRef": { "fieldPath": "metadata.labels" } }))),
        (Both, from(json!({ "fieldRef": { "fieldPath": "metadata.labels['a b']" } }))),
        (Both, from(json!({ "fieldRef": { "fieldPath": "metadata.name", "apiVersion": "v2" } }))),
        (Good, from(json!({ "resourceFieldRef": { "resource": "limits.cpu", "divisor": "1m" } }))),
        (Good, from(json!({ "resourceFieldRef": { "resource": "requests.memory", "divisor": "1Mi" } }))),
        (Both, from(json!({ "resourceFieldRef": { "resource": "limits.gpu" } }))),
        (Both, from(json!({ "resourceFieldRef": { "resource": "limits.cpu", "divisor": "2m" } }))),
        (Stricter, from(json!({ "resourceFieldRef": { "resource": "limits.cpu", "containerName": "nobody" } }))),
        (Good, from(json!({ "configMapKeyRef": { "name": "a", "key": "b.c" } }))),
        (Both, from(json!({ "configMapKeyRef": { "name": "", "key": "b" } }))),
        (Both, from(json!({ "configMapKeyRef": { "name": "a", "key": "b/c" } }))),
        (Both, from(json!({ "secretKeyRef": { "name": "a", "key": "" } }))),
        (
            Both,
            from(
                json!({ "secretKeyRef": { "name": "a", "key": "b" }, "configMapKeyRef": { "name": "a", "key": "b" } }),
            ),
        ),
        (Good, with(json!({ "envFrom": [{ "prefix": "P_", "secretRef": { "name": "a" } }] }))),
        (Both, with(json!({ "envFrom": [{}] }))),
        (Both, with(json!({ "envFrom": [{ "secretRef": { "name": "a" }, "configMapRef": { "name": "a" } }] }))),
        (Both, with(json!({ "envFrom": [{ "secretRef": { "name": "" } }] }))),
        (Both, with(json!({ "envFrom": [{ "prefix": "a=", "secretRef": { "name": "a" } }] }))),
        (Good, mount(json!({ "readOnly": true, "subPath": "a/b" }))),
        (Both, mount(json!({ "name": "x" }))),
        (Both, mount(json!({ "name": "" }))),
        (Both, mount(json!({ "mountPath": "" }))),
        (Stricter, mount(json!({ "mountPath": "rel" }))),
        (Stricter, mount(json!({ "mountPath": "/" }))),
        (Stricter, mount(json!({ "mountPath": "/a/../b" }))),
        (Stricter, mount(json!({ "mountPath": "/a:b" }))),
        (
            Both,
            with(json!({ "volumeMounts": [{ "name": "v", "mountPath": "/a" }, { "name": "w", "mountPath": "/a" }] })),
        ),
        (Both, mount(json!({ "subPath": "../a" }))),
        (Both, mount(json!({ "subPath": "/a" }))),
        (Both, mount(json!({ "subPath": "a", "subPathExpr": "b" }))),
        (Both, mount(json!({ "mountPropagation": "Foo" }))),
        (Both, mount(json!({ "mountPropagation": "Bidirectional" }))),
        (Both, mount(json!({ "recursiveReadOnly": "Enabled" }))),
        (Good, mount(json!({ "recursiveReadOnly": "Enabled", "readOnly": true }))),
        (Both, mount(json!({ "recursiveReadOnly": "Foo", "readOnly": true }))),
        (Both, with(json!({ "volumeDevices": [{ "name": "v", "devicePath": "/dev/x" }] }))),
    ]
}

pub fn probes() -> Vec<(Verdict, Value)> {
    let hook = |hook: Value| with(json!({ "lifecycle": { "preStop": hook } }));
    vec![
        (Good, probe(json!({ "httpGet": { "port": "http", "path": "/" }, "periodSeconds": 0 }))),
        (Good, probe(json!({ "exec": { "command": ["true"] }, "successThreshold": 1 }))),
        (Good, probe(json!({ "grpc": { "port": 80 } }))),
        (Both, probe(json!({}))),
        (Both, probe(json!({ "exec": { "command": ["true"] }, "tcpSocket": { "port": 1 } }))),
        (Both, probe(json!({ "exec": {} }))),
        (Both, probe(json!({ "httpGet": { "port": 0 } }))),
        (Both, probe(json!({ "httpGet": { "port": 80, "scheme": "FTP" } }))),
        (Both, probe(json!({ "httpGet": { "port": 80, "httpHeaders": [{ "name": "a b", "value": "" }] } }))),
        (Both, probe(json!({ "tcpSocket": { "port": "A B" } }))),
        (Stricter, probe(json!({ "tcpSocket": { "port": "nobody" } }))),
        (Both, probe(json!({ "grpc": { "port": 70000 } }))),
        (Both, probe(json!({ "tcpSocket": { "port": 1 }, "periodSeconds": -1 }))),
        (Both, probe(json!({ "tcpSocket": { "port": 1 }, "initialDelaySeconds": -1 }))),
        (Both, probe(json!({ "tcpSocket": { "port": 1 }, "successThreshold": 2 }))),
        (Both, probe(json!({ "tcpSocket": { "port": 1 }, "terminationGracePeriodSeconds": 0 }))),
        (Good, with(json!({ "readinessProbe": { "tcpSocket": { "port": 1 }, "successThreshold": 2 } }))),
        (Both, with(json!({ "readinessProbe": { "tcpSocket": { "port": 1 }, "terminationGracePeriodSeconds": 1 } }))),
        (Good, hook(json!({ "sleep": { "seconds": 30 } }))),
        (Good, hook(json!({ "sleep": { "seconds": 0 } }))),
        (Both, hook(json!({ "sleep": { "seconds": 31 } }))),
        (Both, hook(json!({ "sleep": { "seconds": -1 } }))),
        (Both, hook(json!({}))),
        (Both, hook(json!({ "exec": { "command": [] } }))),
        (Both, hook(json!({ "exec": { "command": ["a"] }, "sleep": { "seconds": 1 } }))),
        (Stricter, with(json!({ "lifecycle": { "stopSignal": "SIGUSR1" } }))),
    ]
}

pub fn volumes() -> Vec<(Verdict, Value)> {
    let map = |members: Value| {
        let mut map = json!({ "name": "a" });
        map.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        volume(json!({ "configMap": map }))
    };
    let downward = |item: Value| volume(json!({ "downwardAPI": { "items": [item] } }));
    let projected = |sources: Value| volume(json!({ "projected": { "sources": sources } }));
    let ephemeral = |spec: Value| volume(json!({ "ephemeral": { "volumeClaimTemplate": { "spec": spec } } }));
    let storage =
        |size: &str| json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } } });
    vec![
        (Good, volume(json!({ "emptyDir": { "sizeLimit": "1Gi", "medium": "Memory" } }))),
        (Both, volume(json!({ "emptyDir": { "sizeLimit": "-1Gi" } }))),
        (Both, volume(json!({ "emptyDir": { "sizeLimit": "1GiB" } }))),
        (Stricter, volume(json!({ "emptyDir": { "medium": "Disk" } }))),
        // Without a source it is scratch space by default.
        (Stricter, volume(json!({}))),
        (Both, volume(json!({ "emptyDir": {}, "configMap": { "name": "a" } }))),
        (Both, volume(json!({ "name": "A_b", "emptyDir": {} }))),
        (Both, volume(json!({ "name": "", "emptyDir": {} }))),
        (Both, pod(json!({ "volumes": [{ "name": "v", "emptyDir": {} }, { "name": "v", "emptyDir": {} }] }))),
        (Good, map(json!({ "defaultMode": 420, "items": [{ "key": "k", "path": "a/b", "mode": 0 }] }))),
        (Both, map(json!({ "name": "" }))),
        (Both, map(json!({ "defaultMode": 512 }))),
        (Both, map(json!({ "defaultMode": -1 }))),
        (Both, map(json!({ "items": [{ "key": "", "path": "a" }] }))),
        (Both, map(json!({ "items": [{ "key": "k", "path": "" }] }))),
        (Both, map(json!({ "items": [{ "key": "k", "path": "/a" }] }))),
        (Both, map(json!({ "items": [{ "key": "k", "path": "a/../b" }] }))),
        (Both, map(json!({ "items": [{ "key": "k", "path": "..a" }] }))),
        (Both, map(json!({ "items": [{ "key": "k", "path": "a", "mode": 1000 }] }))),
        (Good, volume(json!({ "secret": { "secretName": "a" } }))),
        (Both, volume(json!({ "secret": {} }))),
        (Good, downward(json!({ "path": "a", "fieldRef": { "fieldPath": "metadata.labels" } }))),
        (Both, downward(json!({ "path": "a", "fieldRef": { "fieldPath": "status.podIP" } }))),
        (Both, downward(json!({ "path": "a" }))),
        (
            Good,
            downward(json!({ "path": "a", "resourceFieldRef": { "containerName": "a", "resource": "limits.cpu" } })),
        ),
        (Both, downward(json!({ "path": "a", "resourceFieldRef": { "resource": "limits.cpu" } }))),
        (Good, projected(json!([{ "configMap": { "name": "a" } }, { "secret": { "name": "a" } }]))),
        (Stricter, projected(json!([{}]))),
        (Both, projected(json!([{ "configMap": { "name": "a" }, "secret": { "name": "a" } }]))),
        (
            Both,
            projected(
                json!([{ "configMap": { "name": "a", "items": [{ "key": "k", "path": "x" }] } }, { "secret": { "name": "a", "items": [{ "key": "k", "path": "x" }] } }]),
            ),
        ),
        (Good, ephemeral(storage("1Gi"))),
        (Both, ephemeral(storage("0"))),
        (Both, ephemeral(storage("-1"))),
        (Both, ephemeral(json!({ "resources": { "requests": { "storage": "1Gi" } } }))),
        (Both, ephemeral(json!({ "accessModes": ["Foo"], "resources": { "requests": { "storage": "1Gi" } } }))),
        (Both, ephemeral(json!({ "accessModes": ["ReadWriteOnce"] }))),
        (Both, volume(json!({ "ephemeral": {} }))),
        (Both, volume(json!({ "persistentVolumeClaim": { "claimName": "" } }))),
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
        (Stricter, labelled(none(), json!({ "Example.com/x": "" }))),
        (Both, labelled(none(), json!({ "a": "x".repeat(262_144) }))),
        (Both, labelled(none(), json!({ "kubernetes.io/config.mirror": "x" }))),
        (Both, labelled(none(), json!({ "controller.kubernetes.io/pod-deletion-cost": "many" }))),
        (Both, labelled(none(), json!({ "seccomp.security.alpha.kubernetes.io/pod": "foo" }))),
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
        (Both, spread(json!({ "matchLabelKeys": ["a"], "labelSelector": { "matchLabels": { "a": "b" } } }))),
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
