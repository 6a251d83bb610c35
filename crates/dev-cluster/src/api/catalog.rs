//! The catalogue of served resources: the built-in ones and those that definitions added.

use super::openapi::builtin_schema;
use super::schema::{CompiledCrd, CompiledVersion};
use super::table::Columns;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where the objects of a resource are stored: all versions of a resource share one collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionId {
    /// The API group.
    pub group: String,
    /// The plural name.
    pub plural: String,
}

impl CollectionId {
    /// The collection of a resource.
    pub fn new(group: &str, plural: &str) -> Self {
        CollectionId { group: group.to_owned(), plural: plural.to_owned() }
    }
}

/// Where the schema of a resource's objects comes from.
#[derive(Clone)]
pub enum Origin {
    /// A kind of Kubernetes itself.
    Builtin(Option<Arc<CompiledVersion>>),
    /// A definition that was applied.
    Custom {
        /// The definition.
        definition: Arc<CustomResourceDefinition>,
        /// Its schemas.
        compiled: Arc<CompiledCrd>,
    },
}

/// One resource in one version.
#[derive(Clone)]
pub struct ResourceKind {
    /// The API group, empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The list's kind.
    pub list_kind: String,
    /// The plural name, as in paths.
    pub plural: String,
    /// The singular name.
    pub singular: String,
    /// What `kubectl` users may type instead.
    pub short_names: Vec<String>,
    /// The categories (`all`) it is part of.
    pub categories: Vec<String>,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// The served subresources.
    pub subresources: Vec<String>,
    /// Where its schema comes from.
    pub origin: Origin,
    /// The columns of its Table.
    pub columns: Arc<Columns>,
}

impl fmt::Debug for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api_version(), self.plural)
    }
}

impl ResourceKind {
    /// `v1`, or `group/version`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `pods`, or `flashjobs.scheduling.flash-sched.io`: the name that messages use.
    pub fn qualified_resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The collection its objects are in. Both Event resources show the same objects.
    pub fn collection(&self) -> CollectionId {
        let group = if self.group == "events.k8s.io" { "" } else { self.group.as_str() };
        CollectionId::new(group, &self.plural)
    }

    /// Whether this is the core resource of that plural name.
    pub fn is_core(&self, plural: &str) -> bool {
        self.group.is_empty() && self.plural == plural
    }

    /// Whether it is defined by a custom resource definition.
    pub fn is_custom(&self) -> bool {
        matches!(self.origin, Origin::Custom { .. })
    }

    /// Whether a subresource is served.
    pub fn has_subresource(&self, name: &str) -> bool {
        self.subresources.iter().any(|s| s == name)
    }

    /// The schema of its objects, where one is known.
    pub fn schema(&self) -> Option<&CompiledVersion> {
        match &self.origin {
            Origin::Builtin(schema) => schema.as_deref(),
            Origin::Custom { compiled, .. } => compiled.version(&self.version),
        }
    }

    /// The version that objects are stored in.
    pub fn storage_api_version(&self) -> String {
        match &self.origin {
            Origin::Builtin(_) if self.group == "events.k8s.io" => "v1".to_owned(),
            Origin::Builtin(_) => self.api_version(),
            Origin::Custom { definition, .. } => {
                let stored = definition.spec.versions.iter().find(|v| v.storage);
                stored.map_or_else(|| self.api_version(), |v| format!("{}/{}", self.group, v.name))
            }
        }
    }

