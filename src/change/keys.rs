//! Idempotency keys are kept for a day: a client that has not received a response by then does not retry.

use std::time::Duration;

use chrono::Utc;

use super::model;
use crate::db::{Db, error_chain};
use crate::error::ApiError;

/// How long a key is kept.
const KEPT: Duration = Duration::from_hours(24);
/// How often expired keys are removed.
const PERIOD: Duration = Duration::from_hours(1);

/// Removes expired keys for as long as the server runs.
pub async fn forget_old_keys(db: Db) {
    loop {
        match forget(&db).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "removed idempotency keys"),
            Err(error) => tracing::warn!(error = %error_chain(&error), "failed to remove old idempotency keys"),
        }
        tokio::time::sleep(PERIOD).await;
    }
}

async fn forget(db: &Db) -> Result<usize, ApiError> {
    Ok(model::forget_keys(&mut *db.connection().await?, Utc::now() - KEPT).await?)
}
