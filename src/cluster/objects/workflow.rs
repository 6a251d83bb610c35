//! A Workflow's parts that are Kubernetes' own: containers, volumes and the like are held against their types. What is
//! Argo's alone is left to Argo, whose types are not known here.
//!
//! The fields are those of <https://argo-workflows.readthedocs.io/en/latest/fields/>.

use k8s_openapi::api::core::v1::{
    Affinity, Container, HostAlias, LocalObjectReference, PersistentVolumeClaim, PodDNSConfig, PodSecurityContext,
    Toleration, Volume,
};
use kube::api::ObjectMeta;
use serde::de::DeserializeOwned;

use crate::cluster::yaml::{Node, Problem, Root, typed};

/// Every problem in the parts of a Workflow that are Kubernetes' own.
pub(super) fn check(node: &Node) -> Result<(), Vec<Problem>> {
    let mut check = Check(Vec::new());
    check.one::<ObjectMeta>(node, "", "metadata", &[]);
    if let Some(spec) = node.get("spec") {
        check.pod_parts(spec, "spec");
        check.each::<PersistentVolumeClaim>(spec, "spec", "volumeClaimTemplates", &["status", "apiVersion", "kind"]);
        check.each::<LocalObjectReference>(spec, "spec", "imagePullSecrets", &[]);
        check.one::<PodDNSConfig>(spec, "spec", "dnsConfig", &[]);
        if let Some(defaults) = spec.get("templateDefaults") {
            check.template(defaults, "spec.templateDefaults");
        }
        check.below(spec, "spec", "templates", Check::template);
    }
    if check.0.is_empty() { Ok(()) } else { Err(check.0) }
}

struct Check(Vec<Problem>);

impl Check {
    fn one<T: DeserializeOwned>(&mut self, parent: &Node, path: &str, key: &str, without: &[&str]) {
        if let Some(node) = parent.get(key) {
            self.typed::<T>(node, &below(path, key), without);
        }
    }

    fn each<T: DeserializeOwned>(&mut self, parent: &Node, path: &str, key: &str, without: &[&str]) {
        self.below(parent, path, key, |check, item, path| check.typed::<T>(item, path, without));
    }

    fn typed<T: DeserializeOwned>(&mut self, node: &Node, path: &str, without: &[&str]) {
        if let Err(problems) = typed::<T>(node, Root { path, without, optional: None }) {
            self.0.extend(problems);
        }
    }

    /// Looks at every item of the list under `key`.
    fn below(&mut self, parent: &Node, path: &str, key: &str, mut look: impl FnMut(&mut Self, &Node, &str)) {
        for (index, item) in parent.get(key).map(Node::items).unwrap_or_default().iter().enumerate() {
            look(self, item, &format!("{}[{index}]", below(path, key)));
        }
    }

    /// What a Workflow and each of its templates have of a pod.
    fn pod_parts(&mut self, node: &Node, path: &str) {
        self.each::<Volume>(node, path, "volumes", &[]);
        self.each::<Toleration>(node, path, "tolerations", &[]);
        self.each::<HostAlias>(node, path, "hostAliases", &[]);
        self.one::<Affinity>(node, path, "affinity", &[]);
        self.one::<PodSecurityContext>(node, path, "securityContext", &[]);
    }

    /// One template; steps and tasks may have others written into them, which the reader lets nest so deeply only.
    fn template(&mut self, node: &Node, path: &str) {
        self.pod_parts(node, path);
        self.one::<Container>(node, path, "container", &[]);
        self.one::<Container>(node, path, "script", &["source"]);
        for list in ["initContainers", "sidecars"] {
            self.each::<Container>(node, path, list, &["mirrorVolumeMounts"]);
        }
        if let Some(set) = node.get("containerSet") {
            self.each::<Container>(set, &below(path, "containerSet"), "containers", &["dependencies"]);
        }
        if let Some(dag) = node.get("dag") {
            self.below(dag, &below(path, "dag"), "tasks", Self::inline);
        }
        self.below(node, path, "steps", |check, group, path| {
            for (index, step) in group.items().iter().enumerate() {
                check.inline(step, &format!("{path}[{index}]"));
            }
        });
    }

    fn inline(&mut self, step: &Node, path: &str) {
        if let Some(template) = step.get("inline") {
            self.template(template, &below(path, "inline"));
        }
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
