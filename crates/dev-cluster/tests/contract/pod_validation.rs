//! What a pod must be: some hundred pods that break a rule each, and some that only look as if they did.

use std::path::Path;

use serde_json::{Value, json};

use super::arena::Arena as Place;
use super::pod_tables::{pod, read, tried};

/// The verdicts of the real API server, one line an entry. `UPDATE_VERDICTS=1` writes them anew.
const VERDICTS: &str = "tests/contract/pod_tables/verdicts.txt";

async fn verdicts(arena: &Place, table: &str) -> Vec<String> {
    let table = read(table);
    let path = format!("/api/v1/namespaces/{}/pods", arena.namespace);
    let answers = tried(arena, table.values().map(|entry| (path.clone(), pod(entry))).collect()).await;
    table.keys().zip(answers).map(|(name, answer)| format!("{name}: {}", answer.verdict())).collect()
}

contract! {
    async fn a_pod_that_breaks_a_rule_is_refused_in_the_same_words(arena: Arena) {
        let verdicts = verdicts(&arena, include_str!("pod_tables/invalid.yaml")).await;
        assert!(verdicts.iter().all(|line| !line.ends_with(": taken")), "{verdicts:#?}");
        if std::env::var_os("UPDATE_VERDICTS").is_some() && arena.cluster.etcd_url().is_some() {
            std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(VERDICTS), verdicts.join("\n") + "\n").unwrap();
        }
        let expected: Vec<&str> = include_str!("pod_tables/verdicts.txt").lines().collect();
        let other: Vec<_> = verdicts.iter().filter(|line| !expected.contains(&line.as_str())).collect();
        assert!(other.is_empty() && verdicts.len() == expected.len(), "{other:#?}");
    }

    async fn a_pod_that_is_only_odd_is_taken(arena: Arena) {
        let verdicts = verdicts(&arena, include_str!("pod_tables/valid.yaml")).await;
        let refused: Vec<_> = verdicts.iter().filter(|line| !line.ends_with(": taken")).collect();
        assert!(refused.is_empty(), "{refused:#?}");
    }

    async fn a_template_is_held_to_the_rules_of_its_pods(arena: Arena) {
        let broken = pod(&json!({"container": {"resources": {"limits": {"foo": 1}}, "livenessProbe": {"httpGet": {"port": 0}}}}));
        let mut spec = broken["spec"].clone();
        spec["restartPolicy"] = json!("Never");
        let template = |spec: &Value| json!({"metadata": {"labels": {"a": "b"}}, "spec": spec});
        let job = json!({"template": template(&spec)});
        let mut always = broken["spec"].clone();
        always["ephemeralContainers"] = json!([{"name": "e", "image": "a"}]);
        let deployment = json!({"selector": {"matchLabels": {"a": "b"}}, "template": template(&always)});
        let never = json!({"selector": {"matchLabels": {"a": "b"}}, "template": template(&json!({
            "restartPolicy": "Never", "activeDeadlineSeconds": 5, "containers": [{"name": "main", "image": "busybox"}],
        }))});
        let namespace = &arena.namespace;
        let of = |group: &str, kind: &str, plural: &str, spec: Value| {
            let object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": "x"}, "spec": spec});
            (format!("/apis/{group}/namespaces/{namespace}/{plural}"), object)
        };
        let answers = tried(&arena, vec![
            of("batch/v1", "Job", "jobs", job.clone()),
            of("batch/v1", "CronJob", "cronjobs", json!({"schedule": "@daily", "jobTemplate": {"spec": job}})),
            of("apps/v1", "Deployment", "deployments", deployment),
            of("apps/v1", "Deployment", "deployments", never),
        ]).await;
        let verdicts: Vec<_> = answers.iter().map(|answer| format!("{} {}", answer.code, answer.message)).collect();
        insta::assert_snapshot!(verdicts.join("\n"), @r#"
        422 Job.batch "x" is invalid: [spec.template.spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource type or fully qualified, spec.template.spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource for containers, spec.template.spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive]
        422 CronJob.batch "x" is invalid: [spec.jobTemplate.spec.template.spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource type or fully qualified, spec.jobTemplate.spec.template.spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource for containers, spec.jobTemplate.spec.template.spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive]
        422 Deployment.apps "x" is invalid: [spec.template.spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource type or fully qualified, spec.template.spec.containers[0].resources.limits[foo]: Invalid value: "foo": must be a standard resource for containers, spec.template.spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive, spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template]
        422 Deployment.apps "x" is invalid: [spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always", spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported]
        "#);
    }

    async fn fields_that_are_unknown_are_refused_by_strict_requests_and_warned_of_by_others(arena: Arena) {
        let pod = pod(&json!({"spec": {"foo": 1}, "container": {"bar": 1}}));
        let mut never = pod["spec"].clone();
        never["restartPolicy"] = json!("Never");
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": {"template": {"spec": never}}});
        let flash_job = json!({
            "apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob", "metadata": {"name": "x"},
            "spec": {"minAvailable": 1, "nope": 1, "tasks": [{"spec": pod["spec"]}]},
        });
        let namespace = &arena.namespace;
        let paths = [
            format!("/api/v1/namespaces/{namespace}/pods"),
            format!("/apis/batch/v1/namespaces/{namespace}/jobs"),
            format!("/apis/scheduling.flash-sched.io/v1alpha1/namespaces/{namespace}/flashjobs"),
        ];
        let mut lines = Vec::new();
        for validation in ["Strict", "Warn", "Ignore"] {
            let asked = paths.iter().zip([&pod, &job, &flash_job]);
            let asked = asked.map(|(path, body)| (format!("{path}?fieldValidation={validation}"), body.clone()));
            for answer in tried(&arena, asked.collect()).await {
                // In which order they are found is the decoder's.
                let message = answer.message.split_once("strict decoding error: ").map_or("", |(_, fields)| fields);
                let mut fields: Vec<&str> = message.split(", ").chain(answer.warnings.iter().map(String::as_str)).collect();
                fields.retain(|field| !field.is_empty());
                fields.sort_unstable();
                lines.push(format!("{validation} {} {}", answer.code, fields.join(", ")).trim_end().to_owned());
            }
        }
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Strict 400 unknown field "spec.containers[0].bar", unknown field "spec.foo"
        Strict 400 unknown field "spec.template.spec.containers[0].bar", unknown field "spec.template.spec.foo"
        Strict 400 unknown field "spec.nope", unknown field "spec.tasks[0].spec.containers[0].bar", unknown field "spec.tasks[0].spec.foo"
        Warn 201 299 - "unknown field \"spec.containers[0].bar\"", 299 - "unknown field \"spec.foo\""
        Warn 201 299 - "unknown field \"spec.template.spec.containers[0].bar\"", 299 - "unknown field \"spec.template.spec.foo\""
        Warn 201 299 - "unknown field \"spec.nope\"", 299 - "unknown field \"spec.tasks[0].spec.containers[0].bar\"", 299 - "unknown field \"spec.tasks[0].spec.foo\""
        Ignore 201
        Ignore 201
        Ignore 201
        "#);
    }

    async fn a_dry_run_is_told_the_same_and_leaves_nothing(arena: Arena) {
        let path = format!("/api/v1/namespaces/{}/pods", arena.namespace);
        let answers = tried(&arena, vec![
            (path.clone(), pod(&json!({}))),
            (path.clone(), pod(&json!({"spec": {"priorityClassName": "nobody-made-it"}}))),
            (path.clone(), pod(&json!({"container": {"ports": [{"containerPort": 70000}]}}))),
            // Tried, and so not there to be in the way.
            (path, pod(&json!({}))),
        ]).await;
        assert_eq!(answers.iter().map(|answer| answer.code).collect::<Vec<_>>(), [201, 403, 422, 201]);
        let left = arena.api::<k8s_openapi::api::core::v1::Pod>().list(&Default::default()).await.unwrap();
        assert!(left.items.is_empty());
    }
}
