//! A transfer: one request to a file server, on a connection of its own that ends with the client, the file server, or the
//! right to it.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

/// Bytes that are kept of what a connection has sent at most.
const BUFFER: usize = 64 << 10;

/// A transfer that goes on. Dropping it ends its connection.
#[derive(Debug)]
pub struct Transfer {
    connection: AbortHandle,
    ended: Arc<OnceLock<&'static str>>,
    _permit: OwnedSemaphorePermit,
}

impl Transfer {
    /// Begins to speak HTTP on `stream`. The transfer ends when `ending` says why.
    ///
    /// # Errors
    /// The stream's.
    pub async fn begin<S>(
        stream: S,
        ending: impl Future<Output = &'static str> + Send + 'static,
        permit: OwnedSemaphorePermit,
    ) -> hyper::Result<(Self, SendRequest<Body>)>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await?;
        metrics::gauge!("platform_file_transfers").increment(1.0);
        let ended = Arc::new(OnceLock::new());
        let told = Arc::clone(&ended);
        let task = tokio::spawn(async move {
            // Told before the connection is dropped, which looks like the end of an answer.
            let ending = async {
                let _ = told.set(ending.await);
            };
            tokio::select! {
                served = connection => if let Err(error) = served {
                    tracing::debug!(%error, "a connection to a file server ended");
                },
                () = ending => {}
            }
        });
        Ok((Self { connection: task.abort_handle(), ended, _permit: permit }, sender))
    }

    /// Why it was ended, if it was.
    pub fn ended(&self) -> Option<&'static str> {
        self.ended.get().copied()
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        metrics::gauge!("platform_file_transfers").decrement(1.0);
        self.connection.abort();
    }
}
