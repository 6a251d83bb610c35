//! Pods, good and bad, one for each rule of containers and volumes.

use serde_json::{Value, json};

use super::rows::Verdict::{self, Both, Good, Stricter};
use super::rows::{env, from, init, mount, pod, probe, volume, with};

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
        (Stricter, init(json!({ "resizePolicy": [{ "resourceName": "cpu", "restartPolicy": "NotRequired" }] }))),
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
    let named = |metadata: Value| {
        let template = json!({ "metadata": metadata, "spec": storage("1Gi") });
        volume(json!({ "ephemeral": { "volumeClaimTemplate": template } }))
    };
    vec![
        (Good, named(json!({ "labels": { "a": "b" }, "annotations": { "a": "b c" } }))),
        (Both, named(json!({ "labels": { "a": "b c" } }))),
        (Both, named(json!({ "annotations": { "a b": "c" } }))),
        (Both, named(json!({ "name": "a" }))),
        (Both, named(json!({ "generateName": "a" }))),
        (Both, named(json!({ "finalizers": ["a.b/c"] }))),
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
        (
            Both,
            ephemeral(
                json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi", "x": "" } } }),
            ),
        ),
        (
            Both,
            ephemeral(
                json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": 1 }, "limits": { "x": "1 Gi" } } }),
            ),
        ),
        (Both, ephemeral(json!({ "resources": { "requests": { "storage": "1Gi" } } }))),
        (Both, ephemeral(json!({ "accessModes": ["Foo"], "resources": { "requests": { "storage": "1Gi" } } }))),
        (Both, ephemeral(json!({ "accessModes": ["ReadWriteOnce"] }))),
        (Both, volume(json!({ "ephemeral": {} }))),
        (Both, volume(json!({ "persistentVolumeClaim": { "claimName": "" } }))),
    ]
}
