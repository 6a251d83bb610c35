//! Session renewal and authentication of requests. Logging in is in [`sign_in`], and what is valid at the moment is looked
//! up in [`live`].

mod live;
mod sign_in;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::json;

use super::api_tokens::{ApiSecret, KnownTokens};
use super::attempts::Attempts;
use super::last_use::LastUses;
use super::model::{self, Refreshable, Refreshed};
use super::passwords::Passwords;
use super::policy;
use super::principal::Caller;
use super::recent::Recent;
use super::refresh::RefreshToken;
use super::rotation::{Rotation, Used, Verdict};
use super::tokens::{Claims, Tokens};
use crate::config::{AuthConfig, JwtKeys, LoginRates, Registration};
use crate::db::Db;
use crate::error::{ApiError, Code, SignInReason};
use crate::events::Bus;
use crate::ids::{SessionId, UserId};
use crate::trail::{self, Entry, Object, Origin};

/// The actions of the audit log that need no permission.
const LOG_IN: &str = "Login";
const REFRESH: &str = "RefreshSession";

pub use sign_in::Credentials;

/// The session of a user who has logged in.
#[derive(Debug)]
pub struct OpenSession {
    /// Who.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// Its tokens; `None` if it was extended with its cookie, because scripts must not read what would replace the cookie.
    pub tokens: Option<SessionTokens>,
    /// When the access token expires, or the cookie if there are no tokens.
    pub expires_at: DateTime<Utc>,
    /// When the refresh token expires, and the session with it unless it is refreshed.
    pub refresh_expires_at: DateTime<Utc>,
    /// The value of the session cookie, if sessions are stored in cookies.
    pub cookie: Option<String>,
}

/// The tokens of a session.
#[derive(Debug)]
pub struct SessionTokens {
    /// The token for requests.
    pub access: String,
    /// The token for the next pair of tokens.
    pub refresh: RefreshToken,
}

/// The session cookie of a request that can also set one, in the data of the request.
#[derive(Debug, Clone)]
pub struct SessionCookie(pub Arc<str>);

/// Authenticates callers. Clones share the same state.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    db: Db,
    keys: JwtKeys,
    tokens: Tokens,
    api_tokens: KnownTokens,
    /// The longest that an API token can be valid.
    api_token_life: Duration,
    /// Only if sessions are stored in cookies.
    cookies: Option<Tokens>,
    passwords: Passwords,
    attempts: Attempts,
    recent: Recent,
    uses: LastUses,
    bus: Bus,
    refresh_life: Duration,
    registration: Registration,
}

impl Authenticator {
    /// An authenticator for the accounts in `db`, which is notified of ended sessions over `bus`.
    ///
    /// # Errors
    /// The threads that hash passwords cannot be prepared.
    pub fn new(db: Db, bus: Bus, config: &AuthConfig, limits: &LoginRates) -> io::Result<Self> {
        Ok(Self(Arc::new(Inner {
            db,
            keys: config.jwt_keys.clone(),
            tokens: Tokens::new(&config.jwt_keys, config.access_token_life),
            api_tokens: KnownTokens::default(),
            api_token_life: config.api_token_life,
            cookies: config.cookie_sessions.then(|| Tokens::of_cookies(&config.jwt_keys, config.refresh_token_life)),
            passwords: Passwords::new(config.bcrypt_cost)?,
            attempts: Attempts::new(limits),
            recent: Recent::default(),
            uses: LastUses::default(),
            bus,
            refresh_life: config.refresh_token_life,
            registration: config.registration,
        })))
    }

