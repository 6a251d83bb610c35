//! The serving threads. Each has its own runtime, on which everything that a connection needs runs: its requests, the
//! statements that they share, and the sockets to the database. A query wakes nothing on other cores.

use std::cell::OnceCell;
use std::io;
use std::num::NonZeroU32;
use std::thread::JoinHandle;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The number of connections that may wait for their thread to accept them.
const QUEUE: usize = 64;

thread_local! {
    /// What is open on this thread, if it is a serving thread.
    static OPEN_HERE: OnceCell<TaskTracker> = const { OnceCell::new() };
}

/// Counts as a connection of this thread until it is dropped: for a WebSocket, which outlives the request that opened
/// it.
pub(super) fn seat() -> Option<TaskTrackerToken> {
    OPEN_HERE.with(|open| open.get().map(TaskTracker::token))
}

/// The threads of a server. They end when this is dropped or joined.
pub struct Threads(Vec<Thread>);

struct Thread {
    connections: mpsc::Sender<BoxFuture<'static, ()>>,
    /// The current threads.
    open: TaskTracker,
    handle: JoinHandle<()>,
}

impl Threads {
    /// Starts this many threads.
    ///
    /// # Errors
    /// The system has no more threads or file handles.
    pub fn start(count: NonZeroU32) -> io::Result<Self> {
        (0..count.get()).map(Thread::start).collect::<io::Result<_>>().map(Self)
    }

    /// Runs `connection` on the thread with the fewest connections.
    pub(super) async fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let Some(thread) = self.0.iter().min_by_key(|thread| thread.open.len()) else { return };
        let connection = thread.open.track_future(connection);
        // A thread accepts connections as long as it is not told to end.
        let _ = thread.connections.send(connection.boxed()).await;
    }

    /// Ends the threads. What is still running there is dropped at its next await.
    pub async fn join(self) {
        for Thread { connections, handle, .. } in self.0 {
            drop(connections);
            // Its panic has already been logged.
            let _ = tokio::task::spawn_blocking(move || handle.join()).await;
        }
    }
}

impl Thread {
    fn start(number: u32) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (connections, taken) = mpsc::channel(QUEUE);
        let open = TaskTracker::new();
        let opened = open.clone();
        let handle = std::thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
            OPEN_HERE.with(|here| drop(here.set(opened)));
            take(&runtime, taken);
        })?;
        Ok(Self { connections, open, handle })
    }
}

fn take(runtime: &Runtime, mut connections: mpsc::Receiver<BoxFuture<'static, ()>>) {
    runtime.block_on(async {
        while let Some(connection) = connections.recv().await {
            // Owned by the runtime, which ends with this thread.
            tokio::spawn(connection);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

    #[tokio::test]
    async fn connections_are_divided_among_the_threads() {
        let threads = Threads::start(TWO).unwrap();
        let (tell, mut told) = mpsc::channel(10);
        for _ in 0..10 {
            let tell = tell.clone();
            let connection = async move {
                tell.send(std::thread::current().name().map(str::to_owned)).await.unwrap();
                std::future::pending().await
            };
            threads.spawn(connection).await;
        }
        let mut on = HashMap::<_, usize>::new();
        for _ in 0..10 {
            *on.entry(told.recv().await.unwrap().unwrap()).or_default() += 1;
        }
        assert_eq!(on, HashMap::from([("serve-0".to_owned(), 5), ("serve-1".to_owned(), 5)]));
        threads.join().await;
    }

    #[tokio::test]
    async fn a_socket_counts_when_its_connection_has_handed_it_over() {
        let threads = Threads::start(TWO).unwrap();
        let (tell, mut told) = mpsc::channel(10);
        for _ in 0..4 {
            let tell = tell.clone();
            let handed_over = async move {
                let socket = (seat().unwrap(), std::thread::current().name().map(str::to_owned));
                tell.send(socket).await.unwrap();
            };
            threads.spawn(handed_over).await;
            // Over before the next one comes.
            while threads.0.iter().map(|thread| thread.open.len()).sum::<usize>() > told.len() {
                tokio::task::yield_now().await;
            }
        }
        let mut on = HashMap::<_, usize>::new();
        for _ in 0..4 {
            *on.entry(told.recv().await.unwrap().1.unwrap()).or_default() += 1;
        }
        assert_eq!(on, HashMap::from([("serve-0".to_owned(), 2), ("serve-1".to_owned(), 2)]));
        threads.join().await;
    }

    #[tokio::test]
    async fn a_connection_that_panics_takes_no_other_with_it() {
        let threads = Threads::start(NonZeroU32::MIN).unwrap();
        threads.spawn(async { panic!("a connection broke") }).await;
        let (tell, told) = tokio::sync::oneshot::channel();
        threads.spawn(async { tell.send(()).unwrap() }).await;
        told.await.unwrap();
        threads.join().await;
    }
}
