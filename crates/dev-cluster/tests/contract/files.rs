//! Volumes are folders: a file server in a pod serves its claim's, and port-forwarding reaches it.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use super::arena::{Arena as Place, PATIENCE, skip};
use super::pods::phase;

const PREFIX: &str = "/files/00000000000000000000000001";
const WRITES: [&str; 2] = ["--allow-upload", "--allow-delete"];

fn claim(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}},
    }})
}

/// A pod with a file server on a claim.
fn server(name: &str, claim: &str, read_only: bool, flags: &[&str]) -> Value {
    let mut args = vec!["/data", "--bind", "127.0.0.1", "--port", "5000", "--path-prefix", PREFIX];
    args.extend(flags);
    json!({"metadata": {"name": name, "annotations": {"sim.platform/pull": "0"}}, "spec": {
        "restartPolicy": "Never",
        "containers": [{
            "name": "files", "image": "docker.io/sigoden/dufs:v0.47.0", "args": args,
            "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": read_only}],
        }],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
    }})
}

async fn serve(arena: &Place, pod: Value) -> String {
    let name = arena.create::<Pod>(pod).await.metadata.name.unwrap();
    arena.until(&name, phase("Running")).await;
    name
}

/// One request over a forwarded port of its own.
async fn ask(
    arena: &Place,
    pod: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Response<Incoming> {
    let mut forwarded = arena.api::<Pod>().portforward(pod, &[5000]).await.unwrap();
    let stream = forwarded.take_stream(5000).unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(format!("{PREFIX}{path}")).header("host", "pod");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap()
}

async fn status(arena: &Place, pod: &str, method: &str, path: &str) -> u16 {
    ask(arena, pod, method, path, &[], Vec::new()).await.status().as_u16()
}

async fn put(arena: &Place, pod: &str, path: &str, body: impl Into<Vec<u8>>) -> u16 {
    ask(arena, pod, "PUT", path, &[], body.into()).await.status().as_u16()
}

async fn body(response: Response<Incoming>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

async fn get(arena: &Place, pod: &str, path: &str) -> Vec<u8> {
    let response = ask(arena, pod, "GET", path, &[], Vec::new()).await;
    assert_eq!(response.status(), 200, "{path}");
    body(response).await
}

/// The folder of a claim's volume.
async fn folder(arena: &Place, claim: &str) -> std::path::PathBuf {
    let claim = arena.api::<PersistentVolumeClaim>().get(claim).await.unwrap();
    let volume = claim.spec.unwrap().volume_name.unwrap();
    arena.cluster.volumes().unwrap().join("volumes.sim.platform").join(volume)
}

/// Several megabytes in which no two stretches are alike.
fn megabytes(count: usize) -> Vec<u8> {
    (0..count * 256 * 1024)
        .flat_map(|number| u32::try_from(number).unwrap().wrapping_mul(2_654_435_761).to_le_bytes())
        .collect()
}

contract! {
    async fn a_file_goes_up_and_comes_back(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &WRITES)).await;
        let sent = megabytes(5);
        assert_eq!(put(&arena, &pod, "/sets/one.bin", sent.clone()).await, 201);
        assert!(get(&arena, &pod, "/sets/one.bin").await == sent);
        let folder = folder(&arena, "a").await;
        assert!(std::fs::read(folder.join("sets/one.bin")).unwrap() == sent);
        let names: Vec<_> = std::fs::read_dir(folder.join("sets")).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing of the upload is left beside it");
    }

    async fn a_part_of_a_file_can_be_asked_for(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &WRITES)).await;
        put(&arena, &pod, "/a.txt", "0123456789").await;
        let part = ask(&arena, &pod, "GET", "/a.txt", &[("range", "bytes=3-5")], Vec::new()).await;
        assert_eq!((part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()), (206, "bytes 3-5/10"));
        assert_eq!(body(part).await, b"345");
        let head = ask(&arena, &pod, "HEAD", "/a.txt", &[], Vec::new()).await;
        assert_eq!(head.headers()["content-length"], "10");
    }

    async fn folders_are_made_listed_moved_and_deleted(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &WRITES)).await;
        assert_eq!(status(&arena, &pod, "MKCOL", "/sets").await, 201);
        put(&arena, &pod, "/sets/a%20%26%20b.txt", "x").await;
        let listed = ask(&arena, &pod, "PROPFIND", "/sets/", &[("depth", "1")], Vec::new()).await;
        assert_eq!(listed.status(), 207);
        assert!(String::from_utf8(body(listed).await).unwrap().contains("a%20%26%20b.txt"));
        let to = format!("{PREFIX}/c.txt");
        let moved = ask(&arena, &pod, "MOVE", "/sets/a%20%26%20b.txt", &[("destination", &to)], Vec::new()).await;
        assert!(moved.status().is_success(), "{}", moved.status());
        assert_eq!(get(&arena, &pod, "/c.txt").await, b"x");
        assert!(matches!(status(&arena, &pod, "DELETE", "/c.txt").await, 200 | 204));
        assert_eq!(status(&arena, &pod, "GET", "/c.txt").await, 404);
        let page = String::from_utf8(get(&arena, &pod, "/").await).unwrap();
        assert!(page.contains("<html"), "a page for browsers");
        assert_eq!(get(&arena, &pod, "/__dufs__/health").await, br#"{"status":"OK"}"#);
    }

    async fn pods_that_share_a_claim_see_the_same_files(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let writer = serve(&arena, server("writer", "a", false, &WRITES)).await;
        let reader = serve(&arena, server("reader", "a", true, &[])).await;
        put(&arena, &writer, "/a.txt", "shared").await;
        assert_eq!(get(&arena, &reader, "/a.txt").await, b"shared");
    }

    async fn a_static_volume_with_the_handle_of_another_has_its_files(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &WRITES)).await;
        put(&arena, &pod, "/a.txt", "shared").await;
        let source = arena.api::<PersistentVolumeClaim>().get("a").await.unwrap().spec.unwrap().volume_name.unwrap();
        let name = format!("share-of-{source}");
        let volumes = Api::<PersistentVolume>::all(arena.client.clone());
        let volume = json!({"metadata": {"name": name}, "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": arena.namespace, "name": "b"},
            "csi": {"driver": "volumes.sim.platform", "volumeHandle": source, "readOnly": true},
        }});
        volumes.create(&PostParams::default(), &serde_json::from_value(volume).unwrap()).await.unwrap();
        let mut share = claim("b");
        share["spec"]["storageClassName"] = json!("");
        share["spec"]["volumeName"] = json!(name);
        arena.create::<PersistentVolumeClaim>(share).await;
        let pod = serve(&arena, server("other", "b", false, &WRITES)).await;
        assert_eq!(get(&arena, &pod, "/a.txt").await, b"shared");
        assert_eq!(put(&arena, &pod, "/b.txt", "x").await, 403, "the volume is read-only");
        volumes.delete(&name, &DeleteParams::default()).await.unwrap();
    }

    async fn a_mount_that_is_read_only_takes_no_files(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", true, &WRITES)).await;
        for (method, path) in [("PUT", "/a.txt"), ("MKCOL", "/sets"), ("DELETE", "/a.txt")] {
            assert_eq!(status(&arena, &pod, method, path).await, 403, "{method}");
        }
        assert!(std::fs::read_dir(folder(&arena, "a").await).unwrap().next().is_none());
    }

    async fn a_server_without_flags_only_shows(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &[])).await;
        assert_eq!(put(&arena, &pod, "/a.txt", "x").await, 403);
        // What is there is not overwritten by who may not delete.
        let pod = serve(&arena, server("adder", "a", false, &WRITES[..1])).await;
        assert_eq!(put(&arena, &pod, "/a.txt", "x").await, 201);
        assert_eq!(put(&arena, &pod, "/a.txt", "y").await, 403);
        assert_eq!(status(&arena, &pod, "DELETE", "/a.txt").await, 403);
    }

    async fn no_path_and_no_link_leads_out_of_the_volume(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &WRITES)).await;
        let folder = folder(&arena, "a").await;
        let outside = folder.parent().unwrap().join("secret.txt");
        std::fs::write(&outside, "secret").unwrap();
        std::os::unix::fs::symlink(&outside, folder.join("link.txt")).unwrap();
        std::os::unix::fs::symlink(folder.parent().unwrap(), folder.join("up")).unwrap();
        for path in [
            "/link.txt", "/up/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
            "/a/../../secret.txt", "/..%5csecret.txt",
        ] {
            let response = ask(&arena, &pod, "GET", path, &[], Vec::new()).await;
            assert!(response.status().is_client_error(), "{path}: {}", response.status());
            assert!(!body(response).await.windows(6).any(|window| window == b"secret"), "{path}");
        }
        put(&arena, &pod, "/up/secret.txt", "mine").await;
        put(&arena, &pod, "/link.txt", "mine").await;
        assert_eq!(std::fs::read(&outside).unwrap(), b"secret");
    }

    async fn a_port_that_nothing_listens_on_is_refused_on_its_error_channel(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &[])).await;
        let mut forwarded = arena.api::<Pod>().portforward(&pod, &[4999]).await.unwrap();
        let said = forwarded.take_error(4999).unwrap().await.unwrap();
        assert!(said.starts_with("error forwarding port 4999 to pod "), "{said}");
        assert!(said.contains("dial tcp4 127.0.0.1:4999: connect: connection refused"), "{said}");
    }

    async fn kubectl_is_told_why_it_cannot_forward_ports(arena: Arena) {
        let Some(kubectl) = arena.kubectl() else {
            return skip("kubectl port-forward", "set KUBEBUILDER_ASSETS to a folder with kubectl");
        };
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &[])).await;
        let config = arena.cluster.kubeconfig();
        let mut command = tokio::process::Command::new(kubectl);
        command.arg("--kubeconfig").arg(config).args(["-n", &arena.namespace, "port-forward", &pod, "0:5000"]);
        command.env("KUBECACHEDIR", config.parent().unwrap()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        insta::assert_snapshot!(said.trim(), @"error: error upgrading connection: unable to upgrade connection: the kubelet of a simulated cluster forwards ports only over WebSockets with the sub-protocol v4.channel.k8s.io, as kube-rs and the other client libraries do; it does not speak SPDY, which kubectl port-forward needs");
    }

    async fn one_socket_carries_several_ports(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let mut pod = server("files", "a", false, &WRITES);
        let mut second = pod["spec"]["containers"][0].clone();
        second["name"] = json!("read");
        second["args"] = json!(["/data", "--port", "5001"]);
        pod["spec"]["containers"].as_array_mut().unwrap().push(second);
        let pod = serve(&arena, pod).await;
        put(&arena, &pod, "/a.txt", "both").await;
        let mut forwarded = arena.api::<Pod>().portforward(&pod, &[5001, 4999, 5000]).await.unwrap();
        for (port, path) in [(5000, format!("{PREFIX}/a.txt")), (5001, "/a.txt".to_owned())] {
            let stream = forwarded.take_stream(port).unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let request = Request::get(path).header("host", "pod").body(Full::new(Bytes::new())).unwrap();
            assert_eq!(body(sender.send_request(request).await.unwrap()).await, b"both");
        }
    }

    async fn a_pod_deleted_in_the_middle_ends_its_transfers(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &WRITES)).await;
        put(&arena, &pod, "/big.bin", megabytes(32)).await;
        let mut response = ask(&arena, &pod, "GET", "/big.bin", &[], Vec::new()).await;
        response.frame().await.unwrap().unwrap();
        arena.api::<Pod>().delete(&pod, &DeleteParams::default().grace_period(0)).await.unwrap();
        let rest = tokio::time::timeout(PATIENCE, async {
            while let Some(frame) = response.frame().await {
                if frame.is_err() {
                    return "cut off";
                }
            }
            "complete"
        });
        assert_eq!(rest.await.expect("it ends"), "cut off");
        assert!(arena.api::<Pod>().portforward(&pod, &[5000]).await.is_err());
    }

    async fn a_server_that_cannot_serve_fails_its_pod(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        arena.create::<Pod>(server("files", "a", false, &["--tls-key", "/key"])).await;
        arena.until("files", phase("Failed")).await;
        let said = arena.until_event("files", |event| event.reason.as_deref() == Some("Failed")).await;
        insta::assert_snapshot!(said.message.unwrap(), @"Error: the file server of a simulated cluster does not know --tls-key");
    }

    async fn the_folder_goes_with_the_volume(arena: Arena) {
        arena.create::<PersistentVolumeClaim>(claim("a")).await;
        let pod = serve(&arena, server("files", "a", false, &WRITES)).await;
        put(&arena, &pod, "/a.txt", "x").await;
        let folder = folder(&arena, "a").await;
        arena.api::<Pod>().delete(&pod, &DeleteParams::default()).await.unwrap();
        arena.api::<PersistentVolumeClaim>().delete("a", &DeleteParams::default()).await.unwrap();
        arena.until_gone::<PersistentVolumeClaim>("a").await;
        let volume = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let volumes = Api::<PersistentVolume>::all(arena.client.clone());
        let gone = await_condition(volumes, &volume, |volume: Option<&PersistentVolume>| volume.is_none());
        tokio::time::timeout(PATIENCE, gone).await.expect("the volume goes").unwrap();
        assert!(!folder.exists());
        assert!(arena.api::<Pod>().list(&ListParams::default()).await.unwrap().items.is_empty());
    }
}
