//! A test for each row of the table of drivers, and for each reason not to share.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn share(read_only: bool) -> Share {
    Share {
        id: PvcId::from_uuid(Uuid::from_u128(7)),
        source: PvcId::from_uuid(Uuid::from_u128(6)),
        key: ObjectKey { namespace: "proj-1".to_owned(), name: "sets".to_owned() },
        owner: ("platform.project-id", "project_1".to_owned()),
        read_only,
    }
}

fn planned_of(metadata: Value, spec: Value, read_only: bool) -> Result<Pair, Unshareable> {
    let mut whole = json!({
        "accessModes": ["ReadWriteMany"], "capacity": { "storage": "10Gi" }, "volumeMode": "Filesystem",
        "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "fast", "mountOptions": ["nfsvers=4.1"],
        "claimRef": { "namespace": "group-1", "name": "sets", "uid": "u1" },
        "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "zone", "operator": "In", "values": ["a"] }] }] } },
    });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let volume = serde_json::from_value(json!({ "metadata": metadata, "spec": whole })).unwrap();
    let claim = serde_json::from_value(json!({ "metadata": { "name": "sets" }, "spec": {} })).unwrap();
    plan(&claim, &volume, &share(read_only), &["csi.example.com".to_owned()])
}

fn planned(spec: Value, read_only: bool) -> Value {
    serde_json::to_value(planned_of(json!({ "name": "pv" }), spec, read_only).unwrap().volume).unwrap()["spec"].take()
}

fn refused(spec: Value) -> String {
    planned_of(json!({ "name": "pv" }), spec, true).unwrap_err().to_string()
}

fn csi(driver: &str, attributes: Value) -> Value {
    json!({ "csi": {
        "driver": driver, "volumeHandle": "vol-1", "volumeAttributes": attributes, "fsType": "ext4",
        "nodeStageSecretRef": { "name": "secret", "namespace": "storage" },
    } })
}

