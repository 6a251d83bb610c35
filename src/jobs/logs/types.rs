//! A task's log as shown by the API.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

pub use super::course::LogEnd;
use super::follow::Chunk;
use crate::cluster::logs::Line;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::scalars::Cursor;

/// Some lines of a task's log: what a container wrote within a tenth of a second, at most 64 KiB.
#[derive(Debug, SimpleObject)]
pub struct LogChunk {
    /// Where the log stands behind this chunk: `jobLogs(after:)` resumes there and repeats no line.
    pub cursor: Cursor,
    /// The task, by its place among the job's tasks.
    pub task: i32,
    /// The name of the pod that wrote the lines; null for a task that never had one.
    pub pod: Option<String>,
    /// The uid of that pod. Another uid than in the chunk before: the task was started anew, after a preemption or as
    /// another attempt, and its log begins anew.
    pub pod_uid: Option<String>,
    /// The lines, in order; none in the last chunk.
    #[graphql(directive = assumed_list::apply(100))]
    pub lines: Vec<LogLine>,
    /// How the log ended; null before the last chunk.
    pub end: Option<LogEnd>,
}

/// A line of a log.
#[derive(Debug, SimpleObject)]
pub struct LogLine {
    /// When it was written, by the clock of the node.
    pub at: DateTime<Utc>,
    /// The container that wrote it.
    pub container: String,
    /// What it says, without the line's end.
    pub text: String,
    /// Whether it goes on with the line before it: a line of more than 16 KiB comes in pieces.
    pub continues: bool,
}

impl From<&Chunk> for LogChunk {
    fn from(chunk: &Chunk) -> Self {
        Self {
            cursor: Cursor(chunk.place.cursor()),
            task: chunk.place.task,
            pod: chunk.pod.clone(),
            pod_uid: chunk.place.pod.clone(),
            lines: chunk.lines.iter().map(|line| LogLine::of(line, &chunk.container)).collect(),
            end: chunk.end,
        }
    }
}

impl LogLine {
    fn of(line: &Line, container: &str) -> Self {
        Self {
            at: DateTime::from_timestamp_nanos(line.at),
            container: container.to_owned(),
            text: line.text.clone(),
            continues: line.continues,
        }
    }
}
