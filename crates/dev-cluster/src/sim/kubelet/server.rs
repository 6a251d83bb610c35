//! The kubelet's own HTTPS endpoint: `/containerLogs`, `/portForward` and `/healthz`, which the API server proxies.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::{io, pin::pin};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures::{Stream, StreamExt};
use http::{StatusCode, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use k8s_openapi::jiff::Timestamp;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::timeline::{Course, Timeline};
use super::{Kubelet, Life, forward};

const HANDSHAKE: Duration = Duration::from_secs(5);

/// Why the endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No loopback port could be bound.
    #[error("cannot listen on loopback: {0}")]
    Listen(#[from] io::Error),
    /// The self-signed certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS refuses the certificate.
    #[error("cannot use the certificate: {0}")]
    Tls(#[from] rustls::Error),
}

/// What is said to who wants more of a container than its log.
const NO_CONTAINER: &str = "no container runs in a simulated cluster: there is nothing to step into";

/// Opens the endpoint on a free loopback port, answers the port, and serves until `cancel` says so.
pub(in super::super) async fn serve(
    kubelet: Arc<Kubelet>,
    tasks: &TaskTracker,
    cancel: CancellationToken,
) -> Result<u16, ServeError> {
    let acceptor = acceptor()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(logs))
        .route("/exec/{*container}", any(no_container))
        .route("/attach/{*container}", any(no_container))
        .route("/portForward/{namespace}/{pod}", any(forward::handle))
        .with_state(kubelet);
    let connections = tasks.clone();
    tasks.spawn(async move {
        while let Some(accepted) = cancel.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((socket, _)) => {
                    let connection = connection(socket, acceptor.clone(), router.clone());
                    let cancel = cancel.clone();
                    connections.spawn(async move { cancel.run_until_cancelled(connection).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "kubelet endpoint: accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    });
    Ok(port)
}

fn acceptor() -> Result<TlsAcceptor, ServeError> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connection(socket: TcpStream, acceptor: TlsAcceptor, router: Router) {
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await else { return };
    let service = TowerToHyperService::new(router);
    if let Err(error) =
        auto::Builder::new(TokioExecutor::new()).serve_connection_with_upgrades(TokioIo::new(stream), service).await
    {
        tracing::trace!(%error, "kubelet endpoint: connection");
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LogQuery {
    follow: bool,
    previous: bool,
    timestamps: bool,
    tail_lines: Option<usize>,
    limit_bytes: Option<usize>,
    since_seconds: Option<i64>,
    since_time: Option<Timestamp>,
}

async fn logs(
    State(kubelet): State<Arc<Kubelet>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    Query(query): Query<LogQuery>,
) -> Response {
    let Some(life) = kubelet.find(&namespace, &pod) else {
        return (StatusCode::NOT_FOUND, format!("pod {pod:?} is not on this node")).into_response();
    };
    match written(life, &container, &query) {
        Ok(lines) => {
            let body = limited(lines, query.limit_bytes);
            ([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(body.map(Ok::<_, Infallible>))).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The lines of one run of a container, those to come included when the query follows.
fn written(
    life: Arc<Life>,
    container: &str,
    query: &LogQuery,
) -> Result<impl Stream<Item = Bytes> + Send + use<>, (StatusCode, String)> {
    let now = life.elapsed();
    let timeline = life.timeline(now);
    let Some(index) = timeline.containers.iter().position(|course| course.name == container) else {
        return Err((StatusCode::NOT_FOUND, format!("container {container:?} is not in the pod")));
    };
    let course = &timeline.containers[index];
    let end = end_of(&life, &timeline, course);
    let Some(mut run) = course.run_at(now.min(end)) else {
        let message = format!("container {container:?} in pod {:?} is waiting to start", life.pod.metadata.name);
        return Err((StatusCode::BAD_REQUEST, message));
    };
    if query.previous {
        run = match course.run_before(now.min(end)) {
            Some(run) => run,
            None => {
                let message = format!("previous terminated container {container:?} not found");
                return Err((StatusCode::BAD_REQUEST, message));
            }
        };
    }
    let since = query.since_time.or_else(|| {
        let ago = Duration::from_secs(query.since_seconds?.unsigned_abs());
        Timestamp::now().checked_sub(ago).ok()
    });
    let start = life.taken.start;
    let at = move |moment: Duration| start.checked_add(moment).unwrap_or(Timestamp::MAX);
    let wanted = move |moment: &Duration| since.is_none_or(|since| at(*moment) >= since);
    let past = || course.lines(run).take_while(|(moment, _)| *moment <= now && *moment < end);
    let skip =
        query.tail_lines.map_or(0, |tail| past().filter(|(moment, _)| wanted(moment)).count().saturating_sub(tail));
    let (follow, timestamps) = (query.follow, query.timestamps);

    Ok(async_stream::stream! {
        let course = &timeline.containers[index];
        let mut stopped = life.stopped.subscribe();
        for (moment, text) in course.lines(run).filter(|(moment, _)| wanted(moment)).skip(skip) {
            let end = end_of(&life, &timeline, course);
            if moment >= end || moment > now && !follow {
                break;
            }
            if let Some(wait) = moment.checked_sub(life.elapsed()).filter(|wait| !wait.is_zero()) {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    // Stopped before it could write the line.
                    _ = stopped.wait_for(|stopped| stopped.is_some_and(|at| at <= moment)) => break,
                }
            }
            let line = if timestamps { format!("{} {text}\n", at(moment)) } else { format!("{text}\n") };
            yield Bytes::from(line);
        }
        if follow {
            // The stream ends with the container, not with its last line.
            let over = course.runs[run].end.unwrap_or(Duration::MAX).min(end_of(&life, &timeline, course));
            let wait = over.saturating_sub(life.elapsed()).min(Duration::from_secs(30 * 24 * 3600));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stopped.wait_for(Option::is_some) => {}
            }
        }
    })
}

/// When a container is ended from outside.
fn end_of(life: &Life, timeline: &Timeline, course: &Course) -> Duration {
    let cut = timeline.cut.as_ref().map(|cut| cut.at);
    let pod = [cut, *life.stopped.borrow()].into_iter().flatten().min();
    timeline.end_of(course, pod).unwrap_or(Duration::MAX)
}

/// There is nothing to step into.
async fn no_container() -> (StatusCode, &'static str) {
    (StatusCode::NOT_IMPLEMENTED, NO_CONTAINER)
}

/// Passes on at most `limit` bytes.
fn limited(lines: impl Stream<Item = Bytes> + Send, limit: Option<usize>) -> impl Stream<Item = Bytes> + Send {
    async_stream::stream! {
        let mut left = limit.unwrap_or(usize::MAX);
        let mut lines = pin!(lines);
        while left > 0 && let Some(mut line) = lines.next().await {
            line.truncate(left);
            left -= line.len();
            yield line;
        }
    }
}
