//! A connection to a port of a pod, through the API server: the `portforward` subresource over a WebSocket.
//!
//! Each WebSocket is one connection to one port. Messages start with a number: 0 for the bytes of the connection, 1 for an
//! error. The first message of each is the port. <https://github.com/kubernetes/kubernetes/blob/v1.36.0/staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go>

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes};
use futures::{Sink, SinkExt, StreamExt};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::client::Cluster;
use super::error::ClusterError;

/// The protocol that kubelets speak on WebSockets.
const PROTOCOL: &str = "v4.channel.k8s.io";
/// How long the API server and the kubelet may take to connect.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a message at most, so that one connection keeps no more than a few of these in memory.
const LONGEST_MESSAGE: usize = 64 << 10;
/// Bytes of a refusal that are read.
const LONGEST_REFUSAL: usize = 64 << 10;

/// A connection to a port of a pod.
#[derive(Debug)]
pub struct PortForward<S = TokioIo<hyper::upgrade::Upgraded>> {
    socket: WebSocketStream<S>,
    /// Whether the first message of each channel has come.
    begun: [bool; 2],
    /// What has come and was not read yet.
    left: Bytes,
    ended: bool,
}

/// Connects to a port of a pod.
///
/// # Errors
/// The cluster's: [`ClusterError::NotFound`] if there is no such pod, [`ClusterError::Forbidden`] if the platform may not.
pub async fn open(cluster: &Cluster, namespace: &str, pod: &str, port: u16) -> Result<PortForward, ClusterError> {
    match tokio::time::timeout(PATIENCE, connect(cluster, namespace, pod, port)).await {
        Ok(opened) => opened,
        Err(_) => Err(ClusterError::Away(format!("no connection to the pod within {} s", PATIENCE.as_secs()))),
    }
}

async fn connect(cluster: &Cluster, namespace: &str, pod: &str, port: u16) -> Result<PortForward, ClusterError> {
    let key = STANDARD.encode(rand::random::<[u8; 16]>());
    let request = Request::get(format!("/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}"))
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key)
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .body(Body::empty())
        .map_err(|error| ClusterError::Refused(error.to_string()))?;
    let response = cluster.client().send(request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(response).await);
    }
    let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
    if accepted.is_none_or(|accepted| accepted.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(ClusterError::Refused("the API server does not speak WebSocket for port-forward".to_owned()));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| ClusterError::Away(error.to_string()))?;
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
    Ok(PortForward::over(socket))
}

/// The API server's reason, as for any other call.
async fn refusal(response: Response<Body>) -> ClusterError {
    let code = response.status();
    let body = Limited::new(response.into_body(), LONGEST_REFUSAL).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match serde_json::from_slice::<kube::core::Status>(&body) {
        Ok(status) if status.code != 0 => kube::Error::Api(Box::new(status)).into(),
        Ok(_) | Err(_) => {
            let said = String::from_utf8_lossy(&body);
            ClusterError::Away(format!("port-forward was answered with {code}: {}", said.trim()))
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PortForward<S> {
    /// The connection over a WebSocket that is open.
    fn over(socket: WebSocketStream<S>) -> Self {
        Self { socket, begun: [false; 2], left: Bytes::new(), ended: false }
    }

    /// Takes a message of the kubelet.
    fn take(&mut self, mut message: Bytes) -> io::Result<()> {
        if message.is_empty() {
            return Ok(());
        }
        let channel = usize::from(message.get_u8());
        let Some(begun) = self.begun.get_mut(channel) else {
            return Err(io::Error::other(format!("port-forward has no channel {channel}")));
        };
        if !*begun {
            *begun = true;
            message.advance(message.len().min(2));
        }
        if channel == 1 && !message.is_empty() {
            return Err(io::Error::other(String::from_utf8_lossy(&message).into_owned()));
        }
        self.left = message;
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for PortForward<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.left.is_empty() {
                let count = this.left.len().min(buffer.remaining());
                buffer.put_slice(&this.left.split_to(count));
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            match ready!(this.socket.poll_next_unpin(cx)) {
                Some(Ok(Message::Binary(message))) => this.take(message)?,
                Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => {
                    this.ended = true;
                }
                // Pings are answered by the WebSocket itself.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PortForward<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.socket).poll_ready(cx)).map_err(io::Error::other)?;
        let count = buffer.len().min(LONGEST_MESSAGE);
        let mut message = Vec::with_capacity(count + 1);
        message.push(0);
        message.extend_from_slice(&buffer[..count]);
        this.socket.start_send_unpin(Message::binary(message)).map_err(io::Error::other)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx).map_err(io::Error::other)
    }

    /// The protocol cannot end one direction only: this ends both.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.get_mut().socket).poll_close(cx)) {
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(io::Error::other(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    /// A connection, and the kubelet at its other end.
    async fn pair() -> (PortForward<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        let socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
        (PortForward::over(socket), WebSocketStream::from_raw_socket(theirs, Role::Server, None).await)
    }

    async fn say(kubelet: &mut WebSocketStream<DuplexStream>, message: &[u8]) {
        kubelet.send(Message::binary(message.to_vec())).await.unwrap();
    }

    #[tokio::test]
    async fn the_first_message_of_a_channel_is_its_port_and_the_rest_are_bytes() {
        let (mut connection, mut kubelet) = pair().await;
        for message in [&[0, 0x88, 0x13][..], &[1, 0x88, 0x13], b"\0hello ", b"\0there"] {
            say(&mut kubelet, message).await;
        }
        kubelet.close(None).await.unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello there");
    }

    #[tokio::test]
    async fn what_the_kubelet_says_is_an_error() {
        let (mut connection, mut kubelet) = pair().await;
        for message in [&[0, 0x88, 0x13][..], &[1, 0x88, 0x13], b"\x01connection refused"] {
            say(&mut kubelet, message).await;
        }
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.to_string(), "connection refused");
    }

    #[tokio::test]
    async fn what_is_written_arrives_in_messages_of_a_bounded_size() {
        let (mut connection, mut kubelet) = pair().await;
        let sent: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            connection.write_all(&sent).await.unwrap();
            connection.shutdown().await.unwrap();
        });
        let mut received = Vec::new();
        while let Some(Ok(Message::Binary(message))) = kubelet.next().await {
            assert!(message.len() <= LONGEST_MESSAGE + 1);
            assert_eq!(message[0], 0);
            received.extend_from_slice(&message[1..]);
        }
        assert_eq!(received, expected);
        writing.await.unwrap();
    }
}
