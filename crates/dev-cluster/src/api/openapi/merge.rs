//! How the built-in kinds' lists and maps merge: k8s-openapi's types do not say, and strategic merge patch and server-side
//! apply have to know. The rows are those of Kubernetes 1.36's own OpenAPI document, for the kinds that are served here.

use serde_json::{Value, json};

/// How one field merges.
enum Rule {
    /// A list whose entries have these keys; strategic merge patch goes by the first.
    Keyed(&'static [&'static str]),
    /// The same, and a patched entry keeps only the fields that the patch names (the variants of a volume).
    KeyedRetaining(&'static [&'static str]),
    /// Entries with keys for server-side apply; strategic merge patch replaces the list.
    Map(&'static [&'static str]),
    /// A set; strategic merge patch replaces it.
    Set,
    /// A set that strategic merge patch merges too.
    MergedSet,
    /// Strategic merge patch merges by this key, server-side apply replaces.
    Patched(&'static str),
    /// Replaced as a whole.
    AtomicMap,
    /// A patched object keeps only the fields that the patch names.
    RetainKeys,
}

use Rule::{AtomicMap, Keyed, KeyedRetaining, Map, MergedSet, Patched, RetainKeys, Set};

const BY_NAME: Rule = Keyed(&["name"]);
const BY_TYPE: Rule = Keyed(&["type"]);

/// The fields of each definition that do not merge by default.
const FIELDS: &[(&str, &[(&str, Rule)])] = &[
    (
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
        &[("finalizers", MergedSet), ("ownerReferences", Keyed(&["uid"]))],
    ),
    (
        "io.k8s.api.core.v1.PodSpec",
        &[
            ("containers", BY_NAME),
            ("ephemeralContainers", BY_NAME),
            ("hostAliases", Keyed(&["ip"])),
            ("imagePullSecrets", BY_NAME),
            ("initContainers", BY_NAME),
            ("nodeSelector", AtomicMap),
            ("resourceClaims", KeyedRetaining(&["name"])),
            ("schedulingGates", BY_NAME),
            ("topologySpreadConstraints", Keyed(&["topologyKey", "whenUnsatisfiable"])),
            ("volumes", KeyedRetaining(&["name"])),
        ],
    ),
    ("io.k8s.api.core.v1.Container", CONTAINER),
    ("io.k8s.api.core.v1.EphemeralContainer", CONTAINER),
    ("io.k8s.api.core.v1.ResourceRequirements", &[("claims", Map(&["name"]))]),
    (
        "io.k8s.api.core.v1.PodStatus",
        &[
            ("conditions", BY_TYPE),
            ("hostIPs", Patched("ip")),
            ("podIPs", Keyed(&["ip"])),
            ("resourceClaimStatuses", KeyedRetaining(&["name"])),
        ],
    ),
    (
        "io.k8s.api.core.v1.ContainerStatus",
        &[("allocatedResourcesStatus", BY_NAME), ("volumeMounts", Keyed(&["mountPath"]))],
    ),
    ("io.k8s.api.core.v1.ContainerRestartRuleOnExitCodes", &[("values", Set)]),
    ("io.k8s.api.core.v1.ResourceStatus", &[("resources", Map(&["resourceID"]))]),
    ("io.k8s.api.core.v1.NamespaceStatus", &[("conditions", BY_TYPE)]),
    ("io.k8s.api.core.v1.NodeSpec", &[("podCIDRs", MergedSet)]),
    ("io.k8s.api.core.v1.NodeStatus", &[("addresses", BY_TYPE), ("conditions", BY_TYPE)]),
    ("io.k8s.api.core.v1.PersistentVolumeClaimStatus", &[("conditions", BY_TYPE)]),
    ("io.k8s.api.core.v1.ReplicationControllerSpec", &[("selector", AtomicMap)]),
    ("io.k8s.api.core.v1.ReplicationControllerStatus", &[("conditions", BY_TYPE)]),
    ("io.k8s.api.core.v1.ServiceAccount", &[("secrets", BY_NAME)]),
    ("io.k8s.api.core.v1.ServiceSpec", &[("ports", Keyed(&["port", "protocol"])), ("selector", AtomicMap)]),
    ("io.k8s.api.core.v1.ServiceStatus", &[("conditions", BY_TYPE)]),
    ("io.k8s.api.apps.v1.DaemonSetStatus", &[("conditions", BY_TYPE)]),
    ("io.k8s.api.apps.v1.DeploymentSpec", &[("strategy", RetainKeys)]),
    ("io.k8s.api.apps.v1.DeploymentStatus", &[("conditions", BY_TYPE)]),
    ("io.k8s.api.apps.v1.ReplicaSetStatus", &[("conditions", BY_TYPE)]),
    ("io.k8s.api.apps.v1.StatefulSetStatus", &[("conditions", BY_TYPE)]),
    ("io.k8s.api.batch.v1.JobStatus", &[("conditions", Patched("type"))]),
    ("io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement", &[("values", Set)]),
    ("io.k8s.api.batch.v1.UncountedTerminatedPods", &[("failed", Set), ("succeeded", Set)]),
    ("io.k8s.api.discovery.v1.Endpoint", &[("addresses", Set)]),
    ("io.k8s.api.node.v1.Scheduling", &[("nodeSelector", AtomicMap)]),
    ("io.k8s.api.policy.v1.PodDisruptionBudgetStatus", &[("conditions", BY_TYPE)]),
    ("io.k8s.api.storage.v1.CSIDriverSpec", &[("volumeLifecycleModes", Set)]),
    ("io.k8s.api.storage.v1.CSINodeSpec", &[("drivers", BY_NAME)]),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus",
        &[("conditions", Map(&["type"]))],
    ),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps",
        &[("x-kubernetes-validations", Keyed(&["rule"]))],
    ),
];

