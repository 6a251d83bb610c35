//! Access tokens: JSON web tokens signed with HS256 or EdDSA, whose header names the key so that keys can be rotated.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SubsecRound, Utc};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::config::{JwtAlgorithm, JwtKey, JwtKeys};
use crate::error::{ApiError, SignInReason};
use crate::ids::{SessionId, UserId};

/// The tolerated clock difference between replicas: a token is valid this long before its `nbf` and its `iat`. Its
/// `exp` has no leeway: clients are told when a token expires, and a refresh that is early costs nothing.
const LEEWAY: Duration = Duration::from_secs(60);
/// Longer than any token of this server, which has about 350 bytes.
const MAX_BYTES: usize = 2048;

/// The claims of a valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// Whose it is.
    pub user: UserId,
    /// The session it was issued for.
    pub session: SessionId,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Why a token is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Not a token, from another issuer, or modified.
    #[error("the access token is invalid; log in again")]
    Invalid,
    /// Not valid yet.
    #[error("the access token is not valid yet")]
    NotYet,
    /// Expired.
    #[error("the access token expired at {}; get a new one with refreshSession", .0.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))]
    Expired(DateTime<Utc>),
}

impl TokenRefused {
    /// The reason that clients are told.
    pub const fn reason(self) -> SignInReason {
        match self {
            Self::Invalid | Self::NotYet => SignInReason::TokenInvalid,
            Self::Expired(_) => SignInReason::TokenExpired,
        }
    }
}

impl From<TokenRefused> for ApiError {
    fn from(refused: TokenRefused) -> Self {
        Self::unauthenticated(refused.reason(), refused.to_string())
    }
}

/// The claims. A duplicate claim is an error, an unknown one is not (RFC 7519, section 4).
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    iss: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    aud: String,
}

/// The audience of access tokens.
const API: &str = "platform-api";
/// The audience of tokens in cookies, so that neither is accepted in place of the other.
const COOKIES: &str = "cookies";

/// The header as [`Tokens::issue`] writes it. Any other parameter (`crit`, `b64`, `jwk`, `enc` ...) would change how
/// the token has to be read, and so would a duplicate one: both are rejected. RFC 7515 leaves this to the issuer.
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
        is_jwt.then_some(header)
    }
}

/// The number of tokens whose signature was verified and is not verified again for every request. Each takes about 400
/// bytes.
const KNOWN: usize = 10_000;

/// A key with the one algorithm that it is for.
struct Key {
    kid: String,
    algorithm: Algorithm,
    signs: EncodingKey,
    verifies: DecodingKey,
    /// The public key, if there is one.
    public: Option<serde_json::Value>,
}

impl Key {
    fn of(key: &JwtKey, algorithm: JwtAlgorithm) -> Option<Self> {
        let kid = key.kid(algorithm).to_owned();
        Some(match algorithm {
            JwtAlgorithm::Hs256 => Self {
                kid,
                algorithm: Algorithm::HS256,
                signs: EncodingKey::from_secret(key.secret()),
                verifies: DecodingKey::from_secret(key.secret()),
                public: None,
            },
            JwtAlgorithm::EdDsa => {
                let signs = EncodingKey::from_ed_der(&key.ed25519());
                let AlgorithmParameters::OctetKeyPair(pair) =
                    Jwk::from_encoding_key(&signs, Algorithm::EdDSA).ok()?.algorithm
                else {
                    return None;
                };
                let public = serde_json::json!({
                    "kty": "OKP", "crv": "Ed25519", "x": pair.x, "kid": kid, "alg": "EdDSA", "use": "sig",
                });
                let verifies = DecodingKey::from_ed_components(&pair.x).ok()?;
                Self { kid, algorithm: Algorithm::EdDSA, signs, verifies, public: Some(public) }
            }
        })
    }
}

/// The keys of all tokens of a server, ready to use.
struct Keyring {
    signing: JwtAlgorithm,
    issuer: String,
    /// The one that signs first.
    keys: Vec<Key>,
}

impl Keyring {
    fn new(keys: &JwtKeys) -> Self {
        let signing = keys.algorithm();
        let other = match signing {
            JwtAlgorithm::Hs256 => JwtAlgorithm::EdDsa,
            JwtAlgorithm::EdDsa => JwtAlgorithm::Hs256,
        };
        // Every secret has a key for each algorithm, so that nobody is logged out when the algorithm changes.
        let all = [signing, other].into_iter().flat_map(|algorithm| keys.all().map(move |key| Key::of(key, algorithm)));
        Self { signing, issuer: keys.issuer().to_owned(), keys: all.flatten().collect() }
    }
}

