//! Groups lines into chunks: many lines of a busy task are one message, a single line of a quiet one is delivered at
//! once.

use std::pin::Pin;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::time::Instant;

use crate::cluster::ClusterError;
use crate::cluster::logs::Line;

/// Maximum size of the text in a chunk, in bytes.
pub const LARGEST: usize = 64 * 1024;
/// How long a chunk waits for more lines.
pub const LONGEST: Duration = Duration::from_millis(100);
/// The overhead of a line besides its text, so that a chunk of empty lines is limited.
const PER_LINE: usize = 64;

/// A piece of a log.
#[derive(Debug)]
pub enum Piece {
    /// Some lines, at least one.
    Lines(Vec<Line>),
    /// The log has ended.
    Ended,
    /// The connection broke.
    Broken(ClusterError),
}

/// Groups the lines of one log. It reads on only when the next piece is requested, so a slow reader slows down only its
/// own log.
pub struct Chunks {
    lines: Pin<Box<dyn Stream<Item = Result<Line, ClusterError>> + Send>>,
    held: Vec<Line>,
    bytes: usize,
    /// A line that did not fit into the last chunk.
    spare: Option<Line>,
    since: Option<Instant>,
    over: Option<Result<(), ClusterError>>,
}

impl Chunks {
    /// Groups the lines of `lines`.
    pub fn of(lines: BoxStream<'static, Result<Line, ClusterError>>) -> Self {
        Self { lines, held: Vec::new(), bytes: 0, spare: None, since: None, over: None }
    }

    /// The next piece. Cancel-safe: nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Piece {
        if let Some(line) = self.spare.take() {
            self.hold(line);
        }
        while self.spare.is_none() && self.over.is_none() {
            let line = match self.since {
                None => self.lines.next().await,
                Some(since) => match tokio::time::timeout_at(since + LONGEST, self.lines.next()).await {
                    Ok(line) => line,
                    Err(_) => break,
                },
            };
            match line {
                Some(Ok(line)) => self.hold(line),
                Some(Err(error)) => self.over = Some(Err(error)),
                None => self.over = Some(Ok(())),
            }
        }
        self.since = None;
        self.bytes = 0;
        match std::mem::take(&mut self.held) {
            held if !held.is_empty() => Piece::Lines(held),
            _ => match self.over.replace(Ok(())) {
                Some(Err(error)) => Piece::Broken(error),
                Some(Ok(())) | None => Piece::Ended,
            },
        }
    }

    fn hold(&mut self, line: Line) {
        let bytes = line.text.len() + PER_LINE;
        if !self.held.is_empty() && self.bytes + bytes > LARGEST {
            self.spare = Some(line);
            return;
        }
        self.since.get_or_insert_with(Instant::now);
        self.bytes += bytes;
        self.held.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::logs::Mark;
    use futures::stream;

    fn line(text: &str) -> Result<Line, ClusterError> {
        let mark = Mark { since: None, count: 1, last: 0 };
        Ok(Line { at: 0, mark, text: text.to_owned(), continues: false, after_gap: false })
    }

    fn count(piece: &Piece) -> usize {
        match piece {
            Piece::Lines(lines) => lines.len(),
            Piece::Ended | Piece::Broken(_) => 0,
        }
    }

    #[tokio::test]
    async fn what_is_there_at_once_is_one_chunk() {
        let mut chunks = Chunks::of(stream::iter([line("a"), line("b")]).boxed());
        assert_eq!(count(&chunks.next().await), 2);
        assert!(matches!(chunks.next().await, Piece::Ended));
        assert!(matches!(chunks.next().await, Piece::Ended));
    }

    #[tokio::test]
    async fn a_chunk_has_at_most_64_kib_and_no_line_is_lost() {
        let text = "x".repeat(10_000);
        let mut chunks = Chunks::of(stream::iter((0..20).map(|_| line(&text)).collect::<Vec<_>>()).boxed());
        let mut sizes = Vec::new();
        while let Piece::Lines(lines) = chunks.next().await {
            sizes.push(lines.len());
        }
        assert_eq!(sizes, [6, 6, 6, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_task_s_line_is_told_after_a_moment() {
        let lines = stream::iter([line("a")]).chain(stream::pending());
        let mut chunks = Chunks::of(lines.boxed());
        let since = Instant::now();
        assert_eq!(count(&chunks.next().await), 1);
        assert_eq!(since.elapsed(), LONGEST);
    }

    #[tokio::test]
    async fn lines_before_a_break_are_told_before_it() {
        let broken = Err(ClusterError::Away("reset".into()));
        let mut chunks = Chunks::of(stream::iter([line("a"), broken]).boxed());
        assert_eq!(count(&chunks.next().await), 1);
        assert!(matches!(chunks.next().await, Piece::Broken(_)));
    }
}
