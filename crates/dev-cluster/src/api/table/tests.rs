//! The cells that kube-apiserver 1.36 showed for the same objects.

use super::jsonpath::JsonPath;
use super::{Columns, IncludeObject, age, render};
use chrono::{DateTime, TimeDelta, Utc};
use insta::assert_snapshot;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

const CREATED: &str = "2026-01-01T00:00:00Z";

fn now() -> DateTime<Utc> {
    age::parse("2026-01-01T00:15:00Z").unwrap()
}

fn table(columns: &Columns, object: &Value) -> Value {
    render(columns, &json!({}), &[object], IncludeObject::None, true, now())
}

/// A row as text, its cells parted by bars.
fn row(columns: &Columns, object: &Value) -> String {
    let table = table(columns, object);
    let cells = table["rows"][0]["cells"].as_array().unwrap().iter();
    cells.map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned)).collect::<Vec<_>>().join(" | ")
}

fn builtin(group: &str, kind: &str, name: &str, mut object: Value) -> String {
    object["metadata"]["name"] = name.into();
    object["metadata"]["creationTimestamp"] = CREATED.into();
    row(&Columns::builtin(group, kind), &object)
}

fn pod(name: &str, status: Value) -> String {
    let mut spec = json!({"containers": [{"name": "m", "image": "i"}]});
    if name.starts_with("init") {
        spec["initContainers"] = json!([{"name": "x", "image": "i"}]);
    }
    let cells = builtin("", "Pod", name, json!({"spec": spec, "status": status}));
    cells.split(" | ").take(4).collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_pod_shows_the_state_of_its_containers() {
    let container = |state: Value| json!([{"name": "m", "ready": false, "restartCount": 3, "state": state}]);
    let with = |phase: &str, state: Value| json!({"phase": phase, "containerStatuses": container(state)});
    let rows = [
        pod("pending", json!({"phase": "Pending"})),
        pod(
            "gated",
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}),
        ),
        pod("crash", with("Running", json!({"waiting": {"reason": "CrashLoopBackOff"}}))),
        pod("done", with("Succeeded", json!({"terminated": {"exitCode": 0, "reason": "Completed"}}))),
        pod("oom", with("Failed", json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}))),
        pod("signal", with("Failed", json!({"terminated": {"exitCode": 137, "signal": 9}}))),
        pod("code", with("Failed", json!({"terminated": {"exitCode": 3}}))),
        pod("evicted", json!({"phase": "Failed", "reason": "Evicted"})),
    ];
    assert_snapshot!(rows.join("\n"), @r"
    pending | 0/1 | Pending | 0
    gated | 0/1 | SchedulingGated | 0
    crash | 0/1 | CrashLoopBackOff | 3
    done | 0/1 | Completed | 3
    oom | 0/1 | OOMKilled | 3
    signal | 0/1 | Signal:9 | 3
    code | 0/1 | ExitCode:3 | 3
    evicted | 0/1 | Evicted | 0
    ");
}

#[test]
fn a_pod_shows_what_its_init_containers_wait_for() {
    let init = |state: Value| json!({"phase": "Pending", "initContainerStatuses": [{"name": "x", "restartCount": 4, "state": state}]});
    assert_snapshot!(pod("init", init(json!({"running": {}}))), @"init | 0/1 | Init:0/1 | 4");
    assert_snapshot!(pod("init", init(json!({"terminated": {"exitCode": 2, "reason": "Error"}}))), @"init | 0/1 | Init:Error | 4");
    assert_snapshot!(pod("init", init(json!({"waiting": {"reason": "ImagePullBackOff"}}))), @"init | 0/1 | Init:ImagePullBackOff | 4");
}

#[test]
fn a_running_pod_shows_its_last_restart_and_where_it_is() {
    let status = json!({
        "phase": "Running", "podIPs": [{"ip": "10.0.0.9"}],
        "containerStatuses": [{
            "name": "m", "ready": true, "restartCount": 2, "state": {"running": {}},
            "lastState": {"terminated": {"finishedAt": "2026-01-01T00:10:00Z"}},
        }],
    });
    let running = json!({"spec": {"nodeName": "gpu-1", "containers": [{"name": "m"}]}, "status": status});
    assert_snapshot!(builtin("", "Pod", "run", running.clone()), @"run | 1/1 | Running | 2 (5m ago) | 15m | 10.0.0.9 | gpu-1 | <none> | <none>");
    let mut deleted = running;
    deleted["metadata"]["deletionTimestamp"] = CREATED.into();
    assert_snapshot!(builtin("", "Pod", "run", deleted), @"run | 1/1 | Terminating | 2 (5m ago) | 15m | 10.0.0.9 | gpu-1 | <none> | <none>");
}

