//! The Secrets and ConfigMaps that a pod cannot start without: what they hold up, and what a kubelet says of one that is
//! missing.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod, PodSpec, Secret, Volume};
use kube::{Api, Client, ResourceExt};

/// Which kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// What waits for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// The whole pod, for its volume of this name.
    Volume(String),
    /// The container of this name, for its environment.
    Container(String),
}

/// An object that a pod refers to, and not optionally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    kind: Kind,
    name: String,
    /// The key that must be in it.
    key: Option<String>,
    /// What it holds up.
    pub waits: Waits,
}

/// Something that a pod waits for, or waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What it holds up.
    pub waits: Waits,
    /// What the kubelet says of it.
    pub message: String,
    /// When it was there, counted from the pod's start; `None` while it is missing.
    pub until: Option<Duration>,
}

/// Everything that a pod refers to.
pub fn of_pod(pod: &Pod) -> Vec<Reference> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    of_volumes(spec).into_iter().chain(containers.flat_map(of_container)).collect()
}

fn of_volumes(spec: &PodSpec) -> Vec<Reference> {
    spec.volumes.iter().flatten().flat_map(of_volume).collect()
}

fn of_volume(volume: &Volume) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut add = |kind, name: Option<&String>, optional: Option<bool>| {
        if let Some(name) = name.filter(|_| optional != Some(true)) {
            let waits = Waits::Volume(volume.name.clone());
            found.push(Reference { kind, name: name.clone(), key: None, waits });
        }
    };
    if let Some(secret) = &volume.secret {
        add(Kind::Secret, secret.secret_name.as_ref(), secret.optional);
    }
    if let Some(map) = &volume.config_map {
        add(Kind::ConfigMap, Some(&map.name), map.optional);
    }
    for source in volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten()) {
        if let Some(secret) = &source.secret {
            add(Kind::Secret, Some(&secret.name), secret.optional);
        }
        if let Some(map) = &source.config_map {
            add(Kind::ConfigMap, Some(&map.name), map.optional);
        }
    }
    found
}

fn of_container(container: &Container) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut add = |kind, name: &str, key: Option<&String>, optional: Option<bool>| {
        if optional != Some(true) {
            let waits = Waits::Container(container.name.clone());
            found.push(Reference { kind, name: name.to_owned(), key: key.cloned(), waits });
        }
    };
    for source in container.env_from.iter().flatten() {
        if let Some(map) = &source.config_map_ref {
            add(Kind::ConfigMap, &map.name, None, map.optional);
        }
        if let Some(secret) = &source.secret_ref {
            add(Kind::Secret, &secret.name, None, secret.optional);
        }
    }
    for source in container.env.iter().flatten().filter_map(|env| env.value_from.as_ref()) {
        if let Some(map) = &source.config_map_key_ref {
            add(Kind::ConfigMap, &map.name, Some(&map.key), map.optional);
        }
        if let Some(secret) = &source.secret_key_ref {
            add(Kind::Secret, &secret.name, Some(&secret.key), secret.optional);
        }
    }
    found
}

impl Reference {
    /// What a kubelet says of it where it is missing; `None` where it is there.
    pub async fn problem(&self, client: &Client, pod: &Pod) -> Result<Option<String>, kube::Error> {
        let namespace = pod.namespace().unwrap_or_default();
        let keys: Option<Vec<String>> = match self.kind {
            Kind::Secret => {
                let found = Api::<Secret>::namespaced(client.clone(), &namespace).get_opt(&self.name).await?;
                found.map(|secret| keys(secret.data).chain(keys(secret.string_data)).collect())
            }
            Kind::ConfigMap => {
                let found = Api::<ConfigMap>::namespaced(client.clone(), &namespace).get_opt(&self.name).await?;
                found.map(|map| keys(map.data).chain(keys(map.binary_data)).collect())
            }
        };
        Ok(match (keys, &self.key) {
            (None, _) => Some(match self.kind {
                Kind::Secret => format!("secret {:?} not found", self.name),
                Kind::ConfigMap => format!("configmap {:?} not found", self.name),
            }),
            (Some(keys), Some(key)) if !keys.contains(key) => {
                Some(format!("couldn't find key {key} in {:?} {namespace}/{}", self.kind, self.name))
            }
            (Some(_), _) => None,
        })
    }
}

fn keys<V>(data: Option<BTreeMap<String, V>>) -> impl Iterator<Item = String> {
    data.into_iter().flat_map(BTreeMap::into_keys)
}

/// When nothing holds up this container any more; `Err` with what is said while something does.
pub fn free_at<'h>(holds: &'h [Hold], container: &str) -> Result<Duration, &'h str> {
    when_free(holds.iter().filter(|hold| matches!(&hold.waits, Waits::Container(name) if name == container)))
}

/// When the pod's volumes can be mounted; `Err` with what is said while one cannot.
pub fn mounted_at(holds: &[Hold]) -> Result<Duration, &str> {
    when_free(holds.iter().filter(|hold| matches!(hold.waits, Waits::Volume(_))))
}

fn when_free<'h>(holds: impl Iterator<Item = &'h Hold>) -> Result<Duration, &'h str> {
    holds
        .map(|hold| hold.until.ok_or(hold.message.as_str()))
        .try_fold(Duration::ZERO, |free, until| Ok(free.max(until?)))
}
