//! What the definitions of custom resources refuse.

use cluster_resources::crd::FlashJob;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::arena::refused;

fn job(min_available: i64, tasks: usize) -> Value {
    let task = json!({"spec": {"containers": [{"name": "main", "image": "busybox"}]}});
    json!({
        "apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob", "metadata": {"name": "a"},
        "spec": {"minAvailable": min_available, "tasks": vec![task; tasks]},
    })
}

contract! {
    async fn a_gang_larger_than_its_tasks_is_invalid(arena: Arena) {
        let object: FlashJob = serde_json::from_value(job(3, 2)).unwrap();
        refused(arena.api::<FlashJob>().create(&PostParams::default(), &object).await, 422, "Invalid");
    }

    async fn a_job_without_tasks_is_invalid(arena: Arena) {
        let object: FlashJob = serde_json::from_value(job(1, 0)).unwrap();
        refused(arena.api::<FlashJob>().create(&PostParams::default(), &object).await, 422, "Invalid");
    }

    async fn the_tasks_of_a_job_cannot_be_changed(arena: Arena) {
        arena.create::<FlashJob>(job(1, 1)).await;
        let patch = json!({"spec": job(1, 2)["spec"]});
        let answer = arena.api::<FlashJob>().patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await;
        refused(answer, 422, "Invalid");
    }

    async fn a_pod_without_containers_is_invalid(arena: Arena) {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": {"containers": []}})).unwrap();
        let message = refused(arena.api::<Pod>().create(&PostParams::default(), &pod).await, 422, "Invalid");
        assert!(message.contains("spec.containers: Required value"), "{message}");
    }
}
