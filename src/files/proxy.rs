//! The proxy of `/files/<ticket>/...`: from a request, through the gate, to the file server of the claim.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::time::Instant;

use super::gate::{Admitted, Gate, Known};
use super::headers::{Names, Need, host};
use super::model;
use super::path;
use super::phase::FilesPhase;
use super::refusal::Refusal;
use super::relay::{self, NoAnswer, Passed};
use super::ticket::Ticket;
use super::transfer::Transfer;
use super::worker::FilesWake;
use crate::auth::policy::StorageAccess;
use crate::cluster::file_pods::{READ_PORT, WRITE_PORT};
use crate::cluster::names::file_pod;
use crate::cluster::port_forward::{self, PortForward};
use crate::cluster::{Cluster, ClusterError};
use crate::db::Db;
use crate::error::ApiError;
use crate::ids;
use crate::storage::model::Claim;

/// How long a request waits for the pod. Browsers and proxies give up after half a minute or later.
const PATIENCE: Duration = Duration::from_secs(20);
/// Interval of looking at a pod that starts.
const LOOK: Duration = Duration::from_millis(250);
/// How often a request is sent to a pod that turns out to be another one.
const ATTEMPTS: usize = 2;

/// The proxy of a server. Clones are the same proxy.
#[derive(Clone)]
pub struct FilesProxy {
    gate: Gate,
    db: Db,
    cluster: Cluster,
    wake: FilesWake,
}

impl FilesProxy {
    /// A proxy to the pods of this cluster.
    pub const fn new(gate: Gate, db: Db, cluster: Cluster, wake: FilesWake) -> Self {
        Self { gate, db, cluster, wake }
    }

