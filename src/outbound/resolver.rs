//! Resolves the host of a request, and hands on only addresses that it may go to. The connection is made to what is returned
//! here, so a name that has another address a moment later (DNS rebinding) gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::AllowedNetworks;

/// Looks up the addresses of a host.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The lookup of the operating system.
pub fn system_lookup() -> Lookup {
    Arc::new(|host| {
        async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        }
        .boxed()
    })
}

/// A host has no address that a request may go to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} has no address that requests may be sent to")]
pub struct NotAllowed {
    /// The host.
    pub host: String,
}

/// The resolver of a client.
pub(super) struct Checked {
    networks: AllowedNetworks,
    lookup: Lookup,
}

impl Checked {
    pub(super) const fn new(networks: AllowedNetworks, lookup: Lookup) -> Self {
        Self { networks, lookup }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, networks) = (name.as_str().to_owned(), self.networks.clone());
        let found = (self.lookup)(host.clone());
        Box::pin(async move {
            let mut permitted = found.await?;
            permitted.retain(|address| networks.permit(*address));
            if permitted.is_empty() {
                return Err(NotAllowed { host }.into());
            }
            // The port is that of the URL.
            let addresses: Addrs = Box::new(permitted.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A lookup that answers with these lists in turn, and how often it was asked.
    fn answering(lists: &[&[&str]]) -> (Lookup, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let lists: Vec<Vec<IpAddr>> =
            lists.iter().map(|list| list.iter().map(|address| address.parse().unwrap()).collect()).collect();
        let lookup: Lookup = Arc::new(move |_| {
            let nth = count.fetch_add(1, Ordering::SeqCst);
            let found = lists[nth.min(lists.len() - 1)].clone();
            async move { Ok(found) }.boxed()
        });
        (lookup, asked)
    }

    async fn resolved(allowed: &str, addresses: &[&str]) -> Result<Vec<String>, String> {
        let (lookup, _) = answering(&[addresses]);
        let resolver = Checked::new(allowed.parse().unwrap(), lookup);
        let found = resolver.resolve("hooks.example".parse().unwrap()).await.map_err(|error| error.to_string())?;
        Ok(found.map(|address| address.ip().to_string()).collect())
    }

    #[tokio::test]
    async fn a_name_leads_to_its_permitted_addresses_only() {
        assert_eq!(resolved("", &["10.0.0.1", "8.8.8.8", "::1"]).await.unwrap(), ["8.8.8.8"]);
        assert_eq!(resolved("10.0.0.0/8", &["10.0.0.1", "::1"]).await.unwrap(), ["10.0.0.1"]);
        for private in
            [&["127.0.0.1"][..], &["169.254.169.254"], &["::ffff:10.1.1.1"], &["fd00::1", "192.168.0.1"], &[]]
        {
            let refused = resolved("", private).await.unwrap_err();
            assert_eq!(refused, "hooks.example has no address that requests may be sent to");
        }
    }

    /// What a client says of a URL, whose host the lookup answers for.
    async fn requested(url: &str, allowed: &str, lookup: Lookup) -> Result<u16, String> {
        let client = super::super::to_strangers(Duration::from_secs(5), allowed.parse().unwrap(), lookup).unwrap();
        match client.get(url).send().await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(crate::outbound::refused_host(&error).unwrap_or_else(|| error.to_string())),
        }
    }

    #[tokio::test]
    async fn a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://rebinding.example:{}/", listener.local_addr().unwrap().port());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
        });
        // The second answer would be refused: nobody asks for it.
        let (lookup, asked) = answering(&[&["127.0.0.1"], &["169.254.169.254"]]);
        assert_eq!(requested(&url, "127.0.0.1", lookup).await, Ok(204));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        served.await.unwrap();
        let (lookup, asked) = answering(&[&["169.254.169.254"], &["127.0.0.1"]]);
        assert_eq!(requested(&url, "127.0.0.1", lookup).await, Err("rebinding.example".to_owned()));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://hooks.example:{}/", listener.local_addr().unwrap().port());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(redirect).await.unwrap();
        });
        let (lookup, _) = answering(&[&["127.0.0.1"]]);
        assert_eq!(requested(&url, "127.0.0.1", lookup).await, Ok(302));
        served.await.unwrap();
    }
}
