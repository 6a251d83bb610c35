//! Requests to a provider: no redirects, because they could lead anywhere, a time limit, and a limit for the response.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// How long a provider has to respond.
const PATIENCE: Duration = Duration::from_secs(10);
/// Metadata, keys and tokens have a few kilobytes.
const MOST_BYTES: usize = 1 << 20;

/// Sends requests to a provider. Clones share their connections.
#[derive(Debug, Clone)]
pub(super) struct Fetch(reqwest::Client);

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The provider cannot be reached, or did not respond in time.
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    /// The response has more than [`MOST_BYTES`].
    #[error("the response has more than {MOST_BYTES} bytes")]
    TooLarge,
    /// The response cannot be represented.
    #[error("the response is malformed")]
    Malformed(#[from] http::Error),
}

impl Fetch {
    /// # Errors
    /// TLS cannot be set up.
    pub fn new() -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("platform/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let mut response = self.0.execute(request.try_into()?).await?;
        let mut answer = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            answer = answer.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(answer.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
