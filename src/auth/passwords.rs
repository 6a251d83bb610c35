//! Passwords: the rules for new ones, and hashing, which is deliberately slow and therefore bounded and off the async
//! threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::hashing::HashingThreads;
use super::strength;
use crate::config::BcryptCost;
use crate::error::{ApiError, Code};

/// The maximum length of a password in bytes: bcrypt reads no more, so a longer one would be truncated silently.
pub const MAX_BYTES: usize = 72;
/// The minimum length of a new password in bytes.
pub const MIN_BYTES: usize = 8;
/// The number of hashes that may wait for their turn; a flood of logins is rejected instead of queued indefinitely.
const WAITING: usize = 256;

/// What is stored for an account that has no password yet; it is the hash of none.
pub const NO_PASSWORD: &str = "!";

/// A password that can be stored.
#[derive(Debug, Clone)]
pub struct NewPassword(SecretString);

impl NewPassword {
    /// Checks the length of a password that a user chose.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if it is too short or too long; the password is not repeated.
    pub fn parse(password: SecretString, field: &'static str) -> Result<Self, ApiError> {
        let bytes = password.expose_secret().len();
        if (MIN_BYTES..=MAX_BYTES).contains(&bytes) {
            return Ok(Self(password));
        }
        Err(ApiError::bad_input(
            field,
            format!("the password has {bytes} bytes; it must have {MIN_BYTES} to {MAX_BYTES}"),
        ))
    }
}

/// Hashes and verifies. Clones share the same threads.
#[derive(Debug, Clone)]
pub struct Passwords {
    cost: BcryptCost,
    threads: Arc<HashingThreads>,
    waiting: Arc<Semaphore>,
    verified: Arc<AtomicU64>,
}

impl Passwords {
    /// Hashes with bcrypt at `cost`, on threads of its own.
    ///
    /// # Errors
    /// The threads cannot be prepared.
    pub fn new(cost: BcryptCost) -> io::Result<Self> {
        Ok(Self {
            cost,
            threads: Arc::new(HashingThreads::new()?),
            waiting: Arc::new(Semaphore::new(WAITING)),
            verified: Arc::default(),
        })
    }

    /// Checks a password that a user chose; `personal` is what others know about the user, such as their name.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if it is too short, too long or too easy to guess; the password is not repeated. `RATE_LIMITED` if
    /// too many hashes are already waiting.
    pub async fn check(
        &self,
        password: SecretString,
        field: &'static str,
        personal: Vec<String>,
    ) -> Result<NewPassword, ApiError> {
        let password = NewPassword::parse(password, field)?;
        let judged = password.clone();
        match self.work(move || strength::weakness(judged.0.expose_secret(), &personal)).await? {
            None => Ok(password),
            Some(reason) => Err(ApiError::bad_input(field, format!("the password is too weak: {reason}"))),
        }
    }

    /// The number of passwords that were verified so far.
    pub fn verified(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }

    /// The hash to store for `password`.
    ///
    /// # Errors
    /// `RATE_LIMITED` if too many hashes are already waiting.
    pub async fn hash(&self, password: NewPassword) -> Result<String, ApiError> {
        let cost = self.cost.get();
        // Not its `non_truncating_hash`, which counts the NUL that terminates a C string and rejects 72 bytes. Nothing
        // is truncated here: a `NewPassword` is not longer than that.
        self.work(move || bcrypt::hash(password.0.expose_secret(), cost)).await?.map_err(ApiError::internal)
    }

