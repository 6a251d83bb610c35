//! Workflows that Argo would reject, and some that only look invalid.

use crate::cluster::object_rules;
use crate::cluster::objects::{Kind, Object};
use crate::cluster::yaml;

/// The violations of a workflow with this spec.
fn told(spec: &str) -> String {
    let node =
        &yaml::read(&format!("metadata: {{generateName: a-}}\nspec:\n  {}\n", spec.replace('\n', "\n  "))).unwrap()[0];
    match Object::read(Kind::Workflow, node) {
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
        Ok(object) => {
            let broken = object_rules::violations(Kind::Workflow, &object, node);
            broken.iter().map(|violation| format!("{violation}\n")).collect()
        }
    }
}

/// A workflow of one template that runs a container with these members.
fn container(members: &str) -> String {
    told(&format!("entrypoint: a\ntemplates:\n- name: a\n  container: {{image: b, {members}}}"))
}

/// A graph of these tasks.
fn dag(tasks: &str) -> String {
    told(&format!(
        "entrypoint: a\ntemplates:\n- name: b\n  container: {{image: b}}\n- name: a\n  dag: {{tasks: [{tasks}]}}"
    ))
}

const GOOD: &str = r#"
entrypoint: main
arguments: {parameters: [{name: message, value: 5}]}
onExit: clean-up
volumes: [{name: shared, emptyDir: {}}]
volumeClaimTemplates: [{metadata: {name: work}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
templates:
- name: main
  inputs: {parameters: [{name: message, default: true}]}
  dag:
    tasks:
    - {name: one, template: say, arguments: {parameters: [{name: message, value: "{{workflow.parameters.message}}"}]}}
    - {name: two, template: steps, depends: "one.Succeeded && !one.Failed", hooks: {running: {expression: "true", template: clean-up}}}
    - {name: three, depends: "one || (two)", inline: {container: {image: b}}, withItems: [1, {a: b}, [c]]}
- name: say
  inputs: {parameters: [{name: message}], artifacts: [{name: model, path: /m, s3: {key: k}}]}
  metadata: {labels: {a: "{{inputs.parameters.message}}"}}
  container:
    image: "alpine:{{inputs.parameters.message}}"
    command: [echo, "{{inputs.parameters.message}}"]
    resources: {limits: {memory: 1Gi}}
    volumeMounts: [{name: work, mountPath: /work}, {name: shared, mountPath: /shared}, {name: own, mountPath: "{{inputs.parameters.message}}"}]
  volumes: [{name: own, emptyDir: {}}]
  sidecars: [{name: beside, image: b, mirrorVolumeMounts: true}]
  outputs: {parameters: [{name: out, valueFrom: {path: /out, default: 3}}]}
- name: steps
  steps:
  - [{name: a, template: script}, {name: b, template: wait}]
  - - {name: c, template: set, when: "{{steps.a.outputs.result}} == 1"}
- name: script
  retryStrategy: {limit: 3, retryPolicy: Always, backoff: {duration: 5s, factor: 2}}
  script: {image: python, command: [python], source: "print(1)"}
- name: wait
  suspend: {duration: "20"}
- name: set
  containerSet:
    volumeMounts: [{name: shared, mountPath: /s}]
    containers: [{name: main, image: a, dependencies: [first]}, {name: first, image: a}]
- name: clean-up
  container: {image: b}
"#;

#[test]
fn a_workflow_with_all_that_argo_knows_is_taken() {
    assert_eq!(told(GOOD.trim()), "");
}

#[test]
fn a_misspelt_field_is_told_wherever_it_stands() {
    insta::assert_snapshot!(told(
        "entrypoin: a\ntemplates:\n- name: a\n  contaner: {image: b}\n- name: b\n  steps: [[{name: c, templat: a}]]\n- name: c\n  dag: {tasks: [{name: d, template: a, dependancies: [e], inline: {scrpt: {}}}]}\n- name: d\n  retryStrategy: {limits: 3}\n  inputs: {parameters: [{name: e, vale: 1}], artefacts: []}\n  container: {image: b, comand: [a]}"
    ), @r#"
    line 3, column 3: spec.entrypoin is not a field of a workflow spec; did you mean "entrypoint"?
    line 6, column 5: spec.templates[0].contaner is not a field of a template; did you mean "container"?
    line 8, column 24: spec.templates[1].steps[0][0].templat is not a field of a workflow step; did you mean "template"?
    line 10, column 42: spec.templates[2].dag.tasks[0].dependancies is not a field of a DAG task; did you mean "dependencies"?
    line 10, column 70: spec.templates[2].dag.tasks[0].inline.scrpt is not a field of a template; did you mean "script"?
    line 12, column 21: spec.templates[3].retryStrategy.limits is not a field of a retry strategy; did you mean "limit"?
    line 13, column 37: spec.templates[3].inputs.parameters[0].vale is not a field of a parameter; did you mean "value"?
    line 13, column 48: spec.templates[3].inputs.artefacts is not a field of inputs; did you mean "artifacts"?
    line 14, column 27: spec.templates[3].container.comand is not a field of a container; did you mean "command"?
    "#);
}

#[test]
fn a_value_of_another_type_is_told() {
    insta::assert_snapshot!(told(
        "entrypoint: 1\nparallelism: many\narguments: {parameters: [{name: a, value: [1]}]}\ntemplates: {name: a}"
    ), @r#"
    line 3, column 15: spec.entrypoint was 1; it must be a string: put it in quotes
    line 4, column 16: spec.parallelism was "many"; it must be a whole number
    line 5, column 45: spec.arguments.parameters[0].value was a list; it must be a string, a number or true or false
    line 6, column 14: spec.templates was a mapping; it must be a list
    "#);
}

#[test]
fn the_pods_of_its_templates_are_held_to_the_rules_of_every_pod() {
    let told = [
        container("resources: {limits: {memory: 512MB, cpu: -1}}"),
        container("volumeMounts: [{name: nowhere, mountPath: /a}]"),
        container("env: [{name: '1 A', value: b}]"),
        container("resources: {limits: {memory: '{{inputs.parameters.memory}}'}}"),
        told(
            "entrypoint: a\ntolerations: [{operator: Sometimes}]\nvolumes: [{name: V, emptyDir: {}}]\ntemplates:\n- name: a\n  metadata: {labels: {a b: c}}\n  container: {image: b}\n  sidecars: [{name: wait, image: b}, {name: B, image: c}, {name: c}]\n- name: b\n  container: {}",
        ),
        told(
            "entrypoint: a\ntemplates:\n- name: a\n  steps: [[{name: b, inline: {script: {image: c, source: d, resources: {requests: {cpu: 2}, limits: {cpu: 1}}}}}]]",
        ),
        told(
            "entrypoint: a\ntemplates:\n- name: a\n  containerSet: {volumeMounts: [{name: v, mountPath: /a}], containers: [{name: A, image: b}]}",
        ),
    ];
    insta::assert_snapshot!(told.concat(), @r#"
    spec.templates[0].container.resources.limits.cpu was -1; it may not be negative
    spec.templates[0].container.resources.limits.memory was "512MB", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    spec.templates[0].container.volumeMounts[0].name was "nowhere", which is not a volume of the pod
    spec.templates[0].container.env[0].name was "1 A"; it must be letters, digits, '_', '-' and '.', not beginning with a digit or with ".."
    spec.templates[0].container.resources.limits.memory was "{{inputs.parameters.memory}}", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    spec.templates[0].metadata.labels have the key "a b"; it must be at most 63 letters, digits, '-', '_' and '.' with a letter or a digit at both ends, after an optional domain such as example.com/
    spec.templates[0].sidecars[1].name was "B"; it must be 1 to 63 lower-case letters, digits and '-', with a letter or a digit at both ends
    spec.tolerations[0].operator was "Sometimes"; it must be "Equal" or "Exists"
    spec.templates[0].sidecars[0].name was "wait", which is the name of a container that Argo adds
    spec.templates[0].sidecars[2].image is required
    spec.templates[1].container.image is required
    spec.templates[0].steps[0][0].inline.script.resources.limits.cpu was 1; it may not be less than the request, which is 2
    spec.templates[0].containerSet.containers[0].name was "A"; it must be 1 to 63 lower-case letters, digits and '-', with a letter or a digit at both ends
    spec.templates[0].containerSet.volumeMounts[0].name was "v", which is not a volume of the pod
    "#);
}

#[test]
fn what_is_named_is_there() {
    let told = [
        told("templates: []"),
        told(
            "entrypoint: mian\nonExit: gone\nhooks: {running: {template: nowhere}}\ntemplates: [{name: main, container: {image: b}}]",
        ),
        told(
            "entrypoint: a\ntemplates: [{name: a, container: {image: b}}, {name: a, container: {image: b}}, {name: '', container: {image: b}}, {name: A_B, container: {image: b}}]",
        ),
        told("entrypoint: a\ntemplates: [{name: a}, {name: b, container: {image: b}, suspend: {}}]"),
        told(
            "entrypoint: a\ntemplates: [{name: a, steps: [[{name: b, template: c}, {name: b, template: a}], [{name: c}]]}]",
        ),
    ];
    insta::assert_snapshot!(told.concat(), @r#"
    spec.entrypoint is required: the name of the template to start with
    spec.entrypoint was "mian", which is not a template of the workflow; did you mean "main"?
    spec.onExit was "gone", which is not a template of the workflow
    spec.hooks.running.expression is required: it says when the hook runs
    spec.hooks.running.template was "nowhere", which is not a template of the workflow
    spec.templates[1].name was "a", which is given twice
    spec.templates[2].name is required
    spec.templates[3].name was "A_B"; it must be 1 to 128 letters, digits and '-', with a letter or a digit first
    spec.templates[0] does nothing; it must have exactly one of container, script, containerSet, steps, dag and suspend
    spec.templates[1] does 2 things; it must have exactly one of container, script, containerSet, steps, dag and suspend
    spec.templates[0].steps[0][0].template was "c", which is not a template of the workflow
    spec.templates[0].steps[0][1].name was "b", which is given twice
    spec.templates[0].steps[1][0] has 0 templates; it must have exactly one, named by template or defined in inline
    "#);
}

#[test]
fn tasks_depend_on_tasks_and_not_on_themselves() {
    let told = [
        dag(""),
        dag("{name: c, template: b, dependencies: [d]}, {name: dd, template: b}"),
        dag(
            "{name: c, template: b, dependencies: [d]}, {name: d, template: b, dependencies: [e]}, {name: e, template: b, dependencies: [c]}, {name: f, template: b, dependencies: [c]}",
        ),
        dag("{name: c, template: b, depends: c.Failed}"),
        dag("{name: c, template: b, depends: 'd &&'}, {name: d, template: b, depends: 'x.Succeeded || c.Sometimes'}"),
        dag(
            "{name: c, template: b}, {name: d, template: b, depends: 'c.AnySucceeded && x'}, {name: e, template: b, dependencies: [c]}",
        ),
        told(
            "entrypoint: a\ntemplates:\n- name: a\n  containerSet: {containers: [{name: a, image: b, dependencies: [c]}, {name: b, image: b, dependencies: [b]}]}",
        ),
    ];
    insta::assert_snapshot!(told.concat(), @r#"
    spec.templates[1].dag.tasks must have at least one task
    spec.templates[1].dag.tasks[0].dependencies has "d", which is not a task here
    spec.templates[1].dag.tasks[0].dependencies is a cycle, in which nothing can start: c → d → e → c
    spec.templates[1].dag.tasks[0].depends has the task itself, which can therefore never start
    spec.templates[1].dag.tasks[0].depends was "d &&"; it must be tasks and their results with &&, || and !, such as "a && b.Failed"
    spec.templates[1].dag.tasks[1].depends has the result "Sometimes"; it must be one of Succeeded, Failed, Errored, Skipped, Omitted, Daemoned, AnySucceeded, AllFailed
    spec.templates[1].dag.tasks[1].depends has c.AnySucceeded, but that task has no items
    spec.templates[1].dag.tasks[2].dependencies is not allowed when a task of the same graph uses depends
    spec.templates[1].dag.tasks[1].depends has "x", which is not a task here
    spec.templates[0].containerSet.containers[0].dependencies has "c", which is not a container here
    spec.templates[0].containerSet.containers[1].dependencies has the container itself, which can therefore never start
    "#);
}

#[test]
fn a_long_chain_and_a_long_circle_are_found_in_little_time() {
    let chain: String =
        (1..3000).map(|n| format!("{{name: t{n}, template: b, dependencies: [t{}]}}, ", n - 1)).collect();
    assert_eq!(dag(&format!("{chain}{{name: t0, template: b}}")), "");
    let told = dag(&format!("{chain}{{name: t0, template: b, dependencies: [t2999]}}"));
    assert!(told.contains("is a cycle, in which nothing can start: "), "{told}");
}

/// Workflows with the verdict that Argo's controller came to, and ours where it differs.
#[derive(serde::Deserialize)]
struct Tried {
    /// What the controller said; nothing where it ran the workflow.
    argo: String,
    /// Why we refuse what it runs.
    #[serde(default)]
    stricter: String,
    spec: String,
}

#[test]
fn what_argo_refuses_is_refused_and_what_it_runs_is_taken() {
    let tried: std::collections::BTreeMap<String, Tried> = serde_saphyr::from_str(include_str!("argo.yaml")).unwrap();
    let wrong = tried.iter().filter_map(|(name, tried)| {
        let ours = told(tried.spec.trim());
        let expected = !tried.argo.is_empty() || !tried.stricter.is_empty();
        (ours.is_empty() == expected).then(|| format!("{name}: {:?} and {ours:?}", tried.argo))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn parts_that_would_take_too_much_memory_are_refused() {
    let sidecars = vec!["{}"; 60_000].join(",");
    let told =
        told(&format!("entrypoint: a\ntemplates:\n- name: a\n  container: {{image: b}}\n  sidecars: [{sidecars}]"));
    assert!(
        told.contains("is too much: the pods of the workflow would take more than 16 MiB of memory"),
        "{told:.300}"
    );
}
