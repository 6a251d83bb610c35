//! Jobs of `batch/v1`: what the API server makes of one, and how its controller brings it to its end.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::Condition;
use serde_json::{Value, json};

use super::arena::{Arena as Place, refused};

/// A Job of one short container, with annotations for the kubelet.
fn job(spec: Value, annotations: Value) -> Value {
    let mut job = json!({"metadata": {"name": "a"}, "spec": {"template": {
        "metadata": {"annotations": annotations},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]},
    }}});
    job["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    job
}

fn ended(type_: &'static str) -> impl Condition<Job> {
    move |job: Option<&Job>| {
        let conditions = job.and_then(|job| job.status.as_ref()?.conditions.as_ref());
        conditions.is_some_and(|list| list.iter().any(|it| it.type_ == type_ && it.status == "True"))
    }
}

fn active(wanted: i32) -> impl Condition<Job> {
    move |job: Option<&Job>| job.and_then(|job| job.status.as_ref()).is_some_and(|it| it.active.unwrap_or(0) == wanted)
}

/// The conditions in order, as `type=status reason: message`.
fn conditions(status: &JobStatus) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let lines = status.conditions.iter().flatten();
    let lines = lines.map(|it| format!("{}={} {}: {}", it.type_, it.status, text(&it.reason), text(&it.message)));
    lines.collect::<Vec<_>>().join("\n")
}

async fn pods(arena: &Place) -> Vec<Pod> {
    arena.api::<Pod>().list(&ListParams::default().labels("job-name=a")).await.unwrap().items
}

async fn told(arena: &Place, reason: &'static str) -> String {
    arena.until_event("a", |event| event.reason.as_deref() == Some(reason)).await.message.unwrap_or_default()
}

