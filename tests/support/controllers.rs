//! A cluster with the controllers of Kubernetes itself: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and
//! kwok in place of the kubelets. Nothing in it is the project's own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use dev_cluster::real::ControlPlane;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, PostParams};
use serde_json::json;
use tokio::process::{Child, Command};

use super::skip::skip;

/// The running cluster, gone with the test.
pub struct Controllers {
    control_plane: ControlPlane,
    _processes: Vec<Child>,
    _folder: tempfile::TempDir,
}

impl Controllers {
    /// Starts it for the suite `what`; `None` where its binaries are not there.
    pub async fn start(what: &str) -> Option<Self> {
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let programs =
            ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kwok-stages.yaml"];
        let complete = |assets: &PathBuf| programs.iter().all(|name| assets.join(name).is_file());
        let Some(assets) = assets.filter(complete) else {
            skip(what, "set KUBEBUILDER_ASSETS to a folder with Kubernetes' controllers and kwok, too");
            return None;
        };
        // A second install is refused, and it is the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let control_plane = ControlPlane::start(&assets, &folder.path().join("cluster")).await.unwrap();
        let kubeconfig = control_plane.kubeconfig().display().to_string();
        let key = control_plane.kubeconfig().with_file_name("sa.key").display().to_string();
        let run = |name: &str, arguments: &[&str]| spawn(&assets, folder.path(), name, &kubeconfig, arguments);
        let stages = assets.join("kwok-stages.yaml").display().to_string();
        let processes = vec![
            run(
                "kube-controller-manager",
                &[
                    "--leader-elect=false",
                    "--secure-port=0",
                    "--use-service-account-credentials=false",
                    &format!("--service-account-private-key-file={key}"),
                    "--controllers=*,-node-ipam-controller,-node-route-controller,-service-lb-controller",
                ],
            ),
            run("kube-scheduler", &["--leader-elect=false", "--secure-port=0"]),
            run(
                "kwok",
                &[
                    &format!("--config={stages}"),
                    "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
                    "--node-lease-duration-seconds=40",
                ],
            ),
        ];
        let cluster = Self { control_plane, _processes: processes, _folder: folder };
        for name in ["gpu-1", "gpu-2"] {
            cluster.add_node(name).await;
        }
        Some(cluster)
    }

    async fn add_node(&self, name: &str) {
        let amounts = json!({ "cpu": "64", "memory": "256Gi", "pods": "250", "nvidia.com/gpu": "8" });
        let node = json!({
            "metadata": { "name": name, "annotations": { "kwok.x-k8s.io/node": "fake" },
                "labels": { "kubernetes.io/hostname": name } },
            "status": { "capacity": amounts, "allocatable": amounts },
        });
        let nodes = Api::<Node>::all(self.control_plane.client());
        nodes.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
    }

    /// The kubeconfig with an administrator's token.
    pub fn kubeconfig(&self) -> &Path {
        self.control_plane.kubeconfig()
    }
}

fn spawn(assets: &Path, folder: &Path, name: &str, kubeconfig: &str, arguments: &[&str]) -> Child {
    let log = std::fs::File::create(folder.join(format!("{name}.log"))).unwrap();
    Command::new(assets.join(name))
        .arg(format!("--kubeconfig={kubeconfig}"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::from(log.try_clone().unwrap()))
        .stderr(Stdio::from(log))
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
