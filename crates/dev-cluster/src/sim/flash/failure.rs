//! The sentence about a task that failed: what its pod says of the container that ended it.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

/// Exit codes above this are 128 and the signal that ended the process.
const SIGNAL_BASE: i32 = 128;
const LAST_SIGNAL: i32 = 64;

/// The sentence about a task whose pod has failed: `task 1 failed: Error, exit code 9`.
pub(super) fn of(task: usize, pod: &Pod) -> String {
    let end = blamed(pod);
    let place = end.as_ref().filter(|_| containers(pod) > 1);
    let place = place.map(|end| format!("{} {}: ", end.role(), end.container)).unwrap_or_default();
    let status = pod.status.as_ref();
    // What the pod says of itself, such as Evicted, says more than the end of its containers.
    let own = status.and_then(|status| status.reason.as_deref());
    let reason = own.or_else(|| end.as_ref()?.how.reason.as_deref()).unwrap_or("Error");
    let code = end.as_ref().map(|end| exit(end.how)).unwrap_or_default();
    let message = status.and_then(|status| status.message.as_deref()).filter(|text| own.is_some() && !text.is_empty());
    let message = message.map(|text| format!(": {text}")).unwrap_or_default();
    format!("task {task} failed: {place}{reason}{code}{message}")
}

/// A container that failed.
struct Failure<'p> {
    container: &'p str,
    in_init: bool,
    how: &'p ContainerStateTerminated,
}

impl Failure<'_> {
    fn role(&self) -> &'static str {
        if self.in_init { "init container" } else { "container" }
    }
}

/// The init container that failed, else whichever of the others failed first, else a sidecar.
fn blamed(pod: &Pod) -> Option<Failure<'_>> {
    let status = pod.status.as_ref()?;
    let init = || failures(status.init_container_statuses.as_deref(), true);
    let main = failures(status.container_statuses.as_deref(), false);
    let first = main.min_by_key(|failure| failure.how.finished_at.as_ref().map(|time| time.0));
    let before = init().find(|failure| !is_sidecar(pod, failure.container));
    before.or(first).or_else(|| init().next())
}

fn failures(statuses: Option<&[ContainerStatus]>, in_init: bool) -> impl Iterator<Item = Failure<'_>> {
    statuses.unwrap_or_default().iter().filter_map(move |status| {
        let how = status.state.as_ref()?.terminated.as_ref()?;
        (how.exit_code != 0).then_some(Failure { container: &status.name, in_init, how })
    })
}

fn is_sidecar(pod: &Pod, container: &str) -> bool {
    let mut init = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    init.any(|it| it.name == container && it.restart_policy.as_deref() == Some("Always"))
}

fn containers(pod: &Pod) -> usize {
    let count = |spec: &k8s_openapi::api::core::v1::PodSpec| {
        spec.containers.len() + spec.init_containers.as_ref().map_or(0, Vec::len)
    };
    pod.spec.as_ref().map_or(0, count)
}

fn exit(how: &ContainerStateTerminated) -> String {
    let code = how.exit_code;
    match code - SIGNAL_BASE {
        signal @ 1..=LAST_SIGNAL => format!(", exit code {code} (signal {signal})"),
        _ => format!(", exit code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use serde_json::{Value, json};

    fn said(spec: Value, status: Value) -> String {
        of(3, &serde_json::from_value(json!({"metadata": {}, "spec": spec, "status": status})).unwrap())
    }

    fn ended(name: &str, code: i32, reason: &str, at: &str) -> Value {
        let how = json!({"exitCode": code, "reason": reason, "finishedAt": format!("2026-01-01T00:00:{at}Z")});
        json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": how}})
    }

    #[test]
    fn one_container_needs_no_name() {
        let spec = json!({"containers": [{"name": "main"}]});
        let status = |code, reason| json!({"containerStatuses": [ended("main", code, reason, "01")]});
        assert_snapshot!(said(spec.clone(), status(9, "Error")), @"task 3 failed: Error, exit code 9");
        assert_snapshot!(said(spec, status(137, "OOMKilled")), @"task 3 failed: OOMKilled, exit code 137 (signal 9)");
    }

    #[test]
    fn of_several_containers_the_first_that_failed_is_blamed() {
        let spec = json!({"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "setup"}]});
        let both = json!([ended("a", 1, "Error", "09"), ended("b", 2, "Error", "05")]);
        let mut status =
            json!({"containerStatuses": both, "initContainerStatuses": [ended("setup", 0, "Completed", "01")]});
        assert_snapshot!(said(spec.clone(), status.clone()), @"task 3 failed: container b: Error, exit code 2");
        status["initContainerStatuses"] = json!([ended("setup", 4, "Error", "01")]);
        assert_snapshot!(said(spec, status), @"task 3 failed: init container setup: Error, exit code 4");
    }

    #[test]
    fn what_the_pod_says_of_itself_comes_first() {
        let status = json!({"reason": "Evicted", "message": "the node was low on memory"});
        assert_snapshot!(said(json!({"containers": [{"name": "main"}]}), status), @"task 3 failed: Evicted: the node was low on memory");
    }
}
