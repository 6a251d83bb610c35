//! Requests to servers of others: TLS with the system's roots, no redirects, because they could lead anywhere, time limits, and
//! a limit for the response. Where users choose the server, [`to_strangers`] also keeps the requests out of private networks.

mod addresses;
mod resolver;

use std::sync::Arc;
use std::time::Duration;

pub use addresses::AllowedNetworks;
pub use resolver::{Lookup, NotAllowed, system_lookup};

use resolver::Checked;

/// How long a connection for a large body may take to be made.
const CONNECTING: Duration = Duration::from_secs(5);

/// Why a response could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection failed, or it took too long.
    #[error("the response could not be read")]
    Read(#[from] reqwest::Error),
    /// It is larger than allowed.
    #[error("the response has more than {0} bytes")]
    TooLarge(usize),
}

/// A client for servers that the operator has configured. A request may take as long as `patience`.
///
/// # Errors
/// TLS cannot be set up.
pub fn to_configured(patience: Duration) -> anyhow::Result<reqwest::Client> {
    Ok(builder(patience)?.build()?)
}

/// A client for servers that the operator has configured, for bodies of any size: a request may take long, but the server may not be
/// silent for longer than `silence`.
///
/// # Errors
/// TLS cannot be set up.
pub fn to_configured_streaming(silence: Duration) -> anyhow::Result<reqwest::Client> {
    let client = untimed_builder()?.connect_timeout(CONNECTING).read_timeout(silence);
    Ok(client.pool_idle_timeout(Duration::from_secs(30)).build()?)
}

/// A client for servers that users have chosen. It connects to an address only after checking it: a host name is resolved once
/// for each connection, and the connection goes to one of the addresses that were checked. A URL with an IP address has no name
/// to resolve, so its caller must ask [`AllowedNetworks::permit`]. Proxies from the environment are not used: they would connect
/// to addresses that nobody has checked.
///
/// # Errors
/// TLS cannot be set up.
pub fn to_strangers(patience: Duration, networks: AllowedNetworks, lookup: Lookup) -> anyhow::Result<reqwest::Client> {
    let client = builder(patience)?.no_proxy().referer(false).dns_resolver(Arc::new(Checked::new(networks, lookup)));
    Ok(client.pool_idle_timeout(Duration::from_secs(30)).build()?)
}

fn builder(patience: Duration) -> anyhow::Result<reqwest::ClientBuilder> {
    Ok(untimed_builder()?.timeout(patience))
}

fn untimed_builder() -> anyhow::Result<reqwest::ClientBuilder> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("platform/", env!("CARGO_PKG_VERSION"))))
}

/// The host that a request was not sent to, because it has no address that requests may be sent to.
pub fn refused_host(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|cause| cause.downcast_ref::<NotAllowed>()).map(|refused| refused.host.clone()).next()
}

/// The body of a response with at most so many bytes.
///
/// # Errors
/// It has more, or the connection fails.
pub async fn body(response: &mut reqwest::Response, most: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Err(BodyError::TooLarge(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
