//! Access tokens: JSON web tokens signed with HS256, whose header names the key so that keys can be rotated.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SubsecRound, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::config::{JwtKey, JwtKeys};
use crate::error::ApiError;
use crate::ids::{SessionId, UserId};

const ISSUER: &str = "platform";
/// How far the clocks of replicas may differ: a token is good this much before its `nbf` and its `iat`. Its `exp` has no
/// leeway.
const LEEWAY: Duration = Duration::from_secs(30);
/// Longer than any token of ours, which have some 350 bytes.
const MAX_BYTES: usize = 2048;

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
    #[error("the access token is invalid; log in again")]
    Invalid,
    /// Before its time.
    #[error("the access token is not valid yet")]
    NotYet,
    /// Past its time.
    #[error("the access token expired at {}; get a new one with refreshSession", .0.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))]
    Expired(DateTime<Utc>),
}

impl From<TokenRefused> for ApiError {
    fn from(refused: TokenRefused) -> Self {
        Self::unauthenticated(refused.to_string())
    }
}

/// The claims. Twice the same one is an error, an unknown one is not (RFC 7519, section 4).
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    iss: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

/// The header as [`Tokens::issue`] writes it. Whatever else stands in one (`crit`, `b64`, `jwk`, `enc` ...) would change
/// how the token is to be read, and so would a parameter that is there twice: both are refused. RFC 7515 leaves that to
/// whoever issues the tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenHeader {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    kid: String,
}

impl TokenHeader {
    fn of(token: &str) -> Option<Self> {
        let encoded = token.split('.').next()?;
        let header: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
        let is_jwt = header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        (header.alg == "HS256" && is_jwt).then_some(header)
    }
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
            nbf: None,
        };
        let header = Header { kid: Some(key.kid().to_owned()), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &body, &EncodingKey::from_secret(key.secret()))
            .map_err(ApiError::internal)?;
        Ok((token, expires_at))
    }

    /// What `token` says, if it is one of ours and its time has not passed.
    ///
    /// # Errors
    /// [`TokenRefused`] says why not.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenRefused> {
        let claims = match self.known.get(token) {
            Some(claims) => claims,
            None => {
                let (claims, begins) = self.read(token).ok_or(TokenRefused::Invalid)?;
                if begins > (now + LEEWAY).timestamp() {
                    return Err(TokenRefused::NotYet);
                }
                self.known.insert(token.into(), claims);
                claims
            }
        };
        if claims.expires_at <= now { Err(TokenRefused::Expired(claims.expires_at)) } else { Ok(claims) }
    }
}

impl Tokens {
    /// What `token` says, and from which second on, if one of our keys has signed it.
    fn read(&self, token: &str) -> Option<(Claims, i64)> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let header = TokenHeader::of(token)?;
        decode(token, self.keys.find(&header.kid)?)
    }
}

fn decode(token: &str, key: &JwtKey) -> Option<(Claims, i64)> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    // The times are compared by the caller, who knows what time it is and tells expired from invalid.
    validation.validate_exp = false;
    let body = jsonwebtoken::decode::<Body>(token, &DecodingKey::from_secret(key.secret()), &validation).ok()?.claims;
    let claims = Claims {
        user: body.sub.parse().ok()?,
        session: body.sid.parse().ok()?,
        expires_at: DateTime::from_timestamp(body.exp, 0)?,
    };
    Some((claims, body.nbf.unwrap_or(body.iat).max(body.iat)))
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
