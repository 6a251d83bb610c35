//! Resource quotas: what a namespace may use, and who adds it up.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, ResourceQuota, Service};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::Condition;
use serde_json::{Value, json};

use super::arena::{Arena as Place, note, refused};
use super::pods::phase;

/// A pod that nobody schedules.
fn pod(name: &str, resources: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": {
        "schedulerName": "nobody", "containers": [{"name": "main", "image": "busybox", "resources": resources}],
    }}))
    .unwrap()
}

fn used(name: &'static str, wanted: &'static str) -> impl Condition<ResourceQuota> {
    move |quota: Option<&ResourceQuota>| {
        let used = quota.and_then(|quota| quota.status.as_ref()?.used.as_ref()?.get(name));
        used.is_some_and(|used| used.0 == wanted)
    }
}

/// A quota that is in force.
async fn quota(arena: &Place, hard: Value) {
    let made = json!({"metadata": {"name": "q"}, "spec": {"hard": hard.clone()}});
    arena.create::<ResourceQuota>(made).await;
    let in_force = move |quota: Option<&ResourceQuota>| {
        quota
            .and_then(|quota| quota.status.as_ref()?.used.as_ref())
            .is_some_and(|used| used.len() == hard.as_object().unwrap().len())
    };
    arena.until("q", in_force).await;
}

async fn refusal(arena: &Place, pod: &Pod) -> String {
    refused(arena.api::<Pod>().create(&PostParams::default(), pod).await, 403, "Forbidden")
}

