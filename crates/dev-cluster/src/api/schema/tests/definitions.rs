//! Definitions that are refused.

use crate::api::schema::CompiledCrd;
use insta::assert_snapshot;
use serde_json::{Value, json};

/// What is said of a definition with this schema for `spec`.
fn refusal(spec: Value) -> String {
    refusal_of_root(json!({"type": "object", "properties": {"spec": spec}}))
}

fn refusal_of_root(root: Value) -> String {
    refusal_of_definition(json!([{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": root}}]))
}

fn refusal_of_definition(versions: Value) -> String {
    let definition = json!({
        "metadata": {"name": "things.test.io"},
        "spec": {
            "group": "test.io", "scope": "Namespaced", "versions": versions,
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
        },
    });
    let errors = CompiledCrd::compile(&serde_json::from_value(definition).unwrap()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_field_has_a_type() {
    assert_snapshot!(refusal(json!({"type": "object", "properties": {"a": {}}})), @"spec.validation.openAPIV3Schema.properties[spec].properties[a].type: Required value: must not be empty for specified object fields");
    assert_snapshot!(refusal_of_root(json!({})), @"spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root");
    assert_snapshot!(refusal_of_root(json!({"type": "string"})), @r#"spec.validation.openAPIV3Schema.type: Invalid value: "string": must be object at the root"#);
    assert_snapshot!(refusal(json!({"type": "foo"})), @r#"spec.validation.openAPIV3Schema.properties[spec].type: Unsupported value: "foo": supported values: "array", "boolean", "integer", "number", "object", "string""#);
}

#[test]
fn a_list_says_what_it_holds() {
    assert_snapshot!(refusal(json!({"type": "array"})), @"spec.validation.openAPIV3Schema.properties[spec].items: Required value: must be specified");
    assert_snapshot!(refusal(json!({"type": "array", "items": {}})), @"spec.validation.openAPIV3Schema.properties[spec].items.type: Required value: must not be empty for specified array items");
}

#[test]
fn list_types_are_consistent() {
    let of_objects = |list_type: &str, keys: Value| {
        let items = json!({"type": "object", "properties": {"k": {"type": "string"}}});
        json!({"type": "array", "x-kubernetes-list-type": list_type, "x-kubernetes-list-map-keys": keys, "items": items})
    };
    assert_snapshot!(refusal(of_objects("foo", json!([]))), @r#"spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-list-type: Unsupported value: "foo": supported values: "atomic", "set", "map""#);
    assert_snapshot!(refusal(of_objects("map", json!([]))), @"spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map");
    assert_snapshot!(refusal(of_objects("map", json!(["z"]))), @r#"spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-list-map-keys: Invalid value: ["z"]: entries must all be names of item properties"#);
    assert_snapshot!(refusal(of_objects("map", json!(["k"]))), @"spec.validation.openAPIV3Schema.properties[spec].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property");
    assert_snapshot!(refusal(of_objects("set", json!([]))), @"spec.validation.openAPIV3Schema.properties[spec].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set");
}

#[test]
fn what_is_not_structural_is_forbidden() {
    let both =
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}});
    assert_snapshot!(refusal(both), @"spec.validation.openAPIV3Schema.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive");
    let typed_branch = json!({"type": "object", "anyOf": [{"properties": {"a": {"type": "string"}}}]});
    assert_snapshot!(refusal(typed_branch), @"spec.validation.openAPIV3Schema.properties[spec].anyOf[0].properties[a].type: Forbidden: must be empty to be structural");
    let labels = json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}});
    assert_snapshot!(refusal_of_root(labels), @"spec.validation.openAPIV3Schema.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified");
    assert_snapshot!(refusal(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": false})), @"spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined");
}

#[test]
fn a_default_keeps_the_schema() {
    let bad = json!({"type": "object", "properties": {"a": {"type": "string", "default": 5}}});
    assert_snapshot!(refusal(bad), @r#"spec.validation.openAPIV3Schema.properties[spec].properties[a].default: Invalid value: "integer":  in body must be of type string: "integer""#);
}

#[test]
fn rules_compile_and_transition_rules_have_something_to_compare_with() {
    let with_rule = |rule: &str| json!({"type": "object", "x-kubernetes-validations": [{"rule": rule}]});
    assert_snapshot!(refusal(with_rule("")), @"spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: Required value: rule is not specified");
    assert!(refusal(with_rule("self.a >")).contains("compilation failed"), "{}", refusal(with_rule("self.a >")));
    let in_atomic_list = json!({"type": "array", "items": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}});
    assert_snapshot!(refusal(in_atomic_list), @r#"spec.validation.openAPIV3Schema.properties[spec].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within spec.validation.openAPIV3Schema.properties[spec]"#);
}

#[test]
fn one_version_is_stored_and_each_has_a_schema() {
    let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema": {"type": "object"}}});
    assert_snapshot!(refusal_of_definition(json!([version("v1", false)])), @r#"spec.versions: Invalid value: ["v1"]: must have exactly one version marked as storage version"#);
    assert_snapshot!(refusal_of_definition(json!([version("v1", true), version("v1", false)])), @r#"spec.versions: Invalid value: ["v1","v1"]: must contain unique version names"#);
    assert_snapshot!(refusal_of_definition(json!([{"name": "v1", "served": true, "storage": true}])), @"spec.versions[0].schema.openAPIV3Schema: Required value");
}
