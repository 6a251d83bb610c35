//! A TCP proxy that can be cut: put before PostgreSQL or the Kubernetes API to see what becomes of the server.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It passes everything on.
    Open,
    /// It passes on what is asked and keeps the answers to itself.
    Mute,
    /// It ends every connection.
    Cut,
}

/// A running proxy. Dropping it ends it and its connections.
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    server: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback and passes on to `target`.
    pub async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, state) = watch::channel(Mode::Open);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection to a service that is away ends at once.
                if *state.borrow() != Mode::Cut {
                    tokio::spawn(pass(client, target, state.clone()));
                }
            }
        });
        Self { address, mode, server }
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection and takes no other.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// From now on what is asked arrives, and no answer comes back.
    pub fn mute(&self) {
        self.mode.send_replace(Mode::Mute);
    }

    /// Passes on again. What was lost stays lost.
    pub fn restore(&self) {
        self.mode.send_replace(Mode::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.server.abort();
    }
}

async fn pass(client: TcpStream, target: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = mode.clone();
    let asking = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let answering = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            if *answers.borrow() == Mode::Open && to_client.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
    };
    tokio::select! {
        _ = async { tokio::join!(asking, answering) } => {}
        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}
