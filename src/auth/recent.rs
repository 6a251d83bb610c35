//! Recently authenticated callers. If the session or the API token of a request was looked up within the last second, it is
//! not looked up again, unless this replica has been notified since of any changed credential or permission.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::principal::{CredentialId, Principal};
use crate::events::Revision;

/// How long a lookup is valid. Notifications arrive within milliseconds, so this only limits what can happen while the
/// database cannot be reached: ended sessions must be rejected within a second.
const LIFE: Duration = Duration::from_secs(1);

/// The number of sessions and API tokens that are remembered.
const MOST: usize = 10_000;

/// The principals of recent requests.
#[derive(Debug)]
pub(super) struct Recent(Cache<CredentialId, Look>);

#[derive(Debug, Clone)]
struct Look {
    principal: Arc<Principal>,
    began: Instant,
    /// The revision that this replica had been notified of when the lookup started.
    revision: Revision,
}

impl Default for Recent {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Recent {
    /// The caller with this credential, if it is known at `now`, when `revision` is the latest notification. A session has
    /// several access tokens over time, so this may be the caller with another one of them.
    pub fn find(&self, credential: CredentialId, revision: Revision, now: Instant) -> Option<Arc<Principal>> {
        let known = self.0.get(&credential);
        let known = known.filter(|look| look.revision == revision && now.duration_since(look.began) < LIFE)?;
        Some(known.principal)
    }

    /// Remembers a lookup that started at `began`, when `revision` was the latest notification.
    pub fn remember(&self, principal: &Arc<Principal>, revision: Revision, began: Instant) {
        self.0.insert(principal.credential.id(), Look { principal: Arc::clone(principal), began, revision });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::auth::principal::{Credential, PlatformRole};
    use crate::ids::{SessionId, UserId};

    fn principal() -> Arc<Principal> {
        Arc::new(Principal {
            user: UserId::generate(),
            credential: Credential::Session { id: SessionId::generate(), ends_at: chrono::Utc::now() },
            platform_role: PlatformRole::User,
            groups: BTreeMap::new(),
            expires_at: chrono::Utc::now(),
        })
    }

    #[test]
    fn a_look_is_good_for_a_second_and_until_something_is_heard() {
        let (recent, principal, began) = (Recent::default(), principal(), Instant::now());
        let (heard, later) = (Revision::default(), Revision::default().next());
        recent.remember(&principal, heard, began);
        let known = |revision, after| recent.find(principal.credential.id(), revision, began + after).is_some();
        assert!(known(heard, Duration::ZERO));
        assert!(known(heard, Duration::from_millis(999)));
        assert!(!known(heard, Duration::from_secs(1)));
        assert!(!known(later, Duration::ZERO));
    }

    #[test]
    fn a_look_that_began_before_something_was_heard_is_worth_nothing() {
        let (recent, principal, began) = (Recent::default(), principal(), Instant::now());
        recent.remember(&principal, Revision::default(), began);
        assert_eq!(recent.find(principal.credential.id(), Revision::default().next(), began), None);
    }
}
