//! The real kubectl against both clusters.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use super::arena::{Arena as Place, PATIENCE, skip};

const JOB: &str = r#"
apiVersion: scheduling.flash-sched.io/v1alpha1
kind: FlashJob
metadata: {name: demo}
spec:
  minAvailable: 1
  tasks:
  - metadata: {annotations: {scheduling.flash-sched.io/queue-name: kubectl, sim.platform/duration: 10s}}
    spec: {restartPolicy: Never, containers: [{name: main, image: busybox}]}
"#;
const QUEUE: &str = r#"
apiVersion: scheduling.flash-sched.io/v1alpha1
kind: ClusterResourceQueue
metadata: {name: kubectl}
spec: {priority: 1}
"#;

fn command(arena: &Place, arguments: &[&str]) -> Option<Command> {
    let mut command = Command::new(arena.kubectl()?);
    command.arg("--kubeconfig").arg(arena.cluster.kubeconfig()).args(["-n", &arena.namespace]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // kubectl caches discovery in the home directory, by address: ports are used again.
    command.env("HOME", env!("CARGO_TARGET_TMPDIR")).env("KUBECACHEDIR", arena.cluster.kubeconfig().parent()?);
    Some(command)
}

/// Runs kubectl to its end and answers what it printed; it must succeed.
async fn kubectl(arena: &Place, arguments: &[&str], input: &str) -> Option<String> {
    let Some(mut command) = command(arena, arguments) else {
        skip("kubectl", "set KUBEBUILDER_ASSETS to a folder with kubectl");
        return None;
    };
    let mut child = command.spawn().expect("kubectl starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).await.expect("kubectl reads");
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("kubectl {arguments:?} takes too long")).expect("output");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

contract! {
    async fn kubectl_makes_a_job_of_a_cron_job(arena: Arena) {
        let cron = "{apiVersion: batch/v1, kind: CronJob, metadata: {name: c}, spec: {schedule: '0 0 1 1 *', jobTemplate: {spec: \
            {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox}]}}}}}}";
        let Some(_) = kubectl(&arena, &["apply", "-f", "-"], cron).await else { return };
        let made = kubectl(&arena, &["create", "job", "now", "--from=cronjob/c"], "").await.unwrap();
        assert_eq!(made, "job.batch/now created\n");
        kubectl(&arena, &["wait", "--for=condition=complete", "job/now", "--timeout=20s"], "").await;
        let owner = kubectl(&arena, &["get", "job", "now", "-o", "jsonpath={.metadata.ownerReferences[0].name}"], "").await;
        assert_eq!(owner.unwrap(), "c");
    }

    async fn kubectl_hands_its_fields_over_to_server_side_apply(arena: Arena) {
        let note = |text: &str| format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a}}, data: {{{text}}}}}");
        let Some(_) = kubectl(&arena, &["apply", "-f", "-"], &note("x: '1', y: '1'")).await else { return };
        for text in ["x: '1', y: '1'", "x: '1'"] {
            kubectl(&arena, &["apply", "--server-side", "-f", "-"], &note(text)).await;
        }
        let left = kubectl(&arena, &["get", "configmap", "a", "-o", "jsonpath={.data}"], "").await.unwrap();
        assert_eq!(left, r#"{"x":"1"}"#);
    }

    async fn kubectl_applies_watches_describes_follows_and_deletes(arena: Arena) {
        let Some(_) = kubectl(&arena, &["apply", "--server-side", "-f", "-"], QUEUE).await else { return };
        let mut watch = command(&arena, &["get", "flashjobs", "-w", "--no-headers"]).unwrap().spawn().unwrap();
        let applied = kubectl(&arena, &["apply", "-f", "-"], JOB).await.unwrap();
        assert_eq!(applied, "flashjob.scheduling.flash-sched.io/demo created\n");
        let again = kubectl(&arena, &["apply", "-f", "-"], JOB).await.unwrap();
        assert_eq!(again, "flashjob.scheduling.flash-sched.io/demo unchanged\n");

        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let running = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("the watch goes on");
                if line.contains("Running") {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, running).await.expect("the watch shows that it runs");
        watch.kill().await.unwrap();

        // A fast pod may have ended by now, so its start is waited for and not its phase.
        kubectl(&arena, &["wait", "pod/demo-0", "--for=jsonpath={.status.startTime}"], "").await;
        let logs = kubectl(&arena, &["logs", "-f", "demo-0"], "").await.unwrap();
        assert_eq!(logs.lines().last(), Some("main: step 5 of 5"));
        let described = kubectl(&arena, &["describe", "pod", "demo-0"], "").await.unwrap();
        assert!(described.contains("Started container main"), "{described}");
        kubectl(&arena, &["delete", "flashjob", "demo", "--cascade=foreground"], "").await;
        let left = kubectl(&arena, &["get", "pods", "-o", "name"], "").await.unwrap();
        assert_eq!(left, "");
    }
}
