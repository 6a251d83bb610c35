//! Refresh tokens: opaque to the client, stored only as hashes, valid for one use.
//!
//! A token consists of the session ID, a part that all tokens of the session share (the family) and a part of its own.
//! A token with the right family that is not the current one was used before: somebody has a copy, so the session ends.
//!
//! A token's successor is derived from it with a key of the server. So every replica can repeat the response to a refresh,
//! although no token is stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::config::JwtKey;
use crate::error::ApiError;
use crate::ids::SessionId;

const PART: usize = 16;

/// Separates this use of the key from the signing of tokens: no JSON web token starts like this.
const PURPOSE: &[u8] = b"\0refresh token\0";

/// A parsed refresh token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    session: SessionId,
    family: [u8; PART],
    own: [u8; PART],
}

impl RefreshToken {
    /// The first token of a session.
    pub fn first(session: SessionId) -> Self {
        Self { session, family: rand::random(), own: rand::random() }
    }

    /// The token that replaces this one: always the same with the same `key`, and unpredictable without it.
    ///
    /// # Errors
    /// HMAC accepts keys of any length, so an error would be a bug.
    pub fn next(self, key: &JwtKey) -> Result<Self, ApiError> {
        let mut mac = <Hmac<Sha256>>::new_from_slice(key.secret()).map_err(ApiError::internal)?;
        mac.update(PURPOSE);
        mac.update(&self.bytes());
        let mut own = [0; PART];
        own.copy_from_slice(&mac.finalize().into_bytes()[..PART]);
        Ok(Self { own, ..self })
    }

    /// The session it belongs to, if it is genuine.
    pub fn session(self) -> SessionId {
        self.session
    }

    /// The hash of the whole token, as stored.
    pub fn hash(self) -> Vec<u8> {
        Sha256::digest(self.bytes()).to_vec()
    }

    /// The hash of the family, as stored.
    pub fn family_hash(self) -> Vec<u8> {
        Sha256::digest(self.family).to_vec()
    }

    /// The text for the client.
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes())
    }

    /// Parses the text of a token.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 3 * PART] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (session, secret) = bytes.split_at(PART);
        let (family, own) = secret.split_at(PART);
        Some(Self {
            session: SessionId::from_uuid(Uuid::from_slice(session).ok()?),
            family: family.try_into().ok()?,
            own: own.try_into().ok()?,
        })
    }

    fn bytes(self) -> Vec<u8> {
        [self.session.uuid().as_bytes().as_slice(), &self.family, &self.own].concat()
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshToken").field("session", &self.session).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::JwtKeys;

    #[test]
    fn a_token_comes_back_and_its_successor_shares_the_family_only() {
        let (token, keys) = (RefreshToken::first(SessionId::generate()), JwtKeys::random());
        assert_eq!(RefreshToken::decode(&token.encode()), Some(token));
        let next = token.next(keys.current()).unwrap();
        assert_eq!(next.family_hash(), token.family_hash());
        assert_ne!(next.hash(), token.hash());
    }

    #[test]
    fn a_successor_depends_on_its_predecessor_and_the_key_only() {
        let (token, keys, others) = (RefreshToken::first(SessionId::generate()), JwtKeys::random(), JwtKeys::random());
        let next = token.next(keys.current()).unwrap();
        assert_eq!(token.next(keys.current()).unwrap(), next);
        assert_ne!(token.next(others.current()).unwrap(), next);
        assert_ne!(next.next(keys.current()).unwrap(), next);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_decoder(text in ".{0,80}") {
            let _ = RefreshToken::decode(&text);
        }
    }
}
