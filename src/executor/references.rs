//! What a pod needs beside itself: the Secrets, ConfigMaps and storage claims that it refers to and does not start without.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EnvFromSource, EnvVar, PersistentVolumeClaim, PodSpec, Secret, Volume,
};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;

/// A kind of object that a pod may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Secret,
    ConfigMap,
    Claim,
}

impl Kind {
    /// Its name in Kubernetes.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::Claim => "PersistentVolumeClaim",
        }
    }
}

/// An object that a pod needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    pub(super) kind: Kind,
    pub(super) name: String,
}

/// All that a pod does not start without, as often as it refers to it.
pub(super) fn of_pod(pod: &PodSpec) -> Vec<Reference> {
    let containers = || pod.init_containers.iter().flatten().chain(&pod.containers);
    let of_env = containers().flat_map(|container: &Container| container.env.iter().flatten()).filter_map(of_variable);
    let of_source = containers().flat_map(|container| container.env_from.iter().flatten()).flat_map(of_env_source);
    of_env.chain(of_source).chain(pod.volumes.iter().flatten().flat_map(of_volume)).collect()
}

fn needed(kind: Kind, name: &str, optional: Option<bool>) -> Option<Reference> {
    (optional != Some(true) && !name.is_empty()).then(|| Reference { kind, name: name.to_owned() })
}

fn of_variable(variable: &EnvVar) -> Option<Reference> {
    let source = variable.value_from.as_ref()?;
    let secret = source.secret_key_ref.as_ref().and_then(|key| needed(Kind::Secret, &key.name, key.optional));
    secret
        .or_else(|| source.config_map_key_ref.as_ref().and_then(|key| needed(Kind::ConfigMap, &key.name, key.optional)))
}

fn of_env_source(source: &EnvFromSource) -> Vec<Reference> {
    let secret = source.secret_ref.as_ref().and_then(|secret| needed(Kind::Secret, &secret.name, secret.optional));
    let map = source.config_map_ref.as_ref().and_then(|map| needed(Kind::ConfigMap, &map.name, map.optional));
    secret.into_iter().chain(map).collect()
}

fn of_volume(volume: &Volume) -> Vec<Reference> {
    let mut found = Vec::new();
    if let Some(secret) = &volume.secret {
        found.extend(needed(Kind::Secret, secret.secret_name.as_deref().unwrap_or_default(), secret.optional));
    }
    if let Some(map) = &volume.config_map {
        found.extend(needed(Kind::ConfigMap, &map.name, map.optional));
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        found.extend(needed(Kind::Claim, &claim.claim_name, None));
    }
    let projected = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    for source in projected {
        if let Some(secret) = &source.secret {
            found.extend(needed(Kind::Secret, &secret.name, secret.optional));
        }
        if let Some(map) = &source.config_map {
            found.extend(needed(Kind::ConfigMap, &map.name, map.optional));
        }
    }
    found
}

/// Whether the namespace has no such object. What the platform may not see, or not at present, is not said to be missing.
pub(super) async fn is_missing(cluster: &Cluster, namespace: &str, reference: &Reference) -> bool {
    match reference.kind {
        Kind::Secret => lacks::<Secret>(cluster, namespace, &reference.name).await,
        Kind::ConfigMap => lacks::<ConfigMap>(cluster, namespace, &reference.name).await,
        Kind::Claim => lacks::<PersistentVolumeClaim>(cluster, namespace, &reference.name).await,
    }
}

/// Asks for the metadata alone: what a Secret holds is nobody's business here.
async fn lacks<K>(cluster: &Cluster, namespace: &str, name: &str) -> bool
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api = Api::<K>::namespaced(cluster.client(), namespace);
    matches!(cluster.call(api.get_metadata_opt(name)).await, Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_way_to_refer_to_an_object_is_found_but_not_what_is_optional() {
        let pod = json!({
            "initContainers": [{ "name": "i", "envFrom": [{ "secretRef": { "name": "s1" } }] }],
            "containers": [{
                "name": "a",
                "env": [
                    { "name": "A", "valueFrom": { "secretKeyRef": { "name": "s2", "key": "k" } } },
                    { "name": "B", "valueFrom": { "configMapKeyRef": { "name": "m1", "key": "k" } } },
                    { "name": "C", "valueFrom": { "secretKeyRef": { "name": "o1", "key": "k", "optional": true } } },
                    { "name": "D", "value": "x" },
                ],
                "envFrom": [{ "configMapRef": { "name": "m2" } }, { "configMapRef": { "name": "o2", "optional": true } }],
            }],
            "volumes": [
                { "name": "v1", "secret": { "secretName": "s3" } },
                { "name": "v2", "configMap": { "name": "m3" } },
                { "name": "v3", "secret": { "secretName": "o3", "optional": true } },
                { "name": "v4", "persistentVolumeClaim": { "claimName": "c1" } },
                { "name": "v5", "projected": { "sources": [
                    { "secret": { "name": "s4" } }, { "configMap": { "name": "m4" } }, { "secret": { "name": "o4", "optional": true } },
                ] } },
                { "name": "v6", "emptyDir": {} },
            ],
        });
        let mut names: Vec<_> =
            of_pod(&serde_json::from_value(pod).unwrap()).into_iter().map(|found| found.name).collect();
        names.sort();
        assert_eq!(names, ["c1", "m1", "m2", "m3", "m4", "s1", "s2", "s3", "s4"]);
    }
}
