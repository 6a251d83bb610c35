//! A container's log: read line by line, run by run, and resumable at any line.

mod glance;
mod lines;
mod mark;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use async_stream::try_stream;
use futures::io::AsyncBufRead;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::LogParams;

use super::client::Cluster;
use super::error::ClusterError;
pub use glance::{Glance, glance};
use lines::{Stamped, lines};
pub use mark::{After, Mark, Position};
use mark::{COUNTED, Tracker, second};

/// How long the end of a log may take to read.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a line that was told before may take to come again: it is there already.
const AGAIN: Duration = Duration::from_secs(5);

/// Whose log: one run of a container of the one pod that has this uid. A pod that runs again has its name, but not its uid.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// Where the pod is.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its uid.
    pub uid: String,
    /// The container.
    pub container: String,
    /// Which of its runs: how often it was started again before.
    pub run: i32,
}

/// A line, or a piece of a long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its time stamp in nanoseconds since 1970, as the node wrote it.
    pub at: i64,
    /// Where a reader stands who was told it.
    pub mark: Mark,
    /// What it says.
    pub text: String,
    /// Whether it goes on with the line before it.
    pub continues: bool,
    /// Whether lines before it are lost: the node has removed the beginning of the log meanwhile.
    pub after_gap: bool,
}

/// Reads the log behind `after`; with `follow` also what is yet to come, until the container ends.
///
/// # Errors
/// [`ClusterError::NotFound`] if the pod is there no more, [`ClusterError::Invalid`] if its container has not begun or the
/// log of that run is there no more, [`ClusterError::Conflict`] if the container was started again meanwhile.
pub async fn read(
    cluster: &Cluster,
    source: &Source,
    after: After,
    follow: bool,
) -> Result<impl Stream<Item = Result<Line, ClusterError>> + Send + use<>, ClusterError> {
    let mut log = Box::pin(lines(open(cluster, source, after.since(), follow).await?));
    let mut tracker = Tracker::from(after.since());
    let mut lost = None;
    if let After::Mark(mark) = after
        && !pass_over(&mut log, &mut tracker, mark).await?
    {
        // It does not begin any more where it did.
        let last = Position { nanos: mark.last, nth: u32::MAX };
        let since = Some(second(last.nanos));
        log = Box::pin(lines(open(cluster, source, since, follow).await?));
        (tracker, lost) = (Tracker::from(since), Some(last));
    }
    let instant = match after {
        After::Instant(position) => Some(position),
        After::Start | After::Mark(_) => lost,
    };
    Ok(told(log, tracker, instant, lost.is_some()))
}

/// Passes over what was told before; false if the log is not the same up to there.
async fn pass_over(
    log: &mut (impl Stream<Item = Result<Stamped, ClusterError>> + Unpin),
    tracker: &mut Tracker,
    mark: Mark,
) -> Result<bool, ClusterError> {
    let mut last = None;
    for _ in 0..mark.count {
        match tokio::time::timeout(AGAIN, log.next()).await {
            Ok(Some(line)) => last = Some(tracker.take(line?.position.nanos).last),
            Ok(None) | Err(_) => return Ok(false),
        }
    }
    Ok(mark.count == 0 || last == Some(mark.last))
}

/// The lines of `log` with their marks, those up to `instant` left out.
fn told(
    log: impl Stream<Item = Result<Stamped, ClusterError>> + Send,
    mut tracker: Tracker,
    mut instant: Option<Position>,
    mut after_gap: bool,
) -> impl Stream<Item = Result<Line, ClusterError>> + Send {
    try_stream! {
        for await line in log {
            let Stamped { position, text, continues } = line?;
            let mark = tracker.take(position.nanos);
            if instant.is_some_and(|instant| position <= instant) {
                continue;
            }
            instant = None;
            yield Line { at: position.nanos, mark, text, continues, after_gap: std::mem::take(&mut after_gap) };
        }
    }
}

