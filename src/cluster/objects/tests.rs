//! The allowed fields of each kind, and the fields of a Job that the platform implements.

use super::*;
use crate::cluster::yaml;

/// Every problem of a document of this kind, a line each.
fn told(kind: Kind, yaml: &str) -> String {
    let node = &yaml::read(yaml).unwrap()[0];
    let result = Object::read(kind, node).and_then(|object| Workload::of(object, node));
    match result {
        Ok(_) => "accepted".to_owned(),
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
    }
}

fn job(fields: &str) -> String {
    told(Kind::Job, &format!("spec:\n  template: {{spec: {{containers: [{{name: a, image: b}}]}}}}\n  {fields}\n"))
}

fn workload(kind: Kind, yaml: &str) -> Workload {
    let node = &yaml::read(yaml).unwrap()[0];
    Workload::of(Object::read(kind, node).unwrap(), node).unwrap().unwrap()
}

#[test]
fn a_status_and_a_missing_name_are_fine_in_every_kind() {
    for kind in Kind::ALL {
        let spec = match kind {
            Kind::Pod => "{containers: [{name: a}]}",
            Kind::Job | Kind::Deployment => "{template: {spec: {containers: [{name: a}]}}}",
            Kind::CronJob => "{jobTemplate: {spec: {template: {spec: {containers: [{name: a}]}}}}}",
            Kind::FlashJob => "{minAvailable: 1, tasks: [{spec: {containers: [{name: a}]}}]}",
            Kind::Workflow => "{entrypoint: a, templates: [{name: a, container: {image: b}}]}",
            Kind::Service | Kind::Ingress | Kind::PersistentVolumeClaim => "{}",
            Kind::ConfigMap => "",
        };
        let spec = if spec.is_empty() { String::new() } else { format!("spec: {spec}\n") };
        let yaml = format!("apiVersion: x\nkind: y\nstatus: {{whatever: [1]}}\n{spec}");
        assert_eq!(told(kind, &yaml), "accepted", "{yaml}");
    }
}

