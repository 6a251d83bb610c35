//! The level `baseline`: no known way out of the pod.

use super::{Breach, Container, Pod, containers, forbidden_capabilities, quoted, setters};
use serde_json::Value;

const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
const SELINUX_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];
const APPARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

/// What a pod breaks, in the order in which the real plugin lists it. Of the rules that `restricted` has a stricter form of,
/// only that form is shown there.
pub fn check(pod: &Pod<'_>, restricted: bool) -> Vec<Breach> {
    let mut breaches = Vec::new();
    breaches.extend(app_armor(pod));
    if !restricted && let Some(detail) = forbidden_capabilities(pod, &CAPABILITIES) {
        breaches.push(Breach::new("non-default capabilities", detail));
    }
    breaches.extend(host_namespaces(pod));
    if !restricted {
        breaches.extend(host_paths(pod));
    }
    breaches.extend(host_ports(pod));
    breaches.extend(probe_hosts(pod));
    let privileged = pod.names_where(|container| container.is("/securityContext/privileged", true));
    if !privileged.is_empty() {
        let detail = format!("{} must not set securityContext.privileged=true", containers(&privileged));
        breaches.push(Breach::new("privileged", detail));
    }
    if !restricted && !pod.has_user_namespace() {
        breaches.extend(proc_mount(pod));
    }
    breaches.extend(selinux(pod));
    if !restricted {
        breaches.extend(seccomp(pod));
    }
    breaches.extend(sysctls(pod));
    let field = "/securityContext/windowsOptions/hostProcess";
    if let Some(who) = setters(pod.is(field, true), &pod.names_where(|container| container.is(field, true))) {
        let detail = format!("{who} must not set securityContext.windowsOptions.hostProcess=true");
        breaches.push(Breach::new("hostProcess", detail));
    }
    breaches
}

fn app_armor(pod: &Pod<'_>) -> Option<Breach> {
    let field = "/securityContext/appArmorProfile/type";
    let allowed = |word: &str| matches!(word, "" | "RuntimeDefault" | "Localhost");
    let own = pod.text(field);
    let names = pod.names_where(|container| !allowed(container.text(field)));
    let mut words: Vec<String> = pod.containers().map(|container| container.text(field).to_owned()).collect();
    words.push(own.to_owned());
    words.retain(|word| !allowed(word));
    let annotations = pod.meta.get("annotations").and_then(Value::as_object).into_iter().flatten();
    let bad = annotations.filter(|(key, value)| {
        let value = value.as_str().unwrap_or_default();
        key.starts_with(APPARMOR_ANNOTATION)
            && !(matches!(value, "" | "runtime/default") || value.starts_with("localhost/"))
    });
    let bad: Vec<_> = bad.map(|(key, value)| format!("{key}={value}")).collect();
    let mut who = setters(!allowed(own), &names).into_iter().collect::<Vec<_>>();
    match bad.len() {
        0 => {}
        1 => who.push("annotation".to_owned()),
        _ => who.push("annotations".to_owned()),
    }
    words.sort_unstable();
    words.dedup();
    words.extend(bad);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let reason = if words.len() == 1 { "forbidden AppArmor profile" } else { "forbidden AppArmor profiles" };
    let detail = || format!("{} must not set AppArmor profile type to {}", who.join(" and "), quoted(&words));
    (!who.is_empty()).then(|| Breach::new(reason, detail()))
}

fn host_namespaces(pod: &Pod<'_>) -> Option<Breach> {
    let shared = ["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|field| pod.is(&format!("/{field}"), true));
    let shared: Vec<_> = shared.map(|field| format!("{field}=true")).collect();
    (!shared.is_empty()).then(|| Breach::new("host namespaces", shared.join(", ")))
}

fn host_paths(pod: &Pod<'_>) -> Option<Breach> {
    let volumes = pod.volumes().filter(|volume| volume.get("hostPath").is_some());
    let names: Vec<_> = volumes.filter_map(|volume| volume.get("name")?.as_str()).collect();
    let noun = if names.len() == 1 { "volume" } else { "volumes" };
    (!names.is_empty()).then(|| Breach::new("hostPath volumes", format!("{noun} {}", quoted(&names))))
}

fn host_ports(pod: &Pod<'_>) -> Option<Breach> {
    let of = |container: &Container<'_>| -> Vec<i64> {
        let ports = container.at("/ports").and_then(Value::as_array).into_iter().flatten();
        ports.filter_map(|port| port.get("hostPort")?.as_i64()).filter(|port| *port != 0).collect()
    };
    let names = pod.names_where(|container| !of(container).is_empty());
    let mut ports: Vec<String> = pod.containers().flat_map(|container| of(&container)).map(|p| p.to_string()).collect();
    ports.sort_unstable();
    ports.dedup();
    let verb = if names.len() == 1 { "uses" } else { "use" };
    let noun = if ports.len() == 1 { "hostPort" } else { "hostPorts" };
    let detail = || format!("{} {verb} {noun} {}", containers(&names), ports.join(", "));
    (!names.is_empty()).then(|| Breach::new("hostPort", detail()))
}

