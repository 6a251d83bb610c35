//! Writes the exports that were requested, and removes those that have expired.
//!
//! Every replica has a worker, which writes one export at a time. A claim is a lease that is renewed while the export is written, so
//! the export of a worker that dies begins again with the next one. Each attempt has a file of its own, so that a worker whose lease
//! has run out cannot spoil what its successor writes.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::Utc;
use uuid::Uuid;

use super::written::{self, NotWritten};
use crate::audit::model::exports::{self, Export};
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::executor::Wake;
use crate::ids::AuditExportId;
use crate::objects::{Key, Store};
use crate::tasks::{Duty, Tasks};

/// How long an export belongs to a worker that does not say that it is alive.
const LEASE_SECONDS: i64 = 30;
/// Interval of renewing the lease.
const RENEW: Duration = Duration::from_secs(5);
/// Interval of looking for an export without a signal.
const LOOK: Duration = Duration::from_secs(2);
/// Interval of removing what has expired.
const FORGET: Duration = Duration::from_secs(60);
/// The pause after the first failed attempt, which doubles with each, and the longest one.
const FIRST_PAUSE: i64 = 2;
const LONGEST_PAUSE: i64 = 15 * 60;
/// So many attempts take about a day.
const MOST_ATTEMPTS: i32 = 100;

/// The signal for the worker: whoever has requested an export sends it.
#[derive(Debug, Clone, Default)]
pub struct ExportWake(pub Wake);

/// Starts the worker. Finished exports are kept for as long as `life`.
pub fn spawn(tasks: &Tasks, db: &Db, store: &Store, life: Duration, wake: ExportWake) {
    let worker = Worker { db: db.clone(), store: store.clone(), life };
    let forgetful = worker.clone();
    tasks.supervise("audit exports", Duty::Housekeeping, move || run(worker.clone(), wake.clone()));
    tasks.supervise("old audit exports", Duty::Housekeeping, move || forget(forgetful.clone()));
}

async fn run(worker: Worker, ExportWake(wake): ExportWake) {
    loop {
        let attempt = Uuid::now_v7();
        match worker.claim(attempt).await {
            Ok(Some(export)) => worker.handle(&export, attempt).await,
            Ok(None) => wake.within(LOOK).await,
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "cannot look for exports of the audit log");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

async fn forget(worker: Worker) {
    loop {
        match worker.forget().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "removed exports of the audit log that have expired"),
            Err(error) => tracing::warn!(error = %error_chain(&error), "cannot remove old exports of the audit log"),
        }
        tokio::time::sleep(FORGET).await;
    }
}

#[derive(Clone)]
struct Worker {
    db: Db,
    store: Store,
    life: Duration,
}

impl Worker {
    async fn claim(&self, attempt: Uuid) -> Result<Option<Export>, ApiError> {
        Ok(exports::claim(&mut *self.db.connection().await?, attempt, LEASE_SECONDS).await?)
    }

    async fn handle(&self, export: &Export, attempt: Uuid) {
        let (mine, entries) = ((export.id, attempt), AtomicI64::new(0));
        if export.attempts > MOST_ATTEMPTS {
            // Its workers die, perhaps of it.
            let gave_up = self.fail(mine, "It was tried too often.").await;
            return gave_up.unwrap_or_else(|error| {
                tracing::warn!(export = %export.id, error = %error_chain(&error), "cannot note that an export has failed");
            });
        }
        let outcome = tokio::select! {
            written = written::write(&self.db, &self.store, export, &entries) => written,
            // The upload is dropped, which removes what was written.
            () = self.keep_lease(mine, &entries) => {
                tracing::warn!(export = %export.id, "an export of the audit log was given to another worker");
                return;
            }
        };
        let noted = match outcome {
            Ok(stored) => self.complete(mine, &stored).await,
            Err(error) => self.not_written(export, mine, &error).await,
        };
        if let Err(error) = noted {
            // The lease runs out, and the export begins again.
            tracing::warn!(export = %export.id, error = %error_chain(&error), "cannot note what became of an export");
        }
    }

    /// Renews the lease until it is lost.
    async fn keep_lease(&self, mine: (AuditExportId, Uuid), entries: &AtomicI64) {
        loop {
            tokio::time::sleep(RENEW).await;
            let renewed = async {
                let mut conn = self.db.connection().await?;
                Ok::<_, ApiError>(
                    exports::renew(&mut conn, mine, entries.load(Ordering::Relaxed), LEASE_SECONDS).await?,
                )
            };
            match renewed.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(export = %mine.0, error = %error_chain(&error), "cannot renew a lease"),
            }
        }
    }

    async fn complete(&self, mine: (AuditExportId, Uuid), stored: &exports::Stored) -> Result<(), ApiError> {
        let expires_at = Utc::now() + self.life;
        let is_noted = exports::complete(&mut *self.db.connection().await?, mine, stored, expires_at).await?;
        if is_noted {
            metrics::counter!("platform_audit_exports_total", "outcome" => "completed").increment(1);
        } else if let Ok(key) = stored.key.parse::<Key>()
            && let Err(error) = self.store.delete(&key).await
        {
            // It is removed with the export.
            tracing::info!(%key, error = %error_chain(&error), "a file that nobody needs was not removed");
        }
        Ok(())
    }

    async fn not_written(
        &self,
        export: &Export,
        mine: (AuditExportId, Uuid),
        error: &NotWritten,
    ) -> Result<(), ApiError> {
        tracing::warn!(export = %export.id, attempt = export.attempts, error = %error_chain(error), "an export of the audit log was not written");
        let mut conn = self.db.connection().await?;
        let told = sentence(error);
        if error.is_temporary() && export.attempts < MOST_ATTEMPTS {
            let doubled = FIRST_PAUSE << export.attempts.clamp(1, 20).unsigned_abs().saturating_sub(1);
            let message = format!("{told} It is tried again.");
            exports::postpone(&mut conn, mine, &message, doubled.min(LONGEST_PAUSE)).await?;
            return Ok(());
        }
        drop(conn);
        self.fail(mine, &told).await
    }

    async fn fail(&self, mine: (AuditExportId, Uuid), message: &str) -> Result<(), ApiError> {
        metrics::counter!("platform_audit_exports_total", "outcome" => "failed").increment(1);
        let mut conn = self.db.connection().await?;
        Ok(exports::fail(&mut conn, mine, message, Utc::now() + self.life).await?)
    }

    /// Removes what has expired: first the files, so that none is left without a row.
    async fn forget(&self) -> Result<usize, ApiError> {
        let expired = exports::expired(&mut *self.db.connection().await?).await?;
        let mut removed = 0;
        for id in expired {
            let files = async { self.store.remove_all(&written::folder_of(id)?).await.map_err(NotWritten::from) };
            match files.await {
                Ok(_) => {
                    exports::remove(&mut *self.db.connection().await?, id).await?;
                    removed += 1;
                }
                Err(error) => {
                    tracing::info!(export = %id, error = %error_chain(&error), "the files of an export are removed later")
                }
            }
        }
        Ok(removed)
    }
}

/// The error as a sentence for the user. It contains nothing that the object store or the database has sent.
fn sentence(error: &NotWritten) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}
