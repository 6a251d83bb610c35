//! The dependencies of a pod: the Secrets, ConfigMaps and storage claims that it refers to and cannot start without.

use std::collections::BTreeMap;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EnvFromSource, EnvVar, KeyToPath, PersistentVolumeClaim, PodSpec, Secret, Volume,
};
use kube::{Api, Resource};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::cluster::{Cluster, ClusterError};

/// A kind of object that a pod may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// The key that it must have; `None` if only the object is needed.
    pub(super) key: Option<Key>,
}

/// A key of a Secret or a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) name: String,
    /// Whether an environment variable needs it, for which the binary values of a ConfigMap are not used.
    of_variable: bool,
}

/// Everything that a pod cannot start without, once for each reference.
pub(super) fn of_pod(pod: &PodSpec) -> Vec<Reference> {
    let containers = || pod.init_containers.iter().flatten().chain(&pod.containers);
    let of_env = containers().flat_map(|container: &Container| container.env.iter().flatten()).filter_map(of_variable);
    let of_source = containers().flat_map(|container| container.env_from.iter().flatten()).flat_map(of_env_source);
    of_env.chain(of_source).chain(pod.volumes.iter().flatten().flat_map(of_volume)).collect()
}

fn needed(kind: Kind, name: &str, optional: Option<bool>) -> Option<Reference> {
    (optional != Some(true) && !name.is_empty()).then(|| Reference { kind, name: name.to_owned(), key: None })
}

fn of_variable(variable: &EnvVar) -> Option<Reference> {
    let source = variable.value_from.as_ref()?;
    let secret = source.secret_key_ref.as_ref();
    let secret = secret.and_then(|of| Some((needed(Kind::Secret, &of.name, of.optional)?, &of.key)));
    let map = source.config_map_key_ref.as_ref();
    let map = map.and_then(|of| Some((needed(Kind::ConfigMap, &of.name, of.optional)?, &of.key)));
    let (object, key) = secret.or(map)?;
    Some(Reference { key: Some(Key { name: key.clone(), of_variable: true }), ..object })
}

fn of_env_source(source: &EnvFromSource) -> Vec<Reference> {
    let secret = source.secret_ref.as_ref().and_then(|secret| needed(Kind::Secret, &secret.name, secret.optional));
    let map = source.config_map_ref.as_ref().and_then(|map| needed(Kind::ConfigMap, &map.name, map.optional));
    secret.into_iter().chain(map).collect()
}

fn of_volume(volume: &Volume) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut add = |object: Option<Reference>, items: Option<&Vec<KeyToPath>>| {
        let Some(object) = object else { return };
        let keys = items.into_iter().flatten().map(|item| Key { name: item.key.clone(), of_variable: false });
        found.extend(keys.map(|key| Reference { key: Some(key), ..object.clone() }));
        found.push(object);
    };
    if let Some(secret) = &volume.secret {
        let name = secret.secret_name.as_deref().unwrap_or_default();
        add(needed(Kind::Secret, name, secret.optional), secret.items.as_ref());
    }
    if let Some(map) = &volume.config_map {
        add(needed(Kind::ConfigMap, &map.name, map.optional), map.items.as_ref());
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        add(needed(Kind::Claim, &claim.claim_name, None), None);
    }
    let projected = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    for source in projected {
        if let Some(secret) = &source.secret {
            add(needed(Kind::Secret, &secret.name, secret.optional), secret.items.as_ref());
        }
        if let Some(map) = &source.config_map {
            add(needed(Kind::ConfigMap, &map.name, map.optional), map.items.as_ref());
        }
    }
    found
}

/// The missing part of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    Nothing,
    Object,
    /// These of its keys, in order.
    Keys(Vec<String>),
}

