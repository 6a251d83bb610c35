//! Objects against a definition.

use super::{object, refusal, refusal_of_change, spec, widget};
use insta::assert_snapshot;
use serde_json::{Value, json};

#[test]
fn a_good_object_passes() {
    assert_eq!(refusal(spec(json!({"ports": [{"port": 1}, {"port": 1, "proto": "UDP"}], "target": "50%"}))), "");
}

#[test]
fn missing_fields_are_named_and_rules_wait() {
    assert_snapshot!(refusal(json!({})), @r"
    spec.count: Required value
    spec.mode: Required value
    <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation
    ");
}

#[test]
fn types_and_enumerations_are_checked() {
    assert_snapshot!(refusal(json!({"count": 11, "mode": 1})), @r#"
    spec.count: Invalid value: 11: spec.count in body should be less than or equal to 10
    spec.mode: Invalid value: "integer": spec.mode in body must be of type string: "integer"
    spec.mode: Unsupported value: 1: supported values: "A", "B"
    <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation
    "#);
}

#[test]
fn a_fraction_is_no_whole_number() {
    assert_snapshot!(refusal(spec(json!({"count": 1.5}))), @r#"
    spec.count: Invalid value: "number": spec.count in body must be of type integer: "number"
    <nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.count
    <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation
    "#);
}

#[test]
fn an_object_that_is_none_is_refused() {
    assert_snapshot!(first_line(json!(5)), @r#"spec: Invalid value: "integer": spec in body must be of type object: "integer""#);
}

#[test]
fn int_or_string_is_either() {
    let refused = first_line(spec(json!({"target": true})));
    assert_snapshot!(refused, @r#"spec.target: Invalid value: "boolean": spec.target in body must be of type integer,string: "boolean""#);
}

#[test]
fn numbers_have_limits() {
    assert_snapshot!(first_line(spec(json!({"count": 0}))), @"spec.count: Invalid value: 0: spec.count in body should be greater than or equal to 1");
    assert_snapshot!(first_line(spec(json!({"ratio": 0}))), @"spec.ratio: Invalid value: 0: spec.ratio in body should be greater than 0");
    assert_snapshot!(first_line(spec(json!({"ratio": 0.7}))), @"spec.ratio: Invalid value: 0.7: spec.ratio in body should be a multiple of 0.5");
    assert_snapshot!(first_line(spec(json!({"small": 5_000_000_000_i64}))), @r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.small"#);
}

#[test]
fn texts_have_lengths_and_patterns() {
    assert_snapshot!(
        refusal(spec(json!({"name": "A"}))),
        @r#"spec.name: Invalid value: "A": spec.name in body should be at least 2 chars long"#
    );
    assert_snapshot!(
        refusal(spec(json!({"name": "AB"}))),
        @r#"spec.name: Invalid value: "AB": spec.name in body should match '^[a-z]+$'"#
    );
    assert_snapshot!(
        first_line(spec(json!({"name": "abcdefgh"}))),
        @"spec.name: Too long: may not be more than 5 bytes"
    );
}

#[test]
fn formats_are_checked() {
    for (field, format, bad, good) in [
        ("when", "date-time", "x", "2024-01-01T00:00:00Z"),
        ("ip", "ipv4", "x", "10.0.0.1"),
        ("email", "email", "x", "a@example.org"),
        ("uuid", "uuid", "x", "0190a9d4-7f5e-7000-8000-000000000000"),
        ("period", "duration", "x", "1h30m"),
        ("day", "date", "x", "2024-01-01"),
        ("bytes", "byte", "!", "aGVsbG8="),
    ] {
        let expected =
            format!("spec.{field}: Invalid value: {bad:?}: spec.{field} in body must be of type {format}: {bad:?}");
        assert_eq!(first_line(spec(json!({field: bad}))), expected);
        assert_eq!(refusal(spec(json!({field: good}))), "");
    }
}

#[test]
fn lists_have_counts() {
    assert_snapshot!(refusal(spec(json!({"ports": []}))), @"spec.ports: Invalid value: 0: spec.ports in body should have at least 1 items");
    let four = json!({"ports": [{"port": 1}, {"port": 2}, {"port": 3}, {"port": 4}]});
    assert_snapshot!(first_line(spec(four)), @"spec.ports: Too many: 4: must have at most 3 items");
}

#[test]
fn maps_have_counts_and_typed_values() {
    assert_snapshot!(refusal(spec(json!({"labels": {}}))), @"spec.labels: Invalid value: 0: spec.labels in body should have at least 1 properties");
    assert_snapshot!(first_line(spec(json!({"labels": {"a": "", "b": "", "c": ""}}))), @"spec.labels: Too many: 3: must have at most 2 items");
    assert_snapshot!(first_line(spec(json!({"labels": {"a": 1}}))), @r#"spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer""#);
}

#[test]
fn entries_of_a_list_map_are_unique_by_their_keys() {
    let refused = refusal(spec(json!({"ports": [{"port": 1}, {"port": 1, "name": "again"}]})));
    assert_snapshot!(refused, @r#"spec.ports[1]: Duplicate value: {"port":1,"proto":"TCP"}"#);
}

#[test]
fn entries_of_a_set_are_unique() {
    assert_snapshot!(refusal(spec(json!({"tags": ["a", "b", "a"]}))), @r#"spec.tags[2]: Duplicate value: "a""#);
}

#[test]
fn one_of_several_schemas_must_hold() {
    assert_snapshot!(refusal(spec(json!({"one": {}}))), @r#"
    <nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found none valid
    spec.one.a: Required value
    <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation
    "#);
    assert_snapshot!(refusal(spec(json!({"one": {"a": "", "b": ""}}))), @r#"<nil>: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found 2 valid alternatives"#);
    assert_snapshot!(first_line(spec(json!({"any": {}}))), @r#"<nil>: Invalid value: "": "spec.any" must validate at least one schema (anyOf)"#);
    assert_snapshot!(refusal(spec(json!({"not": "x"}))), @r#"<nil>: Invalid value: "": "spec.not" must not validate the schema (not)"#);
    assert_snapshot!(refusal(spec(json!({"all": "x"}))), @r#"
    spec.all: Invalid value: "x": spec.all in body should be at least 3 chars long
    spec.all: Invalid value: "x": spec.all in body should match '^z'
    <nil>: Invalid value: "": "spec.all" must validate all the schemas (allOf). None validated
    "#);
}

#[test]
fn an_embedded_resource_says_what_it_is() {
    assert_snapshot!(refusal(spec(json!({"embedded": {}}))), @r"
    spec.embedded.apiVersion: Required value
    spec.embedded.kind: Required value
    <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation
    ");
}

#[test]
fn cel_rules_speak_with_their_message() {
    assert_snapshot!(refusal(spec(json!({"count": 6}))), @"spec: Invalid value: count must be at most max");
    assert_snapshot!(refusal(spec(json!({"count": 7, "max": 9}))), @"spec: Invalid value: failed rule: self.count != 7");
    assert_snapshot!(refusal(spec(json!({"name": "bad"}))), @"spec.name: Forbidden: name bad is bad");
}

#[test]
fn transition_rules_apply_to_changes_alone() {
    let (before, after) = (spec(json!({"fixed": "x"})), spec(json!({"fixed": "y"})));
    assert_eq!(refusal(before.clone()), "");
    assert_snapshot!(refusal_of_change(before.clone(), after), @"spec.fixed: Invalid value: is immutable");
    assert_eq!(refusal_of_change(before, spec(json!({"note": "other"}))), "");
}

#[test]
fn an_entry_of_a_list_map_is_compared_with_the_entry_of_its_keys() {
    let before = spec(json!({"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "b"}]}));
    let moved = spec(json!({"ports": [{"port": 2, "name": "b"}, {"port": 1, "name": "a"}]}));
    let renamed = spec(json!({"ports": [{"port": 2, "name": "c"}]}));
    assert_eq!(refusal_of_change(before.clone(), moved), "");
    assert_snapshot!(refusal_of_change(before, renamed), @"spec.ports[0].name: Invalid value: is immutable");
}

#[test]
fn what_has_not_changed_is_not_refused_again() {
    let bad_before = spec(json!({"name": "A", "count": 6}));
    let still_bad = spec(json!({"name": "A", "count": 6, "note": "new"}));
    assert_snapshot!(refusal_of_change(bad_before, still_bad), @"spec: Invalid value: count must be at most max");
}

#[test]
fn unknown_fields_are_removed_and_named() {
    let mut widget_object = object(spec(json!({
        "typo": 1,
        "ports": [{"port": 1, "typo": 2}],
        "free": {"anything": {"goes": true}, "known": {"a": "kept", "typo": 3}},
        "embedded": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "typo": 4}, "spec": {}},
    })));
    widget_object["metadata"]["typo"] = json!(5);
    widget_object["extra"] = json!({});
    let mut removed = widget().prune(&mut widget_object);
    removed.sort();
    assert_snapshot!(removed.join("\n"), @r"
    extra
    metadata.typo
    spec.embedded.metadata.typo
    spec.free.known.typo
    spec.ports[0].typo
    spec.typo
    ");
    assert_eq!(widget_object["spec"]["free"], json!({"anything": {"goes": true}, "known": {"a": "kept"}}));
}

#[test]
fn defaults_are_filled_in_and_nulls_that_mean_absent_are_dropped() {
    let mut widget_object = object(json!({"max": null, "note": null, "flag": null, "ports": [{"port": 1}]}));
    widget().default(&mut widget_object);
    assert_eq!(widget_object["spec"], json!({"max": 5, "flag": null, "ports": [{"port": 1, "proto": "TCP"}]}));
}

#[test]
fn lists_say_how_they_merge() {
    let keys = vec!["port".to_owned(), "proto".to_owned()];
    assert_eq!(widget().list_type(&["spec", "ports"]), Some(super::super::ListType::Map(keys)));
    assert_eq!(widget().list_type(&["spec", "tags"]), Some(super::super::ListType::Set));
    assert_eq!(widget().list_type(&["spec", "name"]), None);
}

fn first_line(spec: Value) -> String {
    refusal(spec).lines().next().unwrap_or_default().to_owned()
}
