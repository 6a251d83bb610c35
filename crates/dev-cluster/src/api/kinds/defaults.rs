//! The defaults of the built-in kinds, as far as clients see them.

use super::{pod, quantities};
use crate::api::catalog::ResourceKind;
use crate::api::object::{self, default_field, member_mut, object_mut};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The labels that the Job controller and its pods know each other by.
const JOB_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
const JOB_NAME_LABELS: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

/// What the server decides of a new object after its defaults, which no client manages: a namespace's finalizer, a job's
/// selector and labels, a service's address.
pub fn prepare(kind: &ResourceKind, value: &mut Value) {
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "namespaces") => default_field(member_mut(value, "spec"), "finalizers", || json!(["kubernetes"])),
        ("", "services") => address(member_mut(value, "spec")),
        ("", "persistentvolumeclaims") => object::add_finalizer(value, "kubernetes.io/pvc-protection"),
        ("", "persistentvolumes") => object::add_finalizer(value, "kubernetes.io/pv-protection"),
        ("batch", "jobs") => job_selector(value),
        _ => {}
    }
}

/// Fills in the defaults of a built-in kind; custom resources have theirs in their schema.
pub fn default(kind: &ResourceKind, value: &mut Value) {
    if kind.is_custom() {
        return;
    }
    // In a schema of a definition the same words mean something else.
    if kind.group != "apiextensions.k8s.io" {
        quantities::canonical(value);
    }
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "pods") => pod::default_pod(value),
        ("", "namespaces") => namespace(value),
        ("", "secrets") => secret(value),
        ("", "persistentvolumeclaims") => {
            default_field(member_mut(value, "spec"), "volumeMode", || json!("Filesystem"));
        }
        ("", "persistentvolumes") => {
            let spec = member_mut(value, "spec");
            default_field(spec, "volumeMode", || json!("Filesystem"));
            default_field(spec, "persistentVolumeReclaimPolicy", || json!("Retain"));
        }
        ("", "services") => service(member_mut(value, "spec")),
        ("apps", "deployments") => deployment(value),
        ("apps", "replicasets") => {
            let spec = member_mut(value, "spec");
            default_field(spec, "replicas", || json!(1));
            template(spec);
        }
        ("batch", "jobs") => {
            let spec = member_mut(value, "spec");
            job_spec(spec);
            default_field(spec, "manualSelector", || json!(false));
        }
        ("batch", "cronjobs") => cron_job(member_mut(value, "spec")),
        ("networking.k8s.io", "networkpolicies") => {
            let spec = member_mut(value, "spec");
            let types = if spec.contains_key("egress") { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
            default_field(spec, "policyTypes", || types);
        }
        ("scheduling.k8s.io", "priorityclasses") => {
            default_field(object_mut(value), "preemptionPolicy", || json!("PreemptLowerPriority"));
        }
        ("storage.k8s.io", "storageclasses") => {
            let members = object_mut(value);
            default_field(members, "reclaimPolicy", || json!("Delete"));
            default_field(members, "volumeBindingMode", || json!("Immediate"));
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") => definition(member_mut(value, "spec")),
        _ => {}
    }
}

fn namespace(value: &mut Value) {
    let name = object::name(value).to_owned();
    let labels = object::meta_mut(value).entry("labels").or_insert_with(|| json!({}));
    object_mut(labels).insert("kubernetes.io/metadata.name".to_owned(), json!(name));
}

/// `stringData` is written to `data` and never read back.
fn secret(value: &mut Value) {
    let members = object_mut(value);
    default_field(members, "type", || json!("Opaque"));
    let Some(Value::Object(texts)) = members.shift_remove("stringData") else { return };
    let data = member_mut(value, "data");
    for (name, text) in texts {
        let text = text.as_str().unwrap_or_default();
        data.insert(name, json!(STANDARD.encode(text)));
    }
}

fn service(spec: &mut Map<String, Value>) {
    default_field(spec, "type", || json!("ClusterIP"));
    default_field(spec, "sessionAffinity", || json!("None"));
    default_field(spec, "internalTrafficPolicy", || json!("Cluster"));
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let port = object_mut(port);
        default_field(port, "protocol", || json!("TCP"));
        let number = port.get("port").cloned().unwrap_or_default();
        default_field(port, "targetPort", || number);
    }
}

