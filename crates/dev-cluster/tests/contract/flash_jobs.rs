//! The pretend Flash scheduler: gangs, queues and preemption, seen from outside.

use cluster_resources::crd::{ClusterResourceQueue, FlashJob, FlashJobPhase};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition as StatusCondition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::wait::Condition;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::arena::Arena as Place;

/// Makes a queue of this test's own.
async fn queue(arena: &Place, name: &str, spec: Value) -> String {
    let name = format!("{}-{name}", arena.namespace);
    let queue = json!({
        "apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "ClusterResourceQueue",
        "metadata": {"name": name}, "spec": spec,
    });
    let api = Api::<ClusterResourceQueue>::all(arena.client.clone());
    api.patch(&name, &PatchParams::apply("test"), &Patch::Apply(queue)).await.unwrap();
    name
}

/// A job whose tasks each ask for `gpus` of a product that is theirs alone on `node`.
fn job(name: &str, queue: &str, min_available: i32, tasks: &[Value]) -> Value {
    let tasks: Vec<_> = tasks
        .iter()
        .map(|annotations| {
            let mut all = json!({"scheduling.flash-sched.io/queue-name": queue});
            all.as_object_mut().unwrap().extend(annotations.as_object().unwrap().clone());
            json!({"metadata": {"annotations": all}, "spec": {
                "schedulerName": "flash-scheduler", "restartPolicy": "Never",
                "containers": [{"name": "main", "image": "busybox"}],
            }})
        })
        .collect();
    json!({"apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob",
           "metadata": {"name": name}, "spec": {"minAvailable": min_available, "tasks": tasks}})
}

fn with_resource(mut job: Value, resource: &str, amount: &str) -> Value {
    for task in job["spec"]["tasks"].as_array_mut().unwrap() {
        task["spec"]["containers"][0]["resources"] = json!({"limits": {resource: amount}});
    }
    job
}

/// The job with another name for the container of one task.
fn with_name(mut job: Value, task: usize, container: &str) -> Value {
    job["spec"]["tasks"][task]["spec"]["containers"][0]["name"] = json!(container);
    job
}

fn phase(wanted: FlashJobPhase) -> impl Condition<FlashJob> {
    move |job: Option<&FlashJob>| job.and_then(|job| job.status.as_ref()?.phase) == Some(wanted)
}

fn reason(wanted: &'static str) -> impl Condition<FlashJob> {
    move |job: Option<&FlashJob>| job.is_some_and(|job| conditions(job).any(|it| it.reason == wanted))
}

fn conditions(job: &FlashJob) -> impl Iterator<Item = &StatusCondition> {
    job.status.iter().flat_map(|status| &status.conditions)
}

