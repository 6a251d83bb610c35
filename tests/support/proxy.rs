//! A TCP proxy that can be cut: put before PostgreSQL or the Kubernetes API to see what becomes of the server.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running proxy. Dropping it ends it and its connections.
pub struct Proxy {
    address: SocketAddr,
    up: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback and passes on to `target`.
    pub async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (up, state) = watch::channel(true);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection to a service that is away ends at once.
                if *state.borrow() {
                    tokio::spawn(pass(client, target, state.clone()));
                }
            }
        });
        Self { address, up, server }
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection and takes no other.
    pub fn cut(&self) {
        self.up.send_replace(false);
    }

    /// Passes on again.
    pub fn restore(&self) {
        self.up.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.server.abort();
    }
}

async fn pass(mut client: TcpStream, target: SocketAddr, mut state: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = state.wait_for(|up| !up) => {}
    }
}
