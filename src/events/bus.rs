//! The in-process bus: delivers what this replica hears from the database to everyone concerned.

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

/// Maximum number of queued notices.
const NOTICES: usize = 256;

/// A notice to every replica that is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A session has ended or a user was disabled: the payload is the id.
    Revoked(Arc<str>),
    /// Notices may have been missed while the database was unavailable: check again.
    Resynchronise,
}

/// A counter of the changed rights and ended sessions that this replica has heard of. Data read at one revision is not
/// older than any change known to this replica, as long as the revision is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revision(u64);

impl Revision {
    /// The next one.
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
    /// Starts reading the log for these lines, beginning with events that commit from now on.
    pub fn start(tasks: &Tasks, db: &Db, retention: Duration, lines: Lines) -> Self {
        let kept = lines.histories();
        let bus = Self {
            revision: Arc::default(),
            lines: Arc::new(lines),
            notices: broadcast::Sender::new(NOTICES),
            heard: Arc::new(Mutex::new(Instant::now())),
        };
        listen::spawn(tasks, db, &bus);
        let log = db.clone();
        tasks.supervise("event retention", Duty::Housekeeping, move || {
            retention::run(log.clone(), retention, kept.clone())
        });
        bus
    }

    /// Notices from now on.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// The current revision of rights and sessions.
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::SeqCst))
    }

    /// Records that rights or sessions may have changed, before the notice arrives: the replica that changes them knows
    /// first.
    pub fn revise(&self) {
        self.revision.fetch_add(1, Ordering::SeqCst);
    }

    /// The last event that the bus has delivered; `None` until the log was read for the first time.
    pub fn tip(&self) -> watch::Receiver<Option<Seq>> {
        self.lines.tip().subscribe()
    }

    /// How long ago the log was last read.
    pub fn silence(&self) -> Duration {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Number of current subscribers.
    pub fn subscribers(&self) -> usize {
        self.lines.members()
    }

    pub(super) fn publish(&self, row: &Row) {
        self.lines.hand_out(row);
    }

    /// Records that the log was read just now.
    pub(super) fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The log was restored to an earlier state and ends at `tip`: whoever follows it has to start again.
    pub(super) fn restored(&self, tip: Seq) {
        self.lines.restored(tip);
        self.announce(Notice::Resynchronise);
    }

    pub(super) fn reached(&self, seq: Seq) {
        self.lines.tip().send_replace(Some(seq));
    }

    pub(super) fn announce(&self, notice: Notice) {
        // First, so that whoever is woken by the notice does not use anything cached before it.
        self.revise();
        // It is not an error if there is no listener.
        let _ = self.notices.send(notice);
    }

    /// Ends every feed after it has taken what was delivered.
    pub(super) fn close(&self) {
        self.lines.close();
    }
}
