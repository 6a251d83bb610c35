//! The pretend default scheduler: pods that nobody else places.

use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod, PodCondition};
use kube::api::PostParams;
use kube::runtime::wait::Condition;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::arena::{Arena as Place, refused};
use super::pods::phase;

fn pod(name: &str, spec: Value) -> Value {
    let mut pod = json!({"metadata": {"name": name}, "spec": {
        "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
    }});
    pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    pod
}

fn unschedulable() -> impl Condition<Pod> {
    |pod: Option<&Pod>| scheduled(pod).is_some_and(|it| it.status == "False")
}

fn scheduled(pod: Option<&Pod>) -> Option<&PodCondition> {
    pod?.status.as_ref()?.conditions.as_ref()?.iter().find(|it| it.type_ == "PodScheduled")
}

/// Why a pod is not placed.
async fn why(arena: &Place, name: &str) -> String {
    let pod = arena.until(name, unschedulable()).await;
    let condition = scheduled(Some(&pod)).unwrap();
    assert_eq!(condition.reason.as_deref(), Some("Unschedulable"));
    condition.message.clone().unwrap()
}

contract! {
    async fn a_pod_is_placed_and_runs(arena: Arena) {
        let resources = json!({"requests": {"cpu": "100m"}, "limits": {"nvidia.com/gpu": "1"}});
        let container = json!({"name": "main", "image": "busybox", "resources": resources});
        arena.create::<Pod>(pod("a", json!({"containers": [container]}))).await;
        let done = arena.until("a", phase("Succeeded")).await;
        assert!(done.spec.as_ref().unwrap().node_name.as_ref().unwrap().starts_with("gpu-"));
        assert_eq!(scheduled(Some(&done)).unwrap().status, "True");
        let events = arena.events("a").await;
        let placed = events.iter().find(|event| event.reason.as_deref() == Some("Scheduled")).unwrap();
        assert!(placed.message.as_ref().unwrap().starts_with("Successfully assigned"), "{placed:?}");
    }

    async fn a_pod_without_room_says_so(arena: Arena) {
        let resources = json!({"requests": {"cpu": "1000"}, "limits": {"cpu": "1000"}});
        let container = json!({"name": "main", "image": "busybox", "resources": resources});
        arena.create::<Pod>(pod("a", json!({"containers": [container]}))).await;
        insta::assert_snapshot!(why(&arena, "a").await, @"0/2 nodes are available: 2 Insufficient cpu.");
    }

    async fn what_a_pod_asks_for_as_a_whole_counts(arena: Arena) {
        let whole = json!({"requests": {"cpu": "1000"}, "limits": {"cpu": "1000"}});
        arena.create::<Pod>(pod("a", json!({"resources": whole}))).await;
        insta::assert_snapshot!(why(&arena, "a").await, @"0/2 nodes are available: 2 Insufficient cpu.");
    }

    async fn a_pod_goes_only_where_its_selector_says(arena: Arena) {
        arena.create::<Pod>(pod("there", json!({"nodeSelector": {"kubernetes.io/hostname": "gpu-2"}}))).await;
        arena.create::<Pod>(pod("nowhere", json!({"nodeSelector": {"kubernetes.io/hostname": "gpu-9"}}))).await;
        let there = arena.until("there", phase("Running")).await;
        assert_eq!(there.spec.unwrap().node_name.as_deref(), Some("gpu-2"));
        insta::assert_snapshot!(why(&arena, "nowhere").await, @"0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.");
    }

    async fn a_pod_waits_for_a_claim_that_is_not_there(arena: Arena) {
        let volumes = json!([{"name": "work", "persistentVolumeClaim": {"claimName": "late"}}]);
        arena.create::<Pod>(pod("a", json!({"volumes": volumes}))).await;
        insta::assert_snapshot!(why(&arena, "a").await, @r#"persistentvolumeclaim "late" not found"#);
        arena.create::<PersistentVolumeClaim>(json!({"metadata": {"name": "late"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        }})).await;
        arena.until("a", phase("Succeeded")).await;
    }

    async fn a_new_node_takes_no_pods_until_it_is_found_ready(arena: Arena) {
        let node = serde_json::from_value(json!({"metadata": {"name": "new"}})).unwrap();
        let only_tried = PostParams { dry_run: true, ..PostParams::default() };
        let made: Node = Api::all(arena.client.clone()).create(&only_tried, &node).await.unwrap();
        let taints = made.spec.unwrap().taints.unwrap();
        assert_eq!((taints[0].key.as_str(), taints[0].effect.as_str()), ("node.kubernetes.io/not-ready", "NoSchedule"));
    }

    async fn a_pod_of_another_scheduler_is_left_alone_and_bound_once(arena: Arena) {
        arena.create::<Pod>(pod("a", json!({"schedulerName": "somebody-else"}))).await;
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "a"},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "gpu-1"},
        });
        let api = arena.api::<Pod>();
        let bind = async || api.create_subresource::<_, Value>("binding", "a", &PostParams::default(), &binding).await;
        bind().await.unwrap();
        let message = refused(bind().await, 409, "Conflict");
        insta::assert_snapshot!(message, @r#"Operation cannot be fulfilled on pods/binding "a": pod a is already assigned to node "gpu-1""#);
        let done = arena.until("a", phase("Succeeded")).await;
        assert_eq!((done.name_any(), done.spec.unwrap().node_name.as_deref()), ("a".to_owned(), Some("gpu-1")));
    }
}
