//! A TCP proxy that can be cut or frozen, placed in front of PostgreSQL or the Kubernetes API to test how the server
//! reacts.

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

/// The mode, and how many of the connections so far are dead without knowing it.
#[derive(Debug, Clone, Copy)]
struct State {
    mode: Mode,
    frozen: usize,
    connections: usize,
}

/// A running proxy. Dropping it ends it and its connections.
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    server: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback and passes on to `target`.
    pub async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = watch::Sender::new(State { mode: Mode::Open, frozen: 0, connections: 0 });
        let server = tokio::spawn({
            let state = state.clone();
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    // A connection to a service that is away ends at once.
                    if state.borrow().mode != Mode::Cut {
                        let number = state.borrow().connections;
                        state.send_modify(|state| state.connections += 1);
                        tokio::spawn(pass(client, target, number, state.subscribe()));
                    }
                }
            }
        });
        Self { address, state, server }
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection and takes no other.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.mode = Mode::Cut);
    }

    /// From now on what is asked arrives, and no answer comes back.
    pub fn mute(&self) {
        self.state.send_modify(|state| state.mode = Mode::Mute);
    }

    /// Passes on again. What was lost stays lost.
    pub fn restore(&self) {
        self.state.send_modify(|state| state.mode = Mode::Open);
    }

    /// Swallows from now on what either end of a connection sends, without a word to the other. New connections work.
    pub fn freeze(&self) {
        self.state.send_modify(|state| state.frozen = state.connections);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.server.abort();
    }
}

async fn pass(client: TcpStream, target: SocketAddr, number: usize, mut state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (questions, answers) = (state.clone(), state.clone());
    let asking = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            let swallowed = number < questions.borrow().frozen;
            if !swallowed && to_server.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        let _ = to_server.shutdown().await;
    };
    let answering = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            let swallowed = number < answers.borrow().frozen || answers.borrow().mode != Mode::Open;
            if !swallowed && to_client.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
    };
    tokio::select! {
        _ = async { tokio::join!(asking, answering) } => {}
        _ = state.wait_for(|state| state.mode == Mode::Cut) => {}
    }
}
