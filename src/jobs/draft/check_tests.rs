//! One check for every source: where a problem is reported, and that an accepted job violates no rule.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::error::Problems;
use crate::graphql::scalars::Quantity;
use crate::jobs::draft::{GPU, TaskGroup};
use crate::jobs::input::{EnvVarInput, JobOverridesInput, JobSpecInput, ResourcesInput};

fn of_commit(tasks: Vec<Value>) -> Draft {
    let template = |spec| PodTemplateSpec { metadata: None, spec: Some(serde_json::from_value(spec).unwrap()) };
    Draft { tasks: TaskGroup::of_tasks(tasks.into_iter().map(template)), ..Draft::default() }
}

fn pod(container: Value) -> Value {
    let mut main = json!({ "name": "a", "image": "alpine:3.20" });
    main.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    json!({ "containers": [main] })
}

fn told(draft: &Draft, source: &'static str) -> String {
    let line = |(rule, error): (AdmissionRule, ApiError)| {
        format!("{rule:?} {}: {}\n", error.field.as_deref().unwrap_or("-"), error.message)
    };
    check(draft, source, &GpuResources::default()).into_iter().map(line).collect()
}

fn env(pairs: &[(&str, &str)]) -> Option<Vec<EnvVarInput>> {
    let variable = |(name, value): &(&str, &str)| EnvVarInput { name: (*name).to_owned(), value: (*value).to_owned() };
    Some(pairs.iter().map(variable).collect())
}

fn quantity(text: &str) -> Option<Quantity> {
    Some(Quantity(text.to_owned()))
}

/// The resources of the first task's container.
fn resources(draft: &Draft) -> Value {
    serde_json::to_value(&draft.tasks[0].template.spec.as_ref().unwrap().containers[0].resources).unwrap()
}

