//! The pods that the templates of a Workflow create: each is assembled from parts in different places of the document.

use std::collections::{BTreeSet, HashMap, HashSet};

use k8s_openapi::api::core::v1::{
    Affinity, Container, HostAlias, LocalObjectReference, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource,
    PodDNSConfig, PodSecurityContext, PodSpec, PodTemplateSpec, Toleration, Volume, VolumeMount,
};
use kube::api::ObjectMeta;
use serde::de::DeserializeOwned;

use super::fields::Metadata;
use crate::cluster::yaml::{Node, Problem, Root, typed};

/// Argo's name for the container of a template that has one.
const MAIN: &str = "main";
/// Maximum memory for the parts of all pods, in bytes: an empty container is three bytes of YAML and a thousand in its
/// type.
const MAX_MEMORY: usize = 16 * 1024 * 1024;

/// A pod that a template creates.
#[derive(Debug, Clone)]
pub struct TemplatePod {
    /// The pod, without what Argo adds to it.
    pub template: PodTemplateSpec,
    /// The origin of its parts: the path in the pod, and the path in the document.
    places: Vec<(String, String)>,
}

impl TemplatePod {
    /// The path in the document of the field at `path` in the pod.
    pub fn place(&self, path: &str) -> String {
        let fits = self.places.iter().filter_map(|(part, place)| {
            let rest = path.strip_prefix(part.as_str())?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some((part.len(), place, rest))
        });
        match fits.max_by_key(|(length, ..)| *length) {
            Some((_, place, rest)) => format!("{place}{rest}"),
            None => path.to_owned(),
        }
    }
}

/// Containers of one pod that depend on each other.
#[derive(Debug, Clone)]
pub struct ContainerSet {
    /// The path of the list that contains them.
    pub path: String,
    /// The name of each, and the names of its dependencies.
    pub containers: Vec<(String, Vec<String>)>,
}

/// The pods of a document, and the dependencies between their containers.
///
/// # Errors
/// Whatever does not match the Kubernetes types.
pub(super) fn of(document: &Node) -> Result<(Vec<TemplatePod>, Vec<ContainerSet>), Vec<Problem>> {
    let mut reader = Reader::default();
    if let Some(spec) = document.get("spec") {
        let claims = reader.each::<PersistentVolumeClaim>(
            spec,
            "spec",
            "volumeClaimTemplates",
            &["status", "apiVersion", "kind"],
        );
        reader.shared(spec, claims);
        if let Some(defaults) = spec.get("templateDefaults") {
            reader.template(defaults, "spec.templateDefaults");
            // What the containers of every template may mount.
            let volumes = reader.each::<Volume>(defaults, "spec.templateDefaults", "volumes", &[]);
            reader.volumes.extend(volumes.into_iter().map(|(path, volume)| (volume.name.clone(), (path, volume))));
        }
        reader.below(spec, "spec", "templates", Reader::template);
    }
    reader.problems.dedup();
    if reader.problems.is_empty() { Ok((reader.pods, reader.sets)) } else { Err(reader.problems) }
}

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
    pods: Vec<TemplatePod>,
    sets: Vec<ContainerSet>,
    /// Defaults of the workflow for each pod: the field of the pod, and the path.
    shared: Vec<(&'static str, String)>,
    /// The same, until a pod has used it: it is checked once.
    pod: PodSpec,
    /// Volumes of the workflow by name, each with its path.
    volumes: HashMap<String, (String, Volume)>,
    /// Memory of the parts, in bytes.
    memory: usize,
    is_full: bool,
}

