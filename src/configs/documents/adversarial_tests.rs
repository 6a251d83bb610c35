//! YAML that was written to break something: reported in one sentence, with little time and memory, and never accepted.

use super::*;

fn refused(yaml: &str) -> String {
    parse(yaml, "input.yaml", &GpuResources::default())
        .map(|documents| format!("accepted: {documents:?}"))
        .unwrap_or_else(|error| error.to_string())
}

fn job(spec: &str) -> String {
    let spec = match spec.strip_prefix('{') {
        Some(fields) => format!("{{containers: [{{name: a, image: b}}], {fields}"),
        None => spec.to_owned(),
    };
    format!("apiVersion: batch/v1\nkind: Job\nmetadata: {{name: train}}\nspec: {{template: {{spec: {spec}}}}}\n")
}

#[test]
fn an_unsafe_pod_is_told_with_its_document_kind_name_and_place() {
    let yaml = format!("apiVersion: v1\nkind: ConfigMap\n---\n{}", job("{hostNetwork: true}"));
    insta::assert_snapshot!(refused(&yaml), @"document 2, Job/train: line 7, column 61: spec.template.spec.hostNetwork was true; it must be false: a pod may not share its node's namespaces");
}

#[test]
fn every_kind_that_makes_pods_is_looked_at_where_it_keeps_them() {
    let pod = "{containers: [{name: a, image: b, securityContext: {privileged: true}}]}";
    let kinds = [
        format!("apiVersion: v1\nkind: Pod\nspec: {pod}"),
        format!("apiVersion: apps/v1\nkind: Deployment\nspec: {{selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {pod}}}}}"),
        format!("apiVersion: batch/v1\nkind: Job\nspec: {{template: {{spec: {pod}}}}}"),
        format!("apiVersion: batch/v1\nkind: CronJob\nspec: {{schedule: '@daily', jobTemplate: {{spec: {{template: {{spec: {}}}}}}}}}", pod.replacen('{', "{restartPolicy: Never, ", 1)),
        format!("apiVersion: scheduling.flash-sched.io/v1alpha1\nkind: FlashJob\nspec: {{minAvailable: 1, tasks: [{{spec: {{containers: [{{name: a}}]}}}}, {{spec: {pod}}}]}}"),
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {entrypoint: a, templates: [{name: a, container: {image: b, securityContext: {privileged: true}}}]}".to_owned(),
    ];
    let told: Vec<String> = kinds
        .iter()
        .map(|yaml| refused(yaml).replace("was true; it must be false: a container may not act as its node", "…"))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    document 1, Pod: line 3, column 59: spec.containers[0].securityContext.privileged …
    document 1, Deployment: line 3, column 138: spec.template.spec.containers[0].securityContext.privileged …
    document 1, Job: line 3, column 77: spec.template.spec.containers[0].securityContext.privileged …
    document 1, CronJob: line 3, column 140: spec.jobTemplate.spec.template.spec.containers[0].securityContext.privileged …
    document 1, FlashJob: line 3, column 127: spec.tasks[1].spec.containers[0].securityContext.privileged …
    document 1, Workflow: line 3, column 85: spec.templates[0].container.securityContext.privileged …
    ");
}

#[test]
fn null_and_values_of_another_type_hide_nothing() {
    for harmless in ["{hostNetwork: null}", "{hostNetwork: ~}", "{hostPID: false}", "{volumes: null}"] {
        assert!(parse(&job(harmless), "input.yaml", &GpuResources::default()).is_ok(), "{harmless}");
    }
    for harmful in [
        "{hostNetwork: yes}",
        "{hostNetwork: 'true'}",
        "{hostNetwork: 1}",
        "{hostNetwork: [true]}",
        "{hostNetwork: {}}",
    ] {
        assert!(refused(&job(harmful)).contains("spec.template.spec.hostNetwork was "), "{harmful}");
    }
    assert!(refused(&job("{volumes: {hostPath: {path: /}}}")).contains("volumes.hostPath is not allowed"));
    assert!(refused(&job("[[{containers: [[{privileged: true}]]}]]")).contains("privileged was true"));
}

