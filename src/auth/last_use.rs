//! When sessions were last used. Requests only note their session in memory; what was noted is stored together, and at most
//! once a minute for each session.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::authenticator::Authenticator;
use super::model;
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::ids::SessionId;

/// How often the notes are stored.
const PERIOD: Duration = Duration::from_secs(30);
/// The number of sessions that are noted; the use of others is noted after the next time.
const MOST: usize = 100_000;
/// The number of sessions in one statement.
const BATCH: usize = 1_000;

/// The sessions that were used since the last time.
#[derive(Debug, Default)]
pub(super) struct LastUses(Mutex<HashSet<SessionId>>);

impl LastUses {
    /// Notes that a session is in use.
    pub fn note(&self, session: SessionId) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < MOST {
            noted.insert(session);
        }
    }

    /// Stores what was noted.
    ///
    /// # Errors
    /// The database's; the notes are lost then, and the next uses are noted again.
    pub async fn store(&self, db: &Db) -> Result<(), ApiError> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let noted: Vec<SessionId> = noted.into_iter().collect();
        for sessions in noted.chunks(BATCH) {
            model::used(&mut *db.connection().await?, sessions).await?;
        }
        Ok(())
    }
}

/// Stores the last uses of sessions for as long as the server runs.
pub async fn keep_last_uses(authenticator: Authenticator) {
    loop {
        tokio::time::sleep(PERIOD).await;
        if let Err(error) = authenticator.store_last_uses().await {
            tracing::warn!(error = %error_chain(&error), "failed to store the last uses of sessions");
        }
    }
}