#[test]
fn core_kinds_have_their_columns() {
    let node =
        json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"unschedulable": true}});
    assert_snapshot!(builtin("", "Node", "gpu-1", node), @"gpu-1 | Ready,SchedulingDisabled | <none> | 15m |  | <none> | <none> | <unknown> | <unknown> | <unknown>");
    let service = json!({"spec": {
        "type": "NodePort", "selector": {"b": "2", "a": "1"}, "clusterIP": "10.0.0.77",
        "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP", "nodePort": 30053}],
    }});
    assert_snapshot!(builtin("", "Service", "s", service), @"s | NodePort | 10.0.0.77 | <none> | 80:30080/TCP,53:30053/UDP | 15m | a=1,b=2");
    let volume = json!({
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "storageClassName": "fast",
            "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"name": "c", "namespace": "t"}, "volumeMode": "Filesystem",
        },
        "status": {"phase": "Bound"},
    });
    assert_snapshot!(builtin("", "PersistentVolume", "pv1", volume), @"pv1 | 1Gi | RWO,ROX | Retain | Bound | t/c | fast | <unset> |  | 15m | Filesystem");
    let claim = json!({
        "spec": {"volumeName": "pv1", "storageClassName": "fast", "volumeMode": "Filesystem"},
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"]},
    });
    assert_snapshot!(builtin("", "PersistentVolumeClaim", "c", claim), @"c | Bound | pv1 | 1Gi | RWX | fast | <unset> | 15m | Filesystem");
    let quota = json!({"status": {
        "hard": {"limits.cpu": "4", "requests.cpu": "2", "pods": "10"},
        "used": {"limits.cpu": "1", "requests.cpu": "500m", "pods": "3"},
    }});
    assert_snapshot!(builtin("", "ResourceQuota", "q", quota), @"q | pods: 3/10, requests.cpu: 500m/2 | limits.cpu: 1/4 | 15m");
    assert_snapshot!(builtin("", "ConfigMap", "c", json!({"data": {"a": ""}, "binaryData": {"b": ""}})), @"c | 2 | 15m");
    assert_snapshot!(builtin("", "Secret", "z", json!({"type": "Opaque", "data": {"a": "YQ=="}})), @"z | Opaque | 1 | 15m");
    assert_snapshot!(builtin("", "Namespace", "t", json!({"status": {"phase": "Active"}})), @"t | Active | 15m");
}

#[test]
fn an_event_is_shown_by_what_it_is_about() {
    let event = json!({
        "type": "Normal", "reason": "RegisteredNode", "involvedObject": {"kind": "Node", "name": "gpu-1"}, "count": 1,
        "source": {"component": "node-controller"}, "message": "registered\n", "lastTimestamp": CREATED, "firstTimestamp": CREATED,
    });
    assert_snapshot!(builtin("", "Event", "e.1", event), @"15m | Normal | RegisteredNode | node/gpu-1 |  | node-controller | registered | 15m | 1 | e.1");
}

#[test]
fn workloads_show_how_far_they_are() {
    let containers = json!([{"name": "m", "image": "i"}, {"name": "n", "image": "j"}]);
    let expressions = json!([{"key": "k", "operator": "In", "values": ["x", "y"]}]);
    let selector = json!({"matchLabels": {"a": "b"}, "matchExpressions": expressions});
    let template = json!({"spec": {"containers": containers}});
    let deployment = json!({
        "spec": {"replicas": 3, "selector": selector, "template": template},
        "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
    });
    assert_snapshot!(builtin("apps", "Deployment", "d", deployment), @"d | 1/3 | 2 | 1 | 15m | m,n | i,j | a=b,k in (x,y)");
    let job = json!({
        "spec": {"completions": 3, "template": template},
        "status": {"startTime": "2026-01-01T00:05:00Z", "succeeded": 1},
    });
    assert_snapshot!(builtin("batch", "Job", "j", job.clone()), @"j | Running | 1/3 | 10m | 15m | m,n | i,j | <none>");
    let mut failed = job;
    failed["status"]["conditions"] =
        json!([{"type": "Failed", "status": "True", "lastTransitionTime": "2026-01-01T00:06:30Z"}]);
    assert_snapshot!(builtin("batch", "Job", "j", failed), @"j | Failed | 1/3 | 90s | 15m | m,n | i,j | <none>");
    let cron = json!({"spec": {"schedule": "0 * * * *", "timeZone": "Europe/Berlin"}});
    assert_snapshot!(builtin("batch", "CronJob", "c", cron), @"c | 0 * * * * | Europe/Berlin | False | 0 | <none> | 15m |  |  | <none>");
}

