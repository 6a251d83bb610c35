//! A feed's place on the bus: a short queue. Idle it allocates nothing; when full it is closed, and delays no one else.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::cursor::Seq;

/// How many events a subscriber may be behind before it is disconnected as too slow.
const BACKLOG: usize = 4096;

/// The queue of one subscriber.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    queue: Mutex<Queue<T>>,
    news: Notify,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        let queue = Queue { events: VecDeque::new(), state: State::Open, waits: false, settled: Seq::default() };
        Self { queue: Mutex::new(queue), news: Notify::default() }
    }
}

#[derive(Debug)]
struct Queue<T> {
    events: VecDeque<Arc<T>>,
    state: State,
    /// Whether the subscriber is waiting for the next event: it has delivered everything that it took.
    waits: bool,
    /// Everything up to here was delivered to the subscriber, or does not concern it.
    settled: Seq,
}

impl<T> Queue<T> {
    /// Discards everything in it.
    fn clear(&mut self, state: State) {
        self.events = VecDeque::new();
        self.state = state;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Overflowed,
    Restored,
    Closed,
}

/// What a subscriber takes from its inbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News<T> {
    /// The next event.
    Event(Arc<T>),
    /// It was too far behind: the events after the last one it took are only in the log.
    Overflowed,
    /// The log was restored to an earlier state: later events do not continue the delivered ones.
    Restored,
    /// The bus has ended.
    Closed,
}

impl<T> Inbox<T> {
    /// Adds an event, unless the inbox is full: then everything in it is discarded.
    pub(super) fn put(&self, event: &Arc<T>) {
        let mut queue = self.queue();
        if queue.state != State::Open {
            return;
        }
        if queue.events.len() < BACKLOG {
            queue.events.push_back(Arc::clone(event));
        } else {
            queue.clear(State::Overflowed);
        }
        drop(queue);
        self.news.notify_one();
    }

    /// Discards everything in it: the log was restored to an earlier state.
    pub(super) fn restored(&self) {
        let mut queue = self.queue();
        if queue.state != State::Closed {
            queue.clear(State::Restored);
        }
        drop(queue);
        self.news.notify_one();
    }

    /// Lets the subscriber take what is in it, but accepts no more.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        if queue.state == State::Open {
            queue.state = State::Closed;
        }
        drop(queue);
        self.news.notify_one();
    }

    /// Waits for the next item. The subscriber has delivered everything that concerns it up to `settled`.
    pub(super) async fn take(&self, settled: Seq) -> News<T> {
        loop {
            if let Some(news) = self.look(settled) {
                return news;
            }
            self.news.notified().await;
        }
    }

    /// How far a subscriber has come that is waiting while nothing is in its inbox, where everything up to `tip` has
    /// been put that concerns it. `None` while it has something to deliver.
    pub(super) fn reached(&self, tip: Seq) -> Option<Seq> {
        let mut queue = self.queue();
        let idle = queue.waits && queue.events.is_empty() && queue.state == State::Open;
        idle.then(|| {
            queue.settled = queue.settled.max(tip);
            queue.settled
        })
    }

    /// Everything up to this was delivered to the subscriber, or does not concern it.
    pub(super) fn settled(&self) -> Seq {
        self.queue().settled
    }

    /// Waits until there was something, whatever it was, and empties the inbox.
    pub(super) async fn empty(&self) {
        while !self.sweep() {
            self.news.notified().await;
        }
    }

    /// Whether there was something; empties the inbox.
    fn sweep(&self) -> bool {
        let mut queue = self.queue();
        let lost = matches!(queue.state, State::Overflowed | State::Restored);
        let heard = !queue.events.is_empty() || lost;
        queue.events = VecDeque::new();
        if lost {
            queue.state = State::Open;
        }
        heard
    }

    fn look(&self, settled: Seq) -> Option<News<T>> {
        let mut queue = self.queue();
        queue.settled = queue.settled.max(settled);
        queue.waits = true;
        match queue.events.pop_front() {
            Some(event) => {
                queue.waits = false;
                if queue.events.is_empty() {
                    // A burst does not keep its memory.
                    queue.events = VecDeque::new();
                }
                Some(News::Event(event))
            }
            None => match queue.state {
                State::Open => None,
                State::Overflowed => Some(News::Overflowed),
                State::Restored => Some(News::Restored),
                State::Closed => Some(News::Closed),
            },
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: i64) -> Arc<i64> {
        Arc::new(number)
    }

    #[tokio::test]
    async fn events_come_out_in_order_and_what_is_there_is_told_before_the_end() {
        let inbox = Inbox::default();
        let (first, second) = (event(1), event(2));
        inbox.put(&first);
        inbox.put(&second);
        inbox.close();
        inbox.put(&event(3));
        assert_eq!(inbox.take(Seq(0)).await, News::Event(first));
        assert_eq!(inbox.take(Seq(0)).await, News::Event(second));
        assert_eq!(inbox.take(Seq(0)).await, News::Closed);
    }

    #[tokio::test]
    async fn who_falls_too_far_behind_is_told_and_keeps_no_memory() {
        let inbox = Inbox::default();
        for seq in 0..=BACKLOG as i64 {
            inbox.put(&event(seq));
        }
        assert_eq!(inbox.take(Seq(0)).await, News::Overflowed);
        assert_eq!(inbox.queue().events.capacity(), 0);
    }

    #[tokio::test]
    async fn a_restored_log_is_told_in_place_of_what_was_not_yet_taken() {
        let inbox = Inbox::default();
        inbox.put(&event(7));
        inbox.restored();
        inbox.put(&event(3));
        assert_eq!(inbox.take(Seq(0)).await, News::Restored);
        inbox.empty().await;
        inbox.put(&event(4));
        assert!(matches!(inbox.take(Seq(0)).await, News::Event(_)));
    }

    #[tokio::test]
    async fn who_waits_has_come_as_far_as_the_log_and_who_has_something_to_deliver_has_not() {
        let inbox = Inbox::default();
        assert_eq!(inbox.reached(Seq(9)), None, "it still reads the log");
        let mut waiting = Box::pin(inbox.take(Seq(3)));
        assert!(futures::poll!(&mut waiting).is_pending());
        assert_eq!(inbox.reached(Seq(9)), Some(Seq(9)));
        inbox.put(&event(10));
        assert_eq!(inbox.reached(Seq(10)), None, "it has not taken the event");
        assert!(matches!(waiting.await, News::Event(_)));
        assert_eq!(inbox.reached(Seq(10)), None, "it has not delivered the event");
        assert_eq!(inbox.settled(), Seq(9));
        assert!(futures::poll!(Box::pin(inbox.take(Seq(10)))).is_pending());
        assert_eq!(inbox.reached(Seq(4)), Some(Seq(10)), "this replica may have heard of less than it has scanned");
    }

    #[tokio::test]
    async fn a_waiting_subscriber_is_woken() {
        let inbox = Arc::new(Inbox::default());
        let waiting = tokio::spawn({
            let inbox = Arc::clone(&inbox);
            async move { inbox.take(Seq(0)).await }
        });
        tokio::task::yield_now().await;
        let told = event(7);
        inbox.put(&told);
        assert_eq!(waiting.await.unwrap(), News::Event(told));
    }
}
