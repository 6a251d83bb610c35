//! Who may speak no longer, or see less: what the bus tells of ended sessions, disabled people and changed roles, as
//! one socket or subscription hears it.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::principal::Principal;
use crate::events::{Bus, Notice};
use crate::ids::{SessionId, UserId};

/// What a listener is told about its principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// Their session has ended, or their account is disabled.
    Revoked,
    /// Their role on the platform or in a group is another than before.
    RightsChanged,
    /// Something may have been missed: look at the session.
    Unsure,
}

/// What one listener hears.
#[derive(Debug)]
pub struct Notices(broadcast::Receiver<Notice>);

impl Notices {
    /// Notices from now on.
    pub fn subscribe(bus: &Bus) -> Self {
        Self(bus.notices())
    }

    /// The next notice that concerns `principal`; `None` when there will be none any more.
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

/// What the trigger `tell_rights` puts before the UUID of a person.
const RIGHTS: &str = "rights ";

/// What a payload, the id of a session or of a person, means for `principal`.
fn concerns(payload: &Arc<str>, principal: &Principal) -> Option<Concern> {
    if let Some(user) = payload.strip_prefix(RIGHTS).and_then(|uuid| uuid.parse().ok()) {
        return (UserId::from_uuid(user) == principal.user).then_some(Concern::RightsChanged);
    }
    match (payload.parse::<SessionId>(), payload.parse::<UserId>()) {
        (Ok(session), _) => (session == principal.session).then_some(Concern::Revoked),
        (_, Ok(user)) => (user == principal.user).then_some(Concern::Revoked),
        // A newer replica may tell of things that this one does not know.
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