#[test]
fn a_share_keeps_what_mounting_needs_and_never_deletes_the_storage() {
    let spec = planned(csi("csi.example.com", json!({ "pool": "a" })), true);
    insta::assert_snapshot!(spec, @r#"{"accessModes":["ReadOnlyMany"],"capacity":{"storage":"10Gi"},"claimRef":{"name":"sets","namespace":"proj-1"},"csi":{"driver":"csi.example.com","fsType":"ext4","nodeStageSecretRef":{"name":"secret","namespace":"storage"},"readOnly":true,"volumeAttributes":{"pool":"a"},"volumeHandle":"vol-1"},"mountOptions":["nfsvers=4.1"],"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"zone","operator":"In","values":["a"]}]}]}},"persistentVolumeReclaimPolicy":"Retain","storageClassName":"","volumeMode":"Filesystem"}"#);
    let Pair { claim, volume } = planned_of(json!({ "name": "pv" }), csi("csi.example.com", json!({})), false).unwrap();
    assert_eq!(volume.name_any(), "share-00000000000000000000000007");
    insta::assert_snapshot!(serde_json::to_value(claim).unwrap(), @r#"{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"labels":{"app.kubernetes.io/managed-by":"platform","platform.project-id":"project_1","platform.pvc-id":"pvc_00000000000000000000000007","platform.share-of":"pvc_00000000000000000000000006"},"name":"sets"},"spec":{"accessModes":["ReadWriteMany"],"resources":{"requests":{"storage":"10Gi"}},"storageClassName":"","volumeName":"share-00000000000000000000000007"}}"#);
}

#[test]
fn nfs_is_the_same_server_and_path() {
    let spec = planned(json!({ "nfs": { "server": "files", "path": "/export/a" } }), true);
    insta::assert_snapshot!(spec["nfs"], @r#"{"path":"/export/a","readOnly":true,"server":"files"}"#);
    assert_eq!(planned(json!({ "nfs": { "server": "files", "path": "/a" } }), false)["nfs"]["readOnly"], false);
}

#[test]
fn csi_nfs_gets_a_handle_of_its_own() {
    let spec = planned(csi(CSI_NFS, json!({ "server": "files", "share": "/export", "subdir": "a" })), false);
    insta::assert_snapshot!(spec["csi"], @r#"{"driver":"nfs.csi.k8s.io","fsType":"ext4","nodeStageSecretRef":{"name":"secret","namespace":"storage"},"volumeAttributes":{"server":"files","share":"/export","subdir":"a"},"volumeHandle":"vol-1#00000000000000000000000007"}"#);
    insta::assert_snapshot!(refused(csi(CSI_NFS, json!({}))), @"its volume does not say which server and path it is; create a claim in the project and copy the data");
}

#[test]
fn cephfs_becomes_a_static_volume_of_the_same_path() {
    let attributes = json!({ "clusterID": "c1", "fsName": "fs", "subvolumePath": "/volumes/csi/x", "subvolumeName": "x", "pool": "p" });
    insta::assert_snapshot!(planned(csi(CEPH_FS, attributes), true)["csi"], @r#"{"driver":"cephfs.csi.ceph.com","fsType":"ext4","nodeStageSecretRef":{"name":"secret","namespace":"storage"},"readOnly":true,"volumeAttributes":{"clusterID":"c1","fsName":"fs","rootPath":"/volumes/csi/x","staticVolume":"true"},"volumeHandle":"share-00000000000000000000000007"}"#);
    insta::assert_snapshot!(refused(csi(CEPH_FS, json!({ "clusterID": "c1" }))), @"its volume does not say which path of CephFS it is; create a claim in the project and copy the data");
}

#[test]
fn longhorn_and_drivers_that_an_operator_allows_keep_the_handle() {
    for driver in [LONGHORN, "csi.example.com"] {
        let spec = planned(csi(driver, json!({})), false);
        assert_eq!(
            (&spec["csi"]["volumeHandle"], &spec["csi"]["readOnly"]),
            (&json!("vol-1"), &Value::Null),
            "{driver}"
        );
        assert_eq!(spec["accessModes"], json!(["ReadWriteMany"]));
    }
}

#[test]
fn everything_else_is_refused_with_the_reason_and_what_to_do_instead() {
    let with = |more: Value| {
        let mut spec = csi(LONGHORN, json!({}));
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refused(spec)
    };
    let labelled = json!({ "name": "pv", "labels": { SHARE_OF: "pvc_1" } });
    let migrated = json!({ "name": "pv", "annotations": { MIGRATED: "ebs.csi.aws.com" } });
    let table = [
        with(json!({ "accessModes": ["ReadWriteOnce"] })),
        with(json!({ "accessModes": ["ReadWriteOncePod"] })),
        with(json!({ "volumeMode": "Block" })),
        refused(json!({ "local": { "path": "/mnt" } })),
        refused(json!({ "hostPath": { "path": "/mnt" } })),
        refused(json!({ "iscsi": { "targetPortal": "a", "iqn": "b", "lun": 0 } })),
        refused(csi("ebs.csi.aws.com", json!({}))),
        planned_of(labelled, csi(LONGHORN, json!({})), true).unwrap_err().to_string(),
        planned_of(migrated, csi(LONGHORN, json!({})), true).unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(table.join("\n"), @"
    its access mode is READ_WRITE_ONCE: pods on a single node can mount it; create a claim in the project and copy the data
    its access mode is READ_WRITE_ONCE_POD: a single pod can mount it; create a claim in the project and copy the data
    it is a block device, which has no files to share; create a claim in the project and copy the data
    its volume is a folder of one node; create a claim in the project and copy the data
    its volume is a folder of one node; create a claim in the project and copy the data
    its volume is neither one of NFS nor of a storage driver (CSI); create a claim in the project and copy the data
    the storage driver ebs.csi.aws.com is not known to mount a volume twice; an operator can allow it with STORAGE_SHARED_DRIVERS; create a claim in the project and copy the data
    it is a share itself; share the claim that it is a share of
    its volume is of a kind that Kubernetes has replaced by a storage driver; create a claim in the project and copy the data
    ");
}
