//! Revocations: what the bus announces about ended sessions, disabled users and changed roles, as seen by one WebSocket
//! or subscription.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::principal::{CredentialId, Principal};
use crate::events::{Bus, Notice};
use crate::ids::{ApiTokenId, FileSessionId, PvcId, SessionId, UserId};

/// A notification about the principal of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// The session has ended, the API token was revoked, or the account is disabled.
    Revoked,
    /// The role on the platform or in a group has changed.
    RightsChanged,
    /// Notifications may have been missed: look up the credential.
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
        self.about_also(principal, &[]).await
    }

    /// The same; a notification of `also` leaves the listener [unsure](Concern::Unsure).
    pub async fn about_also(&mut self, principal: &Principal, also: &[String]) -> Option<Concern> {
        loop {
            match self.0.recv().await {
                Ok(Notice::Revoked(payload)) if also.iter().any(|known| **known == *payload) => {
                    return Some(Concern::Unsure);
                }
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
/// The prefix that the trigger `tell_api_token` puts before the UUID of a token.
const API_TOKEN: &str = "api_token ";
/// The prefix that the trigger `tell_claim_grants` puts before the UUID of a storage claim.
const CLAIM: &str = "claim ";
/// The prefix that the trigger `file_session_ends` puts before the UUID of a file session.
const FILES: &str = "files ";

/// What is announced when a storage claim grants something else than before.
pub fn of_claim(id: PvcId) -> String {
    format!("{CLAIM}{}", id.uuid())
}

/// What is announced when a file session ends.
pub fn of_file_session(id: FileSessionId) -> String {
    format!("{FILES}{}", id.uuid())
}

/// What a payload, the ID of a session or of a user, means for `principal`.
fn concerns(payload: &Arc<str>, principal: &Principal) -> Option<Concern> {
    if let Some(user) = payload.strip_prefix(RIGHTS).and_then(|uuid| uuid.parse().ok()) {
        return (UserId::from_uuid(user) == principal.user).then_some(Concern::RightsChanged);
    }
    let credential = principal.credential.id();
    if let Some(token) = payload.strip_prefix(API_TOKEN).and_then(|uuid| uuid.parse().ok()) {
        let is_theirs = credential == CredentialId::ApiToken(ApiTokenId::from_uuid(token));
        // It may only have other limits than before.
        return is_theirs.then_some(Concern::Unsure);
    }
    if payload.starts_with(CLAIM) || payload.starts_with(FILES) {
        return None;
    }
    match (payload.parse::<SessionId>(), payload.parse::<UserId>()) {
        (Ok(session), _) => (credential == CredentialId::Session(session)).then_some(Concern::Revoked),
        (_, Ok(user)) => (user == principal.user).then_some(Concern::Revoked),
        // A newer replica may announce things that this one does not know.
        (Err(_), Err(_)) => Some(Concern::Unsure),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::auth::policy::TokenScope;
    use crate::auth::principal::{Credential, PlatformRole, TokenLimits};

    #[test]
    fn a_notice_concerns_its_session_its_person_and_nobody_else() {
        let session = SessionId::generate();
        let principal = Principal {
            user: UserId::generate(),
            credential: Credential::Session { id: session, ends_at: chrono::Utc::now() },
            platform_role: PlatformRole::User,
            groups: BTreeMap::new(),
            expires_at: chrono::DateTime::UNIX_EPOCH,
        };
        let heard = |payload: String| concerns(&payload.into(), &principal);
        assert_eq!(heard(session.to_string()), Some(Concern::Revoked));
        assert_eq!(heard(principal.user.to_string()), Some(Concern::Revoked));
        assert_eq!(heard(SessionId::generate().to_string()), None);
        assert_eq!(heard(UserId::generate().to_string()), None);
        assert_eq!(heard(format!("rights {}", principal.user.uuid())), Some(Concern::RightsChanged));
        assert_eq!(heard(format!("rights {}", UserId::generate().uuid())), None);
        assert_eq!(heard("what".to_owned()), Some(Concern::Unsure));
        assert_eq!(heard(of_claim(PvcId::generate())), None);
        assert_eq!(heard(of_file_session(FileSessionId::generate())), None);
        assert_eq!(heard(format!("api_token {}", session.uuid())), None);
    }

    #[test]
    fn a_notice_about_a_token_concerns_the_token_only() {
        let (one, other) = (ApiTokenId::generate(), ApiTokenId::generate());
        let principal = Principal {
            user: UserId::generate(),
            credential: Credential::ApiToken {
                id: one,
                limits: TokenLimits { scope: TokenScope::Read, project: None },
            },
            platform_role: PlatformRole::User,
            groups: BTreeMap::new(),
            expires_at: chrono::DateTime::UNIX_EPOCH,
        };
        let heard = |payload: String| concerns(&payload.into(), &principal);
        assert_eq!(heard(format!("api_token {}", one.uuid())), Some(Concern::Unsure));
        assert_eq!(heard(format!("api_token {}", other.uuid())), None);
        assert_eq!(heard(SessionId::generate().to_string()), None);
    }
}