impl Reader {
    fn typed<T: DeserializeOwned>(&mut self, node: &Node, path: &str, without: &[&str]) -> Option<T> {
        self.memory = self.memory.saturating_add(size_of::<T>());
        if self.memory > MAX_MEMORY {
            if !std::mem::replace(&mut self.is_full, true) {
                let most = MAX_MEMORY / (1024 * 1024);
                let what = format!("is too much: the pods of the workflow would take more than {most} MiB of memory");
                self.problems.push(Problem { place: node.place, path: path.to_owned(), what });
            }
            return None;
        }
        match typed::<T>(node, Root { path, without, optional: None }) {
            Ok(part) => Some(part),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    fn one<T: DeserializeOwned>(&mut self, parent: &Node, path: &str, key: &str) -> Option<T> {
        let node = parent.get(key).filter(|node| !node.is_null())?;
        self.typed::<T>(node, &format!("{path}.{key}"), &[])
    }

    fn each<T: DeserializeOwned>(
        &mut self,
        parent: &Node,
        path: &str,
        key: &str,
        without: &[&str],
    ) -> Vec<(String, T)> {
        let mut found = Vec::new();
        self.below(parent, path, key, |reader, item, path| {
            found.extend(reader.typed::<T>(item, path, without).map(|part| (path.to_owned(), part)));
        });
        found
    }

    /// Visits every item of the list under `key`.
    fn below(&mut self, parent: &Node, path: &str, key: &str, mut look: impl FnMut(&mut Self, &Node, &str)) {
        for (index, item) in parent.get(key).map(Node::items).unwrap_or_default().iter().enumerate() {
            look(self, item, &format!("{path}.{key}[{index}]"));
        }
    }

    /// A part that a template may override: the template's value, with its position.
    fn part<T: DeserializeOwned>(
        &mut self,
        node: &Node,
        path: &str,
        key: &'static str,
        shared: fn(&mut PodSpec) -> &mut Option<T>,
        places: &mut Vec<(String, String)>,
    ) -> Option<T> {
        let own = self.one::<T>(node, path, key);
        if own.is_some() {
            places.retain(|(part, _)| part.strip_prefix("spec.") != Some(key));
            places.push((format!("spec.{key}"), format!("{path}.{key}")));
        }
        own.or_else(|| shared(&mut self.pod).take())
    }

    /// The parts that the workflow sets for all its pods.
    fn shared(&mut self, spec: &Node, claims: Vec<(String, PersistentVolumeClaim)>) {
        let volumes = self.each::<Volume>(spec, "spec", "volumes", &[]);
        self.volumes.extend(volumes.into_iter().map(|(path, volume)| (volume.name.clone(), (path, volume))));
        self.volumes.extend(claims.into_iter().map(|(path, claim)| {
            let name = claim.metadata.name.unwrap_or_default();
            // The claim that Argo creates from it gets a name of its own.
            let source = PersistentVolumeClaimVolumeSource { claim_name: "claim".to_owned(), read_only: None };
            let volume = Volume { name: name.clone(), persistent_volume_claim: Some(source), ..Volume::default() };
            (name, (format!("{path}.metadata"), volume))
        }));
        self.pod = PodSpec {
            affinity: self.one::<Affinity>(spec, "spec", "affinity"),
            dns_config: self.one::<PodDNSConfig>(spec, "spec", "dnsConfig"),
            dns_policy: text(spec, "dnsPolicy"),
            host_aliases: self.one::<Vec<HostAlias>>(spec, "spec", "hostAliases"),
            image_pull_secrets: self.one::<Vec<LocalObjectReference>>(spec, "spec", "imagePullSecrets"),
            node_selector: spec.get("nodeSelector").and_then(|node| self.silent(node)),
            priority_class_name: text(spec, "podPriorityClassName"),
            scheduler_name: text(spec, "schedulerName"),
            security_context: self.one::<PodSecurityContext>(spec, "spec", "securityContext"),
            tolerations: self.one::<Vec<Toleration>>(spec, "spec", "tolerations"),
            ..PodSpec::default()
        };
        let own = ["dnsConfig", "dnsPolicy", "imagePullSecrets"];
        let either = ["affinity", "hostAliases", "nodeSelector", "schedulerName", "securityContext", "tolerations"];
        self.shared = own.into_iter().chain(either).map(|key| (key, format!("spec.{key}"))).collect();
        self.shared.push(("priorityClassName", "spec.podPriorityClassName".to_owned()));
    }

    /// A part that is also read with Argo's own fields, which report its problems.
    fn silent<T: DeserializeOwned>(&self, node: &Node) -> Option<T> {
        typed::<T>(node, Root::default()).ok()
    }

    /// One template; steps and tasks may contain inline templates, whose nesting the reader limits.
    fn template(&mut self, node: &Node, path: &str) {
        let mut places = vec![
            (String::new(), path.to_owned()),
            ("spec".to_owned(), path.to_owned()),
            ("metadata".to_owned(), format!("{path}.metadata")),
        ];
        places.extend(self.shared.iter().map(|(part, place)| (format!("spec.{part}"), place.clone())));
        let containers = self.containers(node, path, &mut places);
        let init = self.each::<Container>(node, path, "initContainers", &["mirrorVolumeMounts"]);
        let mut volumes = self.each::<Volume>(node, path, "volumes", &[]);
        // Like Argo: a pod gets the volumes of the workflow that its containers mount and that it does not define
        // itself.
        let own: HashSet<String> = volumes.iter().map(|(_, volume)| volume.name.clone()).collect();
        let all = containers.iter().chain(&init).flat_map(|(_, container)| container.volume_mounts.iter().flatten());
        let mounted: BTreeSet<&String> = all.map(|mount| &mount.name).filter(|name| !own.contains(*name)).collect();
        volumes.extend(mounted.into_iter().filter_map(|name| self.volumes.get(name).cloned()));
        let pod = PodSpec {
            affinity: self.part(node, path, "affinity", |pod| &mut pod.affinity, &mut places),
            host_aliases: self.part(node, path, "hostAliases", |pod| &mut pod.host_aliases, &mut places),
            node_selector: self.part(node, path, "nodeSelector", |pod| &mut pod.node_selector, &mut places),
            priority_class_name: self.part(
                node,
                path,
                "priorityClassName",
                |pod| &mut pod.priority_class_name,
                &mut places,
            ),
            scheduler_name: self.part(node, path, "schedulerName", |pod| &mut pod.scheduler_name, &mut places),
            security_context: self.part(node, path, "securityContext", |pod| &mut pod.security_context, &mut places),
            tolerations: self.part(node, path, "tolerations", |pod| &mut pod.tolerations, &mut places),
            containers: numbered("containers", containers, &mut places),
            init_containers: Some(numbered("initContainers", init, &mut places)),
            volumes: Some(numbered("volumes", volumes, &mut places)),
            dns_config: self.pod.dns_config.take(),
            dns_policy: self.pod.dns_policy.take(),
            image_pull_secrets: self.pod.image_pull_secrets.take(),
            ..PodSpec::default()
        };
        let is_pod = ["container", "script", "containerSet"].iter().any(|key| is_given(node, key));
        if is_pod {
            let Metadata { annotations, labels } =
                node.get("metadata").and_then(|node| self.silent(node)).unwrap_or_default();
            let metadata = ObjectMeta { annotations: Some(annotations), labels: Some(labels), ..ObjectMeta::default() };
            let template = PodTemplateSpec { metadata: Some(metadata), spec: Some(pod) };
            self.pods.push(TemplatePod { template, places });
        }
        if let Some(dag) = node.get("dag") {
            self.below(dag, &format!("{path}.dag"), "tasks", Self::inline);
        }
        self.below(node, path, "steps", |reader, group, path| {
            for (index, step) in group.items().iter().enumerate() {
                reader.inline(step, &format!("{path}[{index}]"));
            }
        });
    }

    /// The main containers and the sidecars.
    fn containers(&mut self, node: &Node, path: &str, places: &mut Vec<(String, String)>) -> Vec<(String, Container)> {
        let mut found = Vec::new();
        for (key, without) in [("container", &[] as &[&str]), ("script", &["source"])] {
            if let Some(node) = node.get(key).filter(|node| !node.is_null()) {
                let place = format!("{path}.{key}");
                if let Some(mut container) = self.typed::<Container>(node, &place, without) {
                    MAIN.clone_into(&mut container.name);
                    found.push((place, container));
                }
            }
        }
        if let Some(set) = node.get("containerSet") {
            let path = format!("{path}.containerSet");
            let mounts = self.one::<Vec<VolumeMount>>(set, &path, "volumeMounts").unwrap_or_default();
            let mut ordered = Vec::new();
            self.below(set, &path, "containers", |reader, container, path| {
                let waits_for = reader.one::<Vec<String>>(container, path, "dependencies").unwrap_or_default();
                ordered.push((text(container, "name").unwrap_or_default(), waits_for));
            });
            self.sets.push(ContainerSet { path: format!("{path}.containers"), containers: ordered });
            for (place, mut container) in self.each::<Container>(set, &path, "containers", &["dependencies"]) {
                let own = container.volume_mounts.get_or_insert_default();
                for (index, mount) in mounts.iter().enumerate() {
                    let part = format!("spec.containers[{}].volumeMounts[{}]", found.len(), own.len());
                    places.push((part, format!("{path}.volumeMounts[{index}]")));
                    own.push(mount.clone());
                }
                found.push((place, container));
            }
        }
        found.extend(self.each::<Container>(node, path, "sidecars", &["mirrorVolumeMounts"]));
        found
    }

    fn inline(&mut self, step: &Node, path: &str) {
        if let Some(template) = step.get("inline") {
            self.template(template, &format!("{path}.inline"));
        }
    }
}

/// The parts without their positions, which are recorded.
fn numbered<T>(list: &str, parts: Vec<(String, T)>, places: &mut Vec<(String, String)>) -> Vec<T> {
    let parts = parts.into_iter().enumerate();
    parts
        .map(|(index, (place, part))| {
            places.push((format!("spec.{list}[{index}]"), place));
            part
        })
        .collect()
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::text).map(str::to_owned)
}

fn is_given(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|node| !node.is_null())
}
