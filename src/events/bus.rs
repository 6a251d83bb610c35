//! The in-process bus: what the log has new, handed to every feed of this replica that it concerns.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};

use super::cursor::Seq;
use super::inbox::{Inbox, News};
use super::model::JobEvent;
use super::topic::{self, Topic, Topics};
use super::{listen, retention};
use crate::db::Db;
use crate::tasks::Tasks;

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
    feeds: Arc<Feeds>,
    notices: broadcast::Sender<Notice>,
    tip: watch::Sender<Option<Seq>>,
    heard: Arc<Mutex<Instant>>,
}

impl Bus {
    /// Starts reading the log; events begin with what commits from now on.
    pub fn start(tasks: &Tasks, db: &Db, retention: Duration) -> Self {
        let bus = Self {
            revision: Arc::default(),
            feeds: Arc::default(),
            notices: broadcast::Sender::new(NOTICES),
            tip: watch::Sender::new(None),
            heard: Arc::new(Mutex::new(Instant::now())),
        };
        listen::spawn(tasks, db, &bus);
        let log = db.clone();
        tasks.supervise("event retention", move || retention::run(log.clone(), retention));
        bus
    }

    /// Joins the bus: events of these topics from now on.
    pub fn join(&self, topics: &Topics) -> Member {
        Member::join(&self.feeds, topics.each(), || *self.tip.borrow())
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
        self.tip.subscribe()
    }

    /// How long ago the log was last read.
    pub fn silence(&self) -> Duration {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Subscribers at present.
    pub fn subscribers(&self) -> usize {
        self.feeds.members().count
    }

    pub(super) fn publish(&self, event: JobEvent) {
        let seq = Seq(event.seq);
        metrics::counter!("platform_events_total", "kind" => event.kind.clone()).increment(1);
        self.feeds.hand_out(&Arc::new(event), || {
            self.tip.send_replace(Some(seq));
        });
    }

    /// Notes that the log was read just now.
    pub(super) fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The log was restored to an earlier state and reaches up to `tip` only: whoever follows it has to begin anew.
    pub(super) fn restored(&self, tip: Seq) {
        self.feeds.restored(|| {
            self.tip.send_replace(Some(tip));
        });
        self.announce(Notice::Resynchronise);
    }

    pub(super) fn reached(&self, seq: Seq) {
        self.tip.send_replace(Some(seq));
    }

    pub(super) fn announce(&self, notice: Notice) {
        // First, so that who is woken by the notice does not find what was remembered before it.
        self.revise();
        // No listener is no error.
        let _ = self.notices.send(notice);
    }

    /// Ends every feed once it has taken what was handed out.
    pub(super) fn close(&self) {
        self.feeds.close();
    }
}

/// Who is on the bus, by what they want to hear of.
#[derive(Debug, Default)]
struct Feeds(Mutex<Members>);

#[derive(Debug, Default)]
struct Members {
    by_topic: HashMap<Topic, HashMap<u64, Arc<Inbox>>>,
    count: usize,
    next: u64,
    closed: bool,
}

impl Feeds {
    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out an event and notes that it is, before anybody else joins or leaves.
    fn hand_out(&self, event: &Arc<JobEvent>, note: impl FnOnce()) {
        let members = self.members();
        for topic in topic::of(event) {
            members.by_topic.get(&topic).into_iter().flat_map(HashMap::values).for_each(|inbox| inbox.put(event));
        }
        note();
    }

    fn restored(&self, note: impl FnOnce()) {
        let members = self.members();
        members.by_topic.values().flat_map(HashMap::values).for_each(|inbox| inbox.restored());
        note();
    }

    fn close(&self) {
        let mut members = self.members();
        members.closed = true;
        members.by_topic.values().flat_map(HashMap::values).for_each(|inbox| inbox.close());
    }
}

/// One feed on the bus; it leaves when it is dropped.
#[derive(Debug)]
pub struct Member {
    feeds: Arc<Feeds>,
    topics: Vec<Topic>,
    number: u64,
    inbox: Arc<Inbox>,
    since: Option<Seq>,
}

impl Member {
    /// Joins, and asks `tip` up to where events were handed out before.
    fn join(feeds: &Arc<Feeds>, topics: Vec<Topic>, tip: impl FnOnce() -> Option<Seq>) -> Self {
        let inbox = Arc::new(Inbox::default());
        let mut members = feeds.members();
        let number = members.next;
        members.next += 1;
        members.count += 1;
        if members.closed {
            inbox.close();
        }
        for topic in &topics {
            members.by_topic.entry(*topic).or_default().insert(number, Arc::clone(&inbox));
        }
        let since = tip();
        drop(members);
        Self { feeds: Arc::clone(feeds), topics, number, inbox, since }
    }

    /// The last event that was handed out before this feed joined: it gets all later ones. `None` before the log was read
    /// for the first time.
    pub const fn since(&self) -> Option<Seq> {
        self.since
    }

    /// Waits until something has happened since the last time, for whoever then looks for themselves.
    pub async fn heard(&self) {
        self.inbox.empty().await;
    }

    /// What comes next for this feed.
    pub(super) async fn take(&self) -> News {
        self.inbox.take().await
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut members = self.feeds.members();
        members.count -= 1;
        for topic in &self.topics {
            if let Some(inboxes) = members.by_topic.get_mut(topic) {
                inboxes.remove(&self.number);
                if inboxes.is_empty() {
                    members.by_topic.remove(topic);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{GroupId, JobId, ProjectId, UserId};

    fn event() -> Arc<JobEvent> {
        Arc::new(JobEvent {
            seq: 1,
            job_id: JobId::generate(),
            project_id: ProjectId::generate(),
            group_id: GroupId::generate(),
            submitted_by: UserId::generate(),
            kind: "PHASE_CHANGED".into(),
            phase: "RUNNING".into(),
            previous_phase: None,
            reason: None,
            message: None,
            at: chrono::Utc::now(),
        })
    }

    fn join(feeds: &Arc<Feeds>, topics: Vec<Topic>) -> Member {
        Member::join(feeds, topics, || None)
    }

    #[tokio::test]
    async fn an_event_goes_to_each_topic_it_belongs_to_and_to_no_other() {
        let (feeds, event) = (Arc::new(Feeds::default()), event());
        let about = [
            Topic::Everything,
            Topic::Group(event.group_id),
            Topic::Project(event.project_id),
            Topic::Job(event.job_id),
            Topic::Submitter(event.submitted_by),
        ];
        let concerned = about.map(|topic| join(&feeds, vec![topic]));
        let other = join(&feeds, vec![Topic::Job(JobId::generate()), Topic::Job(JobId::generate())]);
        feeds.hand_out(&event, || {});
        feeds.close();
        for member in &concerned {
            assert_eq!(member.take().await, News::Event(Arc::clone(&event)), "{:?}", member.topics);
        }
        assert_eq!(other.take().await, News::Closed);
    }

    #[test]
    fn who_leaves_leaves_nothing_behind() {
        let feeds = Arc::new(Feeds::default());
        let first = join(&feeds, vec![Topic::Everything]);
        drop(join(&feeds, vec![Topic::Everything, Topic::Job(JobId::generate())]));
        assert_eq!(feeds.members().count, 1);
        assert_eq!(feeds.members().by_topic.len(), 1);
        drop(first);
        assert!(feeds.members().by_topic.is_empty());
    }
}
