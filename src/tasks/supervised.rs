//! Tasks that must never end: each is restarted when it panics or ends, with delays that double.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::BackoffBuilder;
use futures::FutureExt;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{message_of, pauses};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A task that has run for this long is considered healthy again: its next delay is short.
const WELL: Duration = Duration::from_secs(60);

/// The purpose of a supervised task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duty {
    /// Clients depend on it.
    #[default]
    Serving,
    /// It cleans up. It is not missed for a while, and a bug in it must not take every replica out of service.
    Housekeeping,
}

/// The state of a supervised task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The task.
    pub name: &'static str,
    /// Its purpose.
    pub duty: Duty,
    /// Why it is currently down; `None` if it is running.
    pub down: Option<String>,
    /// The number of restarts.
    pub restarts: u64,
}

/// The supervised tasks of one server.
#[derive(Debug, Default)]
pub(super) struct Register(Mutex<BTreeMap<&'static str, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    duty: Duty,
    down: Option<String>,
    restarts: u64,
    broken: Arc<Notify>,
}

impl Register {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<&'static str, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn standing(&self) -> Vec<Standing> {
        let entries = self.entries();
        let standing = |(name, entry): (&&'static str, &Entry)| Standing {
            name,
            duty: entry.duty,
            down: entry.down.clone(),
            restarts: entry.restarts,
        };
        entries.iter().map(standing).collect()
    }

    pub(super) fn break_task(&self, name: &'static str) {
        if let Some(entry) = self.entries().get(name) {
            entry.broken.notify_one();
        }
    }
}

/// Runs what `work` starts, again and again.
pub(super) async fn keep_up<F, W>(register: Arc<Register>, name: &'static str, duty: Duty, work: F)
where
    F: Fn() -> W,
    W: Future<Output = ()>,
{
    let broken =
        Arc::clone(&register.entries().entry(name).or_insert_with(|| Entry { duty, ..Entry::default() }).broken);
    let mut pauses = pauses(FIRST_PAUSE, LONGEST_PAUSE).build();
    loop {
        let began = Instant::now();
        // The future of the watch is large, and would be copied with each of these.
        let work = Box::pin(work());
        let run = async {
            tokio::select! {
                () = work => {}
                () = broken.notified() => resume_unwind(Box::new("it was told to")),
            }
        };
        let cause = match AssertUnwindSafe(run).catch_unwind().await {
            Ok(()) => "it ended".to_owned(),
            Err(panic) => format!("it panicked: {}", message_of(&*panic)),
        };
        if began.elapsed() >= WELL {
            pauses = super::pauses(FIRST_PAUSE, LONGEST_PAUSE).build();
        }
        let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
        metrics::counter!("platform_task_restarts_total", "task" => name).increment(1);
        tracing::error!(task = name, cause, begun_again_in_ms = pause.as_millis() as u64, "a background task is down");
        register.entries().entry(name).or_default().down = Some(cause);
        tokio::time::sleep(pause).await;
        let mut entries = register.entries();
        let entry = entries.entry(name).or_default();
        (entry.down, entry.restarts) = (None, entry.restarts + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::Tasks;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    async fn standing_after(tasks: &Tasks, pause: Duration) -> String {
        tokio::time::sleep(pause).await;
        let [Standing { name, down, restarts, .. }] = &tasks.standing()[..] else { panic!("one task is supervised") };
        format!("{name}: {}, restarts: {restarts}", down.as_deref().unwrap_or("running"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_begun_again_after_a_pause() {
        let tasks = Tasks::default();
        tasks.supervise("watch", Duty::Serving, std::future::pending);
        insta::assert_snapshot!(standing_after(&tasks, Duration::from_millis(1)).await, @"watch: running, restarts: 0");
        tasks.break_task("watch");
        insta::assert_snapshot!(standing_after(&tasks, Duration::from_millis(1)).await, @"watch: it panicked: it was told to, restarts: 0");
        insta::assert_snapshot!(standing_after(&tasks, FIRST_PAUSE).await, @"watch: running, restarts: 1");
        assert!(tasks.shutdown(PATIENCE).await);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_until_the_task_is_well_again() {
        let tasks = Tasks::default();
        let begun = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&begun);
        // The first six runs end immediately, the seventh after a while, the eighth never.
        tasks.supervise("worker", Duty::Serving, move || {
            let run = count.fetch_add(1, Ordering::SeqCst);
            async move {
                match run {
                    0..6 => {}
                    6 => tokio::time::sleep(WELL).await,
                    _ => std::future::pending().await,
                }
            }
        });
        let pauses: u32 = (0..6).map(|doublings| 100 << doublings).sum();
        tokio::time::sleep(Duration::from_millis(u64::from(pauses) + 50)).await;
        assert_eq!(begun.load(Ordering::SeqCst), 7);
        insta::assert_snapshot!(standing_after(&tasks, WELL).await, @"worker: it ended, restarts: 6");
        insta::assert_snapshot!(standing_after(&tasks, FIRST_PAUSE).await, @"worker: running, restarts: 7");
        assert!(tasks.shutdown(PATIENCE).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_in_its_pause_is_stopped_with_the_server() {
        let tasks = Tasks::default();
        tasks.supervise("queues", Duty::Serving, std::future::pending);
        tokio::task::yield_now().await;
        tasks.break_task("queues");
        tokio::task::yield_now().await;
        assert!(tasks.shutdown(PATIENCE).await);
    }
}
