//! Attempts that were refused. Nothing was changed, so they have no transaction of their own: they are put into a queue
//! and written a moment later, so that no answer waits for them and none fails with them.
//!
//! A flood of them costs a bounded amount of everything. Equal attempts that are written together are one entry, which
//! says how often it was; and what the queue has no room for is only counted, in an entry and a metric.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel_async::AsyncConnection;
use serde_json::json;
use tokio::sync::{Mutex, mpsc};

use super::{Entry, Object, Origin, model};
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::ids::{ApiTokenId, UserId};
use crate::tasks::{Duty, Tasks};

/// The number of attempts that wait to be written.
const QUEUE: usize = 1_024;
/// The number of attempts that are written in one transaction.
const BATCH: usize = 128;
/// The least pause between two batches, which bounds how fast a flood fills the table.
const PAUSE: Duration = Duration::from_millis(250);
/// The pause before a batch is tried once more.
const RETRY: Duration = Duration::from_secs(1);
/// How often a batch is tried; after that it is only counted.
const TRIES: u32 = 30;

/// The action of the entry that says how many attempts have no entry.
const LOST: &str = "refusalsNotRecorded";

/// Where refused attempts are put. Clones are the same queue.
#[derive(Clone)]
pub struct Refusals {
    queue: mpsc::Sender<Entry>,
    lost: Arc<AtomicU64>,
}

impl Refusals {
    /// A queue, and the task that writes what is in it.
    pub fn start(tasks: &Tasks, db: &Db) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (db, lost, waiting) = (db.clone(), Arc::<AtomicU64>::default(), Arc::new(Mutex::new(waiting)));
        let counted = Arc::clone(&lost);
        tasks.supervise("audit of refusals", Duty::Housekeeping, move || {
            write_all(db.clone(), Arc::clone(&waiting), Arc::clone(&counted))
        });
        Self { queue, lost }
    }

    /// Puts an attempt into the queue. Never waits.
    pub fn note(&self, attempt: Entry) {
        if self.queue.try_send(attempt.refused()).is_err() {
            lose(&self.lost, 1);
        }
    }
}

fn lose(lost: &AtomicU64, count: u64) {
    lost.fetch_add(count, Ordering::Relaxed);
    metrics::counter!("platform_audit_lost_total").increment(count);
}

async fn write_all(db: Db, waiting: Arc<Mutex<mpsc::Receiver<Entry>>>, lost: Arc<AtomicU64>) {
    let mut waiting = waiting.lock().await;
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut entries = together(std::mem::take(&mut batch));
        let uncounted = lost.swap(0, Ordering::Relaxed);
        if uncounted > 0 {
            let entry = Entry::done(None, LOST, Object::default(), Origin::default()).refused();
            entries.push(entry.with(json!({ "count": uncounted })));
        }
        let attempts: u64 = entries.iter().map(|entry| u64::from(entry.times.unsigned_abs())).sum();
        for tried in 1..=TRIES {
            match write(&db, entries.clone()).await {
                Ok(()) => break,
                Err(error) if tried == TRIES => {
                    tracing::error!(attempts, error = %error_chain(&error), "refused attempts could not be recorded");
                    lose(&lost, attempts + uncounted);
                }
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "refused attempts could not be recorded; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn write(db: &Db, entries: Vec<Entry>) -> Result<(), ApiError> {
    let mut conn = db.connection().await?;
    conn.transaction(async |conn| model::record(conn, entries).await).await?;
    Ok(())
}

/// Equal attempts as one entry, in the order of the first of each.
fn together(attempts: Vec<Entry>) -> Vec<Entry> {
    type Attempt = (Option<UserId>, Option<ApiTokenId>, String, Object, Option<std::net::IpAddr>);
    let mut places = HashMap::<Attempt, usize>::new();
    let mut entries = Vec::<Entry>::new();
    for attempt in attempts {
        let Origin { address, api_token, .. } = attempt.origin;
        let key = (attempt.actor, api_token, attempt.action.clone(), attempt.object.clone(), address);
        match places.get(&key).and_then(|place| entries.get_mut(*place)) {
            Some(first) => first.times = first.times.saturating_add(attempt.times),
            None => {
                places.insert(key, entries.len());
                entries.push(attempt);
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(action: &str, address: Option<&str>) -> Entry {
        let origin = Origin { address: address.map(|address| address.parse().unwrap()), ..Origin::default() };
        Entry::done(None, action, Object::default(), origin)
    }

    #[test]
    fn equal_attempts_are_one_entry_and_others_keep_their_order() {
        let attempts = vec![
            attempt("login", None),
            attempt("createGroup", None),
            attempt("login", Some("192.0.2.1")),
            attempt("login", None),
            attempt("login", None),
        ];
        let told: Vec<_> = together(attempts).iter().map(|entry| format!("{} {}", entry.action, entry.times)).collect();
        assert_eq!(told, ["login 3", "createGroup 1", "login 1"]);
    }

    #[tokio::test]
    async fn what_the_queue_has_no_room_for_is_counted_and_nobody_waits() {
        let (queue, _waiting) = mpsc::channel(2);
        let refusals = Refusals { queue, lost: Arc::default() };
        for _ in 0..5 {
            refusals.note(attempt("login", None));
        }
        assert_eq!(refusals.lost.load(Ordering::Relaxed), 3);
    }
}
