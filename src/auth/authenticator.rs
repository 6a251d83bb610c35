//! Login, session renewal, and authentication of requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel_async::AsyncConnection;
use secrecy::SecretString;

use super::attempts::{Attempts, ClientAddress};
use super::loader::LiveSession;
use super::model::{self, NewSession};
use super::passwords::Passwords;
use super::principal::{Caller, Principal};
use super::recent::Recent;
use super::refresh::RefreshToken;
use super::revocations::{Concern, Notices};
use super::tokens::{Claims, Tokens};
use crate::config::{AuthConfig, LoginRates};
use crate::db::Db;
use crate::error::{ApiError, Code};
use crate::events::Bus;
use crate::ids::{SessionId, UserId};

/// A username and a password, as entered.
#[derive(Debug)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
    /// The address that the attempt came from.
    pub address: Option<ClientAddress>,
}

/// The tokens of a user who has logged in.
#[derive(Debug)]
pub struct OpenSession {
    /// Who.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The token for requests.
    pub access_token: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// The token for the next pair of tokens.
    pub refresh_token: RefreshToken,
}

/// Authenticates callers. Clones share the same state.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    db: Db,
    tokens: Tokens,
    passwords: Passwords,
    attempts: Attempts,
    recent: Recent,
    bus: Bus,
    refresh_life: Duration,
}

impl Authenticator {
    /// An authenticator for the accounts in `db`, which is notified of ended sessions over `bus`.
    pub fn new(db: Db, bus: Bus, config: &AuthConfig, limits: &LoginRates) -> Self {
        Self(Arc::new(Inner {
            db,
            tokens: Tokens::new(config.jwt_keys.clone(), config.access_token_life),
            passwords: Passwords::new(config.bcrypt_cost),
            attempts: Attempts::new(limits),
            recent: Recent::default(),
            bus,
            refresh_life: config.refresh_token_life,
        }))
    }

    /// The sender of a request, by the value of its `Authorization` header.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is a header and it is not valid: no bearer token, an expired token, an ended session,
    /// a disabled account.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, ApiError> {
        let Some(authorization) = authorization else { return Ok(Caller::Anonymous) };
        let claims = self.0.tokens.verify(bearer(authorization)?, Utc::now())?;
        self.live(claims).await.map(Caller::Known)
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
    /// `UNAUTHENTICATED` if the session has ended or the account is disabled.
    pub async fn renewed(&self, caller: &Caller) -> Result<Caller, ApiError> {
        match caller {
            Caller::Anonymous => Ok(Caller::Anonymous),
            Caller::Known(principal) => self.live(principal.claims()).await.map(Caller::Known),
        }
    }

    /// The bus that announces changed permissions.
    pub(super) fn bus(&self) -> &Bus {
        &self.0.bus
    }

    /// Password hashing, for code that creates accounts.
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Resolves when the session of the principal has ended or their account is disabled.
    pub async fn revoked(self, principal: Arc<Principal>) {
        let mut notices = Notices::subscribe(&self.0.bus);
        loop {
            // Checked after subscribing, so nothing that happens in between is missed.
            if !Box::pin(self.is_live(&principal)).await {
                return;
            }
            match notices.about(&principal).await {
                Some(Concern::Revoked) => return,
                Some(Concern::RightsChanged | Concern::Unsure) => {}
                None => return std::future::pending().await,
            }
        }
    }

    async fn is_live(&self, principal: &Principal) -> bool {
        match self.live(principal.claims()).await {
            Ok(_) => true,
            Err(error) if error.code == Code::Unauthenticated => false,
            // An unavailable database does not end any session.
            Err(_) => true,
        }
    }

    /// Records that permissions or sessions may have changed, so that the next request checks them.
    pub fn rights_may_have_changed(&self) {
        self.0.bus.revise();
    }