#[test]
fn a_kind_without_columns_of_its_own_shows_when_it_was_created() {
    assert_snapshot!(builtin("rbac.authorization.k8s.io", "Role", "r", json!({})), @"r | 2026-01-01T00:00:00Z");
}

#[test]
fn a_custom_resource_shows_the_columns_of_its_definition() {
    let column = |name: &str, kind: &str, path: &str| json!({"name": name, "type": kind, "jsonPath": path});
    let definition: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {"name": "widgets.test.io"},
        "spec": {
            "group": "test.io", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "additionalPrinterColumns": [
                column("Count", "integer", ".spec.count"),
                column("Flag", "boolean", ".spec.flag"),
                column("When", "date", ".spec.when"),
                column("Ratio", "number", ".spec.ratio"),
                column("Names", "string", ".spec.ports[*].name"),
                column("Web", "string", ".spec.ports[?(@.port==80)].name"),
                column("Labels", "string", ".spec.labels"),
                column("Absent", "string", ".spec.absent"),
            ]}],
        },
    }))
    .unwrap();
    let widget = json!({"metadata": {"name": "w"}, "spec": {
        "count": 3, "flag": true, "when": CREATED, "ratio": 1.5, "labels": {"x": "y"},
        "ports": [{"port": 1, "name": "a"}, {"port": 80, "name": "b"}],
    }});
    assert_snapshot!(row(&Columns::custom(&definition, "v1"), &widget), @r#"w | 3 | true | 15m | 1.5 | a | b | {"x":"y"} | null"#);
    let without_columns = Columns::custom(&definition, "v2");
    assert_snapshot!(row(&without_columns, &json!({"metadata": {"name": "w", "creationTimestamp": CREATED}})), @"w | 15m");
}

#[test]
fn paths_step_through_keys_with_dots_and_from_the_end() {
    let object = json!({"metadata": {"labels": {"a.b/c": "dotted"}}, "list": [1, 2, 3]});
    let first = |path: &str| JsonPath::parse(path).and_then(|path| path.first(&object).cloned());
    assert_eq!(first(r".metadata.labels.a\.b/c"), Some(json!("dotted")));
    assert_eq!(first(".metadata.labels['a.b/c']"), Some(json!("dotted")));
    assert_eq!(first(".list[-1]"), Some(json!(3)));
    assert_eq!(first(".list[7]"), None);
    assert_eq!(first(".list[?(@.x"), None);
}

#[test]
fn a_row_carries_as_much_of_its_object_as_was_asked_for() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t"}, "spec": {}});
    let columns = Columns::builtin("", "Namespace");
    let row = |include| render(&columns, &json!({"resourceVersion": "7"}), &[&namespace], include, false, now());
    assert_eq!(row(IncludeObject::None)["rows"][0].get("object"), None);
    assert_eq!(
        row(IncludeObject::Metadata)["rows"][0]["object"],
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "t"}})
    );
    assert_eq!(row(IncludeObject::Object)["rows"][0]["object"], namespace);
    assert_eq!(row(IncludeObject::Object)["columnDefinitions"], Value::Null);
    assert_eq!(row(IncludeObject::Object)["metadata"]["resourceVersion"], "7");
}

#[test]
fn durations_have_two_units_while_they_are_short() {
    for (seconds, shown) in [
        (-5, "<invalid>"),
        (-1, "0s"),
        (119, "119s"),
        (120, "2m"),
        (201, "3m21s"),
        (3600, "60m"),
        (4 * 3600 + 300, "4h5m"),
        (30 * 3600, "30h"),
        (3 * 86_400 + 4 * 3600, "3d4h"),
        (90 * 86_400, "90d"),
        (800 * 86_400, "2y70d"),
        (9 * 365 * 86_400, "9y"),
    ] {
        assert_eq!(age::human(TimeDelta::seconds(seconds)), shown, "{seconds}");
    }
}
