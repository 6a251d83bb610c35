//! The columns of the built-in kinds, as kube-apiserver 1.36 names and fills them.

use super::cell::{Row, joined, list, number, selector, text, walk};
use super::{ColumnType, core, workloads};
use serde_json::Value;

/// One column of a built-in kind.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: ColumnType,
    /// 0 is always shown, 1 with `-o wide`.
    pub(super) priority: i32,
    pub(super) cell: fn(&Row) -> Value,
}

impl Column {
    /// A column of any type that is always shown.
    pub(super) const fn of(name: &'static str, kind: ColumnType, cell: fn(&Row) -> Value) -> Column {
        Column { name, kind, priority: 0, cell }
    }

    /// A column of text that is always shown.
    pub(super) const fn text(name: &'static str, cell: fn(&Row) -> Value) -> Column {
        Column::of(name, ColumnType::Text, cell)
    }
}

/// A column of text that is shown with `-o wide`.
pub(super) const fn wide(name: &'static str, cell: fn(&Row) -> Value) -> Column {
    Column { name, kind: ColumnType::Text, priority: 1, cell }
}

pub(super) const NAME: Column = Column::of("Name", ColumnType::Name, |row| row.text_or("/metadata/name", ""));
pub(super) const AGE: Column = Column::text("Age", |row| row.since("/metadata/creationTimestamp"));

/// What is shown of a kind that has no columns of its own.
const DEFAULT: &[Column] =
    &[NAME, Column::of("Created At", ColumnType::Date, |row| row.text_or("/metadata/creationTimestamp", ""))];

/// The columns of a built-in kind.
pub(super) fn columns(group: &str, kind: &str) -> &'static [Column] {
    let found = match group {
        "" => core::columns(kind),
        "events.k8s.io" => Some(core::EVENT),
        "batch" | "apps" => workloads::columns(group, kind),
        _ => others(kind),
    };
    found.unwrap_or(DEFAULT)
}

fn others(kind: &str) -> Option<&'static [Column]> {
    Some(match kind {
        "PriorityClass" => PRIORITY_CLASS,
        "StorageClass" => STORAGE_CLASS,
        "Lease" => LEASE,
        "Ingress" => INGRESS,
        "IngressClass" => INGRESS_CLASS,
        "NetworkPolicy" => NETWORK_POLICY,
        "RoleBinding" | "ClusterRoleBinding" => BINDING,
        "PodDisruptionBudget" => DISRUPTION_BUDGET,
        "EndpointSlice" => ENDPOINT_SLICE,
        _ => return None,
    })
}

const PRIORITY_CLASS: &[Column] = &[
    NAME,
    Column::of("Value", ColumnType::Integer, |row| row.number("/value")),
    Column::of("Global-Default", ColumnType::Boolean, |row| (row.object["globalDefault"] == true).into()),
    AGE,
    Column::text("PreemptionPolicy", |row| row.text_or("/preemptionPolicy", "PreemptLowerPriority")),
];

const STORAGE_CLASS: &[Column] = &[
    Column { cell: storage_class_name, ..NAME },
    Column::text("Provisioner", |row| row.text_or("/provisioner", "")),
    Column::text("ReclaimPolicy", |row| row.text_or("/reclaimPolicy", "Delete")),
    Column::text("VolumeBindingMode", |row| row.text_or("/volumeBindingMode", "Immediate")),
    Column::text("AllowVolumeExpansion", |row| (row.object["allowVolumeExpansion"] == true).into()),
    AGE,
];

fn storage_class_name(row: &Row) -> Value {
    let name = text(row.object, "/metadata/name").unwrap_or_default();
    let default = &row.object["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"];
    if default == "true" { format!("{name} (default)").into() } else { name.into() }
}

const LEASE: &[Column] = &[NAME, Column::text("Holder", |row| row.text_or("/spec/holderIdentity", "")), AGE];

const INGRESS: &[Column] = &[
    NAME,
    Column::text("Class", |row| row.text_or("/spec/ingressClassName", "<none>")),
    Column::text("Hosts", |row| {
        let hosts: Vec<&str> = list(row.object, "/spec/rules").filter_map(|rule| text(rule, "/host")).collect();
        if hosts.is_empty() { "*".into() } else { hosts.join(",").into() }
    }),
    Column::text("Address", |row| {
        let balancers = list(row.object, "/status/loadBalancer/ingress");
        let all = balancers.filter_map(|entry| text(entry, "/ip").or(text(entry, "/hostname")));
        all.collect::<Vec<_>>().join(",").into()
    }),
    Column::text("Ports", |row| if walk(row.object, "/spec/tls").is_some() { "80, 443".into() } else { "80".into() }),
    AGE,
];

const INGRESS_CLASS: &[Column] = &[
    NAME,
    Column::text("Controller", |row| row.text_or("/spec/controller", "")),
    Column::text("Parameters", |row| match text(row.object, "/spec/parameters/name") {
        None => "<none>".into(),
        Some(name) => format!("{}/{name}", text(row.object, "/spec/parameters/kind").unwrap_or_default()).into(),
    }),
    AGE,
];

const NETWORK_POLICY: &[Column] =
    &[NAME, Column::text("Pod-Selector", |row| selector(row.object, "/spec/podSelector").into()), AGE];

const BINDING: &[Column] = &[
    NAME,
    Column::text("Role", |row| {
        let of = |field: &str| text(row.object, &format!("/roleRef/{field}")).unwrap_or_default();
        format!("{}/{}", of("kind"), of("name")).into()
    }),
    AGE,
    wide("Users", |row| subjects(row, "User")),
    wide("Groups", |row| subjects(row, "Group")),
    wide("ServiceAccounts", |row| subjects(row, "ServiceAccount")),
];

fn subjects(row: &Row, kind: &str) -> Value {
    let named = list(row.object, "/subjects").filter(|subject| subject["kind"] == kind).map(|subject| {
        let name = text(subject, "/name").unwrap_or_default();
        match text(subject, "/namespace") {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        }
    });
    named.collect::<Vec<_>>().join(", ").into()
}

const DISRUPTION_BUDGET: &[Column] = &[
    NAME,
    Column::text("Min Available", |row| int_or_string(row, "/spec/minAvailable")),
    Column::text("Max Unavailable", |row| int_or_string(row, "/spec/maxUnavailable")),
    Column::of("Allowed Disruptions", ColumnType::Integer, |row| row.number("/status/disruptionsAllowed")),
    AGE,
];

fn int_or_string(row: &Row, pointer: &str) -> Value {
    match walk(row.object, pointer) {
        None => "N/A".into(),
        Some(Value::String(text)) => text.as_str().into(),
        Some(number) => number.to_string().into(),
    }
}

const ENDPOINT_SLICE: &[Column] = &[
    NAME,
    Column::text("AddressType", |row| row.text_or("/addressType", "")),
    Column::text("Ports", |row| {
        let ports: Vec<String> =
            list(row.object, "/ports").filter_map(|port| Some(number(port, "/port")?.to_string())).collect();
        shown_or_unset(joined(ports.iter().map(String::as_str)))
    }),
    Column::text("Endpoints", |row| {
        let addresses = list(row.object, "/endpoints").flat_map(|endpoint| list(endpoint, "/addresses"));
        shown_or_unset(joined(addresses.filter_map(Value::as_str)))
    }),
    AGE,
];

fn shown_or_unset(text: String) -> Value {
    if text == "<none>" { "<unset>".into() } else { text.into() }
}