#[test]
fn a_list_of_objects_is_no_way_around_the_kinds() {
    let list = format!("apiVersion: v1\nkind: List\nitems:\n- {}", job("{hostNetwork: true}").replace('\n', "\n  "));
    assert!(
        refused(&list).starts_with("document 1: line 2, column 1: the kind \"List\" is not allowed"),
        "{}",
        refused(&list)
    );
    let sequence = "- apiVersion: v1\n  kind: Pod\n  spec: {hostNetwork: true}\n";
    insta::assert_snapshot!(refused(sequence), @"document 1: line 1, column 1: it is not a mapping with apiVersion and kind");
}

#[test]
fn anchors_and_merge_keys_hide_nothing() {
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {annotations: {x: &host {hostNetwork: true}}}\nspec: *host\n";
    assert!(refused(yaml).contains("hostNetwork"), "{}", refused(yaml));
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {labels: &host {hostPID: true}}\nspec: {<<: *host}\n";
    assert!(refused(yaml).contains("hostPID"), "{}", refused(yaml));
}

#[test]
fn a_key_that_stands_twice_is_refused_with_its_place() {
    let yaml = "apiVersion: v1\nkind: Pod\nspec:\n  hostNetwork: true\n  hostNetwork: false\n";
    insta::assert_snapshot!(refused(yaml), @r#"the YAML cannot be read: line 5, column 3: the key "hostNetwork" is already defined on line 4"#);
}

#[test]
fn depth_and_bombs_end_at_a_limit() {
    let deep = format!("apiVersion: v1\nkind: Pod\nspec: {}1{}", "[".repeat(10_000), "]".repeat(10_000));
    insta::assert_snapshot!(refused(&deep), @"the YAML is nested more than 64 levels deep");
    let deep: String = (0..10_000).map(|level| format!("{}a:\n", " ".repeat(level % 1000))).collect();
    assert!(!refused(&deep).starts_with("accepted"));
    let deep: String = "- ".repeat(10_000);
    assert!(!refused(&deep).starts_with("accepted"));
    let chain: String = (1..2000).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
    assert!(!refused(&format!("a0: &a0 x\n{chain}")).starts_with("accepted"));
    let itself = "apiVersion: v1\nkind: Pod\nspec: &a [*a]\n";
    assert!(!refused(itself).starts_with("accepted"), "{}", refused(itself));
}

#[test]
fn characters_that_yaml_does_not_have_are_refused_with_their_place() {
    insta::assert_snapshot!(refused("apiVersion: v1\nkind: Pod\nspec:\n\tcontainers: []\n"), @"the YAML cannot be read: line 4, column 2: a tab cannot indent a line; use spaces");
    insta::assert_snapshot!(refused("apiVersion: v1\nkind: Po\0d\n"), @r"the YAML cannot be read: line 2, column 9: the character \u{0} (U+0000) is not allowed here");
    assert!(!refused("apiVersion: v1\nkind: \u{7}Pod\n").starts_with("accepted"));
    assert!(
        parse("\u{feff}apiVersion: v1\nkind: ConfigMap\n", "input.yaml", &GpuResources::default()).is_ok(),
        "a byte order mark is not part of the text"
    );
}

#[test]
fn a_flood_of_problems_is_told_in_part() {
    let ports = vec!["{containerPort: 1, hostPort: 1}"; 40].join(", ");
    let documents =
        vec![job(&format!("{{initContainers: [{{name: b, image: c, ports: [{ports}]}}]}}")); 10].join("---\n");
    let errors = parse(&documents, "input.yaml", &GpuResources::default()).unwrap_err().0;
    assert_eq!(errors.len(), MAX_PROBLEMS + 1);
    insta::assert_snapshot!(errors.last().unwrap(), @"359 more problems are not shown");
}

#[test]
fn a_name_cannot_break_the_sentence_it_stands_in() {
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\\nb\\e[31m\"}\nspec: {hostIPC: true}\n";
    let told = refused(yaml);
    assert!(told.starts_with("document 1, Pod/ab[31m: "), "{told:?}");
}
