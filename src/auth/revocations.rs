//! Revocations: what the bus announces about ended sessions, disabled users and changed roles, as seen by one WebSocket
//! or subscription.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::principal::Principal;
use crate::events::{Bus, Notice};
use crate::ids::{SessionId, UserId};

/// A notification about the principal of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// The session has ended, or the account is disabled.
    Revoked,
    /// The role on the platform or in a group has changed.
    RightsChanged,
    /// Notifications may have been missed: look up the session.
    Unsure,
}

/// The notifications of one listener.
#[derive(Debug)]
pub struct Notices(broadcast::Receiver<Notice>);

impl Notices {
    /// Subscribes to notifications from now on.
    pub fn subscribe(bus: &Bus) -> Self {
        Self(bus.notices())
    }

    /// The next notification that concerns `principal`; `None` when there will be no more.
    pub async fn about(&mut self, principal: &Principal) -> Option<Concern> {
        loop {
            match self.0.recv().await {
                Ok(Notice::Revoked(payload)) => {
                    if let Some(concern) = concerns(&payload, principal) {
                        return Some(concern);
                    }
                }
                Ok(Notice::Resynchronise) | Err(RecvError::Lagged(_)) => return Some(Concern::Unsure),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// The prefix that the trigger `tell_rights` puts before the UUID of a user.
const RIGHTS: &str = "rights ";

/// What a payload, the ID of a session or of a user, means for `principal`.
fn concerns(payload: &Arc<str>, principal: &Principal) -> Option<Concern> {
    if let Some(user) = payload.strip_prefix(RIGHTS).and_then(|uuid| uuid.parse().ok()) {
        return (UserId::from_uuid(user) == principal.user).then_some(Concern::RightsChanged);
    }
    match (payload.parse::<SessionId>(), payload.parse::<UserId>()) {
        (Ok(session), _) => (session == principal.session).then_some(Concern::Revoked),
        (_, Ok(user)) => (user == principal.user).then_some(Concern::Revoked),
        // A newer replica may announce things that this one does not know.
        (Err(_), Err(_)) => Some(Concern::Unsure),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::auth::principal::PlatformRole;

    #[test]
    fn a_notice_concerns_its_session_its_person_and_nobody_else() {
        let principal = Principal {
            user: UserId::generate(),
            session: SessionId::generate(),
            platform_role: PlatformRole::User,
            groups: BTreeMap::new(),
            expires_at: chrono::DateTime::UNIX_EPOCH,
            session_ends_at: chrono::DateTime::UNIX_EPOCH,
        };
        let heard = |payload: String| concerns(&payload.into(), &principal);
        assert_eq!(heard(principal.session.to_string()), Some(Concern::Revoked));
        assert_eq!(heard(principal.user.to_string()), Some(Concern::Revoked));
        assert_eq!(heard(SessionId::generate().to_string()), None);
        assert_eq!(heard(UserId::generate().to_string()), None);
        assert_eq!(heard(format!("rights {}", principal.user.uuid())), Some(Concern::RightsChanged));
        assert_eq!(heard(format!("rights {}", UserId::generate().uuid())), None);
        assert_eq!(heard("what".to_owned()), Some(Concern::Unsure));
    }
}
