//! What is valid at the moment: the session or the API token of a request, with the roles of its user. What was looked up
//! less than a second ago costs no statement.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

use super::{Authenticator, ended};
use crate::auth::api_tokens::loader::TokenById;
use crate::auth::loader::LiveSession;
use crate::auth::principal::{Caller, Credential, CredentialId, Principal};
use crate::auth::revocations::{Concern, Notices};
use crate::auth::tokens::Claims;
use crate::error::{ApiError, Code, SignInReason};
use crate::ids::{ApiTokenId, UserId};

impl Authenticator {
    /// The user with these claims, if the session has not ended.
    pub(super) async fn live(&self, claims: Claims) -> Result<Arc<Principal>, ApiError> {
        let (revision, now) = (self.0.bus.revision(), Instant::now());
        let known = self.0.recent.find(CredentialId::Session(claims.session), revision, now);
        // A session has several access tokens over time, each with its own expiry.
        let is_same = |known: &Arc<Principal>| (known.user, known.expires_at) == (claims.user, claims.expires_at);
        if let Some(principal) = known.filter(is_same) {
            return Ok(principal);
        }
        let db = &self.0.db;
        let found = db.lane().coalescer::<LiveSession>().load(vec![claims.session]).await?;
        let roles = found
            .get(&claims.session)
            .filter(|roles| roles.user == claims.user)
            .ok_or_else(|| ended("the session of this access token has ended; log in again"))?;
        let principal = Arc::new(Principal {
            user: claims.user,
            credential: Credential::Session { id: claims.session, ends_at: roles.ends_at },
            platform_role: roles.platform_role,
            groups: roles.groups.clone(),
            expires_at: claims.expires_at,
        });
        self.0.recent.remember(&principal, revision, now);
        self.0.uses.note(principal.credential.id());
        Ok(principal)
    }

    /// The user of this API token, if it is still valid.
    pub(super) async fn live_token(&self, id: ApiTokenId) -> Result<Arc<Principal>, ApiError> {
        let (revision, now) = (self.0.bus.revision(), Instant::now());
        let principal = match self.0.recent.find(CredentialId::ApiToken(id), revision, now) {
            Some(principal) => principal,
            None => {
                let found = self.0.db.lane().coalescer::<TokenById>().load(vec![id]).await?;
                let token = found.get(&id).filter(|token| token.live).cloned().ok_or_else(revoked)?;
                let principal = Arc::new(Principal {
                    user: token.user,
                    credential: Credential::ApiToken { id, limits: token.limits },
                    platform_role: token.platform_role,
                    groups: token.groups,
                    expires_at: token.expires_at,
                });
                self.0.recent.remember(&principal, revision, now);
                self.0.uses.note(principal.credential.id());
                principal
            }
        };
        if principal.expires_at <= Utc::now() {
            let at = principal.expires_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let message = format!("the API token expired at {at}; create another one with createApiToken");
            return Err(ApiError::unauthenticated(SignInReason::TokenExpired, message));
        }
        Ok(principal)
    }

    /// The user with this session or API token, with their current roles, for what was opened with it.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it is no longer valid, or the account is disabled.
    pub async fn holder(&self, user: UserId, credential: CredentialId) -> Result<Caller, ApiError> {
        let principal = match credential {
            // Access tokens come and go while the session lasts.
            CredentialId::Session(session) => {
                self.live(Claims { user, session, expires_at: DateTime::<Utc>::MAX_UTC }).await?
            }
            CredentialId::ApiToken(id) => self.live_token(id).await?,
        };
        if principal.user == user { Ok(Caller::Known(principal)) } else { Err(revoked()) }
    }

    /// The user of the same credential, with their current roles.
    pub(super) async fn look(&self, principal: &Principal) -> Result<Arc<Principal>, ApiError> {
        let Principal { user, expires_at, .. } = *principal;
        match principal.credential {
            Credential::Session { id: session, .. } => self.live(Claims { user, session, expires_at }).await,
            Credential::ApiToken { id, .. } => self.live_token(id).await,
        }
    }

    /// Resolves when the session of the principal has ended, the API token is no longer valid, or the account is disabled.
    pub async fn revoked(self, mut principal: Arc<Principal>) {
        let mut notices = Notices::subscribe(&self.0.bus);
        loop {
            // Checked after subscribing, so nothing that happens in between is missed.
            match Box::pin(self.look(&principal)).await {
                Ok(found) => principal = found,
                Err(error) if error.code == Code::Unauthenticated => return,
                // An unavailable database does not end any session.
                Err(_) => {}
            }
            let expired = tokio::time::sleep_until(principal.look_again_at());
            tokio::select! {
                notice = notices.about(&principal) => match notice {
                    Some(Concern::Revoked) => return,
                    Some(Concern::RightsChanged | Concern::Unsure) => {}
                    None => return std::future::pending().await,
                },
                // Nobody announces that a session was not refreshed, or that an API token has expired.
                () = expired => {}
            }
        }
    }
}

fn revoked() -> ApiError {
    let message = "the API token was revoked, or the account of its user is disabled";
    ApiError::unauthenticated(SignInReason::TokenRevoked, message)
}