    /// Whether `password` matches `hash`. Without a hash the result is false and takes as long as with one. A password
    /// that is longer than any valid one is wrong.
    ///
    /// # Errors
    /// `RATE_LIMITED` if too many hashes are already waiting.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, ApiError> {
        if password.expose_secret().len() > MAX_BYTES {
            return Ok(false);
        }
        let cost = self.cost.get();
        self.verified.fetch_add(1, Ordering::Relaxed);
        let hash = hash.filter(|hash| hash != NO_PASSWORD);
        self.work(move || match hash {
            Some(hash) => matches(password.expose_secret(), &hash),
            None => {
                // The same work as a real check, so that response times do not reveal which usernames have an account.
                let _ = bcrypt::hash(password.expose_secret(), cost);
                false
            }
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let busy = || ApiError::new(Code::RateLimited, "too many logins at the same time; try again in a moment");
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let task = self.threads.run(move || {
            let _place = place;
            work()
        });
        task.await.map_err(ApiError::internal)
    }
}

/// Verifies both kinds of hashes that users of the platform have: bcrypt, or argon2id from an earlier system.
fn matches(password: &str, hash: &str) -> bool {
    if hash.starts_with("$argon2id$") {
        return PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
    }
    bcrypt::verify(password, hash).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHasher;

    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(BcryptCost::CHEAPEST).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_the_one_behind_its_hash_and_no_other_is() {
        let chosen = NewPassword::parse("correct horse".into(), "input.password").unwrap();
        let hash = passwords().hash(chosen).await.unwrap();
        assert!(passwords().verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords().verify("correct hors".into(), Some(hash)).await.unwrap());
        assert!(!passwords().verify("correct horse".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn an_argon2id_hash_is_verified_too() {
        let hash = Argon2::default().hash_password(b"from the old system").unwrap().to_string();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords().verify("from the old system".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords().verify("another".into(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn a_password_of_72_bytes_is_checked_whole_and_a_weak_one_is_refused_with_the_reason() {
        let check = async |password: String| passwords().check(password.into(), "input.password", Vec::new()).await;
        assert!(check("é4x-".repeat(14) + "é").await.is_ok());
        let refused = check("password".repeat(9)).await.unwrap_err();
        insta::assert_snapshot!(refused, @"the password is too weak: it repeats the same characters");
        let refused = check("abcabcab".to_owned()).await.unwrap_err();
        insta::assert_snapshot!(refused, @"the password is too weak: it needs at least 4 different characters, and has 3");
    }

    #[test]
    fn a_password_that_bcrypt_would_cut_is_refused() {
        let refused = |password: &str| NewPassword::parse(password.into(), "input.password").unwrap_err().to_string();
        insta::assert_snapshot!(refused(&"é".repeat(37)), @"the password has 74 bytes; it must have 8 to 72");
        insta::assert_snapshot!(refused(&"a".repeat(73)), @"the password has 73 bytes; it must have 8 to 72");
        insta::assert_snapshot!(refused("short"), @"the password has 5 bytes; it must have 8 to 72");
    }

    #[tokio::test]
    async fn a_password_of_exactly_72_bytes_is_kept_whole() {
        for longest in ["a".repeat(72), "é".repeat(36), "🦀".repeat(18)] {
            let chosen = NewPassword::parse(longest.clone().into(), "input.password").unwrap();
            let hash = passwords().hash(chosen).await.unwrap();
            assert!(passwords().verify(longest.clone().into(), Some(hash.clone())).await.unwrap(), "{longest}");
            assert!(!passwords().verify(format!("{longest}b").into(), Some(hash.clone())).await.unwrap(), "{longest}");
            let shorter: String = longest.chars().skip(1).collect();
            assert!(!passwords().verify(shorter.into(), Some(hash)).await.unwrap(), "{longest}");
        }
    }

    /// Hashes from the test of crypt_blowfish (openwall.com/crypt), with each of the prefixes that bcrypt has had
    /// since.
    #[tokio::test]
    async fn a_hash_that_another_bcrypt_made_of_72_bytes_is_verified() {
        let password = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        assert_eq!(password.len(), MAX_BYTES);
        for name in ["2a", "2b", "2y"] {
            let hash = format!("${name}$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui");
            assert!(passwords().verify(password.into(), Some(hash.clone())).await.unwrap(), "{name}");
            let longer = format!("{password}chars after 72 are ignored");
            assert!(!passwords().verify(longer.into(), Some(hash.clone())).await.unwrap(), "{name}");
            assert!(!passwords().verify(password[..71].into(), Some(hash)).await.unwrap(), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_no_hash_fits_no_password() {
        for hash in ["", NO_PASSWORD, "$2b$05$", "$argon2id$", "plain text", "$1$abc$def"] {
            assert!(!passwords().verify("correct horse".into(), Some(hash.to_owned())).await.unwrap(), "{hash:?}");
        }
    }
}
