//! A subscription over plain HTTP: its frames, a heartbeat while it is silent, and the end when the server drains.

use std::time::Duration;

use futures::future::{self, BoxFuture};
use futures::stream::{BoxStream, Stream};
use futures::{FutureExt as _, StreamExt as _};

use crate::http::endpoint::{Endpoint, Panicked};
use crate::http::service::{Frame, GraphqlService};

/// The error of a stream that ends because the credentials of its caller have expired.
pub(super) const EXPIRED: &str = r#"{"message":"the access token has expired; get a new one with refreshSession, and subscribe again","extensions":{"code":"UNAUTHENTICATED","reason":"TOKEN_EXPIRED","retryable":false}}"#;

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
    /// The credentials have expired, and the operator decided that this ends the stream.
    Expired,
}

impl Beat {
    const fn is_last(&self) -> bool {
        match self {
            Self::Frame(_) | Self::Idle => false,
            Self::Finished | Self::Broken | Self::Drained | Self::Expired => true,
        }
    }
}

/// The frames of an operation as they are sent, until it ends or the server stops. A frame is taken when the connection
/// has room for it, so a slow reader only delays its own subscription.
pub(super) fn beating<S: GraphqlService>(
    endpoint: &Endpoint<S>,
    streamed: Streamed,
) -> impl Stream<Item = Beat> + Send + use<S> {
    let every = endpoint.settings().socket.ping_every;
    let expired = streamed.expired.map(|()| Beat::Expired);
    let end = future::select(expired, drained(endpoint.clone()).map(|()| Beat::Drained).boxed());
    let end = end.map(|end| end.factor_first().0).boxed();
    futures::stream::unfold(Some((streamed.frames, end)), move |state| async move {
        let (mut frames, mut end) = state?;
        let beat = next(&mut frames, &mut end, every).await;
        let rest = (!beat.is_last()).then_some((frames, end));
        Some((beat, rest))
    })
}

/// An operation whose frames are sent as a stream.
pub(super) struct Streamed {
    /// Its frames.
    pub frames: BoxStream<'static, Result<Frame, Panicked>>,
    /// Resolves when the credentials of its caller expire, if that ends the stream.
    pub expired: BoxFuture<'static, ()>,
}

async fn next(
    frames: &mut BoxStream<'static, Result<Frame, Panicked>>,
    end: &mut BoxFuture<'static, Beat>,
    every: Duration,
) -> Beat {
    tokio::select! {
        frame = frames.next() => match frame {
            Some(Ok(frame)) => Beat::Frame(frame),
            Some(Err(Panicked)) => Beat::Broken,
            None => Beat::Finished,
        },
        end = end => end,
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

/// The error that a client receives when its credentials have expired.
pub(super) fn expired() -> Frame {
    Frame::Refused { errors: format!("[{EXPIRED}]").into() }
}
