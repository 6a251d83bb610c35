//! A subscription over plain HTTP: its frames, a heartbeat while it is silent, and the end when the server drains.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream};
use futures::{FutureExt as _, StreamExt as _};

use crate::graphql::context::Standing;
use crate::http::endpoint::{Endpoint, Panicked};
use crate::http::service::{Frame, GraphqlService};

/// The error of a stream that ends because the credentials of its caller have expired.
pub(super) const EXPIRED: &str = r#"{"message":"the access token has expired; get a new one with refreshSession, and subscribe again","extensions":{"code":"UNAUTHENTICATED","reason":"TOKEN_EXPIRED","retryable":false}}"#;

/// What is sent next.
#[derive(Debug)]
pub(super) enum Beat {
    /// An event, a rejection, or a failure that subscribing again does not help against.
    Frame(Frame),
    /// Nothing for a while: keeps the connection alive, and tells where the client can resume from now on.
    Idle(Option<Arc<str>>),
    /// The operation is over.
    Finished,
    /// The operation ended because of a bug.
    Broken,
    /// The operation failed with these errors; the client can resume.
    Failed {
        /// The errors as a JSON array.
        errors: Arc<str>,
        /// Where.
        cursor: Option<Arc<str>>,
    },
    /// The server is shutting down; the client can resume elsewhere, from here.
    Drained(Option<Arc<str>>),
    /// The credentials have expired, and the operator decided that this ends the stream.
    Expired,
}

impl Beat {
    const fn is_last(&self) -> bool {
        match self {
            Self::Frame(_) | Self::Idle(_) => false,
            Self::Finished | Self::Broken | Self::Failed { .. } | Self::Drained(_) | Self::Expired => true,
        }
    }
}

/// How far the client has come.
#[derive(Default)]
struct Place {
    cursor: Option<Arc<str>>,
    standing: Option<Standing>,
}

impl Place {
    fn moves_with(&mut self, frame: &Frame) {
        match frame {
            Frame::Begun { cursor, standing } => {
                *self = Self { cursor: Some(Arc::clone(cursor)), standing: standing.clone() };
            }
            Frame::Next { cursor: Some(cursor), .. } => self.cursor = Some(Arc::clone(cursor)),
            Frame::Next { cursor: None, .. } | Frame::Refused { .. } | Frame::Failed { .. } => {}
        }
    }

    /// Where the client can resume: everything up to here was sent, or is not for it.
    fn cursor(&mut self) -> Option<Arc<str>> {
        if let Some(moved) = self.standing.as_ref().and_then(Standing::cursor) {
            self.cursor = Some(moved.into());
        }
        self.cursor.clone()
    }
}

/// The frames of an operation as they are sent, until it ends or the server stops. A frame is taken when the connection
/// has room for it, so a slow reader only delays its own subscription.
pub(super) fn beating<S: GraphqlService>(
    endpoint: &Endpoint<S>,
    streamed: Streamed,
) -> impl Stream<Item = Beat> + Send + use<S> {
    let every = endpoint.settings().socket.ping_every;
    let Streamed { frames, expired } = streamed;
    let ends = Ends { expired, drained: drained(endpoint.clone()).boxed() };
    futures::stream::unfold(Some((frames, ends, Place::default())), move |state| async move {
        let (mut frames, mut ends, mut place) = state?;
        let beat = next(&mut frames, &mut ends, &mut place, every).await;
        let rest = (!beat.is_last()).then_some((frames, ends, place));
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

/// What ends a stream that could go on.
struct Ends {
    expired: BoxFuture<'static, ()>,
    drained: BoxFuture<'static, ()>,
}

async fn next(
    frames: &mut BoxStream<'static, Result<Frame, Panicked>>,
    ends: &mut Ends,
    place: &mut Place,
    every: Duration,
) -> Beat {
    tokio::select! {
        frame = frames.next() => match frame {
            Some(Ok(Frame::Failed { errors, cursor, retryable: true })) => Beat::Failed { errors, cursor },
            Some(Ok(frame)) => {
                place.moves_with(&frame);
                Beat::Frame(frame)
            }
            Some(Err(Panicked)) => Beat::Broken,
            None => Beat::Finished,
        },
        () = &mut ends.expired => Beat::Expired,
        () = &mut ends.drained => Beat::Drained(place.cursor()),
        () = tokio::time::sleep(every) => Beat::Idle(place.cursor()),
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
