//! A task's log as shown by the API.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

pub use super::course::LogEnd;
use super::follow::Chunk;
use crate::cluster::logs::Line;
use crate::graphql::limits::directives::assumed_list;
use crate::graphql::scalars::FeedCursor;

/// A chunk of a task's log: the lines that a container wrote within a tenth of a second, at most 64 KiB.
#[derive(Debug, SimpleObject)]
pub struct LogChunk {
    /// The position in the log after this chunk. Pass it as `after` to `jobLogs` to resume from here without repeating
    /// lines.
    pub cursor: FeedCursor,
    /// The index of the task within the job.
    pub task: i32,
    /// The name of the pod that wrote the lines; null if the task never had a pod.
    pub pod: Option<String>,
    /// The UID of that pod. If it differs from the previous chunk, the task was restarted in a new pod, after a
    /// preemption or in another attempt, and its log starts over.
    pub pod_uid: Option<String>,
    /// The lines, in order; empty in the last chunk.
    #[graphql(directive = assumed_list::apply(100))]
    pub lines: Vec<LogLine>,
    /// How the log ended; null in all chunks but the last.
    pub end: Option<LogEnd>,
}

/// A line of a log.
#[derive(Debug, SimpleObject)]
pub struct LogLine {
    /// When the line was written, according to the clock of the node.
    pub at: DateTime<Utc>,
    /// The name of the container that wrote the line.
    pub container: String,
    /// The text of the line, without the trailing newline.
    pub text: String,
    /// Whether the text continues the previous line: lines longer than 16 KiB are split.
    pub continues: bool,
}

impl From<&Chunk> for LogChunk {
    fn from(chunk: &Chunk) -> Self {
        Self {
            cursor: FeedCursor(chunk.place.cursor()),
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
