//! Access tokens: JSON web tokens signed with HS256, whose header names the key so that keys can be rotated.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::config::{JwtKey, JwtKeys};
use crate::error::ApiError;
use crate::ids::{SessionId, UserId};

const ISSUER: &str = "platform";

/// What a valid token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// Whose it is.
    pub user: UserId,
    /// The session it was made for.
    pub session: SessionId,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Not a token, not ours, or changed on the way.
    #[error("the access token is not one of this server's; log in again")]
    Invalid,
    /// Past its time.
    #[error("the access token expired at {}; get a new one with refreshSession", .0.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))]
    Expired(DateTime<Utc>),
}

impl From<TokenRefused> for ApiError {
    fn from(refused: TokenRefused) -> Self {
        Self::unauthenticated(refused.to_string())
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Body {
    iss: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
}

/// Tokens whose signature was checked and is not checked again at every request. One more costs about 400 bytes.
const KNOWN: usize = 10_000;

/// Signs and verifies access tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    keys: JwtKeys,
    life: Duration,
    known: Arc<Cache<Box<str>, Claims>>,
}

impl Tokens {
    /// Tokens that live for `life`.
    pub fn new(keys: JwtKeys, life: Duration) -> Self {
        Self { keys, life, known: Arc::new(Cache::new(KNOWN)) }
    }

    /// A token for a session, and when it ends.
    ///
    /// # Errors
    /// The token cannot be signed, which would be a defect.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<(String, DateTime<Utc>), ApiError> {
        let key = self.keys.current();
        let expires_at = (now + self.life).trunc_subsecs(0);
        let body = Body {
            iss: ISSUER.to_owned(),
            sub: user.to_string(),
            sid: session.to_string(),
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        let header = Header { kid: Some(key.kid().to_owned()), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &body, &EncodingKey::from_secret(key.secret()))
            .map_err(ApiError::internal)?;
        Ok((token, expires_at))
    }

    /// What `token` says, if it is one of ours and its time has not passed.
    ///
    /// # Errors
    /// [`TokenRefused`] says which of the two it is.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenRefused> {
        let claims = match self.known.get(token) {
            Some(claims) => claims,
            None => {
                let claims = self.read(token).ok_or(TokenRefused::Invalid)?;
                self.known.insert(token.into(), claims);
                claims
            }
        };
        if claims.expires_at <= now { Err(TokenRefused::Expired(claims.expires_at)) } else { Ok(claims) }
    }
}

impl Tokens {
    /// What `token` says, if one of our keys has signed it.
    fn read(&self, token: &str) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        decode(token, self.keys.find(header.kid.as_deref()?)?)
    }
}

fn decode(token: &str, key: &JwtKey) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    // The time is compared by the caller, who knows what time it is and tells expired from invalid.
    validation.validate_exp = false;
    let body = jsonwebtoken::decode::<Body>(token, &DecodingKey::from_secret(key.secret()), &validation).ok()?.claims;
    Some(Claims {
        user: body.sub.parse().ok()?,
        session: body.sid.parse().ok()?,
        expires_at: DateTime::from_timestamp(body.exp, 0)?,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    const FIRST: &str = "first-0123456789-0123456789-0123456789";
    const SECOND: &str = "second-0123456789-0123456789-0123456789";

    fn tokens(current: &str, old: &str) -> Tokens {
        let keys = JwtKeys::parse(Some(&SecretString::from(current)), Some(&SecretString::from(old))).unwrap();
        Tokens::new(keys, Duration::from_secs(900))
    }

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn a_token_says_whose_it_is_until_its_time_has_passed() {
        let (user, session) = (UserId::generate(), SessionId::generate());
        let (token, expires_at) = tokens(FIRST, "").issue(user, session, noon()).unwrap();
        let just_before = expires_at - Duration::from_secs(1);
        assert_eq!(tokens(FIRST, "").verify(&token, just_before), Ok(Claims { user, session, expires_at }));
        let refused = tokens(FIRST, "").verify(&token, expires_at).unwrap_err();
        insta::assert_snapshot!(refused, @"the access token expired at 2027-01-15T08:15:00Z; get a new one with refreshSession");
    }

    #[test]
    fn rotating_the_key_logs_nobody_out_until_the_old_one_is_dropped() {
        let (token, _) = tokens(FIRST, "").issue(UserId::generate(), SessionId::generate(), noon()).unwrap();
        assert!(tokens(SECOND, FIRST).verify(&token, noon()).is_ok());
        assert_eq!(tokens(SECOND, "").verify(&token, noon()), Err(TokenRefused::Invalid));
    }

    #[test]
    fn a_token_without_a_signature_is_refused() {
        let (token, _) = tokens(FIRST, "").issue(UserId::generate(), SessionId::generate(), noon()).unwrap();
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        for forged in [format!("{unsigned}."), unsigned.to_owned(), "x".to_owned(), String::new()] {
            assert_eq!(tokens(FIRST, "").verify(&forged, noon()), Err(TokenRefused::Invalid), "{forged:?}");
        }
    }
}
