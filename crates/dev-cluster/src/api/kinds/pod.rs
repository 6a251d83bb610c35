//! Pods: their defaults and their class of service.

use crate::api::object::{default_field, default_text, member_mut, object_mut};
use crate::api::validation::together;
use serde_json::{Map, Value, json};

/// Fills in what every pod spec has.
pub fn default_spec(spec: &mut Map<String, Value>) {
    default_text(spec, "restartPolicy", || json!("Always"));
    default_field(spec, "terminationGracePeriodSeconds", || json!(30));
    default_text(spec, "dnsPolicy", || json!("ClusterFirst"));
    default_field(spec, "securityContext", || json!({}));
    default_text(spec, "schedulerName", || json!("default-scheduler"));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        default_field(spec, "serviceAccount", || account);
    }
    if spec.get("hostNetwork") == Some(&json!(true)) {
        for list in ["initContainers", "containers"] {
            spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().for_each(default_host_ports);
        }
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            default_container(object_mut(container));
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        default_volume(object_mut(volume));
    }
}

/// A pod in the network of its node has its ports there.
fn default_host_ports(container: &mut Value) {
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let number = port.get("containerPort").cloned().unwrap_or_default();
        default_field(object_mut(port), "hostPort", || number);
    }
}

fn default_container(container: &mut Map<String, Value>) {
    default_field(container, "resources", || json!({}));
    default_text(container, "terminationMessagePath", || json!("/dev/termination-log"));
    default_text(container, "terminationMessagePolicy", || json!("File"));
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default().to_owned();
    default_text(container, "imagePullPolicy", || json!(pull_policy(&image)));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        default_text(object_mut(port), "protocol", || json!("TCP"));
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(field) = variable.pointer_mut("/valueFrom/fieldRef") {
            default_field(object_mut(field), "apiVersion", || json!("v1"));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe) {
            let probe = object_mut(probe);
            for (field, value) in
                [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
            {
                // Zero is what the server takes for absent.
                if probe.get(field).is_none_or(|given| given.is_null() || *given == json!(0)) {
                    probe.insert(field.to_owned(), json!(value));
                }
            }
            default_get(probe);
        }
    }
    for hook in ["postStart", "preStop"] {
        if let Some(hook) = container.get_mut("lifecycle").and_then(|lifecycle| lifecycle.get_mut(hook)) {
            default_get(object_mut(hook));
        }
    }
}

/// A request of a probe or a hook asks for the root in plain HTTP.
fn default_get(handler: &mut Map<String, Value>) {
    let Some(get) = handler.get_mut("httpGet").map(object_mut) else { return };
    for (field, value) in [("path", "/"), ("scheme", "HTTP")] {
        if get.get(field).and_then(Value::as_str).unwrap_or_default().is_empty() {
            get.insert(field.to_owned(), json!(value));
        }
    }
}

/// The defaults of a pod that a template does not have: in its spec, and what a typed status always shows.
pub fn default_pod(pod: &mut Value) {
    let spec = member_mut(pod, "spec");
    default_field(spec, "enableServiceLinks", || json!(true));
    default_spec(spec);
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            default_requests(object_mut(container));
        }
    }
    default_shared_requests(spec);
    let status = member_mut(pod, "status");
    for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        default_field(object_mut(condition), "lastProbeTime", || Value::Null);
    }
    for list in ["initContainerStatuses", "containerStatuses"] {
        for container in status.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            default_field(object_mut(container), "state", || json!({}));
            default_field(object_mut(container), "lastState", || json!({}));
        }
    }
}

/// A limit without a request is the request too.
fn default_requests(container: &mut Map<String, Value>) {
    let Some(limits) = container.get("resources").and_then(|r| r.get("limits")).and_then(Value::as_object).cloned()
    else {
        return;
    };
    let Some(resources) = container.get_mut("resources") else { return };
    let requests = member_mut(resources, "requests");
    for (resource, limit) in limits {
        default_field(requests, &resource, || limit);
    }
}

