//! When sessions and API tokens were last used. Requests only note their credential in memory; what was noted is stored
//! together, and at most once a minute for each.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::authenticator::Authenticator;
use super::principal::CredentialId;
use super::{api_tokens, model};
use crate::db::{Db, error_chain};
use crate::error::ApiError;
use crate::ids::{ApiTokenId, SessionId};

/// How often the notes are stored.
const PERIOD: Duration = Duration::from_secs(30);
/// The number of credentials that are noted; the use of others is noted after the next time.
const MOST: usize = 100_000;
/// The number of credentials in one statement.
const BATCH: usize = 1_000;

/// The credentials that were used since the last time.
#[derive(Debug, Default)]
pub(super) struct LastUses(Mutex<HashSet<CredentialId>>);

impl LastUses {
    /// Notes that a credential is in use.
    pub fn note(&self, credential: CredentialId) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < MOST {
            noted.insert(credential);
        }
    }

    /// Stores what was noted.
    ///
    /// # Errors
    /// The database's; the notes are lost then, and the next uses are noted again.
    pub async fn store(&self, db: &Db) -> Result<(), ApiError> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut sessions, mut tokens) = (Vec::<SessionId>::new(), Vec::<ApiTokenId>::new());
        for credential in noted {
            match credential {
                CredentialId::Session(session) => sessions.push(session),
                CredentialId::ApiToken(token) => tokens.push(token),
            }
        }
        for sessions in sessions.chunks(BATCH) {
            model::used(&mut *db.connection().await?, sessions).await?;
        }
        for tokens in tokens.chunks(BATCH) {
            api_tokens::model::used(&mut *db.connection().await?, tokens).await?;
        }
        Ok(())
    }
}

/// Stores the last uses of sessions and API tokens for as long as the server runs.
pub async fn keep_last_uses(authenticator: Authenticator) {
    loop {
        tokio::time::sleep(PERIOD).await;
        if let Err(error) = authenticator.store_last_uses().await {
            tracing::warn!(error = %error_chain(&error), "failed to store the last uses of sessions and API tokens");
        }
    }
}
