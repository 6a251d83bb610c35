//! The position of a line in a log whose timestamps may go back.
//!
//! A kubelet can return the lines that are not older than a whole second, in the order in which they were written;
//! stdout and stderr are stamped independently, and clocks are set back. So a position is not a time: it is a second to
//! read from and the number of lines from there on that were delivered. While a log is short the second is left out and
//! all lines are counted, which is correct for any timestamps. In a longer one it is a minute before the newest
//! timestamp, or less if very much is written: a line that is stamped further back is delivered to those who follow,
//! but not to those who resume before it.

use std::collections::BTreeMap;

const NANOS: i64 = 1_000_000_000;
/// Number of lines that are counted before the second to read from moves on.
pub(super) const COUNTED: u64 = 5_000;
/// How far it may be before the newest timestamp, in seconds: the first value that leaves few enough lines is used.
const BEHIND: [i64; 3] = [60, 10, 1];

/// The position of a reader in a log, after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The second since 1970 to read from; `None` for the beginning of the log.
    pub since: Option<i64>,
    /// How many lines and pieces of lines from there on were delivered.
    pub count: u64,
    /// The timestamp of the last one, in nanoseconds since 1970.
    pub last: i64,
}

/// The position of a line in a log with ascending timestamps. Lines with the same timestamp are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Nanoseconds since 1970, from the clock of the node.
    pub nanos: i64,
    /// The number of the line or piece with that timestamp, from 1.
    pub nth: u32,
}

/// Where to start reading a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// At the beginning.
    Start,
    /// After this line.
    Mark(Mark),
    /// After the last line that is not later: used if lines were lost, or for an older cursor.
    Instant(Position),
}

impl After {
    /// The second to read from.
    pub(super) fn since(self) -> Option<i64> {
        match self {
            Self::Start => None,
            Self::Mark(mark) => mark.since,
            Self::Instant(position) => Some(second(position.nanos)),
        }
    }
}

/// Counts the lines of a log as they are read.
#[derive(Debug, Clone)]
pub(super) struct Tracker {
    since: Option<i64>,
    /// Number of lines by second, from `since` on.
    seconds: BTreeMap<i64, u64>,
    count: u64,
}

impl Tracker {
    /// For a log that is read from this second on.
    pub(super) fn from(since: Option<i64>) -> Self {
        Self { since, seconds: BTreeMap::new(), count: 0 }
    }

    /// Adds a line and returns its position.
    pub(super) fn take(&mut self, nanos: i64) -> Mark {
        let second = second(nanos);
        if self.since.is_none_or(|since| since <= second) {
            *self.seconds.entry(second).or_default() += 1;
            self.count += 1;
        }
        if self.count > COUNTED {
            self.move_on();
        }
        Mark { since: self.since, count: self.count, last: nanos }
    }

    /// Depends only on the lines before, wherever a reader started: equal positions have equal marks.
    fn move_on(&mut self) {
        let Some(newest) = self.seconds.keys().next_back().copied() else { return };
        for behind in BEHIND {
            let since = newest - behind;
            if self.since.is_none_or(|before| before < since) {
                self.seconds = self.seconds.split_off(&since);
                self.count = self.seconds.values().sum();
                self.since = Some(since);
            }
            if self.count <= COUNTED {
                return;
            }
        }
    }
}

/// The whole second of a timestamp.
pub(super) fn second(nanos: i64) -> i64 {
    nanos.div_euclid(NANOS)
}
