//! A task as stored in the column `tasks`, and as shown by the API.

use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::cluster::pods::ending::{self, End};
use crate::cluster::pods::{Owner, PodState, TaskPod, stop};
use crate::ids::JobId;

/// Reason of a container that crashed and will be restarted after a pause.
const CRASH_LOOP: &str = "CrashLoopBackOff";
/// Reason of a task that was stopped because its job ended.
pub const JOB_ENDED: &str = "JobEnded";
/// Reason of a task whose job was stopped to make room.
pub const PREEMPTED: &str = "Preempted";
/// Reason of a task that was stopped because another one failed and its job is retried.
pub const RETRYING: &str = "Retrying";

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "JobTaskState")]
pub enum TaskState {
    /// The pod is not running yet.
    Waiting,
    /// The pod is running.
    Running,
    /// The task finished with exit code 0.
    Succeeded,
    /// The task finished with an error.
    Failed,
    /// The task was stopped before it could finish: its pod was deleted or evicted, or its job ended.
    Stopped,
}

/// A task of a job, which runs in a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
#[graphql(name = "JobTask")]
pub struct Task {
    /// The index of the task within the job, starting at 0.
    pub index: i32,
    /// The current state of the task.
    pub state: TaskState,
    /// The name of the pod.
    pub pod: Option<String>,
    /// The uid of its pod: a pod that runs the task again has another one.
    #[serde(default)]
    #[graphql(skip)]
    pub uid: Option<String>,
    /// The attempt of the job that the pod belongs to, starting at 1. Until the pod of a new attempt exists, the task
    /// shows the outcome of the previous attempt.
    #[serde(default = "first")]
    pub attempt: i32,
    /// The uid of the object that controls its pod.
    #[serde(default)]
    #[graphql(skip)]
    pub owner: Option<String>,
    /// Whether its pod is being deleted.
    #[serde(default)]
    #[graphql(skip)]
    pub leaving: bool,
    /// Whether its pod is there no more.
    #[serde(default)]
    #[graphql(skip)]
    pub gone: bool,
    /// The name of the node that the task runs on; null until it has been scheduled.
    pub node: Option<String>,
    /// The container that `reason`, `exitCode` and `signal` refer to. Null if the pod has a single container, or if
    /// they refer to the pod as a whole.
    #[serde(default)]
    pub container: Option<String>,
    /// Whether that is an init container.
    #[serde(default)]
    #[graphql(skip)]
    pub in_init: bool,
    /// The exit code of the program, or 128 plus the signal number if a signal terminated it; null until it has
    /// finished.
    pub exit_code: Option<i32>,
    /// The signal that terminated the program, such as 9 when it ran out of memory; null if no signal did.
    pub signal: Option<i32>,
    /// Machine-readable reason for the current state, such as `OOMKilled`, `Evicted`, `PodDeleted` or `ErrImagePull`;
    /// null if there is nothing to explain.
    pub reason: Option<String>,
    /// Human-readable explanation of the reason from the cluster, such as the error of an image registry; null if there
    /// is none.
    #[serde(default)]
    pub message: Option<String>,
    /// When the program started; null until then.
    pub started_at: Option<DateTime<Utc>>,
    /// When the program finished; null until then.
    pub finished_at: Option<DateTime<Utc>>,
    /// resourceVersion of the newest state of its pod that was applied; 0 for one that the cluster never told.
    #[serde(default)]
    #[graphql(skip)]
    pub version: i64,
}

fn first() -> i32 {
    1
}

impl Task {
    /// The task according to its pod, which was created for this attempt.
    pub fn of_pod(pod: &TaskPod, attempt: i32) -> Self {
        let was_stopped = pod.leaving && pod.stopped.is_some();
        let time = |seconds: Option<i64>| seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        Self {
            index: pod.task,
            state: match pod.state {
                PodState::Starting => TaskState::Waiting,
                PodState::Running => TaskState::Running,
                PodState::Succeeded | PodState::Failed if was_stopped => TaskState::Stopped,
                PodState::Succeeded => TaskState::Succeeded,
                PodState::Failed => TaskState::Failed,
            },
            pod: Some(pod.name.clone()),
            uid: pod.uid.clone(),
            attempt,
            owner: Some(pod.owner.uid.clone()),
            leaving: pod.leaving,
            gone: false,
            node: pod.node.clone(),
            container: pod.container.clone(),
            in_init: pod.in_init,
            exit_code: pod.exit_code,
            signal: pod.signal,
            reason: pod.reason.clone(),
            message: pod.message.clone(),
            started_at: time(pod.started_at),
            finished_at: time(pod.finished_at),
            version: pod.version,
        }
    }

    #[cfg(test)]
    pub(crate) fn of_state(state: TaskState) -> Self {
        Self {
            index: 0,
            state,
            pod: None,
            uid: None,
            attempt: 1,
            owner: None,
            leaving: false,
            gone: false,
            node: None,
            container: None,
            in_init: false,
            exit_code: None,
            signal: None,
            reason: None,
            message: None,
            started_at: None,
            finished_at: None,
            version: 0,
        }
    }

