//! The rules of pods, one by one. `tests/cluster_contract/pod_rules.rs` compares them with a real API server.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;
use crate::config::GpuResources;

fn template(spec: Value) -> PodTemplateSpec {
    serde_json::from_value(json!({ "spec": spec })).unwrap()
}

/// The violations of a task whose only container has these members.
fn of_container(members: Value) -> String {
    let mut container = json!({ "name": "a", "image": "alpine:3.20" });
    container.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    of_pod(json!({ "containers": [container] }))
}

fn of_pod(members: Value) -> String {
    let mut spec = json!({ "containers": [{ "name": "a", "image": "alpine:3.20" }] });
    spec.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    told(task_violations(&template(spec), "tasks[0]"))
}

fn told(violations: Vec<Violation>) -> String {
    violations.iter().map(|violation| format!("{violation}\n")).collect()
}

#[test]
fn a_pod_as_a_whole_has_no_list_of_claims_even_an_empty_one() {
    let limits = json!({ "cpu": 2 });
    assert_snapshot!(of_pod(json!({ "resources": { "limits": limits, "claims": [] } })), @"tasks[0].spec.resources.claims is not allowed at the level of the pod");
    assert_eq!(of_pod(json!({ "resources": { "limits": limits } })), "");
}

#[test]
fn amounts_are_quantities_that_are_not_negative_and_within_their_limits() {
    let resources = |requests: Value, limits: Value| {
        of_container(json!({ "resources": { "requests": requests, "limits": limits } }))
    };
    let none = || json!({});
    assert_snapshot!(resources(none(), json!({ "memory": "512MB", "cpu": "2cores" })), @r#"
    tasks[0].spec.containers[0].resources.limits.cpu was "2cores", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    tasks[0].spec.containers[0].resources.limits.memory was "512MB", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    "#);
    for amount in ["1 Gi", "", "1gi", "--1", "0x10", "1Gib", "٣"] {
        assert!(resources(none(), json!({ "memory": amount })).contains("which is not a quantity"), "{amount}");
    }
    assert_snapshot!(resources(json!({ "cpu": 2 }), json!({ "cpu": 1 })), @"tasks[0].spec.containers[0].resources.limits.cpu was 1; it may not be less than the request, which is 2");
    assert_snapshot!(resources(none(), json!({ "memory": "9223372036854775808" })), @"tasks[0].spec.containers[0].resources.limits.memory was 9223372036854775808; it must be at most 9223372036854775807");
    assert_eq!(resources(json!({ "memory": "8Ei" }), json!({ "memory": "9223372036854775807" })), "");
    assert_snapshot!(resources(json!({ "cpu": "-1" }), none()), @"tasks[0].spec.containers[0].resources.requests.cpu was -1; it may not be negative");
    assert_snapshot!(resources(none(), json!({ "nvidia.com/gpu": "-8" })), @r#"tasks[0].spec.containers[0].resources.limits["nvidia.com/gpu"] was -8; it may not be negative"#);
    assert_snapshot!(resources(none(), json!({ "nvidia.com/gpu": "500m" })), @r#"tasks[0].spec.containers[0].resources.limits["nvidia.com/gpu"] was 500m; it must be a whole number"#);
    assert_snapshot!(resources(json!({ "nvidia.com/gpu": 1 }), none()), @r#"tasks[0].spec.containers[0].resources.requests["nvidia.com/gpu"] was 1 without a limit; the limit must be the same amount"#);
    assert_snapshot!(resources(json!({ "a.b/c": 1 }), json!({ "a.b/c": 2 })), @r#"tasks[0].spec.containers[0].resources.limits["a.b/c"] was 2; it must be the same as the request, which is 1"#);
    assert_snapshot!(resources(none(), json!({ "foo": 1 })), @"tasks[0].spec.containers[0].resources.limits.foo is not a resource; use cpu, memory, ephemeral-storage, hugepages- and a size, or a name with a domain such as nvidia.com/gpu");
    assert_snapshot!(resources(none(), json!({ "memory": "500m" })), @"tasks[0].spec.containers[0].resources.limits.memory was 500m; it must be a whole number of bytes");
    assert_snapshot!(resources(none(), json!({ "hugepages-2Mi": "3Mi" })), @r"
    tasks[0].spec.containers[0].resources.limits.hugepages-2Mi was 3Mi; it must be a multiple of the page size
    tasks[0].spec.containers[0].resources has huge pages; it must have cpu or memory as well
    ");
    assert_eq!(
        resources(json!({ "cpu": "100m", "memory": 0 }), json!({ "cpu": 1, "memory": "1e9", "nvidia.com/gpu": 0 })),
        ""
    );
}

#[test]
fn what_a_pod_asks_for_as_a_whole_is_enough_for_its_containers() {
    let pod = |resources: Value, container: Value| {
        of_pod(json!({ "resources": resources, "containers": [{ "name": "a", "resources": container }] }))
    };
    assert_snapshot!(pod(json!({ "requests": { "cpu": 1, "nvidia.com/gpu": 1 } }), json!({ "requests": { "cpu": 2 } })), @r#"
    tasks[0].spec.resources.requests["nvidia.com/gpu"] is not allowed at the level of the pod; only cpu, memory and huge pages are
    tasks[0].spec.resources.requests.cpu was 1; it may not be less than the aggregate request of the containers
    "#);
    assert_snapshot!(pod(json!({ "limits": { "memory": "1Gi" } }), json!({ "limits": { "memory": "2Gi" } })), @r#"
    tasks[0].spec.resources.limits.memory was 1Gi; it may not be less than the aggregate request of the containers
    tasks[0].spec.resources.limits.memory was 1Gi; it may not be less than the limit of the container "a", which is 2Gi
    "#);
    assert_eq!(pod(json!({ "requests": { "cpu": 64, "memory": "1Ti" } }), json!({ "requests": { "cpu": 2 } })), "");
}

#[test]
fn variables_have_names_of_their_own_and_one_source() {
    let env = |variables: Value| of_container(json!({ "env": variables }));
    assert_snapshot!(env(json!([
        { "name": "1 A", "value": "" }, { "name": "A" }, { "name": "A" }, { "name": "PLATFORM_X", "value": "y" }, { "name": "" },
    ])), @r#"
    tasks[0].spec.containers[0].env[0].name was "1 A"; it must be letters, digits, '_', '-' and '.', not beginning with a digit or with ".."
    tasks[0].spec.containers[0].env[4].name is required
    tasks[0].spec.containers[0].env[2].name was "A", which is given twice
    tasks[0].spec.containers[0].env[3].name was "PLATFORM_X"; names that begin with PLATFORM_ are the platform's own
    "#);
    assert_snapshot!(env(json!([
        { "name": "A", "value": "x", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodename" } } },
        { "name": "B", "valueFrom": {} },
        { "name": "C", "valueFrom": { "configMapKeyRef": { "name": "A B", "key": "../x" } } },
        { "name": "D", "valueFrom": { "fieldRef": { "fieldPath": "metadata.labels['a b']" } } },
        { "name": "E", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpus" } } },
    ])), @r#"
    tasks[0].spec.containers[0].env[0].valueFrom is not allowed together with a value
    tasks[0].spec.containers[0].env[0].valueFrom.fieldRef.fieldPath was "spec.nodename"; it must be metadata.name, metadata.namespace, metadata.uid, spec.nodeName, spec.serviceAccountName, status.hostIP, status.hostIPs, status.podIP, status.podIPs, metadata.labels['KEY'] or metadata.annotations['KEY']
    tasks[0].spec.containers[0].env[1].valueFrom has 0 sources; it must have exactly one of fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef
    tasks[0].spec.containers[0].env[2].valueFrom.configMapKeyRef.name was "A B"; it must be at most 253 lower-case letters, digits, '-' and '.', with a letter or a digit at both ends and around every '.'
    tasks[0].spec.containers[0].env[2].valueFrom.configMapKeyRef.key was "../x"; it must be 1 to 253 letters, digits, '-', '_' and '.', not "." and not beginning with ".."
    tasks[0].spec.containers[0].env[3].valueFrom.fieldRef.fieldPath has the key "a b"; it must be at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends, after an optional domain such as example.com/
    tasks[0].spec.containers[0].env[4].valueFrom.resourceFieldRef.resource was "limits.cpus"; it must be limits. or requests. followed by cpu, memory, ephemeral-storage or hugepages- and a size
    "#);
    // The index of an Indexed batch Job, among others.
    assert_eq!(env(json!([{ "name": "JOB_COMPLETION_INDEX", "value": "3" }, { "name": "my.var-1", "value": "" }])), "");
}

#[test]
fn what_linux_cannot_start_is_refused() {
    let long = "x".repeat(131_072);
    assert_snapshot!(of_container(json!({ "args": ["a", long] })), @"tasks[0].spec.containers[0].args[1] has 131072 bytes; the limit of Linux for one argument or variable is 131071");
    assert_eq!(of_container(json!({ "args": [long[1..]], "env": [{ "name": "A", "value": long[3..] }] })), "");
    assert_snapshot!(of_container(json!({ "env": [{ "name": "A", "value": long[2..] }] })), @"tasks[0].spec.containers[0].env[0].value has 131072 bytes; the limit of Linux for one argument or variable is 131071");
    assert_snapshot!(of_container(json!({ "command": ["a\0b"] })), @"tasks[0].spec.containers[0].command[0] contains the character U+0000 (NUL), which no argument or variable may contain");
}

#[test]
fn the_template_of_a_claim_has_amounts_that_can_be_read_and_no_name() {
    let claim = |metadata: Value, resources: Value| {
        let template =
            json!({ "metadata": metadata, "spec": { "accessModes": ["ReadWriteOnce"], "resources": resources } });
        of_pod(json!({ "volumes": [{ "name": "v", "ephemeral": { "volumeClaimTemplate": template } }] }))
    };
    let plain = json!({ "requests": { "storage": "1Gi" } });
    assert_eq!(claim(json!({ "labels": { "a": "b" } }), plain.clone()), "");
    assert!(
        claim(json!({}), json!({ "requests": { "storage": "1Gi", "x": "" } })).contains("requests.x was \"\", which")
    );
    let limited = json!({ "requests": { "storage": "1Gi" }, "limits": { "x": "1 Gi" } });
    assert!(claim(json!({}), limited).contains("limits.x was \"1 Gi\", which is not a quantity"));
    assert_snapshot!(claim(json!({ "name": "a" }), plain), @"tasks[0].spec.volumes[0].ephemeral.volumeClaimTemplate.metadata may only have labels and annotations in the template of a claim");
}

#[test]
fn mounts_are_of_volumes_that_are_there_at_paths_of_their_own() {
    let pod = |mounts: Value| {
        of_pod(
            json!({ "volumes": [{ "name": "v", "emptyDir": {} }], "containers": [{ "name": "a", "image": "a", "volumeMounts": mounts }] }),
        )
    };
    assert_snapshot!(pod(json!([
        { "name": "w", "mountPath": "/w" }, { "name": "v", "mountPath": "" }, { "name": "v", "mountPath": "rel" },
        { "name": "v", "mountPath": "/a" }, { "name": "v", "mountPath": "/a/" }, { "name": "v", "mountPath": "/a/../b" },
        { "name": "v", "mountPath": "/c:d" }, { "name": "v", "mountPath": "/" }, { "name": "v", "mountPath": "/e", "subPath": "../x" },
        { "name": "v", "mountPath": "/f", "mountPropagation": "Bidirectional" },
    ])), @r#"
    tasks[0].spec.containers[0].volumeMounts[0].name was "w", which is not a volume of the pod
    tasks[0].spec.containers[0].volumeMounts[1].mountPath is required
    tasks[0].spec.containers[0].volumeMounts[2].mountPath was "rel"; it must be an absolute path without ".."
    tasks[0].spec.containers[0].volumeMounts[4].mountPath was "/a/", which is mounted twice
    tasks[0].spec.containers[0].volumeMounts[5].mountPath was "/a/../b"; it must be an absolute path without ".."
    tasks[0].spec.containers[0].volumeMounts[6].mountPath was "/c:d"; it may not contain a ':'
    tasks[0].spec.containers[0].volumeMounts[7].mountPath was "/", which would hide the image's own files
    tasks[0].spec.containers[0].volumeMounts[8].subPath was "../x"; it must be a relative path without ".."
    tasks[0].spec.containers[0].volumeMounts[9].mountPropagation was "Bidirectional"; it must be "None" or "HostToContainer"
    "#);
}

#[test]
fn containers_have_names_of_their_own_and_legal_images() {
    assert_snapshot!(of_pod(json!({
        "initContainers": [{ "name": "a", "image": "b" }],
        "containers": [{ "name": "a", "image": "{{image}}" }, { "name": "A_b", "image": "x y", "workingDir": "rel" }, { "name": "c", "restartPolicy": "Always" }],
    })), @r#"
    tasks[0].spec.containers[0].name was "a", which is given twice
    tasks[0].spec.containers[1].name was "A_b"; it must be 1 to 63 lower-case letters, digits and '-', with a letter or a digit at both ends
    tasks[0].spec.containers[1].workingDir was "rel"; it must be an absolute path without ".."
    tasks[0].spec.containers[2].restartPolicy is only allowed for an init container
    tasks[0].spec.containers[0].image was "{{image}}", which is not an image reference: the part "{{image}}" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'
    tasks[0].spec.containers[1].image was "x y", which is not an image reference: the part "x y" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'
    "#);
}

#[test]
fn labels_and_annotations_have_legal_keys_and_sizes() {
    let template: PodTemplateSpec = serde_json::from_value(json!({
        "metadata": {
            "labels": { "team": "a b", "a b": "c", "ok.example/x": "" },
            "annotations": { "-": "x", "big": "x".repeat(262_144), "any": "thing at all, ä" },
            "finalizers": ["a.b/c"],
        },
        "spec": { "containers": [{ "name": "a", "image": "a" }] },
    }))
    .unwrap();
    assert_snapshot!(told(task_violations(&template, "tasks[0]")), @r#"
    tasks[0].metadata.labels have the key "a b"; it must be at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends, after an optional domain such as example.com/
    tasks[0].metadata.labels.team was "a b"; it must be empty, or at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends
    tasks[0].metadata.annotations have the key "-"; it must be at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends, after an optional domain such as example.com/
    tasks[0].metadata.annotations have 262168 bytes together; at most 261120 are allowed
    tasks[0].metadata.finalizers is not allowed: the pod could never be removed
    "#);
}

#[test]
fn a_task_ends_and_needs_nothing_from_outside() {
    assert_snapshot!(of_pod(json!({
        "restartPolicy": "Always", "priority": 1, "overhead": {}, "schedulingGates": [{ "name": "a" }],
        "resourceClaims": [{ "name": "gpu", "resourceClaimName": "x" }],
        "containers": [{ "name": "a", "image": "a", "resources": { "claims": [{ "name": "gpu" }] } }],
    })), @r#"
    tasks[0].spec.restartPolicy was "Always"; it must be "Never" or "OnFailure", because the tasks of a job end
    tasks[0].spec.priority is not allowed: the queue has a priority
    tasks[0].spec.overhead is not allowed: it belongs to the runtime class
    tasks[0].spec.schedulingGates is not allowed: nothing would open them
    tasks[0].spec.resourceClaims is not allowed: the platform does not count them
    tasks[0].spec.containers[0].resources.claims is not allowed: the platform does not count them
    "#);
    let waits_for_ever = json!({ "restartPolicy": "Always", "containers": [{ "name": "a" }] });
    assert_eq!(violations(&template(waits_for_ever), ""), [], "a Deployment's pods do not end");
}

#[test]
fn a_device_that_the_table_does_not_count_is_not_given_away() {
    let template = template(json!({ "containers": [{ "name": "a", "resources": { "limits": {
        "example.com/npu": 1, "nvidia.com/gpu": 1, "nvidia.com/mig-1g.5gb": 1, "rdma/hca": 1, "cpu": 1 } } }] }));
    assert_snapshot!(told(uncounted(&template, "tasks[0]", &GpuResources::default())), @r#"tasks[0].spec.containers[0].resources.limits["example.com/npu"] is not a resource that this platform counts; an administrator can add it to GPU_RESOURCES"#);
}

#[test]
fn a_flood_is_told_in_part_and_long_values_are_cut() {
    let env: Vec<Value> = (0..10_000).map(|_| json!({ "name": " ".repeat(1000) })).collect();
    let found = task_violations(&template(json!({ "containers": [{ "name": "a", "env": env }] })), "tasks[0]");
    assert_eq!(found.len(), 50);
    assert!(found.iter().all(|violation| violation.to_string().len() < 400));
}