contract! {
    async fn the_api_server_gives_a_job_its_selector_and_its_labels(arena: Arena) {
        let made = arena.create::<Job>(job(json!({"suspend": true}), json!({}))).await;
        let uid = made.uid().unwrap();
        let spec = made.spec.unwrap();
        assert_eq!(spec.selector.unwrap().match_labels.unwrap()["batch.kubernetes.io/controller-uid"], uid);
        let labels = spec.template.metadata.unwrap().labels.unwrap();
        let expected = ["batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"];
        assert_eq!(labels.keys().collect::<Vec<_>>(), expected);
        assert_eq!((spec.backoff_limit, spec.parallelism, spec.completions), (Some(6), Some(1), Some(1)));
        assert_eq!(spec.pod_replacement_policy.as_deref(), Some("TerminatingOrFailed"));
    }

    async fn a_job_runs_its_pods_and_completes(arena: Arena) {
        arena.create::<Job>(job(json!({"completions": 3, "parallelism": 2}), json!({}))).await;
        let done = arena.until("a", ended("Complete")).await.status.unwrap();
        assert_eq!((done.succeeded, done.failed, done.active, done.ready), (Some(3), None, None, Some(0)));
        assert!(done.completion_time.unwrap().0 >= done.start_time.clone().unwrap().0);
        assert_eq!(done.uncounted_terminated_pods, Some(Default::default()));
        insta::assert_snapshot!(conditions(&arena.api::<Job>().get("a").await.unwrap().status.unwrap()), @"
        SuccessCriteriaMet=True CompletionsReached: Reached expected number of succeeded pods
        Complete=True CompletionsReached: Reached expected number of succeeded pods
        ");
        assert_eq!(told(&arena, "Completed").await, "Job completed");
        let pods = pods(&arena).await;
        assert_eq!(pods.len(), 3);
        for pod in pods {
            assert!(pod.finalizers().is_empty() && pod.name_any().starts_with("a-"), "{pod:?}");
            assert_eq!(pod.owner_references()[0].controller, Some(true));
        }
    }

    async fn pods_are_tracked_until_they_are_counted(arena: Arena) {
        arena.create::<Job>(job(json!({}), json!({"sim.platform/duration": "forever"}))).await;
        arena.until("a", |job: Option<&Job>| job.and_then(|job| job.status.as_ref()?.ready) == Some(1)).await;
        let pods = pods(&arena).await;
        assert_eq!(pods[0].finalizers(), ["batch.kubernetes.io/job-tracking"]);
        assert!(told(&arena, "SuccessfulCreate").await.ends_with(&pods[0].name_any()));
    }

    async fn the_pods_of_an_indexed_job_know_their_index(arena: Arena) {
        arena.create::<Job>(job(json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"}), json!({}))).await;
        let done = arena.until("a", ended("Complete")).await.status.unwrap();
        assert_eq!((done.completed_indexes.as_deref(), done.succeeded), (Some("0-2"), Some(3)));
        let mut indexes = BTreeSet::new();
        for pod in pods(&arena).await {
            let index = pod.labels()["batch.kubernetes.io/job-completion-index"].clone();
            assert_eq!(pod.annotations()["batch.kubernetes.io/job-completion-index"], index);
            assert!(pod.name_any().starts_with(&format!("a-{index}-")), "{}", pod.name_any());
            let spec = pod.spec.unwrap();
            assert_eq!(spec.hostname, Some(format!("a-{index}")));
            let variable = &spec.containers[0].env.as_ref().unwrap()[0];
            let field = variable.value_from.as_ref().unwrap().field_ref.as_ref().unwrap();
            assert_eq!(variable.name, "JOB_COMPLETION_INDEX");
            assert_eq!(field.field_path, "metadata.labels['batch.kubernetes.io/job-completion-index']");
            indexes.insert(index);
        }
        assert_eq!(indexes.into_iter().collect::<String>(), "012");
    }

    async fn a_job_gives_up_after_too_many_failures(arena: Arena) {
        arena.create::<Job>(job(json!({"backoffLimit": 1}), json!({"sim.platform/exit-code": "1"}))).await;
        let failed = arena.until("a", ended("Failed")).await.status.unwrap();
        assert_eq!((failed.failed, failed.completion_time.is_none()), (Some(2), true));
        insta::assert_snapshot!(conditions(&failed), @"
        FailureTarget=True BackoffLimitExceeded: Job has reached the specified backoff limit
        Failed=True BackoffLimitExceeded: Job has reached the specified backoff limit
        ");
        assert_eq!(told(&arena, "BackoffLimitExceeded").await, "Job has reached the specified backoff limit");
    }

    async fn containers_that_are_restarted_count_against_the_limit(arena: Arena) {
        let mut object = job(json!({"backoffLimit": 1}), json!({"sim.platform/exit-code": "1", "sim.platform/duration": "100ms"}));
        object["spec"]["template"]["spec"]["restartPolicy"] = json!("OnFailure");
        arena.create::<Job>(object).await;
        let failed = arena.until("a", ended("Failed")).await.status.unwrap();
        assert!(conditions(&failed).contains("BackoffLimitExceeded"), "{failed:?}");
    }

    async fn a_job_past_its_deadline_fails_and_its_pods_are_stopped(arena: Arena) {
        arena.create::<Job>(job(json!({"activeDeadlineSeconds": 10}), json!({"sim.platform/duration": "forever"}))).await;
        let failed = arena.until("a", ended("Failed")).await.status.unwrap();
        insta::assert_snapshot!(conditions(&failed), @"
        FailureTarget=True DeadlineExceeded: Job was active longer than specified deadline
        Failed=True DeadlineExceeded: Job was active longer than specified deadline
        ");
        assert_eq!((failed.failed, failed.active, failed.terminating), (Some(1), None, Some(0)));
        assert!(told(&arena, "SuccessfulDelete").await.starts_with("Deleted pod: a-"));
    }

    async fn an_index_fails_alone_where_it_has_a_limit_of_its_own(arena: Arena) {
        let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 0});
        arena.create::<Job>(job(spec, json!({"sim.platform/exit-code": "1"}))).await;
        let failed = arena.until("a", ended("Failed")).await.status.unwrap();
        assert_eq!((failed.failed_indexes.as_deref(), failed.failed), (Some("0-2"), Some(3)));
        assert!(conditions(&failed).ends_with("Failed=True FailedIndexes: Job has failed indexes"), "{failed:?}");
    }

    async fn a_suspended_job_stops_and_goes_on(arena: Arena) {
        let api = arena.api::<Job>();
        arena.create::<Job>(job(json!({"suspend": true}), json!({}))).await;
        let suspended = arena.until("a", ended("Suspended")).await.status.unwrap();
        assert_eq!((suspended.start_time, suspended.active), (None, None));
        assert!(pods(&arena).await.is_empty());
        let suspend = |suspend: bool| Patch::Merge(json!({"spec": {"suspend": suspend}}));
        api.patch("a", &PatchParams::default(), &suspend(false)).await.unwrap();
        assert_eq!(told(&arena, "Resumed").await, "Job resumed");
        let done = arena.until("a", ended("Complete")).await.status.unwrap();
        assert!(conditions(&done).starts_with("Suspended=False JobResumed: Job resumed"), "{done:?}");
    }

    async fn suspending_a_running_job_takes_its_pods_and_counts_none(arena: Arena) {
        arena.create::<Job>(job(json!({"parallelism": 2}), json!({"sim.platform/duration": "forever"}))).await;
        arena.until("a", active(2)).await;
        let patch = Patch::Merge(json!({"spec": {"suspend": true}}));
        arena.api::<Job>().patch("a", &PatchParams::default(), &patch).await.unwrap();
        let gone = |job: Option<&Job>| {
            job.and_then(|job| job.status.as_ref()).is_some_and(|it| it.active.is_none() && it.terminating == Some(0))
        };
        let status = arena.until("a", gone).await.status.unwrap();
        assert_eq!((status.failed, status.succeeded), (None, None));
    }

    async fn a_job_grows_and_shrinks_with_its_parallelism(arena: Arena) {
        let api = arena.api::<Job>();
        arena.create::<Job>(job(json!({"parallelism": 1, "completions": 9}), json!({"sim.platform/duration": "forever"}))).await;
        for parallelism in [3, 1] {
            let patch = Patch::Merge(json!({"spec": {"parallelism": parallelism}}));
            api.patch("a", &PatchParams::default(), &patch).await.unwrap();
            arena.until("a", active(parallelism)).await;
        }
    }

    async fn a_finished_job_lives_as_long_as_it_was_told(arena: Arena) {
        arena.create::<Job>(job(json!({"ttlSecondsAfterFinished": 10}), json!({}))).await;
        arena.until("a", ended("Complete")).await;
        arena.until_gone::<Job>("a").await;
        assert!(pods(&arena).await.is_empty());
    }

    async fn a_deleted_job_takes_its_pods_along(arena: Arena) {
        for params in [DeleteParams::background(), DeleteParams::foreground()] {
            arena.create::<Job>(job(json!({}), json!({"sim.platform/duration": "forever"}))).await;
            arena.until("a", active(1)).await;
            let name = pods(&arena).await[0].name_any();
            arena.api::<Job>().delete("a", &params).await.unwrap();
            arena.until_gone::<Pod>(&name).await;
            arena.until_gone::<Job>("a").await;
        }
    }

    async fn the_orphans_of_a_job_are_held_by_nobody(arena: Arena) {
        arena.create::<Job>(job(json!({}), json!({"sim.platform/duration": "forever"}))).await;
        arena.until("a", active(1)).await;
        let name = pods(&arena).await[0].name_any();
        arena.api::<Job>().delete("a", &DeleteParams::orphan()).await.unwrap();
        arena.until_gone::<Job>("a").await;
        let free = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.finalizers().is_empty());
        let pod = arena.until(&name, free).await;
        assert!(pod.owner_references().is_empty() && pod.metadata.deletion_timestamp.is_none());
    }

    async fn the_template_of_a_job_cannot_be_changed(arena: Arena) {
        arena.create::<Job>(job(json!({}), json!({"sim.platform/duration": "forever"}))).await;
        let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "alpine"}]}}}});
        let answer = arena.api::<Job>().patch("a", &PatchParams::default(), &Patch::Strategic(&patch)).await;
        let message = refused(answer, 422, "Invalid");
        assert!(message.contains("spec.template") && message.ends_with("field is immutable"), "{message}");
    }

    async fn what_a_job_cannot_be_is_refused_by_field(arena: Arena) {
        let long = "a".repeat(64);
        let mut messages = Vec::new();
        for (name, spec) in [
            ("a", json!({"parallelism": -1})),
            ("a", json!({"completionMode": "Indexed", "parallelism": 2})),
            ("a", json!({"completionMode": "Sorted"})),
            ("a", json!({"backoffLimitPerIndex": 1})),
            ("a", json!({"completionMode": "Indexed", "completions": 3, "maxFailedIndexes": 1})),
            ("a", json!({"completionMode": "Indexed", "completions": 3, "backoffLimitPerIndex": 1, "maxFailedIndexes": 5})),
            ("a", json!({"completionMode": "Indexed", "completions": 3, "parallelism": 100_001})),
            ("a", json!({"podReplacementPolicy": "Never"})),
            ("a", json!({"selector": {"matchLabels": {"a": "b"}}})),
            (&long, json!({})),
        ] {
            let mut object = job(spec, json!({}));
            object["metadata"]["name"] = json!(name);
            let object: Job = serde_json::from_value(object).unwrap();
            messages.push(refused(arena.api::<Job>().create(&PostParams::default(), &object).await, 422, "Invalid"));
        }
        let mut always: Value = job(json!({}), json!({}));
        always["spec"]["template"]["spec"]["restartPolicy"] = json!("Always");
        let object: Job = serde_json::from_value(always).unwrap();
        messages.push(refused(arena.api::<Job>().create(&PostParams::default(), &object).await, 422, "Invalid"));
        let uid = regex::Regex::new("[0-9a-f]{8}-[0-9a-f-]{27}").unwrap();
        let messages: Vec<_> = messages.iter().map(|message| uid.replace_all(message, "UID").into_owned()).collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        Job.batch "a" is invalid: spec.parallelism: Invalid value: -1: must be greater than or equal to 0
        Job.batch "a" is invalid: spec.completions: Required value: when completion mode is Indexed
        Job.batch "a" is invalid: spec.completionMode: Unsupported value: "Sorted": supported values: "NonIndexed", "Indexed"
        Job.batch "a" is invalid: spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode
        Job.batch "a" is invalid: spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified
        Job.batch "a" is invalid: spec.maxFailedIndexes: Invalid value: 5: must be less than or equal to completions
        Job.batch "a" is invalid: spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed
        Job.batch "a" is invalid: spec.podReplacementPolicy: Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"
        Job.batch "a" is invalid: [spec.selector: Invalid value: {"matchLabels":{"a":"b","batch.kubernetes.io/controller-uid":"UID"}}: `selector` not auto-generated, spec.template.metadata.labels: Invalid value: {"batch.kubernetes.io/controller-uid":"UID","batch.kubernetes.io/job-name":"a","controller-uid":"UID","job-name":"a"}: `selector` does not match template `labels`]
        Job.batch "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is invalid: spec.template.labels: Invalid value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must be no more than 63 bytes
        Job.batch "a" is invalid: spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
        "#);
    }
}
