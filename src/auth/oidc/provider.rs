//! One provider: what this server asks it for.

use std::str::FromStr as _;

use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreIdToken};
use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse as _,
};
use secrecy::ExposeSecret as _;
use url::Url;

use super::fetch::Fetch;
use super::identity::{self, Expected, Identity, Rejected, not_valid};
use super::metadata::{Known, Metadata, Published};
use crate::config::OidcProvider;
use crate::db::error_chain;
use crate::error::{ApiError, Code, SignInReason};

/// A client of a provider whose metadata is known.
pub(super) type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// A provider. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    pub config: OidcProvider,
    pub fetch: Fetch,
    issuer: IssuerUrl,
    published: Published,
}

impl Provider {
    /// # Errors
    /// The issuer is not a URL.
    pub fn new(config: OidcProvider, fetch: &Fetch) -> anyhow::Result<Self> {
        let issuer = IssuerUrl::new(config.issuer.clone())?;
        Ok(Self { config, fetch: fetch.clone(), issuer, published: Published::new() })
    }

    /// Reads the metadata for as long as the server runs.
    pub async fn keep(self) {
        self.published.keep(self.issuer, self.fetch).await;
    }

    /// The metadata.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the provider cannot be reached.
    pub async fn known(&self) -> Result<Known, ApiError> {
        self.published.known().await.ok_or_else(|| self.unreachable())
    }

    /// A client.
    pub fn client(&self, metadata: &Metadata) -> Client {
        let secret =
            self.config.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client =
            CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(self.config.client_id.clone()), secret);
        // RFC 6749, section 2.3.1: a client without a secret only identifies itself.
        match self.config.client_secret {
            Some(_) => client,
            None => client.set_auth_type(AuthType::RequestBody),
        }
    }

    /// The scopes to request; the crate adds `openid`.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.config.scopes.iter().cloned().map(Scope::new)
    }

    /// The page on which a user signs in and returns from to `redirect`.
    ///
    /// # Errors
    /// As [`Self::known`].
    pub async fn authorization_url(
        &self,
        redirect: &RedirectUrl,
        state: &str,
        nonce: &Nonce,
        verifier: &PkceCodeVerifier,
    ) -> Result<Url, ApiError> {
        let Known { metadata, .. } = self.known().await?;
        let client = self.client(&metadata).set_redirect_uri(redirect.clone());
        let (state, nonce) = (state.to_owned(), nonce.clone());
        let (url, _, _) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || CsrfToken::new(state), || nonce)
            .add_scopes(self.scopes())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(verifier))
            .url();
        Ok(url)
    }

    /// Checks the issuer in a response of the authorization endpoint, with which another provider could have responded
    /// (RFC 9207).
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it is not this one.
    pub async fn check_issuer(&self, given: Option<&str>) -> Result<(), ApiError> {
        let required =
            self.known().await?.metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match given {
            Some(given) if given == self.config.issuer => Ok(()),
            None if !required => Ok(()),
            Some(_) | None => Err(ApiError::unauthenticated(
                SignInReason::TokenInvalid,
                "the sign-in was answered by another provider; start again",
            )),
        }
    }

    /// The user who returned with `code`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the provider rejects the code, or its ID token is not valid.
    pub async fn exchange(
        &self,
        redirect: &RedirectUrl,
        code: &str,
        nonce: Nonce,
        verifier: PkceCodeVerifier,
    ) -> Result<Identity, ApiError> {
        let Known { metadata, .. } = self.known().await?;
        let client = self.client(&metadata).set_redirect_uri(redirect.clone());
        let request = client.exchange_code(AuthorizationCode::new(code.to_owned())).map_err(ApiError::internal)?;
        let tokens = request.set_pkce_verifier(verifier).request_async(&self.fetch).await;
        let tokens = tokens.map_err(|error| self.no_tokens(&error))?;
        let token = tokens.id_token().ok_or_else(|| not_valid("the provider returned none"))?;
        self.identity(token, &Expected::Nonce(nonce)).await
    }

    /// The user whose ID token this is.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the token is not valid.
    pub async fn verify(&self, id_token: &str, expected: &Expected) -> Result<Identity, ApiError> {
        let token = CoreIdToken::from_str(id_token).map_err(|_| not_valid("it is not a signed JSON web token"))?;
        self.identity(&token, expected).await
    }

    /// The same. The provider may have begun to sign with a new key.
    pub(super) async fn identity(&self, token: &CoreIdToken, expected: &Expected) -> Result<Identity, ApiError> {
        let known = self.known().await?;
        let newer = match identity::verify(token, &known.metadata, &self.config, expected) {
            Ok(identity) => return Ok(identity),
            Err(Rejected::Invalid(error)) => return Err(error),
            Err(Rejected::UnknownKey) => self.published.newer_than(&known).await,
        };
        let unknown = || not_valid("it is not signed with a key of the provider");
        let newer = newer.ok_or_else(unknown)?;
        match identity::verify(token, &newer.metadata, &self.config, expected) {
            Ok(identity) => Ok(identity),
            Err(Rejected::Invalid(error)) => Err(error),
            Err(Rejected::UnknownKey) => Err(unknown()),
        }
    }

    /// The error for tokens that the provider did not issue.
    pub(super) fn no_tokens<RE, T>(&self, error: &RequestTokenError<RE, T>) -> ApiError
    where
        RE: std::error::Error + 'static,
        T: openidconnect::ErrorResponse + 'static,
    {
        tracing::info!(provider = self.config.name, error = error_chain(error), "a sign-in provider issued no tokens");
        match error {
            RequestTokenError::ServerResponse(_) => ApiError::unauthenticated(
                SignInReason::WrongCredentials,
                format!("{} did not accept the sign-in; start again", self.config.name),
            ),
            RequestTokenError::Request(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                self.unreachable()
            }
        }
    }

    fn unreachable(&self) -> ApiError {
        let message = format!("{} is not responding; try again in a moment", self.config.name);
        ApiError::new(Code::Timeout, message)
    }
}
