//! The program `dev-cluster`: started, spoken to and stopped as from a shell.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod};
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config};
use serde_json::json;

use crate::arena::{PATIENCE, note};

/// The program with its standard output up to where it says that it is ready. It is killed with the test.
struct Program {
    child: Child,
    said: String,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        Self::run(command(arguments))
    }

    fn run(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = String::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            said.push_str(&line);
            said.push('\n');
            if line.contains("Ctrl-C") {
                break;
            }
        }
        Self { child, said }
    }

    /// The kubeconfig that it names.
    fn kubeconfig(&self) -> PathBuf {
        self.said.lines().next().unwrap().rsplit(' ').next().unwrap().into()
    }

    fn stop(mut self, signal: &str) -> ExitStatus {
        let asked = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has mostly ended by then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dev-cluster"));
    command.args(arguments).env_remove("KUBEBUILDER_ASSETS").env_remove("RUST_LOG");
    command
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

#[tokio::test]
async fn it_runs_pods_until_it_is_stopped_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = folder.path().join("kubeconfig");
    let program = Program::start(&["--kubeconfig", wanted.to_str().unwrap(), "--speed", "100", "--nodes", "3"]);
    let path = wanted.display();
    assert_eq!(
        program.said,
        format!(
            "The cluster is ready. Its kubeconfig is {path}\n  kubectl --kubeconfig {path} get nodes\nPress Ctrl-C to stop it.\n"
        )
    );
    let client = client(&wanted).await;
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.unwrap();
    assert_eq!(nodes.items.len(), 3);
    let pods = Api::<Pod>::default_namespaced(client);
    let pod = json!({
        "metadata": {"name": "a", "annotations": {"sim.platform/duration": "1s"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]},
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    let succeeded = |pod: Option<&Pod>| {
        pod.and_then(|pod| pod.status.as_ref()?.phase.as_deref()).is_some_and(|phase| phase == "Succeeded")
    };
    tokio::time::timeout(PATIENCE, await_condition(pods, "a", succeeded)).await.unwrap().unwrap();
    assert!(program.stop("-INT").success());
    assert!(!wanted.exists());
}

#[tokio::test]
async fn a_folder_keeps_the_cluster_for_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", folder.path().to_str().unwrap()];
    let first = Program::start(&arguments);
    let notes = Api::<ConfigMap>::default_namespaced(client(&first.kubeconfig()).await);
    notes.create(&PostParams::default(), &note("a", "kept")).await.unwrap();
    // One process at a time.
    let second = command(&arguments).output().unwrap();
    let refusal = format!("dev-cluster: {} is in use by another process\n", folder.path().display());
    assert_eq!((second.status.success(), String::from_utf8(second.stderr).unwrap()), (false, refusal));
    assert!(first.stop("-TERM").success());

    let again = Program::start(&arguments);
    let notes = Api::<ConfigMap>::default_namespaced(client(&again.kubeconfig()).await);
    assert_eq!(notes.get("a").await.unwrap().data.unwrap()["text"], "kept");
    assert!(again.stop("-TERM").success());
}

/// In place of `dufs`: it listens where it is told to, and leaves its process id in the volume.
const LISTENS: &str = r#"#!/bin/sh
echo $$ > "$1/pid"
exec python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(300)' "$3"
"#;

#[tokio::test]
async fn a_file_server_does_not_outlive_a_cluster_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (programs, cluster) = (folder.path().join("bin"), folder.path().join("cluster"));
    std::fs::create_dir(&programs).unwrap();
    std::fs::write(programs.join("dufs"), LISTENS).unwrap();
    std::fs::set_permissions(programs.join("dufs"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command(&["--data-dir", cluster.to_str().unwrap(), "--speed", "100"]);
    command.env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()));
    let mut program = Program::run(command);
    let client = client(&program.kubeconfig()).await;
    let claim = json!({"metadata": {"name": "a"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }});
    let claims = Api::<PersistentVolumeClaim>::default_namespaced(client.clone());
    claims.create(&PostParams::default(), &serde_json::from_value(claim).unwrap()).await.unwrap();
    let pod = json!({"metadata": {"name": "files"}, "spec": {
        "containers": [{
            "name": "files", "image": "sigoden/dufs", "args": ["/data"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "a"}}],
    }});
    let pods = Api::<Pod>::default_namespaced(client);
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    let running = |pod: Option<&Pod>| {
        pod.and_then(|pod| pod.status.as_ref()?.phase.as_deref()).is_some_and(|phase| phase == "Running")
    };
    tokio::time::timeout(PATIENCE, await_condition(pods, "files", running)).await.unwrap().unwrap();
    let volumes = cluster.join("volumes/volumes.sim.platform");
    let volume = std::fs::read_dir(volumes).unwrap().next().unwrap().unwrap().path();
    let server: u32 = std::fs::read_to_string(volume.join("pid")).unwrap().trim().parse().unwrap();
    assert!(is_alive(server));

    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let ended = async {
        while is_alive(server) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the file server ends");
}

/// Whether a process runs. One that nobody has waited for is none.
fn is_alive(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[test]
fn what_it_cannot_do_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine");
    std::fs::write(&path, "contexts: [{name: production, context: {cluster: production}}]\n").unwrap();
    let said = |arguments: &[&str]| {
        let output = command(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let refused = said(&["--kubeconfig", path.to_str().unwrap()]);
    let expected = format!(
        "dev-cluster: --kubeconfig {}: the file exists and was not written by dev-cluster; choose another file\n",
        path.display()
    );
    assert_eq!(refused, expected);
    assert!(said(&["--speed", "0"]).contains("a number above 0 such as 1, 2.5 or 100"));
    assert!(said(&["--real"]).contains("--assets <FOLDER>"));
}
