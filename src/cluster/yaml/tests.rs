//! Reading compared with kubectl, and typing compared with Kubernetes' types.

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn json(yaml: &str) -> Value {
    let documents = read(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
    documents[0].to_json()
}

fn refused(yaml: &str) -> String {
    read(yaml).map(|documents| format!("accepted: {documents:?}")).unwrap_or_else(|error| error.to_string())
}

/// Every problem of a pod with this spec, a line each.
fn pod(spec: &str) -> String {
    of_type::<Pod>(&format!("metadata: {{name: a}}\nspec:\n  {}\n", spec.replace('\n', "\n  ")))
}

fn of_type<T: serde::de::DeserializeOwned>(yaml: &str) -> String {
    let node = &read(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))[0];
    match typed::<T>(node, Root::default()) {
        Ok(_) => "accepted".to_owned(),
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
    }
}

/// Whether two values are the same where numbers are compared by value: `1e21` is `1e+21`.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

#[test]
fn scalars_and_keys_mean_what_they_mean_to_kubectl() {
    let mut wrong = Vec::new();
    for line in include_str!("kubectl.tsv").lines().filter(|line| !line.starts_with("# ")) {
        let (yaml, expected) = line.split_once('\t').unwrap();
        let found = read(&format!("x:\n- {yaml}\n")).map(|documents| documents[0].to_json()["x"][0].clone());
        let right = match &found {
            Ok(value) => expected != "refused" && same(value, &serde_json::from_str(expected).unwrap()),
            Err(_) => expected == "refused",
        };
        if !right {
            wrong.push(format!("{yaml}: {expected} expected, {found:?} found"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_key_that_is_left_empty_has_null_and_a_number_is_read_as_it_is_written() {
    assert_eq!(json("a:\nb: 0644\nc: |\n  0644\nd: '0644'"), json!({"a": null, "b": 420, "c": "0644\n", "d": "0644"}));
}

#[test]
fn anchors_and_merge_keys_are_replaced_by_what_they_stand_for() {
    let merged = "a: &a {x: 1, y: [1]}\nb: {<<: *a, x: 2}\nc: {x: 3, <<: [*a, {z: 4}]}\nd: *a\n";
    assert_eq!(
        json(merged),
        json!({"a": {"x": 1, "true": [1]}, "b": {"x": 2, "true": [1]}, "c": {"x": 3, "true": [1], "z": 4}, "d": {"x": 1, "true": [1]}})
    );
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    insta::assert_snapshot!(refused("a: 1\nb: [1\n"), @"the YAML cannot be read: line 2, column 4: unclosed bracket '['");
    insta::assert_snapshot!(refused("a: b: c"), @"the YAML cannot be read: line 1, column 5: mapping values are not allowed in this context");
    insta::assert_snapshot!(refused("a: *b"), @"the YAML cannot be read: line 1, column 4: the alias refers to an anchor that is not defined before it");
    insta::assert_snapshot!(refused("a: &b [*b]"), @"the YAML cannot be read: line 1, column 8: the alias is inside the value that it refers to");
    insta::assert_snapshot!(refused("a: 'b"), @"the YAML cannot be read: line 1, column 4: unclosed quote");
    insta::assert_snapshot!(refused("a:\n\tb: c"), @"the YAML cannot be read: line 2, column 2: a tab cannot indent a line; use spaces");
    insta::assert_snapshot!(refused("a: %b"), @"the YAML cannot be read: line 1, column 4: the character % (U+0025) is not allowed here");
    insta::assert_snapshot!(refused("a: 1\nb: 2\na: 3"), @r#"the YAML cannot be read: line 3, column 1: the key "a" is already defined on line 1"#);
    insta::assert_snapshot!(refused("<<: {a: 1}\n<<: {b: 1}"), @r#"the YAML cannot be read: line 2, column 1: the key "<<" is already defined on line 1"#);
    insta::assert_snapshot!(refused("? [a]\n: b"), @"the YAML cannot be read: line 1, column 3: a key must be a string, not a list or a mapping");
    insta::assert_snapshot!(refused("a: .nan"), @r#"the YAML cannot be read: line 1, column 4: infinity and "not a number" are not valid in a Kubernetes object"#);
    insta::assert_snapshot!(refused("a: \"\\0\""), @"the YAML cannot be read: line 1, column 4: a string may not contain the character U+0000 (NUL)");
    insta::assert_snapshot!(refused("a: !!int x"), @r#"the YAML cannot be read: line 1, column 10: the tag !!int does not match "x""#);
}

#[test]
fn aliases_are_bounded_by_what_they_become_and_not_by_their_number() {
    let tasks = |tasks: usize| format!("tasks:\n- &w {{a: [b, c]}}\n{}", "- *w\n".repeat(tasks - 1));
    assert_eq!(json(&tasks(5_000))["tasks"].as_array().unwrap().len(), 5_000);
    insta::assert_snapshot!(refused(&tasks(30_000)), @"the YAML has 150003 values when its aliases are expanded; the limit is 100000");
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(900_000), vec!["*a"; 69].join(", "));
    insta::assert_snapshot!(refused(&text), @"the YAML has 63000224 bytes when its aliases are expanded; the limit is 4194304");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", "));
    }
    insta::assert_snapshot!(refused(&bomb), @"the YAML has more than 1000000000000 values when its aliases are expanded; the limit is 100000");
    let merges = format!(
        "a: &a {{{}}}\nb: {{<<: [{}]}}\n",
        (0..400).map(|n| format!("k{n}: 1, ")).collect::<String>(),
        vec!["*a"; 1000].join(", ")
    );
    insta::assert_snapshot!(refused(&merges), @"the YAML has more than 100000 values, which is the limit");
}

#[test]
fn depth_is_bounded_through_aliases_too() {
    let chain: String = (1..100).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
    insta::assert_snapshot!(refused(&format!("a0: &a0 x\n{chain}")), @"the YAML is nested more than 64 levels deep");
    assert!(read(&format!("{}x{}", "[".repeat(64), "]".repeat(64))).is_ok());
    insta::assert_snapshot!(refused(&format!("{}x{}", "[".repeat(65), "]".repeat(65))), @"the YAML is nested more than 64 levels deep");
    insta::assert_snapshot!(refused(&"[".repeat(100_000)), @"the YAML is nested more than 64 levels deep");
    insta::assert_snapshot!(refused(&"- ".repeat(100_000)), @"the YAML is nested more than 64 levels deep");
}

#[test]
fn every_field_that_a_type_does_not_have_is_told() {
    insta::assert_snapshot!(
        pod("restartpolicy: Never\ncontainers:\n- name: a\n  comand: [sh]\n  Image: b\n  env: [{name: A, valu: b}]\n  zzz: {a: b}\n  resources: {limit: {cpu: 1}}\nvolumes: [{name: v, emptydir: {}}]"),
        @r#"
    line 3, column 3: spec.restartpolicy is not a field of a pod spec; did you mean "restartPolicy"?
    line 6, column 5: spec.containers[0].comand is not a field of a container; did you mean "command"?
    line 7, column 5: spec.containers[0].Image is not a field of a container; did you mean "image"?
    line 8, column 21: spec.containers[0].env[0].valu is not a field of an environment variable; did you mean "value"?
    line 9, column 5: spec.containers[0].zzz is not a field of a container
    line 10, column 17: spec.containers[0].resources.limit is not a field of resource requirements; did you mean "limits"?
    line 11, column 23: spec.volumes[0].emptydir is not a field of a volume; did you mean "emptyDir"?
    "#
    );
    insta::assert_snapshot!(of_type::<Service>("metadata: {lables: {}}\nspec: {ports: [{port: 80, targetport: 8080}], selecter: {a: b}}"), @r#"
    line 1, column 12: metadata.lables is not a field of metadata; did you mean "labels"?
    line 2, column 27: spec.ports[0].targetport is not a field of a service port; did you mean "targetPort"?
    line 2, column 47: spec.selecter is not a field of a service spec; did you mean "selector"?
    "#);
}

#[test]
fn every_value_of_another_type_is_told_in_words() {
    insta::assert_snapshot!(
        pod("containers:\n- name: a\n  args: [yes, 0x1F, 1e3, on, n, {a: b}]\n  stdin: 'on'\n  tty: 1\n  command: echo hi\n  env:\n  - {name: COUNTRY, value: no}\n  - {name: N, value: 1.10}\n  - just text\n  ports: [{containerPort: '80'}, {containerPort: 1.5}, {containerPort: 99999999999}]\nactiveDeadlineSeconds: soon\nnodeSelector: [a]"),
        @r#"
    line 5, column 12: spec.containers[0].args[0] was true (written yes); it must be a string: put it in quotes
    line 5, column 17: spec.containers[0].args[1] was 31 (written 0x1F); it must be a string: put it in quotes
    line 5, column 23: spec.containers[0].args[2] was 1000 (written 1e3); it must be a string: put it in quotes
    line 5, column 28: spec.containers[0].args[3] was true (written on); it must be a string: put it in quotes
    line 5, column 32: spec.containers[0].args[4] was false (written n); it must be a string: put it in quotes
    line 5, column 35: spec.containers[0].args[5] was a mapping; it must be a string
    line 6, column 12: spec.containers[0].stdin was "on"; it must be true or false, without quotes
    line 7, column 10: spec.containers[0].tty was 1; it must be true or false
    line 8, column 14: spec.containers[0].command was "echo hi"; it must be a list
    line 10, column 30: spec.containers[0].env[0].value was false (written no); it must be a string: put it in quotes
    line 11, column 14: spec.containers[0].env[1].name was false (written N); it must be a string: put it in quotes
    line 11, column 24: spec.containers[0].env[1].value was 1.1 (written 1.10); it must be a string: put it in quotes
    line 12, column 7: spec.containers[0].env[2] was "just text"; it must be a mapping
    line 13, column 29: spec.containers[0].ports[0].containerPort was "80"; it must be a whole number: write it without quotes
    line 13, column 52: spec.containers[0].ports[1].containerPort was 1.5; it must be a whole number
    line 13, column 74: spec.containers[0].ports[2].containerPort was 99999999999; it must be a whole number from -2147483648 to 2147483647
    line 14, column 26: spec.activeDeadlineSeconds was "soon"; it must be a whole number
    line 15, column 17: spec.nodeSelector was a list; it must be a mapping
    "#
    );
}

#[test]
fn what_stops_a_type_stops_no_other_problem() {
    insta::assert_snapshot!(
        pod("containers:\n- name: a\n  resources: {limits: {cpu: yes, memory: [1]}, requests: {cpu: {}}}\n  livenessProbe: {httpGet: {port: true}}\n  comand: x\ntolerations: {}\nhostnetwork: true"),
        @r#"
    line 5, column 31: spec.containers[0].resources.limits.cpu was true (written yes); it must be a quantity such as 500m or 2Gi
    line 5, column 44: spec.containers[0].resources.limits.memory was a list; it must be a quantity such as 500m or 2Gi
    line 5, column 66: spec.containers[0].resources.requests.cpu was a mapping; it must be a quantity such as 500m or 2Gi
    line 6, column 37: spec.containers[0].livenessProbe.httpGet.port was true; it must be a whole number or a string
    line 7, column 5: spec.containers[0].comand is not a field of a container; did you mean "command"?
    line 8, column 16: spec.tolerations was a mapping; it must be a list
    line 9, column 3: spec.hostnetwork is not a field of a pod spec; did you mean "hostNetwork"?
    "#
    );
    insta::assert_snapshot!(of_type::<Pod>("metadata: {creationTimestamp: yesterday, deletionTimestamp: 5, labels: {version: 1.10}}"), @r#"
    line 1, column 31: metadata.creationTimestamp was "yesterday"; it must be a time such as "2026-01-31T08:00:00Z"
    line 1, column 61: metadata.deletionTimestamp was 5; it must be a time such as "2026-01-31T08:00:00Z"
    line 1, column 82: metadata.labels.version was 1.1 (written 1.10); it must be a string: put it in quotes
    "#);
    insta::assert_snapshot!(of_type::<Pod>("spec: {containers: [{resources: {limits: {nvidia.com/gpu: yes}}}]}\na/b: 1"), @r#"
    line 1, column 59: spec.containers[0].resources.limits["nvidia.com/gpu"] was true (written yes); it must be a quantity such as 500m or 2Gi
    line 2, column 1: ["a/b"] is not a field of a pod
    "#);
    insta::assert_snapshot!(of_type::<ConfigMap>("binaryData: {a: '%%', b: aGk=}\ndata: {a: 1, b: yes, c: }"), @r#"
    line 1, column 17: binaryData.a was "%%"; it must be base64 in a string
    line 2, column 11: data.a was 1; it must be a string: put it in quotes
    line 2, column 17: data.b was true (written yes); it must be a string: put it in quotes
    "#);
}

#[test]
fn what_kubernetes_takes_is_taken() {
    let spec = "containers:\n- name: a\n  image: b\n  resources: {limits: {cpu: 0.5, memory: 1e9}, requests: {cpu: '500m'}}\n  livenessProbe: {httpGet: {port: http, path: /}, periodSeconds: 1e1}\n  readinessProbe: {tcpSocket: {port: 80}}\n  args: [~, a]\n  env: ~\nvolumes: [{name: c, configMap: {name: x, defaultMode: 0644, items: [{key: a, path: b, mode: 0o600}]}}]\nterminationGracePeriodSeconds: 30.0";
    assert_eq!(pod(spec), "accepted");
    let node = &read(&format!("spec:\n  {}", spec.replace('\n', "\n  "))).unwrap()[0];
    let spec = typed::<Pod>(node, Root::default()).unwrap().spec.unwrap();
    let map = spec.volumes.unwrap()[0].config_map.clone().unwrap();
    assert_eq!((map.default_mode, map.items.unwrap()[0].mode), (Some(420), Some(384)));
    assert_eq!(spec.containers[0].args.as_deref(), Some(&[String::new(), "a".to_owned()][..]));
    let limits = spec.containers[0].resources.as_ref().unwrap().limits.as_ref().unwrap();
    assert_eq!((limits["cpu"].0.as_str(), limits["memory"].0.as_str()), ("0.5", "1000000000"));
    assert_eq!(spec.termination_grace_period_seconds, Some(30));
}

#[test]
fn small_items_of_large_types_are_bounded() {
    let spec = format!("containers: [{}]", vec!["{}"; 50_000].join(","));
    insta::assert_snapshot!(pod(&spec), @"line 3, column 15: spec.containers has too many items: the document would take more than 16 MiB of memory");
}

#[test]
fn a_path_finds_its_place_whatever_its_keys_have_in_them() {
    let node = &read("metadata:\n  labels:\n    a.b/c: 1\n    a: 2\nspec:\n- x: 1\n- y: {z: 2}\n").unwrap()[0];
    let place = |path: &str| node.place_at(path).to_string();
    for path in ["metadata.labels.a.b/c", "metadata.labels[a.b/c]", "metadata.labels[\"a.b/c\"]"] {
        assert_eq!(place(path), "line 3, column 5", "{path}");
    }
    assert_eq!(place("metadata.labels.a"), "line 4, column 5");
    assert_eq!(place("spec[1].true.z"), "line 7, column 7");
    assert_eq!(place("spec[1].nothing.here"), "line 7, column 3");
    assert_eq!(place("spec[9]"), "line 5, column 1");
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in ".{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn json_is_read_as_json(text in "[ -~]{0,20}", number in any::<i64>(), float in proptest::num::f64::NORMAL) {
        let value = json!({ text.clone(): [text, number, true, null, { "a": float / 3.0 }] });
        let found = json(&value.to_string());
        prop_assert!(same(&found, &value), "{} {}", found, value);
    }
}
