//! The columns of the core kinds.

use super::builtin::{Column, NAME, wide};
use super::cell::{Row, count, joined, labels, list, number, text, walk};
use super::pod;
use super::{ColumnType, age};
use serde_json::Value;

const AGE: Column = super::builtin::AGE;

/// The columns of a core kind; `None` for one that has no more than a name and an age.
pub(super) fn columns(kind: &str) -> Option<&'static [Column]> {
    Some(match kind {
        "Pod" => POD,
        "Node" => NODE,
        "Namespace" => NAMESPACE,
        "PersistentVolumeClaim" => CLAIM,
        "PersistentVolume" => VOLUME,
        "Service" => SERVICE,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "ServiceAccount" => ACCOUNT,
        "ResourceQuota" => QUOTA,
        "Endpoints" => ENDPOINTS,
        "Event" => EVENT,
        _ => return None,
    })
}

const POD: &[Column] = &[
    NAME,
    Column::text("Ready", |row| pod::summarize(row.object, row.now).ready.into()),
    Column::text("Status", |row| pod::summarize(row.object, row.now).status.into()),
    Column::text("Restarts", |row| pod::summarize(row.object, row.now).restarts.into()),
    AGE,
    wide("IP", |row| {
        let first = list(row.object, "/status/podIPs").find_map(|entry| text(entry, "/ip"));
        first.or(text(row.object, "/status/podIP")).unwrap_or("<none>").into()
    }),
    wide("Node", |row| row.text_or("/spec/nodeName", "<none>")),
    wide("Nominated Node", |row| row.text_or("/status/nominatedNodeName", "<none>")),
    wide("Readiness Gates", readiness_gates),
];

fn readiness_gates(row: &Row) -> Value {
    let gates = count(row.object, "/spec/readinessGates");
    if gates == 0 {
        return "<none>".into();
    }
    let is_true = |gate: &&Value| {
        let mut conditions = list(row.object, "/status/conditions");
        conditions.any(|condition| condition["type"] == gate["conditionType"] && condition["status"] == "True")
    };
    let open = list(row.object, "/spec/readinessGates").filter(is_true).count();
    format!("{open}/{gates}").into()
}

const NODE: &[Column] = &[
    NAME,
    Column::text("Status", node_status),
    Column::text("Roles", node_roles),
    AGE,
    Column::text("Version", |row| row.text_or("/status/nodeInfo/kubeletVersion", "")),
    wide("Internal-IP", |row| node_address(row, "InternalIP")),
    wide("External-IP", |row| node_address(row, "ExternalIP")),
    wide("OS-Image", |row| row.text_or("/status/nodeInfo/osImage", "<unknown>")),
    wide("Kernel-Version", |row| row.text_or("/status/nodeInfo/kernelVersion", "<unknown>")),
    wide("Container-Runtime", |row| row.text_or("/status/nodeInfo/containerRuntimeVersion", "<unknown>")),
];

fn node_status(row: &Row) -> Value {
    let ready = list(row.object, "/status/conditions").find(|condition| condition["type"] == "Ready");
    let word = match ready.map(|condition| &condition["status"]) {
        None => "Unknown",
        Some(status) if status == "True" => "Ready",
        Some(_) => "NotReady",
    };
    let closed = if row.object["spec"]["unschedulable"] == true { ",SchedulingDisabled" } else { "" };
    format!("{word}{closed}").into()
}

fn node_roles(row: &Row) -> Value {
    let all = walk(row.object, "/metadata/labels").and_then(Value::as_object);
    let mut roles: Vec<&str> = all
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role).filter(|role| !role.is_empty()),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .collect();
    roles.sort_unstable();
    joined(roles.into_iter()).into()
}

fn node_address(row: &Row, kind: &str) -> Value {
    let found = list(row.object, "/status/addresses").find(|address| address["type"] == kind);
    found.and_then(|address| text(address, "/address")).unwrap_or("<none>").into()
}

const NAMESPACE: &[Column] = &[NAME, Column::text("Status", |row| row.text_or("/status/phase", "")), AGE];

