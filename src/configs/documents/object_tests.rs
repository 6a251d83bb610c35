//! Problems of the other objects in a file: their own metadata, and the rules of their kinds.

use super::*;

fn refused(yaml: &str) -> String {
    parse(yaml, "input.yaml", &GpuResources::default()).map_or_else(
        |error| error.0.iter().map(|error| format!("{error}\n")).collect(),
        |documents| format!("accepted: {}\n", documents.len()),
    )
}

fn map(metadata: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{{metadata}}}\n")
}

#[test]
fn the_namespace_is_the_platform_s_to_choose() {
    insta::assert_snapshot!(refused(&map("name: a, namespace: other")), @"document 1, ConfigMap/a: line 3, column 21: metadata.namespace is not allowed: the platform chooses the namespace, one for each project");
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {namespace: default}\nspec: {template: {spec: {containers: [{name: a, image: b}]}}}\n";
    insta::assert_snapshot!(refused(job), @"document 1, Job: line 3, column 12: metadata.namespace is not allowed: the platform chooses the namespace, one for each project");
    assert_eq!(refused(&map("name: a, namespace: ''")), "accepted: 1\n");
}

#[test]
fn a_name_has_the_form_of_its_kind() {
    let named = |version: &str, kind: &str, name: &str, spec: &str| {
        refused(&format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"))
    };
    let long = "a".repeat(53);
    let told = [
        named("v1", "Pod", "A B", "{containers: [{name: a, image: b}]}"),
        named("v1", "Service", "1a", "{ports: [{port: 80}]}"),
        named(
            "batch/v1",
            "CronJob",
            &long,
            "{schedule: '@daily', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a}]}}}}}",
        ),
    ];
    insta::assert_snapshot!(told.concat(), @r#"
    document 1, Pod/A B: line 3, column 12: metadata.name was "A B"; it must be at most 253 lower-case letters, digits, '-' and '.', with a letter or a digit at both ends and around every '.'
    document 1, Service/1a: line 3, column 12: metadata.name was "1a"; it must be 1 to 63 lower-case letters, digits and '-', with a letter first and a letter or a digit last
    document 1, CronJob/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: line 3, column 12: metadata.name has 53 characters; at most 52 are allowed: the names of its Jobs are 11 characters longer
    "#);
}

#[test]
fn labels_and_annotations_of_the_object_itself_are_looked_at() {
    insta::assert_snapshot!(refused(&map("name: a, labels: {'a b': c, d: 'e f'}, annotations: {'g h': i, Foo.Com/Bar: j}")), @r#"
    document 1, ConfigMap/a: line 3, column 21: metadata.labels have the key "a b"; it must be at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends, after an optional domain such as example.com/
    document 1, ConfigMap/a: line 3, column 40: metadata.labels.d was "e f"; it must be empty, or at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends
    document 1, ConfigMap/a: line 3, column 51: metadata.annotations have the key "g h"; it must be at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends, after an optional domain such as example.com/
    "#);
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {labels: {'a b': c}}\nspec: {containers: [{name: a, image: b}]}\n";
    insta::assert_snapshot!(refused(pod), @r#"document 1, Pod: line 3, column 12: metadata.labels have the key "a b"; it must be at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends, after an optional domain such as example.com/"#);
}

#[test]
fn what_the_cluster_writes_is_not_the_author_s_to_write() {
    let exported = "name: a, uid: c0ffee, resourceVersion: '5', generation: 2, creationTimestamp: '2026-01-01T00:00:00Z', finalizers: [a/b], ownerReferences: [{apiVersion: v1, kind: Pod, name: a, uid: b}], managedFields: [{manager: kubectl}]";
    insta::assert_snapshot!(refused(&map(exported)), @"
    document 1, ConfigMap/a: line 3, column 21: metadata.uid is not allowed: the cluster sets it
    document 1, ConfigMap/a: line 3, column 34: metadata.resourceVersion is not allowed: the cluster sets it
    document 1, ConfigMap/a: line 3, column 56: metadata.generation is not allowed: the cluster sets it
    document 1, ConfigMap/a: line 3, column 71: metadata.creationTimestamp is not allowed: the cluster sets it
    document 1, ConfigMap/a: line 3, column 114: metadata.finalizers is not allowed: nothing would remove them, and the object would stay forever
    document 1, ConfigMap/a: line 3, column 133: metadata.ownerReferences is not allowed: the platform owns what it creates
    document 1, ConfigMap/a: line 3, column 198: metadata.managedFields is not allowed: the cluster sets it
    ");
    insta::assert_snapshot!(refused("apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}]}\nstatus: {loadBalancer: {}}\n"), @"document 1, Service: line 4, column 1: status is not allowed: the cluster writes it");
    let generated = "apiVersion: v1\nkind: ConfigMap\nmetadata: {creationTimestamp: null, name: a}\nstatus: {}\n";
    assert_eq!(refused(generated), "accepted: 1\n");
}

#[test]
fn what_is_submitted_may_ask_for_a_generated_name() {
    let pod =
        "apiVersion: v1\nkind: Pod\nmetadata: {generateName: train-}\nspec: {containers: [{name: a, image: b}]}\n";
    assert_eq!(refused(pod), "accepted: 1\n");
    insta::assert_snapshot!(refused(&map("generateName: a-")), @"document 1, ConfigMap: line 3, column 12: metadata.generateName is not allowed: the object needs a fixed name; use metadata.name");
}

#[test]
fn two_objects_of_a_kind_have_two_names() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n";
    let maps = format!("{}---\n{}", map("name: a"), map("name: a"));
    insta::assert_snapshot!(refused(&format!("{service}---\n{maps}")), @r#"document 3, ConfigMap/a: line 12, column 12: metadata.name was "a", which is also the name of another ConfigMap in the file"#);
    assert_eq!(refused(&format!("{}---\n{}", map("name: a"), map("name: b"))), "accepted: 2\n");
}

#[test]
fn what_the_cluster_would_not_take_cannot_be_saved() {
    let documents = [
        ("v1", "PersistentVolumeClaim", "accessModes: [ReadWrite], resources: {requests: {storage: 1GB}}"),
        ("v1", "PersistentVolumeClaim", "{}"),
        (
            "batch/v1",
            "CronJob",
            "schedule: foo, concurrencyPolicy: Maybe, jobTemplate: {spec: {template: {spec: {containers: [{name: a}]}}}}",
        ),
        (
            "apps/v1",
            "Deployment",
            "selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: b}}, spec: {restartPolicy: Never, containers: [{name: a}]}}",
        ),
        ("v1", "Service", "ports: [{port: 80}, {port: 70000, name: A}]"),
        ("networking.k8s.io/v1", "Ingress", "{}"),
        ("networking.k8s.io/v1", "Ingress", "rules: [{http: {paths: [{path: a, pathType: Regex, backend: {}}]}}]"),
    ];
    let told = documents.map(|(version, kind, spec)| {
        let spec = if spec == "{}" { "{}".to_owned() } else { format!("{{{spec}}}") };
        refused(&format!("apiVersion: {version}\nkind: {kind}\nspec: {spec}\n"))
    });
    insta::assert_snapshot!(told.concat(), @r#"
    document 1, PersistentVolumeClaim: line 3, column 22: spec.accessModes[0] was "ReadWrite"; it must be "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany" or "ReadWriteOncePod"
    document 1, PersistentVolumeClaim: line 3, column 57: spec.resources.requests.storage was "1GB", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    document 1, PersistentVolumeClaim: line 3, column 1: spec.accessModes is required
    document 1, PersistentVolumeClaim: line 3, column 1: spec.resources.requests.storage is required
    document 1, CronJob: line 3, column 8: spec.schedule was "foo", which is not a schedule: it has 1 of the 5 fields minute, hour, day of the month, month, day of the week
    document 1, CronJob: line 3, column 23: spec.concurrencyPolicy was "Maybe"; it must be "Allow", "Forbid" or "Replace"
    document 1, CronJob: line 3, column 81: spec.jobTemplate.spec.template.spec.restartPolicy is required: "OnFailure" or "Never"
    document 1, Deployment: line 3, column 65: spec.template.metadata.labels are not selected by spec.selector; the template must have the labels that it selects
    document 1, Deployment: line 3, column 91: spec.template.spec.restartPolicy was "Never"; it must be "Always"
    document 1, Service: line 3, column 16: spec.ports[0].name is required when there are several ports
    document 1, Service: line 3, column 29: spec.ports[1].port was 70000; it must be between 1 and 65535
    document 1, Service: line 3, column 42: spec.ports[1].name was "A"; it must be 1 to 63 lower-case letters, digits and '-', with a letter or a digit at both ends
    document 1, Ingress: line 3, column 1: spec must have rules or a defaultBackend
    document 1, Ingress: line 3, column 33: spec.rules[0].http.paths[0].path was "a"; it must begin with '/'
    document 1, Ingress: line 3, column 42: spec.rules[0].http.paths[0].pathType was "Regex"; it must be "Exact", "Prefix" or "ImplementationSpecific"
    document 1, Ingress: line 3, column 59: spec.rules[0].http.paths[0].backend must have exactly one of service and resource
    "#);
    insta::assert_snapshot!(refused("apiVersion: v1\nkind: ConfigMap\ndata: {a b: x, c: z}\nbinaryData: {c: AAAA}\n"), @r#"
    document 1, ConfigMap: line 3, column 1: data has the key "a b"; it must be 1 to 253 letters, digits, '-', '_' and '.', not "." and not beginning with ".."
    document 1, ConfigMap: line 4, column 14: binaryData.c is also a key of data; a key may be in only one of the two
    "#);
    let large = "x".repeat(600_000);
    let aliased = format!("apiVersion: v1\nkind: ConfigMap\ndata: {{a: &a {large}, b: *a}}\n");
    insta::assert_snapshot!(refused(&aliased), @"document 1, ConfigMap: line 3, column 1: data has 1200000 bytes together with binaryData; at most 1048576 are allowed");
}