    /// Its pod as one that no longer exists, unless the task has ended. `object` is the name of the pod's controller.
    pub fn gone_from(self, job: JobId, namespace: &str, object: &str) -> Option<TaskPod> {
        let open = matches!(self.state, TaskState::Waiting | TaskState::Running) && !self.gone;
        let (name, owner) = (self.pod.filter(|_| open)?, self.owner?);
        Some(TaskPod {
            job,
            task: self.index,
            namespace: namespace.to_owned(),
            name,
            uid: self.uid,
            owner: Owner { name: object.to_owned(), uid: owner },
            leaving: self.leaving,
            stopped: None,
            node: self.node,
            version: self.version,
            listed: false,
            gone: true,
            mounted: false,
            troubled: false,
            state: match self.state {
                TaskState::Running => PodState::Running,
                TaskState::Waiting | TaskState::Succeeded | TaskState::Failed | TaskState::Stopped => {
                    PodState::Starting
                }
            },
            reason: self.reason,
            message: self.message,
            container: self.container,
            in_init: self.in_init,
            exit_code: self.exit_code,
            signal: self.signal,
            started_at: self.started_at.map(|time| time.timestamp()),
            finished_at: self.finished_at.map(|time| time.timestamp()),
        })
    }

    /// Whether its pod exists and may continue.
    pub fn is_live(&self) -> bool {
        matches!(self.state, TaskState::Waiting | TaskState::Running) && !self.leaving && !self.gone
    }

    /// Whether it ended by itself, successfully or not.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, TaskState::Succeeded | TaskState::Failed)
    }

    /// The message about its state.
    pub fn sentence(&self) -> String {
        let index = self.index;
        match (self.state, &self.node) {
            (TaskState::Waiting, _) => Self::being_prepared(index),
            (TaskState::Running, _) if self.is_restarted() => {
                format!("task {index} ended and is being restarted: {}", self.end())
            }
            (TaskState::Running, Some(node)) => format!("task {index} is running on {node}"),
            (TaskState::Running, None) => format!("task {index} is running"),
            (TaskState::Succeeded, _) => format!("task {index} succeeded"),
            (TaskState::Failed, _) => ending::failed(index, &self.end()),
            (TaskState::Stopped, _) => format!("task {index} was stopped: {}", self.why_stopped()),
        }
    }

    /// The message about a task that is not running yet.
    pub fn being_prepared(index: i32) -> String {
        format!("task {index} is being prepared")
    }

    /// Whether its program ended and the kubelet restarts it after a pause.
    pub fn is_restarted(&self) -> bool {
        self.reason.as_deref() == Some(CRASH_LOOP)
    }

    /// Why it was stopped, as a message.
    pub fn why_stopped(&self) -> &'static str {
        match self.reason.as_deref() {
            Some(stop::EVICTED) => "its pod was evicted, for example because its node was drained",
            Some(stop::NODE_UNAVAILABLE) => "its node became unavailable",
            Some(stop::PREEMPTED_BY_SCHEDULER) => "its pod made room for one with a higher priority",
            Some(stop::STOPPED_BY_KUBELET) => "its node stopped its pod",
            Some(JOB_ENDED) => "its job has ended",
            Some(PREEMPTED) => "its job made room for one in a higher queue",
            Some(RETRYING) => "its job is being retried",
            Some(stop::POD_DELETED) => "its pod was deleted",
            // What it was waiting for when its job ended.
            Some(_) | None if !self.leaving && !self.gone => "its job has ended",
            Some(_) | None => "its pod was deleted",
        }
    }

    /// How its program ended, and in which container if there are several.
    fn end(&self) -> End<'_> {
        End {
            container: self.container.as_deref(),
            in_init: self.in_init,
            reason: self.reason.as_deref(),
            message: self.message.as_deref(),
            exit_code: self.exit_code,
            signal: self.signal,
        }
    }

    /// Its container, if there are several.
    pub fn place(&self) -> Option<String> {
        let kind = if self.in_init { "init container" } else { "container" };
        self.container.as_ref().map(|name| format!("{kind} {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_the_container_where_there_are_several_and_why_a_task_was_stopped() {
        let failed = Task { exit_code: Some(3), reason: Some("Error".into()), ..Task::of_state(TaskState::Failed) };
        let init = Task { container: Some("setup".into()), in_init: true, ..failed.clone() };
        let side = Task { container: Some("side".into()), ..failed.clone() };
        let killed = Task { exit_code: Some(137), signal: Some(9), reason: Some("OOMKilled".into()), ..side.clone() };
        let crashes = Task { state: TaskState::Running, reason: Some("CrashLoopBackOff".into()), ..failed.clone() };
        let stopped = |reason: &str| Task { reason: Some(reason.into()), ..Task::of_state(TaskState::Stopped) };
        let stopped = [stop::POD_DELETED, stop::EVICTED, stop::NODE_UNAVAILABLE, JOB_ENDED, PREEMPTED].map(stopped);
        let all = [failed, init, side, killed, crashes].into_iter().chain(stopped);
        let told: String = all.map(|task| task.sentence() + "\n").collect();
        insta::assert_snapshot!(told, @r"
        task 0 failed: Error, exit code 3
        task 0 failed: init container setup: Error, exit code 3
        task 0 failed: container side: Error, exit code 3
        task 0 failed: container side: OOMKilled, exit code 137 (signal 9)
        task 0 ended and is being restarted: CrashLoopBackOff, exit code 3
        task 0 was stopped: its pod was deleted
        task 0 was stopped: its pod was evicted, for example because its node was drained
        task 0 was stopped: its node became unavailable
        task 0 was stopped: its job has ended
        task 0 was stopped: its job made room for one in a higher queue
        ");
    }
}
