//! The sign-ins of pages: out to a provider, and back with a code that the page exchanges for a session.
//!
//! Two secrets tie a return to its start: the state, in the URL, and a cookie, which only the browser has in which the
//! sign-in was started. The nonce and the PKCE verifier follow from both, so the database stores nothing that would help
//! anyone to finish a sign-in.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use openidconnect::{Nonce, PkceCodeVerifier, RedirectUrl};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::device::{self, DeviceLogin, DevicePoll};
use super::fetch::Fetch;
use super::identity::{Expected, Identity, not_valid};
use super::model::{self, Pending};
use super::provider::Provider;
use super::return_to;
use crate::config::{AllowedOrigins, OidcConfig, OidcProvider};
use crate::db::Db;
use crate::error::{ApiError, SignInReason};
use crate::graphql::names::shown;
use crate::ids::UserId;
use crate::tasks::{Duty, Tasks};

/// How long a user has for signing in at the provider.
const PENDING: TimeDelta = TimeDelta::minutes(10);
/// How long a page has for exchanging its code.
const CODE: TimeDelta = TimeDelta::seconds(60);
/// The path that providers redirect to.
const CALLBACK: &str = "/auth/oidc/callback";

/// The names of the background tasks, by the number of the provider.
const TASKS: [&str; 9] = [
    "sign-in provider 1",
    "sign-in provider 2",
    "sign-in provider 3",
    "sign-in provider 4",
    "sign-in provider 5",
    "sign-in provider 6",
    "sign-in provider 7",
    "sign-in provider 8",
    "sign-in provider 9",
];

/// Signs users in with the providers. Clones are the same.
#[derive(Clone)]
pub struct SignIns(Arc<Inner>);

struct Inner {
    db: Db,
    public_url: Option<Url>,
    allowed: AllowedOrigins,
    providers: Vec<Provider>,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// The page of the provider.
    pub location: Url,
    /// The value of the cookie.
    pub browser: String,
    /// How long it is needed, in seconds.
    pub seconds: i64,
}

/// The query that a browser returns with (RFC 6749, sections 4.1.2 and 4.1.2.1).
#[derive(Debug, Default, serde::Deserialize)]
pub struct Callback {
    /// The code to exchange for tokens.
    pub code: Option<String>,
    /// Which sign-in it is.
    pub state: Option<String>,
    /// The issuer (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}

/// The page that a browser returns to after a sign-in.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Its URL; the root of this server if omitted.
    pub return_to: Option<&'a str>,
    /// Whether it wants a code for a session even where it could have a cookie.
    pub wants_code: bool,
}

/// A browser that has returned.
#[derive(Debug)]
pub struct Returned {
    /// Where it goes now.
    pub return_to: Url,
    /// Whether that is a page of this server that did not ask for a code.
    pub may_have_cookie: bool,
    /// The user who signed in, or why nobody did.
    pub outcome: Result<Identity, ApiError>,
}

impl SignIns {
    /// Starts reading the metadata of the providers. They need not be reachable.
    ///
    /// # Errors
    /// TLS cannot be set up, or an issuer is not a URL.
    pub fn start(tasks: &Tasks, db: &Db, config: &OidcConfig, allowed: &AllowedOrigins) -> anyhow::Result<Self> {
        let mut providers = Vec::new();
        if !config.providers.is_empty() {
            let fetch = Fetch::new()?;
            for (config, name) in config.providers.iter().zip(TASKS) {
                let provider = Provider::new(config.clone(), &fetch)?;
                let kept = provider.clone();
                tasks.supervise(name, Duty::Housekeeping, move || kept.clone().keep());
                providers.push(provider);
            }
            let db = db.clone();
            tasks.supervise("old sign-ins", Duty::Housekeeping, move || model::forget_old(db.clone()));
        }
        let (db, public_url, allowed) = (db.clone(), config.public_url.clone(), allowed.clone());
        Ok(Self(Arc::new(Inner { db, public_url, allowed, providers })))
    }

    /// The providers.
    pub fn providers(&self) -> impl Iterator<Item = &OidcProvider> {
        self.0.providers.iter().map(|provider| &provider.config)
    }

