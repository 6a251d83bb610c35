//! A subscription over plain HTTP: its frames, a heartbeat while it is silent, and the end of a drain.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{BoxStream, Stream};

use crate::http::endpoint::{Endpoint, Panicked};
use crate::http::service::{Frame, GraphqlService};

/// What comes next on the wire.
#[derive(Debug)]
pub(super) enum Beat {
    /// An event or a refusal.
    Frame(Frame),
    /// Nothing for a while: the connection is kept alive.
    Idle,
    /// The operation is over.
    Finished,
    /// The operation died of a defect; it is over.
    Broken,
    /// The server goes away; the client may resume elsewhere.
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

/// The frames of an operation as they go on the wire, until its end or the server's. A frame is taken when the
/// connection has room for it, so a slow reader holds back its own subscription only.
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

/// What a client is told of a defect.
pub(super) fn broken() -> Frame {
    Frame::Refused {
        errors: r#"[{"message":"internal error","extensions":{"code":"INTERNAL","retryable":false}}]"#.into(),
    }
}