    /// The sender of a request, by the value of its `Authorization` header.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is a header and it is not valid: no bearer token, an expired token, an ended session,
    /// a revoked API token, a disabled account.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, ApiError> {
        let Some(authorization) = authorization else { return Ok(Caller::Anonymous) };
        let token = bearer(authorization)?;
        if ApiSecret::is_meant(token) {
            let id = self.0.api_tokens.find(&self.0.db, token).await?;
            return self.live_token(id).await.map(Caller::Known);
        }
        let claims = self.0.tokens.verify(token, Utc::now())?;
        self.live(claims).await.map(Caller::Known)
    }

    /// The sender of a request, by the value of its session cookie. If that is not valid, the sender is
    /// [refused](Caller::Refused) what requires a login, and nothing else.
    ///
    /// # Errors
    /// The session cannot be looked up.
    pub async fn authenticate_cookie(&self, cookie: &str) -> Result<Caller, ApiError> {
        let Some(cookies) = &self.0.cookies else { return Ok(Caller::Anonymous) };
        let claims = match cookies.verify(cookie, Utc::now()) {
            Ok(claims) => claims,
            Err(refused) => return Ok(Caller::Refused(refused.reason())),
        };
        match self.live(claims).await {
            Ok(principal) => Ok(Caller::Known(principal)),
            Err(error) if error.code == Code::Unauthenticated => Ok(Caller::Refused(SignInReason::SessionEnded)),
            Err(error) => Err(error),
        }
    }

    /// The sender of a request that only ends their session. The access token may have expired.
    ///
    /// # Errors
    /// As [`Authenticator::authenticate`].
    pub async fn authenticate_to_leave(&self, authorization: &str) -> Result<Caller, ApiError> {
        let token = bearer(authorization)?;
        if ApiSecret::is_meant(token) {
            return self.authenticate(Some(authorization)).await;
        }
        let claims = self.0.tokens.verify_expired(token, Utc::now())?;
        self.live(claims).await.map(Caller::Known)
    }

    /// Whether sessions are also stored in cookies.
    pub fn sets_cookies(&self) -> bool {
        self.0.cookies.is_some()
    }

    /// The caller that has just started or renewed a session.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it has ended in the meantime.
    pub async fn caller_of(&self, session: &OpenSession) -> Result<Caller, ApiError> {
        let OpenSession { user, session, expires_at, .. } = *session;
        self.live(Claims { user, session, expires_at }).await.map(Caller::Known)
    }

    /// `caller` with its current permissions, for operations that last longer than a request.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the session has ended, the API token is no longer valid, or the account is disabled.
    pub async fn renewed(&self, caller: &Caller) -> Result<Caller, ApiError> {
        match caller {
            Caller::Anonymous | Caller::Refused(_) => Ok(caller.clone()),
            Caller::Known(principal) => self.look(principal).await.map(Caller::Known),
        }
    }

    /// The bus that announces changed permissions.
    pub fn bus(&self) -> &Bus {
        &self.0.bus
    }

    /// Password hashing, for code that creates accounts.
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// The public keys that verify access tokens, as a JSON Web Key Set.
    pub fn public_keys(&self) -> serde_json::Value {
        self.0.tokens.public_keys()
    }

    /// Limits of attempts, for all ways to an account.
    pub fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    /// The longest that an API token can be valid.
    pub fn api_token_life(&self) -> Duration {
        self.0.api_token_life
    }

    /// Whether people can register.
    pub fn registration(&self) -> Registration {
        self.0.registration
    }

    /// Stores which sessions and API tokens were used since the last time.
    ///
    /// # Errors
    /// The database's.
    pub async fn store_last_uses(&self) -> Result<(), ApiError> {
        self.0.uses.store(&self.0.db).await
    }

    /// Records that permissions or sessions may have changed, so that the next request checks them.
    pub fn rights_may_have_changed(&self) {
        self.0.bus.revise();
    }

    /// Exchanges a refresh token for a new pair of tokens. For half a minute, the same refresh has the same result.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it is not valid. If it was used before that, its session ends.
    pub async fn refresh(&self, refresh_token: &str, origin: Origin) -> Result<OpenSession, ApiError> {
        let invalid =
            || ApiError::unauthenticated(SignInReason::TokenInvalid, "the refresh token is not valid; log in again");
        if ApiSecret::is_meant(refresh_token) {
            let message = "this is an API token, which is not refreshed: it is valid until it expires or is revoked";
            return Err(ApiError::unauthenticated(SignInReason::TokenInvalid, message));
        }
        let used = RefreshToken::decode(refresh_token).ok_or_else(invalid)?;
        let mut conn = self.0.db.connection().await?;
        let refreshed = conn.transaction(async |conn| {
            let found = model::lock(conn, used.session()).await?;
            let Some(found) = found.filter(|found| found.family_hash == used.family_hash()) else {
                return Err(invalid());
            };
            if !found.live {
                return Err(ended("the session of the refresh token has ended; log in again"));
            }
            self.rotate(conn, used, found, origin).await
        });
        refreshed.await?.ok_or_else(|| {
            tracing::warn!(session = %used.session(), "a refresh token was used twice; ended its session");
            ended("the refresh token was used before, so its session has ended; log in again")
        })
    }

    /// Replaces the token, or finds what replaced it. Otherwise ends the session and returns `None`.
    async fn rotate(
        &self,
        conn: &mut AsyncPgConnection,
        used: RefreshToken,
        found: Refreshable,
        origin: Origin,
    ) -> Result<Option<OpenSession>, ApiError> {
        let (session, now) = (used.session(), now());
        let earlier = found.used_hashes.into_iter().zip(found.used_at).map(|(hash, at)| Used { hash, at });
        let rotation = Rotation { current: found.refresh_hash, used: earlier.collect() };
        let repeated = match rotation.judge(&used.hash(), now) {
            Verdict::Valid => {
                let next = used.next(self.0.keys.current())?;
                let Rotation { current, used: replaced } = rotation.rotated(next.hash(), now);
                let (used_hashes, used_at) = replaced.into_iter().map(|used| (used.hash, used.at)).unzip();
                let expires_at = now + self.0.refresh_life;
                let refreshed =
                    Refreshed { refresh_hash: current, expires_at, last_used_at: now, used_hashes, used_at };
                model::refresh(conn, session, &refreshed).await?;
                let entry = Entry::done(Some(found.user_id), policy::name_of(REFRESH), session_object(session), origin);
                trail::model::record(conn, vec![entry]).await?;
                return self.tokens(found.user_id, next, now, expires_at).map(Some);
            }
            Verdict::Repeated(since) => rotation.valid_after(used, since, &self.0.keys)?,
            Verdict::Used => None,
        };
        match (repeated, rotation.used.first()) {
            // With the same times, so the same tokens.
            (Some(valid), Some(last)) => self.tokens(found.user_id, valid, last.at, found.expires_at).map(Some),
            (Some(_) | None, _) => {
                model::end(conn, session).await?;
                // Somebody has a copy of the token, and it is not known who of the two this is.
                let entry = Entry::done(None, policy::name_of(REFRESH), session_object(session), origin).refused();
                let detail = json!({ "user": found.user_id.to_string(), "reason": "REFRESH_TOKEN_REUSED" });
                trail::model::record(conn, vec![entry.with(detail)]).await?;
                Ok(None)
            }
        }
    }

    /// Extends a session by its cookie.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is no valid cookie.
    pub async fn extend(&self, cookie: Option<&SessionCookie>, origin: Origin) -> Result<OpenSession, ApiError> {
        let no_cookie = || {
            let message = "there is no refreshToken in the input and no session cookie in the request";
            ApiError::unauthenticated(SignInReason::NoToken, message)
        };
        let (Some(cookies), Some(cookie)) = (&self.0.cookies, cookie) else { return Err(no_cookie()) };
        let verified = cookies.verify(&cookie.0, Utc::now()).map_err(|refused| Caller::Refused(refused.reason()));
        let Claims { user, session, .. } = match verified {
            Ok(claims) => claims,
            Err(refused) => return Err(refused.principal().err().unwrap_or_else(no_cookie)),
        };
        let now = now();
        let expires_at = now + self.0.refresh_life;
        let entry = Entry::done(Some(user), policy::name_of(REFRESH), session_object(session), origin);
        let mut conn = self.0.db.connection().await?;
        let extended = conn.transaction(async |conn| {
            if !model::extend(conn, session, expires_at).await? {
                return Err(ended("the session of the cookie has ended; log in again"));
            }
            Ok::<_, ApiError>(trail::model::record(conn, vec![entry]).await?)
        });
        extended.await?;
        let (cookie, _) = cookies.issue(user, session, now)?;
        let (tokens, refresh_expires_at) = (None, expires_at);
        Ok(OpenSession { user, session, tokens, expires_at, refresh_expires_at, cookie: Some(cookie) })
    }

    fn tokens(
        &self,
        user: UserId,
        refresh: RefreshToken,
        now: DateTime<Utc>,
        refresh_expires_at: DateTime<Utc>,
    ) -> Result<OpenSession, ApiError> {
        let session = refresh.session();
        let (access, expires_at) = self.0.tokens.issue(user, session, now)?;
        let cookie = self.0.cookies.as_ref().map(|cookies| cookies.issue(user, session, now)).transpose()?;
        let (tokens, cookie) = (Some(SessionTokens { access, refresh }), cookie.map(|(cookie, _)| cookie));
        Ok(OpenSession { user, session, tokens, expires_at, refresh_expires_at, cookie })
    }
}

/// The current time as PostgreSQL stores it, so that what is computed from it can be computed again.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

fn session_object(session: SessionId) -> Object {
    Object { subject: Some(session.to_text()), ..Object::default() }
}

fn ended(message: &'static str) -> ApiError {
    ApiError::unauthenticated(SignInReason::SessionEnded, message)
}

/// The token in `Bearer <token>`.
fn bearer(authorization: &str) -> Result<&str, ApiError> {
    let (scheme, token) = authorization.trim().split_once(' ').unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() {
        return Ok(token.trim());
    }
    let message = "the Authorization header must be \"Bearer <accessToken>\"";
    Err(ApiError::unauthenticated(SignInReason::TokenInvalid, message))
}
