//! The live events of one kind: delivered to every feed of this replica that they concern.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::cursor::Seq;
use super::event::{Event, History, Logged};
use super::inbox::{Inbox, News};
use super::model::Row;
use super::topic::{self, Topic, Topics};

/// The last event of the log that was delivered; `None` until the log was read for the first time.
pub(super) type Tip = watch::Sender<Option<Seq>>;

/// The kinds of events that a server delivers, each with the line that its feeds join. All of them are opened before
/// the bus starts.
#[derive(Default)]
pub struct Lines {
    lines: Vec<Arc<dyn Carrier>>,
    tip: Tip,
}

impl Lines {
    /// The line of the events that are an `E`.
    pub fn open<E: Event>(&mut self) -> Line<E> {
        let line = Line { members: Arc::default(), tip: self.tip.clone() };
        self.lines.push(Arc::new(line.clone()));
        line
    }

    pub(super) fn tip(&self) -> &Tip {
        &self.tip
    }

    /// Delivers an event and records it. An event that this version has no line for, or cannot read, is skipped: a
    /// newer version wrote it.
    pub(super) fn hand_out(&self, row: &Row) {
        let known = self.lines.iter().find(|line| line.kind() == row.kind);
        if !known.is_some_and(|line| line.hand_out(row)) {
            metrics::counter!("platform_events_unread_total", "kind" => row.kind.clone()).increment(1);
            self.tip.send_replace(Some(row.seq()));
        }
    }

    /// The log was restored to an earlier state and ends at `tip`.
    pub(super) fn restored(&self, tip: Seq) {
        // First, so that feeds that join from now on do not skip new events.
        self.tip.send_replace(Some(tip));
        self.lines.iter().for_each(|line| line.restored());
    }

    /// Ends every feed after it has taken what was delivered.
    pub(super) fn close(&self) {
        self.lines.iter().for_each(|line| line.close());
    }

    /// The kinds of events that are kept as long as their subjects exist.
    pub(super) fn histories(&self) -> Vec<History> {
        self.lines.iter().filter_map(|line| line.history()).collect()
    }

    /// Number of current feeds.
    pub(super) fn members(&self) -> usize {
        self.lines.iter().map(|line| line.count()).sum()
    }
}

/// A line without the type of its events.
trait Carrier: Send + Sync {
    fn kind(&self) -> &'static str;
    fn history(&self) -> Option<History>;
    /// Delivers an event; false if it cannot be read.
    fn hand_out(&self, row: &Row) -> bool;
    fn restored(&self);
    fn close(&self);
    fn count(&self) -> usize;
}

/// Where feeds of one kind of events join. Clones are handles to the same line.
#[derive(Debug)]
pub struct Line<E> {
    members: Arc<Mutex<Members<E>>>,
    tip: Tip,
}

impl<E> Clone for Line<E> {
    fn clone(&self) -> Self {
        Self { members: Arc::clone(&self.members), tip: self.tip.clone() }
    }
}

/// Feeds by number.
type Inboxes<E> = HashMap<u64, Arc<Inbox<Logged<E>>>>;

/// The feeds on a line, by the topics that they follow.
#[derive(Debug)]
struct Members<E> {
    by_topic: HashMap<Topic, Inboxes<E>>,
    count: usize,
    next: u64,
    closed: bool,
}

impl<E> Default for Members<E> {
    fn default() -> Self {
        Self { by_topic: HashMap::new(), count: 0, next: 0, closed: false }
    }
}

impl<E> Members<E> {
    fn inboxes(&self) -> impl Iterator<Item = &Arc<Inbox<Logged<E>>>> {
        self.by_topic.values().flat_map(HashMap::values)
    }
}

impl<E> Line<E> {
    /// Joins: events of these topics are delivered from now on.
    pub fn join(&self, topics: &Topics) -> Member<E> {
        let (inbox, topics) = (Arc::new(Inbox::default()), topics.each());
        let mut members = self.members();
        let number = members.next;
        members.next += 1;
        members.count += 1;
        if members.closed {
            inbox.close();
        }
        for topic in &topics {
            members.by_topic.entry(*topic).or_default().insert(number, Arc::clone(&inbox));
        }
        let since = *self.tip.borrow();
        drop(members);
        Member { line: self.clone(), topics, number, inbox, since }
    }

    fn members(&self) -> MutexGuard<'_, Members<E>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers an event and records it, before another feed joins or leaves.
    fn tell(&self, event: &Arc<Logged<E>>) {
        let members = self.members();
        for topic in topic::of(&event.about) {
            members.by_topic.get(&topic).into_iter().flat_map(HashMap::values).for_each(|inbox| inbox.put(event));
        }
        self.tip.send_replace(Some(event.seq));
    }
}

impl<E: Event> Carrier for Line<E> {
    fn kind(&self) -> &'static str {
        E::KIND
    }

    fn history(&self) -> Option<History> {
        History::of::<E>()
    }

    fn hand_out(&self, row: &Row) -> bool {
        let Some(event) = row.read::<E>() else { return false };
        metrics::counter!("platform_events_total", "kind" => event.event.name()).increment(1);
        self.tell(&Arc::new(event));
        true
    }

    fn restored(&self) {
        self.members().inboxes().for_each(|inbox| inbox.restored());
    }

    fn close(&self) {
        let mut members = self.members();
        members.closed = true;
        members.inboxes().for_each(|inbox| inbox.close());
    }

    fn count(&self) -> usize {
        self.members().count
    }
}