/// The part of an object and of these keys that is missing from the namespace. What the platform may not read, or
/// cannot read at the moment, is not reported as missing.
pub(super) async fn missing(
    cluster: &Cluster,
    namespace: &str,
    (kind, name): (Kind, &str),
    keys: impl Iterator<Item = &Key>,
) -> Missing {
    let keys: Vec<&Key> = keys.collect();
    let lacks = match kind {
        Kind::Secret | Kind::ConfigMap if !keys.is_empty() => {
            let url = match kind {
                Kind::Secret => Secret::url_path(&(), Some(namespace)),
                Kind::ConfigMap | Kind::Claim => ConfigMap::url_path(&(), Some(namespace)),
            };
            return match held(cluster, &format!("{url}/{name}")).await {
                Ok(held) => held.lacks(&keys),
                Err(ClusterError::NotFound(_)) => Missing::Object,
                Err(_) => Missing::Nothing,
            };
        }
        Kind::Secret => lacks::<Secret>(cluster, namespace, name).await,
        Kind::ConfigMap => lacks::<ConfigMap>(cluster, namespace, name).await,
        Kind::Claim => lacks::<PersistentVolumeClaim>(cluster, namespace, name).await,
    };
    if lacks { Missing::Object } else { Missing::Nothing }
}

/// Requests only the metadata: the contents of a Secret are not needed here.
async fn lacks<K>(cluster: &Cluster, namespace: &str, name: &str) -> bool
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api = Api::<K>::namespaced(cluster.client(), namespace);
    matches!(cluster.call(api.get_metadata_opt(name)).await, Ok(None))
}

/// The keys of a Secret or a ConfigMap. The cluster has no way to request only the keys; the values are skipped while
/// parsing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    data: Option<BTreeMap<String, IgnoredAny>>,
    binary_data: Option<BTreeMap<String, IgnoredAny>>,
}

impl Held {
    fn lacks(&self, keys: &[&Key]) -> Missing {
        let has = |values: &Option<BTreeMap<_, _>>, key: &str| values.as_ref().is_some_and(|all| all.contains_key(key));
        let is_there =
            |key: &Key| has(&self.data, &key.name) || (!key.of_variable && has(&self.binary_data, &key.name));
        let mut missing: Vec<String> = keys.iter().filter(|key| !is_there(key)).map(|key| key.name.clone()).collect();
        missing.dedup();
        if missing.is_empty() { Missing::Nothing } else { Missing::Keys(missing) }
    }
}

async fn held(cluster: &Cluster, path: &str) -> Result<Held, ClusterError> {
    let request = http::Request::get(path).body(Vec::new());
    let request = request.map_err(|error| ClusterError::Refused(error.to_string()))?;
    cluster.call(cluster.client().request::<Held>(request)).await
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
                { "name": "v2", "configMap": { "name": "m3", "items": [{ "key": "f", "path": "f" }] } },
                { "name": "v3", "secret": { "secretName": "o3", "optional": true } },
                { "name": "v4", "persistentVolumeClaim": { "claimName": "c1" } },
                { "name": "v5", "projected": { "sources": [
                    { "secret": { "name": "s4" } }, { "configMap": { "name": "m4" } }, { "secret": { "name": "o4", "optional": true } },
                ] } },
                { "name": "v6", "emptyDir": {} },
            ],
        });
        let shown =
            |found: Reference| found.key.map_or(found.name.clone(), |key| format!("{}/{}", found.name, key.name));
        let mut names: Vec<_> = of_pod(&serde_json::from_value(pod).unwrap()).into_iter().map(shown).collect();
        names.sort();
        assert_eq!(names, ["c1", "m1/k", "m2", "m3", "m3/f", "m4", "s1", "s2/k", "s3", "s4"]);
    }

    #[test]
    fn a_key_is_missing_where_its_user_would_not_find_it() {
        let held: Held =
            serde_json::from_value(json!({ "data": { "a": "x" }, "binaryData": { "b": "AAAA" } })).unwrap();
        let key = |name: &str, of_variable| Key { name: name.to_owned(), of_variable };
        assert_eq!(held.lacks(&[&key("a", true), &key("a", false), &key("b", false)]), Missing::Nothing);
        let missing = held.lacks(&[&key("b", true), &key("c", false), &key("c", true)]);
        assert_eq!(missing, Missing::Keys(vec!["b".to_owned(), "c".to_owned()]));
    }
}
