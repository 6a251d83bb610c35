//! Requests to a provider, as all requests to other servers: no redirects, a time limit, and a limit for the response.

use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::outbound;

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
    /// The response breaks off, or has more than [`MOST_BYTES`].
    #[error(transparent)]
    Body(#[from] outbound::BodyError),
    /// The response cannot be represented.
    #[error("the response is malformed")]
    Malformed(#[from] http::Error),
}

impl Fetch {
    /// # Errors
    /// TLS cannot be set up.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(outbound::to_configured(PATIENCE)?))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let mut response = self.0.execute(request.try_into()?).await?;
        let mut answer = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            answer = answer.header(name, value);
        }
        let body = outbound::body(&mut response, MOST_BYTES).await?;
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