    /// Every version of a definition that is served, as resources.
    pub fn of_definition(definition: &Arc<CustomResourceDefinition>, compiled: &Arc<CompiledCrd>) -> Vec<ResourceKind> {
        let spec = &definition.spec;
        let names = &spec.names;
        let served = spec.versions.iter().filter(|version| version.served);
        served
            .map(|version| {
                let subresources = version.subresources.as_ref();
                let mut served_subresources = Vec::new();
                if subresources.is_some_and(|s| s.status.is_some()) {
                    served_subresources.push("status".to_owned());
                }
                if subresources.is_some_and(|s| s.scale.is_some()) {
                    served_subresources.push("scale".to_owned());
                }
                ResourceKind {
                    group: spec.group.clone(),
                    version: version.name.clone(),
                    kind: names.kind.clone(),
                    list_kind: names.list_kind.clone().unwrap_or_else(|| format!("{}List", names.kind)),
                    plural: names.plural.clone(),
                    singular: names.singular.clone().unwrap_or_else(|| names.kind.to_lowercase()),
                    short_names: names.short_names.clone().unwrap_or_default(),
                    categories: names.categories.clone().unwrap_or_default(),
                    namespaced: spec.scope == "Namespaced",
                    subresources: served_subresources,
                    columns: Arc::new(Columns::custom(definition, &version.name)),
                    origin: Origin::Custom { definition: definition.clone(), compiled: compiled.clone() },
                }
            })
            .collect()
    }
}

/// The row of a built-in resource in [`BUILTIN`].
struct Builtin {
    group: &'static str,
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
    in_all: bool,
    subresources: &'static [&'static str],
}

const fn row(
    group: &'static str,
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
    in_all: bool,
    subresources: &'static [&'static str],
) -> Builtin {
    Builtin { group, plural, kind, namespaced, short, in_all, subresources }
}

/// The built-in resources, all of version v1.
const BUILTIN: &[Builtin] = &[
    row("", "configmaps", "ConfigMap", true, &["cm"], false, &[]),
    row("", "events", "Event", true, &["ev"], false, &[]),
    row("", "limitranges", "LimitRange", true, &["limits"], false, &[]),
    row("", "namespaces", "Namespace", false, &["ns"], false, &["finalize", "status"]),
    row("", "nodes", "Node", false, &["no"], false, &["status"]),
    row("", "persistentvolumeclaims", "PersistentVolumeClaim", true, &["pvc"], false, &["status"]),
    row("", "persistentvolumes", "PersistentVolume", false, &["pv"], false, &["status"]),
    row("", "pods", "Pod", true, &["po"], true, &["binding", "eviction", "log", "status"]),
    row("", "resourcequotas", "ResourceQuota", true, &["quota"], false, &["status"]),
    row("", "secrets", "Secret", true, &[], false, &[]),
    row("", "serviceaccounts", "ServiceAccount", true, &["sa"], false, &[]),
    row("", "services", "Service", true, &["svc"], true, &["status"]),
    row("apps", "deployments", "Deployment", true, &["deploy"], true, &["scale", "status"]),
    row("apps", "replicasets", "ReplicaSet", true, &["rs"], true, &["scale", "status"]),
    row("batch", "cronjobs", "CronJob", true, &["cj"], true, &["status"]),
    row("batch", "jobs", "Job", true, &[], true, &["status"]),
    row("coordination.k8s.io", "leases", "Lease", true, &[], false, &[]),
    row("events.k8s.io", "events", "Event", true, &["ev"], false, &[]),
    row("networking.k8s.io", "ingresses", "Ingress", true, &["ing"], false, &["status"]),
    row("networking.k8s.io", "networkpolicies", "NetworkPolicy", true, &["netpol"], false, &[]),
    row("scheduling.k8s.io", "priorityclasses", "PriorityClass", false, &["pc"], false, &[]),
    row("storage.k8s.io", "storageclasses", "StorageClass", false, &["sc"], false, &[]),
    row(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        false,
        &["crd", "crds"],
        false,
        &["status"],
    ),
];

/// All served resources, found by (group, version, plural).
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    kinds: BTreeMap<(String, String, String), Arc<ResourceKind>>,
}

