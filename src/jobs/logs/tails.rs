//! One connection to the cluster for all readers that follow the same log at about the same position.
//!
//! A tail reads a log that is still being written and keeps its last passages. A reader within them gets the same lines
//! in the same passages; a reader that is further back, or too slow, reads alone until it has caught up. A tail reads
//! on only when a reader requests more.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::stream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::chunks::{Chunks, Piece};
use crate::cluster::logs::{self, After, Line, Source};
use crate::cluster::{Cluster, ClusterError};
use crate::tasks::Tasks;

/// Number of passages that a tail keeps, of at most 64 KiB each.
const KEPT: usize = 8;

/// Lines that were read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Its number: readers of the same passage get the same number.
    pub number: i64,
    /// The lines, at least one.
    pub lines: Arc<[Line]>,
}

/// The next item of a log.
#[derive(Debug)]
pub enum Told {
    /// Some lines.
    Passage(Passage),
    /// The log has ended.
    Ended,
    /// The connection broke.
    Broken(ClusterError),
}

/// The tails of a server. Clones are handles to the same tails.
#[derive(Clone)]
pub struct Tails(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    tasks: Tasks,
    open: Mutex<HashMap<Source, Weak<Tail>>>,
    numbers: AtomicI64,
}

impl Tails {
    /// No tails yet. They read from `cluster` and run in `tasks`.
    pub fn new(cluster: Cluster, tasks: &Tasks) -> Self {
        Self(Arc::new(Inner { cluster, tasks: tasks.clone(), open: Mutex::default(), numbers: AtomicI64::new(1) }))
    }

    /// A number that no passage has had before.
    pub fn number(&self) -> i64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The log after `after`: shared if it `goes_on`, not shared if it is complete.
    pub(super) fn read(&self, source: Source, after: After, goes_on: bool) -> Reading {
        let via = match goes_on {
            true => self.join_or_begin(&source, after),
            false => Via::Alone(self.chunks(&source, after, false)),
        };
        Reading { tails: self.clone(), source, after, goes_on, via }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Source, Weak<Tail>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opened when the first item is requested: a log that is followed may be silent for hours.
    fn chunks(&self, source: &Source, after: After, goes_on: bool) -> Chunks {
        metrics::counter!("platform_log_connections_total").increment(1);
        let (cluster, source) = (self.0.cluster.clone(), source.clone());
        let lines = async move { logs::read(&cluster, &source, after, goes_on).await };
        Chunks::of(stream::once(lines).try_flatten().boxed())
    }

    fn join_or_begin(&self, source: &Source, after: After) -> Via {
        let mut open = self.open();
        match open.get(source).and_then(Weak::upgrade).filter(|tail| tail.is_going_on()) {
            Some(tail) if tail.holds(after) => Via::Tail(tail.tap()),
            Some(_) => Via::Alone(self.chunks(source, after, true)),
            None => {
                open.retain(|_, tail| tail.strong_count() > 0);
                let tail = Tail::begin(self, self.chunks(source, after, true), after);
                open.insert(source.clone(), Arc::downgrade(&tail));
                Via::Tail(tail.tap())
            }
        }
    }

    fn join(&self, source: &Source, after: After) -> Option<Tap> {
        let tail = self.open().get(source).and_then(Weak::upgrade)?;
        (tail.is_going_on() && tail.holds(after)).then(|| tail.tap())
    }
}

/// One reader of a log.
pub(super) struct Reading {
    tails: Tails,
    source: Source,
    /// The last line that the reader has received.
    after: After,
    goes_on: bool,
    via: Via,
}

enum Via {
    Tail(Tap),
    Alone(Chunks),
}

impl Reading {
    /// The next item. Cancel-safe: nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Told {
        loop {
            match &mut self.via {
                Via::Tail(tap) => match tap.next(self.after, &self.tails).await {
                    Some(told) => return self.note(told),
                    None => self.via = Via::Alone(self.tails.chunks(&self.source, self.after, self.goes_on)),
                },
                Via::Alone(chunks) => {
                    let told = match chunks.next().await {
                        Piece::Lines(lines) => {
                            Told::Passage(Passage { number: self.tails.number(), lines: lines.into() })
                        }
                        Piece::Ended => Told::Ended,
                        Piece::Broken(error) => Told::Broken(error),
                    };
                    let told = self.note(told);
                    if self.goes_on
                        && let Some(tap) = self.tails.join(&self.source, self.after)
                    {
                        self.via = Via::Tail(tap);
                    }
                    return told;
                }
            }
        }
    }

    fn note(&mut self, told: Told) -> Told {
        if let Told::Passage(passage) = &told {
            self.after = passage.lines.last().map_or(self.after, |line| After::Mark(line.mark));
        }
        told
    }
}

/// A log that several readers share.
struct Tail {
    kept: Mutex<Kept>,
    changed: watch::Sender<()>,
    wanted: Arc<Notify>,
    _reads_until_dropped: DropGuard,
}

/// What a tail remembers.
#[derive(Debug)]
struct Kept {
    /// The passages, each with the position before it.
    passages: VecDeque<(After, Passage)>,
    /// The position after the last passage.
    end: After,
    over: Option<Over>,
}

#[derive(Debug, Clone)]
enum Over {
    Ended,
    Broken(ClusterError),
}

/// The answer of a tail to a reader at some position.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// This whole passage.
    Passage(Passage),
    /// The lines of a passage that the reader has not received.
    Rest(Vec<Line>),
    /// Nothing yet.
    Nothing,
    /// Nothing ever: the tail does not have the position.
    Elsewhere,
}

