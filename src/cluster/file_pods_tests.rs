use super::*;
use crate::ids::ProjectId;

fn config() -> FilesConfig {
    FilesConfig {
        image: "docker.io/sigoden/dufs:v0.47.0".to_owned(),
        uid: 1000,
        gid: 1001,
        idle: std::time::Duration::from_secs(900),
    }
}

fn of(read_only: bool) -> FilePod {
    let nil = uuid::Uuid::nil();
    FilePod {
        claim: PvcId::from_uuid(nil),
        namespace: "proj-1".to_owned(),
        claim_name: "data".to_owned(),
        tenant: Tenant::Project(ProjectId::from_uuid(nil)),
        read_only,
        beside: None,
    }
}

fn spec(read_only: bool, node: Option<&str>) -> Value {
    let pod: Pod = serde_json::from_value(manifest(&of(read_only), node, &config())).unwrap();
    serde_json::to_value(pod).unwrap()
}

fn with_status(status: Value) -> State {
    let mut pod = spec(true, None);
    pod["status"] = status;
    state(&serde_json::from_value(pod).unwrap())
}

#[test]
fn the_servers_listen_on_the_loopback_and_only_one_of_them_writes() {
    let pod = spec(false, None);
    let args = |nth: usize| {
        let args = pod["spec"]["containers"][nth]["args"].as_array().unwrap();
        args.iter().map(|arg| arg.as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    insta::assert_snapshot!(args(0), @"/data --bind 127.0.0.1 --port 5000 --path-prefix /files/00000000000000000000000000 --allow-search --allow-archive");
    insta::assert_snapshot!(args(1), @"/data --bind 127.0.0.1 --port 5001 --path-prefix /files/00000000000000000000000000 --allow-upload --allow-delete --allow-search --allow-archive");
    let mounted = |nth: usize| pod["spec"]["containers"][nth]["volumeMounts"][0]["readOnly"].clone();
    assert_eq!((mounted(0), mounted(1)), (json!(true), json!(false)));
}

#[test]
fn a_claim_that_nobody_can_write_through_has_no_server_that_writes() {
    let pod = spec(true, None);
    assert_eq!(pod["spec"]["containers"].as_array().unwrap().len(), 1);
    assert_eq!(pod["spec"]["volumes"][0]["persistentVolumeClaim"]["readOnly"], true);
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
#[test]
fn the_pod_can_do_as_little_as_possible() {
    let pod = spec(false, None);
    insta::assert_snapshot!(pod["spec"]["securityContext"], @r#"{"fsGroup":1001,"fsGroupChangePolicy":"OnRootMismatch","runAsGroup":1001,"runAsNonRoot":true,"runAsUser":1000,"seccompProfile":{"type":"RuntimeDefault"}}"#);
    insta::assert_snapshot!(pod["spec"]["containers"][1]["securityContext"], @r#"{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"readOnlyRootFilesystem":true}"#);
    assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
}

#[test]
fn a_claim_for_one_node_is_shown_on_the_node_where_it_is_mounted() {
    let pod = spec(false, Some("node-1"));
    insta::assert_snapshot!(pod["spec"]["affinity"], @r#"{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"In","values":["node-1"]}]}]}}}"#);
}

#[test]
fn what_it_waits_for_is_told_in_a_sentence() {
    assert_eq!(
        with_status(json!({ "containerStatuses": [{ "name": "read", "state": { "running": {} } }] })),
        State::Running
    );
    let told = |status| match with_status(status) {
        State::Starting(why) | State::Ended(why) => why,
        State::Running => "it runs".to_owned(),
    };
    insta::assert_snapshot!(told(json!({})), @"The pod is being started: its volume is mounted and its image pulled.");
    let container = |state: Value| json!({ "containerStatuses": [{ "name": "read", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state }] });
    insta::assert_snapshot!(told(container(json!({ "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image" } }))), @"The image of the file server cannot be pulled: Back-off pulling image.");
    insta::assert_snapshot!(told(container(json!({ "waiting": { "reason": "CrashLoopBackOff" } }))), @"The file server does not start: CrashLoopBackOff.");
    insta::assert_snapshot!(told(container(json!({ "terminated": { "exitCode": 137 } }))), @"The file server has ended: exit code 137.");
    insta::assert_snapshot!(told(json!({ "conditions": [{ "type": "PodScheduled", "status": "False", "message": "0/2 nodes are available." }] })), @"The pod cannot be scheduled yet: 0/2 nodes are available.");
    insta::assert_snapshot!(told(json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on memory" })), @"The pod has ended: The node was low on memory.");
}
