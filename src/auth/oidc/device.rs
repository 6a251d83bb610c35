//! The device flow (RFC 8628): a command line shows a code, which its user enters on a page of the provider.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::CoreDeviceAuthorizationResponse;
use openidconnect::{DeviceCodeErrorResponseType, RequestTokenError, TokenResponse as _};
use serde_json::json;
use tokio::sync::Notify;

use super::identity::{Expected, Identity, not_valid};
use super::metadata::Known;
use super::provider::Provider;
use crate::error::ApiError;

/// What a user has to do to sign in on another device.
#[derive(Debug, Clone)]
pub struct DeviceLogin {
    /// What the command line asks with, and keeps secret.
    pub device_code: String,
    /// What the user enters.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it, if the provider has such a page.
    pub verification_uri_complete: Option<String>,
    /// When the codes expire.
    pub expires_at: DateTime<Utc>,
    /// How long to wait between two questions.
    pub interval: Duration,
}

/// How far a sign-in has come.
#[derive(Debug)]
pub enum DevicePoll {
    /// The user has not finished: ask again after the interval.
    Pending,
    /// As before, but asked too early: wait 5 seconds longer from now on.
    SlowDown,
    /// The user refused.
    Denied,
    /// The codes have expired.
    Expired,
    /// The user has signed in.
    Done(Box<Identity>),
}

/// Starts a sign-in.
pub(super) async fn start(provider: &Provider) -> Result<DeviceLogin, ApiError> {
    let Known { metadata, .. } = provider.known().await?;
    let endpoint = metadata.additional_metadata().device_authorization_endpoint.clone();
    let unsupported = || {
        let message = format!("{} does not support signing in with a device code", provider.config.name);
        ApiError::bad_input("input.provider", message)
    };
    let client = provider.client(&metadata).set_device_authorization_url(endpoint.ok_or_else(unsupported)?);
    let request = client.exchange_device_code().add_scopes(provider.scopes());
    let started: CoreDeviceAuthorizationResponse =
        request.request_async(&provider.fetch).await.map_err(|error| provider.no_tokens(&error))?;
    let life = TimeDelta::from_std(started.expires_in()).unwrap_or(TimeDelta::zero());
    Ok(DeviceLogin {
        device_code: started.device_code().secret().clone(),
        user_code: started.user_code().secret().clone(),
        verification_uri: started.verification_uri().to_string(),
        verification_uri_complete: started.verification_uri_complete().map(|uri| uri.secret().clone()),
        expires_at: Utc::now() + life,
        interval: started.interval(),
    })
}

/// Asks the provider once.
pub(super) async fn poll(provider: &Provider, device_code: &str) -> Result<DevicePoll, ApiError> {
    let Known { metadata, .. } = provider.known().await?;
    let client = provider.client(&metadata);
    // The crate asks with a response of the provider, of which it only sends the code.
    let again = json!({
        "device_code": device_code,
        "user_code": "",
        "verification_uri": &provider.config.issuer,
        "expires_in": 60,
    });
    let again: CoreDeviceAuthorizationResponse = serde_json::from_value(again).map_err(ApiError::internal)?;
    let request = client.exchange_device_access_token(&again).map_err(ApiError::internal)?;
    // It sleeps when the user has not finished; then this server leaves it to the client to ask again.
    let unfinished = Notify::new();
    let slower = std::sync::atomic::AtomicBool::new(false);
    let first = again.interval();
    let sleep = |interval: Duration| {
        slower.store(interval > first, std::sync::atomic::Ordering::Relaxed);
        unfinished.notify_one();
        std::future::pending::<()>()
    };
    let asked = tokio::select! {
        asked = request.request_async(&provider.fetch, sleep, None) => asked,
        () = unfinished.notified() => {
            return Ok(match slower.load(std::sync::atomic::Ordering::Relaxed) {
                true => DevicePoll::SlowDown,
                false => DevicePoll::Pending,
            });
        }
    };
    match asked {
        Ok(tokens) => {
            let token = tokens.id_token().ok_or_else(|| not_valid("the provider returned none"))?;
            Ok(DevicePoll::Done(Box::new(provider.identity(token, &Expected::Anything).await?)))
        }
        Err(RequestTokenError::ServerResponse(refused)) => match refused.error() {
            DeviceCodeErrorResponseType::AccessDenied => Ok(DevicePoll::Denied),
            DeviceCodeErrorResponseType::ExpiredToken => Ok(DevicePoll::Expired),
            _ => Err(provider.no_tokens(&RequestTokenError::<std::convert::Infallible, _>::ServerResponse(refused))),
        },
        Err(error) => Err(provider.no_tokens(&error)),
    }
}
