//! What a provider publishes about itself and its keys: read in the background, and again when it signs with a new key.
//!
//! Providers change their keys without notice, so a token with an unknown key makes the metadata be read again. Anybody
//! can send such a token: however many are sent, that happens at most once a minute.

use std::sync::Arc;
use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, DeviceAuthorizationUrl, IssuerUrl, ProviderMetadata};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::fetch::Fetch;
use crate::db::error_chain;

/// How often the metadata is read anyway.
const PERIOD: Duration = Duration::from_hours(1);
/// How often unknown keys can make it be read.
const LEAST_PAUSE: Duration = Duration::from_secs(60);
/// The pause after a failure, which doubles up to [`LEAST_PAUSE`]; a sign-in shortens it.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// How long a sign-in waits for metadata.
const PATIENCE: Duration = Duration::from_secs(5);

/// The metadata of a provider, with the keys.
pub(super) type Metadata = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Metadata that is not part of OpenID Connect Discovery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Endpoints {
    /// RFC 8628, section 4.
    pub device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
    /// RFC 9207, section 3: responses always contain the issuer.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Endpoints {}

/// Metadata, and how many times it had been read.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub metadata: Arc<Metadata>,
    reading: u64,
}

/// The current metadata. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Published(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: watch::Sender<State>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    /// The number of attempts, successful or not.
    attempts: u64,
}

impl Published {
    /// Nothing yet.
    pub fn new() -> Self {
        Self(Arc::new(Shared { state: watch::Sender::default(), wanted: Notify::new() }))
    }

    /// The metadata, waiting for it for a moment; `None` if the provider cannot be reached.
    pub async fn known(&self) -> Option<Known> {
        let (known, attempts) = {
            let state = self.0.state.borrow();
            (state.known.clone(), state.attempts)
        };
        match known {
            Some(known) => Some(known),
            None => self.read_again(attempts).await,
        }
    }

    /// Metadata that was read after `known`; `None` if there is none.
    pub async fn newer_than(&self, known: &Known) -> Option<Known> {
        let attempts = self.0.state.borrow().attempts;
        let current = self.0.state.borrow().known.clone();
        let current = match current {
            Some(current) if current.reading > known.reading => Some(current),
            Some(_) | None => self.read_again(attempts).await,
        };
        current.filter(|current| current.reading > known.reading)
    }

    /// What is known after the next attempt.
    async fn read_again(&self, attempts: u64) -> Option<Known> {
        let mut states = self.0.state.subscribe();
        self.0.wanted.notify_one();
        let next = states.wait_for(|state| state.attempts > attempts);
        let state = tokio::time::timeout(PATIENCE, next).await.ok()?.ok()?;
        state.known.clone()
    }

    /// Reads the metadata of `issuer` for as long as the server runs.
    pub async fn keep(self, issuer: IssuerUrl, fetch: Fetch) {
        let (mut retry, mut last_wanted) = (FIRST_RETRY, None::<Instant>);
        loop {
            let read = Metadata::discover_async(issuer.clone(), &fetch).await;
            let succeeded = read.is_ok();
            match &read {
                Ok(_) => tracing::debug!(issuer = %*issuer, "read the metadata of a sign-in provider"),
                Err(error) => {
                    let error = error_chain(error);
                    tracing::warn!(issuer = %*issuer, error, "failed to read the metadata of a sign-in provider");
                }
            }
            self.0.state.send_modify(|state| {
                state.attempts += 1;
                if let Ok(metadata) = read {
                    state.known = Some(Known { metadata: Arc::new(metadata), reading: state.attempts });
                }
            });
            if !succeeded {
                tokio::time::sleep(FIRST_RETRY).await;
                let pause = tokio::time::timeout(retry, self.0.wanted.notified());
                retry = (retry * 2).min(LEAST_PAUSE);
                let _ = pause.await;
                continue;
            }
            retry = FIRST_RETRY;
            if tokio::time::timeout(PERIOD, self.0.wanted.notified()).await.is_ok() {
                if let Some(last) = last_wanted {
                    tokio::time::sleep_until(last + LEAST_PAUSE).await;
                }
                last_wanted = Some(Instant::now());
            }
        }
    }
}
