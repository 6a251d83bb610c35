//! The built-in kinds' schemas, made from k8s-openapi's types once a process.

use super::super::schema::CompiledVersion;
use super::merge;
use k8s_openapi::Resource;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ListMeta, ObjectMeta, Status};
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Where definitions stand in an OpenAPI v3 document.
pub(super) const REFERENCE_ROOT: &str = "#/components/schemas/";

/// The definition of every object's `metadata`.
pub(in super::super) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// A kind's group, version and name.
pub(super) type KindKey = (String, String, String);

/// All definitions, and which of them are kinds.
pub(super) struct Catalogue {
    /// The definitions by name, as an OpenAPI v3 document shows them.
    pub(super) definitions: Map<String, Value>,
    /// The definition of each kind.
    pub(super) kinds: HashMap<KindKey, String>,
}

/// The catalogue of this process.
pub(super) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::build);

static COMPILED: LazyLock<Mutex<HashMap<KindKey, Arc<CompiledVersion>>>> = LazyLock::new(Mutex::default);

/// A kind's compiled schema, compiled when it is first asked for.
pub(super) fn compiled(group: &str, version: &str, kind: &str) -> Option<Arc<CompiledVersion>> {
    let key = (group.to_owned(), version.to_owned(), kind.to_owned());
    let name = CATALOGUE.kinds.get(&key)?;
    let mut cache = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = cache.entry(key);
    Some(entry.or_insert_with(|| Arc::new(CompiledVersion::of_builtin(name, &CATALOGUE.definitions))).clone())
}

impl Catalogue {
    fn build() -> Catalogue {
        let mut builder = Builder { generator: SchemaSettings::openapi3().into_generator(), kinds: HashMap::new() };
        builder.core();
        builder.batch_and_apps();
        builder.others();
        builder.generator.subschema_for::<Status>();
        builder.generator.subschema_for::<DeleteOptions>();
        builder.generator.subschema_for::<ListMeta>();
        builder.generator.subschema_for::<ObjectMeta>();
        let mut definitions = builder.generator.take_definitions(true);
        for (name, definition) in &mut definitions {
            merge::annotate(name, definition);
        }
        for (name, known) in well_known() {
            definitions.insert(name.to_owned(), known);
        }
        for ((group, version, kind), name) in &builder.kinds {
            if let Some(definition) = definitions.get_mut(name) {
                definition["x-kubernetes-group-version-kind"] =
                    json!([{"group": group, "version": version, "kind": kind}]);
            }
        }
        Catalogue { definitions, kinds: builder.kinds }
    }
}

/// The definitions that the API server writes otherwise than k8s-openapi does, which describes them for use in
/// definitions of custom resources.
fn well_known() -> [(&'static str, Value); 3] {
    [
        (
            "io.k8s.apimachinery.pkg.api.resource.Quantity",
            json!({
                "description": "A number with a unit: 500m, 1.5, 10Gi.",
                "oneOf": [{"type": "string"}, {"type": "number"}],
            }),
        ),
        (
            "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
            json!({
                "description": "A number, or a name or percentage that stands for one.",
                "format": "int-or-string",
                "oneOf": [{"type": "integer"}, {"type": "string"}],
            }),
        ),
        (
            "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
            json!({"description": "A patch, as its content type says.", "type": "object"}),
        ),
    ]
}

struct Builder {
    generator: SchemaGenerator,
    kinds: HashMap<KindKey, String>,
}

/// Adds kinds to a builder.
macro_rules! add {
    ($builder:ident, $module:path, [$($kind:ident),+ $(,)?]) => {{
        use $module as module;
        $($builder.kind::<module::$kind>();)+
    }};
}

impl Builder {
    fn kind<T: Resource + JsonSchema>(&mut self) {
        self.generator.subschema_for::<T>();
        let key = (T::GROUP.to_owned(), T::VERSION.to_owned(), T::KIND.to_owned());
        self.kinds.insert(key, T::schema_name().into_owned());
    }

    fn core(&mut self) {
        add!(
            self,
            k8s_openapi::api::core::v1,
            [
                Binding,
                ConfigMap,
                Endpoints,
                Event,
                LimitRange,
                Namespace,
                Node,
                PersistentVolume,
                PersistentVolumeClaim,
                Pod,
                PodTemplate,
                ReplicationController,
                ResourceQuota,
                Secret,
                Service,
                ServiceAccount,
            ]
        );
    }

    fn batch_and_apps(&mut self) {
        add!(self, k8s_openapi::api::batch::v1, [CronJob, Job]);
        add!(self, k8s_openapi::api::apps::v1, [ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet]);
        add!(self, k8s_openapi::api::autoscaling::v1, [HorizontalPodAutoscaler, Scale]);
        add!(self, k8s_openapi::api::policy::v1, [Eviction, PodDisruptionBudget]);
    }

    fn others(&mut self) {
        add!(self, k8s_openapi::api::networking::v1, [Ingress, IngressClass, NetworkPolicy]);
        add!(self, k8s_openapi::api::scheduling::v1, [PriorityClass]);
        add!(self, k8s_openapi::api::storage::v1, [CSIDriver, CSINode, StorageClass, VolumeAttachment]);
        add!(self, k8s_openapi::api::coordination::v1, [Lease]);
        add!(self, k8s_openapi::api::discovery::v1, [EndpointSlice]);
        add!(self, k8s_openapi::api::node::v1, [RuntimeClass]);
        add!(self, k8s_openapi::api::rbac::v1, [ClusterRole, ClusterRoleBinding, Role, RoleBinding]);
        add!(self, k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1, [CustomResourceDefinition]);
        add!(
            self,
            k8s_openapi::api::authorization::v1,
            [LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview]
        );
        add!(self, k8s_openapi::api::authentication::v1, [SelfSubjectReview, TokenRequest, TokenReview]);
        self.event_of_events_group();
    }

    /// `events.k8s.io/v1` has a kind of the core group's name.
    fn event_of_events_group(&mut self) {
        self.kind::<k8s_openapi::api::events::v1::Event>();
    }
}
