//! A task as the column `tasks` keeps it, and as the API shows it.

use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::cluster::pods::{PodState, TaskPod};

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "JobTaskState")]
pub enum TaskState {
    /// Its pod is not running yet.
    Waiting,
    /// Its pod runs.
    Running,
    /// It ended with exit code 0.
    Succeeded,
    /// It ended otherwise.
    Failed,
}

/// One task of a job: one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
#[graphql(name = "JobTask")]
pub struct Task {
    /// Its place among the job's tasks, from 0.
    pub index: i32,
    /// How far it has come.
    pub state: TaskState,
    /// The name of its pod.
    pub pod: Option<String>,
    /// The uid of its pod: a pod that runs the task again has another one.
    #[serde(default)]
    #[graphql(skip)]
    pub uid: Option<String>,
    /// The attempt of the job that its pod belongs to, from 1. Until the pod of a new attempt is there, the task shows
    /// what became of it in the one before.
    #[serde(default = "first")]
    pub attempt: i32,
    /// Whether its pod is being deleted.
    #[serde(default)]
    #[graphql(skip)]
    pub leaving: bool,
    /// The node it runs on; null before it is placed.
    pub node: Option<String>,
    /// What its program returned, 128 and the signal where one ended it; null before.
    pub exit_code: Option<i32>,
    /// The signal that ended its program, such as 9 for an out-of-memory kill; null when none did.
    pub signal: Option<i32>,
    /// The cluster's word for why it is in this state, such as `OOMKilled`, `Evicted` or `ErrImagePull`; null when there
    /// is nothing to explain.
    pub reason: Option<String>,
    /// When its program started; null before.
    pub started_at: Option<DateTime<Utc>>,
    /// When its program ended; null before.
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
    /// What its pod, made for this attempt, says.
    pub fn of_pod(pod: &TaskPod, attempt: i32) -> Self {
        let time = |seconds: Option<i64>| seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        Self {
            index: pod.task,
            state: match pod.state {
                PodState::Starting => TaskState::Waiting,
                PodState::Running => TaskState::Running,
                PodState::Succeeded => TaskState::Succeeded,
                PodState::Failed => TaskState::Failed,
            },
            pod: Some(pod.name.clone()),
            uid: pod.uid.clone(),
            attempt,
            leaving: pod.leaving,
            node: pod.node.clone(),
            exit_code: pod.exit_code,
            signal: pod.signal,
            reason: pod.reason.clone(),
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
            leaving: false,
            node: None,
            exit_code: None,
            signal: None,
            reason: None,
            started_at: None,
            finished_at: None,
            version: 0,
        }
    }

    /// The sentence about its state.
    pub fn sentence(&self) -> String {
        let index = self.index;
        match (self.state, &self.node) {
            (TaskState::Waiting, _) => format!("task {index} is being prepared"),
            (TaskState::Running, Some(node)) => format!("task {index} runs on {node}"),
            (TaskState::Running, None) => format!("task {index} runs"),
            (TaskState::Succeeded, _) => format!("task {index} succeeded"),
            (TaskState::Failed, _) => {
                let reason = self.reason.as_deref().unwrap_or("Error");
                match (self.exit_code, self.signal) {
                    (_, Some(signal)) => format!("task {index} failed: {reason}, ended by signal {signal}"),
                    (Some(code), None) => format!("task {index} failed: {reason}, exit code {code}"),
                    (None, None) => format!("task {index} failed: {reason}"),
                }
            }
        }
    }
}
