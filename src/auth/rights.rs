//! The rights of whoever subscribed, for as long as the subscription goes on.
//!
//! A request's principal is as of its start. A subscription may outlive a role, so it hears of each change of its
//! person's roles and then decides again. A change is told at its commit, whoever makes it (the trigger `tell_rights`).

use std::time::Duration;

use backon::Retryable;

use super::authenticator::Authenticator;
use super::principal::Caller;
use super::revocations::Notices;
use crate::error::{ApiError, Code};
use crate::tasks::pauses;

/// How often a look at the rights is tried again while the database is away, and the pauses before.
const RETRIES: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// The rights of one subscriber.
pub struct Rights {
    authenticator: Authenticator,
    notices: Notices,
    caller: Caller,
}

impl Rights {
    /// Begins to listen, and looks at the rights after that: no change is missed.
    ///
    /// # Errors
    /// As [`Rights::look`].
    pub async fn of(authenticator: &Authenticator, caller: Caller) -> Result<Self, ApiError> {
        let notices = Notices::subscribe(authenticator.bus());
        let mut rights = Self { authenticator: authenticator.clone(), notices, caller };
        rights.look().await?;
        Ok(rights)
    }

    /// The subscriber with the rights of the last look.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Resolves when the rights may be others than at the last look. Nothing is lost when it is dropped before.
    pub async fn may_have_changed(&mut self) {
        match &self.caller {
            // Nobody's rights are nobody's to change.
            Caller::Anonymous => std::future::pending().await,
            Caller::Known(principal) => {
                if self.notices.about(principal).await.is_none() {
                    // The server stops, and the subscription with it.
                    std::future::pending().await
                }
            }
        }
    }

    /// Looks at the rights.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when the session has ended, `DATABASE_UNAVAILABLE` when that cannot be found out.
    pub async fn look(&mut self) -> Result<(), ApiError> {
        let pauses = pauses(FIRST_PAUSE, LONGEST_PAUSE).with_max_times(RETRIES);
        let looked = (|| self.authenticator.renewed(&self.caller))
            .retry(pauses)
            .sleep(tokio::time::sleep)
            // Connections of before an outage fail once.
            .when(|error| error.code == Code::DatabaseUnavailable)
            .await;
        self.caller = looked?;
        Ok(())
    }
}
