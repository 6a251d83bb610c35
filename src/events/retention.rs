//! Removes events that are older than the retention period.

use std::time::Duration;

use chrono::Utc;

use super::model;
use crate::db::{Db, error_chain};
use crate::error::ApiError;

const EVERY: Duration = Duration::from_secs(600);

/// Runs every ten minutes for as long as the server runs.
pub(super) async fn run(db: Db, keep: Duration) {
    loop {
        tokio::time::sleep(EVERY).await;
        match forget(&db, keep).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(error = %error_chain(&error), "old events could not be removed"),
        }
    }
}

async fn forget(db: &Db, keep: Duration) -> Result<(), ApiError> {
    let before = Utc::now() - keep;
    model::forget(&mut *db.connection().await?, before).await?;
    Ok(())
}
