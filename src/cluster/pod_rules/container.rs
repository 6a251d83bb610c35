//! Containers: names, ports, mounts, and everything that is not in a file of its own.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{Container, ContainerPort, PodSpec, VolumeMount};

use super::names::{ABSOLUTE_PATH, ADDRESS, LABEL, PORT_NAME, RELATIVE_PATH};
use super::report::{At, Report, quoted};
use super::{amounts, env, probes, security};

/// The role of a container in its pod.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Runs to its end before the others start, unless it always restarts.
    Init,
    Main,
}

pub(super) fn check(container: &Container, role: Role, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    report.required(&at.field("name"), Some(&container.name), &LABEL);
    let policies = ["Always", "IfNotPresent", "Never"];
    let policy = container.image_pull_policy.as_deref().filter(|policy| !policy.is_empty());
    report.choice(&at.field("imagePullPolicy"), policy, &policies);
    let policy = container.termination_message_policy.as_deref().filter(|policy| !policy.is_empty());
    report.choice(&at.field("terminationMessagePolicy"), policy, &["File", "FallbackToLogsOnError"]);
    // The API server accepts relative paths; no runtime starts with them.
    let paths =
        [("workingDir", &container.working_dir), ("terminationMessagePath", &container.termination_message_path)];
    for (name, path) in paths {
        if let Some(path) = path.as_deref().filter(|path| !path.is_empty()) {
            report.form(&at.field(name), path, &ABSOLUTE_PATH);
        }
    }
    ports(container.ports.as_deref().unwrap_or_default(), &at.field("ports"), report);
    env::check(container, pod, at, report);
    if let Some(resources) = &container.resources {
        amounts::of_container(resources, &at.field("resources"), report);
    }
    mounts(container, pod, at, report);
    let runs_on = role == Role::Main || container.restart_policy.as_deref() == Some("Always");
    probes::check(container, pod, runs_on, at, report);
    security::of_container(container, pod, at, report);
    restarts(container, role, at, report);
    let resizes = at.field("resizePolicy");
    let mut resized = HashSet::new();
    for (index, resize) in container.resize_policy.iter().flatten().enumerate() {
        let at = resizes.item(index);
        if !runs_on {
            report.say(&at, "is not allowed for an init container without restartPolicy Always");
        }
        report.one_of(&at.field("resourceName"), &resize.resource_name, &["cpu", "memory"]);
        if !resized.insert(&resize.resource_name) {
            report
                .say(&at.field("resourceName"), format!("was {}, which is given twice", quoted(&resize.resource_name)));
        }
        // A container that must be restarted cannot be in a pod that never restarts one.
        report.one_of(&at.field("restartPolicy"), &resize.restart_policy, &["NotRequired"]);
    }
}

/// Kubernetes 1.35 allows each container its own restart rules. Here the policy of the pod applies, so only the setting
/// that makes a sidecar of an init container is allowed.
fn restarts(container: &Container, role: Role, at: &At<'_>, report: &mut Report) {
    if let Some(policy) = &container.restart_policy {
        let at = at.field("restartPolicy");
        match role {
            Role::Init => report.one_of(&at, policy, &["Always"]),
            Role::Main => report.say(&at, "is only allowed for an init container"),
        }
    }
    if container.restart_policy_rules.iter().flatten().next().is_some() {
        report.say(&at.field("restartPolicyRules"), "is not supported");
    }
}

fn ports(ports: &[ContainerPort], at: &At<'_>, report: &mut Report) {
    let mut names = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = at.item(index);
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            let at = at.field("name");
            report.form(&at, name, &PORT_NAME);
            if !names.insert(name) {
                report.say(&at, format!("was {}, which is given twice", quoted(name)));
            }
        }
        report.range(&at.field("containerPort"), Some(port.container_port.into()), 1, 65535);
        report.range(&at.field("hostPort"), port.host_port.map(i64::from), 0, 65535);
        if let Some(address) = port.host_ip.as_deref().filter(|address| !address.is_empty()) {
            report.form(&at.field("hostIP"), address, &ADDRESS);
        }
        let protocol = port.protocol.as_deref().filter(|protocol| !protocol.is_empty());
        report.choice(&at.field("protocol"), protocol, &["TCP", "UDP", "SCTP"]);
    }
}

