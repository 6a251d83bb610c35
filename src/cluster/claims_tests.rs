//! What is read of claims and pods.

use serde_json::{Value, json};

use super::*;

fn state(status: Value) -> ClaimState {
    let object = json!({
        "metadata": { "namespace": "proj-1", "name": "data", "uid": "u1", "resourceVersion": "7" },
        "spec": {
            "accessModes": ["ReadWriteMany"], "storageClassName": "fast", "volumeName": "pvc-u1",
            "resources": { "requests": { "storage": "10Gi" } },
        },
        "status": status,
    });
    ClaimState::read(&serde_json::from_value(object).unwrap(), false).unwrap()
}

fn resized(statuses: Value, conditions: Value) -> String {
    let status = json!({ "phase": "Bound", "allocatedResourceStatuses": statuses, "conditions": conditions });
    format!("{:?}", state(status).resize)
}

#[test]
fn a_claim_is_read() {
    let state = state(json!({ "phase": "Bound", "capacity": { "storage": "12Gi" } }));
    assert_eq!((state.phase, state.version, state.class.as_deref()), (ClaimPhase::Bound, 7, Some("fast")));
    assert_eq!(state.capacity.unwrap().as_str(), "12Gi");
    assert_eq!(state.resize, None);
}

#[test]
fn a_resize_is_told_by_both_spellings_of_its_status_or_by_conditions() {
    let condition = |kind: &str, message: &str| json!([{ "type": kind, "status": "True", "message": message }]);
    let table = [
        resized(json!({ "storage": "ControllerResizeInProgress" }), json!([])),
        resized(json!({ "storage": "NodeResizePending" }), json!([])),
        resized(json!({ "storage": "NodeResizeInProgress" }), json!([])),
        resized(json!({ "storage": "ControllerResizeInfeasible" }), condition("ControllerResizeError", "too large")),
        resized(json!({ "storage": "ControllerResizeFailed" }), json!([])),
        resized(json!({ "storage": "NodeResizeInfeasible" }), condition("NodeResizeError", "no room")),
        resized(json!({}), condition("Resizing", "")),
        resized(json!(null), condition("FileSystemResizePending", "waiting for a pod")),
        resized(json!(null), json!([{ "type": "Resizing", "status": "False" }])),
    ];
    insta::assert_snapshot!(table.join("\n"), @r#"
    Some(InProgress)
    Some(WaitingForMount)
    Some(InProgress)
    Some(Failed("too large"))
    Some(Failed("the storage driver cannot make the volume as large"))
    Some(Failed("no room"))
    Some(InProgress)
    Some(WaitingForMount)
    None
    "#);
}

#[test]
fn a_pod_mounts_claims_read_only_if_its_volume_or_all_its_mounts_are() {
    let pod = json!({
        "metadata": { "namespace": "proj-1", "name": "p", "uid": "p1", "labels": { "platform.job-id": "job_01h455vb4pex5vsknk084sn02q" } },
        "spec": {
            "containers": [{ "name": "a", "volumeMounts": [
                { "name": "one", "mountPath": "/1" }, { "name": "two", "mountPath": "/2", "readOnly": true },
            ] }],
            "volumes": [
                { "name": "one", "persistentVolumeClaim": { "claimName": "data" } },
                { "name": "two", "persistentVolumeClaim": { "claimName": "sets" } },
                { "name": "three", "persistentVolumeClaim": { "claimName": "more", "readOnly": true } },
                { "name": "four", "emptyDir": {} },
            ],
        },
    });
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let mounting = mounting(&pod).unwrap();
    let claims: Vec<_> = mounting.claims.iter().map(|(key, read_only)| (key.name.as_str(), *read_only)).collect();
    assert_eq!(claims, [("data", false), ("sets", true), ("more", true)]);
    assert!(mounting.job.is_some());
}

#[test]
fn a_pod_without_claims_mounts_nothing_and_one_that_has_ended_holds_nothing() {
    let pod = |status: Value| {
        serde_json::from_value::<Pod>(
            json!({ "metadata": { "name": "p", "uid": "p1" }, "spec": { "containers": [] }, "status": status }),
        )
        .unwrap()
    };
    assert_eq!(mounting(&pod(json!({}))), None);
    assert!(has_ended(&pod(json!({ "phase": "Succeeded" }))) && !has_ended(&pod(json!({ "phase": "Running" }))));
}
