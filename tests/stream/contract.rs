//! A controller of FlashJobs that keeps the contract of their definition and nothing else: its status has no conditions, it
//! skips phases, its pods have no labels of their own, and it creates them again.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phases_that_are_skipped_are_not_missed() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    let object = stage.object_name(job).await;
    stage.say(&object, json!({ "phase": "Succeeded", "succeeded": 1, "desired": 1 })).await;
    stage.reach(job, "SUCCEEDED").await;
    assert_eq!(stage.phases(job).await, ["SUBMITTED", "QUEUED", "SUCCEEDED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_without_conditions_is_explained_by_the_task_that_failed() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage.run_pod(job).await;
    let ended = json!({ "terminated": { "exitCode": 3, "reason": "Error" } });
    let container =
        json!({ "name": "main", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": ended });
    stage.report_pod(job, json!({ "phase": "Failed", "containerStatuses": [container] })).await;
    stage.until(job, "tasks -> 0 ->> 'state' = 'FAILED'").await;
    let object = stage.object_name(job).await;
    stage.say(&object, json!({ "phase": "Failed", "failed": 1 })).await;
    stage.until(job, "reason = 'TaskFailed' AND message = 'task 0 failed: Error, exit code 3'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_of_which_nothing_is_known_says_so() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    let object = stage.object_name(job).await;
    stage.say(&object, json!({ "phase": "Failed" })).await;
    stage.until(job, "reason = 'Unknown' AND message = 'the cluster does not say why it failed'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_do_not_say_which_task_they_run_do_not_hold_the_job_up() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    let name = stage.object_name(job).await;
    let object = stage.object(&name).await;
    let pod = json!({
        "metadata": { "name": format!("{name}-xkcd"), "labels": object.labels(),
            "ownerReferences": [object.controller_owner_ref(&())] },
        "spec": { "containers": [{ "name": "main", "image": "busybox" }] },
    });
    stage.pods().create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    stage.say(&name, json!({ "phase": "Running", "active": 1 })).await;
    stage.reach(job, "RUNNING").await;
    stage.say(&name, json!({ "phase": "Succeeded", "succeeded": 1 })).await;
    stage.reach(job, "SUCCEEDED").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_is_created_again_runs_the_same_task() {
    let stage = Stage::set().await;
    let job = stage.submit().await;
    stage.reach(job, "QUEUED").await;
    stage.run_pod(job).await;
    stage.reach(job, "RUNNING").await;
    let pods = stage.pods();
    let pod: Pod = pods.list(&Default::default()).await.unwrap().items.pop().unwrap();
    let by_force = DeleteParams::default().grace_period(0);
    pods.delete(&pod.name_any(), &by_force).await.unwrap();
    stage.reach(job, "QUEUED").await;
    let mut again = Pod { status: None, ..pod };
    (again.metadata.uid, again.metadata.resource_version) = (None, None);
    pods.create(&PostParams::default(), &again).await.unwrap();
    let running = Patch::Merge(json!({ "status": { "phase": "Running" } }));
    pods.patch_status(&again.name_any(), &PatchParams::default(), &running).await.unwrap();
    stage.reach(job, "RUNNING").await;
    let name = stage.object_name(job).await;
    stage.say(&name, json!({ "phase": "Succeeded", "succeeded": 1 })).await;
    stage.reach(job, "SUCCEEDED").await;
    let tasks = stage.tasks(job).await;
    assert_eq!((tasks.as_array().unwrap().len(), &tasks[0]["state"]), (1, &json!("SUCCEEDED")), "{tasks}");
}
