//! The pod safety of a job's tasks: the rules of [`cluster::safety`](crate::cluster::safety), and what only holds once a
//! pod is to run: it has images, and mounts only claims that are bound for the caller.

use k8s_openapi::api::core::v1::PodSpec;

use crate::cluster::safety;
use crate::error::{ApiError, Problems};

/// Notes everything in `pod` that is not allowed; `field` is where the pod stands in the input, `place` its path in the
/// payload.
pub fn check(pod: &PodSpec, field: &str, place: &str, problems: &mut Problems) {
    let mut refuse = |message: String| problems.push(ApiError::bad_input(field.to_owned(), message));
    match serde_json::to_value(pod) {
        Ok(payload) => {
            safety::violations(&payload, place).iter().for_each(|violation| refuse(violation.to_string()));
        }
        Err(error) => refuse(format!("{place} cannot be read: {error}")),
    }
    for (index, volume) in pod.volumes.iter().flatten().enumerate() {
        if let Some(claim) = &volume.persistent_volume_claim {
            let name: String = claim.claim_name.chars().take(80).collect();
            refuse(format!("{place}.volumes[{index}] names the claim {name:?}, which is not bound for you"));
        }
    }
    let init = pod.init_containers.iter().flatten().map(|container| ("initContainers", container));
    let main = pod.containers.iter().map(|container| ("containers", container));
    for (kind, container) in init.chain(main) {
        if container.image.is_none() {
            let name: String = container.name.chars().take(80).collect();
            refuse(format!("{place}.{kind}: the container {name:?} has no image"));
        }
    }
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
    fn an_ordinary_pod_may_run() {
        let pod = serde_json::json!({"containers": [{"name": "a", "image": "python:3.12",
            "resources": {"limits": {"nvidia.com/gpu": "1"}}}], "volumes": [{"name": "scratch", "emptyDir": {}}]});
        assert_eq!(problems(pod), "");
    }

    #[test]
    fn a_pod_that_runs_has_images_and_mounts_what_is_bound_for_the_caller() {
        let pod = serde_json::json!({
            "hostNetwork": true,
            "volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "x"}}],
            "initContainers": [{"name": "i", "image": ""}],
            "containers": [{"name": "a"}]});
        insta::assert_snapshot!(problems(pod), @r#"
        tasks[0].spec.hostNetwork was true; it may be false: a pod may not share its node's namespaces
        tasks[0].spec.initContainers[0].image was "", which is not an image reference: it is empty; an image such as alpine:3.20 or registry.example.org/team/tool@sha256:… is expected
        tasks[0].spec.volumes[0] names the claim "x", which is not bound for you
        tasks[0].spec.containers: the container "a" has no image
        "#);
    }
}