/// The place behind which the last `count` lines stand.
///
/// # Errors
/// As [`read`].
pub async fn before_last(cluster: &Cluster, source: &Source, count: usize) -> Result<After, ClusterError> {
    let found = tokio::time::timeout(PATIENCE, async {
        let asked = count + usize::try_from(COUNTED).unwrap_or(usize::MAX) + 1;
        let params = LogParams { tail_lines: i64::try_from(asked).ok(), ..params(source, false) };
        let reader = cluster.call(pods(cluster, source).log_stream(&source.pod, &params)).await?;
        let end = ends(lines(reader), Tracker::from(None), count).await?;
        if end.total < asked {
            return Ok(end.before());
        }
        // A long log: its end is counted from a minute before the oldest of these lines.
        let since = end.oldest.map(|oldest| second(oldest) - 60);
        let reader = open(cluster, source, since, false).await?;
        Ok(ends(lines(reader), Tracker::from(since), count).await?.before())
    });
    found.await.map_err(|_| ClusterError::Away(format!("no end of the log within {} s", PATIENCE.as_secs())))?
}

struct Ends {
    /// Lines read.
    total: usize,
    /// Their lowest stamp.
    oldest: Option<i64>,
    /// Where the last of them end, one more than is wanted.
    ends: VecDeque<Mark>,
    wanted: usize,
}

impl Ends {
    fn before(&self) -> After {
        self.ends.front().filter(|_| self.total > self.wanted).map_or(After::Start, |mark| After::Mark(*mark))
    }
}

/// Where the last `wanted` lines, and the one before them, end.
async fn ends(
    lines: impl Stream<Item = Result<Stamped, ClusterError>>,
    mut tracker: Tracker,
    wanted: usize,
) -> Result<Ends, ClusterError> {
    let mut lines = std::pin::pin!(lines);
    let mut found = Ends { total: 0, oldest: None, ends: VecDeque::new(), wanted };
    while let Some(line) = lines.next().await {
        let Stamped { position, continues, .. } = line?;
        let mark = tracker.take(position.nanos);
        found.oldest = found.oldest.into_iter().chain([position.nanos]).min();
        if continues {
            found.ends.pop_back();
        } else {
            found.total += 1;
        }
        found.ends.push_back(mark);
        if found.ends.len() > wanted + 1 {
            found.ends.pop_front();
        }
    }
    Ok(found)
}

/// Opens the log of this very pod and run.
async fn open(
    cluster: &Cluster,
    source: &Source,
    since: Option<i64>,
    follow: bool,
) -> Result<impl AsyncBufRead + Send + use<>, ClusterError> {
    // A cluster that is away says so here. The log itself may be silent for hours before it answers at all.
    let runs = runs_of(cluster, source).await?;
    let previous = match runs - source.run {
        ..=0 => false,
        1 => true,
        _ => return Err(started_again(source)),
    };
    let since_time = since.and_then(|since| Timestamp::from_second(since).ok());
    let params = LogParams { follow: follow && !previous, since_time, ..params(source, previous) };
    let reader = pods(cluster, source).log_stream(&source.pod, &params).await?;
    // Another pod of this name, or another run, may have come while it was being opened.
    match runs_of(cluster, source).await {
        Ok(now) if now != runs => Err(started_again(source)),
        Err(ClusterError::NotFound(message)) if message.contains("another") => Err(ClusterError::NotFound(message)),
        Ok(_) | Err(_) => Ok(reader),
    }
}

async fn runs_of(cluster: &Cluster, source: &Source) -> Result<i32, ClusterError> {
    let found = glance(cluster, &source.namespace, &source.pod, &source.uid).await?;
    Ok(found.get(&source.container).map_or(0, |glance| glance.restarts))
}

fn started_again(source: &Source) -> ClusterError {
    ClusterError::Conflict(format!("the container {} was started again", source.container))
}

fn pods(cluster: &Cluster, source: &Source) -> Api<Pod> {
    Api::namespaced(cluster.client(), &source.namespace)
}

fn params(source: &Source, previous: bool) -> LogParams {
    LogParams { container: Some(source.container.clone()), timestamps: true, previous, ..LogParams::default() }
}