fn address(spec: &mut Map<String, Value>) {
    default_field(spec, "ipFamilies", || json!(["IPv4"]));
    default_field(spec, "ipFamilyPolicy", || json!("SingleStack"));
    if !spec.contains_key("clusterIP") {
        // Nothing routes to it: an address of the range that the real server was given, drawn at random.
        let address = format!("10.0.{}.{}", rand::random::<u8>(), rand::random::<u8>().max(1));
        spec.insert("clusterIP".to_owned(), json!(address));
    }
    let address = spec.get("clusterIP").cloned().unwrap_or_default();
    default_field(spec, "clusterIPs", || json!([address]));
}

fn deployment(value: &mut Value) {
    let spec = member_mut(value, "spec");
    default_field(spec, "replicas", || json!(1));
    default_field(spec, "revisionHistoryLimit", || json!(10));
    default_field(spec, "progressDeadlineSeconds", || json!(600));
    let strategy = object_mut(spec.entry("strategy").or_insert_with(|| json!({})));
    default_field(strategy, "type", || json!("RollingUpdate"));
    if strategy.get("type") == Some(&json!("RollingUpdate")) {
        let rolling = object_mut(strategy.entry("rollingUpdate").or_insert_with(|| json!({})));
        default_field(rolling, "maxUnavailable", || json!("25%"));
        default_field(rolling, "maxSurge", || json!("25%"));
    }
    template(spec);
}

fn template(spec: &mut Map<String, Value>) {
    if let Some(template) = spec.get_mut("template") {
        member_mut(template, "metadata");
        pod::default_spec(member_mut(template, "spec"));
    }
}

fn job_spec(spec: &mut Map<String, Value>) {
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions".to_owned(), json!(1));
    }
    default_field(spec, "parallelism", || json!(1));
    let indexed_limit = spec.contains_key("backoffLimitPerIndex");
    default_field(spec, "backoffLimit", || if indexed_limit { json!(i32::MAX) } else { json!(6) });
    default_field(spec, "completionMode", || json!("NonIndexed"));
    default_field(spec, "suspend", || json!(false));
    let replacement = if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    default_field(spec, "podReplacementPolicy", || json!(replacement));
    template(spec);
}

fn job_selector(value: &mut Value) {
    let (name, uid) = (object::name(value).to_owned(), object::uid(value).to_owned());
    let spec = member_mut(value, "spec");
    if spec.get("manualSelector") == Some(&json!(true)) || uid.is_empty() {
        return;
    }
    let selector = object_mut(spec.entry("selector").or_insert_with(|| json!({})));
    object_mut(selector.entry("matchLabels").or_insert_with(|| json!({}))).insert(JOB_LABELS[0].to_owned(), json!(uid));
    let template = spec.entry("template").or_insert_with(|| json!({}));
    let labels = object_mut(object::meta_mut(template).entry("labels").or_insert_with(|| json!({})));
    for label in JOB_LABELS {
        default_field(labels, label, || json!(uid));
    }
    for label in JOB_NAME_LABELS {
        default_field(labels, label, || json!(name));
    }
    labels.sort_keys();
}

/// What an object shows and nobody was asked to validate: a Job without labels of its own has those of its pods.
pub fn complete(kind: &ResourceKind, value: &mut Value) {
    if kind.group == "batch"
        && kind.plural == "jobs"
        && let Some(labels) = value.pointer("/spec/template/metadata/labels").cloned()
    {
        default_field(object::meta_mut(value), "labels", || labels);
    }
}

fn cron_job(spec: &mut Map<String, Value>) {
    default_field(spec, "concurrencyPolicy", || json!("Allow"));
    default_field(spec, "suspend", || json!(false));
    default_field(spec, "successfulJobsHistoryLimit", || json!(3));
    default_field(spec, "failedJobsHistoryLimit", || json!(1));
    if let Some(template) = spec.get_mut("jobTemplate") {
        member_mut(template, "metadata");
        self::template(member_mut(template, "spec"));
    }
}

fn definition(spec: &mut Map<String, Value>) {
    default_field(spec, "conversion", || json!({"strategy": "None"}));
    let Some(Value::Object(names)) = spec.get_mut("names") else { return };
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    default_field(names, "singular", || json!(kind.to_lowercase()));
    default_field(names, "listKind", || json!(format!("{kind}List")));
}
