//! Where a line stands in a log whose time stamps may go back.
//!
//! A kubelet can be asked for the lines that are not older than a whole second, and gives those in the order in which they
//! were written; stdout and stderr are stamped apart, and clocks are set back. So a place is not a time: it is a second to
//! ask from and how many of the lines that come then were told. While a log is short the second is left out and all lines
//! are counted, which is right for any stamps. In a longer one it lies a minute behind the newest stamp, less where very much
//! is written: a line that is stamped further back than that is told to who follows, and not to who resumes before it.

use std::collections::BTreeMap;

const NANOS: i64 = 1_000_000_000;
/// Lines that are counted before the second to ask from moves on.
pub(super) const COUNTED: u64 = 5_000;
/// How far behind the newest stamp it may lie, in seconds: the first that leaves few enough lines.
const BEHIND: [i64; 3] = [60, 10, 1];

/// Behind which line of a log a reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The second since 1970 to ask from; `None` for the log's beginning.
    pub since: Option<i64>,
    /// How many of the lines and pieces of lines from there on were told.
    pub count: u64,
    /// The time stamp of the last one, in nanoseconds since 1970.
    pub last: i64,
}

/// Where a line stands in a log whose stamps rise. Lines of one instant are told apart by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Nanoseconds since 1970, as the node wrote it.
    pub nanos: i64,
    /// Which line or piece of that instant, from 1.
    pub nth: u32,
}

/// Where to begin in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// At its beginning.
    Start,
    /// Behind this line.
    Mark(Mark),
    /// Behind the last line that is not later: all that is known where lines were lost, or from an older cursor.
    Instant(Position),
}

impl After {
    /// The second to ask from.
    pub(super) fn since(self) -> Option<i64> {
        match self {
            Self::Start => None,
            Self::Mark(mark) => mark.since,
            Self::Instant(position) => Some(second(position.nanos)),
        }
    }
}

/// Counts the lines of a log as they come.
#[derive(Debug, Clone)]
pub(super) struct Tracker {
    since: Option<i64>,
    /// Lines by their second, from `since` on.
    seconds: BTreeMap<i64, u64>,
    count: u64,
}

impl Tracker {
    /// For a log that is asked for from this second on.
    pub(super) fn from(since: Option<i64>) -> Self {
        Self { since, seconds: BTreeMap::new(), count: 0 }
    }

    /// Takes a line in, and says where it stands.
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

    /// What is counted follows from the lines before alone, wherever a reader began: equal places have equal marks.
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

/// The whole second of a stamp.
pub(super) fn second(nanos: i64) -> i64 {
    nanos.div_euclid(NANOS)
}
