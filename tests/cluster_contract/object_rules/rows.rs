//! Objects, good and bad, one for each rule.

use serde_json::{Value, json};

use self::Verdict::{Both, Good, Ours, Stricter};

/// What is said to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The platform and Kubernetes take it.
    Good,
    /// Both refuse it.
    Both,
    /// Kubernetes takes it and the platform does not: the row says why.
    Stricter,
    /// The platform takes it because it runs the object itself.
    Ours,
}

pub struct Row {
    pub verdict: Verdict,
    pub object: Value,
}

/// What is put together as `path: value` rows on top of a good object.
fn rows(good: &Value, changes: Vec<(Verdict, &str, Value)>) -> Vec<Row> {
    let changed = |(verdict, path, value): (Verdict, &str, Value)| {
        let mut object = good.clone();
        set(&mut object, path, value);
        Row { verdict, object }
    };
    std::iter::once(Row { verdict: Good, object: good.clone() }).chain(changes.into_iter().map(changed)).collect()
}

/// Sets what a path such as `spec.ports.0.name` leads to; null takes it away.
fn set(object: &mut Value, path: &str, value: Value) {
    let (above, key) = path.rsplit_once('.').unwrap_or(("", path));
    let mut here = object;
    for step in above.split('.').filter(|step| !step.is_empty()) {
        here = match step.parse::<usize>() {
            Ok(index) => &mut here[index],
            Err(_) => &mut here[step],
        };
    }
    match (key.parse::<usize>(), here) {
        (Ok(index), here) => here[index] = value,
        (Err(_), Value::Object(fields)) if value.is_null() => drop(fields.remove(key)),
        (Err(_), here) => here[key] = value,
    }
}

fn object(version: &str, kind: &str, members: Value) -> Value {
    let mut object = json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "a" } });
    object.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    object
}

fn pod() -> Value {
    json!({ "containers": [{ "name": "a", "image": "alpine:3.20" }] })
}

fn job(members: Value) -> Value {
    let mut spec =
        json!({ "template": { "spec": { "containers": [{ "name": "a", "image": "b" }], "restartPolicy": "Never" } } });
    spec.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    spec
}

