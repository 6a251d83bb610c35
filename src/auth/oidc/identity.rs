//! A user as an ID token describes them, after the token has been verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm};
use openidconnect::{Audience, ClaimsVerificationError, ClientId, Nonce, NonceVerifier, SignatureVerificationError};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::metadata::Metadata;
use crate::config::{GroupRoleRule, OidcProvider};
use crate::error::{ApiError, SignInReason};

/// How much the clocks of the provider and of this server may differ.
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// A user as their provider knows them.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The issuer.
    pub issuer: String,
    /// The identifier of the user, unique and never reassigned within the issuer.
    pub subject: String,
    /// The username that they prefer.
    pub username: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// Their email address, unless the provider says that it is not verified.
    pub email: Option<String>,
    /// The groups that they are in at the provider.
    pub groups: Vec<String>,
    /// The roles that groups at the provider give.
    pub rules: Vec<GroupRoleRule>,
    /// Whether they get an account when they sign in for the first time.
    pub may_be_created: bool,
    /// SHA-256 of the ID token.
    pub token_hash: Vec<u8>,
    /// When the ID token expires, with the allowed difference of clocks.
    pub token_ends_at: DateTime<Utc>,
    /// Only [`verify`] makes one.
    _verified: Verified,
}

#[derive(Debug, Clone, Copy)]
struct Verified;

/// Which nonce an ID token must have.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// This one.
    Nonce(Nonce),
    /// Any or none: the token was not requested by this server, or with a device code.
    Anything,
}

impl NonceVerifier for &Expected {
    fn verify(self, nonce: Option<&Nonce>) -> Result<(), String> {
        match self {
            Expected::Nonce(expected) => expected.verify(nonce),
            Expected::Anything => Ok(()),
        }
    }
}

/// Why a token is rejected.
#[derive(Debug)]
pub(super) enum Rejected {
    /// It is signed with a key that is not known, perhaps a new one.
    UnknownKey,
    /// It is not valid, which is what the caller is told.
    Invalid(ApiError),
}

/// The user that `token` describes, if it is valid for this server or one of the other applications.
pub(super) fn verify(
    token: &CoreIdToken,
    metadata: &Metadata,
    provider: &OidcProvider,
    expected: &Expected,
) -> Result<Identity, Rejected> {
    let mut first = None;
    for audience in std::iter::once(&provider.client_id).chain(&provider.audiences) {
        match token.claims(&verifier(audience, metadata, provider), expected) {
            Ok(claims) => return identity(token, claims, provider).map_err(Rejected::Invalid),
            Err(error) => {
                let is_final = !matches!(error, ClaimsVerificationError::InvalidAudience(_));
                if first.is_none() || is_final {
                    first = Some(error);
                }
                if is_final {
                    break;
                }
            }
        }
    }
    Err(match first {
        Some(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
            Rejected::UnknownKey
        }
        Some(error) => Rejected::Invalid(invalid(&error)),
        None => Rejected::Invalid(ApiError::internal("no audience was tried")),
    })
}

/// A verifier of tokens for one application. It only accepts signatures with keys of the provider: a client secret is
/// known to the client, who could sign any token with it.
fn verifier<'a>(audience: &str, metadata: &Metadata, provider: &'a OidcProvider) -> CoreIdTokenVerifier<'a> {
    let asymmetric =
        metadata.id_token_signing_alg_values_supported().iter().filter(|algorithm| is_asymmetric(algorithm));
    CoreIdTokenVerifier::new_public_client(
        ClientId::new(audience.to_owned()),
        metadata.issuer().clone(),
        metadata.jwks().clone(),
    )
    .set_allowed_algs(asymmetric.cloned())
    .set_other_audience_verifier_fn(|other: &Audience| {
        provider.client_id == **other || provider.audiences.iter().any(|audience| *audience == **other)
    })
    .set_time_fn(|| Utc::now() - SKEW)
    .set_issue_time_verifier_fn(|issued| match issued <= Utc::now() + SKEW {
        true => Ok(()),
        false => Err("it is issued in the future".to_owned()),
    })
}

fn is_asymmetric(algorithm: &CoreJwsSigningAlgorithm) -> bool {
    !matches!(
        algorithm,
        CoreJwsSigningAlgorithm::HmacSha256
            | CoreJwsSigningAlgorithm::HmacSha384
            | CoreJwsSigningAlgorithm::HmacSha512
            | CoreJwsSigningAlgorithm::None
    )
}

fn identity(
    token: &CoreIdToken,
    claims: &openidconnect::core::CoreIdTokenClaims,
    provider: &OidcProvider,
) -> Result<Identity, ApiError> {
    let text = token.to_string();
    let payload = text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let all: Value = payload.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    let groups = match &all[provider.groups_claim.as_str()] {
        Value::String(group) => vec![group.clone()],
        Value::Array(groups) => groups.iter().filter_map(|group| group.as_str().map(str::to_owned)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let subject = claims.subject().as_str().to_owned();
    // OpenID Connect Core, section 2: at most 255 characters.
    if subject.is_empty() || subject.chars().count() > 255 {
        return Err(not_valid("its subject does not have 1 to 255 characters"));
    }
    let name = claims.name().and_then(|names| names.get(None)).map(|name| name.as_str().to_owned());
    Ok(Identity {
        issuer: provider.issuer.clone(),
        subject,
        username: claims.preferred_username().map(|name| name.as_str().to_owned()),
        name,
        email: claims.email().filter(|_| claims.email_verified() != Some(false)).map(|email| email.as_str().to_owned()),
        groups,
        rules: provider.group_roles.clone(),
        may_be_created: provider.creates_users,
        token_hash: Sha256::digest(text.as_bytes()).to_vec(),
        token_ends_at: claims.expiration() + SKEW,
        _verified: Verified,
    })
}

fn invalid(error: &ClaimsVerificationError) -> ApiError {
    tracing::info!(%error, "rejected an ID token");
    not_valid(match error {
        ClaimsVerificationError::Expired(_) => "it has expired",
        ClaimsVerificationError::InvalidAudience(_) => "it was issued for another application",
        ClaimsVerificationError::InvalidIssuer(_) => "it was issued by another provider",
        ClaimsVerificationError::InvalidNonce(_) => "its nonce is not the expected one",
        ClaimsVerificationError::SignatureVerification(_) => "it is not signed by the provider",
        _ => "its claims are not valid",
    })
}

/// The error for an ID token that is not valid for this reason.
pub(super) fn not_valid(reason: &str) -> ApiError {
    ApiError::unauthenticated(SignInReason::TokenInvalid, format!("the ID token is not valid: {reason}"))
}

#[cfg(test)]
impl Identity {
    /// A user whom a provider calls this.
    pub fn called(username: Option<String>, email: Option<String>) -> Self {
        Self {
            issuer: "https://id.example.com".to_owned(),
            subject: "1".to_owned(),
            username,
            name: None,
            email,
            groups: Vec::new(),
            rules: Vec::new(),
            may_be_created: true,
            token_hash: Vec::new(),
            token_ends_at: Utc::now(),
            _verified: Verified,
        }
    }
}