/// One feed on a line; it leaves when it is dropped.
#[derive(Debug)]
pub struct Member<E> {
    line: Line<E>,
    topics: Vec<Topic>,
    number: u64,
    inbox: Arc<Inbox<Logged<E>>>,
    since: Option<Seq>,
}

impl<E> Member<E> {
    /// The last event that was delivered before this feed joined: it gets all later ones. Waits until the log was read
    /// for the first time.
    pub async fn since(&self) -> Seq {
        if let Some(since) = self.since {
            return since;
        }
        // It cannot end: this feed also owns the sender.
        self.line.tip.subscribe().wait_for(Option::is_some).await.ok().and_then(|tip| *tip).unwrap_or_default()
    }

    /// Waits until something has happened since the last time, for readers that then check themselves.
    pub async fn heard(&self) {
        self.inbox.empty().await;
    }

    /// The last event that was delivered, whomever it concerned: whatever this feed has heard of is not later.
    pub fn tip(&self) -> Seq {
        // An event is put into the inboxes before it is recorded, both under this lock.
        let _members = self.line.members();
        (*self.line.tip.borrow()).unwrap_or_default()
    }

    /// The next item for this feed, which has delivered everything that concerns it up to `settled`.
    pub(super) async fn take(&self, settled: Seq) -> News<Logged<E>> {
        self.inbox.take(settled).await
    }

    /// Everything up to this was delivered, or does not concern this feed.
    pub(super) fn settled(&self) -> Seq {
        self.inbox.settled()
    }

    /// How far it has come, for whoever asks while nothing is delivered.
    pub fn whereabouts(&self) -> Whereabouts<E> {
        Whereabouts { inbox: Arc::clone(&self.inbox), tip: self.line.tip.clone() }
    }
}

/// How far a feed has come, even while nothing that concerns it happens.
#[derive(Debug)]
pub struct Whereabouts<E> {
    inbox: Arc<Inbox<Logged<E>>>,
    tip: Tip,
}

impl<E> Whereabouts<E> {
    /// Everything up to this number was delivered by the feed, or does not concern it. `None` while it is delivering
    /// something.
    pub fn reached(&self) -> Option<Seq> {
        // Read first: whatever concerns the feed up to here has been put into its inbox.
        let tip = (*self.tip.borrow())?;
        self.inbox.reached(tip)
    }

    /// The same, as of when it was last known.
    pub fn settled(&self) -> Seq {
        self.inbox.settled()
    }
}

impl<E> Drop for Member<E> {
    fn drop(&mut self) {
        let mut members = self.line.members();
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
    use super::super::event::About;
    use super::super::event::tests::{Rang, rang};
    use super::*;
    use crate::ids::JobId;

    #[tokio::test]
    async fn an_event_goes_to_each_topic_it_belongs_to_and_to_no_other() {
        let (mut lines, event) = (Lines::default(), Arc::new(rang(1)));
        let line = lines.open::<Rang>();
        let About { subject, project, group, person } = event.about;
        let concerned = [
            Topics::Everything,
            Topics::Groups(vec![group.unwrap()]),
            Topics::Project(project.unwrap()),
            Topics::Subjects(vec![subject]),
            Topics::Person(person.unwrap()),
        ];
        let concerned = concerned.map(|topics| line.join(&topics));
        let other = line.join(&Topics::subjects(&[JobId::generate(), JobId::generate()]));
        line.tell(&event);
        lines.close();
        for member in &concerned {
            assert_eq!(member.take(Seq(0)).await, News::Event(Arc::clone(&event)), "{:?}", member.topics);
        }
        assert_eq!(other.take(Seq(0)).await, News::Closed);
    }

    #[tokio::test]
    async fn what_is_nobody_s_is_told_to_those_who_follow_it_or_everything() {
        let (mut lines, mut event) = (Lines::default(), rang(1));
        let line = lines.open::<Rang>();
        let group = event.about.group.unwrap();
        event.about = About { subject: event.about.subject, project: None, group: None, person: None };
        let (everything, of_group) = (line.join(&Topics::Everything), line.join(&Topics::Groups(vec![group])));
        line.tell(&Arc::new(event));
        lines.close();
        assert!(matches!(everything.take(Seq(0)).await, News::Event(_)));
        assert_eq!(of_group.take(Seq(0)).await, News::Closed);
    }

    #[tokio::test]
    async fn what_this_version_cannot_read_is_passed_over_and_what_follows_is_told() {
        let mut lines = Lines::default();
        let line = lines.open::<Rang>();
        let feed = line.join(&Topics::Everything);
        lines.hand_out(&Row::of(1, "whistle", "1"));
        lines.hand_out(&Row::of(2, "bell", r#"{"loudly":true}"#));
        assert_eq!(line.join(&Topics::Everything).since().await, Seq(2));
        lines.hand_out(&Row::of(3, "bell", "7"));
        let News::Event(told) = feed.take(Seq(0)).await else { panic!("nothing was told") };
        assert_eq!((told.seq, &told.event), (Seq(3), &Rang(7)));
    }

    #[test]
    fn who_leaves_leaves_nothing_behind() {
        let mut lines = Lines::default();
        let line = lines.open::<Rang>();
        let first = line.join(&Topics::Everything);
        drop(line.join(&Topics::subjects(&[JobId::generate()])));
        assert_eq!(lines.members(), 1);
        assert_eq!(line.members().by_topic.len(), 1);
        drop(first);
        assert!(line.members().by_topic.is_empty());
    }
}