    async fn live(&self, claims: Claims) -> Result<Arc<Principal>, ApiError> {
        let (revision, now) = (self.0.bus.revision(), Instant::now());
        if let Some(principal) = self.0.recent.find(&claims, revision, now) {
            return Ok(principal);
        }
        let db = &self.0.db;
        let found = db.lane().coalescer::<LiveSession>().load(vec![claims.session]).await?;
        let roles = found
            .get(&claims.session)
            .filter(|roles| roles.user == claims.user)
            .ok_or_else(|| ApiError::unauthenticated("the session of this access token has ended; log in again"))?;
        let principal = Arc::new(Principal {
            user: claims.user,
            session: claims.session,
            platform_role: roles.platform_role,
            groups: roles.groups.clone(),
            expires_at: claims.expires_at,
        });
        self.0.recent.remember(&principal, revision, now);
        Ok(principal)
    }

    /// Starts a session.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the username or the password is wrong, without saying which; `RATE_LIMITED` after too many
    /// attempts.
    pub async fn log_in(&self, credentials: Credentials) -> Result<OpenSession, ApiError> {
        let Credentials { username, password, address } = credentials;
        self.0.attempts.count(&username, address, Instant::now())?;
        let mut conn = self.0.db.connection().await?;
        let account = model::account(&mut conn, &username).await?;
        // Hashing takes long; meanwhile others can use the connection.
        drop(conn);
        let (user, hash) = match account {
            Some(account) if account.disabled_at.is_none() => (Some(account.id), Some(account.password_hash)),
            Some(_) | None => (None, None),
        };
        let right = self.0.passwords.verify(password, hash).await?;
        match user {
            Some(user) if right => {
                self.0.attempts.succeeded(&username, address);
                self.open(user).await
            }
            Some(_) | None => Err(ApiError::unauthenticated("the username or the password is incorrect")),
        }
    }

    async fn open(&self, user: UserId) -> Result<OpenSession, ApiError> {
        let session = SessionId::generate();
        let refresh_token = RefreshToken::first(session);
        let row = NewSession {
            id: session,
            user_id: user,
            refresh_hash: refresh_token.hash(),
            family_hash: refresh_token.family_hash(),
            expires_at: Utc::now() + self.0.refresh_life,
        };
        model::open(&mut *self.0.db.connection().await?, &row).await?;
        self.tokens(user, refresh_token)
    }

    /// Exchanges a refresh token, which can be used only once, for a new pair of tokens.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it is not valid. If it was used before, its session ends.
    pub async fn refresh(&self, refresh_token: &str) -> Result<OpenSession, ApiError> {
        let refused = || ApiError::unauthenticated("the refresh token is not valid; log in again");
        let used = RefreshToken::decode(refresh_token).ok_or_else(refused)?;
        let next = used.next();
        let expires_at = Utc::now() + self.0.refresh_life;
        let mut conn = self.0.db.connection().await?;
        if let Some(user) = model::rotate(&mut conn, used.session(), &used.hash(), &next.hash(), expires_at).await? {
            return self.tokens(user, next);
        }
        let ended =
            conn.transaction(async |conn| model::end_family(conn, used.session(), &used.family_hash()).await).await?;
        if ended {
            tracing::warn!(session = %used.session(), "a refresh token was used twice; ended its session");
            return Err(ApiError::unauthenticated(
                "the refresh token was used before, so its session has ended; log in again",
            ));
        }
        Err(refused())
    }

    fn tokens(&self, user: UserId, refresh_token: RefreshToken) -> Result<OpenSession, ApiError> {
        let session = refresh_token.session();
        let (access_token, expires_at) = self.0.tokens.issue(user, session, Utc::now())?;
        Ok(OpenSession { user, session, access_token, expires_at, refresh_token })
    }
}

/// The token in `Bearer <token>`.
fn bearer(authorization: &str) -> Result<&str, ApiError> {
    let (scheme, token) = authorization.trim().split_once(' ').unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() {
        return Ok(token.trim());
    }
    Err(ApiError::unauthenticated("the Authorization header must be \"Bearer <accessToken>\""))
}
