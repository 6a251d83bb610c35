//! Limits how far back the log can be resumed, and removes what is older and is not the history of anything.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::event::History;
use super::model;
use crate::db::{Db, error_chain};
use crate::error::ApiError;

const EVERY: Duration = Duration::from_secs(600);

/// The number of events looked at in one transaction.
const BATCH: i64 = 1000;

/// Runs every ten minutes for as long as the server runs.
pub(super) async fn run(db: Db, keep: Duration, kept: Vec<History>) {
    loop {
        tokio::time::sleep(EVERY).await;
        match forget(&db, Utc::now() - keep, &kept, BATCH).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(error = %error_chain(&error), "old events could not be removed"),
        }
    }
}

/// Ends resuming before what is older than `before`, then removes what is not `kept` of that, `batch` by `batch`. If it
/// is interrupted, the next time continues where it was.
///
/// # Errors
/// The database's.
pub async fn forget(db: &Db, before: DateTime<Utc>, kept: &[History], batch: i64) -> Result<(), ApiError> {
    model::advance(&mut *db.connection().await?, before).await?;
    // Each batch has its own connection, so that none is occupied for long.
    while model::purge(&mut *db.connection().await?, kept, batch).await? {}
    Ok(())
}
