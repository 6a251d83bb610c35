//! The definitions of the scheduler's resources, as they are applied to a cluster and kept in `k8s/crds/`.

use super::{ClusterResourceQueue, FlashJob, MAX_TASKS};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// The definitions, in the order in which they are applied.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![FlashJob::crd(), ClusterResourceQueue::crd()]
}

/// The name of a definition's file in `k8s/crds/`.
pub fn file_name(definition: &CustomResourceDefinition) -> String {
    format!("{}.yaml", definition.spec.names.plural)
}

/// A definition as YAML that `kubectl apply -f` takes.
pub fn to_yaml(definition: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(definition)
}

/// All definitions as one YAML stream: what `platform crds` prints.
pub fn all_as_yaml() -> Result<String, serde_saphyr::ser::Error> {
    definitions().iter().map(|definition| Ok(format!("---\n{}", to_yaml(definition)?))).collect()
}

/// The schema of `spec.tasks`.
///
/// It has every field of a pod, so that a misspelt one is found when a job is written and not when its pods fail. The fields' own
/// descriptions are left out: they are Kubernetes' and would make the definition larger than `kubectl apply` can keep in
/// its annotation.
pub(super) fn tasks_schema(generator: &mut SchemaGenerator) -> Schema {
    let mut template = generator.subschema_for::<PodTemplateSpec>().to_value();
    strip_descriptions(&mut template);
    template["properties"]["metadata"] = metadata_schema();
    template["required"] = json!(["spec"]);
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_TASKS,
        "items": template,
        "x-kubernetes-list-type": "atomic",
    })
}

/// What a pod template says of its pods' metadata; everything else in it is given by the cluster.
fn metadata_schema() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "properties": {
            "annotations": texts,
            "finalizers": {"type": "array", "items": {"type": "string"}},
            "generateName": {"type": "string"},
            "labels": texts,
            "name": {"type": "string"},
            "namespace": {"type": "string"},
        },
    })
}

/// Removes `description` from a schema and all beneath it, but not a property of that name.
fn strip_descriptions(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    fields.remove("description");
    for key in ["items", "additionalProperties"] {
        if let Some(child) = fields.get_mut(key) {
            strip_descriptions(child);
        }
    }
    let properties = fields.get_mut("properties").and_then(Value::as_object_mut);
    for (_, property) in properties.into_iter().flatten() {
        strip_descriptions(property);
    }
}
