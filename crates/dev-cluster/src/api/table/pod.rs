//! What `kubectl get pods` says of a pod: its containers' states, put into one word.

use super::age;
use super::cell::{list, number, text, walk};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// A pod's state in short.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PodSummary {
    /// `1/2`: containers that are ready, of all.
    pub(super) ready: String,
    /// `Running`, `CrashLoopBackOff`, `Init:0/1`, `Terminating`, …
    pub(super) status: String,
    /// `3 (5m ago)`.
    pub(super) restarts: String,
}

/// Restarts, and when the last one was.
#[derive(Default)]
struct Restarts {
    count: i64,
    last: Option<DateTime<Utc>>,
}

impl Restarts {
    fn add(&mut self, container: &Value) {
        self.count += number(container, "/restartCount").unwrap_or(0);
        let finished = text(container, "/lastState/terminated/finishedAt").and_then(age::parse);
        self.last = self.last.max(finished);
    }

    fn shown(&self, now: DateTime<Utc>) -> String {
        match self.last {
            Some(last) if self.count > 0 => format!("{} ({} ago)", self.count, age::human(now - last)),
            _ => self.count.to_string(),
        }
    }
}

/// Summarizes a pod.
pub(super) fn summarize(pod: &Value, now: DateTime<Utc>) -> PodSummary {
    let phase = text(pod, "/status/phase").unwrap_or_default();
    let mut status = text(pod, "/status/reason").unwrap_or(phase).to_owned();
    let gated = list(pod, "/status/conditions")
        .any(|condition| condition["type"] == "PodScheduled" && text(condition, "/reason") == Some("SchedulingGated"));
    if gated {
        "SchedulingGated".clone_into(&mut status);
    }
    let mut restarts = Restarts::default();
    let starting = init_status(pod, &mut restarts);
    let mut ready = sidecars(pod).filter(|container| container["ready"] == true).count();
    let is_initialized = has_condition(pod, "Initialized");
    if let Some(starting) = starting.filter(|_| !is_initialized) {
        status = starting;
    } else {
        restarts = Restarts::default();
        sidecars(pod).for_each(|container| restarts.add(container));
        let mut is_running = false;
        let containers: Vec<&Value> = list(pod, "/status/containerStatuses").collect();
        for container in containers.into_iter().rev() {
            restarts.add(container);
            if let Some(word) = waiting_reason(container).or_else(|| terminated_reason(container)) {
                status = word;
            } else if container["ready"] == true && walk(container, "/state/running").is_some() {
                is_running = true;
                ready += 1;
            }
        }
        if status == "Completed" && is_running {
            let word = if has_condition(pod, "Ready") { "Running" } else { "NotReady" };
            word.clone_into(&mut status);
        }
    }
    if text(pod, "/metadata/deletionTimestamp").is_some() {
        if text(pod, "/status/reason") == Some("NodeLost") {
            "Unknown".clone_into(&mut status);
        } else if !matches!(phase, "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut status);
        }
    }
    let total = list(pod, "/spec/containers").count() + sidecar_names(pod).count();
    PodSummary { ready: format!("{ready}/{total}"), status, restarts: restarts.shown(now) }
}

/// What the init containers wait for, while they are not done.
fn init_status(pod: &Value, restarts: &mut Restarts) -> Option<String> {
    let total = list(pod, "/spec/initContainers").count();
    for (index, container) in list(pod, "/status/initContainerStatuses").enumerate() {
        restarts.add(container);
        let exit_code = number(container, "/state/terminated/exitCode");
        let is_sidecar = sidecar_names(pod).any(|name| container["name"] == name);
        if exit_code == Some(0) || (is_sidecar && container["started"] == true) {
            continue;
        }
        if exit_code.is_some() {
            return terminated_reason(container).map(|reason| format!("Init:{reason}"));
        }
        let waiting = waiting_reason(container).filter(|reason| reason != "PodInitializing");
        return Some(waiting.map_or_else(|| format!("Init:{index}/{total}"), |reason| format!("Init:{reason}")));
    }
    None
}

/// Init containers that run beside the others.
fn sidecar_names(pod: &Value) -> impl Iterator<Item = &str> {
    let always = |container: &&Value| container["restartPolicy"] == "Always";
    list(pod, "/spec/initContainers").filter(always).filter_map(|container| text(container, "/name"))
}

fn sidecars(pod: &Value) -> impl Iterator<Item = &Value> {
    list(pod, "/status/initContainerStatuses")
        .filter(|container| sidecar_names(pod).any(|name| container["name"] == name))
}

fn has_condition(pod: &Value, kind: &str) -> bool {
    list(pod, "/status/conditions").any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn waiting_reason(container: &Value) -> Option<String> {
    text(container, "/state/waiting/reason").map(str::to_owned)
}

fn terminated_reason(container: &Value) -> Option<String> {
    walk(container, "/state/terminated")?;
    if let Some(reason) = text(container, "/state/terminated/reason") {
        return Some(reason.to_owned());
    }
    let signal = number(container, "/state/terminated/signal").filter(|signal| *signal != 0);
    let exit_code = number(container, "/state/terminated/exitCode").unwrap_or(0);
    Some(signal.map_or_else(|| format!("ExitCode:{exit_code}"), |signal| format!("Signal:{signal}")))
}