/// The mounts of the container: a volume of the pod at a unique path.
fn mounts(container: &Container, pod: &PodSpec, at: &At<'_>, report: &mut Report) {
    let mut paths = HashSet::new();
    let mounts = at.field("volumeMounts");
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let at = mounts.item(index);
        if names_volume(&mount.name, pod, &at.field("name"), report) {
            let is_block = container.volume_devices.iter().flatten().any(|device| device.name == mount.name);
            if is_block {
                report.say(&at.field("name"), "is a block device of the container as well");
            }
        }
        mount_path(&mount.mount_path, &mut paths, &at.field("mountPath"), report);
        self::mount(mount, &at, report);
    }
    let devices = at.field("volumeDevices");
    for (index, device) in container.volume_devices.iter().flatten().enumerate() {
        let at = devices.item(index);
        if names_volume(&device.name, pod, &at.field("name"), report) {
            let volume = pod.volumes.iter().flatten().find(|volume| volume.name == device.name);
            let is_claim =
                volume.is_some_and(|volume| volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some());
            if !is_claim {
                report.say(&at.field("name"), "must be the volume of a storage claim");
            }
        }
        mount_path(&device.device_path, &mut paths, &at.field("devicePath"), report);
    }
}

fn names_volume(name: &str, pod: &PodSpec, at: &At<'_>, report: &mut Report) -> bool {
    if name.is_empty() {
        report.missing(at);
        return false;
    }
    let is_there = pod.volumes.iter().flatten().any(|volume| volume.name == name);
    if !is_there {
        report.say(at, format!("was {}, which is not a volume of the pod", quoted(name)));
    }
    is_there
}

/// A path must be absolute (the API server accepts others, and ':', which runtimes interpret differently), is not the
/// root, which would hide the image, and is mounted once.
pub(super) fn mount_path<'p>(path: &'p str, seen: &mut HashSet<&'p str>, at: &At<'_>, report: &mut Report) {
    report.required(at, Some(path), &ABSOLUTE_PATH);
    let trimmed = path.trim_end_matches('/');
    if path.contains(':') {
        report.say(at, format!("was {}; it may not contain a ':'", quoted(path)));
    }
    if path.starts_with('/') && trimmed.is_empty() {
        report.say(at, format!("was {}, which would hide the image's own files", quoted(path)));
    }
    if !trimmed.is_empty() && !seen.insert(trimmed) {
        report.say(at, format!("was {}, which is mounted twice", quoted(path)));
    }
}

fn mount(mount: &VolumeMount, at: &At<'_>, report: &mut Report) {
    let below = [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)];
    let given = |path: &&Option<String>| path.as_deref().is_some_and(|path| !path.is_empty());
    if below.iter().filter(|(_, path)| given(path)).count() > 1 {
        report.say(&at.field("subPathExpr"), "is not allowed together with a subPath");
    }
    for (name, path) in below {
        if let Some(path) = path.as_deref().filter(|path| !path.is_empty()) {
            report.form(&at.field(name), path, &RELATIVE_PATH);
        }
    }
    let propagation = mount.mount_propagation.as_deref();
    // Bidirectional requires a privileged container, which is not allowed.
    report.choice(&at.field("mountPropagation"), propagation, &["None", "HostToContainer"]);
    if let Some(recursive) = &mount.recursive_read_only {
        let at = at.field("recursiveReadOnly");
        report.one_of(&at, recursive, &["Disabled", "IfPossible", "Enabled"]);
        let is_on = recursive != "Disabled";
        if is_on && mount.read_only != Some(true) {
            report.say(&at, "is only allowed with readOnly");
        }
        if is_on && propagation.is_some_and(|propagation| propagation != "None") {
            report.say(&at, "is only allowed with mountPropagation None");
        }
    }
}
