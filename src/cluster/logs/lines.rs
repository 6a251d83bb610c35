//! The lines of a log's text, each with its timestamp.

use async_stream::try_stream;
use futures::Stream;
use futures::io::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::jiff::Timestamp;

use super::mark::Position;
use crate::cluster::ClusterError;
use crate::db::error_chain;

/// Maximum length of a piece of a line, in bytes; a program may write without ever ending a line.
pub const LONGEST_PIECE: usize = 16 * 1024;

/// A line, or a piece of a long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamped {
    pub(super) position: Position,
    pub(super) text: String,
    /// Whether it continues the line before it.
    pub(super) continues: bool,
}

/// The lines read from `reader`. A line that is incomplete because the connection broke is dropped.
pub(super) fn lines(reader: impl AsyncBufRead + Send) -> impl Stream<Item = Result<Stamped, ClusterError>> + Send {
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
    /// Splits off the timestamp. A line without one gets the timestamp of the line before it.
    fn read(&mut self, line: &str, continues: bool) -> Stamped {
        let before = self.0;
        let (time, text) = line.split_once(' ').unwrap_or((line, ""));
        let stamp = time.parse::<Timestamp>().ok().filter(|_| !continues);
        let stamp = stamp.and_then(|time| i64::try_from(time.as_nanosecond()).ok());
        let (nanos, text) = match stamp {
            Some(nanos) => (nanos, text),
            None => (before.map_or(0, |before| before.nanos), line),
        };
        let nth = before.filter(|before| before.nanos == nanos).map_or(1, |before| before.nth.saturating_add(1));
        let position = Position { nanos, nth };
        self.0 = Some(position);
        Stamped { position, text: text.to_owned(), continues }
    }
}