pub fn metadata() -> Vec<Row> {
    let map = object("v1", "ConfigMap", json!({}));
    let mut all = rows(
        &map,
        vec![
            (Both, "metadata.name", json!("A B")),
            (Both, "metadata.name", json!("a_b")),
            (Good, "metadata.name", json!("a.b-1")),
            (Good, "metadata.name", json!("a".repeat(253))),
            (Both, "metadata.name", json!("a".repeat(254))),
            (Both, "metadata.namespace", json!("other")),
            (Good, "metadata.namespace", json!("")),
            (Both, "metadata.labels", json!({ "a b": "c" })),
            (Both, "metadata.labels", json!({ "a": "b c" })),
            (Both, "metadata.labels", json!({ "a": "b".repeat(64) })),
            (Both, "metadata.labels", json!({ "Foo.Com/bar": "c" })),
            (Good, "metadata.labels", json!({ "foo.com/Bar": "c" })),
            (Both, "metadata.annotations", json!({ "a b": "c" })),
            (Both, "metadata.annotations", json!({ "foo.com/": "c" })),
            // Kubernetes reads the keys of annotations in lower case.
            (Good, "metadata.annotations", json!({ "Foo.Com/Bar": "c d" })),
            (Both, "metadata.annotations", json!({ "a": "b".repeat(257 * 1024) })),
            // The platform knows objects by their names, and it drops or does not let itself be told the rest.
            (Stricter, "metadata", json!({ "generateName": "a-" })),
            (Stricter, "metadata.finalizers", json!(["example.com/a"])),
            (
                Stricter,
                "metadata.ownerReferences",
                json!([{ "apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1" }]),
            ),
            (Stricter, "metadata.uid", json!("c0ffee")),
            (Stricter, "metadata.resourceVersion", json!("5")),
            (Stricter, "metadata.generation", json!(3)),
            (Stricter, "metadata.creationTimestamp", json!("2026-01-01T00:00:00Z")),
            (Good, "metadata.creationTimestamp", Value::Null),
        ],
    );
    let sized = |kind: &str, version: &str, spec: Value, name: &str| {
        let mut object = object(version, kind, json!({ "spec": spec }));
        object["metadata"]["name"] = json!(name);
        object
    };
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": pod() });
    let deployment = json!({ "selector": { "matchLabels": { "a": "b" } }, "template": template });
    let cron = json!({ "schedule": "@daily", "jobTemplate": { "spec": job(json!({})) } });
    let service = json!({ "ports": [{ "port": 80 }] });
    let ingress = json!({ "defaultBackend": { "service": { "name": "a", "port": { "number": 80 } } } });
    let claim = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    let named = [
        (Good, sized("Pod", "v1", pod(), &"a".repeat(100))),
        (Both, sized("Pod", "v1", pod(), "A")),
        (Good, sized("Job", "batch/v1", job(json!({})), &"a".repeat(63))),
        (Both, sized("Job", "batch/v1", job(json!({})), &"a".repeat(64))),
        (Good, sized("CronJob", "batch/v1", cron.clone(), &"a".repeat(52))),
        (Both, sized("CronJob", "batch/v1", cron, &"a".repeat(53))),
        (Good, sized("Deployment", "apps/v1", deployment.clone(), &"a".repeat(100))),
        (Both, sized("Deployment", "apps/v1", deployment, "a/b")),
        (Both, sized("Service", "v1", service.clone(), "a.b")),
        (Both, sized("Service", "v1", service.clone(), &"a".repeat(64))),
        // Only clusters since 1.36 take it.
        (Stricter, sized("Service", "v1", service, "1a")),
        (Good, sized("Ingress", "networking.k8s.io/v1", ingress.clone(), "1a.b")),
        (Both, sized("Ingress", "networking.k8s.io/v1", ingress, "-")),
        (Good, sized("PersistentVolumeClaim", "v1", claim.clone(), "1a.b")),
        (Both, sized("PersistentVolumeClaim", "v1", claim, "A")),
        // The platform runs it, and a task that ends is not started again.
        (Ours, sized("Job", "batch/v1", json!({ "template": { "spec": pod() } }), "a")),
    ];
    all.extend(named.into_iter().map(|(verdict, object)| Row { verdict, object }));
    let mut generated = object("v1", "Pod", json!({ "spec": pod() }));
    generated["metadata"] = json!({ "generateName": "train-" });
    all.push(Row { verdict: Good, object: generated.clone() });
    generated["metadata"] = json!({ "generateName": "Train-" });
    all.push(Row { verdict: Both, object: generated });
    // Nobody reads a status that is given; the platform says so.
    all.push(Row {
        verdict: Stricter,
        object: object(
            "v1",
            "Service",
            json!({ "spec": { "ports": [{ "port": 80 }] }, "status": { "loadBalancer": { "ingress": [] } } }),
        ),
    });
    all.push(Row { verdict: Good, object: object("v1", "ConfigMap", json!({ "status": null })) });
    all
}

