//! Tasks of jobs as the API shows them.

use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobTaskState {
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
pub struct JobTask {
    /// Its place among the job's tasks, from 0.
    pub index: i32,
    /// How far it has come.
    pub state: JobTaskState,
    /// The name of its pod.
    pub pod: Option<String>,
    /// The attempt of the job that its pod belongs to, from 1. Until the pod of a new attempt is there, the task shows
    /// what became of it in the one before.
    #[serde(default = "first")]
    pub attempt: i32,
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
}

fn first() -> i32 {
    1
}