#[test]
fn a_field_that_its_kind_does_not_have_is_told_in_every_kind() {
    let documents = [
        (Kind::Pod, "spec: {containers: [{name: a, resource: {limits: {cpu: 1}}}]}\nspecs: {}"),
        (Kind::Job, "spec: {paralelism: 2, template: {spec: {restartpolicy: Never, containers: [{name: a}]}}}"),
        (Kind::FlashJob, "spec: {minAvailable: 1, tasks: [{replicas: 3, spec: {containers: [{name: a}]}}]}\nspecs: 1"),
        (Kind::FlashJob, "spec: {minAvailable: 1, replicas: 3}"),
        (Kind::Deployment, "spec: {replica: 2, template: {spec: {container: []}}}"),
        (Kind::CronJob, "spec: {shedule: x, jobTemplate: {spec: {template: {specs: {}}}}}"),
        (Kind::Service, "spec: {port: 80}"),
        (Kind::Ingress, "spec: {rules: [{hosts: a}]}"),
        (Kind::ConfigMap, "dat: {}\ndata: {a: no}"),
        (Kind::PersistentVolumeClaim, "spec: {accessMode: ReadWriteOnce, resources: {requests: {storage: 1Gi}}}"),
    ];
    let all: String =
        documents.iter().map(|(kind, yaml)| format!("{}\n{}", kind.as_str(), told(*kind, yaml))).collect();
    insta::assert_snapshot!(all, @r#"
    Pod
    line 1, column 31: spec.containers[0].resource is not a field of a container; did you mean "resources"?
    line 2, column 1: specs is not a field of a pod; did you mean "spec"?
    Job
    line 1, column 8: spec.paralelism is not a field of a job spec; did you mean "parallelism"?
    line 1, column 41: spec.template.spec.restartpolicy is not a field of a pod spec; did you mean "restartPolicy"?
    FlashJob
    line 1, column 34: spec.tasks[0].replicas is not a field of a pod template spec
    line 2, column 1: specs is not a field of a FlashJob; did you mean "spec"?
    FlashJob
    line 1, column 7: spec.tasks is missing
    line 1, column 25: spec.replicas is not a field of a FlashJob spec
    Deployment
    line 1, column 8: spec.replica is not a field of a deployment spec; did you mean "replicas"?
    line 1, column 38: spec.template.spec.container is not a field of a pod spec; did you mean "containers"?
    CronJob
    line 1, column 8: spec.shedule is not a field of a CronJob spec; did you mean "schedule"?
    line 1, column 52: spec.jobTemplate.spec.template.specs is not a field of a pod template spec; did you mean "spec"?
    Service
    line 1, column 8: spec.port is not a field of a service spec; did you mean "ports"?
    Ingress
    line 1, column 17: spec.rules[0].hosts is not a field of an ingress rule; did you mean "host"?
    ConfigMap
    line 1, column 1: dat is not a field of a ConfigMap; did you mean "data"?
    line 2, column 11: data.a was false (written no); it must be a string: put it in quotes
    PersistentVolumeClaim
    line 1, column 8: spec.accessMode is not a field of a PersistentVolumeClaim spec; did you mean "accessModes"?
    "#);
}

#[test]
fn the_parts_of_a_workflow_that_are_kubernetes_own_are_strict() {
    let workflow = "metadata: {label: {}}\nspec:\n  entrypoint: a\n  parallelism: 1\n  volumes: [{name: v, emptydir: {}}]\n  templateDefaults: {container: {imag: x}}\n  templates:\n  - name: a\n    container: {comand: [a], image: '{{inputs.parameters.image}}'}\n    retryStrategy: {limit: 2}\n  - name: b\n    script: {image: a, source: echo, sourc: b}\n    initContainers: [{name: i, mirrorVolumeMounts: true, arg: []}]\n    sidecars: [{name: i, args: [1]}]\n  - name: c\n    containerSet: {containers: [{name: x, dependencies: [z], image: 1}]}\n  - name: d\n    dag: {tasks: [{name: t, inline: {container: {env: [{name: A, value: 1}]}}}]}\n  - name: e\n    steps: [[{name: s, inline: {container: {workingdir: /}}}]]\n";
    insta::assert_snapshot!(told(Kind::Workflow, workflow), @r#"
    line 1, column 12: metadata.label is not a field of metadata; did you mean "labels"?
    line 5, column 23: spec.volumes[0].emptydir is not a field of a volume; did you mean "emptyDir"?
    line 6, column 34: spec.templateDefaults.container.imag is not a field of a container; did you mean "image"?
    line 9, column 17: spec.templates[0].container.comand is not a field of a container; did you mean "command"?
    line 12, column 38: spec.templates[1].script.sourc is not a field of a container
    line 13, column 58: spec.templates[1].initContainers[0].arg is not a field of a container; did you mean "args"?
    line 14, column 33: spec.templates[1].sidecars[0].args[0] was 1; it must be a string: put it in quotes
    line 16, column 69: spec.templates[2].containerSet.containers[0].image was 1; it must be a string: put it in quotes
    line 18, column 73: spec.templates[3].dag.tasks[0].inline.container.env[0].value was 1; it must be a string: put it in quotes
    line 20, column 45: spec.templates[4].steps[0][0].inline.container.workingdir is not a field of a container; did you mean "workingDir"?
    "#);
}

#[test]
fn every_field_of_a_job_is_done_or_refused_by_name() {
    let fields = [
        "suspend: true",
        "podFailurePolicy: {rules: []}",
        "successPolicy: {rules: []}",
        "maxFailedIndexes: 1",
        "backoffLimitPerIndex: 1",
        "managedBy: kueue.x-k8s.io/multikueue",
        "manualSelector: true",
        "selector: {matchLabels: {a: b}}",
        "backoffLimit: 50",
        "backoffLimit: -1",
        "parallelism: 0",
        "parallelism: 257",
        "parallelism: 1e3",
        "completions: 3",
        "completionMode: Random",
        "completionMode: Indexed",
        "activeDeadlineSeconds: 0",
        "ttlSecondsAfterFinished: -1",
    ];
    insta::assert_snapshot!(fields.map(job).concat(), @r#"
    line 3, column 3: spec.suspend is not supported: a job starts when it is submitted; submit it when it should run
    line 3, column 3: spec.podFailurePolicy is not supported: all failures of a task count the same
    line 3, column 3: spec.successPolicy is not supported: a job succeeds when all of its tasks do
    line 3, column 3: spec.maxFailedIndexes is not supported: a job fails as soon as one of its tasks fails
    line 3, column 3: spec.backoffLimitPerIndex is not supported: a job is tried again as a whole; use backoffLimit
    line 3, column 3: spec.managedBy is not supported: the platform runs the job itself
    line 3, column 3: spec.manualSelector is not supported: the platform chooses the labels that select tasks
    line 3, column 3: spec.selector is not supported: the platform chooses the labels that select tasks
    line 3, column 3: spec.backoffLimit was 50; it must be between 0 and 10
    line 3, column 3: spec.backoffLimit was -1; it must be between 0 and 10
    line 3, column 3: spec.parallelism was 0; it must be between 1 and 256
    line 3, column 3: spec.parallelism was 257; it must be between 1 and 256
    line 3, column 3: spec.parallelism was 1000; it must be between 1 and 256
    line 3, column 3: spec.completions was 3; it must be 1, the same as parallelism: every task starts at once and runs once
    line 3, column 3: spec.completionMode was "Random"; it must be NonIndexed or Indexed
    line 1, column 1: spec.completions is missing; an Indexed Job requires it, with the value of parallelism
    line 3, column 3: spec.activeDeadlineSeconds was 0; it must be between 1 and 2147483647
    line 3, column 3: spec.ttlSecondsAfterFinished was -1; it must be between 0 and 2147483647
    "#);
    for field in
        ["suspend: false", "manualSelector: false", "backoffLimit: 10", "completionMode: NonIndexed", "completions: 1"]
    {
        assert_eq!(job(field), "accepted", "{field}");
    }
    let several = job("suspend: true\n  backoffLimit: 50");
    assert_eq!(several.lines().count(), 2, "all are told at once: {several}");
}

#[test]
fn an_indexed_job_tells_its_tasks_their_numbers() {
    let template = "template: {spec: {containers: [{name: a}]}}";
    let yaml = format!("spec: {{completionMode: Indexed, completions: 3, parallelism: 3, {template}}}");
    let Workload { tasks: Tasks::Equal(_, count), indexed, .. } = workload(Kind::Job, &yaml) else { panic!() };
    assert_eq!((count, indexed), (3, true));
}

#[test]
fn a_gang_is_as_large_as_its_tasks_at_most() {
    let gang = |gang: i32, tasks: usize| {
        let tasks = vec!["{spec: {containers: [{name: a}]}}"; tasks].join(", ");
        told(Kind::FlashJob, &format!("spec: {{minAvailable: {gang}, tasks: [{tasks}]}}"))
    };
    insta::assert_snapshot!([gang(2, 1), gang(0, 1), gang(1, 0), gang(1, 257)].concat(), @"
    line 1, column 8: spec.minAvailable was 2; it must be 1, the number of tasks
    line 1, column 8: spec.minAvailable was 0; it must be 1, the number of tasks
    line 1, column 25: spec.tasks has 0 tasks; 1 to 256 are allowed
    line 1, column 25: spec.tasks has 257 tasks; 1 to 256 are allowed
    ");
    assert_eq!(gang(256, 256), "accepted");
    insta::assert_snapshot!(told(Kind::FlashJob, "spec: {}"), @"line 1, column 7: spec.minAvailable is missing");
    insta::assert_snapshot!(told(Kind::FlashJob, "metadata: {}"), @"line 1, column 1: spec is missing");
    insta::assert_snapshot!(told(Kind::FlashJob, "spec: 5"), @"line 1, column 7: spec was 5; it must be a mapping");
}

#[test]
fn a_task_without_a_container_is_refused() {
    insta::assert_snapshot!(
        [told(Kind::Pod, "metadata: {}"), told(Kind::Pod, "spec: {containers: []}"), told(Kind::Job, "spec: {template: {}}")].concat(),
        @"
    line 1, column 1: spec.containers is missing or empty: every task needs a container
    line 1, column 8: spec.containers is missing or empty: every task needs a container
    line 1, column 8: spec.template.spec.containers is missing or empty: every task needs a container
    "
    );
}

#[test]
fn braces_may_stand_in_the_images_of_a_workflow_only() {
    let image = |kind: Kind, yaml: &str| {
        let node = &yaml::read(yaml).unwrap()[0];
        let problems = Object::read(kind, node).unwrap().templated_images(node);
        problems.iter().map(|problem| format!("{problem}\n")).collect::<String>()
    };
    let pod = "{initContainers: [{name: i, image: 'a:{{x}}'}], containers: [{name: a, image: b}, {name: b, image: '{{image}}'}]}";
    insta::assert_snapshot!(image(Kind::Pod, &format!("spec: {pod}")), @r#"
    line 1, column 35: spec.initContainers[0].image was "a:{{x}}"; only a Workflow may have "{{" in an image
    line 1, column 99: spec.containers[1].image was "{{image}}"; only a Workflow may have "{{" in an image
    "#);
    assert_eq!(image(Kind::Deployment, &format!("spec: {{template: {{spec: {pod}}}}}")).lines().count(), 2);
    let cron = format!("spec: {{jobTemplate: {{spec: {{template: {{spec: {pod}}}}}}}}}");
    assert_eq!(image(Kind::CronJob, &cron).lines().count(), 2);
    let flash = format!("spec: {{minAvailable: 1, tasks: [{{spec: {{}}}}, {{spec: {pod}}}]}}");
    assert!(image(Kind::FlashJob, &flash).contains("spec.tasks[1].spec.containers[1].image"));
}