/// What a pod's containers share is asked for as far as they ask for it, and as it is limited where they do not.
fn default_shared_requests(spec: &mut Map<String, Value>) {
    if spec.get("resources").and_then(Value::as_object).is_none_or(Map::is_empty) {
        return;
    }
    let asked = together(&Value::Object(spec.clone()));
    let Some(shared) = spec.get_mut("resources") else { return };
    let listed = |list: &str| shared.get(list).and_then(Value::as_object).cloned().unwrap_or_default();
    let (given, mut limits) = (listed("requests"), listed("limits"));
    // Huge pages cannot be overcommitted: what the containers ask for is the limit too.
    if !given.is_empty() || !limits.is_empty() {
        for (resource, amount) in asked.iter().filter(|(resource, _)| resource.starts_with("hugepages-")) {
            if !given.contains_key(resource) {
                default_field(member_mut(shared, "limits"), resource, || json!(amount.canonical()));
                default_field(&mut limits, resource, || json!(amount.canonical()));
            }
        }
    }
    let requests = member_mut(shared, "requests");
    let known = |resource: &str| matches!(resource, "cpu" | "memory") || resource.starts_with("hugepages-");
    for (resource, amount) in asked.into_iter().filter(|(resource, _)| known(resource)) {
        default_field(requests, &resource, || json!(amount.canonical()));
    }
    for (resource, limit) in limits.into_iter().filter(|(resource, _)| known(resource)) {
        default_field(requests, &resource, || limit);
    }
}

/// A moving tag is always pulled.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or(image);
    let moving = !name.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    if moving { "Always" } else { "IfNotPresent" }
}

fn default_volume(volume: &mut Map<String, Value>) {
    for source in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = volume.get_mut(source) {
            default_field(object_mut(source), "defaultMode", || json!(420));
        }
    }
    if let Some(claim) = volume.get_mut("ephemeral").and_then(|source| source.pointer_mut("/volumeClaimTemplate/spec"))
    {
        default_field(object_mut(claim), "volumeMode", || json!("Filesystem"));
    }
    if let Some(image) = volume.get_mut("image") {
        let reference = image.get("reference").and_then(Value::as_str).unwrap_or_default().to_owned();
        default_field(object_mut(image), "pullPolicy", || json!(pull_policy(&reference)));
    }
    for source in volume
        .get_mut("projected")
        .and_then(|projected| projected.get_mut("sources")?.as_array_mut())
        .into_iter()
        .flatten()
    {
        if let Some(token) = source.get_mut("serviceAccountToken") {
            default_field(object_mut(token), "expirationSeconds", || json!(3600));
        }
    }
    if let Some(path) = volume.get_mut("hostPath") {
        default_field(object_mut(path), "type", || json!(""));
    }
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
}

/// Guaranteed, Burstable or BestEffort, by what the containers ask for and may use.
pub fn qos_class(pod: &Value) -> &'static str {
    let containers: Vec<&Value> = ["initContainers", "containers"]
        .iter()
        .filter_map(|list| pod.pointer(&format!("/spec/{list}"))?.as_array())
        .flatten()
        .collect();
    let amount = |container: &Value, part: &str, resource: &str| {
        container.pointer(&format!("/resources/{part}/{resource}")).filter(|value| !value.is_null()).cloned()
    };
    let mut any = false;
    let mut guaranteed = !containers.is_empty();
    for container in &containers {
        for resource in ["cpu", "memory"] {
            let limit = amount(container, "limits", resource);
            let request = amount(container, "requests", resource).or_else(|| limit.clone());
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && limit == request;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_moving_tag_is_always_pulled() {
        for (image, policy) in [
            ("busybox", "Always"),
            ("busybox:latest", "Always"),
            ("busybox:1.36", "IfNotPresent"),
            ("localhost:5000/a/busybox", "Always"),
            ("a@sha256:00", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }

    #[test]
    fn a_pod_without_resources_is_best_effort() {
        assert_eq!(qos_class(&json!({"spec": {"containers": [{"name": "a"}]}})), "BestEffort");
        let limits = json!({"cpu": "1", "memory": "1Gi"});
        assert_eq!(qos_class(&json!({"spec": {"containers": [{"resources": {"limits": limits}}]}})), "Guaranteed");
        assert_eq!(
            qos_class(&json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "1"}}}]}})),
            "Burstable"
        );
    }
}
