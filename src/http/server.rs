//! Accepts connections, HTTP/1.1 and HTTP/2 on one port, until it is told to stop; then lets them finish.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::http::lifecycle::Lifecycle;
use crate::http::settings::HttpSettings;
use crate::http::threads::Threads;

/// The delay after an accept that failed for lack of file handles, so that the loop does not spin.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Serves `app` on `listener` until `shutdown`, each connection on one of `threads`.
///
/// Then `/ready` fails and new operations are rejected; running requests are answered; WebSockets and streams are
/// closed, spread over the drain time. New connections are still accepted, so that probes learn the reason: a server
/// that just stops responding cannot be distinguished from one that has crashed. Returns when the last connection is
/// gone or the time is over.
pub async fn serve<A>(
    listener: TcpListener,
    app: A,
    threads: &Threads,
    lifecycle: Lifecycle,
    shutdown: CancellationToken,
    settings: HttpSettings,
) -> io::Result<()>
where
    A: tower::Service<Request<Body>, Response = Response, Error = Infallible, Future: Send + 'static>,
    A: Clone + Send + 'static,
{
    let HttpSettings { drain, head_timeout, write_timeout, .. } = settings;
    let builder = Arc::new(builder(head_timeout));
    let connections = GracefulShutdown::new();
    let broken_off = CancellationToken::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = shutdown.cancelled() => break,
        };
        let (builder, app, watcher) = (Arc::clone(&builder), app.clone(), connections.watcher());
        let broken_off = broken_off.clone();
        let served = async move {
            let Some(stream) = prepared(stream, write_timeout) else { return };
            let first_request = CancellationToken::new();
            let connection = watcher.watch(connection(&builder, stream, peer, app, first_request.clone()));
            let served = broken_off.run_until_cancelled(connection);
            match unless_silent(served, first_request, head_timeout).await {
                Some(Some(Err(error))) => tracing::debug!(%peer, %error, "a connection failed"),
                Some(_) => {}
                None => tracing::debug!(%peer, "dropped a connection that sent no request in time"),
            }
        };
        threads.spawn(lifecycle.sockets().track_future(served)).await;
    }
    tracing::info!(seconds = drain.as_secs(), "draining");
    let end = Instant::now() + drain;
    let drained = async {
        let finished = timeout_at(end, connections.shutdown()).await.is_ok();
        lifecycle.sockets().close();
        finished && timeout_at(end, lifecycle.sockets().wait()).await.is_ok()
    };
    let late = TaskTracker::new();
    let probes = async {
        loop {
            let (stream, peer) = accept(&listener).await;
            let (builder, app, broken_off) = (Arc::clone(&builder), app.clone(), broken_off.clone());
            let served = async move {
                let Some(stream) = prepared(stream, write_timeout) else { return };
                let connection = connection(&builder, stream, peer, app, CancellationToken::new());
                drop(broken_off.run_until_cancelled(connection).await);
            };
            threads.spawn(late.track_future(served)).await;
        }
    };
    let finished = tokio::select! {
        finished = drained => finished,
        () = probes => false,
    };
    broken_off.cancel();
    late.close();
    late.wait().await;
    tracing::info!(everything_finished = finished, "drained");
    Ok(())
}

fn builder(head_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout).keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .keep_alive_interval(Duration::from_secs(30))
        .max_concurrent_streams(250);
    builder
}

/// The next connection, detached from this runtime: another one will watch it.
async fn accept(listener: &TcpListener) -> (std::net::TcpStream, SocketAddr) {
    loop {
        let accepted = listener.accept().await;
        match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

/// The stream of a client. It fails if the client does not read anything for as long as `patience`.
type Stream = Pin<Box<TimeoutStream<TcpStream>>>;

/// Moves `stream` to the current runtime.
fn prepared(stream: std::net::TcpStream, patience: Duration) -> Option<Stream> {
    let stream =
        TcpStream::from_std(stream).inspect_err(|error| tracing::warn!(%error, "failed to watch a connection")).ok()?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set TCP_NODELAY");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    Some(Box::pin(stream))
}

/// Serves a connection, or gives up (`None`) if its first request does not arrive in time. The header timeout of HTTP/1
/// starts only when enough was sent to distinguish it from HTTP/2, so a client that sends nothing would stay forever.
async fn unless_silent<T>(
    served: impl Future<Output = T>,
    first_request: CancellationToken,
    patience: Duration,
) -> Option<T> {
    tokio::pin!(served);
    tokio::select! {
        outcome = &mut served => return Some(outcome),
        () = first_request.cancelled() => {}
        () = tokio::time::sleep(patience) => return None,
    }
    Some(served.await)
}

fn connection<A>(
    builder: &auto::Builder<TokioExecutor>,
    stream: Stream,
    peer: SocketAddr,
    app: A,
    first_request: CancellationToken,
) -> impl GracefulConnection<Error: std::fmt::Display + Send> + Send + 'static
where
    A: tower::Service<Request<Body>, Response = Response, Error = Infallible, Future: Send + 'static>,
    A: Clone + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        first_request.cancel();
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request.map(Body::new))
    });
    builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned()
}
