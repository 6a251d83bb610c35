//! Keeps the partitions of the audit log: those of the coming months are there before they are needed, and those that are
//! older than the log is kept are dropped. Replicas take turns.

use std::time::Duration;

use chrono::Utc;

use super::model::partitions::{self, Upkeep};
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::tasks::{Duty, Tasks};

const EVERY: Duration = Duration::from_secs(3_600);

/// Starts the task. Entries are kept at least for as long as `retention`.
pub fn keep_partitions(tasks: &Tasks, db: &Db, retention: Duration) {
    let db = db.clone();
    tasks.supervise("audit partitions", Duty::Housekeeping, move || keep(db.clone(), retention));
}

async fn keep(db: Db, retention: Duration) {
    loop {
        match once(&db, retention).await {
            Ok(Upkeep { made, dropped }) if made.is_empty() && dropped.is_empty() => {}
            Ok(Upkeep { made, dropped }) => {
                tracing::info!(made = made.join(", "), dropped = dropped.join(", "), "kept the audit log's partitions");
            }
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "the audit log's partitions could not be kept");
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn once(db: &Db, retention: Duration) -> Result<Upkeep, ApiError> {
    Ok(partitions::keep(&mut *db.connection().await?, Utc::now(), retention).await?)
}