impl Kept {
    fn find(&self, after: After) -> Found {
        for (before, passage) in &self.passages {
            if *before == after {
                return Found::Passage(passage.clone());
            }
            let told = passage.lines.iter().position(|line| After::Mark(line.mark) == after);
            let rest = told.and_then(|told| passage.lines.get(told + 1..)).filter(|rest| !rest.is_empty());
            if let Some(rest) = rest {
                return Found::Rest(rest.to_vec());
            }
        }
        if self.end == after { Found::Nothing } else { Found::Elsewhere }
    }
}

impl Tail {
    fn begin(tails: &Tails, chunks: Chunks, after: After) -> Arc<Self> {
        let (stop, wanted) = (CancellationToken::new(), Arc::new(Notify::new()));
        let tail = Arc::new(Self {
            kept: Mutex::new(Kept { passages: VecDeque::with_capacity(KEPT), end: after, over: None }),
            changed: watch::Sender::new(()),
            wanted: Arc::clone(&wanted),
            _reads_until_dropped: stop.clone().drop_guard(),
        });
        let work = fill(Arc::downgrade(&tail), tails.clone(), chunks, wanted);
        tails.0.tasks.spawn("log tail", stop.run_until_cancelled_owned(work).map(|_| ()));
        tail
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_going_on(&self) -> bool {
        self.kept().over.is_none()
    }

    fn holds(&self, after: After) -> bool {
        self.kept().find(after) != Found::Elsewhere
    }

    fn tap(self: &Arc<Self>) -> Tap {
        Tap { tail: Arc::clone(self), changed: self.changed.subscribe() }
    }

    /// Adds what was read; returns whether there will be more.
    fn take(&self, piece: Piece, number: i64) -> bool {
        let mut kept = self.kept();
        match piece {
            Piece::Lines(lines) => {
                let before = kept.end;
                kept.end = lines.last().map_or(before, |line| After::Mark(line.mark));
                if kept.passages.len() == KEPT {
                    kept.passages.pop_front();
                }
                kept.passages.push_back((before, Passage { number, lines: lines.into() }));
            }
            Piece::Ended => kept.over = Some(Over::Ended),
            Piece::Broken(error) => kept.over = Some(Over::Broken(error)),
        }
        let goes_on = kept.over.is_none();
        drop(kept);
        self.changed.send_replace(());
        goes_on
    }
}

/// Reads for a tail whenever a reader requests more, until the log has ended or no reader is left.
async fn fill(tail: Weak<Tail>, tails: Tails, mut chunks: Chunks, wanted: Arc<Notify>) {
    loop {
        wanted.notified().await;
        let piece = chunks.next().await;
        let Some(tail) = tail.upgrade() else { return };
        if !tail.take(piece, tails.number()) {
            return;
        }
    }
}

/// One reader of a tail.
struct Tap {
    tail: Arc<Tail>,
    changed: watch::Receiver<()>,
}

impl Tap {
    /// The item after `after`; `None` if the tail has moved on without this reader.
    async fn next(&mut self, after: After, tails: &Tails) -> Option<Told> {
        loop {
            self.changed.mark_unchanged();
            let (found, over) = {
                let kept = self.tail.kept();
                (kept.find(after), kept.over.clone())
            };
            match (found, over) {
                (Found::Passage(passage), _) => return Some(Told::Passage(passage)),
                (Found::Rest(lines), _) => {
                    return Some(Told::Passage(Passage { number: tails.number(), lines: lines.into() }));
                }
                (Found::Elsewhere, _) => return None,
                (Found::Nothing, Some(Over::Ended)) => return Some(Told::Ended),
                (Found::Nothing, Some(Over::Broken(error))) => return Some(Told::Broken(error)),
                (Found::Nothing, None) => {
                    self.tail.wanted.notify_one();
                    // The tail lives as long as this tap, and so does its sender.
                    let _ = self.changed.changed().await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::logs::Mark;

    fn line(count: u64) -> Line {
        let mark = Mark { since: None, count, last: 0 };
        Line { at: 0, mark, text: count.to_string(), continues: false, after_gap: false }
    }

    fn at(count: u64) -> After {
        After::Mark(line(count).mark)
    }

    /// A tail that started after line 2 and has the passages 3 to 4 and 5 to 7.
    fn kept() -> Kept {
        let passage =
            |number, lines: std::ops::RangeInclusive<u64>| Passage { number, lines: lines.map(line).collect() };
        Kept { passages: [(at(2), passage(1, 3..=4)), (at(4), passage(2, 5..=7))].into(), end: at(7), over: None }
    }

    #[test]
    fn who_stands_between_passages_is_told_the_next_one() {
        let number = |after| match kept().find(after) {
            Found::Passage(passage) => Some(passage.number),
            Found::Rest(_) | Found::Nothing | Found::Elsewhere => None,
        };
        assert_eq!((number(at(2)), number(at(4))), (Some(1), Some(2)));
        assert_eq!(kept().find(at(7)), Found::Nothing);
    }

    #[test]
    fn who_stands_within_one_is_told_the_rest_of_it() {
        assert_eq!(kept().find(at(5)), Found::Rest(vec![line(6), line(7)]));
        assert_eq!(kept().find(at(3)), Found::Rest(vec![line(4)]));
    }

    #[test]
    fn who_is_further_back_or_further_on_stands_elsewhere() {
        assert_eq!(kept().find(After::Start), Found::Elsewhere);
        assert_eq!(kept().find(at(1)), Found::Elsewhere);
        assert_eq!(kept().find(at(8)), Found::Elsewhere);
    }

    #[test]
    fn a_tail_that_has_read_nothing_has_only_its_beginning() {
        let kept = Kept { passages: VecDeque::new(), end: After::Start, over: None };
        assert_eq!((kept.find(After::Start), kept.find(at(1))), (Found::Nothing, Found::Elsewhere));
    }
}