const CLAIM: &[Column] = &[
    NAME,
    Column::text("Status", |row| {
        if text(row.object, "/metadata/deletionTimestamp").is_some() {
            return "Terminating".into();
        }
        row.text_or("/status/phase", "")
    }),
    Column::text("Volume", |row| row.text_or("/spec/volumeName", "")),
    Column::text("Capacity", |row| if_bound(row, |row| row.text_or("/status/capacity/storage", ""))),
    Column::text("Access Modes", |row| if_bound(row, |row| access_modes(row, "/status/accessModes"))),
    Column::text("StorageClass", storage_class),
    Column::text("VolumeAttributesClass", |row| row.text_or("/spec/volumeAttributesClassName", "<unset>")),
    AGE,
    wide("VolumeMode", |row| row.text_or("/spec/volumeMode", "<unset>")),
];

fn if_bound(row: &Row, shown: fn(&Row) -> Value) -> Value {
    if text(row.object, "/spec/volumeName").is_some() { shown(row) } else { "".into() }
}

fn storage_class(row: &Row) -> Value {
    let annotated = row.object["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].as_str();
    annotated.or(text(row.object, "/spec/storageClassName")).unwrap_or("").into()
}

fn access_modes(row: &Row, pointer: &str) -> Value {
    let short = |mode: &Value| match mode.as_str()? {
        "ReadWriteOnce" => Some("RWO"),
        "ReadOnlyMany" => Some("ROX"),
        "ReadWriteMany" => Some("RWX"),
        "ReadWriteOncePod" => Some("RWOP"),
        _ => None,
    };
    list(row.object, pointer).filter_map(short).collect::<Vec<_>>().join(",").into()
}

const VOLUME: &[Column] = &[
    NAME,
    Column::text("Capacity", |row| row.text_or("/spec/capacity/storage", "")),
    Column::text("Access Modes", |row| access_modes(row, "/spec/accessModes")),
    Column::text("Reclaim Policy", |row| row.text_or("/spec/persistentVolumeReclaimPolicy", "")),
    Column::text("Status", |row| {
        if text(row.object, "/metadata/deletionTimestamp").is_some() {
            return "Terminating".into();
        }
        row.text_or("/status/phase", "")
    }),
    Column::text("Claim", |row| match text(row.object, "/spec/claimRef/name") {
        None => "".into(),
        Some(name) => format!("{}/{name}", text(row.object, "/spec/claimRef/namespace").unwrap_or_default()).into(),
    }),
    Column::text("StorageClass", storage_class),
    Column::text("VolumeAttributesClass", |row| row.text_or("/spec/volumeAttributesClassName", "<unset>")),
    Column::text("Reason", |row| row.text_or("/status/reason", "")),
    AGE,
    wide("VolumeMode", |row| row.text_or("/spec/volumeMode", "<unset>")),
];

const SERVICE: &[Column] = &[
    NAME,
    Column::text("Type", |row| row.text_or("/spec/type", "ClusterIP")),
    Column::text("Cluster-IP", |row| row.text_or("/spec/clusterIP", "<none>")),
    Column::text("External-IP", external_addresses),
    Column::text("Port(s)", service_ports),
    AGE,
    wide("Selector", |row| labels(row.object, "/spec/selector").into()),
];

fn external_addresses(row: &Row) -> Value {
    let given = || list(row.object, "/spec/externalIPs").filter_map(Value::as_str);
    match text(row.object, "/spec/type") {
        Some("ExternalName") => row.text_or("/spec/externalName", "<none>"),
        Some("LoadBalancer") => {
            let balancers = list(row.object, "/status/loadBalancer/ingress");
            let all: Vec<&str> =
                balancers.filter_map(|entry| text(entry, "/ip").or(text(entry, "/hostname"))).chain(given()).collect();
            if all.is_empty() { "<pending>".into() } else { all.join(",").into() }
        }
        _ => joined(given()).into(),
    }
}

fn service_ports(row: &Row) -> Value {
    let ports = list(row.object, "/spec/ports").map(|port| {
        let node_port = number(port, "/nodePort").filter(|port| *port > 0).map(|port| format!(":{port}"));
        let protocol = text(port, "/protocol").unwrap_or("TCP");
        format!("{}{}/{protocol}", number(port, "/port").unwrap_or(0), node_port.unwrap_or_default())
    });
    joined(ports.collect::<Vec<_>>().iter().map(String::as_str)).into()
}

const CONFIG_MAP: &[Column] =
    &[NAME, Column::text("Data", |row| (count(row.object, "/data") + count(row.object, "/binaryData")).into()), AGE];

const SECRET: &[Column] = &[
    NAME,
    Column::text("Type", |row| row.text_or("/type", "Opaque")),
    Column::text("Data", |row| count(row.object, "/data").into()),
    AGE,
];

const ACCOUNT: &[Column] = &[NAME, AGE];

const QUOTA: &[Column] = &[
    NAME,
    Column::text("Request", |row| quota(row, |name| !name.starts_with("limits."))),
    Column::text("Limit", |row| quota(row, |name| name.starts_with("limits."))),
    AGE,
];

/// `requests.cpu: 1/4, pods: 2/10`.
fn quota(row: &Row, wanted: fn(&str) -> bool) -> Value {
    let hard = walk(row.object, "/status/hard").and_then(Value::as_object);
    let mut lines: Vec<String> = hard
        .into_iter()
        .flatten()
        .filter(|(name, _)| wanted(name))
        .map(|(name, limit)| {
            let used = row.object["status"]["used"][name].as_str().unwrap_or("0");
            format!("{name}: {used}/{}", limit.as_str().unwrap_or_default())
        })
        .collect();
    lines.sort();
    lines.join(", ").into()
}

const ENDPOINTS: &[Column] = &[NAME, Column::text("Endpoints", endpoints), AGE];

fn endpoints(row: &Row) -> Value {
    let mut all = Vec::new();
    for subset in list(row.object, "/subsets") {
        for address in list(subset, "/addresses").filter_map(|address| text(address, "/ip")) {
            all.extend(list(subset, "/ports").filter_map(|port| Some(format!("{address}:{}", number(port, "/port")?))));
        }
    }
    joined(all.iter().map(String::as_str)).into()
}

/// Events have their name last, and only when asked for more.
pub(super) const EVENT: &[Column] = &[
    Column::text("Last Seen", |row| event_time(row, LAST_SEEN).into()),
    Column::text("Type", |row| row.text_or("/type", "")),
    Column::text("Reason", |row| row.text_or("/reason", "")),
    Column::text("Object", |row| event_object(row).into()),
    wide("Subobject", |row| row.text_or("/involvedObject/fieldPath", "")),
    wide("Source", event_source),
    Column::text("Message", |row| {
        let message = text(row.object, "/message").or(text(row.object, "/note"));
        message.unwrap_or_default().trim().into()
    }),
    wide("First Seen", |row| event_time(row, FIRST_SEEN).into()),
    wide("Count", |row| {
        let count = number(row.object, "/count").or(number(row.object, "/series/count"));
        count.filter(|count| *count > 0).unwrap_or(1).into()
    }),
    Column { kind: ColumnType::Name, priority: 1, ..NAME },
];

const LAST_SEEN: &[&str] =
    &["/series/lastObservedTime", "/lastTimestamp", "/deprecatedLastTimestamp", "/eventTime", "/firstTimestamp"];
const FIRST_SEEN: &[&str] = &["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"];

fn event_time(row: &Row, pointers: &[&str]) -> String {
    let found = pointers.iter().find_map(|pointer| walk(row.object, pointer));
    age::since(found, row.now)
}

fn event_object(row: &Row) -> String {
    let of = |field: &str| {
        let found = ["/involvedObject", "/regarding"].map(|object| text(row.object, &format!("{object}/{field}")));
        found.into_iter().flatten().next().unwrap_or_default()
    };
    format!("{}/{}", of("kind").to_lowercase(), of("name"))
}

fn event_source(row: &Row) -> Value {
    let component = text(row.object, "/source/component").or(text(row.object, "/reportingComponent"));
    let host = text(row.object, "/source/host");
    joined(component.into_iter().chain(host)).replace("<none>", "").into()
}
