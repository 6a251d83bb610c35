//! A subscription over plain HTTP: its frames, a heartbeat while it is silent, and the end when the server drains.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{BoxStream, Stream};

use crate::http::endpoint::{Endpoint, Panicked};
use crate::http::service::{Frame, GraphqlService};

/// What is sent next.
#[derive(Debug)]
pub(super) enum Beat {
    /// An event or a rejection.
    Frame(Frame),
    /// Nothing for a while: keeps the connection alive.
    Idle,
    /// The operation is over.
    Finished,
    /// The operation ended because of a bug.
    Broken,
    /// The server is shutting down; the client can resume elsewhere.
    Drained,
}

impl Beat {
    const fn is_last(&self) -> bool {
        match self {
            Self::Frame(_) | Self::Idle => false,
            Self::Finished | Self::Broken | Self::Drained => true,
        }
    }
}

/// The frames of an operation as they are sent, until it ends or the server stops. A frame is taken when the connection
/// has room for it, so a slow reader only delays its own subscription.
pub(super) fn beating<S: GraphqlService>(
    endpoint: &Endpoint<S>,
    frames: BoxStream<'static, Result<Frame, Panicked>>,
) -> impl Stream<Item = Beat> + Send + use<S> {
    let every = endpoint.settings().socket.ping_every;
    let drain = Box::pin(drained(endpoint.clone()));
    futures::stream::unfold(Some((frames, drain)), move |state| async move {
        let (mut frames, mut drain) = state?;
        let beat = next(&mut frames, &mut drain, every).await;
        let rest = (!beat.is_last()).then_some((frames, drain));
        Some((beat, rest))
    })
}

async fn next(
    frames: &mut BoxStream<'static, Result<Frame, Panicked>>,
    drain: &mut (impl Future<Output = ()> + Unpin),
    every: Duration,
) -> Beat {
    tokio::select! {
        frame = frames.next() => match frame {
            Some(Ok(frame)) => Beat::Frame(frame),
            Some(Err(Panicked)) => Beat::Broken,
            None => Beat::Finished,
        },
        () = drain => Beat::Drained,
        () = tokio::time::sleep(every) => Beat::Idle,
    }
}

async fn drained<S: GraphqlService>(endpoint: Endpoint<S>) {
    endpoint.lifecycle().draining().cancelled().await;
    tokio::time::sleep(endpoint.lifecycle().own_share()).await;
}

/// The error that a client receives for a bug.
pub(super) fn broken() -> Frame {
    Frame::Refused {
        errors: r#"[{"message":"internal error","extensions":{"code":"INTERNAL","retryable":false}}]"#.into(),
    }
}
