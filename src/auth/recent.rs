//! Recently authenticated callers. If the session of a request was looked up within the last second, it is not looked
//! up again, unless this replica has been notified since of any changed session or permission.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::principal::Principal;
use super::tokens::Claims;
use crate::events::Revision;
use crate::ids::SessionId;

/// How long a lookup is valid. Notifications arrive within milliseconds, so this only limits what can happen while the
/// database cannot be reached: ended sessions must be rejected within a second.
const LIFE: Duration = Duration::from_secs(1);

/// The number of sessions that are remembered.
const MOST: usize = 10_000;

/// The principals of recent requests.
#[derive(Debug)]
pub(super) struct Recent(Cache<SessionId, Look>);

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
    /// The caller with these claims, if it is known at `now`, when `revision` is the latest notification.
    pub fn find(&self, claims: &Claims, revision: Revision, now: Instant) -> Option<Arc<Principal>> {
        let Look { principal, .. } = self
            .0
            .get(&claims.session)
            .filter(|look| look.revision == revision && now.duration_since(look.began) < LIFE)?;
        // A session has several access tokens over time, each with its own expiry.
        (principal.claims() == *claims).then_some(principal)
    }

    /// Remembers a lookup that started at `began`, when `revision` was the latest notification.
    pub fn remember(&self, principal: &Arc<Principal>, revision: Revision, began: Instant) {
        self.0.insert(principal.session, Look { principal: Arc::clone(principal), began, revision });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::auth::principal::PlatformRole;
    use crate::ids::UserId;

    fn principal() -> Arc<Principal> {
        Arc::new(Principal {
            user: UserId::generate(),
            session: SessionId::generate(),
            platform_role: PlatformRole::User,
            groups: BTreeMap::new(),
            expires_at: chrono::Utc::now(),
            session_ends_at: chrono::Utc::now(),
        })
    }

    #[test]
    fn a_look_is_good_for_a_second_and_until_something_is_heard() {
        let (recent, principal, began) = (Recent::default(), principal(), Instant::now());
        let (heard, later) = (Revision::default(), Revision::default().next());
        recent.remember(&principal, heard, began);
        let known = |revision, after| recent.find(&principal.claims(), revision, began + after).is_some();
        assert!(known(heard, Duration::ZERO));
        assert!(known(heard, Duration::from_millis(999)));
        assert!(!known(heard, Duration::from_secs(1)));
        assert!(!known(later, Duration::ZERO));
    }

    #[test]
    fn a_look_that_began_before_something_was_heard_is_worth_nothing() {
        let (recent, principal, began) = (Recent::default(), principal(), Instant::now());
        recent.remember(&principal, Revision::default(), began);
        assert_eq!(recent.find(&principal.claims(), Revision::default().next(), began), None);
    }

    #[test]
    fn another_token_of_the_session_is_looked_up() {
        let (recent, principal, began) = (Recent::default(), principal(), Instant::now());
        recent.remember(&principal, Revision::default(), began);
        let claims = Claims { expires_at: principal.expires_at + chrono::TimeDelta::seconds(1), ..principal.claims() };
        assert_eq!(recent.find(&claims, Revision::default(), began), None);
    }
}
