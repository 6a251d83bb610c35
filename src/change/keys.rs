//! Idempotency keys are kept for a day: whoever has not heard of their request by then does not send it again.

use std::time::Duration;

use chrono::Utc;

use super::model;
use crate::db::{Db, error_chain};
use crate::error::ApiError;

/// How long a key is kept.
const KEPT: Duration = Duration::from_hours(24);
/// How often the older ones are removed.
const PERIOD: Duration = Duration::from_hours(1);

/// Removes old keys for as long as the server runs.
pub async fn forget_old_keys(db: Db) {
    loop {
        match forget(&db).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "idempotency keys were removed"),
            Err(error) => tracing::warn!(error = %error_chain(&error), "old idempotency keys could not be removed"),
        }
        tokio::time::sleep(PERIOD).await;
    }
}

async fn forget(db: &Db) -> Result<usize, ApiError> {
    Ok(model::forget_keys(&mut *db.connection().await?, Utc::now() - KEPT).await?)
}
