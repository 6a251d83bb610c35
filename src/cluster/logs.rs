//! A task's log: followed line by line, resumable at any line by the time that the node gave it.

use futures::io::AsyncBufReadExt;
use futures::{Stream, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ListParams, LogParams};

use super::client::{Cluster, ClusterError};
use super::names::JOB_LABEL;
use super::pods::TaskPod;
use crate::db::error_chain;
use crate::ids::JobId;

/// A line, with the position that resumes after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub position: Position,
    /// What it says.
    pub text: String,
}

/// Where a line stands in its log. Lines of one instant are told apart by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Nanoseconds since 1970, as the node wrote it.
    pub nanos: i128,
    /// Which line of that instant, from 1.
    pub nth: u32,
}

/// The newest pod of a job's task.
///
/// # Errors
/// The cluster's.
pub async fn pod_of(
    cluster: &Cluster,
    namespace: &str,
    job: JobId,
    task: i32,
) -> Result<Option<TaskPod>, ClusterError> {
    let api: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let params = ListParams::default().labels(&format!("{JOB_LABEL}={job}"));
    let pods = cluster.call(api.list(&params)).await?;
    let of_task = pods.items.iter().filter_map(TaskPod::read).filter(|pod| pod.task == task);
    Ok(of_task.max_by_key(|pod| pod.version))
}

/// Follows a pod's log from `after`, or its last `tail` lines and what comes. Ends with the pod.
///
/// # Errors
/// The cluster's; the pod may not have begun yet, which is [`ClusterError::Invalid`].
pub async fn follow(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    tail: Option<i64>,
    after: Option<Position>,
) -> Result<impl Stream<Item = Result<Line, ClusterError>> + Send + use<>, ClusterError> {
    let api: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let params = LogParams {
        follow: true,
        timestamps: true,
        tail_lines: if after.is_some() { None } else { tail },
        since_time: after.and_then(|after| Timestamp::from_second(seconds(after)).ok()),
        ..LogParams::default()
    };
    let reader = cluster.call(api.log_stream(pod, &params)).await?;
    let mut numbering = Numbering::default();
    let lines = reader.lines().map_err(|error| ClusterError::Away(error_chain(&error)));
    Ok(lines
        .map_ok(move |line| numbering.read(&line))
        // The cluster begins with the whole second: what the reader has is dropped.
        .try_filter(move |line| std::future::ready(after.is_none_or(|after| line.position > after))))
}

fn seconds(position: Position) -> i64 {
    i64::try_from(position.nanos.div_euclid(1_000_000_000)).unwrap_or(0)
}

#[derive(Default)]
struct Numbering(Option<Position>);

impl Numbering {
    /// Takes the time off a line. A line without one belongs to the instant before it.
    fn read(&mut self, line: &str) -> Line {
        let stamped = line.split_once(' ').and_then(|(time, text)| Some((time.parse::<Timestamp>().ok()?, text)));
        let before = self.0;
        let (nanos, text) = match stamped {
            Some((time, text)) => (time.as_nanosecond(), text),
            None => match line.parse::<Timestamp>() {
                Ok(time) => (time.as_nanosecond(), ""),
                Err(_) => (before.map_or(0, |before| before.nanos), line),
            },
        };
        let nth = before.filter(|before| before.nanos == nanos).map_or(1, |before| before.nth + 1);
        let position = Position { nanos, nth };
        self.0 = Some(position);
        Line { position, text: text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_instant_are_numbered() {
        let mut numbering = Numbering::default();
        let lines = ["2026-01-01T00:00:00.5Z one", "2026-01-01T00:00:00.5Z two", "2026-01-01T00:00:01Z three four"];
        let read: Vec<_> = lines.iter().map(|line| numbering.read(line)).collect();
        assert_eq!(read.iter().map(|line| line.position.nth).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(read[2].text, "three four");
        assert!(read[0].position < read[1].position && read[1].position < read[2].position);
    }
}