    /// The answer to a request for a path under `/files/`.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let navigates = parts.headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
        let method = known_method(&parts.method);
        let response = match Box::pin(self.passed(&parts, body)).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(navigates),
        };
        let status = response.status().as_u16().to_string();
        metrics::counter!("platform_file_requests_total", "method" => method, "status" => status).increment(1);
        response
    }

    async fn passed(&self, parts: &Parts, body: Body) -> Result<Response<Body>, Refusal> {
        let Some((ticket, rest)) = Ticket::of_path(parts.uri.path()) else { return Err(Refusal::unknown()) };
        path::check(rest).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        if rest.is_empty() {
            // The cookie is for the folder, so this would not even be admitted.
            return Ok(to_folder(&ticket));
        }
        let admitted = self.gate.admit(&ticket, parts).await?;
        let Admitted { known, look, need } = &admitted;
        if path::is_root(rest) && matches!(parts.method.as_str(), "DELETE" | "MOVE" | "PUT" | "PATCH") {
            let message = "this is the volume itself; delete or move what is in it";
            return Err(Refusal::new(StatusCode::FORBIDDEN, message).allowing("GET, HEAD, OPTIONS, PROPFIND"));
        }
        let names = Names {
            ticket,
            claim: ids::suffix(look.claim.id.uuid()),
            rest: rest.to_owned(),
            query: parts.uri.query().map(str::to_owned),
            host: host(parts),
            writes: look.access == StorageAccess::Write,
        };
        // What only reads has no body that matters, so it can be sent again.
        let (mut body, attempts) = match need {
            Need::Read => (None, ATTEMPTS),
            Need::Write => (Some(body), 1),
        };
        let end = Instant::now() + patience(parts);
        let mut broken = String::new();
        for _ in 0..attempts {
            let port = if names.writes { WRITE_PORT } else { READ_PORT };
            let stream = self.connected(&look.claim, known, port, end).await?;
            let permit = known.begin_transfer()?;
            let ending = self.gate.clone().ended(Arc::clone(known), *need);
            let (transfer, sender) = match Transfer::begin(stream, ending, permit).await {
                Ok(begun) => begun,
                Err(error) => {
                    broken = error.to_string();
                    self.lost(known, &look.claim).await?;
                    continue;
                }
            };
            let body = body.take().unwrap_or_default();
            let passed = Passed { method: parts.method.clone(), headers: &parts.headers, body };
            match relay::pass(transfer, sender, &names, passed).await {
                Ok(response) => return Ok(response),
                Err(NoAnswer::Refused(refusal)) => return Err(refusal),
                Err(NoAnswer::Broken(why)) => {
                    broken = why;
                    self.lost(known, &look.claim).await?;
                }
            }
        }
        Err(Refusal::new(StatusCode::BAD_GATEWAY, format!("the connection to the file server broke: {broken}"))
            .again_in(3))
    }

    /// A connection to the file server of a claim.
    async fn connected(&self, claim: &Claim, known: &Known, port: u16, end: Instant) -> Result<PortForward, Refusal> {
        loop {
            self.ready(claim, known, end).await?;
            let opened = port_forward::open(&self.cluster, &claim.namespace, &file_pod(claim.id), port).await;
            let error = match opened {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            tracing::info!(claim = %claim.id, %error, "no connection to a file server");
            match error {
                ClusterError::Away(_) | ClusterError::Unconfigured(_) => {
                    let message = "the cluster does not answer; try again in a moment";
                    return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message).again_in(5));
                }
                ClusterError::Forbidden(why) => {
                    let message = format!("the platform lacks a permission in the cluster: {why}");
                    return Err(Refusal::new(StatusCode::BAD_GATEWAY, message));
                }
                error if Instant::now() >= end => {
                    let message = format!("the file server cannot be reached: {error}");
                    return Err(Refusal::new(StatusCode::BAD_GATEWAY, message).again_in(3));
                }
                _ => {
                    self.lost(known, claim).await?;
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Waits until the pod of a claim is ready.
    async fn ready(&self, claim: &Claim, known: &Known, end: Instant) -> Result<(), Refusal> {
        if known.is_ready() {
            return Ok(());
        }
        loop {
            let pod = self.pod(claim).await?;
            let message = match pod {
                Some((FilesPhase::Ready, _)) => {
                    known.set_ready(true);
                    return Ok(());
                }
                Some((FilesPhase::Failed, message)) => {
                    let message = message.unwrap_or_else(|| "the file server cannot be started".to_owned());
                    return Err(Refusal::new(StatusCode::BAD_GATEWAY, message).again_in(60));
                }
                Some((FilesPhase::Starting, message)) => message,
                None => None,
            };
            if Instant::now() >= end {
                let message = message.unwrap_or_else(|| "the file server is being started".to_owned());
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message).again_in(3));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The pod of a claim; if there is none, it is asked for.
    async fn pod(&self, claim: &Claim) -> Result<Option<(FilesPhase, Option<String>)>, ApiError> {
        let mut conn = self.db.connection().await?;
        let found = model::pods(&mut conn, &[claim.id]).await?.pop();
        if found.is_none() {
            model::want_pod(&mut conn, claim, super::types::is_read_only(claim)).await?;
            self.wake.0.now();
        }
        Ok(found.map(|pod| (pod.phase, pod.message)))
    }

    /// The pod did not answer: the worker looks at it.
    async fn lost(&self, known: &Known, claim: &Claim) -> Result<(), ApiError> {
        known.set_ready(false);
        model::lost(&mut *self.db.connection().await?, claim.id).await?;
        self.wake.0.now();
        Ok(())
    }
}

/// Sends a client to the folder of a session, without asking whether there is one.
fn to_folder(ticket: &Ticket) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(&ticket.path()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// How long a request waits for the pod: less if it says so, as `Prefer: wait=5` (RFC 7240, section 4.3).
fn patience(request: &Parts) -> Duration {
    let lines = request.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = lines.flat_map(|line| line.split(',')).filter_map(|part| part.trim().strip_prefix("wait="));
    let seconds = preferences.next().and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    seconds.map_or(PATIENCE, |seconds| seconds.min(PATIENCE))
}

/// The method, for metrics: clients can invent any number of others.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 13] = [
        "GET",
        "HEAD",
        "OPTIONS",
        "PROPFIND",
        "PUT",
        "PATCH",
        "DELETE",
        "MKCOL",
        "COPY",
        "MOVE",
        "PROPPATCH",
        "LOCK",
        "UNLOCK",
    ];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
