//! Port-forwarding: the client's connection is joined with one to the kubelet of the pod's node, and what passes is theirs.

use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use kube::client::Body as KubeBody;
use serde_json::Value;

use super::catalog::ResourceKind;
use super::cluster::Cluster;
use super::logs;
use super::request::ResourcePath;
use super::status::{ApiError, ApiResult};

/// How many bytes wait in each direction.
const PIECE: usize = 64 * 1024;

/// A request to leave HTTP.
pub struct Upgrade {
    /// The verb: GET for WebSockets, POST for SPDY.
    pub method: Method,
    /// The connection once it is free; `None` where the client asks for no upgrade.
    pub connection: Option<OnUpgrade>,
}

/// Opens the way to ports of a pod.
pub async fn open(
    cluster: &Arc<Cluster>,
    kind: &ResourceKind,
    target: &ResourcePath,
    query: &str,
    headers: &HeaderMap,
    upgrade: Upgrade,
    pod: &Value,
) -> ApiResult<Response> {
    let name = target.name.as_deref().unwrap_or_default();
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let node = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
    if node.is_empty() {
        return Err(ApiError::bad_request(format!("pod {name} does not have a host assigned")));
    }
    let Some(connection) = upgrade.connection.filter(|_| headers.contains_key(header::UPGRADE)) else {
        return Err(ApiError::bad_request("Upgrade request required"));
    };
    let kubelet = logs::kubelet(cluster, kind, node)?;
    let uri = format!("https://{kubelet}/portForward/{namespace}/{name}?{}", of_kubelet(query));
    let uri: Uri = uri.parse().map_err(ApiError::internal)?;
    let mut request = Request::builder().method(upgrade.method).uri(uri);
    for (name, value) in headers.iter().filter(|(name, _)| is_about_upgrade(name)) {
        request = request.header(name, value);
    }
    let request = request.body(KubeBody::empty()).map_err(ApiError::internal)?;
    let answer = logs::client(&kubelet)?.send(request).await;
    let answer = answer.map_err(|error| ApiError::internal(format!("error dialing backend: {error}")))?;
    let status = answer.status();
    let headers = answer.headers().clone();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let text = answer.into_body().collect_bytes().await.map_err(ApiError::internal)?;
        return Ok((status, text).into_response());
    }
    let of_kubelet = hyper::upgrade::on(answer).await.map_err(ApiError::internal)?;
    let stop = cluster.stop.clone();
    cluster.tunnels.spawn(async move {
        let carry = async {
            // An error says that the client is gone.
            let Ok(client) = connection.await else { return };
            let (mut client, mut kubelet) = (TokioIo::new(client), TokioIo::new(of_kubelet));
            let carried = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut kubelet, PIECE, PIECE).await;
            if let Err(error) = carried {
                tracing::trace!(%error, "port-forward");
            }
        };
        stop.run_until_cancelled(carry).await;
    });
    let mut response = Response::builder().status(status);
    for (name, value) in headers.iter().filter(|(name, _)| is_about_upgrade(name)) {
        response = response.header(name, value);
    }
    response.body(HttpBody::empty()).map_err(ApiError::internal)
}

fn is_about_upgrade(name: &header::HeaderName) -> bool {
    *name == header::CONNECTION || *name == header::UPGRADE || name.as_str().starts_with("sec-websocket-")
}

/// `ports` of the client is `port` of the kubelet.
fn of_kubelet(query: &str) -> String {
    let ports = query.split('&').filter_map(|pair| pair.strip_prefix("ports="));
    ports.map(|port| format!("port={port}")).collect::<Vec<_>>().join("&")
}