impl Catalog {
    /// The built-in resources.
    pub fn builtin() -> Self {
        let mut catalog = Catalog::default();
        for row in BUILTIN {
            let mut categories = if row.in_all { vec!["all".to_owned()] } else { Vec::new() };
            if row.group == "apiextensions.k8s.io" {
                categories.push("api-extensions".to_owned());
            }
            catalog.insert(ResourceKind {
                group: row.group.to_owned(),
                version: "v1".to_owned(),
                kind: row.kind.to_owned(),
                list_kind: format!("{}List", row.kind),
                plural: row.plural.to_owned(),
                singular: row.kind.to_lowercase(),
                short_names: row.short.iter().map(|s| (*s).to_owned()).collect(),
                categories,
                namespaced: row.namespaced,
                subresources: row.subresources.iter().map(|s| (*s).to_owned()).collect(),
                columns: Arc::new(Columns::builtin(row.group, row.kind)),
                origin: Origin::Builtin(builtin_schema(row.group, "v1", row.kind)),
            });
        }
        catalog
    }

    /// Adds a resource.
    pub fn insert(&mut self, kind: ResourceKind) {
        self.kinds.insert((kind.group.clone(), kind.version.clone(), kind.plural.clone()), Arc::new(kind));
    }

    /// Takes a definition's resource out of service.
    pub fn remove(&mut self, group: &str, plural: &str) {
        self.kinds.retain(|(g, _, p), _| g != group || p != plural);
    }

    /// The resource of that path, if it is served.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<ResourceKind>> {
        self.kinds.get(&(group.to_owned(), version.to_owned(), plural.to_owned())).cloned()
    }

    /// A core or built-in resource by group and plural in v1.
    pub fn builtin_kind(&self, group: &str, plural: &str) -> Option<Arc<ResourceKind>> {
        self.find(group, "v1", plural)
    }

    /// Every resource, ordered by group, version and plural.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ResourceKind>> {
        self.kinds.values()
    }

    /// The groups with their versions, built-in groups first; within a group the preferred version first.
    pub fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for kind in self.kinds.values() {
            match groups.iter_mut().find(|(name, _)| *name == kind.group) {
                Some((_, versions)) if versions.contains(&kind.version) => {}
                Some((_, versions)) => versions.push(kind.version.clone()),
                None => groups.push((kind.group.clone(), vec![kind.version.clone()])),
            }
        }
        for (_, versions) in &mut groups {
            versions.sort_by_key(|version| std::cmp::Reverse(VersionRank::of(version)));
        }
        groups.sort_by_key(|(name, _)| BUILTIN.iter().position(|row| row.group == name).unwrap_or(usize::MAX));
        groups
    }

    /// The resources of a group version.
    pub fn in_group_version<'a>(
        &'a self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a Arc<ResourceKind>> {
        self.kinds.values().filter(move |kind| kind.group == group && kind.version == version)
    }
}

/// Kubernetes' order of versions: v2 > v1 > v1beta2 > v1alpha1 > anything else by name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct VersionRank(u8, u32, u32);

impl VersionRank {
    fn of(version: &str) -> VersionRank {
        let parse = || -> Option<VersionRank> {
            let rest = version.strip_prefix('v')?;
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let major = rest[..digits].parse().ok()?;
            let tail = &rest[digits..];
            if tail.is_empty() {
                return Some(VersionRank(3, major, 0));
            }
            let (stage, number) = match (tail.strip_prefix("beta"), tail.strip_prefix("alpha")) {
                (Some(number), _) => (2, number),
                (None, Some(number)) => (1, number),
                (None, None) => return None,
            };
            Some(VersionRank(stage, major, number.parse().ok()?))
        };
        parse().unwrap_or(VersionRank(0, 0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_come_before_beta_and_alpha() {
        let mut versions = ["v1alpha1", "v1", "v2", "v1beta2", "v1beta1", "other"];
        versions.sort_by_key(|v| std::cmp::Reverse(VersionRank::of(v)));
        assert_eq!(versions, ["v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "other"]);
    }

    #[test]
    fn both_event_resources_share_a_collection() {
        let catalog = Catalog::builtin();
        let core = catalog.builtin_kind("", "events").expect("core events");
        let new = catalog.builtin_kind("events.k8s.io", "events").expect("events.k8s.io events");
        assert_eq!(core.collection(), new.collection());
    }
}
