//! The permissions of a subscriber, for the lifetime of a subscription.
//!
//! The principal of a request is as of its start. A subscription may outlive a role, so it is notified of each change
//! of its user's roles and then decides again. Changes are announced on commit, no matter who makes them (the trigger
//! `tell_rights`). The end of a session that nobody refreshes is not announced, so the session is looked up then.

use std::pin::Pin;
use std::time::Duration;

use backon::Retryable;
use tokio::time::{Instant, Sleep};

use super::authenticator::Authenticator;
use super::principal::Caller;
use super::revocations::Notices;
use crate::error::{ApiError, Code};
use crate::tasks::pauses;

/// The number of retries while the database is unavailable.
const RETRIES: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// The permissions of a subscriber.
pub struct Rights {
    authenticator: Authenticator,
    notices: Notices,
    caller: Caller,
    /// The end of the session, unless it was refreshed since the last lookup. Kept, because a new timer for every event
    /// of a subscription would be expensive.
    session_end: Pin<Box<Sleep>>,
}

impl Rights {
    /// Subscribes to notifications first and looks up the permissions after that, so no change is missed.
    ///
    /// # Errors
    /// As [`Rights::look`].
    pub async fn of(authenticator: &Authenticator, caller: Caller) -> Result<Self, ApiError> {
        let notices = Notices::subscribe(authenticator.bus());
        let session_end = Box::pin(tokio::time::sleep_until(Instant::now()));
        let mut rights = Self { authenticator: authenticator.clone(), notices, caller, session_end };
        rights.look().await?;
        Ok(rights)
    }

    /// The subscriber with the permissions of the last lookup.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Resolves when the permissions may have changed since the last lookup. Safe to drop before it resolves.
    pub async fn may_have_changed(&mut self) {
        match &self.caller {
            // Unauthenticated clients have no permissions that could change.
            Caller::Anonymous | Caller::Refused(_) => std::future::pending().await,
            Caller::Known(principal) => {
                tokio::select! {
                    notice = self.notices.about(principal) => if notice.is_none() {
                        // The server stops, and so does the subscription.
                        std::future::pending().await
                    },
                    () = &mut self.session_end => {}
                }
            }
        }
    }

    /// Looks up the permissions.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the session has ended, `DATABASE_UNAVAILABLE` if this cannot be determined.
    pub async fn look(&mut self) -> Result<(), ApiError> {
        let pauses = pauses(FIRST_PAUSE, LONGEST_PAUSE).with_max_times(RETRIES);
        let looked = (|| self.authenticator.renewed(&self.caller))
            .retry(pauses)
            .sleep(tokio::time::sleep)
            // Connections from before an outage fail once.
            .when(|error| error.code == Code::DatabaseUnavailable)
            .await;
        self.caller = looked?;
        if let Caller::Known(principal) = &self.caller {
            self.session_end.as_mut().reset(principal.look_again_at());
        }
        Ok(())
    }
}
