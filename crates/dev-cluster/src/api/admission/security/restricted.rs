//! The level `restricted`: what a pod that needs no privilege can do without.

use super::{Breach, Container, Pod, baseline, containers, forbidden_capabilities, quoted, setters};

const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// What a pod breaks of what `baseline` does not ask, in the order in which the real plugin lists it.
pub fn check(pod: &Pod<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if !pod.is_windows() {
        breaches.extend(escalation(pod));
        breaches.extend(capabilities(pod));
    }
    breaches.extend(baseline::proc_mount(pod));
    breaches.extend(volumes(pod));
    if !pod.has_user_namespace() {
        breaches.extend(non_root(pod));
        breaches.extend(root_user(pod));
    }
    if !pod.is_windows() {
        breaches.extend(seccomp(pod));
    }
    breaches
}

fn escalation(pod: &Pod<'_>) -> Option<Breach> {
    let names = pod.names_where(|container| !container.is("/securityContext/allowPrivilegeEscalation", false));
    let detail = || format!("{} must set securityContext.allowPrivilegeEscalation=false", containers(&names));
    (!names.is_empty()).then(|| Breach::new("allowPrivilegeEscalation != false", detail()))
}

fn capabilities(pod: &Pod<'_>) -> Option<Breach> {
    let drops_all =
        |container: &Container<'_>| container.words("/securityContext/capabilities/drop").any(|word| word == "ALL");
    let keeping = pod.names_where(|container| !drops_all(container));
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers(&keeping)));
    }
    details.extend(forbidden_capabilities(pod, &["NET_BIND_SERVICE"]));
    (!details.is_empty()).then(|| Breach::new("unrestricted capabilities", details.join("; ")))
}

fn volumes(pod: &Pod<'_>) -> Option<Breach> {
    let (mut names, mut types) = (Vec::new(), Vec::new());
    for volume in pod.volumes() {
        let members = volume.as_object().into_iter().flatten();
        let source = members.map(|(key, _)| key.as_str()).find(|key| *key != "name");
        if let Some(source) = source.filter(|source| !VOLUMES.contains(source)) {
            names.push(volume.get("name").and_then(|name| name.as_str()).unwrap_or_default());
            types.push(source);
        }
    }
    types.sort_unstable();
    types.dedup();
    let (noun, verb) = if names.len() == 1 { ("volume", "uses") } else { ("volumes", "use") };
    let kinds = if types.len() == 1 { "type" } else { "types" };
    let detail = || format!("{noun} {} {verb} restricted volume {kinds} {}", quoted(&names), quoted(&types));
    (!names.is_empty()).then(|| Breach::new("restricted volume types", detail()))
}

fn non_root(pod: &Pod<'_>) -> Option<Breach> {
    let (reason, field) = ("runAsNonRoot != true", "/securityContext/runAsNonRoot");
    let refusing = pod.names_where(|container| container.is(field, false));
    if let Some(who) = setters(pod.is(field, false), &refusing) {
        return Some(Breach::new(reason, format!("{who} must not set securityContext.runAsNonRoot=false")));
    }
    let silent = pod.names_where(|container| !container.is(field, true));
    let detail = || format!("pod or {} must set securityContext.runAsNonRoot=true", containers(&silent));
    (!pod.is(field, true) && !silent.is_empty()).then(|| Breach::new(reason, detail()))
}

fn root_user(pod: &Pod<'_>) -> Option<Breach> {
    let field = "/securityContext/runAsUser";
    let zero = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_i64) == Some(0);
    let who = setters(zero(pod.at(field)), &pod.names_where(|container| zero(container.at(field))))?;
    Some(Breach::new("runAsUser=0", format!("{who} must not set runAsUser=0")))
}

fn seccomp(pod: &Pod<'_>) -> Option<Breach> {
    if let Some(explicit) = baseline::seccomp(pod) {
        return Some(explicit);
    }
    let field = "/securityContext/seccompProfile/type";
    let silent = pod.names_where(|container| container.text(field).is_empty());
    let detail = || {
        let who = containers(&silent);
        format!("pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"")
    };
    (pod.text(field).is_empty() && !silent.is_empty()).then(|| Breach::new("seccompProfile", detail()))
}
