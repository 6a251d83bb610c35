//! Passwords: what one may be, and hashing, which is slow on purpose and therefore bounded and off the async threads.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::config::BcryptCost;
use crate::error::{ApiError, Code};

/// Bytes of a password that bcrypt reads; a longer one would be cut in silence.
pub const MAX_BYTES: usize = 72;
/// Bytes of a new password at the least.
pub const MIN_BYTES: usize = 8;
/// Hashes that may wait for their turn; a flood of log-ins is refused rather than queued without end.
const WAITING: usize = 256;

/// A password that may be stored.
#[derive(Debug, Clone)]
pub struct NewPassword(SecretString);

impl NewPassword {
    /// Checks a password that somebody chose.
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
            format!("the password has {bytes} bytes; it may have {MIN_BYTES} to {MAX_BYTES}"),
        ))
    }
}

/// Hashes and verifies. Clones share the same slots.
#[derive(Debug, Clone)]
pub struct Passwords {
    cost: BcryptCost,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Passwords {
    /// Hashes with bcrypt at `cost`, as many at a time as there are cores.
    pub fn new(cost: BcryptCost) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self { cost, running: Arc::new(Semaphore::new(cores)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }

    /// The hash to keep for `password`.
    ///
    /// # Errors
    /// `RATE_LIMITED` if too many hashes wait already.
    pub async fn hash(&self, password: NewPassword) -> Result<String, ApiError> {
        let cost = self.cost.get();
        self.work(move || bcrypt::non_truncating_hash(password.0.expose_secret(), cost))
            .await?
            .map_err(ApiError::internal)
    }

    /// Whether `password` is the one behind `hash`. Without a hash the answer is no and takes as long as another.
    ///
    /// # Errors
    /// `RATE_LIMITED` if too many hashes wait already.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, ApiError> {
        if password.expose_secret().len() > MAX_BYTES {
            return Ok(false);
        }
        let cost = self.cost.get();
        self.work(move || match hash {
            Some(hash) => matches(password.expose_secret(), &hash),
            None => {
                // The work of a real check, so that a name without an account cannot be told by the time it takes.
                let _ = bcrypt::non_truncating_hash(password.expose_secret(), cost);
                false
            }
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let busy = || ApiError::new(Code::RateLimited, "too many log-ins at once; try again in a moment");
        let _place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| busy())?;
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        task.await.map_err(ApiError::internal)
    }
}

/// Checks against either kind of hash that the platform's users have: bcrypt, or argon2id from an earlier system.
fn matches(password: &str, hash: &str) -> bool {
    if hash.starts_with("$argon2id$") {
        return PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
    }
    bcrypt::non_truncating_verify(password, hash).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHasher;

    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(BcryptCost::CHEAPEST)
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

    #[test]
    fn a_password_that_bcrypt_would_cut_is_refused() {
        let refused = |password: &str| NewPassword::parse(password.into(), "input.password").unwrap_err().to_string();
        insta::assert_snapshot!(refused(&"é".repeat(37)), @"the password has 74 bytes; it may have 8 to 72");
        insta::assert_snapshot!(refused("short"), @"the password has 5 bytes; it may have 8 to 72");
    }
}
