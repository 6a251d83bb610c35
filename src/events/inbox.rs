//! A feed's place on the bus: a short queue. Idle it allocates nothing; when full it is closed, and delays no one else.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

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
        Self { queue: Mutex::new(Queue::of(State::Open)), news: Notify::default() }
    }
}

#[derive(Debug)]
struct Queue<T> {
    events: VecDeque<Arc<T>>,
    state: State,
}

impl<T> Queue<T> {
    const fn of(state: State) -> Self {
        Self { events: VecDeque::new(), state }
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
            *queue = Queue::of(State::Overflowed);
        }
        drop(queue);
        self.news.notify_one();
    }

    /// Discards everything in it: the log was restored to an earlier state.
    pub(super) fn restored(&self) {
        let mut queue = self.queue();
        if queue.state != State::Closed {
            *queue = Queue::of(State::Restored);
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

    /// Waits for the next item.
    pub(super) async fn take(&self) -> News<T> {
        loop {
            if let Some(news) = self.look() {
                return news;
            }
            self.news.notified().await;
        }
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

    fn look(&self) -> Option<News<T>> {
        let mut queue = self.queue();
        match queue.events.pop_front() {
            Some(event) => {
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
        assert_eq!(inbox.take().await, News::Event(first));
        assert_eq!(inbox.take().await, News::Event(second));
        assert_eq!(inbox.take().await, News::Closed);
    }

    #[tokio::test]
    async fn who_falls_too_far_behind_is_told_and_keeps_no_memory() {
        let inbox = Inbox::default();
        for seq in 0..=BACKLOG as i64 {
            inbox.put(&event(seq));
        }
        assert_eq!(inbox.take().await, News::Overflowed);
        assert_eq!(inbox.queue().events.capacity(), 0);
    }

    #[tokio::test]
    async fn a_restored_log_is_told_in_place_of_what_was_not_yet_taken() {
        let inbox = Inbox::default();
        inbox.put(&event(7));
        inbox.restored();
        inbox.put(&event(3));
        assert_eq!(inbox.take().await, News::Restored);
        inbox.empty().await;
        inbox.put(&event(4));
        assert!(matches!(inbox.take().await, News::Event(_)));
    }

    #[tokio::test]
    async fn a_waiting_subscriber_is_woken() {
        let inbox = Arc::new(Inbox::default());
        let waiting = tokio::spawn({
            let inbox = Arc::clone(&inbox);
            async move { inbox.take().await }
        });
        tokio::task::yield_now().await;
        let told = event(7);
        inbox.put(&told);
        assert_eq!(waiting.await.unwrap(), News::Event(told));
    }
}
