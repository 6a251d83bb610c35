//! Pod safety: what no pod of a user may ask for, wherever its template stands.
//!
//! The rules are those of the Pod Security Standards' baseline profile
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>) and the platform's own: no service-account
//! token, no claim that is not bound for the caller, GPUs asked for as they are limited.

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, PodSpec, ResourceRequirements, SecurityContext, Volume,
};

use super::GPU;
use crate::cluster::image::ImageReference;
use crate::error::{ApiError, Problems};

/// Notes everything in `pod` that is not allowed; `field` is where the pod stands in the input, `place` its path in the
/// payload.
pub fn check(pod: &PodSpec, field: &str, place: &str, problems: &mut Problems) {
    let mut refuse = |path: &str, why: &str| {
        problems.push(ApiError::bad_input(field.to_owned(), format!("{place}.{path} {why}")));
    };
    for (name, set) in [("hostNetwork", pod.host_network), ("hostPID", pod.host_pid), ("hostIPC", pod.host_ipc)] {
        if set == Some(true) {
            refuse(name, "is not allowed: a job may not share its node's namespaces");
        }
    }
    if pod.node_name.is_some() {
        refuse("nodeName", "is not allowed: the scheduler chooses the node");
    }
    if pod.service_account_name.as_deref().is_some_and(|name| name != "default")
        || pod.automount_service_account_token == Some(true)
    {
        refuse("serviceAccountName", "is not allowed: jobs get no service-account token");
    }
    if let Some(context) = &pod.security_context {
        if context.sysctls.as_ref().is_some_and(|list| !list.is_empty()) {
            refuse("securityContext.sysctls", "is not allowed");
        }
        if context.windows_options.as_ref().is_some_and(|windows| windows.host_process == Some(true)) {
            refuse("securityContext.windowsOptions.hostProcess", "is not allowed");
        }
    }
    for (index, volume) in pod.volumes.iter().flatten().enumerate() {
        if let Some(why) = unsafe_volume(volume) {
            refuse(&format!("volumes[{index}]"), why);
        }
    }
    for (path, container) in containers(pod) {
        container.check(&path, &mut refuse);
    }
}

fn unsafe_volume(volume: &Volume) -> Option<&'static str> {
    let token = volume
        .projected
        .iter()
        .flat_map(|projected| projected.sources.iter().flatten())
        .any(|source| source.service_account_token.is_some());
    if volume.host_path.is_some() {
        Some("has a hostPath, which is not allowed")
    } else if volume.persistent_volume_claim.is_some() {
        Some("names a claim that is not bound for you")
    } else if token {
        Some("projects a service-account token, which is not allowed")
    } else if volume.csi.is_some() || volume.nfs.is_some() || volume.iscsi.is_some() {
        Some("mounts storage directly; use a storage claim")
    } else {
        None
    }
}

/// What is checked of any kind of container.
struct ContainerView<'a> {
    image: Option<&'a str>,
    security: Option<&'a SecurityContext>,
    ports: &'a [ContainerPort],
    resources: Option<&'a ResourceRequirements>,
}

fn containers(pod: &PodSpec) -> Vec<(String, ContainerView<'_>)> {
    let mut views = Vec::new();
    views.extend(plain("initContainers", pod.init_containers.as_deref().unwrap_or_default()));
    views.extend(plain("containers", &pod.containers));
    views.extend(pod.ephemeral_containers.iter().flatten().enumerate().map(|(index, container)| {
        let view = ContainerView {
            image: container.image.as_deref(),
            security: container.security_context.as_ref(),
            ports: container.ports.as_deref().unwrap_or_default(),
            resources: container.resources.as_ref(),
        };
        (format!("ephemeralContainers[{index}]"), view)
    }));
    views
}

fn plain<'a>(kind: &'static str, containers: &'a [Container]) -> impl Iterator<Item = (String, ContainerView<'a>)> {
    containers.iter().enumerate().map(move |(index, container)| {
        let view = ContainerView {
            image: container.image.as_deref(),
            security: container.security_context.as_ref(),
            ports: container.ports.as_deref().unwrap_or_default(),
            resources: container.resources.as_ref(),
        };
        (format!("{kind}[{index}]"), view)
    })
}

impl ContainerView<'_> {
    fn check(&self, path: &str, refuse: &mut impl FnMut(&str, &str)) {
        match self.image.map(str::parse::<ImageReference>) {
            None => refuse(&format!("{path}.image"), "is missing"),
            Some(Err(error)) => refuse(&format!("{path}.image"), &error.to_string()),
            Some(Ok(_)) => {}
        }
        if let Some(security) = self.security {
            if security.privileged == Some(true) {
                refuse(&format!("{path}.securityContext.privileged"), "is not allowed");
            }
            if adds_capabilities(security.capabilities.as_ref()) {
                refuse(&format!("{path}.securityContext.capabilities.add"), "is not allowed");
            }
            if security.proc_mount.as_deref().is_some_and(|mount| mount != "Default") {
                refuse(&format!("{path}.securityContext.procMount"), "is not allowed");
            }
        }
        if self.ports.iter().any(|port| port.host_port.is_some_and(|port| port != 0)) {
            refuse(&format!("{path}.ports"), "has a hostPort, which is not allowed");
        }
        if let Some(resources) = self.resources {
            let asked = resources.requests.as_ref().and_then(|list| list.get(GPU));
            let allowed = resources.limits.as_ref().and_then(|list| list.get(GPU));
            // A limit alone counts as the request; a request alone or another one is refused by Kubernetes.
            if asked.is_some() && asked != allowed {
                refuse(&format!("{path}.resources"), "must limit GPUs to exactly what it asks for");
            }
        }
    }
}

fn adds_capabilities(capabilities: Option<&Capabilities>) -> bool {
    capabilities.and_then(|capabilities| capabilities.add.as_ref()).is_some_and(|added| !added.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(pod: serde_json::Value) -> String {
        let mut problems = Problems::default();
        check(&serde_json::from_value(pod).unwrap(), "input.commitId", "tasks[0].spec", &mut problems);
        problems
            .finish()
            .map_or_else(|errors| errors.0.iter().map(|e| format!("{}\n", e.message)).collect(), |()| String::new())
    }

    #[test]
    fn an_ordinary_pod_is_safe() {
        let pod = serde_json::json!({"containers": [{"name": "a", "image": "python:3.12",
            "resources": {"limits": {"nvidia.com/gpu": "1"}}}], "volumes": [{"name": "scratch", "emptyDir": {}}]});
        assert_eq!(problems(pod), "");
    }

    #[test]
    fn everything_unsafe_is_told_at_once() {
        let pod = serde_json::json!({
            "hostNetwork": true, "hostPID": true, "nodeName": "n", "serviceAccountName": "root",
            "volumes": [{"name": "h", "hostPath": {"path": "/"}}, {"name": "c", "persistentVolumeClaim": {"claimName": "x"}}],
            "initContainers": [{"name": "i", "image": "a", "securityContext": {"privileged": true}}],
            "containers": [{"name": "a", "image": "A", "ports": [{"containerPort": 1, "hostPort": 1}],
                "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}},
                "resources": {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "2"}}}]});
        insta::assert_snapshot!(problems(pod));
    }
}
