//! What a config file may contain, and how problems are reported.

use proptest::prelude::*;

use super::*;

fn refused(yaml: &str) -> String {
    parse(yaml, "input.yaml", &GpuResources::default()).map_or_else(
        |error| error.0.iter().map(|error| format!("{error}\n")).collect(),
        |documents| format!("accepted: {documents:?}"),
    )
}

fn accepted(yaml: &str) {
    parse(yaml, "input.yaml", &GpuResources::default()).unwrap_or_else(|error| panic!("{yaml}: {error}"));
}

#[test]
fn a_file_may_have_several_objects() {
    let yaml = "apiVersion: v1\nkind: ConfigMap\n---\n# nothing\n---\napiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}]}\n";
    let kinds: Vec<_> =
        parse(yaml, "input.yaml", &GpuResources::default()).unwrap().iter().map(|document| document.kind).collect();
    assert_eq!(kinds, [ConfigKind::ConfigMap, ConfigKind::Service]);
}

#[test]
fn yaml_that_does_not_parse_is_told_with_line_and_column() {
    insta::assert_snapshot!(refused("apiVersion: v1\nkind: [Pod\nmetadata:\n"), @"the YAML cannot be read: line 3, column 9: illegal placement of ':' indicator");
}

#[test]
fn every_object_that_is_not_allowed_is_told() {
    let yaml = "apiVersion: v1\nkind: Secret\n---\napiVersion: v1\nkind: Job\n---\njust text\n---\nkind: Pod\n---\napiVersion: 1\nkind: yes\n";
    insta::assert_snapshot!(refused(yaml), @r#"
    document 1: line 2, column 1: the kind "Secret" is not allowed; the allowed kinds are Pod, Service, Deployment, ConfigMap, Ingress, Job, CronJob, FlashJob, Workflow, PersistentVolumeClaim
    document 2: line 4, column 1: the apiVersion of a Job is "batch/v1", not "v1"
    document 3: line 7, column 1: it is not a mapping with apiVersion and kind
    document 4: line 9, column 1: apiVersion and kind are required and must be strings
    document 5: line 11, column 1: apiVersion and kind are required and must be strings
    "#);
}

#[test]
fn ten_megabytes_and_a_hundred_objects_are_refused_with_the_limit() {
    insta::assert_snapshot!(refused(&"a".repeat(10_000_000)), @"the YAML has 10000000 bytes; at most 1048576 are allowed");
    let many = "apiVersion: v1\nkind: ConfigMap\n---\n".repeat(MAX_DOCUMENTS + 1);
    insta::assert_snapshot!(refused(&many), @"the YAML has more than 64 objects, which is the limit");
    insta::assert_snapshot!(refused(""), @"the YAML contains no objects");
}

#[test]
fn a_nul_that_yaml_can_write_is_refused_wherever_it_stands() {
    for object in [r#"metadata: {name: "a\0"}"#, r#"metadata: {"a\0": b}"#, r#"spec: {args: ["\x00"]}"#] {
        let message = refused(&format!("apiVersion: v1\nkind: Pod\n{object}\n"));
        assert!(message.starts_with("the YAML cannot be read: line 3, column "), "{message}");
        assert!(message.ends_with(": a string may not contain the character U+0000 (NUL)\n"), "{message}");
    }
}

#[test]
fn a_misspelt_field_and_a_value_of_another_type_are_told_with_their_places() {
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: train\n  labels: {version: 1.10}\nspec:\n  restartpolicy: Never\n  containers:\n  - name: main\n    image: alpine:3.20\n    comand: [sh, -c, echo hi]\n    resource: {limits: {cpu: 1}}\n    args: [yes, on, n]\n    env:\n    - {name: COUNTRY, value: no}\n    - {name: N, value: 1e3}\n    - {name: H, value: 0x1F}\n";
    insta::assert_snapshot!(refused(yaml), @r#"
    document 1, Pod/train: line 5, column 21: metadata.labels.version was 1.1 (written 1.10); it must be a string: put it in quotes
    document 1, Pod/train: line 7, column 3: spec.restartpolicy is not a field of a pod spec; did you mean "restartPolicy"?
    document 1, Pod/train: line 11, column 5: spec.containers[0].comand is not a field of a container; did you mean "command"?
    document 1, Pod/train: line 12, column 5: spec.containers[0].resource is not a field of a container; did you mean "resources"?
    document 1, Pod/train: line 13, column 12: spec.containers[0].args[0] was true (written yes); it must be a string: put it in quotes
    document 1, Pod/train: line 13, column 17: spec.containers[0].args[1] was true (written on); it must be a string: put it in quotes
    document 1, Pod/train: line 13, column 21: spec.containers[0].args[2] was false (written n); it must be a string: put it in quotes
    document 1, Pod/train: line 15, column 30: spec.containers[0].env[0].value was false (written no); it must be a string: put it in quotes
    document 1, Pod/train: line 16, column 14: spec.containers[0].env[1].name was false (written N); it must be a string: put it in quotes
    document 1, Pod/train: line 16, column 24: spec.containers[0].env[1].value was 1000 (written 1e3); it must be a string: put it in quotes
    document 1, Pod/train: line 17, column 24: spec.containers[0].env[2].value was 31 (written 0x1F); it must be a string: put it in quotes
    "#);
}

#[test]
fn octal_modes_are_read_as_kubectl_reads_them() {
    for mode in ["0644", "0o644", "420"] {
        accepted(&format!(
            "apiVersion: v1\nkind: Pod\nspec: {{containers: [{{name: a, image: b}}], volumes: [{{name: c, configMap: {{name: x, defaultMode: {mode}}}}}]}}"
        ));
    }
}

#[test]
fn what_cannot_be_submitted_cannot_be_saved() {
    let template = "template: {spec: {containers: [{name: a, image: b}]}}";
    let yaml = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: train}}\nspec:\n  suspend: true\n  backoffLimit: 50\n  completions: 3\n  {template}\n---\napiVersion: v1\nkind: Pod\nspec: {{containers: []}}\n---\napiVersion: scheduling.flash-sched.io/v1alpha1\nkind: FlashJob\nspec: {{minAvailable: 2, tasks: [{{replicas: 2, spec: {{containers: [{{name: a, image: '{{{{image}}}}'}}]}}}}]}}\n---\napiVersion: v1\nkind: Pod\nspec: {{containers: [{{name: a, image: '{{{{image}}}}'}}]}}"
    );
    insta::assert_snapshot!(refused(&yaml), @r#"
    document 1, Job/train: line 5, column 3: spec.suspend is not supported: a job starts when it is submitted; submit it when it should run
    document 1, Job/train: line 6, column 3: spec.backoffLimit was 50; it must be between 0 and 10
    document 1, Job/train: line 7, column 3: spec.completions was 3; it must be 1, the same as parallelism: every task starts at once and runs once
    document 2, Pod: line 12, column 8: spec.containers must have at least one container
    document 3, FlashJob: line 16, column 34: spec.tasks[0].replicas is not a field of a pod template spec
    document 3, FlashJob: line 16, column 77: spec.tasks[0].spec.containers[0].image was "{{image}}", which is not an image reference: the part "{{image}}" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'
    document 4, Pod: line 20, column 31: spec.containers[0].image was "{{image}}"; only a Workflow may have "{{" in an image
    "#);
}

#[test]
fn several_objects_that_run_may_be_saved_together() {
    let pod = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: b}]}\n";
    accepted(&format!("{pod}---\n{pod}"));
}

#[test]
fn a_gang_may_be_written_as_one_task_and_its_aliases() {
    let task = "- &w {spec: {containers: [{name: a, image: b}]}}\n";
    let yaml = format!(
        "apiVersion: scheduling.flash-sched.io/v1alpha1\nkind: FlashJob\nspec:\n  minAvailable: 128\n  tasks:\n  {task}{}",
        "  - *w\n".repeat(127)
    );
    accepted(&yaml);
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in ".{0,200}") {
        let _ = parse(&text, "input.yaml", &GpuResources::default());
    }
}
