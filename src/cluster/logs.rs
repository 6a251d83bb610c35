//! A pod's log: read line by line, resumable at any line by the time that the node gave it.

use std::collections::VecDeque;
use std::time::Duration;

use async_stream::try_stream;
use futures::io::{AsyncBufRead, AsyncBufReadExt};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::LogParams;
use kube::{Api, ResourceExt};

use super::client::Cluster;
use super::error::ClusterError;
use crate::db::error_chain;

/// Bytes of a line that are told in one piece; a program may write without ever ending a line.
pub const LONGEST_PIECE: usize = 16 * 1024;
/// How long the end of a log may take to read.
const PATIENCE: Duration = Duration::from_secs(30);
/// The end of a log is read in larger and larger parts up to this many lines, to count the lines of one instant.
const LARGEST_TAIL: usize = 100_000;

/// Whose log: the container of the one pod that has this uid. A pod that runs again has its name, but not its uid.
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
}

/// A line, or a piece of a long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub position: Position,
    /// What it says.
    pub text: String,
    /// Whether it goes on with the line before it.
    pub continues: bool,
}

/// Where a line stands in its log. Lines of one instant are told apart by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Nanoseconds since 1970, as the node wrote it.
    pub nanos: i128,
    /// Which line or piece of that instant, from 1.
    pub nth: u32,
}

/// Reads the log behind `after`, or from its start; with `follow` also what is yet to come, until the container ends.
///
/// # Errors
/// [`ClusterError::NotFound`] if the pod is there no more, [`ClusterError::Invalid`] if its container has not begun.
pub async fn read(
    cluster: &Cluster,
    source: &Source,
    after: Option<Position>,
    follow: bool,
) -> Result<impl Stream<Item = Result<Line, ClusterError>> + Send + use<>, ClusterError> {
    let params = LogParams {
        follow,
        since_time: after.and_then(|after| Timestamp::from_second(seconds(after)).ok()),
        ..params(source)
    };
    // A cluster that is away says so here. The log itself may be silent for hours before it answers at all.
    match uid_of(cluster, source).await? {
        Some(uid) if uid == source.uid => {}
        Some(_) | None => return Err(gone(source)),
    }
    let reader = pods(cluster, source).log_stream(&source.pod, &params).await?;
    // Another pod of this name may have come while it was being opened.
    if uid_of(cluster, source).await?.is_some_and(|uid| uid != source.uid) {
        return Err(gone(source));
    }
    // The cluster begins with the whole second: what the reader has is dropped.
    let is_new = move |line: &Line| after.is_none_or(|after| line.position > after);
    Ok(lines(reader).filter(move |line| std::future::ready(line.as_ref().map_or(true, is_new))))
}

/// The position behind which the last `count` lines stand; `None` if the log has no more than those.
///
/// # Errors
/// As [`read`].
pub async fn before_last(cluster: &Cluster, source: &Source, count: usize) -> Result<Option<Position>, ClusterError> {
    let found = tokio::time::timeout(PATIENCE, async {
        // One line more than is wanted, to stand behind, and one more to see how many that one's instant has.
        let mut asked = count + 2;
        loop {
            let tail = i64::try_from(asked).ok();
            let params = LogParams { tail_lines: tail, ..params(source) };
            let reader = cluster.call(pods(cluster, source).log_stream(&source.pod, &params)).await?;
            let (tail, begins_at) = ends(lines(reader), count + 1).await?;
            let whole = tail.total < asked;
            let stands = tail.ends.front().copied().filter(|_| tail.total > count);
            match stands {
                // Of an instant that the part begins with it is not known how many lines came before.
                Some(stands) if !whole && asked < LARGEST_TAIL && Some(stands.nanos) == begins_at => asked *= 2,
                stands => return Ok(stands),
            }
        }
    });
    found.await.map_err(|_| ClusterError::Away(format!("no end of the log within {} s", PATIENCE.as_secs())))?
}

struct Ends {
    /// Lines read.
    total: usize,
    /// Where the last of them end.
    ends: VecDeque<Position>,
}

/// Where the last `most` lines end, and the instant of the first.
async fn ends(
    lines: impl Stream<Item = Result<Line, ClusterError>>,
    most: usize,
) -> Result<(Ends, Option<i128>), ClusterError> {
    let mut lines = std::pin::pin!(lines);
    let mut found = Ends { total: 0, ends: VecDeque::new() };
    let mut first = None;
    while let Some(line) = lines.next().await {
        let Line { position, continues, .. } = line?;
        first.get_or_insert(position.nanos);
        if continues {
            found.ends.pop_back();
        } else {
            found.total += 1;
        }
        found.ends.push_back(position);
        if found.ends.len() > most {
            found.ends.pop_front();
        }
    }
    Ok((found, first))
}

fn pods(cluster: &Cluster, source: &Source) -> Api<Pod> {
    Api::namespaced(cluster.client(), &source.namespace)
}

fn params(source: &Source) -> LogParams {
    LogParams { container: Some(source.container.clone()), timestamps: true, ..LogParams::default() }
}

fn gone(source: &Source) -> ClusterError {
    ClusterError::NotFound(format!("the pod {} with the uid {} is there no more", source.pod, source.uid))
}

/// The uid of the pod that has the name now.
async fn uid_of(cluster: &Cluster, source: &Source) -> Result<Option<String>, ClusterError> {
    let pod = cluster.call(pods(cluster, source).get_opt(&source.pod)).await?;
    Ok(pod.and_then(|pod| pod.uid()))
}

