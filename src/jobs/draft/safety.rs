//! The pod safety of a job's tasks: the rules of [`cluster::safety`](crate::cluster::safety).

use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::cluster::safety::{self, Violation};

/// Everything in `template`, whose path is `place`, that is not allowed, including labels and annotations that enable
/// something.
pub fn violations(template: &PodTemplateSpec, place: &str) -> Vec<Violation> {
    match serde_json::to_value(template) {
        Ok(payload) => safety::violations(&payload, place),
        Err(error) => vec![Violation { path: place.to_owned(), why: format!("cannot be read: {error}") }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(pod: serde_json::Value) -> String {
        let template = serde_json::json!({ "metadata": { "labels": { "team": "vision" } }, "spec": pod });
        let found = violations(&serde_json::from_value(template).unwrap(), "tasks[0]");
        found.iter().map(|violation| format!("{violation}\n")).collect()
    }

    #[test]
    fn an_ordinary_pod_may_run() {
        let pod = serde_json::json!({"containers": [{"name": "a", "image": "python:3.12",
            "resources": {"limits": {"nvidia.com/gpu": "1"}}}], "volumes": [{"name": "scratch", "emptyDir": {}}]});
        assert_eq!(problems(pod), "");
    }

    #[test]
    fn a_pod_that_reaches_its_node_may_not() {
        let pod = serde_json::json!({
            "hostNetwork": true,
            "volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "x"}}],
            "containers": [{"name": "a"}]});
        insta::assert_snapshot!(problems(pod), @"tasks[0].spec.hostNetwork was true; it must be false: a pod may not share its node's namespaces");
    }
}