    /// The provider with this key; without a key, the only one.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if there is none.
    pub fn find(&self, key: Option<&str>, field: &'static str) -> Result<&OidcProvider, ApiError> {
        self.provider(key, field).map(|provider| &provider.config)
    }

    /// Begins a sign-in of a page. `browser` is the cookie of an earlier one.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for an unknown provider or a page of another site, `TIMEOUT` if the provider does not respond.
    pub async fn begin(
        &self,
        provider: Option<&str>,
        page: Page<'_>,
        browser: Option<&str>,
    ) -> Result<Begun, ApiError> {
        let provider = self.provider(provider, "provider")?;
        let public_url = self.public_url()?;
        let return_to = return_to::parse(page.return_to, public_url, &self.0.allowed)?;
        let browser = browser.filter(|cookie| is_secret(cookie)).map_or_else(secret, str::to_owned);
        let state = secret();
        let (nonce, verifier) = derived(&browser, &state);
        let location = provider.authorization_url(&redirect(public_url)?, &state, &nonce, &verifier).await?;
        let pending = Pending {
            state_hash: hash(&state),
            browser_hash: hash(&browser),
            provider: provider.config.key.clone(),
            return_to: return_to.into(),
            wants_code: page.wants_code,
            expires_at: Utc::now() + PENDING,
        };
        model::begin(&mut *self.0.db.connection().await?, &pending).await?;
        Ok(Begun { location, browser, seconds: PENDING.num_seconds() })
    }

    /// Finishes a sign-in. It can be finished once, by the browser that started it.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if there is no such sign-in, so that it is not known where to return to.
    pub async fn finish(&self, callback: &Callback, browser: Option<&str>) -> Result<Returned, ApiError> {
        let unknown = || {
            let message = "the sign-in has expired, was already used, or was started in another browser; start again";
            ApiError::unauthenticated(SignInReason::TokenInvalid, message)
        };
        let (Some(state), Some(browser)) = (callback.state.as_deref(), browser) else { return Err(unknown()) };
        let mut conn = self.0.db.connection().await?;
        let pending = model::take(&mut conn, &hash(state), &hash(browser)).await?.ok_or_else(unknown)?;
        drop(conn);
        let return_to = Url::parse(&pending.return_to).map_err(ApiError::internal)?;
        let outcome = self.finished(callback, &pending.provider, browser, state).await;
        let is_own = self.0.public_url.as_ref().is_some_and(|own| own.origin() == return_to.origin());
        Ok(Returned { return_to, may_have_cookie: is_own && !pending.wants_code, outcome })
    }

    async fn finished(
        &self,
        callback: &Callback,
        provider: &str,
        browser: &str,
        state: &str,
    ) -> Result<Identity, ApiError> {
        let provider = self.provider(Some(provider), "provider")?;
        provider.check_issuer(callback.iss.as_deref()).await?;
        let Some(code) = callback.code.as_deref() else {
            let error = callback.error.as_deref().unwrap_or("no code");
            tracing::info!(provider = provider.config.name, error = shown(error), "a sign-in failed at its provider");
            let message = match error {
                "access_denied" => "the sign-in was cancelled".to_owned(),
                _ => format!("{} did not sign you in; try again", provider.config.name),
            };
            return Err(ApiError::unauthenticated(SignInReason::WrongCredentials, message));
        };
        let (nonce, verifier) = derived(browser, state);
        let identity = provider.exchange(&redirect(self.public_url()?)?, code, nonce, verifier).await?;
        self.use_once(&identity).await?;
        Ok(identity)
    }

    /// A code that the page of a user who has signed in can exchange for a session.
    ///
    /// # Errors
    /// The database's.
    pub async fn code(&self, user: UserId) -> Result<String, ApiError> {
        let code = secret();
        let conn = &mut *self.0.db.connection().await?;
        model::add_code(conn, &hash(&code), user, Utc::now() + CODE).await?;
        Ok(code)
    }

    /// The user of a code, which cannot be used again.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it is not valid.
    pub async fn user_of_code(&self, code: &str) -> Result<UserId, ApiError> {
        let user = model::take_code(&mut *self.0.db.connection().await?, &hash(code)).await?;
        let message = "the code has expired or was already used; sign in again";
        user.ok_or_else(|| ApiError::unauthenticated(SignInReason::TokenInvalid, message))
    }

