//! The keys that sign access tokens, and what counts as strong enough to be one.

use std::{collections::HashSet, fmt};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{ConfigError, JwtAlgorithm};

const SHORTEST_SECRET: usize = 32;
const FEWEST_DISTINCT_BYTES: usize = 8;
const EXPECTED: &str = "a random text of at least 32 bytes, such as the output of: openssl rand -base64 48";

/// The DER form of an Ed25519 private key (RFC 8410, section 7) before its 32 bytes.
const ED25519_DER: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A secret, and the names by which tokens refer to its keys: one key for each algorithm, which is used for no other.
#[derive(Clone)]
pub struct JwtKey {
    kid: String,
    ed_kid: String,
    secret: SecretString,
}

impl JwtKey {
    /// A key for `secret`. Its ID is derived from the secret, so it stays the same when the secret moves within the
    /// configuration.
    fn new(secret: &str) -> Self {
        let kid = |purpose: &str| {
            let digest = Sha256::digest(format!("{purpose}:{secret}"));
            digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
        };
        Self { kid: kid("platform-jwt-kid"), ed_kid: kid("platform-jwt-ed-kid"), secret: SecretString::from(secret) }
    }

    /// The `kid` in the header of tokens that were signed with this algorithm.
    #[must_use]
    pub fn kid(&self, algorithm: JwtAlgorithm) -> &str {
        match algorithm {
            JwtAlgorithm::Hs256 => &self.kid,
            JwtAlgorithm::EdDsa => &self.ed_kid,
        }
    }

    /// The Ed25519 key that is derived from the secret, in the DER form of PKCS #8. The secret is at least as hard to guess as
    /// the key, which cannot be traced back to it.
    #[must_use]
    pub fn ed25519(&self) -> Vec<u8> {
        let seed = Sha256::digest([b"platform-jwt-ed25519:", self.secret()].concat());
        [ED25519_DER.as_slice(), &seed].concat()
    }

    /// The bytes to sign and verify with.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        self.secret.expose_secret().as_bytes()
    }
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The key that signs, and those that still verify.
///
/// To rotate: move the value of `JWT_SECRET` to the front of `JWT_SECRETS_OLD`, set a new one, and restart the replicas
/// one after the other. Tokens signed with the old key stay valid until they expire, so nobody is logged out.
#[derive(Debug, Clone)]
pub struct JwtKeys {
    current: JwtKey,
    old: Vec<JwtKey>,
    algorithm: JwtAlgorithm,
    issuer: String,
}

/// The issuer unless there is another one.
const ISSUER: &str = "platform";

impl JwtKeys {
    /// Keys from the values of `JWT_SECRET` and `JWT_SECRETS_OLD` (comma-separated).
    ///
    /// # Errors
    /// A secret is missing, too short, or repeats a few characters.
    pub fn parse(current: Option<&SecretString>, old: Option<&SecretString>) -> Result<Self, ConfigError> {
        let current = current.map(|secret| secret.expose_secret().trim()).filter(|secret| !secret.is_empty());
        let Some(current) = current else {
            return Err(ConfigError::Missing { variable: "JWT_SECRET", expected: EXPECTED.to_owned() });
        };
        let old = old.map(ExposeSecret::expose_secret).unwrap_or_default();
        let old = old.split(',').map(str::trim).filter(|secret| !secret.is_empty());
        Ok(Self {
            current: strong("JWT_SECRET", current)?,
            old: old.map(|secret| strong("JWT_SECRETS_OLD", secret)).collect::<Result<_, _>>()?,
            algorithm: JwtAlgorithm::default(),
            issuer: ISSUER.to_owned(),
        })
    }

    /// The same keys, for tokens that are signed with this algorithm and have this issuer. Tokens that were signed with the
    /// other algorithm are still accepted.
    #[must_use]
    pub fn signing(self, algorithm: JwtAlgorithm, issuer: &str) -> Self {
        Self { algorithm, issuer: issuer.to_owned(), ..self }
    }

    /// How new tokens are signed.
    #[must_use]
    pub fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// The issuer of tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A new random key, for development and tests.
    #[must_use]
    pub fn random() -> Self {
        Self {
            current: JwtKey::new(&random_secret()),
            old: Vec::new(),
            algorithm: JwtAlgorithm::default(),
            issuer: ISSUER.to_owned(),
        }
    }

    /// The key that signs.
    #[must_use]
    pub fn current(&self) -> &JwtKey {
        &self.current
    }

    /// All keys, starting with the one that signs.
    pub fn all(&self) -> impl Iterator<Item = &JwtKey> {
        std::iter::once(&self.current).chain(&self.old)
    }
}

/// 64 random hexadecimal digits.
#[must_use]
pub(crate) fn random_secret() -> String {
    rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn strong(variable: &'static str, secret: &str) -> Result<JwtKey, ConfigError> {
    let distinct = secret.bytes().collect::<HashSet<_>>().len();
    let problem = if secret.len() < SHORTEST_SECRET {
        format!("has {} bytes", secret.len())
    } else if secret.contains(',') {
        "contains a comma, which separates secrets in JWT_SECRETS_OLD".to_owned()
    } else if distinct < FEWEST_DISTINCT_BYTES {
        format!("has only {distinct} different bytes")
    } else {
        return Ok(JwtKey::new(secret));
    };
    Err(ConfigError::Secret { variable, problem, expected: EXPECTED.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "old-0123456789-0123456789-0123456789";
    const NEW: &str = "new-0123456789-0123456789-0123456789";

    fn keys(current: &str, old: &str) -> Result<JwtKeys, ConfigError> {
        JwtKeys::parse(Some(&SecretString::from(current)), Some(&SecretString::from(old)))
    }

    #[test]
    fn a_secret_keeps_its_kid_when_it_becomes_an_old_one() {
        let before = keys(OLD, "").unwrap();
        let after = keys(NEW, OLD).unwrap();
        for algorithm in [JwtAlgorithm::Hs256, JwtAlgorithm::EdDsa] {
            let kid = before.current().kid(algorithm);
            assert_ne!(after.current().kid(algorithm), kid);
            let found = after.all().find(|key| key.kid(algorithm) == kid);
            assert_eq!(found.map(JwtKey::secret), Some(OLD.as_bytes()));
        }
    }

    #[test]
    fn weak_secrets_are_refused_without_being_repeated() {
        insta::assert_snapshot!(keys("hunter2", "").unwrap_err(), @"JWT_SECRET has 7 bytes; it must be a random text of at least 32 bytes, such as the output of: openssl rand -base64 48");
        insta::assert_snapshot!(keys(NEW, "abababababababababababababababababab").unwrap_err(), @"JWT_SECRETS_OLD has only 2 different bytes; it must be a random text of at least 32 bytes, such as the output of: openssl rand -base64 48");
        insta::assert_snapshot!(keys(" ", "").unwrap_err(), @"JWT_SECRET is not set; it must be a random text of at least 32 bytes, such as the output of: openssl rand -base64 48");
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", keys(NEW, OLD).unwrap());
        assert!(!shown.contains("0123456789"), "{shown}");
    }
}
