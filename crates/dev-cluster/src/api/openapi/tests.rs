//! The documents as kubectl reads them, and the built-in kinds' schemas as the server uses them.

use super::super::schema::ListType;
use super::{ServedResource, builtin_schema, v2_document, v3_document, v3_index};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};
use std::sync::Arc;

fn served(group: &str, version: &str, kind: &str, plural: &str) -> ServedResource {
    ServedResource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced: true,
        subresources: vec!["status".to_owned()],
    }
}

fn resources() -> Vec<ServedResource> {
    vec![
        served("", "v1", "Pod", "pods"),
        served("apps", "v1", "Deployment", "deployments"),
        served("test.io", "v1", "Widget", "widgets"),
    ]
}

fn definition(description: &str) -> Arc<CustomResourceDefinition> {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "description": description}}});
    let definition = json!({
        "metadata": {"name": "widgets.test.io"},
        "spec": {
            "group": "test.io", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    });
    Arc::new(serde_json::from_value(definition).unwrap())
}

fn document(group: &str) -> Value {
    v3_document(group, "v1", &resources(), &[definition("What it does.")]).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_index_names_each_group_version_and_changes_its_address_with_the_contents() {
    let index = v3_index(&resources(), &[definition("before")]);
    assert_eq!(keys(&index["paths"]), ["api/v1", "apis/apps/v1", "apis/test.io/v1"]);
    let address = |index: &Value, path: &str| index["paths"][path]["serverRelativeURL"].as_str().unwrap().to_owned();
    let later = v3_index(&resources(), &[definition("after")]);
    assert_eq!(address(&index, "api/v1"), address(&later, "api/v1"));
    assert_ne!(address(&index, "apis/test.io/v1"), address(&later, "apis/test.io/v1"));
}

#[test]
fn a_group_version_that_is_not_served_has_no_document() {
    assert_eq!(v3_document("apps", "v2", &resources(), &[]), None);
}

#[test]
fn a_patch_says_that_it_takes_field_validation_and_dry_run() {
    let document = document("apps");
    let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    let names: Vec<&str> =
        patch["parameters"].as_array().unwrap().iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "apps", "version": "v1", "kind": "Deployment"})
    );
    assert!(keys(&patch["requestBody"]["content"]).contains(&"application/strategic-merge-patch+json"));
}

#[test]
fn every_reference_leads_to_a_schema_of_the_document() {
    for group in ["", "apps", "test.io"] {
        let document = document(group);
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(
                document["components"]["schemas"].get(reference).is_some(),
                "{reference} is missing from {group:?}"
            );
        }
    }
}

#[test]
fn lists_carry_the_keys_by_which_they_merge() {
    let document = document("");
    let containers = &document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
}

#[test]
fn a_custom_resource_has_the_schema_of_its_definition() {
    let document = document("test.io");
    let widget = &document["components"]["schemas"]["io.test.v1.Widget"];
    assert_eq!(widget["properties"]["spec"]["description"], "What it does.");
    assert_eq!(keys(&widget["properties"]), ["spec", "apiVersion", "kind", "metadata"]);
    assert_eq!(
        widget["x-kubernetes-group-version-kind"],
        json!([{"group": "test.io", "version": "v1", "kind": "Widget"}])
    );
    let patch = &document["paths"]["/apis/test.io/v1/namespaces/{namespace}/widgets/{name}"]["patch"];
    assert!(!keys(&patch["requestBody"]["content"]).contains(&"application/strategic-merge-patch+json"));
}

#[test]
fn the_old_document_refers_within_itself() {
    let document = v2_document(&resources(), &[definition("")]);
    let text = document.to_string();
    assert!(!text.contains("#/components"), "a v3 reference is left");
    for reference in text.split("#/definitions/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["definitions"].get(reference).is_some(), "{reference} is missing");
    }
}

#[test]
fn a_built_in_kind_knows_its_fields() {
    let pod = builtin_schema("", "v1", "Pod").unwrap();
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "managedFields": [{"fieldsV1": {"f:spec": {}}}]},
        "spec": {"containers": [{"name": "m", "imagee": "typo", "resources": {"limits": {"cpu": 0.5}}}], "extra": 1},
    });
    let mut removed = pod.prune(&mut object);
    removed.sort();
    assert_eq!(removed, ["spec.containers[0].imagee", "spec.extra"]);
    assert_eq!(object["metadata"]["managedFields"][0]["fieldsV1"], json!({"f:spec": {}}));
    assert_eq!(pod.validate(&object, None), []);
}

#[test]
fn a_built_in_kind_refuses_wrong_types_and_takes_what_is_not_whole() {
    let pod = builtin_schema("", "v1", "Pod").unwrap();
    let object = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"image": 5}]}, "status": {"containerStatuses": [{}]}});
    let errors: Vec<String> = pod.validate(&object, None).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    spec.containers[0].image: Invalid value: "integer": spec.containers[0].image in body must be of type string: "integer"
    "#);
}

#[test]
fn a_built_in_kind_says_how_its_lists_merge() {
    let deployment = builtin_schema("apps", "v1", "Deployment").unwrap();
    let containers = ["spec", "template", "spec", "containers"];
    assert_eq!(deployment.patch_merge_key(&containers), Some("name"));
    assert_eq!(deployment.list_type(&containers), Some(ListType::Map(vec!["name".to_owned()])));
    let ports = ["spec", "template", "spec", "containers", "*", "ports"];
    assert_eq!(
        deployment.list_type(&ports),
        Some(ListType::Map(vec!["containerPort".to_owned(), "protocol".to_owned()]))
    );
    assert_eq!(deployment.list_type(&["metadata", "finalizers"]), Some(ListType::Set));
    assert_eq!(deployment.list_type(&["spec", "template", "spec", "containers", "*", "args"]), Some(ListType::Atomic));
    assert!(deployment.is_atomic_map(&["spec", "selector"]));
    assert!(builtin_schema("apps", "v1", "Nothing").is_none());
}

#[test]
fn a_definition_is_a_built_in_kind_whose_schema_contains_itself() {
    let definition = builtin_schema("apiextensions.k8s.io", "v1", "CustomResourceDefinition").unwrap();
    let schema = json!({"type": "object", "x-kubernetes-validations": [{"rule": "true"}], "properties": {"a": {"type": "object"}}});
    let mut object = json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
    assert_eq!(definition.prune(&mut object), Vec::<String>::new());
}