fn probe_hosts(pod: &Pod<'_>) -> Option<Breach> {
    let handlers = ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle/postStart", "lifecycle/preStop"];
    let of = |container: &Container<'_>| -> Vec<String> {
        let places =
            handlers.iter().flat_map(|handler| [format!("/{handler}/httpGet"), format!("/{handler}/tcpSocket")]);
        let hosts = places.map(|place| container.text(&format!("{place}/host")).to_owned());
        hosts.filter(|host| !host.is_empty()).collect()
    };
    let names = pod.names_where(|container| !of(container).is_empty());
    let mut hosts: Vec<String> = pod.containers().flat_map(|container| of(&container)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let verb = if names.len() == 1 { "uses" } else { "use" };
    let noun = if hosts.len() == 1 { "probe or lifecycle host" } else { "probe or lifecycle hosts" };
    let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
    let detail = || format!("{} {verb} {noun} {}", containers(&names), quoted(&hosts));
    (!names.is_empty()).then(|| Breach::new("probe or lifecycle host", detail()))
}

/// Both levels have it.
pub fn proc_mount(pod: &Pod<'_>) -> Option<Breach> {
    let field = "/securityContext/procMount";
    let names = pod.names_where(|container| !matches!(container.text(field), "" | "Default"));
    let mut words: Vec<_> = pod.containers().map(|container| container.text(field)).collect();
    words.retain(|word| !matches!(*word, "" | "Default"));
    words.sort_unstable();
    words.dedup();
    let detail = || format!("{} must not set securityContext.procMount to {}", containers(&names), quoted(&words));
    (!names.is_empty()).then(|| Breach::new("procMount", detail()))
}

fn selinux(pod: &Pod<'_>) -> Option<Breach> {
    let part = |text: &dyn Fn(&str) -> String, part: &str| text(&format!("/securityContext/seLinuxOptions/{part}"));
    let forbidden = |text: &dyn Fn(&str) -> String| {
        !SELINUX_TYPES.contains(&part(text, "type").as_str())
            || !part(text, "user").is_empty()
            || !part(text, "role").is_empty()
    };
    let of_pod = |pointer: &str| pod.text(pointer).to_owned();
    let names = pod.names_where(|container| forbidden(&|pointer| container.text(pointer).to_owned()));
    let who = setters(forbidden(&of_pod), &names)?;
    let all = |name: &str| -> Vec<String> {
        let mut words: Vec<String> = pod
            .containers()
            .map(|container| part(&|pointer| container.text(pointer).to_owned(), name))
            .chain([part(&of_pod, name)])
            .collect();
        words.sort_unstable();
        words.dedup();
        words
    };
    let types = all("type");
    let types: Vec<_> = types.iter().map(String::as_str).filter(|word| !SELINUX_TYPES.contains(word)).collect();
    let mut bad = Vec::new();
    match types.len() {
        0 => {}
        1 => bad.push(format!("type {}", quoted(&types))),
        _ => bad.push(format!("types {}", quoted(&types))),
    }
    for name in ["user", "role"] {
        if all(name).iter().any(|word| !word.is_empty()) {
            bad.push(format!("{name} may not be set"));
        }
    }
    let detail = format!("{who} set forbidden securityContext.seLinuxOptions: {}", bad.join("; "));
    Some(Breach::new("seLinuxOptions", detail))
}

/// Who explicitly sets a seccomp profile that is none of those allowed.
pub fn seccomp(pod: &Pod<'_>) -> Option<Breach> {
    let field = "/securityContext/seccompProfile/type";
    let allowed = |word: &str| matches!(word, "" | "RuntimeDefault" | "Localhost");
    let names = pod.names_where(|container| !allowed(container.text(field)));
    let who = setters(!allowed(pod.text(field)), &names)?;
    let mut words: Vec<_> = pod.containers().map(|container| container.text(field)).chain([pod.text(field)]).collect();
    words.retain(|word| !allowed(word));
    words.sort_unstable();
    words.dedup();
    let detail = format!("{who} must not set securityContext.seccompProfile.type to {}", quoted(&words));
    Some(Breach::new("seccompProfile", detail))
}

fn sysctls(pod: &Pod<'_>) -> Option<Breach> {
    let set = pod.at("/securityContext/sysctls").and_then(Value::as_array).into_iter().flatten();
    let names = set.filter_map(|sysctl| sysctl.get("name")?.as_str());
    let bad: Vec<_> = names.filter(|name| !SYSCTLS.contains(name)).collect();
    (!bad.is_empty()).then(|| Breach::new("forbidden sysctls", bad.join(", ")))
}