contract! {
    async fn a_job_runs_all_its_tasks_and_succeeds(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 100})).await;
        arena.create::<FlashJob>(job("a", &queue, 2, &[json!({}), json!({})])).await;
        let running = arena.until("a", phase(FlashJobPhase::Running)).await.status.unwrap();
        assert_eq!((running.active, running.desired), (2, 2));
        let done = arena.until("a", phase(FlashJobPhase::Succeeded)).await.status.unwrap();
        assert_eq!((done.active, done.succeeded, done.failed, done.desired), (0, 2, 0, 2));
        let pods = arena.api::<Pod>().list(&ListParams::default()).await.unwrap();
        let names: Vec<_> = pods.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, ["a-0", "a-1"]);
        let owner = &pods.items[0].owner_references()[0];
        assert_eq!((owner.kind.as_str(), owner.controller), ("FlashJob", Some(true)));
    }

    async fn a_task_that_fails_fails_the_gang(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 100})).await;
        let tasks = [json!({"sim.platform/duration": "forever"}), json!({"sim.platform/exit-code": "9"})];
        arena.create::<FlashJob>(job("a", &queue, 2, &tasks)).await;
        let failed = arena.until("a", phase(FlashJobPhase::Failed)).await;
        let why = conditions(&failed).find(|it| it.type_ == "Failed").unwrap();
        assert_eq!(why.reason, "TaskFailed");
        assert_eq!(why.message, "task 1 failed: Error, exit code 9");
        arena.until_gone::<Pod>("a-0").await;
    }

    async fn a_failure_beyond_the_gang_is_tolerated(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 100})).await;
        arena.create::<FlashJob>(job("a", &queue, 1, &[json!({}), json!({"sim.platform/exit-code": "9"})])).await;
        let done = arena.until("a", phase(FlashJobPhase::Succeeded)).await.status.unwrap();
        assert_eq!((done.succeeded, done.failed), (1, 1));
    }

    async fn a_queue_runs_no_more_jobs_than_it_may(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 100, "maxConcurrent": 1})).await;
        arena.create::<FlashJob>(job("a", &queue, 1, &[json!({})])).await;
        arena.until("a", phase(FlashJobPhase::Running)).await;
        arena.create::<FlashJob>(job("b", &queue, 1, &[json!({})])).await;
        arena.until("b", reason("QueueMaxConcurrent")).await;
        arena.until("b", phase(FlashJobPhase::Succeeded)).await;
    }

    async fn a_gang_that_does_not_fit_starts_no_task(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 1})).await;
        let too_big = with_resource(job("a", &queue, 2, &[json!({}), json!({})]), "memory", "1000Gi");
        arena.create::<FlashJob>(too_big).await;
        let waiting = arena.until("a", reason("GangShort")).await;
        assert_eq!(waiting.status.as_ref().unwrap().phase, Some(FlashJobPhase::Pending));
        let why = conditions(&waiting).find(|it| it.type_ == "Scheduled").unwrap();
        assert!(why.message.starts_with("gang short by 2 of 2: not enough room on the nodes"), "{}", why.message);
        assert!(arena.api::<Pod>().list(&ListParams::default()).await.unwrap().items.is_empty());
    }

    async fn a_job_without_its_queue_waits_for_it(arena: Arena) {
        let name = format!("{}-late", arena.namespace);
        arena.create::<FlashJob>(job("a", &name, 1, &[json!({})])).await;
        arena.until("a", reason("QueueMissing")).await;
        queue(&arena, "late", json!({"priority": 1})).await;
        arena.until("a", phase(FlashJobPhase::Succeeded)).await;
    }

    async fn a_higher_queue_preempts_and_the_victim_runs_again(arena: Arena) {
        let low = queue(&arena, "low", json!({"priority": -100, "isPreemptible": true})).await;
        let high = queue(&arena, "high", json!({"priority": 1000})).await;
        // Each task takes more than half of a node's memory, which no other test does: both nodes are full.
        let long = json!({"sim.platform/duration": "30s"});
        let victim = with_resource(job("victim", &low, 2, &[long.clone(), long]), "memory", "200Gi");
        arena.create::<FlashJob>(victim).await;
        arena.until("victim", phase(FlashJobPhase::Running)).await;
        arena.create::<FlashJob>(with_resource(job("urgent", &high, 1, &[json!({})]), "memory", "200Gi")).await;
        let stopped = arena.until("victim", reason("Preempted")).await;
        assert_eq!(stopped.status.as_ref().unwrap().phase, Some(FlashJobPhase::Pending));
        let why = conditions(&stopped).find(|it| it.type_ == "Preempted").unwrap();
        assert_eq!(why.message, format!("stopped to make room for {}/urgent of a higher queue", arena.namespace));
        arena.until("urgent", phase(FlashJobPhase::Succeeded)).await;
        let done = arena.until("victim", phase(FlashJobPhase::Succeeded)).await;
        let resumed = conditions(&done).find(|it| it.type_ == "Preempted").unwrap();
        assert_eq!((resumed.status.as_str(), resumed.reason.as_str()), ("False", "Resumed"));
    }

    async fn a_finished_job_is_removed_after_its_queues_ttl(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 1, "ttlSeconds": 5})).await;
        arena.create::<FlashJob>(job("a", &queue, 1, &[json!({})])).await;
        arena.until("a", phase(FlashJobPhase::Succeeded)).await;
        arena.until_gone::<FlashJob>("a").await;
    }

    async fn a_lost_task_is_made_again(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 1})).await;
        arena.create::<FlashJob>(job("a", &queue, 1, &[json!({"sim.platform/duration": "10s"})])).await;
        let first = arena.until("a-0", |pod: Option<&Pod>| pod.is_some()).await;
        arena.api::<Pod>().delete("a-0", &DeleteParams::default().grace_period(0)).await.unwrap();
        let uid = first.uid();
        arena.until("a-0", move |pod: Option<&Pod>| pod.is_some_and(|pod| pod.uid() != uid)).await;
        arena.until("a", phase(FlashJobPhase::Succeeded)).await;
    }

    async fn a_job_whose_pods_are_refused_makes_no_other_wait(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 100, "maxConcurrent": 1})).await;
        arena.create::<FlashJob>(with_name(job("bad", &queue, 1, &[json!({})]), 0, "A_b")).await;
        let refused = arena.until("bad", reason("PodRejected")).await;
        let why = conditions(&refused).find(|it| it.type_ == "Scheduled").unwrap();
        assert!(why.message.starts_with("Pod \"bad-0\" is invalid: spec.containers[0].name: Invalid value"), "{}", why.message);
        arena.create::<FlashJob>(job("good", &queue, 1, &[json!({})])).await;
        arena.until("good", phase(FlashJobPhase::Succeeded)).await;
    }

    async fn a_gang_of_which_one_pod_is_refused_starts_no_task(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 100})).await;
        arena.create::<FlashJob>(with_name(job("a", &queue, 2, &[json!({}), json!({})]), 1, "A_b")).await;
        let refused = arena.until("a", reason("PodRejected")).await;
        assert_eq!(refused.status.as_ref().unwrap().phase, Some(FlashJobPhase::Pending));
        let why = conditions(&refused).find(|it| it.type_ == "Scheduled").unwrap();
        assert!(why.message.starts_with("Pod \"a-1\" is invalid"), "{}", why.message);
        assert!(arena.api::<Pod>().list(&ListParams::default()).await.unwrap().items.is_empty());
    }

    async fn a_gang_that_is_refused_half_way_starts_no_task_until_all_are_taken(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 100})).await;
        let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}});
        arena.create::<ResourceQuota>(quota).await;
        let counted = |quota: Option<&ResourceQuota>| {
            quota.and_then(|quota| quota.status.as_ref()?.hard.as_ref()?.get("pods")).is_some_and(|hard| hard.0 == "1")
        };
        arena.until("q", counted).await;
        arena.create::<FlashJob>(job("a", &queue, 2, &[json!({}), json!({})])).await;
        let refused = arena.until("a", reason("PodRejected")).await;
        let why = conditions(&refused).find(|it| it.type_ == "Scheduled").unwrap();
        assert!(why.message.contains("exceeded quota: q, requested: pods=1"), "{}", why.message);
        arena.until_gone::<Pod>("a-0").await;
        let started = arena.events("a-0").await.into_iter().any(|event| event.reason.as_deref() == Some("Scheduled"));
        assert!(!started, "no task of it ran");
        let more = Patch::Merge(json!({"spec": {"hard": {"pods": "2"}}}));
        arena.api::<ResourceQuota>().patch("q", &PatchParams::default(), &more).await.unwrap();
        arena.until("a", phase(FlashJobPhase::Succeeded)).await;
    }

    async fn a_task_goes_only_to_the_nodes_that_it_chooses(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 100})).await;
        let on = |name: &str, node: &str| {
            let mut job = job(name, &queue, 1, &[json!({})]);
            job["spec"]["tasks"][0]["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
            job
        };
        arena.create::<FlashJob>(on("there", "gpu-2")).await;
        arena.create::<FlashJob>(on("nowhere", "gpu-9")).await;
        let placed = arena.until("there-0", |pod: Option<&Pod>| pod.is_some_and(|pod| pod.spec.as_ref().unwrap().node_name.is_some())).await;
        assert_eq!(placed.spec.unwrap().node_name.as_deref(), Some("gpu-2"));
        let waiting = arena.until("nowhere", reason("NoEligibleNode")).await;
        let why = conditions(&waiting).find(|it| it.type_ == "Scheduled").unwrap();
        insta::assert_snapshot!(why.message, @"no node may take task 0: 0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.");
    }

    async fn what_a_pod_asks_for_as_a_whole_is_counted(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 1})).await;
        let mut huge = job("a", &queue, 1, &[json!({})]);
        huge["spec"]["tasks"][0]["spec"]["resources"] = json!({"requests": {"cpu": "1000"}, "limits": {"cpu": "1000"}});
        arena.create::<FlashJob>(huge).await;
        arena.until("a", reason("GangShort")).await;
    }

    async fn a_status_that_somebody_else_changed_is_mended(arena: Arena) {
        let queue = queue(&arena, "q", json!({"priority": 1})).await;
        let jobs = arena.api::<FlashJob>();
        let spoil = async |name: &str, status: Value| {
            let patch = Patch::Merge(json!({"status": status}));
            jobs.patch_status(name, &PatchParams::default(), &patch).await.unwrap()
        };
        arena.create::<FlashJob>(job("a", &queue, 1, &[json!({"sim.platform/duration": "forever"})])).await;
        let before = arena.until("a", phase(FlashJobPhase::Running)).await.status.unwrap();
        for nonsense in [
            json!(null),
            json!({"phase": null, "conditions": null}),
            json!({"phase": "Succeeded", "active": 0, "succeeded": 7}),
            json!({"conditions": [{"type": "Mine", "status": "True", "reason": "Mine", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
        ] {
            spoil("a", nonsense).await;
            let was = before.clone();
            arena.until("a", move |job: Option<&FlashJob>| job.and_then(|job| job.status.clone()) == Some(was.clone())).await;
        }
        arena.create::<FlashJob>(job("b", &queue, 1, &[json!({})])).await;
        let done = arena.until("b", phase(FlashJobPhase::Succeeded)).await.status.unwrap();
        spoil("b", json!({"phase": "Running", "active": 1})).await;
        arena.until("b", move |job: Option<&FlashJob>| job.and_then(|job| job.status.clone()) == Some(done.clone())).await;
    }
}
