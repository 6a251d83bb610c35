//! The HTTP server: authentication, the documents of discovery, and the way from a path to an operation.

use super::cluster::Cluster;
use super::request::{Options, ResourcePath};
use super::status::{ApiError, ApiResult};
use super::{discovery, openapi, operations, reviews};
use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;
use std::sync::Arc;

/// The largest body, as with the real server.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// The media type of the old OpenAPI document in protobuf.
const OPENAPI_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// What the handlers share.
pub struct Server {
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// Where the server is, as `host:port`.
    pub address: String,
    /// The token that requests must carry, where one is set.
    pub token: Option<String>,
}

/// The whole API as one service.
pub fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(handle).with_state(server)
}

async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response {
    match answer(server, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json_response(self.code, &self.to_status());
        let retry = self.details.as_ref().and_then(|details| details["retryAfterSeconds"].as_i64());
        if let Some(seconds) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"dev-cluster\""));
        }
        response
    }
}

/// An answer of JSON.
pub fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut text = value.to_string();
    text.push('\n');
    bytes_response(status, text.into_bytes())
}

/// An answer of JSON that is already written.
pub fn bytes_response(status: StatusCode, bytes: Vec<u8>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache, private")];
    (status, headers, bytes).into_response()
}

async fn answer(server: Arc<Server>, request: Request) -> ApiResult<Response> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().trim_end_matches('/').to_owned();
    if matches!(path.as_str(), "/healthz" | "/livez" | "/readyz") {
        let verbose = parts.uri.query().is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
        let told = if verbose { format!("[+]ping ok\n{} check passed\n", &path[1..]) } else { "ok".to_owned() };
        return Ok(told.into_response());
    }
    authenticate(&server, &parts.headers)?;
    if parts.method == Method::GET
        && let Some(response) = document(&server, &path, &parts.headers)
    {
        return Ok(response);
    }
    let bytes = read(body).await?;
    let Some(target) = ResourcePath::parse(&path) else { return Ok(not_found()) };
    if let Some(review) = reviews::answer(&target, &parts.method, &operations::body(&parts.headers, bytes.clone())) {
        return review;
    }
    let catalog = server.cluster.catalog();
    let Some(kind) = catalog.find(&target.group, &target.version, &target.resource) else {
        if discovery::resources(&catalog, &target.group, &target.version).is_none() {
            return Ok(not_found());
        }
        return Err(ApiError::no_such_resource());
    };
    if target.namespace.is_some() && !kind.namespaced {
        return Err(ApiError::no_such_resource());
    }
    let options = Options::parse(&parts.uri, &parts.method)?;
    let operation = operations::Operation {
        cluster: server.cluster.clone(),
        kind,
        target,
        options,
        headers: parts.headers,
        upgrade: parts.extensions.remove(),
    };
    operation.run(&parts.method, parts.uri.query().unwrap_or_default(), bytes).await
}

fn authenticate(server: &Server, headers: &HeaderMap) -> ApiResult<()> {
    let Some(token) = &server.token else { return Ok(()) };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match given.strip_prefix("Bearer ") {
        Some(given) if given == token => Ok(()),
        Some(_) | None => Err(ApiError::unauthorized()),
    }
}

async fn read(body: HttpBody) -> ApiResult<Bytes> {
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::too_large(BODY_LIMIT)),
        Err(error) => Err(ApiError::unreadable(error)),
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

/// The documents that are not objects; `None` where the path is none of them.
fn document(server: &Server, path: &str, headers: &HeaderMap) -> Option<Response> {
    let catalog = server.cluster.catalog();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let aggregated = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2");
    let value = match segments.as_slice() {
        [""] => discovery::paths(&catalog),
        ["version"] => discovery::version(),
        ["api" | "apis"] if aggregated => {
            let mut response = json_response(StatusCode::OK, &discovery::aggregated(&catalog, path == "/api"));
            let media_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
            return Some(response);
        }
        ["api"] => discovery::core_versions(&server.address),
        ["apis"] => discovery::groups(&catalog),
        ["api", version] => discovery::resources(&catalog, "", version)?,
        ["apis", group] => discovery::group(&catalog, group)?,
        ["apis", group, version] => discovery::resources(&catalog, group, version)?,
        // kubectl wants this document in protobuf, and only for kinds that v3 does not know. None does: an empty message
        // says just that.
        ["openapi", "v2"] if accept.contains(OPENAPI_PROTOBUF) && !accept.contains("application/json") => {
            return Some(([(header::CONTENT_TYPE, "application/octet-stream")], "").into_response());
        }
        ["openapi", "v2"] => openapi::v2_document(&discovery::served(&catalog), &definitions(&catalog)),
        ["openapi", "v3"] => openapi::v3_index(&discovery::served(&catalog), &definitions(&catalog)),
        ["openapi", "v3", "api", version] => {
            openapi::v3_document("", version, &discovery::served(&catalog), &definitions(&catalog))?
        }
        ["openapi", "v3", "apis", group, version] => {
            openapi::v3_document(group, version, &discovery::served(&catalog), &definitions(&catalog))?
        }
        _ => return None,
    };
    Some(json_response(StatusCode::OK, &value))
}

fn definitions(catalog: &super::catalog::Catalog) -> Vec<Arc<CustomResourceDefinition>> {
    let mut definitions: Vec<Arc<CustomResourceDefinition>> = Vec::new();
    for kind in catalog.iter() {
        if let super::catalog::Origin::Custom { definition, .. } = &kind.origin
            && !definitions.iter().any(|known| Arc::ptr_eq(known, definition))
        {
            definitions.push(definition.clone());
        }
    }
    definitions
}