    /// The user whose ID token this is, which cannot be used again.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for an unknown provider, `UNAUTHENTICATED` if the token is not valid.
    pub async fn verify(&self, provider: Option<&str>, token: &str, nonce: Option<&str>) -> Result<Identity, ApiError> {
        let provider = self.provider(provider, "input.provider")?;
        let expected = nonce.map_or(Expected::Anything, |nonce| Expected::Nonce(Nonce::new(nonce.to_owned())));
        let identity = provider.verify(token, &expected).await?;
        self.use_once(&identity).await?;
        Ok(identity)
    }

    /// Starts a sign-in with a device code.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a provider that does not support it, `TIMEOUT` if it does not respond.
    pub async fn start_device(&self, provider: Option<&str>) -> Result<DeviceLogin, ApiError> {
        device::start(self.provider(provider, "input.provider")?).await
    }

    /// Asks the provider once how far a sign-in with a device code has come.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the code is not known to the provider, `TIMEOUT` if it does not respond.
    pub async fn poll_device(&self, provider: Option<&str>, device_code: &str) -> Result<DevicePoll, ApiError> {
        let poll = device::poll(self.provider(provider, "input.provider")?, device_code).await?;
        if let DevicePoll::Done(identity) = &poll {
            self.use_once(identity).await?;
        }
        Ok(poll)
    }

    async fn use_once(&self, identity: &Identity) -> Result<(), ApiError> {
        let conn = &mut *self.0.db.connection().await?;
        match model::use_token(conn, &identity.token_hash, identity.token_ends_at).await? {
            true => Ok(()),
            false => Err(not_valid("it was already used")),
        }
    }

    fn public_url(&self) -> Result<&Url, ApiError> {
        self.0.public_url.as_ref().ok_or_else(|| ApiError::internal("a provider without PUBLIC_URL"))
    }

    fn provider(&self, key: Option<&str>, field: &'static str) -> Result<&Provider, ApiError> {
        let keys =
            || self.0.providers.iter().map(|provider| provider.config.key.as_str()).collect::<Vec<_>>().join(", ");
        match (key, &self.0.providers[..]) {
            (_, []) => Err(ApiError::bad_input(field, "this server has no sign-in providers (OIDC_ISSUER)")),
            (None, [only]) => Ok(only),
            (None, _) => Err(ApiError::bad_input(field, format!("there are several sign-in providers: {}", keys()))),
            (Some(key), providers) => providers.iter().find(|provider| provider.config.key == key).ok_or_else(|| {
                ApiError::bad_input(field, format!("{} is not a sign-in provider; there are: {}", shown(key), keys()))
            }),
        }
    }
}

fn redirect(public_url: &Url) -> Result<RedirectUrl, ApiError> {
    let url = public_url.join(CALLBACK).map_err(ApiError::internal)?;
    Ok(RedirectUrl::from_url(url))
}

/// 32 random bytes as text.
fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn is_secret(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// The nonce and the PKCE verifier of a sign-in.
fn derived(browser: &str, state: &str) -> (Nonce, PkceCodeVerifier) {
    let of = |purpose: &str| URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{purpose}\0{browser}\0{state}")));
    (Nonce::new(of("nonce")), PkceCodeVerifier::new(of("verifier")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonce_and_verifier_are_those_of_one_sign_in_of_one_browser() {
        let of = |browser: &str, state: &str| {
            let (nonce, verifier) = derived(browser, state);
            (nonce.secret().clone(), verifier.secret().clone())
        };
        assert_eq!(of("a", "b"), of("a", "b"));
        assert_ne!(of("a", "b"), of("a", "c"));
        assert_ne!(of("a", "b"), of("c", "b"));
        let (nonce, verifier) = of("a", "b");
        assert_ne!(nonce, verifier);
        // RFC 7636, section 4.1.
        assert_eq!(verifier.len(), 43);
    }

    #[test]
    fn a_cookie_of_somebody_s_own_making_is_replaced() {
        assert!(is_secret(&secret()));
        assert!(!is_secret("guess") && !is_secret(""));
    }
}
