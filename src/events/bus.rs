//! The in-process bus: what this replica hears of the database, handed to everybody whom it concerns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};

use super::cursor::Seq;
use super::line::Lines;
use super::model::Row;
use super::{listen, retention};
use crate::db::Db;
use crate::tasks::{Duty, Tasks};

/// Notices that may wait.
const NOTICES: usize = 256;

/// Something other than an event that every replica is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A session has ended or a person was disabled: the payload names which.
    Revoked(Arc<str>),
    /// Notices may have been missed while the database was away: check again.
    Resynchronise,
}

/// How much this replica has heard of changed rights and ended sessions. What was read at one revision is not older than
/// any change that this replica knows of, as long as the revision is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revision(u64);

impl Revision {
    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A handle to the bus. Clones are the same bus.
#[derive(Clone)]
pub struct Bus {
    revision: Arc<AtomicU64>,
    lines: Arc<Lines>,
    notices: broadcast::Sender<Notice>,
    heard: Arc<Mutex<Instant>>,
}

impl Bus {
    /// Starts reading the log for these lines; events begin with what commits from now on.
    pub fn start(tasks: &Tasks, db: &Db, retention: Duration, lines: Lines) -> Self {
        let bus = Self {
            revision: Arc::default(),
            lines: Arc::new(lines),
            notices: broadcast::Sender::new(NOTICES),
            heard: Arc::new(Mutex::new(Instant::now())),
        };
        listen::spawn(tasks, db, &bus);
        let log = db.clone();
        tasks.supervise("event retention", Duty::Housekeeping, move || retention::run(log.clone(), retention));
        bus
    }

    /// Notices from now on.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// What was heard so far of changed rights and ended sessions.
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::SeqCst))
    }

    /// Notes that rights or sessions may have changed, before a notice comes: whoever changes them here knows first.
    pub fn revise(&self) {
        self.revision.fetch_add(1, Ordering::SeqCst);
    }

    /// Up to where the bus has handed out events; `None` until the log was read for the first time.
    pub fn tip(&self) -> watch::Receiver<Option<Seq>> {
        self.lines.tip().subscribe()
    }

    /// How long ago the log was last read.
    pub fn silence(&self) -> Duration {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Subscribers at present.
    pub fn subscribers(&self) -> usize {
        self.lines.members()
    }

    pub(super) fn publish(&self, row: &Row) {
        self.lines.hand_out(row);
    }

    /// Notes that the log was read just now.
    pub(super) fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The log was restored to an earlier state and reaches up to `tip` only: whoever follows it has to begin anew.
    pub(super) fn restored(&self, tip: Seq) {
        self.lines.restored(tip);
        self.announce(Notice::Resynchronise);
    }

    pub(super) fn reached(&self, seq: Seq) {
        self.lines.tip().send_replace(Some(seq));
    }

    pub(super) fn announce(&self, notice: Notice) {
        // First, so that who is woken by the notice does not find what was remembered before it.
        self.revise();
        // No listener is no error.
        let _ = self.notices.send(notice);
    }

    /// Ends every feed once it has taken what was handed out.
    pub(super) fn close(&self) {
        self.lines.close();
    }
}
