//! The in-process bus: what the log has new, handed to every feed of this replica.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use super::cursor::Seq;
use super::model::JobEvent;
use super::{listen, retention};
use crate::db::Db;
use crate::tasks::Tasks;

/// Events a subscriber may be behind before it is told that it does not keep up.
const BACKLOG: usize = 4096;
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

/// A handle to the bus. Clones are the same bus.
#[derive(Clone)]
pub struct Bus {
    events: broadcast::Sender<Arc<JobEvent>>,
    notices: broadcast::Sender<Notice>,
    tip: watch::Sender<Option<Seq>>,
}

impl Bus {
    /// Starts reading the log; events begin with what commits from now on.
    pub fn start(tasks: &Tasks, db: &Db, retention: Duration) -> Self {
        let bus = Self {
            events: broadcast::Sender::new(BACKLOG),
            notices: broadcast::Sender::new(NOTICES),
            tip: watch::Sender::new(None),
        };
        tasks.spawn("event listener", listen::run(db.clone(), bus.clone()));
        tasks.spawn("event retention", retention::run(db.clone(), retention));
        bus
    }

    /// Events from now on.
    pub fn events(&self) -> broadcast::Receiver<Arc<JobEvent>> {
        self.events.subscribe()
    }

    /// Notices from now on.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Up to where the bus has handed out events; `None` until the log was read for the first time.
    pub fn tip(&self) -> watch::Receiver<Option<Seq>> {
        self.tip.subscribe()
    }

    /// Subscribers at present.
    pub fn subscribers(&self) -> usize {
        self.events.receiver_count()
    }

    pub(super) fn publish(&self, event: JobEvent) {
        let seq = Seq(event.seq);
        metrics::counter!("platform_events_total", "kind" => event.kind.clone()).increment(1);
        // No subscriber is no error.
        let _ = self.events.send(Arc::new(event));
        self.tip.send_replace(Some(seq));
    }

    pub(super) fn reached(&self, seq: Seq) {
        self.tip.send_replace(Some(seq));
    }

    pub(super) fn announce(&self, notice: Notice) {
        let _ = self.notices.send(notice);
    }
}
