//! The rotation of a session's refresh tokens: which one is valid, and which were replaced a moment ago. No I/O, no clock.

use chrono::{DateTime, TimeDelta, Utc};

use super::refresh::RefreshToken;
use crate::config::JwtKeys;
use crate::error::ApiError;

/// How long a refresh can be repeated: by another tab of the browser, or because the response was lost.
const REPEATABLE: TimeDelta = TimeDelta::seconds(30);

/// The maximum number of replaced tokens that are remembered. A client refreshes once per access token, so a few are
/// enough even if every tab of a browser refreshes when it is opened.
const MOST: usize = 16;

/// A token that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Used {
    /// Its hash.
    pub hash: Vec<u8>,
    /// When it was used.
    pub at: DateTime<Utc>,
}

/// The refresh tokens of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotation {
    /// The hash of the valid token.
    pub current: Vec<u8>,
    /// The tokens before it, newest first.
    pub used: Vec<Used>,
}

/// What a token of the session is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is valid.
    Valid,
    /// It was replaced a moment ago, and then this many others were.
    Repeated(usize),
    /// It was replaced before that.
    Used,
}

impl Rotation {
    /// What the token with this hash is worth at `now`.
    pub fn judge(&self, hash: &[u8], now: DateTime<Utc>) -> Verdict {
        if self.current == hash {
            return Verdict::Valid;
        }
        let repeated = self.used.iter().position(|used| used.hash == hash && now - used.at <= REPEATABLE);
        repeated.map_or(Verdict::Used, Verdict::Repeated)
    }

    /// The same after `next` has replaced the valid token.
    pub fn rotated(mut self, next: Vec<u8>, now: DateTime<Utc>) -> Self {
        self.used.insert(0, Used { hash: std::mem::replace(&mut self.current, next), at: now });
        self.used.retain(|used| now - used.at <= REPEATABLE);
        self.used.truncate(MOST);
        self
    }

    /// The valid token, derived from a token that was [repeated](Verdict::Repeated). `None` if a key that derived a token
    /// in between is no longer in use.
    ///
    /// # Errors
    /// As [`RefreshToken::next`].
    pub fn valid_after(
        &self,
        repeated: RefreshToken,
        since: usize,
        keys: &JwtKeys,
    ) -> Result<Option<RefreshToken>, ApiError> {
        let mut token = repeated;
        for step in (0..=since).rev() {
            let expected = step.checked_sub(1).and_then(|newer| self.used.get(newer)).map(|used| &used.hash);
            let expected = expected.unwrap_or(&self.current);
            let candidates = keys.all().map(|key| token.next(key)).collect::<Result<Vec<_>, _>>()?;
            match candidates.into_iter().find(|candidate| candidate.hash() == *expected) {
                Some(next) => token = next,
                None => return Ok(None),
            }
        }
        Ok(Some(token))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;
    use crate::ids::SessionId;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    struct Session {
        keys: JwtKeys,
        rotation: Rotation,
    }

    impl Session {
        fn begin() -> (Self, RefreshToken) {
            let first = RefreshToken::first(SessionId::generate());
            (Self { keys: JwtKeys::random(), rotation: Rotation { current: first.hash(), used: Vec::new() } }, first)
        }

        /// What a refresh at this second gets; `None` ends the session.
        fn refresh(&mut self, token: RefreshToken, second: i64) -> Option<RefreshToken> {
            match self.rotation.judge(&token.hash(), at(second)) {
                Verdict::Valid => {
                    let next = token.next(self.keys.current()).unwrap();
                    self.rotation = self.rotation.clone().rotated(next.hash(), at(second));
                    Some(next)
                }
                Verdict::Repeated(since) => self.rotation.valid_after(token, since, &self.keys).unwrap(),
                Verdict::Used => None,
            }
        }
    }

    #[test]
    fn a_refresh_can_be_repeated_for_half_a_minute() {
        let (mut session, first) = Session::begin();
        let second = session.refresh(first, 0).unwrap();
        assert_eq!(session.refresh(first, 0), Some(second));
        assert_eq!(session.refresh(first, 30), Some(second));
        assert_eq!(session.refresh(first, 31), None);
    }

    #[test]
    fn a_refresh_that_is_repeated_after_the_next_one_gets_the_valid_token() {
        let (mut session, first) = Session::begin();
        let second = session.refresh(first, 0).unwrap();
        let third = session.refresh(second, 10).unwrap();
        assert_eq!(session.refresh(first, 20), Some(third));
        assert_eq!(session.refresh(second, 35), Some(third));
        assert_eq!(session.refresh(first, 35), None);
    }

    #[test]
    fn a_new_signing_key_in_between_changes_nothing() {
        let (before, after) = ("before-0123456789-0123456789-0123456789", "after-0123456789-0123456789-0123456789");
        let keys = |current: &str, old: &str| {
            JwtKeys::parse(Some(&SecretString::from(current)), Some(&SecretString::from(old))).unwrap()
        };
        let (mut session, first) = Session::begin();
        session.keys = keys(before, "");
        let second = session.refresh(first, 0).unwrap();
        session.keys = keys(after, before);
        let third = session.refresh(second, 1).unwrap();
        assert_eq!(session.refresh(first, 2), Some(third));
    }

    proptest! {
        /// Tabs share the token that one of them received last, and refresh whenever they like. Some responses are lost.
        #[test]
        fn tabs_never_end_their_session(steps in proptest::collection::vec((0..4_usize, 2..40_i64, any::<bool>()), 1..60)) {
            let (mut session, first) = Session::begin();
            let (mut tabs, mut shared, mut now) = ([first; 4], first, 0);
            let mut used = Vec::<(RefreshToken, i64)>::new();
            for (tab, pause, lost) in steps {
                now += pause;
                let is_old = |token| used.iter().any(|(other, since)| *other == token && now - since > 30);
                if is_old(tabs[tab]) {
                    tabs[tab] = shared;
                }
                let token = tabs[tab];
                if is_old(token) {
                    break;
                }
                let valid = session.refresh(token, now);
                prop_assert_eq!(valid.map(RefreshToken::hash), Some(session.rotation.current.clone()));
                if used.iter().all(|(other, _)| *other != token) {
                    used.push((token, now));
                }
                if !lost {
                    (tabs[tab], shared) = (valid.unwrap(), valid.unwrap());
                }
            }
        }
    }
}