const CONTAINER: &[(&str, Rule)] = &[
    ("env", BY_NAME),
    ("ports", Keyed(&["containerPort", "protocol"])),
    ("volumeDevices", Keyed(&["devicePath"])),
    ("volumeMounts", Keyed(&["mountPath"])),
];

/// The definitions that server-side apply replaces as a whole wherever they stand.
const ATOMIC: &[&str] = &[
    "io.k8s.api.core.v1.ConfigMapKeySelector",
    "io.k8s.api.core.v1.EndpointAddress",
    "io.k8s.api.core.v1.EndpointPort",
    "io.k8s.api.core.v1.FileKeySelector",
    "io.k8s.api.core.v1.LocalObjectReference",
    "io.k8s.api.core.v1.NodeSelector",
    "io.k8s.api.core.v1.NodeSelectorTerm",
    "io.k8s.api.core.v1.ObjectFieldSelector",
    "io.k8s.api.core.v1.ObjectReference",
    "io.k8s.api.core.v1.ResourceFieldSelector",
    "io.k8s.api.core.v1.ScopeSelector",
    "io.k8s.api.core.v1.SecretKeySelector",
    "io.k8s.api.core.v1.SecretReference",
    "io.k8s.api.core.v1.TopologySelectorTerm",
    "io.k8s.api.core.v1.TypedLocalObjectReference",
    "io.k8s.api.autoscaling.v1.CrossVersionObjectReference",
    "io.k8s.api.discovery.v1.EndpointPort",
    "io.k8s.api.networking.v1.ServiceBackendPort",
    "io.k8s.api.rbac.v1.RoleRef",
    "io.k8s.api.rbac.v1.Subject",
    "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
    "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
];

/// Writes the merge rules of a definition into its schema.
pub(super) fn annotate(name: &str, definition: &mut Value) {
    if ATOMIC.contains(&name) {
        definition["x-kubernetes-map-type"] = json!("atomic");
    }
    let Some((_, fields)) = FIELDS.iter().find(|(definition, _)| *definition == name) else { return };
    for (field, rule) in *fields {
        if let Some(schema) = definition.get_mut("properties").and_then(|properties| properties.get_mut(*field)) {
            rule.write(schema);
        }
    }
}

impl Rule {
    fn write(&self, schema: &mut Value) {
        let (list_type, keys, strategy) = match self {
            Keyed(keys) => (Some("map"), *keys, Some("merge")),
            KeyedRetaining(keys) => (Some("map"), *keys, Some("merge,retainKeys")),
            Map(keys) => (Some("map"), *keys, None),
            Set => (Some("set"), [].as_slice(), None),
            MergedSet => (Some("set"), [].as_slice(), Some("merge")),
            Patched(key) => {
                schema["x-kubernetes-patch-merge-key"] = json!(key);
                (Some("atomic"), [].as_slice(), Some("merge"))
            }
            AtomicMap => {
                schema["x-kubernetes-map-type"] = json!("atomic");
                (None, [].as_slice(), None)
            }
            RetainKeys => (None, [].as_slice(), Some("retainKeys")),
        };
        if let Some(list_type) = list_type {
            schema["x-kubernetes-list-type"] = json!(list_type);
        }
        if let [first, ..] = keys {
            schema["x-kubernetes-list-map-keys"] = json!(keys);
            if strategy.is_some() {
                schema["x-kubernetes-patch-merge-key"] = json!(first);
            }
        }
        if let Some(strategy) = strategy {
            schema["x-kubernetes-patch-strategy"] = json!(strategy);
        }
    }
}