fn seconds(position: Position) -> i64 {
    i64::try_from(position.nanos.div_euclid(1_000_000_000)).unwrap_or(0)
}

/// The lines that `reader` gives. One that ends in the middle because the connection broke is not told.
fn lines(reader: impl AsyncBufRead + Send) -> impl Stream<Item = Result<Line, ClusterError>> + Send {
    try_stream! {
        let mut reader = std::pin::pin!(reader);
        let mut numbering = Numbering::default();
        let (mut held, mut continues) = (Vec::new(), false);
        loop {
            let found = {
                let read = reader.fill_buf().await.map_err(|error| ClusterError::Away(error_chain(&error)))?;
                if read.is_empty() {
                    break;
                }
                let newline = read.iter().position(|byte| *byte == b'\n');
                let taken = newline.unwrap_or(read.len());
                held.extend_from_slice(&read[..taken]);
                let used = taken + usize::from(newline.is_some());
                reader.consume_unpin(used);
                newline.is_some()
            };
            while held.len() > LONGEST_PIECE {
                let rest = held.split_off(cut(&held));
                let piece = std::mem::replace(&mut held, rest);
                yield numbering.read(&String::from_utf8_lossy(&piece), continues);
                continues = true;
            }
            if found {
                yield numbering.read(&String::from_utf8_lossy(&held), continues);
                held.clear();
                continues = false;
            }
        }
        if !held.is_empty() {
            yield numbering.read(&String::from_utf8_lossy(&held), continues);
        }
    }
}

/// Where a piece of at most [`LONGEST_PIECE`] bytes ends: not within a character.
fn cut(bytes: &[u8]) -> usize {
    let is_inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    (LONGEST_PIECE - 3..=LONGEST_PIECE).rev().find(|at| !is_inside(at)).unwrap_or(LONGEST_PIECE)
}

#[derive(Default)]
struct Numbering(Option<Position>);

impl Numbering {
    /// Takes the time off a line. A line without one belongs to the instant before it.
    fn read(&mut self, line: &str, continues: bool) -> Line {
        let before = self.0;
        let (time, text) = line.split_once(' ').unwrap_or((line, ""));
        let (nanos, text) = match time.parse::<Timestamp>() {
            Ok(time) if !continues => (time.as_nanosecond(), text),
            Ok(_) | Err(_) => (before.map_or(0, |before| before.nanos), line),
        };
        let nth = before.filter(|before| before.nanos == nanos).map_or(1, |before| before.nth + 1);
        let position = Position { nanos, nth };
        self.0 = Some(position);
        Line { position, text: text.to_owned(), continues }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn read_all(text: &[u8]) -> Vec<Line> {
        lines(text).map(Result::unwrap).collect().await
    }

    #[tokio::test]
    async fn lines_of_one_instant_are_numbered() {
        let text = b"2026-01-01T00:00:00.5Z one\n2026-01-01T00:00:00.5Z two\n2026-01-01T00:00:01Z three four\n";
        let read = read_all(text).await;
        assert_eq!(read.iter().map(|line| line.position.nth).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(read[2].text, "three four");
        assert!(read[0].position < read[1].position && read[1].position < read[2].position);
    }

    #[tokio::test]
    async fn an_empty_line_is_a_line_and_one_without_a_time_belongs_to_the_instant_before() {
        let read = read_all(b"2026-01-01T00:00:00Z \n2026-01-01T00:00:00Z\nunable to retrieve more\n").await;
        let told: Vec<_> = read.iter().map(|line| (line.position.nth, line.text.as_str())).collect();
        assert_eq!(told, [(1, ""), (2, ""), (3, "unable to retrieve more")]);
    }

    #[tokio::test]
    async fn a_line_without_end_comes_in_pieces_that_are_numbered() {
        let long = "é".repeat(LONGEST_PIECE);
        let read = read_all(format!("2026-01-01T00:00:00Z {long}\n2026-01-01T00:00:00Z next\n").as_bytes()).await;
        let continues: Vec<_> = read.iter().map(|line| line.continues).collect();
        assert_eq!(continues, [false, true, true, false]);
        assert_eq!(read[..3].iter().map(|line| line.text.as_str()).collect::<String>(), long);
        assert!(read.iter().all(|line| line.text.len() <= LONGEST_PIECE));
        assert_eq!(read[3].position.nth, 4);
    }

    #[tokio::test]
    async fn the_last_lines_begin_behind_the_line_before_them() {
        let text = b"2026-01-01T00:00:00Z a\n2026-01-01T00:00:00Z b\n2026-01-01T00:00:01Z c\n";
        let (found, first) = ends(lines(&text[..]), 2).await.unwrap();
        assert_eq!((found.total, found.ends.front().unwrap().nth), (3, 2));
        assert_eq!(first, Some(found.ends[0].nanos));
    }

    proptest! {
        #[test]
        fn positions_rise_and_no_text_is_lost(text in proptest::collection::vec("[ -~é]{0,30}", 0..20)) {
            let log: String = text.iter().map(|line| format!("2026-01-01T00:00:00Z {line}\n")).collect();
            let read = futures::executor::block_on(read_all(log.as_bytes()));
            prop_assert!(read.windows(2).all(|pair| pair[0].position < pair[1].position));
            prop_assert_eq!(read.into_iter().map(|line| line.text).collect::<Vec<_>>(), text);
        }
    }
}
