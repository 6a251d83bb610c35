//! Port-forwarding to a pod over a WebSocket: two channels a port, one for bytes and one for what went wrong.
//!
//! This is the older of the two protocols of a kubelet, which client libraries speak. The first frame of each channel
//! names its port. A channel cannot be half closed: what ends is the whole socket.
//! <https://github.com/kubernetes/kubernetes/blob/v1.36.0/staging/src/k8s.io/cri-streaming/pkg/streaming/portforward/websocket.go>

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::SelectAll;
use futures::{SinkExt, Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio_util::io::ReaderStream;

use super::status::is_finished;
use super::{Kubelet, Life};
use crate::files::Wire;

const PROTOCOL: &str = "v4.channel.k8s.io";
/// The largest message that is taken.
const LARGEST: usize = 4 * 1024 * 1024;
/// How much is read of a pod at once.
const PIECE: usize = 64 * 1024;
/// A channel is named by one byte, and a port has two.
const MOST_PORTS: usize = 128;

/// What is said to clients that speak another protocol, `kubectl` among them.
const SPDY: &str = "the kubelet of a simulated cluster forwards ports only over WebSockets with the sub-protocol \
    v4.channel.k8s.io, as kube-rs and the other client libraries do; it does not speak SPDY, which kubectl port-forward needs";

/// Answers `/portForward/NAMESPACE/POD?port=...`.
pub(super) async fn handle(
    State(kubelet): State<Arc<Kubelet>>,
    Path((namespace, pod)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Some(life) = kubelet.find(&namespace, &pod) else {
        return (StatusCode::NOT_FOUND, "pod does not exist").into_response();
    };
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let spoken = offered.is_none_or(|offered| offered.split(',').any(|protocol| protocol.trim() == PROTOCOL));
    let Some(upgrade) = upgrade.ok().filter(|_| spoken) else { return (StatusCode::BAD_REQUEST, SPDY).into_response() };
    let ports = match ports(query.as_deref().unwrap_or_default()) {
        Ok(ports) => ports,
        Err(message) => return (StatusCode::BAD_REQUEST, message).into_response(),
    };
    if life.has_ended() {
        let message = format!("container not running ({})", life.pod.uid().unwrap_or_default());
        return (StatusCode::INTERNAL_SERVER_ERROR, message).into_response();
    }
    let tasks = kubelet.machine.tasks.clone();
    let cancel = kubelet.machine.cancel.clone();
    upgrade.protocols([PROTOCOL]).max_message_size(LARGEST).max_frame_size(LARGEST).on_upgrade(move |socket| {
        tasks.track_future(async move {
            cancel.run_until_cancelled(forward(socket, ports, life)).await;
        })
    })
}

impl Life {
    fn has_ended(&self) -> bool {
        let elapsed = self.elapsed();
        let stopped = *self.stopped.borrow();
        let status = super::status::status_at(&self.timeline(elapsed), &self.taken, elapsed, stopped);
        is_finished(&Pod { status: Some(status), ..Pod::default() })
    }
}

/// Reads `port=1,2&port=3`.
fn ports(query: &str) -> Result<Vec<u16>, String> {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("port="));
    let mut ports = Vec::new();
    for value in values {
        let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        if decoded.is_empty() {
            return Err("query parameter \"port\" cannot be empty".to_owned());
        }
        for port in decoded.split(',') {
            match port.parse::<u16>() {
                Ok(0) => return Err(format!("port {decoded:?} must be > 0")),
                Ok(port) => ports.push(port),
                Err(error) => return Err(format!("unable to parse {decoded:?} as a port: {error}")),
            }
        }
    }
    match ports.len() {
        0 => Err("query parameter \"port\" is required".to_owned()),
        1..=MOST_PORTS => Ok(ports),
        _ => Err(format!("at most {MOST_PORTS} ports can be forwarded at once")),
    }
}

fn frame(channel: u8, bytes: &[u8]) -> Message {
    let mut framed = Vec::with_capacity(bytes.len() + 1);
    framed.push(channel);
    framed.extend_from_slice(bytes);
    Message::Binary(Bytes::from(framed))
}

/// Carries bytes until the client goes, or every port has ended. Either side waits for the other: nothing is read that
/// cannot be passed on.
async fn forward(socket: WebSocket, ports: Vec<u16>, life: Arc<Life>) {
    let (mut sink, mut source) = socket.split();
    let mut writers: Vec<Option<WriteHalf<Box<dyn Wire>>>> = Vec::with_capacity(ports.len());
    let mut pieces = SelectAll::new();
    // There are at most as many as there are numbers for channels.
    for (channel, port) in (0..=u8::MAX).step_by(2).zip(&ports) {
        for channel in [channel, channel + 1] {
            if sink.send(frame(channel, &port.to_le_bytes())).await.is_err() {
                return;
            }
        }
        match life.connect(*port).await {
            Ok(connection) => {
                let (reader, writer) = tokio::io::split(connection);
                writers.push(Some(writer));
                pieces.push(pieces_of(channel, reader));
            }
            Err(message) => {
                writers.push(None);
                let name = format!("{}_{}", life.pod.name_any(), life.pod.namespace().unwrap_or_default());
                let message = format!("error forwarding port {port} to pod {name}, uid : {message}");
                if sink.send(frame(channel + 1, message.as_bytes())).await.is_err() {
                    return;
                }
            }
        }
    }
    let from_pod = async {
        while let Some(message) = pieces.next().await {
            if sink.send(message).await.is_err() {
                break;
            }
        }
        // The client may be gone already.
        let _ = sink.close().await;
    };
    let to_pod = async {
        while let Some(Ok(message)) = source.next().await {
            let Message::Binary(bytes) = message else { continue };
            let Some((channel, bytes)) = bytes.split_first() else { continue };
            let writer = writers.get_mut(usize::from(channel / 2)).filter(|_| channel % 2 == 0);
            let Some(slot) = writer else { continue };
            if let Some(writer) = slot
                && writer.write_all(bytes).await.is_err()
            {
                // The pod's side is closed; that it is, its reader tells.
                *slot = None;
            }
        }
    };
    tokio::select! {
        () = from_pod => {}
        () = to_pod => {}
    }
}

fn pieces_of(
    channel: u8,
    reader: impl tokio::io::AsyncRead + Send + Unpin,
) -> impl Stream<Item = Message> + Send + Unpin {
    let pieces = ReaderStream::with_capacity(reader, PIECE);
    Box::pin(
        pieces
            .take_while(|piece| std::future::ready(piece.is_ok()))
            .filter_map(move |piece| std::future::ready(piece.ok().map(|piece| frame(channel, &piece)))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_a_list_or_several() {
        assert_eq!(ports("port=80,443&port=5000"), Ok(vec![80, 443, 5000]));
        assert_eq!(ports("port=80%2C443"), Ok(vec![80, 443]));
    }

    #[test]
    fn what_is_no_port_is_refused_in_the_words_of_a_kubelet() {
        insta::assert_snapshot!(ports("").unwrap_err(), @r#"query parameter "port" is required"#);
        insta::assert_snapshot!(ports("port=").unwrap_err(), @r#"query parameter "port" cannot be empty"#);
        insta::assert_snapshot!(ports("port=0").unwrap_err(), @r#"port "0" must be > 0"#);
        assert!(ports("port=70000").unwrap_err().starts_with(r#"unable to parse "70000" as a port"#));
    }
}