contract! {
    async fn a_quota_shows_what_was_there_before_it(arena: Arena) {
        let resources = json!({"requests": {"cpu": "250m", "memory": "100Mi"}, "limits": {"nvidia.com/gpu": "2"}});
        arena.api::<Pod>().create(&PostParams::default(), &pod("a", resources)).await.unwrap();
        let hard = json!({"pods": "5", "requests.cpu": "2", "requests.memory": "1Gi", "requests.nvidia.com/gpu": "4"});
        arena.create::<ResourceQuota>(json!({"metadata": {"name": "q"}, "spec": {"hard": hard}})).await;
        let quota = arena.until("q", used("pods", "1")).await.status.unwrap();
        let used: Vec<_> = quota.used.unwrap().into_iter().map(|(name, used)| format!("{name}={}", used.0)).collect();
        assert_eq!(used, ["pods=1", "requests.cpu=250m", "requests.memory=100Mi", "requests.nvidia.com/gpu=2"]);
        assert_eq!(quota.hard.unwrap()["requests.memory"].0, "1Gi");
    }

    async fn what_would_exceed_a_quota_is_forbidden(arena: Arena) {
        quota(&arena, json!({
            "pods": "1", "requests.cpu": "1", "requests.memory": "1Gi", "limits.cpu": "2", "requests.nvidia.com/gpu": "2",
        })).await;
        let small = json!({"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "200m"}});
        let mut greedy = small.clone();
        greedy["limits"] = json!({"cpu": "200m", "nvidia.com/gpu": "4"});
        let huge = json!({"requests": {"cpu": "1500m", "memory": "100Mi"}, "limits": {"cpu": "3"}});
        let mut refusals = Vec::new();
        for resources in [json!({}), huge, greedy] {
            refusals.push(refusal(&arena, &pod("a", resources)).await);
        }
        arena.api::<Pod>().create(&PostParams::default(), &pod("b", small.clone())).await.unwrap();
        arena.until("q", used("limits.cpu", "200m")).await;
        refusals.push(refusal(&arena, &pod("c", small)).await);
        insta::assert_snapshot!(refusals.join("\n"), @r#"
        pods "a" is forbidden: failed quota: q: must specify limits.cpu for: main; requests.cpu for: main; requests.memory for: main
        pods "a" is forbidden: exceeded quota: q, requested: limits.cpu=3,requests.cpu=1500m, used: limits.cpu=0,requests.cpu=0, limited: limits.cpu=2,requests.cpu=1
        pods "a" is forbidden: exceeded quota: q, requested: requests.nvidia.com/gpu=4, used: requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=2
        pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1
        "#);
    }

    async fn what_a_pod_asks_for_as_a_whole_is_charged(arena: Arena) {
        quota(&arena, json!({"requests.cpu": "1", "limits.cpu": "4"})).await;
        let whole = |resources: Value| {
            let mut pod = pod("a", json!({}));
            pod.spec.as_mut().unwrap().resources = serde_json::from_value(resources).unwrap();
            pod
        };
        let huge = whole(json!({"requests": {"cpu": "64"}, "limits": {"cpu": "64"}}));
        insta::assert_snapshot!(refusal(&arena, &huge).await, @r#"pods "a" is forbidden: exceeded quota: q, requested: limits.cpu=64,requests.cpu=64, used: limits.cpu=0,requests.cpu=0, limited: limits.cpu=4,requests.cpu=1"#);
        // Said for all containers together, even in part, it need not be said for each.
        let small = whole(json!({"requests": {"cpu": "1"}}));
        arena.api::<Pod>().create(&PostParams::default(), &small).await.unwrap();
    }

    async fn a_quota_holds_however_many_ask_at_once(arena: Arena) {
        quota(&arena, json!({"pods": "3"})).await;
        let api = arena.api::<Pod>();
        let made = futures::future::join_all((0..8).map(|number| {
            let (api, pod) = (api.clone(), pod(&format!("p{number}"), json!({})));
            async move { api.create(&PostParams::default(), &pod).await.is_ok() }
        })).await;
        assert_eq!(made.into_iter().filter(|made| *made).count(), 3);
    }

    async fn what_is_deleted_is_used_no_longer(arena: Arena) {
        quota(&arena, json!({"pods": "1"})).await;
        let api = arena.api::<Pod>();
        api.create(&PostParams::default(), &pod("a", json!({}))).await.unwrap();
        refusal(&arena, &pod("b", json!({}))).await;
        api.delete("a", &DeleteParams::default()).await.unwrap();
        arena.until("q", used("pods", "0")).await;
        api.create(&PostParams::default(), &pod("b", json!({}))).await.unwrap();
    }

    async fn a_pod_that_ended_is_used_no_longer(arena: Arena) {
        quota(&arena, json!({"pods": "1"})).await;
        let mut short = pod("a", json!({}));
        short.spec.as_mut().unwrap().scheduler_name = None;
        short.spec.as_mut().unwrap().restart_policy = Some("Never".to_owned());
        arena.api::<Pod>().create(&PostParams::default(), &short).await.unwrap();
        arena.until("a", phase("Succeeded")).await;
        arena.until("q", used("pods", "0")).await;
    }

    async fn a_dry_run_is_checked_and_not_charged(arena: Arena) {
        quota(&arena, json!({"count/configmaps": "2"})).await;
        let params = PostParams { dry_run: true, ..PostParams::default() };
        for name in ["a", "b", "c"] {
            let _ = arena.api::<ConfigMap>().create(&params, &note(name, "x")).await;
        }
        let now = arena.api::<ResourceQuota>().get("q").await.unwrap().status.unwrap().used.unwrap();
        assert!(now["count/configmaps"].0.parse::<u32>().unwrap() < 2);
    }

    async fn objects_of_other_kinds_are_counted_too(arena: Arena) {
        quota(&arena, json!({
            "services": "1", "count/jobs.batch": "0", "count/flashjobs.scheduling.flash-sched.io": "0",
            "persistentvolumeclaims": "1", "requests.storage": "5Gi",
        })).await;
        let service = |name: &str| serde_json::from_value(json!({
            "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]},
        })).unwrap();
        let services = arena.api::<Service>();
        services.create(&PostParams::default(), &service("a")).await.unwrap();
        let mut refusals = vec![refused(services.create(&PostParams::default(), &service("b")).await, 403, "Forbidden")];
        let job: Job = serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
        }}}})).unwrap();
        refusals.push(refused(arena.api::<Job>().create(&PostParams::default(), &job).await, 403, "Forbidden"));
        let flash = serde_json::from_value(json!({
            "apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob", "metadata": {"name": "a"},
            "spec": {"minAvailable": 1, "tasks": [{"spec": {"containers": [{"name": "main", "image": "busybox"}]}}]},
        })).unwrap();
        let flash_jobs = arena.api::<cluster_resources::crd::FlashJob>();
        refusals.push(refused(flash_jobs.create(&PostParams::default(), &flash).await, 403, "Forbidden"));
        let claim = |name: &str, size: &str| serde_json::from_value::<PersistentVolumeClaim>(json!({
            "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
        })).unwrap();
        let claims = arena.api::<PersistentVolumeClaim>();
        refusals.push(refused(claims.create(&PostParams::default(), &claim("a", "6Gi")).await, 403, "Forbidden"));
        claims.create(&PostParams::default(), &claim("a", "2Gi")).await.unwrap();
        refusals.push(refused(claims.create(&PostParams::default(), &claim("b", "2Gi")).await, 403, "Forbidden"));
        arena.until("a", |claim: Option<&PersistentVolumeClaim>| {
            claim.and_then(|claim| claim.status.as_ref()?.phase.as_deref()) == Some("Bound")
        }).await;
        let grow = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "6Gi"}}}}));
        refusals.push(refused(claims.patch("a", &PatchParams::default(), &grow).await, 403, "Forbidden"));
        insta::assert_snapshot!(refusals.join("\n"), @r#"
        services "b" is forbidden: exceeded quota: q, requested: services=1, used: services=1, limited: services=1
        jobs.batch "a" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=0, limited: count/jobs.batch=0
        flashjobs.scheduling.flash-sched.io "a" is forbidden: exceeded quota: q, requested: count/flashjobs.scheduling.flash-sched.io=1, used: count/flashjobs.scheduling.flash-sched.io=0, limited: count/flashjobs.scheduling.flash-sched.io=0
        persistentvolumeclaims "a" is forbidden: exceeded quota: q, requested: requests.storage=6Gi, used: requests.storage=0, limited: requests.storage=5Gi
        persistentvolumeclaims "b" is forbidden: exceeded quota: q, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=1, limited: persistentvolumeclaims=1
        persistentvolumeclaims "a" is forbidden: exceeded quota: q, requested: requests.storage=4Gi, used: requests.storage=2Gi, limited: requests.storage=5Gi
        "#);
    }

    async fn a_scoped_quota_counts_only_its_pods(arena: Arena) {
        let scoped = json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}, "scopes": ["BestEffort"]}});
        arena.create::<ResourceQuota>(scoped).await;
        arena.until("q", used("pods", "0")).await;
        refusal(&arena, &pod("a", json!({}))).await;
        let modest = pod("a", json!({"requests": {"cpu": "1m"}}));
        arena.api::<Pod>().create(&PostParams::default(), &modest).await.unwrap();
    }

    async fn a_job_without_room_says_why(arena: Arena) {
        quota(&arena, json!({"pods": "0"})).await;
        arena.create::<Job>(json!({"metadata": {"name": "a"}, "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
        }}}})).await;
        let told = arena.until_event("a", |event| event.reason.as_deref() == Some("FailedCreate")).await.message.unwrap();
        assert!(told.starts_with("Error creating: pods \"a-"), "{told}");
        assert!(told.ends_with("is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0"), "{told}");
    }
}