/// The environment of the first task's container.
fn variables(draft: &Draft) -> String {
    let env = draft.tasks[0].template.spec.as_ref().unwrap().containers[0].env.as_deref().unwrap_or_default();
    let pair = |variable: &k8s_openapi::api::core::v1::EnvVar| {
        format!("{}={}", variable.name, variable.value.as_deref().unwrap_or("-"))
    };
    env.iter().map(pair).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_problem_of_a_commit_is_told_with_its_path_and_one_of_an_override_at_its_field() {
    let mut draft = of_commit(vec![pod(json!({
        "workingDir": "relative", "env": [{ "name": "A", "value": "1" }, { "name": "PLATFORM_X", "value": "1" }, { "name": "A", "value": "2" }],
        "volumeMounts": [{ "name": "v", "mountPath": "rel" }], "resources": { "limits": { "cpu": 1, "memory": "512MB" } },
        "ports": [{ "containerPort": 70000 }],
    }))]);
    let overrides = JobOverridesInput {
        image: Some("a b".to_owned()),
        env: env(&[("PLATFORM_X", "2"), ("B", "3"), ("B", "4")]),
        resources: Some(ResourcesInput { cpu: quantity("2"), ..ResourcesInput::default() }),
        ..JobOverridesInput::default()
    };
    draft.override_with(overrides).unwrap();
    insta::assert_snapshot!(told(&draft, "input.source.commitId"), @r#"
    Container input.source.commitId: tasks[0].spec.containers[0].workingDir was "relative"; it must be an absolute path without ".."
    Pod input.source.commitId: tasks[0].spec.containers[0].ports[0].containerPort was 70000; it must be between 1 and 65535
    Resources input.source.commitId: tasks[0].spec.containers[0].resources.limits.memory was "512MB", which is not a quantity: it must be a number, optionally followed by m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei, such as 500m or 10Gi
    Resources input.overrides.resources.cpu: tasks[0].spec.containers[0].resources.limits.cpu was 1; it may not be less than the request, which is 2
    Mounts input.source.commitId: tasks[0].spec.containers[0].volumeMounts[0].name was "v", which is not a volume of the pod
    Mounts input.source.commitId: tasks[0].spec.containers[0].volumeMounts[0].mountPath was "rel"; it must be an absolute path without ".."
    Image input.overrides.image: image was "a b", which is not an image reference: the part "a b" of the name must be lower-case letters and digits, separated by one '.', one or two '_', or any number of '-'
    Container input.overrides.env.0.name: env.0.name was "PLATFORM_X"; names that begin with PLATFORM_ are the platform's own
    Container input.source.commitId: tasks[0].spec.containers[0].env[2].name was "A", which is given twice
    Container input.overrides.env.2.name: env.2.name was "B", which is given twice
    "#);
}

#[test]
fn one_bad_field_is_told_once_however_many_different_tasks_it_is_written_into() {
    let tasks = (0..200).map(|index| pod(json!({ "args": [index.to_string()] }))).collect();
    let mut draft = of_commit(tasks);
    draft.override_with(JobOverridesInput { env: env(&[("1A", "")]), ..JobOverridesInput::default() }).unwrap();
    assert_eq!(told(&draft, "input.source.commitId").lines().count(), 1);
    let tasks = (0..200).map(|index| pod(json!({ "workingDir": index.to_string() }))).collect();
    assert_eq!(told(&of_commit(tasks), "input.source.commitId").lines().count(), MAX_PROBLEMS);
}

#[test]
fn a_missing_image_is_asked_for_and_a_bad_one_told_once() {
    let draft =
        of_commit(vec![json!({ "initContainers": [{ "name": "i", "image": "" }], "containers": [{ "name": "a" }] })]);
    insta::assert_snapshot!(told(&draft, "input.source.commitId"), @r#"
    Image input.source.commitId: tasks[0].spec.initContainers[0].image was "", which is not an image reference: it is empty; an image such as alpine:3.20 or registry.example.org/team/tool@sha256:… is expected
    Image input.source.commitId: tasks[0].spec.containers[0].image is required
    "#);
}

#[test]
fn resources_are_merged_by_field() {
    let limits = json!({ "limits": { GPU: "8", "memory": "16Gi", "cpu": "4" }, "requests": { "memory": "8Gi" } });
    let mut draft = of_commit(vec![pod(json!({ "resources": limits }))]);
    let change = |resources| JobOverridesInput { resources: Some(resources), ..JobOverridesInput::default() };
    draft.override_with(change(ResourcesInput { cpu: quantity("2"), ..ResourcesInput::default() })).unwrap();
    insta::assert_snapshot!(resources(&draft), @r#"{"limits":{"cpu":"4","memory":"16Gi","nvidia.com/gpu":"8"},"requests":{"cpu":"2","memory":"8Gi"}}"#);
    draft
        .override_with(change(ResourcesInput { memory: quantity("12Gi"), gpu: Some(0), ..ResourcesInput::default() }))
        .unwrap();
    insta::assert_snapshot!(resources(&draft), @r#"{"limits":{"cpu":"4","memory":"16Gi"},"requests":{"cpu":"2","memory":"12Gi"}}"#);
    draft.override_with(change(ResourcesInput { memory: quantity("20Gi"), ..ResourcesInput::default() })).unwrap();
    insta::assert_snapshot!(told(&draft, "input.source.commitId"), @"Resources input.overrides.resources.memory: tasks[0].spec.containers[0].resources.limits.memory was 16Gi; it may not be less than the request, which is 20Gi");
}

#[test]
fn a_memory_limit_that_was_only_a_default_follows_the_memory() {
    let memory = |amount| Some(ResourcesInput { memory: quantity(amount), ..ResourcesInput::default() });
    let spec = JobSpecInput { resources: memory("4Gi"), ..spec("alpine") };
    let mut draft = Draft::from_spec(spec).unwrap();
    draft.override_with(JobOverridesInput { resources: memory("8Gi"), ..JobOverridesInput::default() }).unwrap();
    insta::assert_snapshot!(resources(&draft), @r#"{"limits":{"memory":"8Gi"},"requests":{"memory":"8Gi"}}"#);
    assert_eq!(told(&draft, "input.source.spec"), "");
}

#[test]
fn a_variable_is_replaced_where_it_stands() {
    let mut draft =
        of_commit(vec![pod(json!({ "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "$(A)" }] }))]);
    draft
        .override_with(JobOverridesInput { env: env(&[("C", "3"), ("A", "2")]), ..JobOverridesInput::default() })
        .unwrap();
    assert_eq!(variables(&draft), "A=2 B=$(A) C=3");
}

#[test]
fn a_change_that_would_become_many_is_refused_before_it_is_written() {
    let tasks = (0..200).map(|index| pod(json!({ "args": [index.to_string()] }))).collect();
    let mut draft = of_commit(tasks);
    let overrides = JobOverridesInput { command: Some(vec!["x".repeat(100_000)]), ..JobOverridesInput::default() };
    insta::assert_snapshot!(draft.override_with(overrides).unwrap_err().to_string(), @"the changes have 20004800 bytes when they are written into 200 different tasks; at most 8388608 are allowed");
}

fn spec(image: &str) -> JobSpecInput {
    JobSpecInput {
        image: image.to_owned(),
        command: None,
        args: None,
        working_dir: None,
        env: None,
        resources: None,
        mounts: None,
        replicas: None,
        min_available: None,
        active_deadline_seconds: None,
        ttl_seconds_after_finished: None,
        retries: None,
    }
}

fn any_quantity() -> impl Strategy<Value = Option<Quantity>> {
    let texts = ["1", "2", "500m", "0", "-1", "1Gi", "2Gi", "1500m", "64", "1n"];
    proptest::option::of(proptest::sample::select(texts.to_vec())).prop_map(|text| text.and_then(quantity))
}

fn any_resources() -> impl Strategy<Value = Option<ResourcesInput>> {
    let gpu = proptest::option::of(-1..70_i32);
    let fields = (any_quantity(), any_quantity(), gpu, any_quantity(), any_quantity());
    proptest::option::of(fields.prop_map(|(cpu, memory, gpu, cpu_limit, memory_limit)| ResourcesInput {
        cpu,
        memory,
        gpu,
        cpu_limit,
        memory_limit,
    }))
}

fn any_overrides() -> impl Strategy<Value = JobOverridesInput> {
    let image = proptest::option::of(proptest::sample::select(vec!["alpine", "a/b:1", "", "A", "{{x}}", " a"]));
    let names = proptest::sample::select(vec!["A", "B", "C", "PLATFORM_A", "1", "", "a b"]);
    let env = proptest::option::of(proptest::collection::vec((names, ".{0,3}"), 0..4));
    let dir = proptest::option::of(proptest::sample::select(vec!["/", "/srv", "srv", "/a/../b", ""]));
    let args = proptest::option::of(proptest::collection::vec(".{0,4}", 0..3));
    (image, env, dir, args, any_resources()).prop_map(|(image, env, dir, args, resources)| JobOverridesInput {
        image: image.map(str::to_owned),
        env: env.map(|env| env.into_iter().map(|(name, value)| EnvVarInput { name: name.to_owned(), value }).collect()),
        working_dir: dir.map(str::to_owned),
        args,
        resources,
        ..JobOverridesInput::default()
    })
}

proptest! {
    /// What a spec and overrides become is admitted exactly when its pods keep every rule, and the same overrides once
    /// more change nothing.
    #[test]
    fn what_is_admitted_keeps_every_rule_and_merging_twice_is_merging_once(
        given in any_overrides(),
        overrides in any_overrides(),
    ) {
        let spec = JobSpecInput {
            image: given.image.clone().unwrap_or_else(|| "alpine".to_owned()),
            args: given.args.clone(),
            working_dir: given.working_dir.clone(),
            env: given.env.clone(),
            resources: given.resources.clone(),
            ..spec("")
        };
        let mut problems = Problems::default();
        let mut draft = Draft::of_spec(spec, &mut problems);
        let is_merged = draft.override_with(overrides.clone()).is_ok();
        let found = check(&draft, "input.source.spec", &GpuResources::default());
        for (_, problem) in &found {
            let field = problem.field.as_deref().unwrap_or_default();
            prop_assert!(field.starts_with("input.source.spec.") || field.starts_with("input.overrides."), "{}: {}", field, problem.message);
        }
        if found.is_empty() {
            for group in &draft.tasks {
                prop_assert_eq!(pod_rules::task_violations(&group.template, "spec"), vec![]);
            }
            prop_assert!(draft.demand(&GpuResources::default()).cpu_millis >= 0);
            if is_merged {
                let once = draft.tasks.clone();
                prop_assert!(draft.override_with(overrides).is_ok());
                prop_assert_eq!(once, draft.tasks);
            }
        }
    }
}
