//! Drafts: how overrides are merged, and what a job requests.

use serde_json::{Value, json};

use super::*;

fn task(spec: Value) -> PodTemplateSpec {
    PodTemplateSpec { metadata: None, spec: Some(serde_json::from_value(spec).unwrap()) }
}

fn demand(tasks: Vec<Value>) -> Demand {
    let draft = Draft { tasks: TaskGroup::of_tasks(tasks.into_iter().map(task)), ..Draft::default() };
    draft.demand(&GpuResources::default())
}

#[test]
fn gpus_of_init_containers_count_too() {
    let asks = |name: &str, gpus: &str, policy: Option<&str>| json!({ "name": name, "image": "a", "restartPolicy": policy, "resources": { "limits": { GPU: gpus } } });
    let pod = json!({
        "initContainers": [asks("first", "5", None), asks("sidecar", "1", Some("Always")), asks("second", "2", None)],
        "containers": [asks("main", "2", None), asks("other", "1", None)],
    });
    // Each: five at first, then three and the sidecar's one.
    assert_eq!(demand(vec![pod.clone(), pod]).gpu, 10);
}

#[test]
fn what_a_pod_asks_for_as_a_whole_counts_instead_of_its_containers() {
    let containers = json!([{ "name": "a", "resources": { "requests": { "cpu": "2" }, "limits": { "cpu": "4", "memory": "1Gi" } } }]);
    let pod = |resources: Value| json!({ "resources": resources, "containers": containers });
    let counted = |resources: Value| {
        let Demand { cpu_millis, memory_bytes, .. } = demand(vec![pod(resources)]);
        (cpu_millis, memory_bytes >> 30)
    };
    assert_eq!(counted(Value::Null), (2000, 1));
    assert_eq!(counted(json!({ "requests": { "cpu": "64", "memory": "1Ti" } })), (64_000, 1024));
    // A limit alone is a request only for what no container asks for.
    assert_eq!(counted(json!({ "limits": { "cpu": "64", "memory": "1Ti" } })), (2000, 1));
    let bare = json!({ "resources": { "limits": { "cpu": "64", "memory": "1Ti" } }, "containers": [{ "name": "a" }] });
    assert_eq!(demand(vec![bare]).cpu_millis, 64_000);
}

#[test]
fn a_container_that_asks_for_nothing_counts_with_what_its_namespace_gives_it() {
    let counted = |resources: Value| {
        let Demand { cpu_millis, memory_bytes, .. } = demand(vec![json!({ "containers": [
            { "name": "a", "resources": resources }, { "name": "b", "resources": { "limits": { "cpu": "2" } } },
        ] })]);
        (cpu_millis, memory_bytes >> 20)
    };
    assert_eq!(counted(Value::Null), (2100, 256));
    assert_eq!(counted(json!({ "requests": { "memory": "1Mi" }, "limits": { "cpu": "1" } })), (3000, 129));
}

#[test]
fn every_resource_that_is_a_gpu_counts_by_its_share() {
    let pod =
        |name: &str, count: u32| json!({ "containers": [{ "name": "a", "resources": { "limits": { name: count } } }] });
    assert_eq!(demand(vec![pod("nvidia.com/mig-1g.5gb", 8)]).gpu, 2);
    assert_eq!(demand(vec![pod("nvidia.com/gpu.shared", 3), pod("amd.com/gpu", 1)]).gpu, 4);
    // Shares of all tasks are added up before they are rounded up.
    assert_eq!(demand(vec![pod("nvidia.com/mig-1g.5gb", 1), pod("nvidia.com/mig-3g.20gb", 2)]).gpu, 1);
}