/// Signs and verifies tokens of one kind: access tokens, or the tokens in session cookies.
#[derive(Clone)]
pub struct Tokens {
    keyring: Arc<Keyring>,
    life: Duration,
    audience: &'static str,
    known: Arc<Cache<Box<str>, Claims>>,
}

impl Tokens {
    /// Access tokens with a lifetime of `life`.
    pub fn new(keys: &JwtKeys, life: Duration) -> Self {
        Self { keyring: Arc::new(Keyring::new(keys)), life, audience: API, known: Arc::new(Cache::new(KNOWN)) }
    }

    /// Tokens for session cookies, with a lifetime of `life`.
    pub fn of_cookies(keys: &JwtKeys, life: Duration) -> Self {
        Self { audience: COOKIES, ..Self::new(keys, life) }
    }

    /// The public keys that verify tokens, as a JSON Web Key Set (RFC 7517): none if tokens are signed with a secret.
    pub fn public_keys(&self) -> serde_json::Value {
        let published = self.keyring.keys.iter().filter(|_| self.keyring.signing == JwtAlgorithm::EdDsa);
        serde_json::json!({ "keys": published.filter_map(|key| key.public.as_ref()).collect::<Vec<_>>() })
    }

    /// A token that is issued for a session at `now`, and when it expires. With the same key, it is always the same.
    ///
    /// # Errors
    /// The token cannot be signed, which would be a bug.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<(String, DateTime<Utc>), ApiError> {
        let key = self.keyring.keys.first().ok_or_else(|| ApiError::internal("there is no key"))?;
        let expires_at = (now + self.life).trunc_subsecs(0);
        let body = Body {
            iss: self.keyring.issuer.clone(),
            sub: user.to_string(),
            sid: session.to_string(),
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
            nbf: None,
            aud: self.audience.to_owned(),
        };
        let header = Header { kid: Some(key.kid.clone()), ..Header::new(key.algorithm) };
        let token = jsonwebtoken::encode(&header, &body, &key.signs).map_err(ApiError::internal)?;
        Ok((token, expires_at))
    }

    /// The claims of `token`, if it was issued by this server and has not expired.
    ///
    /// # Errors
    /// [`TokenRefused`] says why not.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenRefused> {
        let claims = self.verify_expired(token, now)?;
        if claims.expires_at <= now { Err(TokenRefused::Expired(claims.expires_at)) } else { Ok(claims) }
    }

    /// The claims of `token`, if it was issued by this server. It may have expired.
    ///
    /// # Errors
    /// [`TokenRefused`] says why not.
    pub fn verify_expired(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenRefused> {
        match self.known.get(token) {
            Some(claims) => Ok(claims),
            None => {
                let (claims, begins) = self.read(token).ok_or(TokenRefused::Invalid)?;
                if begins > (now + LEEWAY).timestamp() {
                    return Err(TokenRefused::NotYet);
                }
                self.known.insert(token.into(), claims);
                Ok(claims)
            }
        }
    }
}

impl Tokens {
    /// The claims of `token`, and the second from which it is valid, if it is signed with one of our keys.
    fn read(&self, token: &str) -> Option<(Claims, i64)> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let header = TokenHeader::of(token)?;
        let key = self.keyring.keys.iter().find(|key| key.kid == header.kid)?;
        // The algorithm is that of the key, whatever the token says.
        let algorithm: Algorithm = header.alg.parse().ok()?;
        if algorithm != key.algorithm {
            return None;
        }
        let mut validation = Validation::new(key.algorithm);
        validation.set_issuer(&[&self.keyring.issuer]);
        validation.set_audience(&[self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // The caller compares the times, because it knows the current time and distinguishes expired from invalid.
        validation.validate_exp = false;
        let body = jsonwebtoken::decode::<Body>(token, &key.verifies, &validation).ok()?.claims;
        let claims = Claims {
            user: body.sub.parse().ok()?,
            session: body.sid.parse().ok()?,
            expires_at: DateTime::from_timestamp(body.exp, 0)?,
        };
        Some((claims, body.nbf.unwrap_or(body.iat).max(body.iat)))
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
