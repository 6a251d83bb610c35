//! A custom resource in the OpenAPI documents: its definition's schema, completed with what every object has.

use super::ServedResource;
use super::builtin::{OBJECT_META, REFERENCE_ROOT};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};
use std::sync::Arc;

/// `io.flash-sched.scheduling.v1alpha1.FlashJob`: the group backwards, as in a Java package.
pub(super) fn definition_name(resource: &ServedResource) -> String {
    let mut parts: Vec<&str> = resource.group.split('.').collect();
    parts.reverse();
    format!("{}.{}.{}", parts.join("."), resource.version, resource.kind)
}

/// The schema of a custom resource; one without a definition is any object.
pub(super) fn schema(resource: &ServedResource, definitions: &[Arc<CustomResourceDefinition>]) -> Value {
    let own = definitions
        .iter()
        .filter(|definition| definition.spec.group == resource.group && definition.spec.names.kind == resource.kind)
        .flat_map(|definition| &definition.spec.versions)
        .find(|version| version.name == resource.version)
        .and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref())
        .and_then(|schema| serde_json::to_value(schema).ok());
    let mut schema = own.unwrap_or_else(|| json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
    schema["properties"]["apiVersion"] = json!({
        "description": "The group and version of this representation of the object.",
        "type": "string",
    });
    schema["properties"]["kind"] = json!({"description": "The kind of the object.", "type": "string"});
    schema["properties"]["metadata"] = json!({
        "description": "Standard object's metadata.",
        "allOf": [{"$ref": format!("{REFERENCE_ROOT}{OBJECT_META}")}],
    });
    schema["x-kubernetes-group-version-kind"] =
        json!([{"group": resource.group, "version": resource.version, "kind": resource.kind}]);
    schema
}