pub fn services() -> Vec<Row> {
    let good = object("v1", "Service", json!({ "spec": { "selector": { "app": "a" }, "ports": [{ "port": 80 }] } }));
    let two = |first: Value, second: Value| json!([first, second]);
    rows(
        &good,
        vec![
            (Both, "spec", Value::Null),
            (Both, "spec.ports", json!([])),
            (Both, "spec.ports.0.port", Value::Null),
            (Both, "spec.ports.0.port", json!(0)),
            (Both, "spec.ports.0.port", json!(65536)),
            (Both, "spec.ports.0.name", json!("A")),
            (Good, "spec.ports.0.name", json!("a-very-long-name-that-no-container-may-have")),
            (Both, "spec.ports.0.protocol", json!("tcp")),
            (Good, "spec.ports.0.protocol", json!("UDP")),
            (Both, "spec.ports.0.targetPort", json!(70000)),
            (Good, "spec.ports.0.targetPort", json!(0)),
            (Good, "spec.ports.0.targetPort", json!("http")),
            (Both, "spec.ports.0.targetPort", json!("8080")),
            (Both, "spec.ports.0.targetPort", json!("a-very-long-name")),
            (Both, "spec.ports.0.appProtocol", json!("a b")),
            (Both, "spec.ports.0.nodePort", json!(30080)),
            (Both, "spec.ports", two(json!({ "port": 80 }), json!({ "port": 81 }))),
            (Both, "spec.ports", two(json!({ "port": 80, "name": "a" }), json!({ "port": 81, "name": "a" }))),
            (Both, "spec.ports", two(json!({ "port": 80, "name": "a" }), json!({ "port": 80, "name": "b" }))),
            (
                Good,
                "spec.ports",
                two(json!({ "port": 80, "name": "a" }), json!({ "port": 80, "name": "b", "protocol": "UDP" })),
            ),
            (Both, "spec.selector", json!({ "a b": "c" })),
            (Both, "spec.selector", json!({ "a": "c d" })),
            (Both, "spec.type", json!("Cluster")),
            (Good, "spec.type", json!("NodePort")),
            (Good, "spec.type", json!("LoadBalancer")),
            (Both, "spec.type", json!("ExternalName")),
            (Good, "spec", json!({ "type": "ExternalName", "externalName": "example.com." })),
            (Both, "spec", json!({ "type": "ExternalName", "externalName": "Example com" })),
            (Both, "spec", json!({ "type": "ExternalName", "externalName": "a.b", "clusterIP": "None" })),
            (Both, "spec", json!({ "type": "ExternalName", "externalName": "a.b", "ipFamilies": ["IPv4"] })),
            (Good, "spec", json!({ "clusterIP": "None" })),
            (Both, "spec", json!({ "clusterIP": "None", "type": "NodePort", "ports": [{ "port": 80 }] })),
            (Both, "spec", json!({ "clusterIP": "None", "type": "LoadBalancer", "ports": [{ "port": 80 }] })),
            (Both, "spec.clusterIP", json!("none")),
            // The cluster chooses, and an address may be taken.
            (Both, "spec.clusterIP", json!("1.2.3.4")),
            (Stricter, "spec.externalIPs", json!(["1.2.3.4"])),
            (Both, "spec.sessionAffinity", json!("Client")),
            (Good, "spec.sessionAffinity", json!("ClientIP")),
            // Kubernetes drops it.
            (Stricter, "spec.sessionAffinityConfig", json!({ "clientIP": { "timeoutSeconds": 5 } })),
            (
                Both,
                "spec",
                json!({ "ports": [{ "port": 80 }], "sessionAffinity": "ClientIP", "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 86401 } } }),
            ),
            (
                Good,
                "spec",
                json!({ "ports": [{ "port": 80 }], "sessionAffinity": "ClientIP", "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 86400 } } }),
            ),
            (Both, "spec.externalTrafficPolicy", json!("Local")),
            (Good, "spec", json!({ "type": "NodePort", "ports": [{ "port": 80 }], "externalTrafficPolicy": "Local" })),
            (
                Both,
                "spec",
                json!({ "type": "NodePort", "ports": [{ "port": 80 }], "externalTrafficPolicy": "Nowhere" }),
            ),
            (Good, "spec", json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 30080 }] })),
            // A dry run gives out no ports, and so does not see that this one is not to be had.
            (Stricter, "spec", json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 80 }] })),
            (Both, "spec.internalTrafficPolicy", json!("Nowhere")),
            (Both, "spec.trafficDistribution", json!("Nowhere")),
            (Good, "spec.trafficDistribution", json!("PreferClose")),
            (Both, "spec.healthCheckNodePort", json!(30080)),
            (Both, "spec.allocateLoadBalancerNodePorts", json!(false)),
            (Both, "spec.loadBalancerClass", json!("a.b/c")),
            (Both, "spec.loadBalancerSourceRanges", json!(["10.0.0.0/8"])),
            (
                Good,
                "spec",
                json!({ "type": "LoadBalancer", "ports": [{ "port": 80 }], "loadBalancerSourceRanges": ["10.0.0.0/8"], "loadBalancerClass": "a.b/c" }),
            ),
            (
                Both,
                "spec",
                json!({ "type": "LoadBalancer", "ports": [{ "port": 80 }], "loadBalancerSourceRanges": ["10.0.0.0"] }),
            ),
            (Both, "spec.ipFamilyPolicy", json!("Both")),
            (Both, "spec.ipFamilies", json!(["IPv5"])),
            (Both, "spec.ipFamilies", json!(["IPv4", "IPv4"])),
        ],
    )
}

