//! Logging in: from a username and a password to a session.

use std::time::Instant;

use diesel_async::AsyncConnection;
use secrecy::SecretString;

use super::{Authenticator, LOG_IN, OpenSession, now, session_object};
use crate::auth::attempts::ClientAddress;
use crate::auth::model::{self, NewSession};
use crate::auth::policy;
use crate::auth::principal::UserState;
use crate::auth::refresh::RefreshToken;
use crate::error::{ApiError, Denied, SignInReason};
use crate::ids::{Kind as _, SessionId, UserId, UserKind};
use crate::trail::{self, Entry, Origin};

/// A username and a password, as entered.
#[derive(Debug)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
    /// The address that the attempt came from.
    pub address: Option<ClientAddress>,
    /// Where it came from, for the session and the audit log.
    pub origin: Origin,
}

impl Authenticator {
    /// Starts a session.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the username or the password is wrong, without saying which, or if the account is disabled,
    /// without saying so; `RATE_LIMITED` after too many attempts.
    pub async fn log_in(&self, credentials: Credentials) -> Result<OpenSession, ApiError> {
        let Credentials { username, password, address, origin } = credentials;
        // What was entered as the name is not recorded: it may be a password.
        let denied = |user: Option<UserId>| Denied {
            action: LOG_IN,
            subject: user.map(|user| (UserKind::PREFIX, user.uuid())),
            group: None,
        };
        // Usernames have no capitals, and a limit that distinguished them would be none.
        let username = username.to_ascii_lowercase();
        self.0.attempts.count(&username, address, Instant::now()).map_err(|error| error.denying(denied(None)))?;
        let mut conn = self.0.db.connection().await?;
        let account = model::account(&mut conn, &username).await?;
        let known = account.as_ref().map(|account| account.id);
        // Hashing takes long; meanwhile others can use the connection.
        drop(conn);
        let (account, hash) = match account {
            Some(account) if matches!(account.state, UserState::Active | UserState::Waiting) => {
                (Some((account.id, account.state, account.password_hash.clone())), Some(account.password_hash))
            }
            Some(_) | None => (None, None),
        };
        let right = self.0.passwords.verify(password, hash).await?;
        match account {
            Some((user, state, hash)) if right => {
                self.0.attempts.succeeded(&username, address);
                if state == UserState::Waiting {
                    let message = "the account waits for the approval of a platform admin; try again later";
                    let waiting = ApiError::unauthenticated(SignInReason::AccountWaiting, message);
                    return Err(waiting.denying(denied(Some(user))));
                }
                self.open(user, Some(&hash), origin).await
            }
            Some(_) | None => Err(wrong().denying(denied(known))),
        }
    }

    /// Whether this is the password of a user who is logged in. Counts as a login attempt, so that who has stolen an access
    /// token cannot guess the password either. Returns the hash that it matches.
    ///
    /// # Errors
    /// `RATE_LIMITED` after too many attempts.
    pub async fn knows_password(
        &self,
        user: UserId,
        password: SecretString,
        address: Option<ClientAddress>,
    ) -> Result<Option<String>, ApiError> {
        let Some((username, hash)) = model::password_of(&mut *self.0.db.connection().await?, user).await? else {
            return Ok(None);
        };
        self.0.attempts.count(&username, address, Instant::now())?;
        if !self.0.passwords.verify(password, Some(hash.clone())).await? {
            return Ok(None);
        }
        self.0.attempts.succeeded(&username, address);
        Ok(Some(hash))
    }

    /// Starts a session of a user who has proved to be one; with `hash`, by a password with this hash.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the user has been disabled since, or the password changed: a session that began at that moment
    /// would not end with the others. The database's.
    pub async fn open(&self, user: UserId, hash: Option<&str>, origin: Origin) -> Result<OpenSession, ApiError> {
        let session = SessionId::generate();
        let (refresh_token, now) = (RefreshToken::first(session), now());
        let row = NewSession {
            id: session,
            user_id: user,
            refresh_hash: refresh_token.hash(),
            family_hash: refresh_token.family_hash(),
            expires_at: now + self.0.refresh_life,
            // PostgreSQL has no NUL in texts; headers have none either.
            user_agent: origin.user_agent.as_deref().map(|agent| agent.replace('\0', "")),
            address: origin.address.map(|address| address.to_canonical().to_string()),
        };
        let entry = Entry::done(Some(user), policy::name_of(LOG_IN), session_object(session), origin);
        let mut conn = self.0.db.connection().await?;
        let opened = conn.transaction(async |conn| {
            if !model::may_begin(conn, user, hash).await? {
                return Err(wrong());
            }
            model::open(conn, &row).await?;
            Ok::<_, ApiError>(trail::model::record(conn, vec![entry]).await?)
        });
        opened.await?;
        self.tokens(user, refresh_token, now, row.expires_at)
    }
}

fn wrong() -> ApiError {
    ApiError::unauthenticated(SignInReason::WrongCredentials, "the username or the password is incorrect")
}