pub fn ingresses() -> Vec<Row> {
    let backend = json!({ "service": { "name": "a", "port": { "number": 80 } } });
    let good = object(
        "networking.k8s.io/v1",
        "Ingress",
        json!({ "spec": { "rules": [{ "host": "example.com", "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] } }] } }),
    );
    let path = "spec.rules.0.http.paths.0";
    let of = |field: &'static str| format!("{path}.{field}");
    let fields = [
        (Both, of("pathType"), Value::Null),
        (Both, of("pathType"), json!("Regex")),
        (Good, of("pathType"), json!("ImplementationSpecific")),
        (Both, of("path"), json!("a")),
        (Both, of("path"), Value::Null),
        (Both, of("path"), json!("/a//b")),
        (Both, of("path"), json!("/a/..")),
        (Both, of("path"), json!("/a%2Fb")),
        (Good, of("path"), json!("/a/b/")),
        (Both, of("backend"), json!({})),
        (Both, of("backend.service.name"), json!("A")),
        (Both, of("backend.service.name"), json!("")),
        (Stricter, of("backend.service.name"), json!("1a")),
        (Both, of("backend.service.port"), json!({})),
        (Both, of("backend.service.port"), json!({ "number": 70000 })),
        (Both, of("backend.service.port"), json!({ "number": 80, "name": "http" })),
        (Good, of("backend.service.port"), json!({ "name": "http" })),
        (Both, of("backend.service.port"), json!({ "name": "HTTP" })),
        (Both, of("backend.resource"), json!({ "kind": "Bucket", "name": "a" })),
        (Good, of("backend"), json!({ "resource": { "apiGroup": "a.b", "kind": "Bucket", "name": "a" } })),
        (Both, of("backend"), json!({ "resource": { "kind": "Bucket", "name": "a/b" } })),
    ];
    let mut all = rows(
        &good,
        vec![
            (Both, "spec", json!({})),
            (Both, "spec.rules", json!([])),
            (Good, "spec.rules.0.host", json!("*.example.com")),
            (Both, "spec.rules.0.host", json!("*.com.*")),
            (Both, "spec.rules.0.host", json!("Example.com")),
            (Both, "spec.rules.0.host", json!("1.2.3.4")),
            (Good, "spec.rules.0.http", Value::Null),
            (Both, "spec.rules.0.http.paths", json!([])),
            (Both, "spec.ingressClassName", json!("A b")),
            (Good, "spec.ingressClassName", json!("nginx")),
            (Both, "spec.tls", json!([{ "hosts": ["A"] }])),
            (Both, "spec.tls", json!([{ "secretName": "A" }])),
            (Good, "spec.tls", json!([{ "hosts": ["example.com", "*.example.com"], "secretName": "a" }])),
            (Good, "spec", json!({ "defaultBackend": backend })),
            (Both, "spec", json!({ "defaultBackend": {} })),
        ],
    );
    for (verdict, path, value) in fields {
        all.extend(rows(&good, vec![(verdict, &path, value)]).pop());
    }
    let mut both = good;
    both["spec"]["ingressClassName"] = json!("b");
    both["metadata"]["annotations"] = json!({ "kubernetes.io/ingress.class": "a" });
    all.push(Row { verdict: Both, object: both });
    all
}

pub fn deployments() -> Vec<Row> {
    let spec = json!({
        "selector": { "matchLabels": { "app": "a" } },
        "template": { "metadata": { "labels": { "app": "a", "b": "c" } }, "spec": pod() },
    });
    let good = object("apps/v1", "Deployment", json!({ "spec": spec }));
    let update = |update: Value| json!({ "type": "RollingUpdate", "rollingUpdate": update });
    rows(
        &good,
        vec![
            (Both, "spec", Value::Null),
            (Both, "spec.replicas", json!(-1)),
            (Good, "spec.replicas", json!(0)),
            (Both, "spec.selector", Value::Null),
            (Both, "spec.selector", json!({})),
            (Both, "spec.selector", json!({ "matchLabels": { "app": "b" } })),
            (Both, "spec.selector", json!({ "matchLabels": { "a b": "b" } })),
            (
                Good,
                "spec.selector",
                json!({ "matchExpressions": [{ "key": "app", "operator": "In", "values": ["a", "b"] }, { "key": "b", "operator": "Exists" }, { "key": "x", "operator": "NotIn", "values": ["y"] }, { "key": "x", "operator": "DoesNotExist" }] }),
            ),
            (Both, "spec.selector", json!({ "matchExpressions": [{ "key": "app", "operator": "DoesNotExist" }] })),
            (Both, "spec.selector", json!({ "matchExpressions": [{ "key": "app", "operator": "Is" }] })),
            (Both, "spec.template.metadata", Value::Null),
            (Both, "spec.template.spec.restartPolicy", json!("Never")),
            (Good, "spec.template.spec.restartPolicy", json!("Always")),
            (Both, "spec.template.spec.activeDeadlineSeconds", json!(5)),
            (Both, "spec.minReadySeconds", json!(-1)),
            (Both, "spec.minReadySeconds", json!(600)),
            (Good, "spec.minReadySeconds", json!(599)),
            (Both, "spec.progressDeadlineSeconds", json!(0)),
            (Both, "spec.revisionHistoryLimit", json!(-1)),
            (Both, "spec.strategy", json!({ "type": "Rolling" })),
            (Good, "spec.strategy", json!({ "type": "Recreate" })),
            (Both, "spec.strategy", json!({ "type": "Recreate", "rollingUpdate": { "maxSurge": 1 } })),
            (Good, "spec.strategy", update(json!({ "maxSurge": "50%", "maxUnavailable": 0 }))),
            (Both, "spec.strategy", update(json!({ "maxSurge": 0, "maxUnavailable": 0 }))),
            (Both, "spec.strategy", update(json!({ "maxSurge": "0%", "maxUnavailable": 0 }))),
            (Both, "spec.strategy", update(json!({ "maxSurge": -1 }))),
            (Both, "spec.strategy", update(json!({ "maxSurge": "1" }))),
            (Both, "spec.strategy", update(json!({ "maxUnavailable": "101%" }))),
            (Good, "spec.strategy", update(json!({ "maxUnavailable": 101 }))),
        ],
    )
}

pub fn cron_jobs() -> Vec<Row> {
    let good = object(
        "batch/v1",
        "CronJob",
        json!({ "spec": { "schedule": "*/5 * * * *", "jobTemplate": { "spec": job(json!({})) } } }),
    );
    let schedules = [
        (Both, "foo"),
        (Both, ""),
        (Both, "* * * *"),
        (Both, "* * * * * *"),
        (Both, "60 * * * *"),
        (Both, "* 24 * * *"),
        (Both, "* * 0 * *"),
        (Both, "* * 32 * *"),
        (Both, "* * * 13 *"),
        (Both, "* * * * 7"),
        (Good, "* * * * 6"),
        (Both, "5-1 * * * *"),
        (Both, "*/0 * * * *"),
        (Good, "5/10 1-3,7 ? JAN-mar Mon"),
        (Both, "* * * * monday"),
        (Good, "@hourly"),
        (Good, "@every 1h30m"),
        (Both, "@every 1"),
        (Both, "@often"),
        (Both, "@Daily"),
        (Both, "TZ=Etc/UTC * * * * *"),
        (Both, "CRON_TZ=Etc/UTC * * * * *"),
        (Both, "a-b-c * * * *"),
        (Both, "1/2/3 * * * *"),
        // They are read as something else than what is written, or as never.
        (Stricter, "1,,2 * * * *"),
        (Stricter, "*-5 * * * *"),
        (Stricter, "+5 * * * *"),
        (Stricter, "@every -1h"),
    ];
    let mut all =
        rows(&good, schedules.into_iter().map(|(verdict, text)| (verdict, "spec.schedule", json!(text))).collect());
    let job_rows = [
        (Both, json!({ "parallelism": -1 })),
        (Both, json!({ "completions": -1 })),
        (Both, json!({ "backoffLimit": -1 })),
        (Both, json!({ "activeDeadlineSeconds": -1 })),
        (Both, json!({ "ttlSecondsAfterFinished": -1 })),
        (Both, json!({ "completionMode": "Random" })),
        (Both, json!({ "completionMode": "Indexed" })),
        (Good, json!({ "completionMode": "Indexed", "completions": 3 })),
        (Both, json!({ "completionMode": "Indexed", "completions": 3, "parallelism": 100_001 })),
        (Both, json!({ "backoffLimitPerIndex": 1 })),
        (
            Good,
            json!({ "completionMode": "Indexed", "completions": 3, "backoffLimitPerIndex": 1, "maxFailedIndexes": 3 }),
        ),
        (
            Both,
            json!({ "completionMode": "Indexed", "completions": 3, "backoffLimitPerIndex": 1, "maxFailedIndexes": 4 }),
        ),
        (Both, json!({ "completionMode": "Indexed", "completions": 3, "maxFailedIndexes": 1 })),
        (Both, json!({ "selector": { "matchLabels": { "a": "b" } } })),
        (Both, json!({ "manualSelector": true })),
        // Only the cluster's own controller makes pods of it.
        (Stricter, json!({ "managedBy": "example.com/a" })),
        (Both, json!({ "podReplacementPolicy": "Never" })),
        (Good, json!({ "podReplacementPolicy": "Failed" })),
        (Both, json!({ "successPolicy": { "rules": [{ "succeededCount": 1 }] } })),
    ];
    let failing = [
        (Good, json!({ "action": "FailJob", "onExitCodes": { "operator": "In", "values": [1, 42] } })),
        (Good, json!({ "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] })),
        (Both, json!({ "action": "Explode", "onExitCodes": { "operator": "In", "values": [1] } })),
        (Both, json!({ "action": "FailIndex", "onExitCodes": { "operator": "In", "values": [1] } })),
        (Both, json!({ "action": "FailJob" })),
        (Both, json!({ "action": "FailJob", "onExitCodes": { "operator": "Is", "values": [1] } })),
        (Both, json!({ "action": "FailJob", "onExitCodes": { "operator": "In", "values": [0] } })),
        (Both, json!({ "action": "FailJob", "onExitCodes": { "operator": "In", "values": [] } })),
        (Both, json!({ "action": "FailJob", "onExitCodes": { "operator": "In", "values": [2, 1] } })),
        (Both, json!({ "action": "FailJob", "onExitCodes": { "operator": "In", "values": [1, 1] } })),
        (
            Both,
            json!({ "action": "FailJob", "onExitCodes": { "operator": "In", "values": [1], "containerName": "x" } }),
        ),
        (Both, json!({ "action": "Ignore", "onPodConditions": [{ "type": "a b", "status": "True" }] })),
        (Both, json!({ "action": "Ignore", "onPodConditions": [{ "type": "a", "status": "Maybe" }] })),
    ];
    let succeeding = [
        (Good, json!({ "succeededCount": 1 })),
        (Good, json!({ "succeededIndexes": "0,2-3", "succeededCount": 3 })),
        (Both, json!({ "succeededIndexes": "0,2-3", "succeededCount": 4 })),
        (Both, json!({ "succeededCount": 6 })),
        (Both, json!({ "succeededIndexes": "3-2" })),
        (Both, json!({ "succeededIndexes": "5" })),
        (Both, json!({ "succeededIndexes": "0-1-2" })),
        (Both, json!({ "succeededIndexes": "a" })),
        (Both, json!({})),
    ];
    let job_rows = job_rows.into_iter().map(|(verdict, members)| (verdict, job(members)));
    let failing = failing.map(|(verdict, rule)| (verdict, job(json!({ "podFailurePolicy": { "rules": [rule] } }))));
    let succeeding = succeeding.map(|(verdict, rule)| {
        let policy = json!({ "completionMode": "Indexed", "completions": 5, "successPolicy": { "rules": [rule] } });
        (verdict, job(policy))
    });
    let mut changes: Vec<(Verdict, &str, Value)> = job_rows
        .chain(failing)
        .chain(succeeding)
        .map(|(verdict, job)| (verdict, "spec.jobTemplate.spec", job))
        .collect();
    let restart = "spec.jobTemplate.spec.template.spec.restartPolicy";
    changes.extend([
        (Both, "spec.jobTemplate", json!({})),
        (Both, restart, Value::Null),
        (Both, restart, json!("Always")),
        (Good, restart, json!("OnFailure")),
        (Both, "spec.concurrencyPolicy", json!("Sometimes")),
        (Good, "spec.concurrencyPolicy", json!("Forbid")),
        (Both, "spec.startingDeadlineSeconds", json!(-1)),
        (Both, "spec.successfulJobsHistoryLimit", json!(-1)),
        (Both, "spec.failedJobsHistoryLimit", json!(-1)),
        (Good, "spec.failedJobsHistoryLimit", json!(0)),
        (Good, "spec.timeZone", json!("Europe/Berlin")),
        (Good, "spec.timeZone", json!("Etc/UTC")),
        (Both, "spec.timeZone", json!("Mars/Phobos")),
        (Both, "spec.timeZone", json!("Local")),
        (Both, "spec.timeZone", json!("")),
        (Both, "spec.timeZone", json!("europe/berlin")),
    ]);
    all.extend(rows(&good, changes).into_iter().skip(1));
    all
}

pub fn config_maps() -> Vec<Row> {
    let good = object("v1", "ConfigMap", json!({ "data": { "a.b_C-1": "x" }, "binaryData": { "b": "AAAA" } }));
    rows(
        &good,
        vec![
            (Both, "data", json!({ "a b": "x" })),
            (Both, "data", json!({ "": "x" })),
            (Both, "data", json!({ ".": "x" })),
            (Both, "data", json!({ "..a": "x" })),
            (Good, "data", json!({ ".a": "x" })),
            (Both, "data", json!({ "a".repeat(254): "x" })),
            (Both, "data", json!({ "b": "x" })),
            (Both, "binaryData", json!({ "a/b": "AAAA" })),
            (Both, "binaryData", json!({ "c": "no base64" })),
            // The YAML of a file may not be larger than a ConfigMap.
            (Good, "data", json!({ "a": "x".repeat(1_000_000) })),
            (Both, "data", json!({ "a": "x".repeat(1024 * 1024) })),
            (Good, "immutable", json!(true)),
        ],
    )
}

pub fn claims() -> Vec<Row> {
    let spec = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    let good = object("v1", "PersistentVolumeClaim", json!({ "spec": spec }));
    let storage = "spec.resources.requests.storage";
    rows(
        &good,
        vec![
            (Both, "spec", Value::Null),
            (Both, storage, json!("1GB")),
            (Both, storage, json!("10 Gi")),
            (Both, storage, json!("-1Gi")),
            (Both, storage, json!("0")),
            (Good, storage, json!("1.5Gi")),
            (Good, storage, json!("1e9")),
            (Both, "spec.resources", json!({ "requests": { "memory": "1Gi" } })),
            (Both, "spec.resources", Value::Null),
            (Both, "spec.accessModes", json!([])),
            (Both, "spec.accessModes", json!(["ReadWrite"])),
            (Good, "spec.accessModes", json!(["ReadWriteMany", "ReadOnlyMany"])),
            (Both, "spec.accessModes", json!(["ReadWriteOncePod", "ReadWriteOnce"])),
            (Good, "spec.storageClassName", json!("fast")),
            (Both, "spec.storageClassName", json!("Fast one")),
            (Good, "spec.volumeMode", json!("Block")),
            (Both, "spec.volumeMode", json!("File")),
            // What is there already may be somebody else's.
            (Stricter, "spec.volumeName", json!("a")),
            (Stricter, "spec.selector", json!({ "matchLabels": { "a": "b" } })),
        ],
    )
}
